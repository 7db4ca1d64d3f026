/* metrics/metrics.c - the table of metrics and the bootstrap. One metric is one file with one descriptor. See
 * metrics.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "metrics/metric.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WF_METRIC(name) extern const wf_metric name;
#include "metrics/list.inc"
#undef WF_METRIC
static const wf_metric *const metrics[] = {
#define WF_METRIC(name) &name,
#include "metrics/list.inc"
#undef WF_METRIC
};
enum { METRICS = sizeof metrics / sizeof *metrics };

bool wfi_metric_known(const char *name) {
    for (size_t i = 0; i < METRICS; i++)
        if (strcmp(metrics[i]->name, name) == 0) return true;
    return false;
}

const wf_metric_value *wfi_scores_find(const wf_scores *s, const char *name) {
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->metric[i].name, name) == 0) return &s->metric[i];
    return NULL;
}

const wf_metric *wfi_metric_find(const char *name, wf_score_kind kind) {
    for (size_t i = 0; i < METRICS; i++)
        if (metrics[i]->kind == kind && strcmp(metrics[i]->name, name) == 0) return metrics[i];
    return NULL;
}

wf_status wfi_metric_check(const wf_predictions *p, wf_err *err) {
    if (p->rows == 0) return wfi_fail(err, WF_E_DATA, "there are no predictions to score");
    if (!p->scores || (p->kind != WF_SCORE_NUMBERS && p->classes < 1))
        return wfi_fail(err, WF_E_ARG, "predictions without scores or classes");
    if (p->kind == WF_SCORE_CLASSES && !p->label)
        return wfi_fail(err, WF_E_ARG, "class predictions without true labels");
    if (p->kind == WF_SCORE_NUMBERS && !p->target) return wfi_fail(err, WF_E_ARG, "numbers without true values");
    if (p->kind == WF_SCORE_MULTILABEL && !p->labels)
        return wfi_fail(err, WF_E_ARG, "multi-label predictions without true labels");
    for (size_t i = 0; p->kind == WF_SCORE_CLASSES && i < p->rows; i++)
        if (p->label[i] < 0 || p->label[i] >= p->classes)
            return wfi_fail(err, WF_E_DATA, "row %zu has no true label among the %d classes", i + 1, p->classes);
    const size_t width = p->kind == WF_SCORE_NUMBERS ? 1 : (size_t)p->classes;
    for (size_t i = 0; i < p->rows * width; i++)
        if (isnan(p->scores[i]))
            return wfi_fail(err, WF_E_NONFINITE, "the score of row %zu is not a number", i / width + 1);
    return WF_OK;
}

void wfi_metric_argmax(const wf_predictions *p, int32_t *out) {
    for (size_t i = 0; i < p->rows; i++) {
        const float *s = p->scores + i * (size_t)p->classes;
        int32_t best = 0;
        for (int32_t c = 1; c < p->classes; c++)
            if (s[c] > s[best]) best = c;
        out[i] = best;
    }
}

static int compare_double(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Percentile as numpy's default (linear between order statistics). */
static double percentile(const double *sorted, size_t n, double q) {
    const double at = q * (double)(n - 1);
    const size_t low = (size_t)at;
    return low + 1 < n ? sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]) : sorted[n - 1];
}

void wfi_metric_interval(double *values, size_t n, double *low, double *high) {
    qsort(values, n, sizeof *values, compare_double);
    *low = percentile(values, n, 0.025);
    *high = percentile(values, n, 0.975);
}

static void interval(wf_metric_value *m, double *values, int resamples) {
    size_t n = 0;
    for (int i = 0; i < resamples; i++) /* a resample of one class, say, has no correlation */
        if (!isnan(values[i])) values[n++] = values[i];
    m->low = m->high = m->value;
    if (n == 0) return;
    wfi_metric_interval(values, n, &m->low, &m->high);
}

typedef struct work {
    int32_t *predicted;
    size_t *rows;
    double *space, *values; /* values [metrics][resamples] */
} work;

static void work_free(work *w) {
    wfi_free(w->predicted);
    wfi_free(w->rows);
    wfi_free(w->space);
    wfi_free(w->values);
}

size_t wfi_metric_space(const wf_predictions *p) {
    const size_t classes = p->kind == WF_SCORE_NUMBERS ? 1 : (size_t)p->classes;
    return 6 * p->rows + classes * 4 + 64;
}

wf_status wfi_metrics_compute(const wf_predictions *p, int resamples, uint64_t seed, wf_scores *out, wf_err *err) {
    WF_TRY(wfi_metric_check(p, err));
    if (resamples < 0 || resamples > 1000000)
        return wfi_fail(err, WF_E_ARG, "%d resamples are not possible", resamples);
    work w = {.predicted = wfi_alloc(p->rows, sizeof(int32_t)),
              .rows = wfi_alloc(p->rows, sizeof(size_t)),
              .space = wfi_alloc(wfi_metric_space(p), sizeof(double)),
              .values = wfi_alloc((size_t)resamples * METRICS + 1, sizeof(double))};
    if (!w.predicted || !w.rows || !w.space || !w.values) {
        work_free(&w);
        return wfi_fail(err, WF_E_NOMEM, "out of memory for the scores of %zu rows", p->rows);
    }
    if (p->kind == WF_SCORE_CLASSES) wfi_metric_argmax(p, w.predicted);
    const wf_sample all = {.p = p, .predicted = w.predicted, .rows = w.rows, .count = p->rows, .space = w.space};
    for (size_t i = 0; i < p->rows; i++) w.rows[i] = i;
    *out = (wf_scores){0};
    const wf_metric *used[METRICS];
    for (size_t i = 0; i < METRICS && out->count < WF_METRIC_MAX; i++) {
        if (metrics[i]->kind != p->kind || (metrics[i]->fits && !metrics[i]->fits(p))) continue;
        wf_metric_value *m = &out->metric[out->count];
        used[out->count++] = metrics[i];
        snprintf(m->name, sizeof m->name, "%s", metrics[i]->name);
        m->value = m->low = m->high = metrics[i]->compute(&all);
    }
    const uint64_t key = wfi_random_key(seed, "bootstrap", 0, 0);
    for (int k = 0; k < resamples; k++) {
        for (size_t i = 0; i < p->rows; i++)
            w.rows[i] = wfi_random_below(key, (uint64_t)k * p->rows + i, (uint32_t)p->rows);
        for (int i = 0; i < out->count; i++)
            w.values[(size_t)i * (size_t)resamples + (size_t)k] =
                used[i]->compute(&all); /* NOLINT(clang-analyzer-core.NullDereference): set below out->count */
    }
    for (int i = 0; resamples && i < out->count; i++)
        interval(&out->metric[i], w.values + (size_t)i * (size_t)resamples, resamples);
    work_free(&w);
    return WF_OK;
}

bool wfi_metric_lower_is_better(const char *name) {
    static const char *const errors[] = {"mae", "mse", "ece", "brier"};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(errors[i], name) == 0) return true;
    return false;
}
