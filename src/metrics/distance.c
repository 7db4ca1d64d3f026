/* metrics/distance.c - mean absolute and mean squared error of numbers. */
#include "metrics/metric.h"
#include <math.h>

static double mae(const wf_sample *s) {
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) sum += fabs((double)s->p->scores[s->rows[i]] - s->p->target[s->rows[i]]);
    return sum / (double)s->count;
}

static double mse(const wf_sample *s) {
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        const double d = (double)s->p->scores[s->rows[i]] - s->p->target[s->rows[i]];
        sum += d * d;
    }
    return sum / (double)s->count;
}

const wf_metric wfi_metric_mae = {.name = "mae", .kind = WF_SCORE_NUMBERS, .compute = mae};
const wf_metric wfi_metric_mse = {.name = "mse", .kind = WF_SCORE_NUMBERS, .compute = mse};
