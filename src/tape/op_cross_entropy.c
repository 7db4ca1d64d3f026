/* tape/op_cross_entropy.c - softmax and cross-entropy as torch's CrossEntropyLoss with weight, label_smoothing,
 * ignore_index and reduction="mean" computes it. With q = log softmax(x), e = smoothing, C_r classes in row r, w =
 * class weights (1 without), and y the row's label:
 *
 *   loss   = sum_r [ -(1-e) w_y q_y - e/C_r sum_c w_c q_c ] / sum_r w_y
 *   dx_r,c = scale / sum_r w_y * [ (1-e) w_y (p_c - [c=y]) + e/C_r (p_c sum_j w_j - w_c) ]
 *
 * Note that torch divides the smoothing term by the same sum of target weights. Rows are summed in order, in double. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"
#include <math.h>

typedef struct rows {        /* the problem, kept for backward as it is */
    wf_value *x;             /* [R,C] logits */
    const int32_t *label;    /* [R], -1: ignored */
    const float *weights;    /* [C] or NULL */
    const int32_t *counts;   /* [R] or NULL */
    float *p;                /* [R,C] probabilities, NULL when nothing needs a gradient */
    double smoothing, total; /* total: sum of target weights */
} rows;

static double weight(const rows *s, int64_t c) {
    return s->weights ? (double)s->weights[c] : 1.0;
}
static int64_t classes(const rows *s, int64_t r) {
    return s->counts ? s->counts[r] : s->x->cols;
}

static double row_forward(const rows *s, int64_t r) {
    const int64_t C = s->x->cols, n = classes(s, r);
    const float *x = s->x->data + r * C;
    double most = -INFINITY, sum = 0, smooth = 0;
    for (int64_t c = 0; c < n; c++)
        if ((double)x[c] > most) most = (double)x[c]; /* a NaN shows in the sum */
    for (int64_t c = 0; c < n; c++) sum += exp((double)x[c] - most);
    const double lse = most + log(sum);
    for (int64_t c = 0; s->p && c < C; c++) s->p[r * C + c] = c < n ? (float)exp((double)x[c] - lse) : 0.0f;
    for (int64_t c = 0; s->smoothing > 0 && c < n; c++) smooth -= weight(s, c) * ((double)x[c] - lse);
    return (1.0 - s->smoothing) * weight(s, s->label[r]) * (lse - (double)x[s->label[r]]) +
           s->smoothing / (double)n * smooth;
}

static void row_backward(const rows *s, int64_t r, double scale, float *dx, bool fresh) {
    const int64_t C = s->x->cols, n = classes(s, r), y = s->label[r];
    double all = 0;
    for (int64_t c = 0; s->smoothing > 0 && c < n; c++) all += weight(s, c);
    for (int64_t c = 0; c < C; c++) {
        double d = 0;
        if (y >= 0 && c < n) {
            const double p = (double)s->p[r * C + c];
            d = (1.0 - s->smoothing) * weight(s, y) * (p - (c == y ? 1.0 : 0.0));
            if (s->smoothing > 0) d += s->smoothing / (double)n * (p * all - weight(s, c));
        }
        dx[r * C + c] = (fresh ? 0.0f : dx[r * C + c]) + (float)(scale * d);
    }
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const rows *s = n->saved;
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    const double scale = (double)n->out->grad[0] / s->total;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(8 * s->x->rows * s->x->cols))
    for (int64_t r = 0; r < (dx ? s->x->rows : 0); r++) row_backward(s, r, scale, dx, fresh);
    return WF_OK;
}

static const wf_op op = {"cross_entropy", backward};

/* Everything about labels, counts and weights; sums the target weights. */
static bool fits(wf_tape *t, rows *s) {
    const int64_t R = s->x->rows, C = s->x->cols;
    if (!(s->smoothing >= 0 && s->smoothing <= 1)) {
        wfi_tape_fail(t, WF_E_ARG, "cross_entropy: label smoothing %g is not in [0,1]", s->smoothing);
        return false;
    }
    for (int64_t c = 0; s->weights && c < C; c++) {
        if (isfinite(s->weights[c]) && s->weights[c] >= 0.0f) continue;
        wfi_tape_fail(t, WF_E_ARG, "cross_entropy: weight %g of class %lld is no weight", (double)s->weights[c],
                      (long long)c);
        return false;
    }
    for (int64_t r = 0; r < R; r++) {
        const int64_t n = classes(s, r);
        if (n < 0 || n > C || s->label[r] < -1 || s->label[r] >= n) {
            wfi_tape_fail(t, WF_E_DATA,
                          "cross_entropy: row %lld has label %d and %lld classes; the logits are [%lld,%lld]",
                          (long long)r, (int)s->label[r], (long long)n, (long long)R, (long long)C);
            return false;
        }
        if (s->label[r] >= 0) s->total += weight(s, s->label[r]);
    }
    if (s->total > 0) return true;
    wfi_tape_fail(t, WF_E_DATA, "cross_entropy: none of the %lld rows has a label with weight", (long long)R);
    return false;
}

static bool keep(wf_tape *t, rows *s) {
    const size_t R = (size_t)s->x->rows, C = (size_t)s->x->cols;
    s->label = wfi_op_copy(t, s->label, R, sizeof *s->label);
    if (s->weights) s->weights = wfi_op_copy(t, s->weights, C, sizeof *s->weights);
    if (s->counts) s->counts = wfi_op_copy(t, s->counts, R, sizeof *s->counts);
    return wfi_tape_status(t, NULL) == WF_OK;
}

wf_value *wfi_op_cross_entropy(wf_tape *t, wf_value *logits, const int32_t *label, const float *weights,
                               float smoothing, const int32_t *counts) {
    if (!logits) return NULL;
    rows from = {.x = logits, .label = label, .weights = weights, .counts = counts, .smoothing = (double)smoothing};
    if (!fits(t, &from)) return NULL;
    const int64_t R = logits->rows, C = logits->cols;
    if (logits->needs_grad) from.p = wfi_tape_floats(t, R, C);
    const size_t scope = wfi_tape_scope(t);
    double *each = wfi_tape_get(t, (size_t)R * sizeof *each);
    if (!each || (logits->needs_grad && !from.p)) return NULL;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(16 * R * C))
    for (int64_t r = 0; r < R; r++) each[r] = label[r] < 0 ? 0.0 : row_forward(&from, r);
    double sum = 0;
    for (int64_t r = 0; r < R; r++) sum += each[r];
    wfi_tape_scope_end(t, scope, NULL);
    wf_value *out = wfi_op_scalar(t, op.name, sum / from.total);
    if (!out || !logits->needs_grad) return out;
    rows *s = wfi_tape_get(t, sizeof *s);
    if (!s || !keep(t, &from)) return NULL;
    *s = from;
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
