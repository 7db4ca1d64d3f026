/* metrics/metrics.h - scores of predictions, with bootstrap intervals. Layer 2.
 * Definitions follow scikit-learn and scipy (macro F1 over the classes that occur in truth or prediction; MCC
 * multi-class). */
#ifndef WF_METRICS_METRICS_H
#define WF_METRICS_METRICS_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum wf_score_kind { WF_SCORE_CLASSES, WF_SCORE_NUMBERS, WF_SCORE_MULTILABEL } wf_score_kind;
typedef struct wf_predictions { /* multiple choice counts as classes, ragged rows padded with -INFINITY */
    wf_score_kind kind;
    size_t rows;
    int32_t classes;
    const float *scores;   /* [rows, classes] probabilities or logits; [rows] numbers for regression */
    const int32_t *label;  /* classes: [rows] truth */
    const double *target;  /* numbers: [rows] truth */
    const uint8_t *labels; /* multi-label: [rows, classes] truth; predicted when score > 0 (logit) */
} wf_predictions;

#define WF_METRIC_MAX 16
typedef struct wf_metric_value {
    char name[24];
    double value, low, high;
} wf_metric_value; /* low, high: 95 % percentile bootstrap */
typedef struct wf_scores {
    int count;
    wf_metric_value metric[WF_METRIC_MAX];
} wf_scores;

/* classes: accuracy, macro_f1, f1 (of class 1 when binary), mcc, loss-free ece, brier (when scores are probabilities);
 * numbers: pearson, spearman, mae, mse; multi-label: micro_f1, macro_f1, accuracy (subset). resamples 0: no intervals
 * (low = high = value). One row a metric: metrics/list in metrics.c; adding one is one file. */
wf_status wfi_metrics_compute(const wf_predictions *p, int resamples, uint64_t seed, wf_scores *out, wf_err *err);
const wf_metric_value *wfi_scores_find(const wf_scores *s, const char *name); /* NULL when absent */
bool wfi_metric_known(const char *name);
bool wfi_metric_lower_is_better(const char *name); /* an error, not a score */
#endif
