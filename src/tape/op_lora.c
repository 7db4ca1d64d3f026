/* tape/op_lora.c - out = y + scale * (drop(x) A^T) B^T, LoRA (Hu et al. 2021). A (r,in), B (out,r).
 * With d = drop(x), l = d A^T: dB += scale dy^T l, dl = scale dy B, dA += dl^T d, dd = dl A, dx = drop(dd), dy goes to
 * y as it is. l [T,r] is kept; d is made again from x and the key: as wide as x, so keeping it would double the
 * activations. */
#include "base/error.h"
#include "kernels/gemm.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *y, *x; /* [T,out], [T,in] */
    wf_param *A, *B;
    float *low; /* [T,r] */
    float scale, p;
    uint64_t key;
} saved;

/* A's gradient. */
static wf_status into_a(wf_tape *t, const saved *s, const float *dl, wf_err *err) {
    const int64_t T = s->x->rows, in = s->x->cols, r = s->A->shape[0];
    float *dropped = NULL;
    if (s->p > 0.0f) {
        dropped = wfi_tape_buffer(t, T, in);
        if (!dropped) return WF_OK; /* noted in the tape */
        wfi_dropout(T * in, s->key, s->p, s->x->data, dropped);
    }
    WF_TRY(wfi_gemm(true, false, r, in, T, 1.0f, dl, r, dropped ? dropped : s->x->data, in, 1.0f, s->A->grad, in, err));
    wfi_tape_buffer_done(t, dropped, T, in);
    return WF_OK;
}

/* x's gradient; dropout's backward cannot add, so with dropout an existing gradient goes through scratch. */
static wf_status into_x(wf_tape *t, const saved *s, const float *dl, wf_err *err) {
    const int64_t T = s->x->rows, in = s->x->cols, r = s->A->shape[0];
    const bool aside = s->p > 0.0f && s->x->grad;
    bool fresh = true;
    float *dx = aside ? wfi_tape_buffer(t, T, in) : wfi_tape_grad(t, s->x, &fresh);
    if (!dx) return WF_OK; /* noted in the tape */
    WF_TRY(wfi_gemm(false, false, T, in, r, 1.0f, dl, r, s->A->data, in, fresh ? 0.0f : 1.0f, dx, in, err));
    if (s->p > 0.0f) wfi_dropout(T * in, s->key, s->p, dx, dx);
    if (!aside) return WF_OK;
    wfi_tape_grad_add(t, s->x, dx);
    wfi_tape_buffer_done(t, dx, T, in);
    return WF_OK;
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = n->out->rows, out = n->out->cols, r = s->A->shape[0];
    const float *dy = n->out->grad;
    if (s->B->grad) WF_TRY(wfi_gemm(true, false, out, r, T, s->scale, dy, out, s->low, r, 1.0f, s->B->grad, r, err));
    if (s->x->needs_grad || s->A->grad) {
        float *dl = wfi_tape_buffer(t, T, r);
        if (!dl) return WF_OK; /* noted in the tape */
        WF_TRY(wfi_gemm(false, false, T, r, out, s->scale, dy, out, s->B->data, r, 0.0f, dl, r, err));
        if (s->A->grad) WF_TRY(into_a(t, s, dl, err));
        if (s->x->needs_grad) WF_TRY(into_x(t, s, dl, err));
        wfi_tape_buffer_done(t, dl, T, r);
    }
    wfi_tape_grad_pass(t, n->out, s->y);
    return WF_OK;
}

static const wf_op op = {"lora", backward};

static bool fits(wf_tape *t, const wf_value *y, const wf_value *x, const wf_param *A, const wf_param *B) {
    if (A->rank == 2 && B->rank == 2 && A->shape[1] == x->cols && B->shape[0] == y->cols &&
        A->shape[0] == B->shape[1] && y->rows == x->rows)
        return true;
    wfi_tape_fail(
        t, WF_E_SHAPE, "lora: values [%lld,%lld] and [%lld,%lld] do not fit %s [%lld,%lld] and %s [%lld,%lld]",
        (long long)y->rows, (long long)y->cols, (long long)x->rows, (long long)x->cols, A->name, (long long)A->shape[0],
        (long long)A->shape[1], B->name, (long long)B->shape[0], (long long)B->shape[1]);
    return false;
}

wf_value *wfi_op_lora(wf_tape *t, wf_value *y, wf_value *x, wf_param *A, wf_param *B, float scale, float p,
                      uint64_t key) {
    if (!y || !x || !wfi_op_rate(t, op.name, p) || !fits(t, y, x, A, B)) return NULL;
    const int64_t T = x->rows, in = x->cols, out_cols = y->cols, r = A->shape[0];
    if (!wfi_tape_drops(t)) p = 0.0f;
    const bool record = y->needs_grad || x->needs_grad || wfi_tape_wants(t, A) || wfi_tape_wants(t, B);
    wf_value *out = wfi_tape_value(t, T, out_cols);
    float *low = wfi_tape_floats(t, T, r);
    const size_t scope = wfi_tape_scope(t);
    float *dropped = p > 0.0f ? wfi_tape_floats(t, T, in) : NULL;
    if (!out || !low || (p > 0.0f && !dropped)) return NULL;
    if (dropped) wfi_dropout(T * in, key, p, x->data, dropped);
    wf_err *err = wfi_tape_err(t);
    if (wfi_gemm(false, true, T, r, in, 1.0f, dropped ? dropped : x->data, in, A->data, in, 0.0f, low, r, err) != WF_OK)
        return NULL;
    wfi_tape_scope_end(t, scope, NULL); /* the dropped x is not kept */
    wfi_copy(T * out_cols, y->data, out->data);
    if (wfi_gemm(false, true, T, out_cols, r, scale, low, r, B->data, r, 1.0f, out->data, out_cols, err) != WF_OK)
        return NULL;
    if (!record) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.y = y, .x = x, .A = A, .B = B, .low = low, .scale = scale, .p = p, .key = key};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
