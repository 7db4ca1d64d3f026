/* cli/cmd_train.c - weft train. */
#include "cli/training.h"
#include <stdio.h>

void cli_train_fill(cli_args *a) {
    a->train.head_layers =
        (int)(a->head_layers < -1 || a->head_layers > 9 ? 9 : a->head_layers); /* out of range: refused below */
    a->train.patience = (int)(a->patience < -1 ? -1 : a->patience > 1000000 ? 1000000 : a->patience);
    a->train.train_adapters = a->train_adapters;
    a->train.keep_fusion = a->keep_fusion;
    a->train.cache_memory = a->cache_memory == CLI_UNSET ? 0 : a->cache_memory == 0 ? -1 : a->cache_memory;
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

void cli_trained_show(const json_t *j) {
    char parameters[16], tokens[16];
    cli_count(parameters, cli_number(j, "trainable_params"));
    cli_count(tokens, cli_number(j, "tokens_per_second"));
    printf("%s: %s for %s, %s trained parameters, %.0f steps (best epoch %.0f of %.0f%s), %.1f s, %s tokens/s\n",
           cli_text(j, "name"), cli_text(j, "method"), cli_text(j, "task"), parameters, cli_number(j, "steps"),
           cli_number(j, "best_epoch"), cli_number(j, "epochs"),
           json_is_true(json_object_get(j, "stopped_early")) ? ", stopped early" : "", cli_number(j, "wall_seconds"),
           tokens);
    scores_print(j, "dev");
    scores_print(j, "test");
    const char *verdict = cli_text(json_object_get(j, "benefit"), "verdict");
    if (*verdict) puts(verdict);
}

static wf_status run_call(const cli_args *given, wf_lab *lab, char **text, wf_err *err) {
    cli_args a = *given;
    cli_stop_gently();
    cli_train_fill(&a);
    a.train.task = a.words[0];
    return wf_train(lab, &a.train, text, err);
}

static int run(const cli_args *a) {
    return cli_call(a, run_call, cli_trained_show);
}

static const cli_option options[] = {
    {"--method", "M",
     "seq_bn (default), double_seq_bn, par_bn, scaled_par_bn, adapter_plus, lora, head, full; settings in brackets",
     CLI_TEXT, CLI_AT(train.method)},
    CLI_ONE_RUN_OPTIONS,
    CLI_TRAINING_OPTIONS,
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_train = {
    .name = "train",
    .words = "TASK",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "train one adapter (or a head alone, or everything) on a task",
    .text = "The base stays as it is; only the adapter and the task's head are trained. A method takes settings of its "
            "own in brackets:\n"
            "seq_bn[reduction_factor=8,non_linearity=gelu], lora[r=16,alpha=16,attn_matrices=q,k,v]. Ctrl-C keeps a "
            "checkpoint; weft resume goes on.",
    .example = "weft train reviews --method seq_bn --name reviews",
};
