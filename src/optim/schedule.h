/* optim/schedule.h - the learning rate's factor by step, equal to transformers'
 * get_{constant,linear,cosine}_schedule_with_warmup. Layer 4. Threads: pure functions. */
#ifndef WF_OPTIM_SCHEDULE_H
#define WF_OPTIM_SCHEDULE_H
#include <stdbool.h>
#include <stdint.h>

typedef enum wf_schedule_kind { WF_SCHEDULE_CONSTANT, WF_SCHEDULE_LINEAR, WF_SCHEDULE_COSINE } wf_schedule_kind;
typedef struct wf_schedule {
    wf_schedule_kind kind;
    int64_t warmup_steps; /* the factor rises from 0 to 1 over these */
    int64_t total_steps;  /* linear and cosine reach 0 here; unused by constant */
} wf_schedule;

/* Step counts from 0: the factor for the update that follows `step` completed ones. */
double wfi_schedule_factor(const wf_schedule *s, int64_t step);
bool wfi_schedule_parse(const char *name,
                        wf_schedule_kind *out); /* false when unknown; "constant_with_warmup" is constant */
const char *wfi_schedule_name(wf_schedule_kind kind);
#endif
