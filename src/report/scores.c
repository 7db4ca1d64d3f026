/* report/scores.c - see scores.h. */
#include "report/scores.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    double scale;
    bool lower;
} METRICS[] = {{"accuracy", 100, false}, {"macro_f1", 100, false}, {"f1", 100, false},     {"micro_f1", 100, false},
               {"mcc", 1, false},        {"pearson", 1, false},    {"spearman", 1, false}, {"mae", 1, true},
               {"mse", 1, true},         {"ece", 1, true},         {"brier", 1, true}};
enum { METRIC_COUNT = sizeof METRICS / sizeof *METRICS };

const char *wfi_report_text(const json_t *j, const char *key) {
    const char *t = json_string_value(json_object_get(j, key));
    return t ? t : "";
}

double wfi_report_number(const json_t *j, const char *key) {
    const json_t *v = json_object_get(j, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

size_t wfi_report_metrics(const json_t *scores, size_t most, const char **out) {
    size_t n = 0;
    for (size_t i = 0; i < METRIC_COUNT && n < most; i++)
        if (json_object_get(scores, METRICS[i].name)) out[n++] = METRICS[i].name;
    return n;
}

static size_t metric_at(const char *metric) {
    size_t i = 0;
    while (i < METRIC_COUNT && strcmp(METRICS[i].name, metric) != 0) i++;
    return i;
}

double wfi_report_scale(const char *metric) {
    const size_t i = metric_at(metric);
    return i < METRIC_COUNT ? METRICS[i].scale : 1;
}

bool wfi_report_lower_is_better(const char *metric) {
    const size_t i = metric_at(metric);
    return i < METRIC_COUNT && METRICS[i].lower;
}

void wfi_report_score(char out[24], const char *metric, double value) {
    const double scale = wfi_report_scale(metric);
    if (!isfinite(value))
        snprintf(out, 24, "–");
    else
        snprintf(out, 24, scale > 1 ? "%.1f" : "%.3f", scale * value);
}

const char *wfi_report_p(char out[16], double p) {
    if (!isfinite(p))
        snprintf(out, 16, "–");
    else
        snprintf(out, 16, p < 0.0005 ? "< 0.001" : "%.3f", p);
    return out;
}

wf_paired wfi_report_paired(const double *d, size_t n) {
    /* 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom; more take the last, which is slightly too
     * careful. */
    static const double t[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                               2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                               2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
    wf_paired p = {.n = n, .mean = NAN, .low = NAN, .high = NAN};
    double sum = 0, squares = 0;
    if (n == 0) return p;
    for (size_t i = 0; i < n; i++) sum += d[i];
    p.mean = sum / (double)n;
    if (n < 2) return p;
    for (size_t i = 0; i < n; i++) squares += (d[i] - p.mean) * (d[i] - p.mean);
    const double half = t[n - 2 < 29 ? n - 2 : 29] * sqrt(squares / (double)(n - 1) / (double)n);
    p.low = p.mean - half;
    p.high = p.mean + half;
    return p;
}
