/* cli/cmd_joint.c - weft joint. */
#include "cli/training.h"

/* lab NULL: only says what is wrong. */
static wf_status joint(const cli_args *given, wf_lab *lab, char **text, wf_err *err) {
    cli_args a = *given;
    size_t count = 0;
    char **tasks = cli_list(a.words[0], ',', &count);
    if (!tasks) return cli_wrong(err, WF_E_NOMEM, "out of memory");
    if (lab) cli_stop_gently();
    cli_train_fill(&a);
    const wf_joint_spec spec = {.tasks = (const char *const *)tasks,
                                .task_count = count,
                                .method = a.train.method,
                                .sampling = a.sampling,
                                .loss_weights = a.loss_weights,
                                .train = a.train};
    const wf_status st = lab ? wf_train_joint(lab, &spec, text, err) : wf_joint_check(&spec, err);
    cli_list_free(tasks, count);
    return st;
}

static int run(const cli_args *a) {
    return cli_call(a, joint, cli_trained_show);
}

static wf_status check(const cli_args *a, wf_err *err) {
    return joint(a, NULL, NULL, err);
}

static const cli_option options[] = {
    {"--method", "M",
     "what is shared: adapter (default: seq_bn) or an adapter method such as lora[r=16]; multihead: the whole base",
     CLI_TEXT, CLI_AT(train.method)},
    {"--sampling", "S",
     "how often a task is drawn: proportional (default), equal, sqrt, temperature:T, annealed, dynamic (by dev)",
     CLI_TEXT, CLI_AT(sampling)},
    {"--loss-weights", "W", "uniform (default), uncertainty, gradnorm[:ALPHA], pcgrad", CLI_TEXT, CLI_AT(loss_weights)},
    CLI_ONE_RUN_OPTIONS("joint-METHOD"),
    CLI_TRAINING_OPTIONS,
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_joint = {
    .name = "joint",
    .words = "TASK,TASK,...",
    .names = "task",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .check = check,
    .summary = "train several tasks together: one shared adapter, or one base, and a head for each",
    .text =
        "The classic alternatives to fusing. The state with the best mean of the tasks' dev scores is kept. The model "
        "answers head by head: weft eval\nNAME --task TASK, weft predict NAME:TASK. A shared adapter can be fused "
        "like any other. Ctrl-C keeps a checkpoint; weft resume goes on.",
    .example = "weft joint amazon,movies,tweets --method adapter --sampling temperature:2 --name shared",
};
