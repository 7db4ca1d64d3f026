/* cli/plan_step.h - one step of a plan in a process of its own. Layer 13. Private to weft plan. */
#ifndef WF_CLI_PLAN_STEP_H
#define WF_CLI_PLAN_STEP_H
#include "cli/plan.h"

typedef struct cli_step_end {
    int code;       /* exit code; 128 + the signal that ended it */
    json_t *result; /* what it printed, when that is one JSON document; decref */
} cli_step_end;

/* Runs this program with the words in `folder` on the lab (an absolute path), with --json; its standard error is ours,
 * its standard output the file `out`, which is empty. Signals that would end us are handed on, and it is waited for;
 * when we are killed it is told to stop. */
wf_status cli_step_run(const cli_args *a, const char *lab, const char *folder, const json_t *words, int out,
                       cli_step_end *end, wf_err *err);
json_t *cli_step_result(int out); /* what it printed (decref); NULL: not one whole JSON document */
bool cli_step_stopped(void);      /* somebody asked to stop */
#endif
