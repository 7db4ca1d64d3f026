/* trainer/average.h - a running mean of the trained values, judged and kept in their stead. Layer 9. Private to the
 * trainer.
 *
 * After step t (from 1) mean += (1 - d) * (values - mean) with d = min(decay, t / (t + 9)): the first steps count at
 * once, later ones over about 1 / (1 - decay) steps. Polyak & Juditsky 1992; the warm-up is that of TensorFlow's
 * ExponentialMovingAverage. */
#ifndef WF_TRAINER_AVERAGE_H
#define WF_TRAINER_AVERAGE_H
#include "tape/param.h"
#include "weft/status.h"

typedef struct wf_average {
    wf_pset *const *sets; /* borrowed */
    size_t count;
    double decay; /* 0: off, every call does nothing */
    float **mean; /* [count][total of the set] */
} wf_average;

wf_status wfi_average_init(wf_average *a, wf_pset *const *sets, size_t count, double decay, wf_err *err);
void wfi_average_update(wf_average *a, int64_t step); /* after optimiser step `step`, from 1 */
void wfi_average_swap(wf_average *a);                 /* mean and values change places; twice: as before */
void wfi_average_clear(wf_average *a);
#endif
