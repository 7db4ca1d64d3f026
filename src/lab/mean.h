/* lab/mean.h - one adapter out of several. Layer 10. */
#ifndef WF_LAB_MEAN_H
#define WF_LAB_MEAN_H
#include "adapters/adapter.h"

/* Every value the weighted mean of theirs, weights scaled to sum to 1, as the Python library's average_adapter (method
 * "linear", normalised). They must be of one configuration. */
wf_status wfi_adapters_mean(wf_adapter *const *from, const double *weights, size_t count, const char *name,
                            wf_adapter **out, wf_err *err);
#endif
