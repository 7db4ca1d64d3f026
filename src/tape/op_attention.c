/* tape/op_attention.c - multi-head scaled dot-product attention over ragged sequences. Kept for backward: q, k, v, the
 * output and each row's log-sum-exp; scores are never stored (the kernel recomputes them tile by tile). */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"
#include <math.h>

typedef struct saved {
    wf_value *in[3]; /* q, k, v, each [T,H] */
    float *lse;      /* [T,heads] */
    int64_t S, heads;
    const int64_t *offsets; /* [S+1] */
    float scale, p;
    uint64_t key;
} saved;

/* The kernel overwrites all three gradients: one that exists already, or that nobody needs, goes through scratch. */
static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = n->out->rows, H = n->out->cols;
    float *d[3];
    bool direct[3];
    for (int i = 0; i < 3; i++) {
        direct[i] = s->in[i]->needs_grad && !s->in[i]->grad;
        bool fresh = false;
        d[i] = direct[i] ? wfi_tape_grad(t, s->in[i], &fresh) : wfi_tape_buffer(t, T, H);
        if (!d[i]) return WF_OK; /* noted in the tape */
    }
    wfi_attention_backward(s->S, s->offsets, s->heads, H / s->heads, s->scale, s->in[0]->data, s->in[1]->data,
                           s->in[2]->data, H, n->out->data, s->lse, n->out->grad, d[0], d[1], d[2], H, s->p, s->key);
    for (int i = 0; i < 3; i++) {
        if (direct[i]) continue;
        wfi_tape_grad_add(t, s->in[i], d[i]);
        wfi_tape_buffer_done(t, d[i], T, H);
    }
    return WF_OK;
}

static const wf_op op = {"attention", backward};

static bool fits(wf_tape *t, const wf_value *q, const wf_value *k, const wf_value *v, int64_t S, const int64_t *offsets,
                 int64_t heads, float p) {
    if (!wfi_op_same_shape(t, op.name, q, k) || !wfi_op_same_shape(t, op.name, q, v) || !wfi_op_rate(t, op.name, p) ||
        !wfi_op_offsets(t, op.name, q, S, offsets, true))
        return false;
    if (heads < 1 || q->cols % heads != 0 || q->cols < heads) {
        wfi_tape_fail(t, WF_E_SHAPE, "attention: width of [%lld,%lld] is no multiple of %lld heads", (long long)q->rows,
                      (long long)q->cols, (long long)heads);
        return false;
    }
    for (int64_t s = 0; s < S; s++) { /* dropout numbers a key position with 16 bits */
        if (offsets[s + 1] - offsets[s] <= 65536) continue;
        wfi_tape_fail(t, WF_E_SHAPE, "attention: sequence %lld has %lld rows, more than 65536", (long long)s,
                      (long long)(offsets[s + 1] - offsets[s]));
        return false;
    }
    return true;
}

wf_value *wfi_op_attention(wf_tape *t, wf_value *q, wf_value *k, wf_value *v, int64_t S, const int64_t *offsets,
                           int64_t heads, float p, uint64_t key) {
    if (!q || !k || !v || !fits(t, q, k, v, S, offsets, heads, p)) return NULL;
    const int64_t T = q->rows, H = q->cols, D = H / heads;
    const float scale = (float)(1.0 / sqrt((double)D));
    if (!wfi_tape_drops(t)) p = 0.0f;
    const bool record = q->needs_grad || k->needs_grad || v->needs_grad;
    wf_value *out = wfi_tape_value(t, T, H);
    float *lse = record ? wfi_tape_floats(t, T, heads) : NULL;
    if (!out || (record && !lse)) return NULL;
    wfi_attention_forward(S, offsets, heads, D, scale, q->data, k->data, v->data, H, out->data, lse, p, key);
    if (!record) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){
        .in = {q, k, v}, .lse = lse, .S = S, .heads = heads, .offsets = offsets, .scale = scale, .p = p, .key = key};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
