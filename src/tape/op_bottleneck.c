/* tape/op_bottleneck.c - u = W_up act(W_down z + b_down) + b_up with one record. Kept for backward: the pre-activation
 * and the activated rows, both [T,m]; m is a small part of the width, so recomputing them would save little. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *z;      /* [T,in] */
    float *pre, *mid; /* [T,m] before and after the non-linearity */
    wf_linear down, up;
    wf_act act;
} saved;

static bool trained(const wf_linear *w) {
    return w->weight->grad || (w->bias && w->bias->grad);
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = s->z->rows, m = s->down.out;
    WF_TRY(wfi_linear_param_grad(&s->up, T, s->mid, n->out->grad, err));
    if (!s->z->needs_grad && !trained(&s->down)) return WF_OK;
    float *d = wfi_tape_buffer(t, T, m);
    if (!d) return WF_OK; /* noted in the tape */
    WF_TRY(wfi_linear_input_grad(&s->up, T, n->out->grad, d, false, err));
    wfi_act_backward(s->act, T * m, s->pre, d, d, false);
    WF_TRY(wfi_linear_param_grad(&s->down, T, s->z->data, d, err));
    bool fresh = false;
    float *dz = wfi_tape_grad(t, s->z, &fresh);
    if (dz) WF_TRY(wfi_linear_input_grad(&s->down, T, d, dz, !fresh, err));
    wfi_tape_buffer_done(t, d, T, m);
    return WF_OK;
}

static const wf_op op = {"bottleneck", backward};

static bool fits(wf_tape *t, const wf_value *z, const wf_linear *down, const wf_linear *up, wf_act act) {
    const wf_value middle = {.rows = z->rows, .cols = down->out};
    if ((int)act < 0 || act >= WF_ACT_COUNT) {
        wfi_tape_fail(t, WF_E_ARG, "bottleneck: no non-linearity has number %d", (int)act);
        return false;
    }
    return wfi_op_fits_linear(t, op.name, z, down) && wfi_op_fits_linear(t, op.name, &middle, up);
}

wf_value *wfi_op_bottleneck(wf_tape *t, wf_value *z, const wf_linear *down, const wf_linear *up, wf_act act) {
    if (!z || !fits(t, z, down, up, act)) return NULL;
    const int64_t T = z->rows, m = down->out;
    const bool record = z->needs_grad || wfi_linear_wants(t, down) || wfi_linear_wants(t, up);
    wf_value *out = wfi_tape_value(t, T, up->out);
    const size_t scope = wfi_tape_scope(t);
    float *pre = wfi_tape_floats(t, T, m), *mid = record ? wfi_tape_floats(t, T, m) : pre;
    if (!out || !pre || !mid) return NULL;
    if (wfi_linear_forward(down, T, z->data, pre, wfi_tape_err(t)) != WF_OK) return NULL;
    wfi_act_forward(act, T * m, pre, mid);
    if (wfi_linear_forward(up, T, mid, out->data, wfi_tape_err(t)) != WF_OK) return NULL;
    if (!record) {
        wfi_tape_scope_end(t, scope, NULL);
        return out;
    }
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.z = z, .pre = pre, .mid = mid, .down = *down, .up = *up, .act = act};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
