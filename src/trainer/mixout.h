/* trainer/mixout.h - trained values that are now and then those of the start (Mixout, Lee et al. 2020). Layer 9.
 * Private to the trainer.
 *
 * For one step each value w of the parts that are pulled becomes, with probability p, its start s, and all are scaled
 * so that the mean stays: w' = (m s + (1 - m) w - p s) / (1 - p), m in {0, 1}. The gradient by w is (1 - m) / (1 - p)
 * that by w'. In the mean this pulls towards the start, as a decay of w - s would, the more the steeper the loss is. */
#ifndef WF_TRAINER_MIXOUT_H
#define WF_TRAINER_MIXOUT_H
#include "tape/param.h"

typedef struct wf_mixout {
    wf_pset *const *sets; /* borrowed */
    size_t count;
    double p;             /* 0: off, every call does nothing */
    float **start, **own; /* [count][total]; NULL for sets that are not pulled */
} wf_mixout;

/* pulled [count]; what the sets hold now is the start. */
wf_status wfi_mixout_init(wf_mixout *m, wf_pset *const *sets, const bool *pulled, size_t count, double p, wf_err *err);
void wfi_mixout_begin(wf_mixout *m, uint64_t key); /* the values become the mixed ones */
void wfi_mixout_end(wf_mixout *m, uint64_t key);   /* and their own again; gradients become those by them */
void wfi_mixout_clear(wf_mixout *m);
#endif
