/* metrics/transfer.c - see transfer.h. */
#include "metrics/transfer.h"
#include "base/alloc.h"
#include "base/error.h"
#include <math.h>
#include <string.h>

wf_status wfi_leep(const float *z, size_t n, size_t Z, const int32_t *label, int32_t classes, double *out,
                   wf_err *err) {
    double *joint = wfi_alloc((size_t)classes * Z, sizeof *joint), *all = wfi_alloc(Z, sizeof *all), sum = 0;
    if (!joint || !all || n == 0) {
        wfi_free(joint);
        wfi_free(all);
        return n ? wfi_fail(err, WF_E_NOMEM, "out of memory") : wfi_fail(err, WF_E_ARG, "LEEP needs rows");
    }
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < Z; c++) {
            joint[(size_t)label[i] * Z + c] += (double)z[i * Z + c];
            all[c] += (double)z[i * Z + c];
        }
    for (size_t i = 0; i < n; i++) {
        double p = 0;
        for (size_t c = 0; c < Z; c++)
            if (all[c] > 0) p += joint[(size_t)label[i] * Z + c] / all[c] * (double)z[i * Z + c];
        sum += log(p);
    }
    *out = sum / (double)n;
    wfi_free(joint);
    wfi_free(all);
    return WF_OK;
}

/* Rows without their mean, of length 1 (those of length 0 stay). */
static void unit_rows(const float *x, size_t n, size_t p, float *to, double *mean) {
    for (size_t k = 0; k < p; k++) mean[k] = 0;
    for (size_t i = 0; i < n * p; i++) mean[i % p] += (double)x[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double square = 0;
        for (size_t k = 0; k < p; k++) {
            const double v = (double)x[i * p + k] - mean[k];
            square += v * v;
            to[i * p + k] = (float)v;
        }
        const float scale = square > 0 ? (float)(1 / sqrt(square)) : 1.0f;
        for (size_t k = 0; k < p; k++) to[i * p + k] *= scale;
    }
}

enum { NEAR_MOST = 64 };

/* The class that most of row i's nearest name; of equally many, the one whose first is nearer. */
static int32_t vote(const float *u, size_t n, size_t p, const int32_t *label, size_t i, size_t k) {
    double near[NEAR_MOST];
    int32_t of[NEAR_MOST], best = -1;
    size_t have = 0, most = 0;
    for (size_t j = 0; j < n; j++) {
        if (j == i) continue;
        float dot = 0;
        for (size_t q = 0; q < p; q++) dot += u[i * p + q] * u[j * p + q];
        if (have == k && (double)dot <= near[k - 1]) continue;
        size_t at = have < k ? have++ : k - 1;
        for (; at > 0 && near[at - 1] < (double)dot; at--) {
            near[at] = near[at - 1];
            of[at] = of[at - 1];
        }
        near[at] = (double)dot;
        of[at] = label[j];
    }
    for (size_t a = 0; a < have; a++) {
        size_t votes = 0;
        for (size_t b = 0; b < have; b++) votes += of[b] == of[a];
        if (votes > most) {
            most = votes;
            best = of[a];
        }
    }
    return best;
}

wf_status wfi_neighbours(const float *x, size_t n, size_t p, const int32_t *label, int32_t classes, size_t k,
                         double *out, wf_err *err) {
    if (n < 2 || k < 1 || k > NEAR_MOST || p == 0)
        return wfi_fail(err, WF_E_ARG, "nearest neighbours need two rows and 1 to %d neighbours", NEAR_MOST);
    float *u = wfi_alloc(n * p, sizeof *u);
    double *mean = wfi_alloc(p, sizeof *mean);
    int32_t *said = wfi_alloc(n, sizeof *said);
    int64_t *rows = wfi_alloc((size_t)classes, sizeof *rows), *right = wfi_alloc((size_t)classes, sizeof *right);
    wf_status st = u && mean && said && rows && right
                       ? WF_OK
                       : wfi_fail(err, WF_E_NOMEM, "out of memory for the neighbours of %zu rows", n);
    if (st == WF_OK) {
        unit_rows(x, n, p, u, mean);
        for (size_t i = 0; i < n; i++) said[i] = vote(u, n, p, label, i, k);
        for (size_t i = 0; i < n; i++) {
            rows[label[i]]++;
            right[label[i]] += said[i] == label[i];
        }
        double sum = 0;
        int present = 0;
        for (int32_t c = 0; c < classes; c++) {
            if (!rows[c]) continue;
            present++;
            sum += (double)right[c] / (double)rows[c];
        }
        *out = sum / present;
    }
    wfi_free(u);
    wfi_free(mean);
    wfi_free(said);
    wfi_free(rows);
    wfi_free(right);
    return st;
}

double wfi_fisher_likeness(const float *a, const float *b, size_t n) {
    double mean_a = 0, mean_b = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        mean_a += (double)a[i] / (double)n;
        mean_b += (double)b[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        const double u = (double)a[i] / mean_a, v = (double)b[i] / mean_b, sum = u + v;
        if (!(sum > 0)) continue; /* neither task moves this part */
        xx += u / sum * (u / sum);
        yy += v / sum * (v / sum);
        xy += u / sum * (v / sum);
    }
    return mean_a > 0 && mean_b > 0 ? xy / sqrt(xx * yy) : NAN;
}
