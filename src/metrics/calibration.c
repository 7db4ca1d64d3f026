/* metrics/calibration.c - how far probabilities can be trusted: expected calibration error (15 bins of equal width over
 * the largest probability; Guo et al. 2017) and the Brier score (mean squared distance from the one-hot truth, summed
 * over classes). */
#include "metrics/metric.h"
#include <math.h>
#include <string.h>

enum { BINS = 15 };

bool wfi_metric_probabilities(const wf_predictions *p) {
    for (size_t i = 0; i < p->rows; i++) {
        const float *s = p->scores + i * (size_t)p->classes;
        double sum = 0;
        for (int32_t c = 0; c < p->classes; c++) {
            if (s[c] == -INFINITY) continue; /* behind the last choice */
            if (s[c] < 0.0f) return false;
            sum += (double)s[c];
        }
        if (fabs(sum - 1.0) > 1e-3) return false;
    }
    return true;
}

static double ece(const wf_sample *s) {
    double count[BINS] = {0}, sure[BINS] = {0}, right[BINS] = {0}, sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        const size_t r = s->rows[i];
        const double p = (double)s->p->scores[r * (size_t)s->p->classes + (size_t)s->predicted[r]];
        int bin = (int)ceil(p * BINS) - 1; /* bins (lower, upper] */
        bin = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
        count[bin]++;
        sure[bin] += p;
        right[bin] += s->predicted[r] == s->p->label[r];
    }
    for (int b = 0; b < BINS; b++) sum += fabs(right[b] - sure[b]);
    return sum / (double)s->count;
}

static double brier(const wf_sample *s) {
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        const float *p = s->p->scores + s->rows[i] * (size_t)s->p->classes;
        for (int32_t c = 0; c < s->p->classes; c++) {
            if (p[c] == -INFINITY) continue;
            const double d = (double)p[c] - (c == s->p->label[s->rows[i]]);
            sum += d * d;
        }
    }
    return sum / (double)s->count;
}

const wf_metric wfi_metric_ece = {
    .name = "ece", .kind = WF_SCORE_CLASSES, .fits = wfi_metric_probabilities, .compute = ece};
const wf_metric wfi_metric_brier = {
    .name = "brier", .kind = WF_SCORE_CLASSES, .fits = wfi_metric_probabilities, .compute = brier};
