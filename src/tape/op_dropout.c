/* tape/op_dropout.c - element dropout. The mask is a function of (key, element), so backward repeats the call on dy. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x;
    float p;
    uint64_t key;
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    wfi_dropout(n->out->rows * n->out->cols, s->key, s->p, n->out->grad, n->out->grad);
    wfi_tape_grad_pass(t, n->out, s->x);
    return WF_OK;
}

static const wf_op op = {"dropout", backward};

wf_value *wfi_op_dropout(wf_tape *t, wf_value *x, float p, uint64_t key) {
    if (!x || !wfi_op_rate(t, op.name, p)) return NULL;
    if (p == 0.0f || !wfi_tape_drops(t)) return x;
    wf_value *out = wfi_tape_value(t, x->rows, x->cols);
    if (!out) return NULL;
    wfi_dropout(x->rows * x->cols, key, p, x->data, out->data);
    if (!x->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.x = x, .p = p, .key = key};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
