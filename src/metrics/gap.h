/* metrics/gap.h - is a group treated as the rest is? Ranking and calibration inside and outside of a group, the gap of
 * equalised odds, and whether a mean is 0. Layer 2. `positive` is 1 for rows of the class that is asked about, `score`
 * the probability a model gives it. */
#ifndef WF_METRICS_GAP_H
#define WF_METRICS_GAP_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

/* Chance that a positive row scores higher than a negative one, ties counting half. NaN without either kind. */
wf_status wfi_auc(const double *score, const uint8_t *positive, size_t n, double *out, wf_err *err);

typedef struct wf_gap { /* low, high: 95 % percentile bootstrap; NaN where it is not defined */
    double in, in_low, in_high, rest, difference, low, high;
} wf_gap; /* difference: in - rest */
/* The area under the ROC curve, and calibration: mean probability less the share of positive rows (above 0: too high).
 * Rows inside and outside are drawn with replacement, apart from each other. */
wf_status wfi_group_gaps(const double *score, const uint8_t *positive, const uint8_t *member, size_t n, int resamples,
                         uint64_t seed, wf_gap *auc, wf_gap *calibration, wf_err *err);

typedef struct wf_odds {
    double fnr, fpr; /* largest less smallest share of misses, and of false alarms, over the groups; NaN: below two */
    double gap, p;   /* the larger of both; share of random assignments of the groups to the rows of each class whose
                        gap is as large, the one at hand itself counted */
} wf_odds;
/* group [n] in [0, groups), or groups for rows of none. Groups with fewer than `least` rows of a class do not count
 * there. */
wf_status wfi_equalised_odds(const uint8_t *said, const uint8_t *positive, const size_t *group, size_t n, size_t groups,
                             size_t least, int shuffles, uint64_t seed, wf_odds *out, wf_err *err);

typedef struct wf_mean {
    double value, low, high; /* 95 % percentile bootstrap */
    double p;                /* two-sided, of values that are as often above 0 as below: share of random signs whose
                                mean is as far from 0, the one at hand itself counted */
} wf_mean;
wf_status wfi_mean_test(const double *x, size_t n, int resamples, uint64_t seed, wf_mean *out, wf_err *err);
#endif
