/* tape/op_bce.c - multi-label loss: torch's BCEWithLogitsLoss(pos_weight=weights), mean over all elements.
 *   l = (1-y) x + k (log(1 + exp(-|x|)) + max(-x, 0)),  k = 1 + (weight - 1) y;   dl/dx = (1-y) - k (1 - sigmoid(x)).
 */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"
#include <math.h>

typedef struct saved {
    wf_value *x;           /* [S,C] */
    const uint8_t *target; /* [S,C] of 0 and 1 */
    const float *weights;  /* [C] or NULL */
} saved;

static double factor(const saved *s, int64_t i) {
    return s->target[i] && s->weights ? (double)s->weights[i % s->x->cols] : 1.0;
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t count = s->x->rows * s->x->cols;
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    const double scale = (double)n->out->grad[0] / (double)count;
    for (int64_t i = 0; dx && i < count; i++) {
        const double x = (double)s->x->data[i], rest = 1.0 / (1.0 + exp(x)); /* 1 - sigmoid(x) */
        const float d = (float)(scale * ((s->target[i] ? 0.0 : 1.0) - factor(s, i) * rest));
        dx[i] = fresh ? d : dx[i] + d;
    }
    return WF_OK;
}

static const wf_op op = {"bce", backward};

wf_value *wfi_op_bce(wf_tape *t, wf_value *logits, const uint8_t *target, const float *weights) {
    if (!logits) return NULL;
    const int64_t count = logits->rows * logits->cols;
    if (count == 0)
        return wfi_tape_fail(t, WF_E_SHAPE, "bce: no logits in [%lld,%lld]", (long long)logits->rows,
                             (long long)logits->cols);
    for (int64_t c = 0; weights && c < logits->cols; c++)
        if (!isfinite(weights[c]) || weights[c] < 0.0f)
            return wfi_tape_fail(t, WF_E_ARG, "bce: weight %g of class %lld is no weight", (double)weights[c],
                                 (long long)c);
    saved from = {.x = logits, .target = target, .weights = weights};
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        if (target[i] > 1)
            return wfi_tape_fail(t, WF_E_DATA, "bce: target %lld is %d, not 0 or 1", (long long)i, (int)target[i]);
        const double x = (double)logits->data[i], soft = log1p(exp(-fabs(x))) + (x < 0 ? -x : 0.0);
        sum += (target[i] ? 0.0 : x) + factor(&from, i) * soft;
    }
    wf_value *out = wfi_op_scalar(t, op.name, sum / (double)count);
    if (!out || !logits->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    from.target = wfi_op_copy(t, target, (size_t)count, sizeof *target);
    if (weights) from.weights = wfi_op_copy(t, weights, (size_t)logits->cols, sizeof *weights);
    if (!s || !from.target || (weights && !from.weights)) return NULL;
    *s = from;
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
