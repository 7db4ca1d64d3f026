/* tape/op_norm.c - LayerNorm over the last axis of a sum of addends: y = (x - mean) * rstd * gamma + beta, x = x_1 + ..
 * + x_n, x_1 perhaps after dropout. Kept for backward: the sum (the addend itself when there is one), mean and rstd of
 * every row. All addends have the same gradient dx; it is computed in the output's own gradient buffer, added to what
 * the others have, and handed down to the first. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

enum { MOST = 8 };

typedef struct saved {
    int n;
    wf_value *first;    /* the addend that dropout is for; when it or none needs a gradient, simply one that does */
    wf_value *x[MOST];  /* the other addends that need a gradient */
    const float *sum;   /* [T,H] */
    float *mean, *rstd; /* [T] */
    float p;            /* dropout of the first; 0: none */
    uint64_t key;
    wf_norm norm;
} saved;

/* The kernel gives gamma's and beta's gradients together; when only one is trained the other goes to scratch. */
static void params_backward(wf_tape *t, const saved *s, const wf_value *out) {
    const int64_t T = out->rows, H = out->cols;
    float *dgamma = s->norm.gamma->grad, *dbeta = s->norm.beta->grad, *scratch = NULL;
    if (!dgamma && !dbeta) return;
    if (!dgamma || !dbeta) {
        scratch = wfi_tape_buffer(t, 1, H);
        if (!scratch) return; /* noted in the tape */
        for (int64_t h = 0; h < H; h++) scratch[h] = 0.0f;
        if (!dgamma) dgamma = scratch;
        if (!dbeta) dbeta = scratch;
    }
    wfi_layernorm_params(T, H, s->sum, s->mean, s->rstd, out->grad, dgamma, dbeta);
    wfi_tape_buffer_done(t, scratch, 1, H);
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    float *to[MOST];
    bool fresh[MOST];
    params_backward(t, s, n->out);
    for (int i = 0; i < s->n; i++) {
        to[i] = wfi_tape_grad(t, s->x[i], &fresh[i]);
        if (!to[i]) return WF_OK; /* noted in the tape */
    }
    wfi_layernorm_sum_backward(n->out->rows, n->out->cols, s->sum, s->norm.gamma->data, s->mean, s->rstd, n->out->grad,
                               s->n, to, fresh, s->p, s->key);
    wfi_tape_grad_pass(t, n->out, s->first);
    return WF_OK;
}

static const wf_op op = {"norm", backward};

/* Who gets gradients. Without a first addend that needs one, no dropout is on the way back. */
static void addends(saved *s, int n, wf_value *const *x) {
    for (int i = 0; i < n; i++) {
        if (!x[i]->needs_grad) continue;
        if (!s->first)
            s->first = x[i];
        else
            s->x[s->n++] = x[i];
    }
    if (s->first != x[0]) s->p = 0.0f;
}

static bool fits(wf_tape *t, int n, wf_value *const *x, const wf_norm *norm) {
    if (n < 1 || n > MOST) {
        wfi_tape_fail(t, WF_E_ARG, "norm: takes 1 to %d values, not %d", MOST, n);
        return false;
    }
    for (int i = 0; i < n; i++)
        if (!x[i] || !wfi_op_same_shape(t, op.name, x[0], x[i])) return false;
    if (norm->width == x[0]->cols && norm->gamma->count == x[0]->cols && norm->beta->count == x[0]->cols) return true;
    wfi_tape_fail(t, WF_E_SHAPE, "norm: input [%lld,%lld] does not fit %s of width %lld", (long long)x[0]->rows,
                  (long long)x[0]->cols, norm->gamma->name, (long long)norm->width);
    return false;
}

wf_value *wfi_op_norm_dropped(wf_tape *t, int n, wf_value *const *x, float p, uint64_t key, const wf_norm *norm) {
    if (!fits(t, n, x, norm) || !wfi_op_rate(t, op.name, p)) return NULL;
    if (!wfi_tape_drops(t)) p = 0.0f;
    const int64_t T = x[0]->rows, H = x[0]->cols;
    const bool summed = n > 1 || p > 0.0f;
    const float *gamma = norm->gamma->data, *beta = norm->beta->data, *in[MOST] = {0};
    saved from = {.p = p, .key = key, .norm = *norm};
    addends(&from, n, x);
    for (int i = 0; i < n; i++) in[i] = x[i]->data;
    wf_value *out = wfi_tape_value(t, T, H);
    if (!out) return NULL;
    const bool record = from.first || wfi_tape_wants(t, norm->gamma) || wfi_tape_wants(t, norm->beta);
    saved *s = record ? wfi_tape_get(t, sizeof *s) : NULL;
    float *sum = record && summed ? wfi_tape_floats(t, T, H) : NULL;
    if (record) {
        from.mean = wfi_tape_floats(t, T, 1);
        from.rstd = wfi_tape_floats(t, T, 1);
        from.sum = summed ? sum : in[0];
        if (!s || !from.sum || !from.mean || !from.rstd) return NULL;
    }
    if (summed)
        wfi_layernorm_sum_forward(T, H, n, in, p, key, gamma, beta, norm->eps, sum, out->data, from.mean, from.rstd);
    else
        wfi_layernorm_forward(T, H, in[0], gamma, beta, norm->eps, out->data, from.mean, from.rstd);
    if (!record) return out;
    *s = from;
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}

wf_value *wfi_op_norm(wf_tape *t, int n, wf_value *const *x, const wf_norm *norm) {
    return wfi_op_norm_dropped(t, n, x, 0.0f, 0, norm);
}
