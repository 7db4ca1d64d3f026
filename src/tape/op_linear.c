/* tape/op_linear.c - y = x W^T + b. dx = dy W, dW += dy^T x, db += column sums of dy. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x; /* [T,in] */
    wf_linear w;
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = s->x->rows;
    WF_TRY(wfi_linear_param_grad(&s->w, T, s->x->data, n->out->grad, err));
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    return dx ? wfi_linear_input_grad(&s->w, T, n->out->grad, dx, !fresh, err) : WF_OK;
}

static const wf_op op = {"linear", backward};

wf_value *wfi_op_linear(wf_tape *t, wf_value *x, const wf_linear *w) {
    if (!x || !wfi_op_fits_linear(t, op.name, x, w)) return NULL;
    wf_value *out = wfi_tape_value(t, x->rows, w->out);
    if (!out || wfi_linear_forward(w, x->rows, x->data, out->data, wfi_tape_err(t)) != WF_OK) return NULL;
    if (!x->needs_grad && !wfi_linear_wants(t, w)) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.x = x, .w = *w};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
