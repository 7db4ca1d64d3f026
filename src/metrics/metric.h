/* metrics/metric.h - one metric: a name, the predictions it fits, and a function over a sample of rows. Private to
 * metrics/. Layer 2. */
#ifndef WF_METRICS_METRIC_H
#define WF_METRICS_METRIC_H
#include "metrics/metrics.h"

typedef struct wf_sample { /* some rows of predictions, possibly with repetition (a bootstrap resample) */
    const wf_predictions *p;
    const int32_t *predicted; /* [p->rows] class with the largest score */
    const size_t *rows;       /* [count] */
    size_t count;
    double *space; /* scratch: 6 doubles a row, 4 a class, 64 more */
} wf_sample;

typedef struct wf_metric {
    const char *name;
    wf_score_kind kind;
    bool (*fits)(const wf_predictions *p); /* NULL: always */
    double (*compute)(const wf_sample *s); /* NaN: not defined on these rows */
} wf_metric;

bool wfi_metric_probabilities(const wf_predictions *p); /* every row is a distribution over the classes */

/* metrics.c */
const wf_metric *wfi_metric_find(const char *name, wf_score_kind kind); /* NULL: none */
wf_status wfi_metric_check(const wf_predictions *p, wf_err *err);
void wfi_metric_argmax(const wf_predictions *p, int32_t *out); /* class of every row: the first of the largest scores */
size_t wfi_metric_space(const wf_predictions *p);              /* doubles that any metric needs as scratch */
void wfi_metric_interval(double *values, size_t n, double *low, double *high); /* middle 95 % of n >= 1; sorts them */
#endif
