/* metrics/cluster.c - k means. See cluster.h. */
#include "metrics/cluster.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include <math.h>
#include <string.h>

enum { ROUNDS = 300 };

static double distance(const float *x, const double *c, size_t p) {
    double sum = 0;
    for (size_t j = 0; j < p; j++) sum += ((double)x[j] - c[j]) * ((double)x[j] - c[j]);
    return sum;
}

static void centre_set(double *c, const float *x, size_t p) {
    for (size_t j = 0; j < p; j++) c[j] = (double)x[j];
}

/* Each further centre is a row drawn with a chance that grows with its squared distance to the nearest one so far. */
static void start(const float *x, size_t n, size_t p, size_t k, uint64_t seed, double *centres, double *nearest) {
    const uint64_t key = wfi_random_key(seed, "k-means", n, k);
    centre_set(centres, x + wfi_random_below(key, 0, (uint32_t)n) * p, p);
    for (size_t i = 0; i < n; i++) nearest[i] = INFINITY;
    for (size_t c = 1; c < k; c++) {
        double total = 0, at = 0;
        for (size_t i = 0; i < n; i++) {
            nearest[i] = fmin(nearest[i], distance(x + i * p, centres + (c - 1) * p, p));
            total += nearest[i];
        }
        const double drawn = (double)wfi_random_uniform(key, c) * total;
        size_t row = 0;
        for (size_t i = 0; i < n && at <= drawn; i++)
            if (nearest[i] > 0) at += nearest[row = i];
        centre_set(centres + c * p, x + row * p, p);
    }
}

static bool assign(const float *x, size_t n, size_t p, size_t k, const double *centres, int32_t *member,
                   double *spread) {
    bool moved = false;
    *spread = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t best = 0;
        double least = INFINITY;
        for (size_t c = 0; c < k; c++) {
            const double d = distance(x + i * p, centres + c * p, p);
            if (d < least) least = d, best = (int32_t)c;
        }
        moved = moved || member[i] != best;
        member[i] = best;
        *spread += least;
    }
    return moved;
}

/* The mean of every group; a group without rows keeps its centre. */
static void average(const float *x, size_t n, size_t p, size_t k, double *centres, const int32_t *member,
                    size_t *count) {
    memset(count, 0, k * sizeof *count);
    for (size_t i = 0; i < n; i++) count[member[i]]++;
    for (size_t c = 0; c < k; c++)
        if (count[c]) memset(centres + c * p, 0, p * sizeof *centres);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < p; j++)
            centres[(size_t)member[i] * p + j] += (double)x[i * p + j] / (double)count[member[i]];
}

wf_status wfi_kmeans(const float *x, size_t n, size_t p, size_t k, bool given, uint64_t seed, double *centres,
                     int32_t *member, double *spread, wf_err *err) {
    if (k < 1 || k > n || p < 1) return wfi_fail(err, WF_E_ARG, "%zu groups of %zu rows are not possible", k, n);
    double *nearest = wfi_alloc(n, sizeof *nearest);
    size_t *count = wfi_alloc(k, sizeof *count);
    wf_status st = nearest && count ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    if (st == WF_OK) {
        if (!given) start(x, n, p, k, seed, centres, nearest);
        for (size_t i = 0; i < n; i++) member[i] = -1;
        for (int round = 0; round < ROUNDS && assign(x, n, p, k, centres, member, spread); round++)
            average(x, n, p, k, centres, member, count);
    }
    wfi_free(nearest);
    wfi_free(count);
    return st;
}
