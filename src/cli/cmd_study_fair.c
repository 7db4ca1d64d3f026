/* cli/cmd_study_fair.c - weft study fair. */
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

enum { SHOWN = 12 };

static void percent_cell(cli_table *t, double x) {
    if (x == x)
        cli_cell(t, true, "%.1f", 100 * x);
    else
        cli_cell(t, true, "-");
}

static void interval_cell(cli_table *t, const json_t *of) {
    if (json_is_number(json_object_get(of, "value")))
        cli_cell(t, true, "%+.3f [%+.3f, %+.3f]", cli_number(of, "value"), cli_number(of, "low"),
                 cli_number(of, "high"));
    else
        cli_cell(t, true, "-");
}

/* "more errors, fewer misses", or "-". */
static void differs_cell(cli_table *t, const json_t *group) {
    static const char *const keys[] = {"errors", "fpr", "fnr"}, *const what[] = {"errors", "false alarms", "misses"};
    char text[96] = "";
    for (int k = 0; k < 3; k++) {
        const json_t *differs = json_object_get(json_object_get(group, keys[k]), "differs");
        const size_t n = strlen(text);
        if (json_is_string(differs))
            snprintf(text + n, sizeof text - n, "%s%s %s", n ? ", " : "", json_string_value(differs), what[k]);
    }
    cli_cell(t, false, "%s", *text ? text : "-");
}

static bool differs(const json_t *group) {
    return json_is_string(json_object_get(json_object_get(group, "errors"), "differs")) ||
           json_is_string(json_object_get(json_object_get(group, "fpr"), "differs")) ||
           json_is_string(json_object_get(json_object_get(group, "fnr"), "differs"));
}

static void groups_show(const json_t *m) {
    static const char *const heads[] = {"  group",
                                        "rows",
                                        "wrong %",
                                        "FPR %",
                                        "FNR %",
                                        "AUC",
                                        "AUC less the rest's",
                                        "calibration less the rest's",
                                        "than the rest"};
    const json_t *groups = json_object_get(m, "groups"), *g;
    size_t i;
    if (json_array_size(groups) == 0) {
        puts("  no groups of at least 10 rows (weft task add --group FIELD)");
        return;
    }
    cli_table *t = cli_table_new();
    for (int k = 0; k < 9; k++) cli_cell(t, k > 0 && k < 8, "%s", heads[k]);
    cli_row(t);
    json_array_foreach(groups, i, g) {
        if (i >= SHOWN && !differs(g)) continue;
        const json_t *auc = json_object_get(g, "auc");
        cli_cell(t, false, "  %s", cli_text(g, "group"));
        cli_cell(t, true, "%.0f", cli_number(g, "rows"));
        percent_cell(t, cli_number(json_object_get(g, "errors"), "rate"));
        percent_cell(t, cli_number(json_object_get(g, "fpr"), "rate"));
        percent_cell(t, cli_number(json_object_get(g, "fnr"), "rate"));
        percent_cell(t, cli_number(auc, "value"));
        interval_cell(t, json_object_get(auc, "difference"));
        interval_cell(t, json_object_get(json_object_get(g, "calibration"), "difference"));
        differs_cell(t, g);
        cli_row(t);
    }
    cli_table_print(t);
    if (i > SHOWN) printf("  %zu groups in all; see: weft report\n", i);
}

static void swaps_show(const json_t *m) {
    const json_t *s, *one;
    size_t i, k;
    bool any = false;
    json_array_foreach(json_object_get(m, "swaps"), i, s) {
        if (cli_number(s, "texts") == 0) continue;
        any = true;
        printf("  %s in %.0f %s: the probability moves by %.3f on average, the answer changes in %.1f %%\n",
               cli_text(s, "set"), cli_number(s, "texts"),
               strcmp(cli_text(s, "texts_of"), "rows") == 0 ? "texts of the rows" : "templates",
               cli_number(s, "spread"), 100 * cli_number(s, "flipped"));
        json_array_foreach(json_object_get(s, "identities"), k, one) {
            const char *changes = json_string_value(json_object_get(one, "changes"));
            if (changes)
                printf("    %s: %s, %+.3f [%+.3f, %+.3f] against the others, p %.3f\n", cli_text(one, "identity"),
                       changes, cli_number(one, "value"), cli_number(one, "low"), cli_number(one, "high"),
                       cli_number(one, "p_holm"));
        }
    }
    if (!any) puts("  no text names an identity of these sets (--terms FILE)");
}

static void odds_show(const json_t *odds) {
    const char *missing = json_string_value(json_object_get(odds, "not_measured"));
    const double fpr = cli_number(odds, "fpr_gap"), fnr = cli_number(odds, "fnr_gap");
    if (json_is_number(json_object_get(odds, "gap"))) {
        printf("  equalised odds: FPR differs by up to %.1f, FNR by up to %.1f points, p %.3f: %s\n", 100 * fpr,
               100 * fnr, cli_number(odds, "p_holm"),
               json_is_true(json_object_get(odds, "unequal")) ? "unequal" : "no more than chance explains");
    } else if (missing && (fpr == fpr || fnr == fnr)) {
        printf("  equalised odds: not measurable (%s); %s by up to %.1f points\n", missing,
               fpr == fpr ? "FPR differs" : "FNR differs", 100 * (fpr == fpr ? fpr : fnr));
    } else if (missing) {
        printf("  equalised odds: not measurable (%s)\n", missing);
    }
}

static void fair_show(const json_t *j) {
    const json_t *m, *one;
    size_t i, k;
    printf("%s: groups and identities on %.0f rows (%s), asked about \"%s\" (run %.0f)\n", cli_text(j, "task"),
           cli_number(j, "rows"), cli_text(j, "part"), cli_text(j, "positive"), cli_number(j, "run"));
    json_array_foreach(json_object_get(j, "models"), i, m) {
        const json_t *odds = json_object_get(m, "equalised_odds"), *left = json_object_get(m, "left_out");
        printf("\n%s: %.1f %% right", cli_text(m, "name"), 100 * cli_number(m, "accuracy"));
        if (*cli_text(m, "worst_group")) printf("; worst group: %s", cli_text(m, "worst_group"));
        puts("");
        groups_show(m);
        if (json_array_size(left)) {
            printf("  left out, too few rows:");
            json_array_foreach(left, k, one) {
                if (k < SHOWN) printf("%s %s (%.0f)", k ? "," : "", cli_text(one, "group"), cli_number(one, "rows"));
            }
            puts(k > SHOWN ? ", ..." : "");
        }
        if (json_array_size(json_object_get(m, "groups"))) odds_show(odds);
        swaps_show(m);
    }
}

static wf_status call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    size_t count = 0;
    char **models = cli_list(a->words[0], ',', &count);
    if (!models) return cli_wrong(err, WF_E_NOMEM, "out of memory");
    const wf_fair_spec spec = {.models = (const char *const *)models,
                               .model_count = count,
                               .task = a->train.task,
                               .data = a->data,
                               .positive = a->positive,
                               .terms = a->terms,
                               .rows = a->train.rows,
                               .seed = a->train.seed,
                               .resamples = (int)a->resamples};
    cli_stop_gently();
    const wf_status st = wf_study_fair(lab, &spec, text, err);
    cli_list_free(models, count);
    return st;
}

static int run(const cli_args *a) {
    const int code = cli_resamples_check(a);
    return code == EXIT_DONE ? cli_call(a, call, fair_show) : code;
}

static const cli_option options[] = {
    {"--task", "TASK", "whose rows (default: the first model's own); labels must be the same", CLI_TEXT,
     CLI_AT(train.task)},
    {"--data", "FILE", "rows of a file instead, with the task's columns and a group", CLI_TEXT, CLI_AT(data)},
    {"--positive", "LABEL", "whose false alarms and misses count (default: of two labels the second)", CLI_TEXT,
     CLI_AT(positive)},
    {"--terms", "FILE",
     "JSON with sets of terms that stand for one another, {SET: {IDENTITY: [TERM, ...]}} or {SET: [TERM, ...]} "
     "(default: gender, religion, origin, orientation, age)",
     CLI_TEXT, CLI_AT(terms)},
    {"--rows", "N", "rows used, a stratified sample (default: 1000 at most; -1: all)", CLI_LIMIT, CLI_AT(train.rows)},
    {"--seed", "N", "of the sample and the resampling (default: 0)", CLI_SEED, CLI_AT(train.seed)},
    {"--resamples", "N", "bootstrap resamples (default: 1000)", CLI_COUNT, CLI_AT(resamples)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_study_fair = {
    .name = "study fair",
    .words = "MODEL[,MODEL...]",
    .names = "model",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "whether groups are treated alike, and whether naming another identity changes the answer",
    .text =
        "Each group of the rows is held against all others: errors, false alarms and misses by Fisher's exact test, "
        "ranking and\n"
        "calibration with 95 % intervals, the worst group first. Then terms for people change places with others of "
        "their set, in texts\n"
        "of the rows and in neutral templates; a change of the probability is claimed from 0.02 on. p values are "
        "corrected for the\n"
        "number of questions (Holm). weft report draws it.",
    .example = "weft study fair comments --data madlibs.jsonl --positive toxic",
};
