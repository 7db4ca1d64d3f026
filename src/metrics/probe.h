/* metrics/probe.h - what a straight line can read out of features: multinomial logistic regression, and with it labels
 * that look wrong. Layer 2. */
#ifndef WF_METRICS_PROBE_H
#define WF_METRICS_PROBE_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

/* Minimises  C * (sum over rows of -log p(label)) + 1/2 |w|^2  (the bias is free), by L-BFGS to a gradient of 1e-5 a
 * row. x [n,p], label [n] in [0, classes); w [classes, p+1], the bias last. */
wf_status wfi_probe_fit(const float *x, size_t n, size_t p, const int32_t *label, int32_t classes, double C, double *w,
                        wf_err *err);
void wfi_probe_predict(const double *w, const float *x, size_t n, size_t p, int32_t classes, float *probs);

/* Rows whose label looks wrong (confident learning, Northcutt et al. 2021): probs [n,classes] come from models that did
 * not see the row. A row is suspect when another class than its label is the most probable, and at least as probable as
 * it is on average on rows of that class. out [n]: suspects, the least probable label first; how many. */
wf_status wfi_suspects(const float *probs, const int32_t *label, size_t n, int32_t classes, size_t *out, size_t *count,
                       wf_err *err);
#endif
