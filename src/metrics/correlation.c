/* metrics/correlation.c - Pearson's correlation of numbers, and Spearman's: that of their ranks, equal values sharing
 * the mean rank. */
#include "metrics/metric.h"
#include <math.h>
#include <stdlib.h>

static double pearson_of(const double *x, const double *y, size_t n) {
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        mx += x[i];
        my += y[i];
    }
    mx /= (double)n;
    my /= (double)n;
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / (sqrt(xx) * sqrt(yy)) : NAN;
}

static void gather(const wf_sample *s, double *x, double *y) {
    for (size_t i = 0; i < s->count; i++) {
        x[i] = (double)s->p->scores[s->rows[i]];
        y[i] = s->p->target[s->rows[i]];
    }
}

static double pearson(const wf_sample *s) {
    double *x = s->space, *y = s->space + s->count;
    gather(s, x, y);
    return pearson_of(x, y, s->count);
}

typedef struct ranked {
    double value;
    size_t index;
} ranked; /* fits the space of two doubles */

static int compare(const void *a, const void *b) {
    const double x = ((const ranked *)a)->value, y = ((const ranked *)b)->value;
    return (x > y) - (x < y);
}

static void ranks(double *x, size_t n, ranked *r) {
    for (size_t i = 0; i < n; i++) r[i] = (ranked){x[i], i};
    qsort(r, n, sizeof *r, compare);
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i; k < n && r[k].value == r[i].value; k++) {
        }
        for (size_t j = i; j < k; j++) x[r[j].index] = 0.5 * (double)(i + k - 1) + 1.0;
    }
}

static double spearman(const wf_sample *s) {
    _Static_assert(sizeof(ranked) <= 2 * sizeof(double), "ranks use the scratch space");
    double *x = s->space, *y = s->space + s->count;
    gather(s, x, y);
    ranks(x, s->count, (ranked *)(void *)(s->space + 2 * s->count));
    ranks(y, s->count, (ranked *)(void *)(s->space + 2 * s->count));
    return pearson_of(x, y, s->count);
}

const wf_metric wfi_metric_pearson = {.name = "pearson", .kind = WF_SCORE_NUMBERS, .compute = pearson};
const wf_metric wfi_metric_spearman = {.name = "spearman", .kind = WF_SCORE_NUMBERS, .compute = spearman};
