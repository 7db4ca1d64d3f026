/* metrics/f1.c - F1 of classes: the mean over the classes that occur in truth or prediction, and that of class 1 of
 * two. A class without any true positive has F1 0, as in scikit-learn with zero_division=0. */
#include "metrics/metric.h"
#include <string.h>

/* Per class: true positives, predicted, true, in s->space. */
static void counts(const wf_sample *s, double **tp, double **said, double **is) {
    const size_t C = (size_t)s->p->classes;
    memset(s->space, 0, 3 * C * sizeof *s->space);
    *tp = s->space;
    *said = s->space + C;
    *is = s->space + 2 * C;
    for (size_t i = 0; i < s->count; i++) {
        const int32_t a = s->predicted[s->rows[i]], b = s->p->label[s->rows[i]];
        (*tp)[a] += a == b;
        (*said)[a]++;
        (*is)[b]++;
    }
}

static double macro(const wf_sample *s) {
    double *tp, *said, *is, sum = 0;
    size_t present = 0;
    counts(s, &tp, &said, &is);
    for (int32_t c = 0; c < s->p->classes; c++) {
        if (said[c] + is[c] == 0) continue;
        present++;
        sum += 2 * tp[c] / (said[c] + is[c]);
    }
    return sum / (double)present;
}

static double second(const wf_sample *s) {
    double *tp, *said, *is;
    counts(s, &tp, &said, &is);
    return said[1] + is[1] == 0 ? 0.0 : 2 * tp[1] / (said[1] + is[1]);
}

static bool binary(const wf_predictions *p) {
    return p->classes == 2;
}

const wf_metric wfi_metric_macro_f1 = {.name = "macro_f1", .kind = WF_SCORE_CLASSES, .compute = macro};
const wf_metric wfi_metric_f1 = {.name = "f1", .kind = WF_SCORE_CLASSES, .fits = binary, .compute = second};
