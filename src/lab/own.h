/* lab/own.h - does a fusion help? The target's own adapter is measured beside it, and the better one on dev is kept.
 * Layer 10. */
#ifndef WF_LAB_OWN_H
#define WF_LAB_OWN_H
#include "lab/job.h"

typedef struct wf_own { /* the target's own adapter */
    char name[65];
    bool reused; /* it was in the lab before */
} wf_own;

/* Before a fusion is trained by `job` with the settings `spec`: finds the best adapter on dev that was trained for the
 * same task on as many rows, or trains one as the first fused adapter was trained, and stores it. A resumed run finds
 * what it had chosen. checkpoint: of that training. */
wf_status wfi_own_ready(const wf_job *job, const json_t *spec, const char *checkpoint, wf_own *out, wf_err *err);
/* After it: compares both on the same dev rows. When the own adapter is as good or better, *t becomes it, under the
 * job's name, and *result its lineage. Either way *result gains "benefit". */
wf_status wfi_own_judge(const wf_job *job, const wf_own *own, wf_trained *t, json_t **result, wf_err *err);
#endif
