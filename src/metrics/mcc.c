/* metrics/mcc.c - Matthews' correlation of classes, multi-class form (Gorodkin 2004), 0 where it is undefined, as
 * scikit-learn. */
#include "metrics/metric.h"
#include <math.h>
#include <string.h>

static double compute(const wf_sample *s) {
    const size_t C = (size_t)s->p->classes;
    double *said = s->space, *is = s->space + C, right = 0, cross = 0, said2 = 0, is2 = 0;
    memset(s->space, 0, 2 * C * sizeof *s->space);
    for (size_t i = 0; i < s->count; i++) {
        const int32_t a = s->predicted[s->rows[i]], b = s->p->label[s->rows[i]];
        right += a == b;
        said[a]++;
        is[b]++;
    }
    for (size_t c = 0; c < C; c++) {
        cross += said[c] * is[c];
        said2 += said[c] * said[c];
        is2 += is[c] * is[c];
    }
    const double n = (double)s->count, below = sqrt(n * n - said2) * sqrt(n * n - is2);
    return below > 0 ? (right * n - cross) / below : 0.0;
}

const wf_metric wfi_metric_mcc = {.name = "mcc", .kind = WF_SCORE_CLASSES, .compute = compute};
