/* tape/linear.c - the products of a linear layer, and checks shared by the ops. See linear.h. */
#include "tape/linear.h"
#include "base/error.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include <math.h>
#include <string.h>

/* A packed form of weights that have become trainable would be stale after the first step. */
static const wf_packed *packed(const wf_linear *w, const wf_packed *p) {
    return w->weight->grad ? NULL : p;
}

wf_status wfi_linear_forward(const wf_linear *w, int64_t T, const float *x, float *y, wf_err *err) {
    const float *bias = w->bias ? w->bias->data : NULL;
    const wf_packed *p = packed(w, w->forward);
    if (p) return wfi_packed_gemm(p, T, x, w->in, bias, 0.0f, y, w->out, err);
    if (w->bf16)
        return wfi_gemm_bf16(false, true, T, w->out, w->in, x, w->in, w->weight->data, w->in, bias, 0.0f, y, w->out,
                             err);
    WF_TRY(wfi_gemm(false, true, T, w->out, w->in, 1.0f, x, w->in, w->weight->data, w->in, 0.0f, y, w->out, err));
    if (bias) wfi_bias_add(T, w->out, bias, y);
    return WF_OK;
}

wf_status wfi_linear_input_grad(const wf_linear *w, int64_t T, const float *dy, float *dx, bool add, wf_err *err) {
    const float beta = add ? 1.0f : 0.0f;
    const wf_packed *p = packed(w, w->backward);
    if (p) return wfi_packed_gemm(p, T, dy, w->out, NULL, beta, dx, w->in, err);
    if (w->bf16)
        return wfi_gemm_bf16(false, false, T, w->in, w->out, dy, w->out, w->weight->data, w->in, NULL, beta, dx, w->in,
                             err);
    return wfi_gemm(false, false, T, w->in, w->out, 1.0f, dy, w->out, w->weight->data, w->in, beta, dx, w->in, err);
}

wf_status wfi_linear_param_grad(const wf_linear *w, int64_t T, const float *x, const float *dy, wf_err *err) {
    if (w->bias && w->bias->grad) wfi_column_sum(T, w->out, dy, w->bias->grad);
    if (!w->weight->grad) return WF_OK;
    if (w->bf16)
        return wfi_gemm_bf16(true, false, w->out, w->in, T, dy, w->out, x, w->in, NULL, 1.0f, w->weight->grad, w->in,
                             err);
    return wfi_gemm(true, false, w->out, w->in, T, 1.0f, dy, w->out, x, w->in, 1.0f, w->weight->grad, w->in, err);
}

bool wfi_linear_wants(const wf_tape *t, const wf_linear *w) {
    return wfi_tape_wants(t, w->weight) || wfi_tape_wants(t, w->bias);
}

bool wfi_op_fits_linear(wf_tape *t, const char *op, const wf_value *x, const wf_linear *w) {
    const wf_param *W = w->weight;
    if (W->rank != 2 || W->shape[0] != w->out || W->shape[1] != w->in || (w->bias && w->bias->count != w->out)) {
        wfi_tape_fail(t, WF_E_SHAPE, "%s: %s and its bias do not have the shapes of a linear layer [%lld,%lld]", op,
                      W->name, (long long)w->out, (long long)w->in);
        return false;
    }
    if (x->cols == w->in) return true;
    wfi_tape_fail(t, WF_E_SHAPE, "%s: input [%lld,%lld] does not fit %s [%lld,%lld]", op, (long long)x->rows,
                  (long long)x->cols, W->name, (long long)w->out, (long long)w->in);
    return false;
}

bool wfi_op_same_shape(wf_tape *t, const char *op, const wf_value *a, const wf_value *b) {
    if (a->rows == b->rows && a->cols == b->cols) return true;
    wfi_tape_fail(t, WF_E_SHAPE, "%s: shapes [%lld,%lld] and [%lld,%lld] differ", op, (long long)a->rows,
                  (long long)a->cols, (long long)b->rows, (long long)b->cols);
    return false;
}

bool wfi_op_offsets(wf_tape *t, const char *op, const wf_value *x, int64_t S, const int64_t *offsets,
                    bool empty_allowed) {
    if (S < 0 || !offsets || offsets[0] != 0 || offsets[S] != x->rows) {
        wfi_tape_fail(t, WF_E_SHAPE, "%s: offsets of %lld sequences end at row %lld, but the input is [%lld,%lld]", op,
                      (long long)S, S >= 0 && offsets ? (long long)offsets[S] : -1LL, (long long)x->rows,
                      (long long)x->cols);
        return false;
    }
    for (int64_t s = 0; s < S; s++) {
        const int64_t n = offsets[s + 1] - offsets[s];
        if (n > 0 || (n == 0 && empty_allowed)) continue;
        wfi_tape_fail(t, WF_E_SHAPE, "%s: sequence %lld has %lld rows", op, (long long)s, (long long)n);
        return false;
    }
    return true;
}

bool wfi_op_rate(wf_tape *t, const char *op, float p) {
    if (p >= 0.0f && p < 1.0f) return true;
    wfi_tape_fail(t, WF_E_ARG, "%s: rate %g is not in [0,1)", op, (double)p);
    return false;
}

void *wfi_op_copy(wf_tape *t, const void *data, size_t count, size_t size) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes))
        return wfi_tape_fail(t, WF_E_NOMEM, "array of %zu elements is too large", count);
    void *p = wfi_tape_get(t, bytes);
    if (p && bytes) memcpy(p, data, bytes);
    return p;
}

wf_value *wfi_op_scalar(wf_tape *t, const char *op, double loss) {
    if (!isfinite(loss) || !isfinite((float)loss))
        return wfi_tape_fail(t, WF_E_NONFINITE, "%s: the loss is %s; its inputs have become too large or not a number",
                             op, isnan(loss) ? "not a number" : "infinite");
    wf_value *out = wfi_tape_value(t, 1, 1);
    if (out) out->data[0] = (float)loss;
    return out;
}

int wfi_op_threads(int64_t work) {
    const int64_t least = 16384,
                  most = wfi_threads_get(); /* starting a team costs about as much as this many elements */
    return work / least < 2 ? 1 : (int)(work / least < most ? work / least : most);
}

void wfi_op_logs(const float *x, int64_t n, int64_t C, double *out) {
    double most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < n; c++)
        if ((double)x[c] > most) most = (double)x[c]; /* a NaN shows in the sum */
    for (int64_t c = 0; c < n; c++) sum += exp((double)x[c] - most);
    for (int64_t c = 0; c < C; c++) out[c] = c < n ? (double)x[c] - most - log(sum) : 0.0;
}
