/* fusion/fuse_query.c - see fuse_query.h. */
#include "fusion/fuse_query.h"
#include "base/error.h"
#include "fusion/fuse_loops.h"
#include "kernels/gemm.h"
#include "tape/linear.h"

wf_status wfi_fuse_query_forward(wf_tape *tape, const wf_value *q, bool shared, wf_fuse_query *s) {
    const int64_t T = q->rows, d = q->cols;
    wf_err *err = wfi_tape_err(tape);
    s->Q = s->t = q->data;
    if (s->query) {
        float *Q = wfi_tape_floats(tape, T, d);
        if (!Q) return WF_E_NOMEM;
        WF_TRY(wfi_linear_forward(s->query, T, q->data, Q, err));
        s->Q = s->t = Q;
    }
    if (!s->key) return WF_OK;
    const float *b = shared && s->key->bias ? s->key->bias->data : NULL;
    float *t = wfi_tape_floats(tape, T, d), *c = b ? wfi_tape_floats(tape, T, 1) : NULL;
    if (!t || (b && !c)) return WF_E_NOMEM;
    WF_TRY(wfi_linear_input_grad(s->key, T, s->Q, t, false, err)); /* Q W_k */
    if (c) wfi_fuse_dots(T, d, s->Q, b, 0.0f, c);
    s->t = t;
    s->shared = c;
    return WF_OK;
}

/* Through W_k: dQ in `own` (or dt itself), and what W_k and b_k get. */
static wf_status key_backward(const wf_fuse_query *s, int64_t T, const float *dt, const float *dshared, float *dQ,
                              wf_err *err) {
    const wf_linear *key = s->key;
    const int64_t d = key->in;
    if (key->weight->grad)
        WF_TRY(wfi_gemm(true, false, d, d, T, 1.0f, s->Q, d, dt, d, 1.0f, key->weight->grad, d, err));
    if (dshared && key->bias && key->bias->grad)
        WF_TRY(wfi_gemm(true, false, 1, d, T, 1.0f, dshared, 1, s->Q, d, 1.0f, key->bias->grad, d, err));
    if (!dQ) return WF_OK;
    const wf_linear product_only = {.in = key->in, .out = key->out, .weight = key->weight, .forward = key->forward};
    WF_TRY(wfi_linear_forward(&product_only, T, dt, dQ, err));
    if (dshared && key->bias) wfi_fuse_add_outer(T, d, dshared, key->bias->data, dQ);
    return WF_OK;
}

wf_status wfi_fuse_query_backward(wf_tape *tape, const wf_fuse_query *s, wf_value *q, const float *dt,
                                  const float *dshared, wf_err *err) {
    const int64_t T = q->rows, d = q->cols;
    const bool on = q->needs_grad || (s->query && wfi_linear_wants(tape, s->query));
    float *own = s->key && on ? wfi_tape_buffer(tape, T, d) : NULL;
    if (s->key && on && !own) return WF_OK; /* noted in the tape */
    if (s->key) WF_TRY(key_backward(s, T, dt, dshared, own, err));
    const float *dQ = s->key ? own : dt;
    if (on && !s->query) wfi_tape_grad_add(tape, q, dQ);
    if (on && s->query) {
        WF_TRY(wfi_linear_param_grad(s->query, T, q->data, dQ, err));
        bool fresh = false;
        float *dq = wfi_tape_grad(tape, q, &fresh);
        if (dq) WF_TRY(wfi_linear_input_grad(s->query, T, dQ, dq, !fresh, err));
    }
    wfi_tape_buffer_done(tape, own, T, d);
    return WF_OK;
}
