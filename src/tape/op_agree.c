/* tape/op_agree.c - how far two passes of the same rows disagree (R-Drop, Liang et al. 2021, equation 2): row r and row
 * R + r of the logits [2R,C] are one row under two draws of dropout. With p, q their softmaxes over the row's classes:
 *
 *   loss = 1/R sum_r 1/2 [ KL(p||q) + KL(q||p) ] = 1/R sum_r 1/2 sum_c (p_c - q_c) (log p_c - log q_c)
 *   dx_c = scale/R 1/2 [ p_c ((log p_c - log q_c) - KL(p||q)) + p_c - q_c ]   by the logits of p; of q the same with
 *                                                                            p and q exchanged
 */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"
#include <math.h>

typedef struct saved {
    wf_value *x;           /* [2R,C] */
    const int32_t *counts; /* [2R] or NULL */
    double *logp;          /* [2R,C] */
} saved;

static int64_t classes(const saved *s, int64_t r) {
    return s->counts ? s->counts[r] : s->x->cols;
}

static double divergence(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t c = 0; c < n; c++) sum += exp(a[c]) * (a[c] - b[c]);
    return sum;
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t R = s->x->rows / 2, C = s->x->cols;
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    const double scale = 0.5 * (double)n->out->grad[0] / (double)R;
    for (int64_t r = 0; dx && r < 2 * R; r++) {
        const double *p = s->logp + r * C, *q = s->logp + (r < R ? r + R : r - R) * C;
        const int64_t k = classes(s, r);
        const double kl = divergence(p, q, k);
        for (int64_t c = 0; c < C; c++) {
            const double d = c < k ? exp(p[c]) * (p[c] - q[c] - kl) + exp(p[c]) - exp(q[c]) : 0.0;
            dx[r * C + c] = (fresh ? 0.0f : dx[r * C + c]) + (float)(scale * d);
        }
    }
    return WF_OK;
}

static const wf_op op = {"agree", backward};

wf_value *wfi_op_agree(wf_tape *t, wf_value *logits, const int32_t *counts) {
    if (!logits) return NULL;
    const int64_t R = logits->rows / 2, C = logits->cols;
    if (R == 0 || logits->rows % 2)
        return wfi_tape_fail(t, WF_E_SHAPE, "agree: logits are [%lld,%lld], not every row twice",
                             (long long)logits->rows, (long long)C);
    for (int64_t r = 0; counts && r < R; r++)
        if (counts[r] < 1 || counts[r] > C || counts[r] != counts[r + R])
            return wfi_tape_fail(t, WF_E_DATA, "agree: row %lld has %d classes here and %d there", (long long)r,
                                 (int)counts[r], (int)counts[r + R]);
    saved from = {.x = logits, .counts = counts, .logp = wfi_tape_get(t, (size_t)(2 * R * C) * sizeof(double))};
    if (!from.logp) return NULL;
    for (int64_t r = 0; r < 2 * R; r++) wfi_op_logs(logits->data + r * C, classes(&from, r), C, from.logp + r * C);
    double sum = 0;
    for (int64_t r = 0; r < R; r++) {
        const double *p = from.logp + r * C, *q = from.logp + (r + R) * C;
        sum += 0.5 * (divergence(p, q, classes(&from, r)) + divergence(q, p, classes(&from, r)));
    }
    wf_value *out = wfi_op_scalar(t, op.name, sum / (double)R);
    if (!out || !logits->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (counts) from.counts = wfi_op_copy(t, counts, (size_t)(2 * R), sizeof *counts);
    if (!s || wfi_tape_status(t, NULL) != WF_OK) return NULL;
    *s = from;
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
