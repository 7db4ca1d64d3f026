/* metrics/correlation.c - Pearson's correlation of numbers, and Spearman's: that of their ranks, equal values sharing
 * the mean rank. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "metrics/metric.h"
#include "metrics/significance.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- may a correlation be claimed? ---- */

enum { EXACT_MOST = 8, SHUFFLES = 20000 };

/* The next order of v [n] in the order of the dictionary; false behind the last. */
static bool next_order(int64_t *v, size_t n) {
    size_t i = n - 1, k = n - 1;
    while (i > 0 && v[i - 1] >= v[i]) i--;
    if (i == 0) return false;
    while (v[k] <= v[i - 1]) k--;
    const int64_t swapped = v[i - 1];
    v[i - 1] = v[k];
    v[k] = swapped;
    for (size_t a = i, b = n - 1; a < b; a++, b--) {
        const int64_t t = v[a];
        v[a] = v[b];
        v[b] = t;
    }
    return true;
}

static double of_order(const double *x, const double *y, const int64_t *order, size_t n, double *space) {
    for (size_t i = 0; i < n; i++) space[i] = y[order[i]];
    return pearson_of(x, space, n);
}

wf_status wfi_spearman_test(const double *x, const double *y, size_t n, uint64_t seed, double *rho, double *p,
                            wf_err *err) {
    *rho = *p = NAN;
    if (n < 2) return WF_OK;
    double *a = wfi_alloc(n, sizeof *a), *b = wfi_alloc(n, sizeof *b), *space = wfi_alloc(n, sizeof *space);
    ranked *r = wfi_alloc(n, sizeof *r);
    int64_t *order = wfi_alloc(n, sizeof *order);
    const bool good = a && b && space && r && order;
    if (good) {
        memcpy(a, x, n * sizeof *a);
        memcpy(b, y, n * sizeof *b);
        ranks(a, n, r);
        ranks(b, n, r);
        *rho = pearson_of(a, b, n);
        size_t all = n > EXACT_MOST, far = all; /* of drawn orders the measured one is itself counted */
        for (size_t i = 0; i < n; i++) order[i] = (int64_t)i;
        if (n <= EXACT_MOST) do {
                all++;
                far += fabs(of_order(a, b, order, n, space)) >= fabs(*rho) - 1e-12;
            } while (next_order(order, n));
        for (int k = 0; n > EXACT_MOST && k < SHUFFLES; k++) {
            wfi_random_shuffle(wfi_random_key(seed, "spearman", (uint64_t)k, 0), order, n);
            all++;
            far += fabs(of_order(a, b, order, n, space)) >= fabs(*rho) - 1e-12;
        }
        if (!isnan(*rho)) *p = (double)far / (double)all;
    }
    wfi_free(a);
    wfi_free(b);
    wfi_free(space);
    wfi_free(r);
    wfi_free(order);
    return good ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}
