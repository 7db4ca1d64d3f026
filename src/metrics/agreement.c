/* metrics/agreement.c - cosines between means, with what their members allow to be said. See agreement.h. */
#include "metrics/agreement.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "metrics/metric.h"
#include <math.h>

void wfi_sketch_add(const float *x, int64_t n, float *y, size_t width) {
    if ((size_t)n <= width) {
        for (int64_t i = 0; i < n; i++) y[i] += x[i];
        return;
    }
    for (int64_t i = 0; i < n; i++) { /* splitmix64 of the place: its bucket and sign */
        uint64_t h = ((uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
        h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
        h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
        h ^= h >> 31;
        y[(h >> 1) % width] += h & 1 ? x[i] : -x[i];
    }
}

typedef struct work {
    const size_t *rows;
    size_t groups, members;
    size_t *first;  /* [groups] */
    double *gram;   /* [members, members] */
    double *weight; /* [members] how often each is in the resample */
    double *inner;  /* [groups, groups] between the weighted sums */
    double *values; /* [pairs, resamples] */
} work;

static void gram_make(work *w, const float *x, size_t width) {
#pragma omp parallel for schedule(dynamic)
    for (size_t a = 0; a < w->members; a++)
        for (size_t b = 0; b <= a; b++) {
            double sum = 0;
            for (size_t k = 0; k < width; k++) sum += (double)x[a * width + k] * (double)x[b * width + k];
            w->gram[a * w->members + b] = w->gram[b * w->members + a] = sum;
        }
}

static void inner_make(work *w) {
    for (size_t g = 0; g < w->groups; g++)
        for (size_t h = 0; h <= g; h++) {
            double sum = 0;
            for (size_t a = w->first[g]; a < w->first[g] + w->rows[g]; a++)
                for (size_t b = w->first[h]; w->weight[a] != 0 && b < w->first[h] + w->rows[h]; b++)
                    sum += w->weight[a] * w->weight[b] * w->gram[a * w->members + b];
            w->inner[g * w->groups + h] = w->inner[h * w->groups + g] = sum;
        }
}

static double cosine(const work *w, size_t g, size_t h) {
    const double gg = w->inner[g * w->groups + g], hh = w->inner[h * w->groups + h];
    if (!(gg > 0) || !(hh > 0)) return NAN;
    return g == h ? 1 : fmax(-1, fmin(1, w->inner[g * w->groups + h] / sqrt(gg * hh)));
}

static void resample(work *w, uint64_t key, uint64_t k) {
    for (size_t a = 0; a < w->members; a++) w->weight[a] = 0;
    for (size_t g = 0, at = 0; g < w->groups; g++)
        for (size_t i = 0; i < w->rows[g]; i++, at++)
            w->weight[w->first[g] + wfi_random_below(key, k * w->members + at, (uint32_t)w->rows[g])]++;
}

/* From the resamples of one pair. */
static void judge(wf_agreement *a, double *values, size_t n) {
    double mean = 0;
    size_t far = 0, used = 0;
    for (size_t k = 0; k < n; k++)
        if (isfinite(values[k])) values[used++] = values[k];
    for (size_t k = 0; k < used; k++) mean += values[k] / (double)used;
    for (size_t k = 0; k < used; k++) far += fabs(values[k] - mean) >= fabs(a->cosine);
    a->p = (1 + (double)far) / (1 + (double)used);
    if (used == 0 || isnan(a->cosine)) {
        a->p = a->low = a->high = NAN;
        return;
    }
    wfi_metric_interval(values, used, &a->low, &a->high);
    a->low = fmax(-1, a->cosine + a->low - mean);
    a->high = fmin(1, a->cosine + a->high - mean);
}

static void all_judge(work *w, int resamples, uint64_t seed, wf_agreement *out) {
    const uint64_t key = wfi_random_key(seed, "agreement", w->members, w->groups);
    const size_t R = (size_t)resamples;
    for (size_t a = 0; a < w->members; a++) w->weight[a] = 1;
    inner_make(w);
    for (size_t g = 0; g < w->groups; g++)
        for (size_t h = 0; h < w->groups; h++) {
            const double c = cosine(w, g, h);
            out[g * w->groups + h] = (wf_agreement){.cosine = c, .low = c, .high = c, .p = NAN};
        }
    for (size_t k = 0; k < R; k++) {
        resample(w, key, k);
        inner_make(w);
        for (size_t g = 0, pair = 0; g < w->groups; g++)
            for (size_t h = 0; h < g; h++) w->values[pair++ * R + k] = cosine(w, g, h);
    }
    for (size_t g = 0, pair = 0; g < w->groups; g++)
        for (size_t h = 0; h < g; h++) {
            judge(&out[g * w->groups + h], w->values + pair++ * R, R);
            out[h * w->groups + g] = out[g * w->groups + h];
        }
}

wf_status wfi_mean_agreement(const float *x, const size_t *rows, size_t groups, size_t width, int resamples,
                             uint64_t seed, wf_agreement *out, wf_err *err) {
    work w = {.rows = rows, .groups = groups};
    if (groups == 0 || width == 0 || resamples < 1) return wfi_fail(err, WF_E_ARG, "nothing to hold against another");
    w.first = wfi_alloc(groups, sizeof *w.first);
    for (size_t g = 0; w.first && g < groups; g++) {
        w.first[g] = w.members;
        w.members += rows[g];
    }
    w.gram = wfi_alloc(w.members * w.members, sizeof *w.gram);
    w.weight = wfi_alloc(w.members, sizeof *w.weight);
    w.inner = wfi_alloc(groups * groups, sizeof *w.inner);
    w.values = wfi_alloc(groups * (groups - 1) / 2 * (size_t)resamples, sizeof *w.values);
    wf_status st = WF_OK;
    if (!w.first || !w.gram || !w.weight || !w.inner || !w.values)
        st = wfi_fail(err, WF_E_NOMEM, "out of memory for %zu vectors", w.members);
    for (size_t g = 0; st == WF_OK && g < groups; g++)
        if (rows[g] == 0) st = wfi_fail(err, WF_E_ARG, "group %zu has no vectors", g + 1);
    if (st == WF_OK) {
        gram_make(&w, x, width);
        all_judge(&w, resamples, seed, out);
    }
    wfi_free(w.first);
    wfi_free(w.gram);
    wfi_free(w.weight);
    wfi_free(w.inner);
    wfi_free(w.values);
    return st;
}
