/* tape/op_focal.c - focal loss (Lin et al. 2017, equation 5, with class weights for alpha): rows that are right already
 * count less. With p = softmax(x), y the row's label, w class weights (1 without), g = gamma:
 *
 *   loss   = sum_r w_y (1 - p_y)^g (-log p_y) / sum_r w_y
 *   dx_r,c = scale / sum_r w_y * w_y ([c=y] - p_c) (g p_y (1-p_y)^(g-1) log p_y - (1-p_y)^g)
 *
 * g = 0 is the cross-entropy. Rows are summed in order, in double. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"
#include <math.h>

typedef struct saved {
    wf_value *x;           /* [R,C] logits */
    const int32_t *label;  /* [R], -1: ignored */
    const float *weights;  /* [C] or NULL */
    const int32_t *counts; /* [R] or NULL */
    double *logp;          /* [R,C] log-probabilities */
    double gamma, total;
} saved;

static double weight(const saved *s, int32_t y) {
    return s->weights ? (double)s->weights[y] : 1.0;
}
static int64_t classes(const saved *s, int64_t r) {
    return s->counts ? s->counts[r] : s->x->cols;
}

/* (1 - p)^e, of log p; without cancellation where p is near 1. */
static double rest(double logp, double e) {
    const double q = -expm1(logp);
    return e == 0 ? 1.0 : q > 0 ? pow(q, e) : 0.0;
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t R = s->x->rows, C = s->x->cols;
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    const double scale = (double)n->out->grad[0] / s->total;
    for (int64_t r = 0; dx && r < R; r++) {
        const int32_t y = s->label[r];
        const double ly = y >= 0 ? s->logp[r * C + y] : 0;
        const double slope =
            y < 0 ? 0
                  : weight(s, y) *
                        ((s->gamma > 0 ? s->gamma * exp(ly) * rest(ly, s->gamma - 1) * ly : 0.0) - rest(ly, s->gamma));
        for (int64_t c = 0; c < C; c++) {
            const double d = y < 0 || c >= classes(s, r) ? 0.0 : slope * ((c == y) - exp(s->logp[r * C + c]));
            dx[r * C + c] = (fresh ? 0.0f : dx[r * C + c]) + (float)(scale * d);
        }
    }
    return WF_OK;
}

static const wf_op op = {"focal", backward};

static bool fits(wf_tape *t, saved *s) {
    if (!(s->gamma >= 0 && s->gamma <= 100)) {
        wfi_tape_fail(t, WF_E_ARG, "focal: gamma %g is not in [0,100]", s->gamma);
        return false;
    }
    for (int64_t r = 0; r < s->x->rows; r++) {
        const int64_t n = classes(s, r);
        if (n < 0 || n > s->x->cols || s->label[r] < -1 || s->label[r] >= n) {
            wfi_tape_fail(t, WF_E_DATA, "focal: row %lld has label %d and %lld classes", (long long)r, (int)s->label[r],
                          (long long)n);
            return false;
        }
        if (s->label[r] >= 0) s->total += weight(s, s->label[r]);
    }
    if (s->total > 0) return true;
    wfi_tape_fail(t, WF_E_DATA, "focal: none of the %lld rows has a label with weight", (long long)s->x->rows);
    return false;
}

wf_value *wfi_op_focal(wf_tape *t, wf_value *logits, const int32_t *label, const float *weights, float gamma,
                       const int32_t *counts) {
    if (!logits) return NULL;
    saved from = {.x = logits, .label = label, .weights = weights, .counts = counts, .gamma = (double)gamma};
    if (!fits(t, &from)) return NULL;
    const int64_t R = logits->rows, C = logits->cols;
    from.logp = wfi_tape_get(t, (size_t)(R * C) * sizeof *from.logp);
    if (!from.logp) return NULL;
    double sum = 0;
    for (int64_t r = 0; r < R; r++) {
        wfi_op_logs(logits->data + r * C, classes(&from, r), C, from.logp + r * C);
        if (label[r] < 0) continue;
        const double ly = from.logp[r * C + label[r]];
        sum -= weight(&from, label[r]) * rest(ly, from.gamma) * ly;
    }
    wf_value *out = wfi_op_scalar(t, op.name, sum / from.total);
    if (!out || !logits->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    from.label = wfi_op_copy(t, label, (size_t)R, sizeof *label);
    if (weights) from.weights = wfi_op_copy(t, weights, (size_t)C, sizeof *weights);
    if (counts) from.counts = wfi_op_copy(t, counts, (size_t)R, sizeof *counts);
    if (!s || wfi_tape_status(t, NULL) != WF_OK) return NULL;
    *s = from;
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
