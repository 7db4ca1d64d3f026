/* metrics/similarity.c - linear centred kernel alignment. See similarity.h. */
#include "metrics/similarity.h"
#include "base/alloc.h"
#include "base/error.h"
#include <math.h>

/* Columns of x, each around its mean: [width][n]. */
static double *columns(const float *x, size_t width, size_t n) {
    double *c = wfi_alloc(width, n * sizeof *c);
    for (size_t k = 0; c && k < width; k++) {
        double mean = 0;
        for (size_t i = 0; i < n; i++) mean += (double)x[i * width + k] / (double)n;
        for (size_t i = 0; i < n; i++) c[k * n + i] = (double)x[i * width + k] - mean;
    }
    return c;
}

/* Squared Frobenius norm of x^T y. */
static double cross(const double *x, size_t p, const double *y, size_t q, size_t n) {
    double sum = 0;
    for (size_t a = 0; a < p; a++)
        for (size_t b = 0; b < q; b++) {
            double dot = 0;
            for (size_t i = 0; i < n; i++) dot += x[a * n + i] * y[b * n + i];
            sum += dot * dot;
        }
    return sum;
}

wf_status wfi_cka(const float *x, size_t p, const float *y, size_t q, size_t n, double *out, wf_err *err) {
    if (n == 0 || p == 0 || q == 0) return wfi_fail(err, WF_E_ARG, "alignment needs rows and columns");
    double *a = columns(x, p, n), *b = columns(y, q, n);
    wf_status st = a && b ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    if (st == WF_OK) {
        const double xx = cross(a, p, a, p, n), yy = cross(b, q, b, q, n);
        *out = xx > 0 && yy > 0 ? cross(a, p, b, q, n) / (sqrt(xx) * sqrt(yy)) : NAN;
    }
    wfi_free(a);
    wfi_free(b);
    return st;
}
