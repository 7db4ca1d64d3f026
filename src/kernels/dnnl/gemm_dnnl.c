/* kernels/dnnl/gemm_dnnl.c - matrix products through oneDNN (2.x and 3.x C interface). Layer 2.
 * The only room that knows oneDNN. Checks what oneDNN does not promise (empty sizes, k = 0, leading dimensions). */
#include "base/alloc.h"
#include "base/error.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"

#include <dnnl.h>
#include <omp.h>
#include <string.h>

struct wf_packed {
    int64_t k, n;
    float *b; /* [k,n] dense */
};

/* oneDNN asks OpenMP for the team size of the calling thread: keep it equal to weft's. */
static void match_threads(void) {
    int n = wfi_threads_get();
    if (omp_get_max_threads() != n) omp_set_num_threads(n);
}

static void scale_rows(int64_t m, int64_t n, float beta, float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) c[i * ldc + j] = beta == 0.0f ? 0.0f : c[i * ldc + j] * beta;
}

wf_status wfi_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                   const float *b, int64_t ldb, float beta, float *c, int64_t ldc, wf_err *err) {
    if (m < 0 || n < 0 || k < 0) return wfi_fail(err, WF_E_SHAPE, "matrix product with a negative size: m %lld, n %lld, k %lld", (long long)m, (long long)n, (long long)k);
    if (m == 0 || n == 0) return WF_OK;
    if (ldc < n || (k > 0 && (lda < (ta ? m : k) || ldb < (tb ? k : n))))
        return wfi_fail(err, WF_E_SHAPE, "matrix product m %lld, n %lld, k %lld: a row stride is shorter than a row (lda %lld, ldb %lld, ldc %lld)",
                        (long long)m, (long long)n, (long long)k, (long long)lda, (long long)ldb, (long long)ldc);
    if (k == 0 || alpha == 0.0f) return scale_rows(m, n, beta, c, ldc), WF_OK;
    match_threads();
    dnnl_status_t st = dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    if (st == dnnl_success) return WF_OK;
    return wfi_fail(err, st == dnnl_out_of_memory ? WF_E_NOMEM : WF_E_LIBRARY, "oneDNN sgemm failed with status %d (m %lld, n %lld, k %lld)", (int)st,
                    (long long)m, (long long)n, (long long)k);
}

wf_status wfi_packed_new(bool tb, int64_t k, int64_t n, const float *b, int64_t ldb, wf_dtype dtype, wf_packed **out, wf_err *err) {
    if (dtype != WF_DTYPE_F32) return wfi_fail(err, WF_E_UNSUPPORTED, "packed matrices of type %s are not supported yet; use F32", wfi_dtype_name(dtype));
    if (k < 0 || n < 0 || ldb < (tb ? k : n)) return wfi_fail(err, WF_E_SHAPE, "packed matrix [%lld,%lld] with row stride %lld", (long long)k, (long long)n, (long long)ldb);
    size_t count;
    if (__builtin_mul_overflow((size_t)k, (size_t)n, &count) || count > SIZE_MAX / sizeof(float) - 64)
        return wfi_fail(err, WF_E_NOMEM, "packed matrix [%lld,%lld] is too large", (long long)k, (long long)n);
    wf_packed *p = wfi_alloc(1, sizeof *p);
    float *dense = p ? wfi_alloc_aligned(count * sizeof(float) + 64) : NULL;
    if (!dense) {
        wfi_free(p);
        return wfi_fail(err, WF_E_NOMEM, "no memory for a packed matrix [%lld,%lld]", (long long)k, (long long)n);
    }
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < n; j++) dense[i * n + j] = tb ? b[j * ldb + i] : b[i * ldb + j];
    *p = (wf_packed){.k = k, .n = n, .b = dense};
    *out = p;
    return WF_OK;
}

void wfi_packed_free(wf_packed *p) {
    if (!p) return;
    wfi_free(p->b);
    wfi_free(p);
}

wf_status wfi_packed_gemm(const wf_packed *p, int64_t m, const float *a, int64_t lda, const float *bias, float beta,
                          float *c, int64_t ldc, wf_err *err) {
    if (beta != 0.0f && beta != 1.0f) return wfi_fail(err, WF_E_ARG, "packed product: beta %g is neither 0 nor 1", (double)beta);
    if (m < 0 || ldc < p->n || (p->k > 0 && lda < p->k)) return wfi_fail(err, WF_E_SHAPE, "packed product [%lld,%lld]x[%lld,%lld]: row strides %lld and %lld", (long long)m,
                        (long long)p->k, (long long)p->k, (long long)p->n, (long long)lda, (long long)ldc);
    if (bias) {
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < p->n; j++) c[i * ldc + j] = beta == 0.0f ? bias[j] : c[i * ldc + j] + bias[j];
        beta = 1.0f;
    }
    return wfi_gemm(false, false, m, p->n, p->k, 1.0f, a, lda, p->b, p->n, beta, c, ldc, err);
}
