/* cli/cmd_study_failures.c - weft study failures. */
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

enum { SHOWN = 5, TEXT_BYTES = 90 };

/* A text in one line, cut between characters. */
static void text_print(const char *before, const char *text) {
    size_t n = strlen(text);
    if (n > TEXT_BYTES)
        for (n = TEXT_BYTES; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;) n--;
    printf("%s%.*s%s\n", before, (int)n, text, text[n] ? "..." : "");
}

/* A label, or the labels of a multi-label row. */
static void label_print(const json_t *label) {
    size_t i;
    const json_t *one;
    if (json_is_string(label)) printf("%s", json_string_value(label));
    if (json_is_integer(label)) printf("%lld", (long long)json_integer_value(label));
    json_array_foreach(label, i, one) printf("%s%s", i ? "+" : "", json_string_value(one));
    if (json_is_array(label) && json_array_size(label) == 0) printf("nothing");
}

static void slices_show(const json_t *slices) {
    const json_t *s;
    size_t i;
    cli_table *t = cli_table_new();
    cli_cell(t, false, "  kind of rows");
    cli_cell(t, true, "rows");
    cli_cell(t, true, "wrong %%");
    cli_cell(t, true, "rest %%");
    cli_cell(t, true, "p (Holm)");
    cli_cell(t, false, "more errors");
    cli_row(t);
    json_array_foreach(slices, i, s) {
        const bool high = json_is_true(json_object_get(s, "high"));
        if (i >= SHOWN && !high) break;
        cli_cell(t, false, "  %s", cli_text(s, "slice"));
        cli_cell(t, true, "%.0f", cli_number(s, "rows"));
        cli_cell(t, true, "%.1f", 100 * cli_number(s, "rate"));
        cli_cell(t, true, "%.1f", 100 * cli_number(s, "rest_rate"));
        if (json_is_number(json_object_get(s, "p_holm")))
            cli_cell(t, true, "%.3f", cli_number(s, "p_holm"));
        else
            cli_cell(t, true, "-");
        cli_cell(t, false, "%s", high ? "yes" : "-");
        cli_row(t);
    }
    cli_table_print(t);
}

/* Which adapters of a fusion would have been right. */
static void sources_show(const json_t *sources, double errors) {
    const json_t *one;
    size_t i;
    if (!json_is_object(sources)) return;
    printf("  of %.0f errors %.0f have an adapter that is right alone (then the error rate were %.1f %%); on %.0f of "
           "%.0f of "
           "these the\n  fusion looks most at one that is wrong\n",
           errors, cli_number(sources, "errors_with_right_source"), 100 * cli_number(sources, "oracle_error_rate"),
           cli_number(sources, "looked_elsewhere"), cli_number(sources, "watched"));
    json_array_foreach(json_object_get(sources, "list"), i, one) printf(
        "    %s alone: %.1f %% wrong; right on %.0f errors, wrong on %.0f others; differs on %.0f %% of the errors, "
        "%.0f %% of the others, p %.3f%s\n",
        cli_text(one, "adapter"), 100 * cli_number(one, "error_rate"), cli_number(one, "right_where_wrong"),
        cli_number(one, "wrong_where_right"), 100 * cli_number(one, "differs_where_wrong"),
        100 * cli_number(one, "differs_where_right"), cli_number(one, "p_holm"),
        json_is_true(json_object_get(one, "knows_better")) ? ": its doubts are worth listening to" : "");
}

static void model_show(const json_t *m) {
    const json_t *one, *example;
    size_t i, k;
    printf("\n%s: %.0f errors (%.1f %%)\n", cli_text(m, "name"), cli_number(m, "errors"),
           100 * cli_number(m, "error_rate"));
    json_array_foreach(json_object_get(m, "confusions"), i, one) if (i < SHOWN)
        printf("  %s taken for %s: %.0f (%.1f %% of its rows)\n", cli_text(one, "label"), cli_text(one, "predicted"),
               cli_number(one, "rows"), 100 * cli_number(one, "share"));
    sources_show(json_object_get(m, "sources"), cli_number(m, "errors"));
    slices_show(json_object_get(m, "slices"));
    json_array_foreach(json_object_get(m, "clusters"), i, one) {
        printf("  group of %.0f errors (%.1f %% of the rows like these), such as\n", cli_number(one, "errors"),
               100 * cli_number(one, "rate"));
        json_array_foreach(json_object_get(one, "examples"), k, example) {
            if (k == 2) break;
            printf("    is ");
            label_print(json_object_get(example, "label"));
            printf(", said ");
            label_print(json_object_get(example, "predicted"));
            text_print(": ", cli_text(example, "text"));
        }
    }
}

static void failures_show(const json_t *j) {
    const json_t *one, *suspects = json_object_get(j, "suspects");
    size_t i;
    printf("%s: errors on %.0f %s rows (run %.0f)\n", cli_text(j, "task"), cli_number(j, "rows"), cli_text(j, "part"),
           cli_number(j, "run"));
    json_array_foreach(json_object_get(j, "models"), i, one) model_show(one);
    if (!json_is_object(suspects)) return;
    printf("\ndoubtful labels: %.0f of %.0f training rows. The linear probe that doubts them did not see them and is "
           "right on %.1f %% of all:\n"
           "hard rows are among them; the least believable first\n",
           cli_number(suspects, "found"), cli_number(suspects, "rows"), 100 * cli_number(suspects, "accuracy"));
    json_array_foreach(json_object_get(suspects, "list"), i, one) {
        if (i == 2 * SHOWN) break;
        printf("  line %.0f, %s, perhaps %s", cli_number(one, "line"), cli_text(one, "label"),
               cli_text(one, "suggested"));
        text_print(": ", cli_text(one, "text"));
    }
}

static wf_status call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    size_t count = 0;
    char **models = cli_list(a->words[0], ',', &count);
    if (!models) return cli_wrong(err, WF_E_NOMEM, "out of memory");
    const wf_failures_spec spec = {.models = (const char *const *)models,
                                   .model_count = count,
                                   .task = a->train.task,
                                   .rows = a->train.rows,
                                   .seed = a->train.seed};
    cli_stop_gently();
    const wf_status st = wf_study_failures(lab, &spec, text, err);
    cli_list_free(models, count);
    return st;
}

static int run(const cli_args *a) {
    return cli_call(a, call, failures_show);
}

static const cli_option options[] = {
    {"--task", "TASK", "whose rows (default: the first model's own); labels must be the same", CLI_TEXT,
     CLI_AT(train.task)},
    {"--rows", "N", "test rows used, a stratified sample (default: 1000 at most; -1: all)", CLI_LIMIT,
     CLI_AT(train.rows)},
    {"--seed", "N", "of the sample, the clusters and the folds (default: 0)", CLI_SEED, CLI_AT(train.seed)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_study_failures = {
    .name = "study failures",
    .words = "MODEL[,MODEL...]",
    .names = "model",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "where models err: alike errors, confusions, kinds of rows, doubtful labels",
    .text =
        "Errors are grouped by what the frozen base makes of their texts. Kinds of rows (length, rare words, "
        "negation, numbers, questions,\n"
        "class, group) are said to have more errors than the rest when p is below 0.05 after correction for their "
        "number (Holm). Labels\n"
        "of training rows are doubtful when a linear probe on the frozen base, fitted to the other rows, is sure of "
        "another class.",
    .example = "weft study failures editorials",
};
