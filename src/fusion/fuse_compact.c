/* fusion/fuse_compact.c - see fuse_compact.h. */
#include "fusion/fuse_compact.h"
#include "base/error.h"
#include "fusion/fuse_loops.h"

static const float *bias_of(const wf_linear *w) {
    return w && w->bias ? w->bias->data : NULL;
}

static int matrices(const wf_fuse_compact *c) {
    return (c->query != NULL) + (c->key != NULL) + (c->value != NULL);
}

/* Against the products over all rows, by their multiplications: each matrix takes three products over the rows there,
 * three of K rows here; dG and dV are two more over the rows. */
bool wfi_fuse_compact_pays(const wf_fuse_compact *c, int64_t T) {
    return 3 * matrices(c) * (T - c->K) * c->d > 2 * T * c->K;
}

size_t wfi_fuse_compact_floats(const wf_fuse_compact *c) {
    return (size_t)(matrices(c) * c->K * c->d + c->K + c->d);
}

/* y [m,d] = x [m,d] W or, turned, x W^T */
static wf_status times(bool turned, int64_t m, int64_t d, const float *x, const wf_linear *w, float *y, wf_err *err) {
    return wfi_gemm(false, turned, m, d, d, 1.0f, x, d, w->weight->data, d, 0.0f, y, d, err);
}

wf_status wfi_fuse_compact_make(wf_fuse_compact *c, float *memory, wf_err *err) {
    const int64_t K = c->K, d = c->d;
    const float *bq = bias_of(c->query), *bk = bias_of(c->key);
    float *next = memory, *bias = memory + matrices(c) * K * d, *w = bias + K;
    c->P = c->G = c->V = c->U;
    c->c = c->w = NULL;
    c->shared = bq && bk ? wfi_fuse_dot(bk, bq, d) : 0.0f;
    if (c->key) {
        WF_TRY(times(true, K, d, c->U, c->key, next, err));
        c->P = c->G = next;
        next += K * d;
    }
    if (c->query) {
        WF_TRY(times(false, K, d, c->P, c->query, next, err));
        c->G = next;
        next += K * d;
    }
    if (bq) {
        wfi_fuse_dots(K, d, c->P, bq, 0.0f, bias);
        c->c = bias;
    }
    if (bk && c->query) WF_TRY(times(false, 1, d, bk, c->query, w, err));
    if (bk) c->w = c->query ? w : bk;
    if (!c->value) return WF_OK;
    c->V = next;
    return times(true, K, d, c->U, c->value, next, err);
}

/* W.grad [d,d] += A^T B for A, B [K,d] */
static wf_status into(const wf_linear *w, int64_t K, const float *A, const float *B, wf_err *err) {
    const int64_t d = w->in;
    if (!w->weight->grad) return WF_OK;
    return wfi_gemm(true, false, d, d, K, 1.0f, A, d, B, d, 1.0f, w->weight->grad, d, err);
}

/* W_q and b_q, but for the shared part of scores; dP into room (dG itself without W_q). */
static wf_status query_back(const wf_fuse_compact *c, const float *dG, const float *dc, float *room, const float **dP,
                            wf_err *err) {
    const int64_t K = c->K, d = c->d;
    *dP = dG;
    if (!c->query) return WF_OK;
    const wf_param *b = c->query->bias;
    WF_TRY(into(c->query, K, c->P, dG, err));
    if (b && b->grad) WF_TRY(wfi_gemm(true, false, 1, d, K, 1.0f, dc, 1, c->P, d, 1.0f, b->grad, d, err));
    WF_TRY(times(true, K, d, dG, c->query, room, err));
    if (b) wfi_fuse_add_outer(K, d, dc, b->data, room);
    *dP = room;
    return WF_OK;
}

/* shared = q . (W_q^T b_k) + b_k . b_q */
static wf_status shared_back(const wf_fuse_compact *c, const float *dw, float e, wf_err *err) {
    const int64_t d = c->d;
    const float *bk = bias_of(c->key), *bq = bias_of(c->query);
    if (!bk) return WF_OK;
    float *dbk = c->key->bias->grad;
    if (dbk && c->query)
        WF_TRY(wfi_gemm(false, true, 1, d, d, 1.0f, dw, d, c->query->weight->data, d, 1.0f, dbk, d, err));
    if (dbk && !c->query) wfi_fuse_axpy(1.0f, dw, dbk, d);
    if (dbk && bq) wfi_fuse_axpy(e, bq, dbk, d);
    if (!c->query) return WF_OK;
    if (c->query->weight->grad) wfi_fuse_add_outer(d, d, bk, dw, c->query->weight->grad);
    if (bq && c->query->bias->grad) wfi_fuse_axpy(e, bk, c->query->bias->grad, d);
    return WF_OK;
}

wf_status wfi_fuse_compact_back(const wf_fuse_compact *c, const float *dG, const float *dc, const float *dV,
                                const float *dw, float e, float *room, float *dU, wf_err *err) {
    const int64_t K = c->K, d = c->d;
    const float *dP = NULL;
    WF_TRY(query_back(c, dG, dc, room, &dP, err));
    if (c->key) WF_TRY(into(c->key, K, dP, c->U, err));
    if (dw) WF_TRY(shared_back(c, dw, e, err));
    if (c->value) WF_TRY(into(c->value, K, dV, c->U, err));
    if (!dU) return WF_OK;
    if (c->key)
        WF_TRY(times(false, K, d, dP, c->key, dU, err));
    else
        memcpy(dU, dP, (size_t)(K * d) * sizeof *dU);
    if (c->value) return wfi_gemm(false, false, K, d, d, 1.0f, dV, d, c->value->weight->data, d, 1.0f, dU, d, err);
    wfi_fuse_axpy(1.0f, dV, dU, K * d);
    return WF_OK;
}
