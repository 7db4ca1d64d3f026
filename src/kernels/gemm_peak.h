/* kernels/gemm_peak.h - oneDNN's own product in 8 bits, what a machine can do with bytes: a bound for benchmarks.
 * Nothing computes with it: it has no scales. Layer 2. Threads: as gemm.h. */
#ifndef WF_KERNELS_GEMM_PEAK_H
#define WF_KERNELS_GEMM_PEAK_H
#include "weft/status.h"
#include <stdint.h>

typedef struct wf_byte_product wf_byte_product;
/* For products of m rows with B[k,n], which is re-laid out once as oneDNN likes it; b is needed only during the call.
 */
wf_status wfi_byte_product_new(int64_t m, int64_t k, int64_t n, const int8_t *b, wf_byte_product **out, wf_err *err);
/* C[m,n] = A[m,k] B. Exact where the processor sums bytes in 32 bits (VNNI); elsewhere sums of two products may
 * saturate at 16. */
wf_status wfi_byte_product_run(const wf_byte_product *p, const uint8_t *a, int32_t *c, wf_err *err);
void wfi_byte_product_free(wf_byte_product *p);
#endif
