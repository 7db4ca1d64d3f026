/* metrics/accuracy.c - share of rows whose most probable class is the true one. */
#include "metrics/metric.h"

static double compute(const wf_sample *s) {
    size_t right = 0;
    for (size_t i = 0; i < s->count; i++) right += s->predicted[s->rows[i]] == s->p->label[s->rows[i]];
    return (double)right / (double)s->count;
}

const wf_metric wfi_metric_accuracy = {.name = "accuracy", .kind = WF_SCORE_CLASSES, .compute = compute};
