/* lab/probe_rows.h - some training rows of any task as texts with a class, for what asks "which class?" of every kind:
 * regression by the quarter its target lies in; multiple choice as (text, choice) pairs that are right or wrong;
 * multi-label by the set of labels (the commonest ones, and the rest). Layer 10. */
#ifndef WF_LAB_PROBE_ROWS_H
#define WF_LAB_PROBE_ROWS_H
#include "data/task.h"

typedef struct wf_probe_rows {
    wf_rows rows;    /* labels are the classes; strings still belong to the task */
    wf_task as;      /* what they are encoded as: kind, classes; borrows nothing */
    int32_t *label;  /* [rows.count] the same labels */
    int32_t classes; /* >= 1 */
} wf_probe_rows;

/* At most `most` training rows, a stratified sample by the seed. WF_E_DATA: they are all of one class. */
wf_status wfi_probe_rows(const wf_task *task, size_t most, uint64_t seed, wf_probe_rows *out, wf_err *err);
void wfi_probe_rows_clear(wf_probe_rows *p);
#endif
