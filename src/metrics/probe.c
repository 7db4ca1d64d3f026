/* metrics/probe.c - multinomial logistic regression by L-BFGS (Nocedal & Wright 2006, algorithm 7.4), and suspects. See
 * probe.h. */
#include "metrics/probe.h"
#include "base/alloc.h"
#include "base/error.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 10, STEPS = 500, HALVINGS = 40 };

typedef struct fit {
    const float *x;
    const int32_t *label;
    size_t n, p, size; /* size: of w */
    int32_t classes;
    double penalty; /* of |w|^2 / 2, for a mean loss a row */
    double *logits; /* [classes] */
} fit;

static void logits_of(const double *w, const float *x, size_t p, int32_t classes, double *out) {
    for (int32_t c = 0; c < classes; c++) {
        const double *row = w + (size_t)c * (p + 1);
        double sum = row[p];
        for (size_t j = 0; j < p; j++) sum += row[j] * (double)x[j];
        out[c] = sum;
    }
}

/* In place; gives the logarithm of the sum. */
static double softmax(double *z, int32_t classes) {
    double top = z[0], sum = 0;
    for (int32_t c = 1; c < classes; c++) top = fmax(top, z[c]);
    for (int32_t c = 0; c < classes; c++) sum += z[c] = exp(z[c] - top);
    for (int32_t c = 0; c < classes; c++) z[c] /= sum;
    return top + log(sum);
}

static double loss(const fit *f, const double *w, double *grad) {
    double sum = 0;
    memset(grad, 0, f->size * sizeof *grad);
    for (size_t i = 0; i < f->n; i++) {
        const float *x = f->x + i * f->p;
        logits_of(w, x, f->p, f->classes, f->logits);
        const double right = f->logits[f->label[i]];
        sum += softmax(f->logits, f->classes) - right;
        for (int32_t c = 0; c < f->classes; c++) {
            const double d = (f->logits[c] - (c == f->label[i])) / (double)f->n;
            double *row = grad + (size_t)c * (f->p + 1);
            for (size_t j = 0; j < f->p; j++) row[j] += d * (double)x[j];
            row[f->p] += d;
        }
    }
    sum /= (double)f->n;
    for (size_t k = 0; k < f->size; k++) {
        if (k % (f->p + 1) == f->p) continue; /* the bias */
        sum += f->penalty * w[k] * w[k] / 2;
        grad[k] += f->penalty * w[k];
    }
    return sum;
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* d = - H grad by the two loops over the last `have` steps s and changes y of the gradient. */
static void direction(const fit *f, const double *grad, double *const *s, double *const *y, int have, int newest,
                      double *d) {
    double alpha[MEMORY];
    for (size_t k = 0; k < f->size; k++) d[k] = -grad[k];
    for (int i = 0; i < have; i++) {
        const int at = (newest - i + MEMORY) % MEMORY;
        alpha[at] = dot(s[at], d, f->size) / dot(s[at], y[at], f->size);
        for (size_t k = 0; k < f->size; k++) d[k] -= alpha[at] * y[at][k];
    }
    const double scale = have ? dot(s[newest], y[newest], f->size) / dot(y[newest], y[newest], f->size) : 1;
    for (size_t k = 0; k < f->size; k++) d[k] *= scale;
    for (int i = have - 1; i >= 0; i--) {
        const int at = (newest - i + MEMORY) % MEMORY;
        const double beta = dot(y[at], d, f->size) / dot(s[at], y[at], f->size);
        for (size_t k = 0; k < f->size; k++) d[k] += (alpha[at] - beta) * s[at][k];
    }
}

static void descend(const fit *f, double *w, double *const *s, double *const *y, double *grad, double *next,
                    double *next_grad, double *d) {
    int have = 0, newest = -1;
    double value = loss(f, w, grad);
    for (int step = 0; step < STEPS && sqrt(dot(grad, grad, f->size)) > 1e-5; step++) {
        direction(f, grad, s, y, have, newest < 0 ? 0 : newest, d);
        const double slope = dot(grad, d, f->size);
        double length = 1, reached = INFINITY;
        int halvings = 0;
        for (; halvings < HALVINGS; halvings++, length /= 2) {
            for (size_t k = 0; k < f->size; k++) next[k] = w[k] + length * d[k];
            reached = loss(f, next, next_grad);
            if (reached <= value + 1e-4 * length * slope) break;
        }
        if (halvings == HALVINGS) return; /* as low as doubles get */
        newest = (newest + 1) % MEMORY;
        for (size_t k = 0; k < f->size; k++) {
            s[newest][k] = next[k] - w[k];
            y[newest][k] = next_grad[k] - grad[k];
        }
        if (dot(s[newest], y[newest], f->size) > 0)
            have += have < MEMORY;
        else
            have = 0; /* no curvature: forget */
        memcpy(w, next, f->size * sizeof *w);
        memcpy(grad, next_grad, f->size * sizeof *grad);
        value = reached;
    }
}

wf_status wfi_probe_fit(const float *x, size_t n, size_t p, const int32_t *label, int32_t classes, double C, double *w,
                        wf_err *err) {
    if (n == 0 || p == 0 || classes < 2 || !(C > 0))
        return wfi_fail(err, WF_E_ARG, "a probe needs rows, features and at least two classes");
    for (size_t i = 0; i < n; i++)
        if (label[i] < 0 || label[i] >= classes)
            return wfi_fail(err, WF_E_DATA, "row %zu has no label among the %d classes", i + 1, classes);
    fit f = {.x = x, .label = label, .n = n, .p = p, .size = (size_t)classes * (p + 1), .classes = classes};
    f.penalty = 1 / (C * (double)n);
    double *space = wfi_alloc((2 * MEMORY + 4) * f.size + (size_t)classes, sizeof *space), *s[MEMORY], *y[MEMORY];
    if (!space) return wfi_fail(err, WF_E_NOMEM, "out of memory for a probe of %zu weights", f.size);
    for (size_t i = 0; i < MEMORY; i++) {
        s[i] = space + 2 * i * f.size;
        y[i] = space + (2 * i + 1) * f.size;
    }
    double *rest = space + 2 * MEMORY * f.size;
    f.logits = rest + 4 * f.size;
    memset(w, 0, f.size * sizeof *w);
    descend(&f, w, s, y, rest, rest + f.size, rest + 2 * f.size, rest + 3 * f.size);
    wfi_free(space);
    return WF_OK;
}

void wfi_probe_predict(const double *w, const float *x, size_t n, size_t p, int32_t classes, float *probs) {
    for (size_t i = 0; i < n; i++) {
        float *out = probs + i * (size_t)classes;
        double top = -INFINITY, sum = 0;
        for (int32_t c = 0; c < classes; c++) {
            const double *row = w + (size_t)c * (p + 1);
            double z = row[p];
            for (size_t j = 0; j < p; j++) z += row[j] * (double)x[i * p + j];
            out[c] = (float)z;
            top = fmax(top, (double)out[c]);
        }
        for (int32_t c = 0; c < classes; c++) sum += exp((double)out[c] - top);
        for (int32_t c = 0; c < classes; c++) out[c] = (float)(exp((double)out[c] - top) / sum);
    }
}

typedef struct doubt {
    float own;
    size_t row;
} doubt;

static int by_own(const void *a, const void *b) {
    const doubt *x = a, *y = b;
    return x->own != y->own ? (x->own > y->own) - (x->own < y->own) : (x->row > y->row) - (x->row < y->row);
}

wf_status wfi_suspects(const float *probs, const int32_t *label, size_t n, int32_t classes, size_t *out, size_t *count,
                       wf_err *err) {
    double *mean = wfi_alloc((size_t)classes, sizeof *mean);
    size_t *rows = wfi_alloc((size_t)classes, sizeof *rows), found = 0;
    doubt *d = wfi_alloc(n, sizeof *d);
    wf_status st = mean && rows && d ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    for (size_t i = 0; st == WF_OK && i < n; i++) {
        mean[label[i]] += (double)probs[i * (size_t)classes + (size_t)label[i]];
        rows[label[i]]++;
    }
    for (size_t i = 0; st == WF_OK && i < n; i++) {
        const float *p = probs + i * (size_t)classes;
        int32_t best = 0;
        for (int32_t c = 1; c < classes; c++)
            if (p[c] > p[best]) best = c;
        if (best != label[i] && rows[best] && (double)p[best] >= mean[best] / (double)rows[best])
            d[found++] = (doubt){p[label[i]], i};
    }
    if (st == WF_OK) qsort(d, found, sizeof *d, by_own);
    for (size_t k = 0; st == WF_OK && k < found; k++) out[k] = d[k].row;
    if (st == WF_OK) *count = found;
    wfi_free(mean);
    wfi_free(rows);
    wfi_free(d);
    return st;
}
