/* lab/eval_record.h - what weft eval found on a model's own rows, kept as a run for the card and the report. Layer 10.
 */
#ifndef WF_LAB_EVAL_RECORD_H
#define WF_LAB_EVAL_RECORD_H
#include "lab/trained.h"

/* Keeps `result`, of the whole of one part of the task, in place of what the same model, head, part and type of the
 * base gave before; sets result["run"]. Where the lab cannot be written that is null, and a note says why. */
void wfi_eval_record(wf_lab *lab, const wf_trained *t, const char *split, json_t *result);

typedef struct wf_recorded_eval {
    json_t *result; /* NULL: none */
    int64_t run;
    char finished[25];
} wf_recorded_eval;
/* The newest on test of just this model (its hash, as it was trained: base type, task) in `runs`; info: as
 * wfi_model_find gives it. json_decref result. */
void wfi_eval_recorded(const wf_run *runs, size_t count, const json_t *info, wf_recorded_eval *out);
#endif
