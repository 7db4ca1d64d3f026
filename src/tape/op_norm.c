/* tape/op_norm.c - LayerNorm over the last axis of a sum of addends: y = (x - mean) * rstd * gamma + beta, x = x_1 + ..
 * + x_n. Kept for backward: the sum (the addend itself when there is one), mean and rstd of every row. All addends have
 * the same gradient dx; it is computed in the output's own gradient buffer and handed down. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    int n;
    wf_value *x[8];     /* addends that need a gradient */
    const float *sum;   /* [T,H] */
    float *mean, *rstd; /* [T] */
    wf_norm norm;
} saved;

/* The kernel gives gamma's and beta's gradients together; when only one is trained the other goes to scratch. */
static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = n->out->rows, H = n->out->cols;
    float *dgamma = s->norm.gamma->grad, *dbeta = s->norm.beta->grad, *scratch = NULL;
    if (!dgamma != !dbeta) {
        scratch = wfi_tape_buffer(t, 1, H);
        if (!scratch) return WF_OK; /* noted in the tape */
        for (int64_t h = 0; h < H; h++) scratch[h] = 0.0f;
        if (!dgamma) dgamma = scratch;
        if (!dbeta) dbeta = scratch;
    }
    float *dy = n->out->grad;
    wfi_layernorm_backward(T, H, s->sum, s->norm.gamma->data, s->mean, s->rstd, dy, dy, false, dgamma, dbeta);
    wfi_tape_buffer_done(t, scratch, 1, H);
    for (int i = 1; i < s->n; i++) wfi_tape_grad_add(t, s->x[i], dy);
    if (s->n > 0) wfi_tape_grad_pass(t, n->out, s->x[0]);
    return WF_OK;
}

static const wf_op op = {"norm", backward};

static void sum_addends(int n, wf_value *const *x, float *out) {
    const int64_t count = x[0]->rows * x[0]->cols;
    wfi_add(count, x[0]->data, x[1]->data, out);
    for (int i = 2; i < n; i++) wfi_add(count, out, x[i]->data, out);
}

wf_value *wfi_op_norm(wf_tape *t, int n, wf_value *const *x, const wf_norm *norm) {
    if (n < 1 || n > 8) return wfi_tape_fail(t, WF_E_ARG, "norm: takes 1 to 8 values, not %d", n);
    saved from = {.norm = *norm};
    for (int i = 0; i < n; i++) {
        if (!x[i] || !wfi_op_same_shape(t, op.name, x[0], x[i])) return NULL;
        if (x[i]->needs_grad) from.x[from.n++] = x[i];
    }
    const int64_t T = x[0]->rows, H = x[0]->cols;
    if (norm->width != H || norm->gamma->count != H || norm->beta->count != H)
        return wfi_tape_fail(t, WF_E_SHAPE, "norm: input [%lld,%lld] does not fit %s of width %lld", (long long)T,
                             (long long)H, norm->gamma->name, (long long)norm->width);
    wf_value *out = wfi_tape_value(t, T, H);
    if (!out) return NULL;
    const float *gamma = norm->gamma->data, *beta = norm->beta->data;
    if (from.n == 0 && !wfi_tape_wants(t, norm->gamma) && !wfi_tape_wants(t, norm->beta)) {
        if (n > 1) sum_addends(n, x, out->data);
        wfi_layernorm_forward(T, H, n > 1 ? out->data : x[0]->data, gamma, beta, norm->eps, out->data, NULL, NULL);
        return out;
    }
    saved *s = wfi_tape_get(t, sizeof *s);
    float *sum = n > 1 ? wfi_tape_floats(t, T, H) : x[0]->data;
    from.mean = wfi_tape_floats(t, T, 1);
    from.rstd = wfi_tape_floats(t, T, 1);
    if (!s || !sum || !from.mean || !from.rstd) return NULL;
    if (n > 1) sum_addends(n, x, sum);
    from.sum = sum;
    wfi_layernorm_forward(T, H, sum, gamma, beta, norm->eps, out->data, from.mean, from.rstd);
    *s = from;
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
