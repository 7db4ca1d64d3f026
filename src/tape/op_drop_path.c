/* tape/op_drop_path.c - stochastic depth (Huang et al. 2016), row mode: a whole sequence of x is zeroed with
 * probability p, survivors are scaled by 1/(1-p). The mask is a function of (key, sequence). */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x; /* [T,H] */
    float p;
    uint64_t key;
    int64_t S;
    const int64_t *offsets;
} saved;

/* out = x * factor of the sequence; out may be x. */
static void apply(const saved *s, const float *x, float *out) {
    const int64_t H = s->x->cols;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(s->x->rows *H))
    for (int64_t q = 0; q < s->S; q++) {
        const float factor = wfi_dropout_keep(s->key, (uint64_t)q, s->p) ? 1.0f / (1.0f - s->p) : 0.0f;
        for (int64_t i = s->offsets[q] * H; i < s->offsets[q + 1] * H; i++)
            out[i] = factor != 0.0f ? x[i] * factor : 0.0f;
    }
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    apply(s, n->out->grad, n->out->grad);
    wfi_tape_grad_pass(t, n->out, s->x);
    return WF_OK;
}

static const wf_op op = {"drop_path", backward};

wf_value *wfi_op_drop_path(wf_tape *t, wf_value *x, float p, uint64_t key, int64_t S, const int64_t *offsets) {
    if (!x || !wfi_op_rate(t, op.name, p) || !wfi_op_offsets(t, op.name, x, S, offsets, true)) return NULL;
    if (p == 0.0f || !wfi_tape_drops(t)) return x;
    const saved from = {.x = x, .p = p, .key = key, .S = S, .offsets = offsets};
    wf_value *out = wfi_tape_value(t, x->rows, x->cols);
    if (!out) return NULL;
    apply(&from, x->data, out->data);
    if (!x->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = from;
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
