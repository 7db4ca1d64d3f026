/* tape/op_add.c - sum of 1 to 8 values of one shape, added from left to right. Every addend's gradient is dy. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    int n;
    wf_value *x[8]; /* those that need a gradient, n of them */
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    for (int i = 1; i < s->n; i++) wfi_tape_grad_add(t, s->x[i], n->out->grad);
    wfi_tape_grad_pass(t, n->out, s->x[0]);
    return WF_OK;
}

static const wf_op op = {"add", backward};

wf_value *wfi_op_add(wf_tape *t, int n, wf_value *const *x) {
    if (n < 1 || n > 8) return wfi_tape_fail(t, WF_E_ARG, "add: takes 1 to 8 values, not %d", n);
    saved from = {0};
    for (int i = 0; i < n; i++) {
        if (!x[i] || !wfi_op_same_shape(t, op.name, x[0], x[i])) return NULL;
        if (x[i]->needs_grad) from.x[from.n++] = x[i];
    }
    if (n == 1) return x[0];
    const int64_t count = x[0]->rows * x[0]->cols;
    wf_value *out = wfi_tape_value(t, x[0]->rows, x[0]->cols);
    if (!out) return NULL;
    wfi_add(count, x[0]->data, x[1]->data, out->data);
    for (int i = 2; i < n; i++) wfi_add(count, out->data, x[i]->data, out->data);
    if (from.n == 0) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = from;
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
