/* tape/op_dot.c - [1,1]: the sum of x o w for constant w; reads one number out of logits. */
#include "base/error.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x;
    const float *w;
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t count = s->x->rows * s->x->cols;
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    for (int64_t i = 0; dx && i < count; i++) dx[i] = n->out->grad[0] * s->w[i] + (fresh ? 0.0f : dx[i]);
    return WF_OK;
}

static const wf_op op = {"dot", backward};

wf_value *wfi_op_dot(wf_tape *t, wf_value *x, const float *w) {
    if (!x) return NULL;
    wf_value *out = wfi_tape_value(t, 1, 1);
    if (!out) return NULL;
    double sum = 0;
    for (int64_t i = 0; i < x->rows * x->cols; i++) sum += (double)x->data[i] * (double)w[i];
    out->data[0] = (float)sum;
    if (!x->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.x = x, .w = w};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
