/* cli/plan.h - a plan: many command lines in one JSON file, and what became of each. Layer 13. Private to weft plan. */
#ifndef WF_CLI_PLAN_H
#define WF_CLI_PLAN_H
#include "cli/cli.h"

enum { PLAN_STEPS_MAX = 100000, PLAN_NAME_MAX = 64 };

typedef struct cli_plan {
    char name[PLAN_NAME_MAX + 1]; /* the file's "plan", or its name without ".json" */
    char *folder;                 /* that relative paths in it start from; ends without '/' */
    json_t *steps;                /* array of arrays of words, "for" and names filled in */
} cli_plan;

/* Reads and expands; errors name the file and the step. cli_plan_clear afterwards, also when it fails. */
wf_status cli_plan_read(const char *path, cli_plan *out, wf_err *err);
void cli_plan_clear(cli_plan *p);

/* The words as one line for people. Free. */
char *cli_plan_line(const json_t *words);

/* What became of each step, in LAB/plans/NAME.jsonl: one line an event, appended and synced; the last line of a step's
 * words counts. A line that was cut off by a crash is passed over. */
wf_status cli_plan_state_read(const char *lab, const char *name, json_t **out,
                              wf_err *err); /* {line of words: event} */
wf_status cli_plan_state_add(const char *lab, const char *name, const json_t *event, wf_err *err);

/* The file that takes what a step prints, LAB/plans/NAME.out: a step that ends when its plan is gone leaves its result
 * there. Open: empty, or (fresh false) as it was left; -1: errno. Drop: when its event is recorded. */
int cli_plan_output_open(const char *lab, const char *name, bool fresh);
void cli_plan_output_drop(const char *lab, const char *name);
#endif
