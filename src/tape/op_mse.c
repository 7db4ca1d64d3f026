/* tape/op_mse.c - mean squared error. dx = scale * 2/n * (x - target). */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x;
    const float *target; /* as many as x has elements */
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t count = s->x->rows * s->x->cols;
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    const double scale = 2.0 * (double)n->out->grad[0] / (double)count;
    for (int64_t i = 0; dx && i < count; i++) {
        const float d = (float)(scale * ((double)s->x->data[i] - (double)s->target[i]));
        dx[i] = fresh ? d : dx[i] + d;
    }
    return WF_OK;
}

static const wf_op op = {"mse", backward};

wf_value *wfi_op_mse(wf_tape *t, wf_value *x, const float *target) {
    if (!x) return NULL;
    const int64_t count = x->rows * x->cols;
    if (x->cols != 1 || count == 0)
        return wfi_tape_fail(t, WF_E_SHAPE, "mse: input is [%lld,%lld], not [S,1] with S > 0", (long long)x->rows,
                             (long long)x->cols);
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double d = (double)x->data[i] - (double)target[i];
        sum += d * d;
    }
    wf_value *out = wfi_op_scalar(t, op.name, sum / (double)count);
    if (!out || !x->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    const float *kept = wfi_op_copy(t, target, (size_t)count, sizeof *target);
    if (!s || !kept) return NULL;
    *s = (saved){.x = x, .target = kept};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
