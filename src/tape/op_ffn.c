/* tape/op_ffn.c - the feed-forward part of a block with frozen, packed matrices: y = down(act(up(x))). Kept for
 * backward: up(x) [T,F]; the activated rows are as wide and only the frozen product reads them, so they are given up at
 * once. Where the matrices are multiplied in bfloat16 the activated rows, and on the way back up's gradient, are made
 * in that type straight away; where in 8 bits, inside the product. */
#include "base/error.h"
#include "kernels/gemm.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x;      /* [T,in] */
    const float *pre; /* [T,F] */
    wf_linear up, down;
    wf_act act;
} saved;

/* T*F numbers of two bytes, as floats. */
static int64_t half_of(int64_t F) {
    return (F + 1) / 2;
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = s->x->rows, F = s->up.out;
    const bool half = wfi_packed_takes_bf16(s->up.backward);
    float *d = wfi_tape_buffer(t, T, F), *rounded = half ? wfi_tape_buffer(t, T, half_of(F)) : NULL;
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    if (!d || !dx || (half && !rounded)) return WF_OK; /* noted in the tape */
    WF_TRY(wfi_linear_input_grad(&s->down, T, n->out->grad, d, false, err));
    if (half) {
        uint16_t *to = (uint16_t *)(void *)rounded;
        wfi_act_backward_bf16(s->act, T * F, s->pre, d, to);
        WF_TRY(wfi_packed_gemm_bf16(s->up.backward, T, to, F, NULL, fresh ? 0.0f : 1.0f, dx, s->up.in, err));
    } else if (wfi_packed_takes_act(s->up.backward)) {
        WF_TRY(
            wfi_packed_gemm_act(s->up.backward, T, s->act, s->pre, d, F, NULL, fresh ? 0.0f : 1.0f, dx, s->up.in, err));
    } else {
        wfi_act_backward(s->act, T * F, s->pre, d, d, false);
        WF_TRY(wfi_linear_input_grad(&s->up, T, d, dx, !fresh, err));
    }
    wfi_tape_buffer_done(t, rounded, T, half_of(F));
    wfi_tape_buffer_done(t, d, T, F);
    return WF_OK;
}

static const wf_op op = {"ffn", backward};

static bool frozen(const wf_linear *w) {
    return !w->weight->grad && !(w->bias && w->bias->grad);
}

bool wfi_op_ffn_takes(const wf_value *x, const wf_linear *up, const wf_linear *down) {
    return x && frozen(up) && frozen(down) && up->forward && down->forward &&
           (!x->needs_grad || (up->backward && down->backward));
}

/* down(act(pre)); pre may be overwritten unless it is kept. */
static wf_status down_forward(wf_tape *t, const wf_linear *w, wf_act act, int64_t T, float *pre, bool keep, float *y,
                              wf_err *err) {
    const float *bias = w->bias ? w->bias->data : NULL;
    if (wfi_packed_takes_act(w->forward))
        return wfi_packed_gemm_act(w->forward, T, act, pre, NULL, w->in, bias, 0.0f, y, w->out, err);
    if (wfi_packed_takes_bf16(w->forward)) {
        uint16_t *mid = (uint16_t *)(void *)wfi_tape_floats(t, T, half_of(w->in));
        if (!mid) return WF_E_NOMEM; /* noted in the tape */
        wfi_act_forward_bf16(act, T * w->in, pre, mid);
        return wfi_packed_gemm_bf16(w->forward, T, mid, w->in, bias, 0.0f, y, w->out, err);
    }
    float *mid = keep ? wfi_tape_floats(t, T, w->in) : pre;
    if (!mid) return WF_E_NOMEM;
    wfi_act_forward(act, T * w->in, pre, mid);
    return wfi_linear_forward(w, T, mid, y, err);
}

wf_value *wfi_op_ffn(wf_tape *t, wf_value *x, const wf_linear *up, const wf_linear *down, wf_act act) {
    const wf_value middle = {.rows = x ? x->rows : 0, .cols = up->out};
    if (!x || !wfi_op_fits_linear(t, op.name, x, up) || !wfi_op_fits_linear(t, op.name, &middle, down)) return NULL;
    if ((int)act < 0 || act >= WF_ACT_COUNT)
        return wfi_tape_fail(t, WF_E_ARG, "ffn: no non-linearity has number %d", (int)act);
    if (!wfi_op_ffn_takes(x, up, down))
        return wfi_tape_fail(t, WF_E_ARG, "ffn: %s and %s must be frozen and packed", up->weight->name,
                             down->weight->name);
    const bool record = x->needs_grad;
    wf_err *err = wfi_tape_err(t);
    wf_value *out = wfi_tape_value(t, x->rows, down->out);
    saved *s = record ? wfi_tape_get(t, sizeof *s) : NULL;
    size_t scope = wfi_tape_scope(t);
    float *pre = wfi_tape_floats(t, x->rows, up->out);
    if (record) scope = wfi_tape_scope(t);
    if (!out || !pre || (record && !s) || wfi_linear_forward(up, x->rows, x->data, pre, err) != WF_OK ||
        down_forward(t, down, act, x->rows, pre, record, out->data, err) != WF_OK)
        return NULL;
    wfi_tape_scope_end(t, scope, NULL);
    if (!record) return out;
    *s = (saved){.x = x, .pre = pre, .up = *up, .down = *down, .act = act};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
