/* tape/op_scale.c - out = alpha * x. */
#include "base/error.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x;
    float alpha;
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    wfi_scale(n->out->rows * n->out->cols, s->alpha, n->out->grad);
    wfi_tape_grad_pass(t, n->out, s->x);
    return WF_OK;
}

static const wf_op op = {"scale", backward};

wf_value *wfi_op_scale(wf_tape *t, wf_value *x, float alpha) {
    if (!x) return NULL;
    if (alpha == 1.0f) return x;
    wf_value *out = wfi_tape_value(t, x->rows, x->cols);
    if (!out) return NULL;
    wfi_copy(x->rows * x->cols, x->data, out->data);
    wfi_scale(x->rows * x->cols, alpha, out->data);
    if (!x->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.x = x, .alpha = alpha};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
