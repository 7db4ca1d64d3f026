/* cli/cmd_eval.c - weft eval. */
#include "cli/cli.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CLASSES_SHOWN = 40, MATRIX_MOST = 10, MIX_UPS_SHOWN = 10 };

static void share_cell(cli_table *t, double v) {
    char text[16];
    cli_score(text, "f1", v);
    cli_cell(t, true, "%s", text);
}

static void classes_show(const json_t *classes) {
    static const char *const columns[] = {"precision", "recall", "f1"};
    const json_t *one;
    const char *label;
    size_t n = 0;
    cli_table *t = cli_table_new();
    cli_cell(t, false, "  class");
    for (int k = 0; k < 3; k++) cli_cell(t, true, "%s", columns[k]);
    cli_cell(t, true, "rows");
    cli_row(t);
    json_object_foreach((json_t *)classes, label, one) {
        if (n++ >= CLASSES_SHOWN) continue;
        cli_cell(t, false, "  %s", label);
        for (int k = 0; k < 3; k++) share_cell(t, cli_number(one, columns[k]));
        cli_cell(t, true, "%.0f", cli_number(one, "support"));
        cli_row(t);
    }
    puts("");
    cli_table_print(t);
    if (n > CLASSES_SHOWN) printf("  ... %zu classes in all; --json has them\n", n);
}

/* Few classes: the whole matrix, a line a true class. */
static void matrix_show(const json_t *confusion) {
    const char *is, *said;
    const json_t *row, *ignored;
    cli_table *t = cli_table_new();
    cli_cell(t, false, "  is \\ predicted");
    json_object_foreach((json_t *)confusion, said, ignored) cli_cell(t, true, "%s", said);
    cli_row(t);
    json_object_foreach((json_t *)confusion, is, row) {
        cli_cell(t, false, "  %s", is);
        json_object_foreach((json_t *)confusion, said, ignored)
            cli_cell(t, true, "%lld", (long long)json_integer_value(json_object_get(row, said)));
        cli_row(t);
    }
    puts("");
    cli_table_print(t);
}

/* Many: what was taken for what most often. */
static void mix_ups_show(const json_t *confusion) {
    json_int_t below = INT64_MAX;
    int shown = 0;
    puts("\n  most often taken for another class:");
    while (shown < MIX_UPS_SHOWN && below > 0) {
        const char *is, *said;
        const json_t *row, *cell;
        json_int_t most = 0;
        json_object_foreach((json_t *)confusion, is, row) json_object_foreach(
            (json_t *)row, said, cell) if (strcmp(is, said) != 0 && json_integer_value(cell) < below &&
                                           json_integer_value(cell) > most) most = json_integer_value(cell);
        json_object_foreach((json_t *)confusion, is, row)
            json_object_foreach((json_t *)row, said, cell) if (most && strcmp(is, said) != 0 &&
                                                               json_integer_value(cell) == most &&
                                                               shown++ < MIX_UPS_SHOWN)
                printf("  %s, predicted %s: %lld\n", is, said, (long long)most);
        below = most;
    }
}

static void difference_show(const json_t *j) {
    const json_t *difference = json_object_get(j, "difference"), *m;
    const char *name;
    if (!difference) return;
    printf("base in %s; against %s, in which it was trained, 95 %% paired bootstrap intervals\n",
           cli_text(j, "base_dtype"), cli_text(j, "trained_base_dtype"));
    cli_table *t = cli_table_new();
    json_object_foreach((json_t *)difference, name, m) {
        char value[16], low[16], high[16];
        cli_score(value, name, cli_number(m, "value"));
        cli_score(low, name, cli_number(m, "low"));
        cli_score(high, name, cli_number(m, "high"));
        cli_cell(t, false, "  %s", name);
        cli_cell(t, true, "%s%s", cli_number(m, "value") > 0 ? "+" : "", value);
        cli_cell(t, false, "[%s, %s]", low, high);
        cli_row(t);
    }
    cli_table_print(t);
    printf("  largest change of an output: %.2g\n", cli_number(j, "largest_output_difference"));
}

static void one_show(const json_t *j) {
    const json_t *metrics = json_object_get(j, "metrics"), *m;
    const char *name;
    cli_table *t = cli_table_new();
    printf("%s on %s (%s, %.0f rows), 95 %% bootstrap intervals\n", cli_text(j, "name"), cli_text(j, "task"),
           cli_text(j, "split"), cli_number(j, "rows"));
    json_object_foreach((json_t *)metrics, name, m) {
        char value[16], low[16], high[16];
        cli_score(value, name, cli_number(m, "value"));
        cli_score(low, name, cli_number(m, "low"));
        cli_score(high, name, cli_number(m, "high"));
        const char *of = strcmp(name, "f1") == 0 ? cli_text(j, "f1_of") : "";
        cli_cell(t, false, "  %s%s%s", name, *of ? " of " : "", of);
        cli_cell(t, true, "%s", value);
        cli_cell(t, false, "[%s, %s]", low, high);
        cli_row(t);
    }
    cli_table_print(t);
    const json_t *classes = json_object_get(j, "per_class"), *confusion = json_object_get(j, "confusion");
    if (classes) classes_show(classes);
    if (confusion && json_object_size(confusion) <= MATRIX_MOST)
        matrix_show(confusion);
    else if (confusion)
        mix_ups_show(confusion);
    difference_show(j);
}

static void eval_show(const json_t *j) {
    const json_t *heads = json_object_get(j, "heads"), *one;
    size_t i;
    if (!heads) one_show(j);
    json_array_foreach(heads, i, one) {
        if (i) puts("");
        one_show(one);
    }
}

static wf_status run_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    const char *name = cli_head(a->words[0], a->of_task);
    const wf_eval_spec spec = {.name = name, .data = a->data, .split = a->split, .resamples = (int)a->resamples};
    const wf_status st = wf_lab_base_dtype(lab, a->train.base_dtype, err);
    if (st != WF_OK) return st;
    return wf_eval(lab, &spec, text, err);
}

static int run(const cli_args *a) {
    if (a->resamples < 0 || a->resamples > 1000000) return cli_usage("--resamples must lie in [100, 1000000]");
    if (!cli_head(a->words[0], a->of_task)) return EXIT_USAGE;
    if (a->data && a->split) return cli_usage("--data and --split exclude each other");
    return cli_call(a, run_call, eval_show);
}

static const cli_option options[] = {
    {"--task", "TASK", "this task's head of what was trained jointly (default: each; NAME:TASK is the same)", CLI_TEXT,
     CLI_AT(of_task)},
    {"--data", "FILE", "score on this file instead (JSONL, CSV, TSV with the task's fields)", CLI_TEXT, CLI_AT(data)},
    {"--split", "S", "test (default), dev or train", CLI_TEXT, CLI_AT(split)},
    {"--resamples", "N", "bootstrap resamples for the intervals (default: 1000)", CLI_COUNT, CLI_AT(resamples)},
    {"--base-dtype", "T",
     "multiply the base in f32, bf16 or int8 instead of the model's own type, and say what it changes", CLI_TEXT,
     CLI_AT(train.base_dtype)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_eval = {
    .name = "eval",
    .words = "NAME",
    .names = "model",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "score a trained model, with confidence intervals",
    .text =
        "With classes also each one's precision, recall and F1, and the confusion matrix (with more than 10 classes "
        "what was taken for what\n"
        "most often; --json has all).",
    .example = "weft eval reviews --split test",
};
