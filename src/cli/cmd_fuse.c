/* cli/cmd_fuse.c - weft fuse. */
#include "cli/training.h"
#include <stdio.h>

static int run(const cli_args *given) {
    cli_args a = *given;
    wf_lab *lab = NULL;
    wf_err err = {0};
    char *text = NULL;
    if (!a.from) return cli_usage("which adapters? weft fuse TASK --from A,B,C");
    size_t count = 0;
    char **from = cli_list(a.from, ',', &count);
    if (!from) return cli_fail(WF_E_NOMEM, &(wf_err){.text = "out of memory"});
    if (count == 0) {
        cli_list_free(from, count);
        return cli_usage("--from needs at least one adapter's name");
    }
    const int code = cli_open(given, &lab);
    if (code != EXIT_DONE) {
        cli_list_free(from, count);
        return code;
    }
    cli_stop_gently();
    cli_train_fill(&a);
    a.train.task = a.words[0];
    a.train.method = "fusion";
    a.train.from = (const char *const *)from;
    a.train.from_count = count;
    const wf_status st = wf_train(lab, &a.train, &text, &err);
    wf_lab_close(lab);
    cli_list_free(from, count);
    return cli_finish(given, st, &err, text, cli_trained_show);
}

static const cli_option options[] = {
    {"--from", "A,B,C", "trained adapters to fuse, in this order", CLI_TEXT, CLI_AT(from)},
    {"--config", "C", "dynamic (default) or static; settings in brackets", CLI_TEXT, CLI_AT(train.config)},
    {"--train-adapters", NULL, "train copies of the adapters along; they become part of the fusion", CLI_FLAG,
     CLI_AT(train_adapters)},
    CLI_ONE_RUN_OPTIONS,
    CLI_TRAINING_OPTIONS,
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_fuse = {
    .name = "fuse",
    .words = "TASK",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "train a fusion of adapters, and a head, for a task",
    .text = "AdapterFusion (Pfeiffer et al. 2021): at every layer an attention picks from what the adapters say, token "
            "by token. The adapters and\n"
            "the base stay as they are. Settings of the fusion stand in brackets: "
            "dynamic[value_before_softmax=false,dropout_prob=0].",
    .example = "weft fuse editorials --from amazon,movies,tweets --rows 300",
};
