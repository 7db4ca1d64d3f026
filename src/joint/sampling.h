/* joint/sampling.h - how often each task is drawn while several are trained together. Layer 4.
 * A method is a `const wf_sampling_method` in its own file, listed in sampling.inc: from what is known at the start of
 * an epoch to a weight a task. An epoch has as many batches as one pass over every task; they are dealt out by these
 * weights and stand in an order in which every task is spread evenly. Pure functions. */
#ifndef WF_JOINT_SAMPLING_H
#define WF_JOINT_SAMPLING_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WF_JOINT_TASKS = 32 }; /* trained together at most */

typedef struct wf_sampling_state {
    size_t tasks;
    const int64_t *batches; /* [tasks] of one pass */
    int64_t epoch, epochs;  /* from 0 */
    const double *gap; /* [tasks] what dev lacks to the best possible score, as a share of what it lacked when it was
                          first judged; 1 before that */
} wf_sampling_state;

typedef struct wf_sampling_method {
    const char *name;
    const char *number; /* what stands behind a ':', e.g. "T"; NULL: nothing may */
    double low, high;   /* that it must lie in */
    bool dev;           /* needs dev rows of every task */
    void (*weigh)(const wf_sampling_state *s, double number, double *weight); /* [tasks], positive */
} wf_sampling_method;

typedef struct wf_sampling { /* zeroed: proportional */
    const wf_sampling_method *method;
    double number;
} wf_sampling;

/* "proportional", "equal", "sqrt", "temperature:T", "annealed", "dynamic"; NULL: proportional. */
wf_status wfi_sampling_parse(const char *text, wf_sampling *out, wf_err *err);
/* Batches of each task in an epoch: sum of s->batches in all, dealt by weight (largest remainders, equal ones to the
 * first). Proportional: exactly s->batches. */
void wfi_sampling_counts(const wf_sampling *s, const wf_sampling_state *state, int64_t *counts);
/* The task of each batch, [sum of counts]: batch i of c of a task stands at (i + u) / c of the epoch, u drawn by key
 * and task, so that everywhere the tasks come in the proportions of the whole. */
wf_status wfi_sampling_order(const int64_t *counts, size_t tasks, uint64_t key, int32_t *order, wf_err *err);
#endif
