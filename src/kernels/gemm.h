/* kernels/gemm.h - matrix products. Only src/kernels/dnnl/ knows oneDNN. Layer 2.
 * All matrices are row-major float32. WEFT_ISA (base/cpu.h) also limits oneDNN. Parallel inside (OpenMP); the same
 * shapes and thread count give the same bits. Threads: one product at a time per process thread; safe from several
 * threads. */
#ifndef WF_KERNELS_GEMM_H
#define WF_KERNELS_GEMM_H
#include "kernels/kernels.h"
#include "tensor/source.h"
#include <stdbool.h>

/* C[m,n] = alpha * op(A)[m,k] op(B)[k,n] + beta * C. ta/tb: A is stored (k,m), B is stored (n,k).
 * beta 0 never reads C. m, n or k of 0 is fine (k 0: C = beta*C). */
wf_status wfi_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                   const float *b, int64_t ldb, float beta, float *c, int64_t ldc, wf_err *err);

/* C[m,n] = op(A) op(B) + bias[n] + beta * C with both factors rounded to bfloat16 first (kernels.h), for a matrix that
 * changes: sums, bias (NULL: none) and C are float32, beta 0 or 1. The same numbers are multiplied with and without
 * bfloat16 instructions, as with a packed matrix of that type. */
wf_status wfi_gemm_bf16(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                        int64_t ldb, const float *bias, float beta, float *c, int64_t ldc, wf_err *err);

/* A frozen matrix B[k,n], re-laid out once for fast products; b is needed only during the call. tb: stored (n,k).
 * dtype WF_DTYPE_F32; or WF_DTYPE_BF16: B and, in each product, A are rounded to bfloat16 (kernels.h), products are
 * summed in float32, bias and C are float32. The same numbers are multiplied with and without bfloat16 instructions;
 * only the order of sums differs, and instructions take denormal numbers for zero. Or WF_DTYPE_I8: B and, in each
 * product, A are brought to 8 bits with a scale a group of 128 along k (int8.h); bits are the same at every level and
 * on every machine, NaN or infinity in a row of A make NaN of that row of C. Others are WF_E_UNSUPPORTED. */
typedef struct wf_packed wf_packed;
/* A BF16 (I8) matrix packed now would use the processor's own instructions for it; without them F32 is as fast. */
bool wfi_packed_native_bf16(void);
bool wfi_packed_native_int8(void);
wf_status wfi_packed_new(bool tb, int64_t k, int64_t n, const float *b, int64_t ldb, wf_dtype dtype, wf_packed **out,
                         wf_err *err);
void wfi_packed_free(wf_packed *p);
/* For keeping what was packed. Bytes: borrowed; NULL when a matrix of this type is not kept. Over: the same matrix from
 * such bytes (64-byte aligned, no copy: they must outlive it), which may be followed by others: WF_E_DATA when `most`
 * are too few, WF_E_UNSUPPORTED for a type that is not kept. Bytes fit where the form is the same text. */
enum { WF_PACKED_FORM = 256 };
const void *wfi_packed_bytes(const wf_packed *p, size_t *size);
wf_status wfi_packed_over(int64_t k, int64_t n, const void *bytes, size_t most, wf_dtype dtype, wf_packed **out,
                          wf_err *err);
void wfi_packed_form(char text[WF_PACKED_FORM]);
/* C[m,n] = A[m,k] B + bias[n] (bias may be NULL) + beta * C, beta 0 or 1. */
wf_status wfi_packed_gemm(const wf_packed *p, int64_t m, const float *a, int64_t lda, const float *bias, float beta,
                          float *c, int64_t ldc, wf_err *err);
/* The same with A = act(x) or, with dy, dy o act'(x) (both with row stride lda), made on the way to 8 bits: for a
 * matrix in I8. The bits are those of A made beforehand (kernels.h). */
bool wfi_packed_takes_act(const wf_packed *p); /* p may be NULL: false */
wf_status wfi_packed_gemm_act(const wf_packed *p, int64_t m, wf_act act, const float *x, const float *dy, int64_t lda,
                              const float *bias, float beta, float *c, int64_t ldc, wf_err *err);
/* The same with rows that are rounded already (wfi_to_bf16), for a matrix that is multiplied by bfloat16 instructions.
 */
bool wfi_packed_takes_bf16(const wf_packed *p); /* p may be NULL: false */
wf_status wfi_packed_gemm_bf16(const wf_packed *p, int64_t m, const uint16_t *a, int64_t lda, const float *bias,
                               float beta, float *c, int64_t ldc, wf_err *err);
#endif
