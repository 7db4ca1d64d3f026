/* report/scores.h - recorded scores as people read them, and the paired difference of two methods over seeds. Layer 11.
 */
#ifndef WF_REPORT_SCORES_H
#define WF_REPORT_SCORES_H
#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>

const char *wfi_report_text(const json_t *j, const char *key); /* "" when absent */
double wfi_report_number(const json_t *j, const char *key);    /* NaN when absent */
/* Names of the metrics that `scores` has, the ones people look at first in front; at most `most`; returns how many. */
size_t wfi_report_metrics(const json_t *scores, size_t most, const char **out);
double wfi_report_scale(const char *metric); /* 100 for shares, shown in points; 1 for errors and correlations */
bool wfi_report_lower_is_better(const char *metric);
void wfi_report_score(char out[24], const char *metric,
                      double value);              /* "87.3", "0.123", "–" when it is not a number */
const char *wfi_report_p(char out[16], double p); /* a chance: "0.012", "< 0.001", "–"; returns out */

typedef struct wf_paired {
    size_t n;
    double mean, low, high;
} wf_paired; /* low, high: NaN below two pairs */
/* Mean of differences d[n] with the 95 % interval of Student's t. */
wf_paired wfi_report_paired(const double *d, size_t n);
#endif
