/* cli/cmd_fuse.c - weft fuse. */
#include "cli/training.h"

/* lab NULL: only says what is wrong. */
static wf_status fuse(const cli_args *given, wf_lab *lab, char **text, wf_err *err) {
    cli_args a = *given;
    size_t count = 0;
    char **from = cli_list(a.from, ',', &count);
    if (!from) return cli_wrong(err, WF_E_NOMEM, "out of memory");
    if (lab) cli_stop_gently();
    cli_train_fill(&a);
    a.train.task = a.words[0];
    a.train.method = "fusion";
    a.train.from = (const char *const *)from;
    a.train.from_count = count;
    const wf_status st = count ? lab ? wf_train(lab, &a.train, text, err) : wf_train_check(&a.train, err)
                               : cli_wrong(err, WF_E_ARG, "--from needs at least one adapter's name");
    cli_list_free(from, count);
    return st;
}

static int run(const cli_args *a) {
    if (!a->from) return cli_usage("which adapters? weft fuse TASK --from A,B,C");
    return cli_call(a, fuse, cli_trained_show);
}

static wf_status check(const cli_args *a, wf_err *err) {
    return a->from ? fuse(a, NULL, NULL, err) : cli_wrong(err, WF_E_ARG, "which adapters? weft fuse TASK --from A,B,C");
}

static const cli_option options[] = {
    {"--from", "A,B,C", "trained adapters to fuse, in this order; auto or auto:K: the 3 or K best by weft rank",
     CLI_TEXT, CLI_AT(from)},
    {"--config", "C", "dynamic (default) or static; settings in brackets", CLI_TEXT, CLI_AT(train.config)},
    {"--train-adapters", NULL, "train copies of the adapters along; they become part of the fusion", CLI_FLAG,
     CLI_AT(train_adapters)},
    {"--keep-fusion", NULL, "keep the fusion without measuring the task's own adapter beside it", CLI_FLAG,
     CLI_AT(keep_fusion)},
    CLI_ONE_RUN_OPTIONS("TASK-fusion"),
    CLI_TRAINING_OPTIONS,
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_fuse = {
    .name = "fuse",
    .words = "TASK",
    .names = "task",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .check = check,
    .summary = "train a fusion of adapters, and a head, for a task",
    .text = "AdapterFusion (Pfeiffer et al. 2021): at every layer an attention picks from what the adapters say, token "
            "by token. The adapters and\n"
            "the base stay as they are. Settings of the fusion stand in brackets: "
            "dynamic[value_before_softmax=false,dropout_prob=0].\n"
            "The task's own adapter is measured first (the lab's best on as many training rows; where there is none it "
            "is trained and stored).\n"
            "Whichever is better on dev gets the name, and the difference is told with its interval.",
    .example = "weft fuse editorials --from amazon,movies,tweets --rows 300",
};
