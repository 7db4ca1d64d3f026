/* cli/cmd_runs.c - housekeeping: weft rm, log, resume. */
#include "cli/cli.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void removed_show(const json_t *j) {
    printf("removed %s %s\n", cli_text(j, "kind"), cli_text(j, "removed"));
}

static void log_show(const json_t *j) {
    size_t i;
    const json_t *line;
    printf("run %.0f: %s %s, %s, started %s, finished %s\n", cli_number(j, "run"), cli_text(j, "command"),
           cli_text(j, "name"), cli_text(j, "status"), cli_text(j, "started"), cli_text(j, "finished"));
    json_array_foreach(json_object_get(j, "lines"), i, line) puts(json_string_value(line));
}

static void resumed_show(const json_t *j) {
    if (json_object_get(j, "summary"))
        cli_compared_show(j);
    else
        cli_trained_show(j);
}

static wf_status run_number(const char *text, int64_t *out, wf_err *err) {
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (!*text || *end || errno || *out < 1)
        return cli_wrong(err, WF_E_ARG, "a run is a number such as 3, not \"%s\"; see: weft list", text);
    return WF_OK;
}

static wf_status rm_run_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_remove(lab, a->words[0], text, err);
}

static int rm_run(const cli_args *a) {
    return cli_call(a, rm_run_call, removed_show);
}

static wf_status log_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    int64_t id = 0;
    const wf_status st = run_number(a->words[0], &id, err);
    return st == WF_OK ? wf_log(lab, id, text, err) : st;
}

static int log_run(const cli_args *a) {
    return cli_call(a, log_call, log_show);
}

static wf_status resume_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    int64_t id = 0;
    const wf_status st = run_number(a->words[0], &id, err);
    cli_stop_gently();
    return st == WF_OK ? wf_resume(lab, id, text, err) : st;
}

static int resume_run(const cli_args *a) {
    return cli_call(a, resume_call, resumed_show);
}

const cli_command cli_rm = {
    .name = "rm",
    .words = "NAME",
    .names = "any",
    .least = 1,
    .most = 1,
    .run = rm_run,
    .summary = "remove a model, task or base; refused while something else depends on it",
    .text = "Where several objects have the name, model:NAME, task:NAME or base:NAME says which.",
    .example = "weft rm reviews-lora",
};
const cli_command cli_log = {.name = "log",
                             .words = "RUN",
                             .names = "run",
                             .least = 1,
                             .most = 1,
                             .run = log_run,
                             .summary = "show what a run said, epoch by epoch",
                             .example = "weft log 3"};
const cli_command cli_resume = {
    .name = "resume",
    .words = "RUN",
    .names = "run",
    .least = 1,
    .most = 1,
    .run = resume_run,
    .summary = "go on with a run that was interrupted; ends with the same bits as an unbroken one",
    .example = "weft resume 3",
};
