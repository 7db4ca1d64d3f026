/* metrics/multilabel.c - several labels a row; a label is predicted when its logit is above 0 (probability above a
 * half). Micro F1 over all decisions, macro F1 over all labels (0 for a label that is neither true nor predicted
 * anywhere, as scikit-learn with zero_division=0), and the share of rows with every label right. */
#include "metrics/metric.h"
#include <string.h>

static void counts(const wf_sample *s, double *tp, double *said, double *is) {
    const size_t C = (size_t)s->p->classes;
    for (size_t i = 0; i < s->count; i++)
        for (size_t c = 0; c < C; c++) {
            const size_t at = s->rows[i] * C + c;
            const int a = s->p->scores[at] > 0.0f, b = s->p->labels[at] != 0;
            tp[c] += a && b;
            said[c] += a;
            is[c] += b;
        }
}

static double f1(const wf_sample *s, bool macro) {
    const size_t C = (size_t)s->p->classes;
    double *tp = s->space, *said = s->space + C, *is = s->space + 2 * C, all_tp = 0, all = 0, sum = 0;
    memset(s->space, 0, 3 * C * sizeof *s->space);
    counts(s, tp, said, is);
    for (size_t c = 0; c < C; c++) {
        all_tp += tp[c];
        all += said[c] + is[c];
        if (said[c] + is[c] > 0) sum += 2 * tp[c] / (said[c] + is[c]);
    }
    return macro ? sum / (double)C : all > 0 ? 2 * all_tp / all : 0.0;
}

static double micro_f1(const wf_sample *s) {
    return f1(s, false);
}
static double macro_f1(const wf_sample *s) {
    return f1(s, true);
}

static double accuracy(const wf_sample *s) {
    const size_t C = (size_t)s->p->classes;
    size_t right = 0;
    for (size_t i = 0; i < s->count; i++) {
        bool same = true;
        for (size_t c = 0; c < C && same; c++)
            same = (s->p->scores[s->rows[i] * C + c] > 0.0f) == (s->p->labels[s->rows[i] * C + c] != 0);
        right += same;
    }
    return (double)right / (double)s->count;
}

const wf_metric wfi_metric_label_micro_f1 = {.name = "micro_f1", .kind = WF_SCORE_MULTILABEL, .compute = micro_f1};
const wf_metric wfi_metric_label_macro_f1 = {.name = "macro_f1", .kind = WF_SCORE_MULTILABEL, .compute = macro_f1};
const wf_metric wfi_metric_label_accuracy = {.name = "accuracy", .kind = WF_SCORE_MULTILABEL, .compute = accuracy};
