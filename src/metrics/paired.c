/* metrics/paired.c - the bootstrap of a difference between two models. See significance.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "metrics/metric.h"
#include "metrics/significance.h"
#include <math.h>
#include <stdlib.h>

typedef struct work {
    const wf_paired_sets *s;
    const wf_metric *metric;
    size_t n;           /* rows */
    int32_t *predicted; /* [2][seeds][count][n] */
    size_t *rows;       /* [n] the resample */
    int *drawn;         /* [seeds] how often each seed is in it */
    double *space, *values;
} work;

static void work_clear(work *w) {
    wfi_free(w->predicted);
    wfi_free(w->rows);
    wfi_free(w->drawn);
    wfi_free(w->space);
    wfi_free(w->values);
}

/* All sets must be of the same kind and rows: the truth of row i is the same everywhere. */
static wf_status check(const wf_paired_sets *s, const wf_metric *m, wf_err *err) {
    const wf_predictions *first = &s->a[0];
    for (size_t k = 0; k < 2 * s->seeds * s->count; k++) {
        const wf_predictions *p = k < s->seeds * s->count ? &s->a[k] : &s->b[k - s->seeds * s->count];
        WF_TRY(wfi_metric_check(p, err));
        if (p->kind != first->kind || p->rows != first->rows)
            return wfi_fail(err, WF_E_ARG, "predictions that are compared must be of the same rows");
        for (size_t i = 0; p->kind == WF_SCORE_CLASSES && i < p->rows; i++)
            if (p->label[i] != first->label[i])
                return wfi_fail(err, WF_E_ARG, "row %zu has two true labels in what is compared", i + 1);
        if (m->kind != p->kind || (m->fits && !m->fits(p)))
            return wfi_fail(err, WF_E_ARG, "metric %s does not fit these predictions", m->name);
    }
    return WF_OK;
}

/* The compared quantity of one side on the rows in w->rows. */
static double side(work *w, int b) {
    const wf_paired_sets *s = w->s;
    double sum = 0;
    for (size_t seed = 0; seed < s->seeds; seed++)
        for (size_t j = 0; w->drawn[seed] && j < s->count; j++) {
            const size_t at = seed * s->count + j;
            const wf_sample sample = {.p = &(b ? s->b : s->a)[at],
                                      .predicted = w->predicted + ((size_t)b * s->seeds * s->count + at) * w->n,
                                      .rows = w->rows,
                                      .count = w->n,
                                      .space = w->space};
            sum += w->drawn[seed] * s->weight[j] * w->metric->compute(&sample);
        }
    return sum / (double)s->seeds;
}

static void resample(work *w, uint64_t key, uint64_t k) {
    const size_t seeds = w->s->seeds;
    for (size_t i = 0; i < w->n; i++) w->rows[i] = wfi_random_below(key, k * (w->n + seeds) + i, (uint32_t)w->n);
    for (size_t i = 0; i < seeds; i++) w->drawn[i] = seeds == 1;
    for (size_t i = 0; seeds > 1 && i < seeds; i++)
        w->drawn[wfi_random_below(key, k * (w->n + seeds) + w->n + i, (uint32_t)seeds)]++;
}

static void judge(work *w, int resamples, uint64_t seed, wf_paired_test *out) {
    const uint64_t key = wfi_random_key(seed, "paired bootstrap", 0, 0);
    size_t n = 0, far = 0;
    for (size_t i = 0; i < w->n; i++) w->rows[i] = i;
    for (size_t i = 0; i < w->s->seeds; i++) w->drawn[i] = 1;
    out->a = side(w, 0);
    out->b = side(w, 1);
    out->difference = out->a - out->b;
    for (int k = 0; k < resamples; k++) {
        resample(w, key, (uint64_t)k);
        const double d = side(w, 0) - side(w, 1);
        if (isnan(d)) continue; /* a resample of one class, say, has no correlation */
        w->values[n++] = d;
        far += fabs(d - out->difference) >= fabs(out->difference) - 1e-12;
    }
    out->low = out->high = out->p = NAN;
    if (n == 0 || isnan(out->difference)) return;
    wfi_metric_interval(w->values, n, &out->low, &out->high);
    out->p = (double)(far + 1) / (double)(n + 1);
}

wf_status wfi_paired_bootstrap(const wf_paired_sets *s, const char *metric, int resamples, uint64_t seed,
                               wf_paired_test *out, wf_err *err) {
    if (s->count == 0 || s->seeds == 0 || resamples < 1 || resamples > 1000000)
        return wfi_fail(err, WF_E_ARG, "a comparison needs predictions and 1 to 1,000,000 resamples");
    const wf_metric *m = wfi_metric_find(metric, s->a[0].kind);
    if (!m) return wfi_fail(err, WF_E_ARG, "there is no metric \"%.40s\" for these predictions", metric);
    WF_TRY(check(s, m, err));
    work w = {.s = s, .metric = m, .n = s->a[0].rows};
    size_t space = 0;
    for (size_t k = 0; k < s->seeds * s->count; k++) {
        const size_t x = wfi_metric_space(&s->a[k]), y = wfi_metric_space(&s->b[k]);
        space = x > space ? x : space;
        space = y > space ? y : space;
    }
    w.predicted = wfi_alloc(2 * s->seeds * s->count * w.n, sizeof *w.predicted);
    w.rows = wfi_alloc(w.n, sizeof *w.rows);
    w.drawn = wfi_alloc(s->seeds, sizeof *w.drawn);
    w.space = wfi_alloc(space, sizeof *w.space);
    w.values = wfi_alloc((size_t)resamples, sizeof *w.values);
    wf_status st = w.predicted && w.rows && w.drawn && w.space && w.values
                       ? WF_OK
                       : wfi_fail(err, WF_E_NOMEM, "out of memory for the comparison of %zu rows", w.n);
    for (size_t k = 0; st == WF_OK && m->kind == WF_SCORE_CLASSES && k < s->seeds * s->count; k++) {
        wfi_metric_argmax(&s->a[k], w.predicted + k * w.n);
        wfi_metric_argmax(&s->b[k], w.predicted + (s->seeds * s->count + k) * w.n);
    }
    if (st == WF_OK) judge(&w, resamples, seed, out);
    work_clear(&w);
    return st;
}
