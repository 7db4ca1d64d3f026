/* metrics/significance.h - may a difference be claimed? Paired bootstrap between two models on the same rows, Fisher's
 * exact test of two shares, Holm's correction for many questions. Layer 2. */
#ifndef WF_METRICS_SIGNIFICANCE_H
#define WF_METRICS_SIGNIFICANCE_H
#include "metrics/metrics.h"

/* What two models said, on one or several sets of the same n rows in the same order (as they stand, disturbed, ...),
 * perhaps trained with several seeds. What is compared is  sum_j weight[j] * metric(set j), averaged over the seeds. */
typedef struct wf_paired_sets {
    const wf_predictions *a, *b; /* [seeds][count] */
    const double *weight;        /* [count] */
    size_t count, seeds;
} wf_paired_sets;

typedef struct wf_paired_test {
    double a, b, difference; /* difference = a - b */
    double low, high;        /* 95 % percentile bootstrap of the difference */
    double p;                /* two-sided, of no difference: share of resamples whose difference is as far from the
                                measured one as that is from 0 (Efron & Tibshirani 1993, 16.4), itself counted */
} wf_paired_test;

/* Rows are drawn with replacement, the same ones for every set and both models, so what makes a row hard cancels; with
 * several seeds these are drawn too (few seeds: the interval is somewhat too narrow). NaN where the metric is not
 * defined. */
wf_status wfi_paired_bootstrap(const wf_paired_sets *s, const char *metric, int resamples, uint64_t seed,
                               wf_paired_test *out, wf_err *err);

/* Shares of rows that belong together: unit i (a case with its variants, or a row alone) brings hit[i] of of[i] > 0.
 * Units are drawn with replacement. Where no unit has a hit, or every row is one, resampling cannot tell how far off
 * that may be: the far end is then the exact one of so many units (Clopper & Pearson 1934). */
typedef struct wf_share {
    double value, low, high; /* NaN without units */
} wf_share;
wf_status wfi_share(const double *hit, const double *of, size_t n, int resamples, uint64_t seed, wf_share *out,
                    wf_err *err);
/* Two models on the same units; one may have of[i] = 0. */
typedef struct wf_shares {
    const double *hit, *of;
} wf_shares;
wf_status wfi_share_paired(wf_shares a, wf_shares b, size_t n, int resamples, uint64_t seed, wf_paired_test *out,
                           wf_err *err);

/* p of a table of counts [hit, miss] in a slice and in the rest, given its margins (Fisher 1935): of a share in the
 * slice as large or larger, and of a table as unlikely or more so. 1 when a margin is 0. */
double wfi_fisher_greater(int64_t hit, int64_t miss, int64_t rest_hit, int64_t rest_miss);
double wfi_fisher_two_sided(int64_t hit, int64_t miss, int64_t rest_hit, int64_t rest_miss);

/* Spearman's correlation of x and y [n], and its two-sided p of none: the share of orders of y with one as far from 0,
 * of all orders up to 8 values, of 20,000 drawn ones beyond. NaN where one side is constant. */
wf_status wfi_spearman_test(const double *x, const double *y, size_t n, uint64_t seed, double *rho, double *p,
                            wf_err *err);

/* Holm 1979: adjusted[i] <= alpha for every i that may be claimed with the chance of any false claim below alpha. NaN
 * stays NaN and does not count. May be in place. */
wf_status wfi_holm(const double *p, size_t n, double *adjusted, wf_err *err);
#endif
