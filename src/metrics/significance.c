/* metrics/significance.c - Fisher's exact test and Holm's correction. See significance.h. */
#include "metrics/significance.h"
#include "base/alloc.h"
#include "base/error.h"
#include <math.h>
#include <stdlib.h>

static double log_choose(int64_t n, int64_t k) {
    return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
}

/* Chance of `hit` hits in a slice of n rows, when `hits` of all N rows are hits. */
static double chance(int64_t hit, int64_t n, int64_t hits, int64_t N) {
    return exp(log_choose(hits, hit) + log_choose(N - hits, n - hit) - log_choose(N, n));
}

double wfi_fisher_greater(int64_t hit, int64_t miss, int64_t rest_hit, int64_t rest_miss) {
    const int64_t n = hit + miss, hits = hit + rest_hit, N = n + rest_hit + rest_miss;
    double sum = 0;
    for (int64_t k = hit; k <= n && k <= hits; k++) sum += chance(k, n, hits, N);
    return fmin(sum, 1);
}

double wfi_fisher_two_sided(int64_t hit, int64_t miss, int64_t rest_hit, int64_t rest_miss) {
    const int64_t n = hit + miss, hits = hit + rest_hit, N = n + rest_hit + rest_miss;
    const double seen = chance(hit, n, hits, N) * (1 + 1e-7); /* equally unlikely tables count, whatever the rounding */
    double sum = 0;
    for (int64_t k = n + hits > N ? n + hits - N : 0; k <= n && k <= hits; k++) {
        const double c = chance(k, n, hits, N);
        if (c <= seen) sum += c;
    }
    return fmin(sum, 1);
}

typedef struct ranked {
    double p;
    size_t at;
} ranked;

static int by_p(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return x->p != y->p ? (x->p > y->p) - (x->p < y->p) : (x->at > y->at) - (x->at < y->at);
}

wf_status wfi_holm(const double *p, size_t n, double *adjusted, wf_err *err) {
    ranked *order = wfi_alloc(n, sizeof *order);
    size_t m = 0;
    double least = 0; /* adjusted values never fall from one rank to the next */
    if (!order) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (!isnan(p[i])) order[m++] = (ranked){p[i], i};
    qsort(order, m, sizeof *order, by_p);
    for (size_t i = 0; i < n; i++) adjusted[i] = p[i];
    for (size_t k = 0; k < m; k++) {
        least = fmax(least, fmin(1, (double)(m - k) * order[k].p));
        adjusted[order[k].at] = least;
    }
    wfi_free(order);
    return WF_OK;
}
