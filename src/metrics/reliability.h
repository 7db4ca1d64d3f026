/* metrics/reliability.h - are probabilities to be trusted, and does it pay to leave the unsure rows to people? Layer 2.
 * Of class predictions that are probabilities; the confidence of a row is the probability of its predicted class. */
#ifndef WF_METRICS_RELIABILITY_H
#define WF_METRICS_RELIABILITY_H
#include "metrics/metrics.h"

enum { WF_RELIABILITY_MAX = 50, WF_COVERAGES = 10 };

typedef struct wf_reliability {
    int count; /* bins with rows */
    struct {
        size_t rows;
        double low, high, confidence, accuracy; /* edges; means over the rows of the bin */
    } bin[WF_RELIABILITY_MAX];
    double ece, worst; /* mean over rows, and maximum over bins, of |accuracy - confidence| */
} wf_reliability;
/* Bins (low, high] of equal width, or adaptive: with edges at the quantiles of the confidences, so of about equally
 * many rows (Nguyen & O'Connor 2015); equal confidences never part. */
wf_status wfi_reliability(const wf_predictions *p, int bins, bool adaptive, wf_reliability *out, wf_err *err);

typedef struct wf_selective {  /* answering the surest rows only (El-Yaniv & Wiener 2010, Geifman & El-Yaniv 2017) */
    double risk[WF_COVERAGES]; /* share of errors among the surest 10 %, 20 %, ..., 100 % of the rows */
    double area, best_area;    /* mean risk over all coverages; the least that this number of errors allows */
    double auroc;              /* chance that a right row is surer than a wrong one; NaN without either kind */
} wf_selective;
/* Rows of equal confidence are taken in no order: the risk inside them is the mean over their orders. */
wf_status wfi_selective(const wf_predictions *p, wf_selective *out, wf_err *err);
#endif
