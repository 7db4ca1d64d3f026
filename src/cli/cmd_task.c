/* cli/cmd_task.c - weft task add, list. */
#include "cli/cli.h"
#include <math.h>
#include <stdio.h>

static void rows_print(const json_t *j) {
    const json_t *rows = json_object_get(j, "rows");
    printf("task %s: %s%s, metric %s; rows: %.0f train, %.0f dev, %.0f test\n", cli_text(j, "name"),
           cli_text(j, "kind"), json_is_true(json_object_get(j, "pair")) ? " of pairs" : "", cli_text(j, "metric"),
           cli_number(rows, "train"), cli_number(rows, "dev"), cli_number(rows, "test"));
}

/* Which columns were taken for what. */
static void fields_print(const json_t *fields) {
    const char *role;
    json_t *field;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)fields, role, field) if (json_is_string(field))
        printf("%s%s \"%s\"", n++ ? ", " : "  fields: ", role, json_string_value(field));
    if (n) puts("");
}

enum { LABELS_SHOWN = 12 };

static void task_show(const json_t *j) {
    const json_t *balance = json_object_get(j, "balance"), *one;
    const char *label;
    size_t n = 0;
    rows_print(j);
    fields_print(json_object_get(j, "fields"));
    if (*cli_text(j, "kind_why")) printf("  %s: %s\n", cli_text(j, "kind"), cli_text(j, "kind_why"));
    json_object_foreach((json_t *)balance, label, one) {
        if (n++ == LABELS_SHOWN) printf("  ... %zu labels in all\n", json_object_size(balance));
        if (n <= LABELS_SHOWN)
            printf("  %-24s %6.0f train %6.0f dev %6.0f test\n", label, cli_number(one, "train"),
                   cli_number(one, "dev"), cli_number(one, "test"));
    }
    if (n)
        printf("  the largest class has %.1f %% of the rows that are judged\n", 100 * cli_number(j, "majority_share"));
    const double imbalance = cli_number(j, "imbalance");
    if (!isnan(imbalance))
        printf("  in training it has %.3g times the rows of the smallest; class weights auto %s (limit 3)\n", imbalance,
               imbalance > 3 ? "will weigh the loss" : "will leave the loss as it is");
}

static void list_show(const json_t *j) {
    size_t i;
    const json_t *task;
    json_array_foreach(json_object_get(j, "tasks"), i, task) rows_print(task);
    if (i == 0) puts("no task yet; add one with: weft task add NAME PATH");
}

static wf_status add_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    wf_task_spec spec = a->task;
    spec.name = a->words[0];
    spec.path = a->words[1];
    return wf_task_add(lab, &spec, text, err);
}

static int add(const cli_args *a) {
    return cli_call(a, add_call, task_show);
}

static wf_status list_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_task_list(lab, text, err);
}

static int list(const cli_args *a) {
    return cli_call(a, list_call, list_show);
}

static const cli_option options[] = {
    {"--kind", "K",
     "classification, pair (the same, of two texts), regression, multiple_choice or multilabel (default: detected)",
     CLI_TEXT, CLI_AT(task.kind)},
    {"--text", "FIELD", "the text's field (default: detected)", CLI_TEXT, CLI_AT(task.text)},
    {"--pair", "FIELD", "the second text's field (default: detected)", CLI_TEXT, CLI_AT(task.pair)},
    {"--label", "FIELD", "the label's field (default: detected)", CLI_TEXT, CLI_AT(task.label)},
    {"--group", "FIELD", "a field that groups rows for audits", CLI_TEXT, CLI_AT(task.group)},
    {"--split-group", "FIELD", "keep rows of one value of this field in one part when splitting", CLI_TEXT,
     CLI_AT(task.split_group)},
    {"--metric", "M", "what training is judged by (default: by kind and balance)", CLI_TEXT, CLI_AT(task.metric)},
    {"--dev-share", "P", "share for dev when one file is split (default: 0.1)", CLI_AMOUNT, CLI_AT(task.dev_share)},
    {"--test-share", "P", "share for test when one file is split (default: 0.2)", CLI_AMOUNT, CLI_AT(task.test_share)},
    {"--seed", "S", "of the split (default: 0)", CLI_SEED, CLI_AT(task.seed)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_task_add = {
    .name = "task add",
    .words = "NAME PATH",
    .least = 2,
    .most = 2,
    .options = options,
    .run = add,
    .summary = "add a data set as a task",
    .text =
        "PATH is a folder with train, dev and test files (train is needed), or one file that is split with a seed.\n"
        "Files are JSONL, CSV or TSV. The lab keeps its own copy. Class balance, repeated rows and rows that are "
        "shared\n"
        "between parts are reported.",
    .example = "weft task add tickets tickets.csv --text subject --label team",
};
const cli_command cli_task_list = {
    .name = "task list", .words = "", .run = list, .summary = "show the tasks", .example = "weft task list"};
