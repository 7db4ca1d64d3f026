/* cli/cmd_study_robust.c - weft study robust. */
#include "cli/study_sets.h"
#include <stdio.h>
#include <string.h>

enum { STRENGTHS = 5 };

static void drop_text(char out[64], const char *metric, const json_t *drop) {
    char value[16], low[16], high[16];
    cli_score(value, metric, cli_number(drop, "value"));
    cli_score(low, metric, cli_number(drop, "low"));
    cli_score(high, metric, cli_number(drop, "high"));
    snprintf(out, 64, "%s [%s, %s]", value, low, high);
}

/* A line a kind: the score as the texts stand and at each strength, and what is lost. */
static void kinds_show(const json_t *j, const json_t *model, const char *metric) {
    const json_t *kind, *at, *strength;
    size_t i, k;
    char text[64];
    cli_table *t = cli_table_new();
    cli_cell(t, false, "  disturbance");
    cli_cell(t, true, "0");
    json_array_foreach(json_object_get(j, "strengths"), k, strength)
        cli_cell(t, true, "%lld", (long long)json_integer_value(strength));
    cli_cell(t, true, "mean loss [95 %%]");
    cli_cell(t, true, "p (Holm)");
    cli_cell(t, false, "breaks");
    cli_row(t);
    json_array_foreach(json_object_get(model, "kinds"), i, kind) {
        const json_t *drop = json_object_get(kind, "drop");
        cli_cell(t, false, "  %s", cli_text(kind, "kind"));
        cli_score(text, metric, cli_number(json_object_get(model, "clean"), "score"));
        cli_cell(t, true, "%s", text);
        json_array_foreach(json_object_get(kind, "strengths"), k, at) {
            cli_score(text, metric, cli_number(at, "score"));
            cli_cell(t, true, "%s", text);
        }
        drop_text(text, metric, drop);
        cli_cell(t, true, "%s", text);
        cli_cell(t, true, "%.3f", cli_number(drop, "p_holm"));
        cli_cell(t, false, "%s", json_is_true(json_object_get(drop, "breaks")) ? "yes" : "-");
        cli_row(t);
    }
    cli_table_print(t);
}

/* One sentence on how far confidence can be trusted. */
static void trust_show(const json_t *model) {
    const json_t *clean = json_object_get(model, "clean"), *disturbed = json_object_get(model, "disturbed"),
                 *risk = json_object_get(json_object_get(clean, "selective"), "risk"),
                 *worse = json_object_get(json_object_get(disturbed, "selective"), "risk");
    if (!json_object_get(clean, "calibration")) return;
    printf("  calibration error %.3f, disturbed %.3f; Brier %.3f, disturbed %.3f\n",
           cli_number(json_object_get(clean, "calibration"), "ece"),
           cli_number(json_object_get(disturbed, "calibration"), "ece"),
           cli_number(json_object_get(clean, "calibration"), "brier"),
           cli_number(json_object_get(disturbed, "calibration"), "brier"));
    printf("  errors among the surest 50 / 80 / 100 %%: %.1f / %.1f / %.1f, disturbed %.1f / %.1f / %.1f\n",
           100 * json_number_value(json_array_get(risk, 4)), 100 * json_number_value(json_array_get(risk, 7)),
           100 * json_number_value(json_array_get(risk, 9)), 100 * json_number_value(json_array_get(worse, 4)),
           100 * json_number_value(json_array_get(worse, 7)), 100 * json_number_value(json_array_get(worse, 9)));
}

static void others_show(const json_t *model, const char *metric) {
    enum { SHOWN = 8 };
    const json_t *one;
    size_t i;
    char score[16];
    cli_study_sets_show(model, metric);
    json_array_foreach(json_object_get(model, "groups"), i, one) {
        cli_score(score, metric, cli_number(one, "score"));
        if (i < SHOWN)
            printf("  group %s: %s (%.0f rows)%s\n", cli_text(one, "group"), score, cli_number(one, "rows"),
                   json_is_true(json_object_get(one, "worse")) ? ", more errors than the rest" : "");
    }
    if (i > SHOWN) printf("  and %zu more groups; see: weft report\n", i - SHOWN);
}

static void question_show(const json_t *pair, const char *key, const char *what, const char *metric) {
    const json_t *q = json_object_get(pair, key);
    char a[16], b[16], low[16], high[16];
    const char *better = json_string_value(json_object_get(q, "better"));
    cli_score(a, metric, cli_number(q, "a"));
    cli_score(b, metric, cli_number(q, "b"));
    cli_score(low, metric, cli_number(q, "low"));
    cli_score(high, metric, cli_number(q, "high"));
    printf("  %-10s %s against %s, difference in [%s, %s], p %.3f: ", what, a, b, low, high, cli_number(q, "p_holm"));
    if (better)
        printf("%s is %s\n", better, strcmp(key, "drop") == 0 ? "more robust" : "better");
    else
        puts("not told apart");
}

static void robust_show(const json_t *j) {
    const char *metric = cli_text(j, "metric");
    const json_t *one;
    size_t i;
    printf("%s: %s on %.0f %s rows (run %.0f)\n", cli_text(j, "task"), metric, cli_number(j, "rows"),
           cli_text(j, "part"), cli_number(j, "run"));
    json_array_foreach(json_object_get(j, "models"), i, one) {
        const json_t *disturbed = json_object_get(one, "disturbed");
        char clean[16], score[16], drop[64];
        cli_score(clean, metric, cli_number(json_object_get(one, "clean"), "score"));
        cli_score(score, metric, cli_number(disturbed, "score"));
        drop_text(drop, metric, json_object_get(disturbed, "drop"));
        printf("\n%s: %s, disturbed %s: loses %s\n", cli_text(one, "name"), clean, score, drop);
        kinds_show(j, one, metric);
        trust_show(one);
        others_show(one, metric);
    }
    json_array_foreach(json_object_get(j, "pairs"), i, one) {
        printf("\n%s against %s\n", cli_text(one, "a"), cli_text(one, "b"));
        question_show(one, "clean", "clean", metric);
        question_show(one, "disturbed", "disturbed", metric);
        question_show(one, "drop", "loss", metric);
        cli_study_sets_compare(one);
    }
}

/* "1..5" or "1,3,5". */
static wf_status strengths_read(const char *text, int out[STRENGTHS], size_t *n, wf_err *err) {
    int low, high, used = 0;
    *n = 0;
    if (!text) return WF_OK;
    if (sscanf(text, "%1d..%1d%n", &low, &high, &used) == 2 && !text[used] && low >= 1 && high <= STRENGTHS) {
        for (int x = low; x <= high; x++) out[(*n)++] = x;
    } else {
        for (const char *c = text; *c; c += c[1] == ',' && c[2] ? 2 : 1) {
            if (*n == STRENGTHS || *c < '1' || *c > '5' || (c[1] && (c[1] != ',' || !c[2]))) {
                *n = 0;
                break;
            }
            out[(*n)++] = *c - '0';
        }
    }
    return *n ? WF_OK : cli_wrong(err, WF_E_ARG, "--strengths needs 1 to 5, such as 1..5 or 1,3,5, not \"%s\"", text);
}

static wf_status call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    int strengths[STRENGTHS];
    size_t model_count = 0, kind_count = 0, set_count = 0, strength_count = 0;
    char **models = cli_list(a->words[0], ',', &model_count),
         **kinds = cli_list(a->kinds ? a->kinds : "", ',', &kind_count),
         **sets = cli_list(a->sets ? a->sets : "", ',', &set_count);
    wf_status st = models && kinds && sets ? strengths_read(a->strengths, strengths, &strength_count, err)
                                           : cli_wrong(err, WF_E_NOMEM, "out of memory");
    const wf_robust_spec spec = {.models = (const char *const *)models,
                                 .model_count = model_count,
                                 .task = a->train.task,
                                 .kinds = (const char *const *)kinds,
                                 .kind_count = kind_count,
                                 .strengths = strengths,
                                 .strength_count = strength_count,
                                 .sets = (const char *const *)sets,
                                 .set_count = set_count,
                                 .wordnet = a->wordnet,
                                 .rows = a->train.rows,
                                 .seed = a->train.seed,
                                 .resamples = (int)a->resamples};
    if (st == WF_OK && ((a->kinds && !kind_count) || (a->sets && !set_count)))
        st = cli_wrong(err, WF_E_ARG, "%s names none", a->kinds && !kind_count ? "--kinds" : "--sets");
    cli_stop_gently();
    if (st == WF_OK) st = wf_study_robust(lab, &spec, text, err);
    cli_list_free(models, model_count);
    cli_list_free(kinds, kind_count);
    cli_list_free(sets, set_count);
    return st;
}

static int run(const cli_args *a) {
    const int code = cli_resamples_check(a);
    return code == EXIT_DONE ? cli_call(a, call, robust_show) : code;
}

static const cli_option options[] = {
    {"--task", "TASK", "whose test rows (default: the first model's own); labels must be the same", CLI_TEXT,
     CLI_AT(train.task)},
    {"--kinds", "LIST",
     "typo, drop, swap, case, punctuation, accents, words, contraction, prefix, synonym (default: "
     "all; synonym with --wordnet)",
     CLI_TEXT, CLI_AT(kinds)},
    {"--strengths", "LIST", "1..5 or 1,3,5 (default: 1..5)", CLI_TEXT, CLI_AT(strengths)},
    {"--sets", "LIST", "other rows with the same labels: tasks of the lab, or files (contrast sets, checklists, ...)",
     CLI_TEXT, CLI_AT(sets)},
    {"--wordnet", "DIR", "folder of WordNet's files, for synonyms (Debian: /usr/share/wordnet)", CLI_TEXT,
     CLI_AT(wordnet)},
    {"--rows", "N", "test rows used, a stratified sample (default: 1000 at most; -1: all)", CLI_LIMIT,
     CLI_AT(train.rows)},
    {"--seed", "N", "of the sample, the disturbances and the resampling (default: 0)", CLI_SEED, CLI_AT(train.seed)},
    {"--resamples", "N", "bootstrap resamples (default: 1000)", CLI_COUNT, CLI_AT(resamples)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_study_robust = {
    .name = "study robust",
    .words = "MODEL[,MODEL...]",
    .names = "model",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "how scores hold when texts are disturbed, on other sets and by group",
    .text =
        "Every model answers the test rows as they stand and disturbed in ten ways at five strengths. What is lost, "
        "and whether one\n"
        "model loses less than another, comes with 95 % intervals and p values corrected for the number of "
        "questions (Holm); below\n"
        "0.05 it is called a difference. Also: calibration, errors among the surest answers, scores by group and on "
        "other sets;\n"
        "of contrast sets and checklists (fields case, test, type, variant, expect) the share of cases that fail, for "
        "each test.\n"
        "weft report draws it.",
    .example = "weft study robust editorials,editorials-head --kinds typo,swap,words --sets contrast.jsonl",
};
