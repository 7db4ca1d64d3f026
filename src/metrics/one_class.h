/* metrics/one_class.h - does a model give (nearly) every row the same answer? Then its scores say how common that
 * answer is, and nothing about the model. Layer 2. */
#ifndef WF_METRICS_ONE_CLASS_H
#define WF_METRICS_ONE_CLASS_H
#include "metrics/metrics.h"

typedef struct wf_one_class {
    int32_t said;     /* the class; multi-label: -1, one set of labels */
    int64_t rows;     /* all */
    int64_t others;   /* that were given another answer */
    int64_t elsewise; /* whose true class is another */
    bool commonest;   /* no true class has more rows */
} wf_one_class;

/* True for classes of which one is given to all rows but at most one in a hundred, and ten times rarer than the truth
 * would have it; for multi-label when every row gets the same labels. Never when all rows are alike in truth, and never
 * for numbers. */
bool wfi_one_class(const wf_predictions *p, wf_one_class *out);
#endif
