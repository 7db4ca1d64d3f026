/* metrics/similarity.h - how alike two descriptions of the same rows are. Layer 2. */
#ifndef WF_METRICS_SIMILARITY_H
#define WF_METRICS_SIMILARITY_H
#include "weft/status.h"
#include <stddef.h>

/* Linear centred kernel alignment of x [n,p] and y [n,q], in [0, 1] (Kornblith et al. 2019): 1 for rotated, scaled or
 * shifted copies. NaN when one of them is constant. */
wf_status wfi_cka(const float *x, size_t p, const float *y, size_t q, size_t n, double *out, wf_err *err);
#endif
