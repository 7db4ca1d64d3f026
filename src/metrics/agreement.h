/* metrics/agreement.h - do groups of vectors (the gradients of tasks) point the same way? Layer 2. */
#ifndef WF_METRICS_AGREEMENT_H
#define WF_METRICS_AGREEMENT_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct wf_agreement {
    double cosine;    /* between the means of two groups; NaN where one of them is zero */
    double low, high; /* 95 % bootstrap over the members of both groups, moved onto the measured value: resampled means
                         are noisier, so their cosines lie nearer to 0 */
    double p;         /* two-sided, of a cosine of 0: share of resamples as far from their mean as the measured one is
                         from 0, itself counted */
} wf_agreement;

/* x: the groups' members one after the other, rows[g] of them, [sum of rows, width]; out [groups, groups], symmetric.
 */
wf_status wfi_mean_agreement(const float *x, const size_t *rows, size_t groups, size_t width, int resamples,
                             uint64_t seed, wf_agreement *out, wf_err *err);

/* A vector of n as one of `width` whose inner products are the same up to about 1/sqrt(width) (count sketch, Charikar
 * et al. 2002); exact where n <= width. y is added to. */
void wfi_sketch_add(const float *x, int64_t n, float *y, size_t width);
#endif
