/* tape/op_reshape.c - the same elements under another shape; data is shared, the gradient buffer handed over. */
#include "base/error.h"
#include "tape/ops.h"

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    wfi_tape_grad_pass(t, n->out, n->saved);
    return WF_OK;
}

static const wf_op op = {"reshape", backward};

wf_value *wfi_op_reshape(wf_tape *t, wf_value *x, int64_t rows, int64_t cols) {
    if (!x) return NULL;
    int64_t count = 0;
    if (rows < 0 || cols < 0 || __builtin_mul_overflow(rows, cols, &count) || count != x->rows * x->cols)
        return wfi_tape_fail(t, WF_E_SHAPE, "reshape: [%lld,%lld] does not have as many elements as [%lld,%lld]",
                             (long long)rows, (long long)cols, (long long)x->rows, (long long)x->cols);
    wf_value *out = wfi_tape_get(t, sizeof *out);
    if (!out) return NULL;
    *out = (wf_value){.data = x->data, .rows = rows, .cols = cols};
    if (!x->needs_grad) return out;
    return wfi_tape_record(t, &op, out, x) ? out : NULL;
}
