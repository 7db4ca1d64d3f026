/* tape/op_pool.c - one row a sequence: its first row (CLS) or the mean of its rows. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"
#include <string.h>

typedef struct saved {
    wf_value *x; /* [T,H] */
    wf_pooling kind;
    int64_t S;
    const int64_t *offsets;
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = s->x->rows, H = s->x->cols;
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    if (!dx) return WF_OK; /* noted in the tape */
    if (fresh) memset(dx, 0, (size_t)(T * H) * sizeof *dx);
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(T *H))
    for (int64_t q = 0; q < s->S; q++) {
        const float *dy = n->out->grad + q * H;
        const int64_t low = s->offsets[q], high = s->kind == WF_POOL_CLS ? low + 1 : s->offsets[q + 1];
        const float share = 1.0f / (float)(high - low);
        for (int64_t r = low; r < high; r++)
            for (int64_t h = 0; h < H; h++) dx[r * H + h] += dy[h] * share;
    }
    return WF_OK;
}

static const wf_op op = {"pool", backward};

wf_value *wfi_op_pool(wf_tape *t, wf_value *x, wf_pooling kind, int64_t S, const int64_t *offsets) {
    if (!x || !wfi_op_offsets(t, op.name, x, S, offsets, false)) return NULL;
    const int64_t H = x->cols;
    wf_value *out = wfi_tape_value(t, S, H);
    if (!out) return NULL;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(x->rows *H))
    for (int64_t q = 0; q < S; q++) {
        float *y = out->data + q * H;
        const int64_t low = offsets[q], high = kind == WF_POOL_CLS ? low + 1 : offsets[q + 1];
        memcpy(y, x->data + low * H, (size_t)H * sizeof *y);
        for (int64_t r = low + 1; r < high; r++)
            for (int64_t h = 0; h < H; h++) y[h] += x->data[r * H + h];
        if (kind == WF_POOL_MEAN)
            for (int64_t h = 0; h < H; h++) y[h] /= (float)(high - low);
    }
    if (!x->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.x = x, .kind = kind, .S = S, .offsets = offsets};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
