/* cli/cmd_train.c - weft train. */
#include "cli/training.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

void cli_train_fill(cli_args *a) {
    a->train.head_layers = (int)(a->head_layers > INT_MAX ? INT_MAX : a->head_layers); /* out of range: refused there */
    a->train.patience = (int)(a->patience > INT_MAX ? INT_MAX : a->patience);
    a->train.train_adapters = a->train_adapters;
    a->train.keep_fusion = a->keep_fusion;
    a->train.cache_memory = a->cache_memory == CLI_UNSET ? 0 : a->cache_memory == 0 ? -1 : a->cache_memory;
}

const char *cli_head(const char *name, const char *task) {
    static char whole[160];
    if (!task) return name;
    if (strchr(name, ':') || strlen(name) > 79 || strlen(task) > 79) {
        cli_usage("--task %.60s: \"%.60s\" is no name of one model", task, name);
        return NULL;
    }
    snprintf(whole, sizeof whole, "%.79s:%.79s", name, task);
    return whole;
}

static void scores_print(const json_t *result, const char *part) {
    const json_t *scores = json_object_get(result, part);
    const char *names[4];
    const size_t n = cli_metrics(scores, 4, names);
    for (size_t i = 0; i < n; i++) {
        char value[16];
        cli_score(value, names[i], cli_number(scores, names[i]));
        printf("%s %s %s", i ? "," : part, names[i], value);
    }
    if (n) puts("");
}

/* Of what was trained jointly: a line a head. */
static void heads_print(const json_t *j) {
    const json_t *name;
    size_t i;
    static const char *const columns[] = {"task", "rows", "batches", "weight", "metric", "dev", "test"};
    cli_table *t = cli_table_new();
    for (int k = 0; k < 7; k++) cli_cell(t, k > 0 && k != 4, "%s", columns[k]);
    cli_row(t);
    json_array_foreach(json_object_get(j, "tasks"), i, name) {
        const json_t *one = json_object_get(json_object_get(j, "heads"), json_string_value(name));
        const char *metric = cli_text(one, "metric");
        cli_cell(t, false, "%s", json_string_value(name));
        cli_cell(t, true, "%.0f", cli_number(one, "train_rows"));
        cli_cell(t, true, "%.0f", cli_number(one, "batches"));
        cli_cell(t, true, "%.3g", cli_number(one, "loss_weight"));
        cli_cell(t, false, "%s", metric);
        for (int k = 5; k < 7; k++) {
            char value[16];
            cli_score(value, metric, cli_number(json_object_get(one, columns[k]), metric));
            cli_cell(t, true, "%s", value);
        }
        cli_row(t);
    }
    cli_table_print(t);
}

static void gap_print(const json_t *of, const char *task) {
    const json_t *gap = json_object_get(of, "gap");
    if (!json_is_true(json_object_get(gap, "warns"))) return;
    const char *metric = cli_text(gap, "metric");
    char train[16], dev[16], low[16], high[16];
    cli_score(train, metric, cli_number(gap, "train"));
    cli_score(dev, metric, cli_number(gap, "dev"));
    cli_score(low, metric, cli_number(gap, "low"));
    cli_score(high, metric, cli_number(gap, "high"));
    printf("overfitting: %s%s%s %s on training rows, %s on dev (gap [%s, %s]); try %s\n", task, *task ? ": " : "",
           metric, train, dev, low, high, cli_text(gap, "remedy"));
}

void cli_trained_show(const json_t *j) {
    char parameters[16], tokens[16];
    cli_count(parameters, cli_number(j, "trainable_params"));
    cli_count(tokens, cli_number(j, "tokens_per_second"));
    printf("%s: %s for %s, %s trained parameters, base in %s, %.0f steps (best epoch %.0f of %.0f%s), %.1f s, %s "
           "tokens/s\n",
           cli_text(j, "name"), cli_text(j, "method"), cli_text(j, "task"), parameters, cli_text(j, "base_dtype"),
           cli_number(j, "steps"), cli_number(j, "best_epoch"), cli_number(j, "epochs"),
           json_is_true(json_object_get(j, "stopped_early")) ? ", stopped early" : "", cli_number(j, "wall_seconds"),
           tokens);
    if (json_object_get(j, "heads")) heads_print(j);
    scores_print(j, "dev");
    scores_print(j, "test");
    gap_print(j, "");
    const char *task;
    json_t *head;
    json_object_foreach(json_object_get(j, "heads"), task, head) gap_print(head, task);
    const char *verdict = cli_text(json_object_get(j, "benefit"), "verdict");
    if (*verdict) puts(verdict);
}

static void fill(cli_args *a) {
    cli_train_fill(a);
    a->train.task = a->words[0];
}

static wf_status run_call(const cli_args *given, wf_lab *lab, char **text, wf_err *err) {
    cli_args a = *given;
    cli_stop_gently();
    fill(&a);
    return wf_train(lab, &a.train, text, err);
}

static wf_status check(const cli_args *given, wf_err *err) {
    cli_args a = *given;
    fill(&a);
    return wf_train_check(&a.train, err);
}

static int run(const cli_args *a) {
    return cli_call(a, run_call, cli_trained_show);
}

static const cli_option options[] = {
    {"--method", "M",
     "seq_bn (default), double_seq_bn, par_bn, scaled_par_bn, adapter_plus, lora, head, full; settings in brackets",
     CLI_TEXT, CLI_AT(train.method)},
    CLI_ONE_RUN_OPTIONS("TASK-METHOD"),
    CLI_TRAINING_OPTIONS,
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_train = {
    .name = "train",
    .words = "TASK",
    .names = "task",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .check = check,
    .summary = "train one adapter (or a head alone, or everything) on a task",
    .text = "The base stays as it is; only the adapter and the task's head are trained. A method takes settings of its "
            "own in brackets:\n"
            "seq_bn[reduction_factor=8,non_linearity=gelu], lora[r=16,alpha=16,attn_matrices=q,k,v]. Ctrl-C keeps a "
            "checkpoint; weft resume goes on.",
    .example = "weft train reviews --method seq_bn --name reviews",
};
