/* tape/op_identity_pull.c - strength * || I - W ||_F^2: AdapterFusion's regulariser of the value matrix (maths.md 1.2).
 * dW += scale * 2 strength (W - I). Rows are summed on their own and then in order: the same bits on any thread count.
 */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_param *w; /* [n,n] */
    float strength;
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t size = s->w->shape[0];
    const float scale = 2.0f * s->strength * n->out->grad[0];
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(size *size))
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = 0; j < size; j++)
            s->w->grad[i * size + j] += scale * (s->w->data[i * size + j] - (i == j ? 1.0f : 0.0f));
    return WF_OK;
}

static const wf_op op = {"identity_pull", backward};

wf_value *wfi_op_identity_pull(wf_tape *t, wf_param *w, float strength) {
    if (w->rank != 2 || w->shape[0] != w->shape[1])
        return wfi_tape_fail(t, WF_E_SHAPE, "identity_pull: %s [%lld,%lld] is not square", w->name,
                             (long long)w->shape[0], (long long)(w->rank > 1 ? w->shape[1] : 1));
    const int64_t n = w->shape[0];
    const size_t scope = wfi_tape_scope(t);
    double *each = wfi_tape_get(t, (size_t)n * sizeof *each);
    if (!each) return NULL;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(n *n))
    for (int64_t i = 0; i < n; i++) {
        each[i] = 0;
        for (int64_t j = 0; j < n; j++) {
            const double d = (double)w->data[i * n + j] - (i == j ? 1.0 : 0.0);
            each[i] += d * d;
        }
    }
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += each[i];
    wfi_tape_scope_end(t, scope, NULL);
    wf_value *out = wfi_op_scalar(t, op.name, (double)strength * sum);
    if (!out || !wfi_tape_wants(t, w)) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.w = w, .strength = strength};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
