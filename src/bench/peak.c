/* bench/peak.c - the fastest matrix product of this machine by type, at sizes of the base and at a large square. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "bench/bench.h"
#include "kernels/gemm.h"
#include <string.h>

static const wf_dtype TYPES[BENCH_TYPES] = {WF_DTYPE_F32, WF_DTYPE_BF16, WF_DTYPE_I8};
static const double ENOUGH_SECONDS = 0.04;
enum { LEAST_RUNS = 3 };

/* A type that the matrices know but the processor does not is slower than float32: no peak. */
static wf_status size_try(wf_bench_peak *p, double enough, int64_t m, int64_t k, int64_t n, const float *a,
                          const float *b, float *c, wf_err *err) {
    wf_packed *packed = NULL;
    wf_err why = {0};
    wf_status st = wfi_packed_new(true, k, n, b, k, p->dtype, &packed, &why);
    if (st == WF_E_UNSUPPORTED) return WF_OK;
    if (st != WF_OK && err) *err = why;
    const double begin = wfi_clock_seconds();
    for (int i = 0; st == WF_OK && (i < LEAST_RUNS || wfi_clock_seconds() - begin < enough); i++) {
        const double from = wfi_clock_seconds();
        st = wfi_packed_gemm(packed, m, a, k, NULL, 0.0f, c, n, err);
        const double rate = 2.0 * (double)m * (double)k * (double)n / (wfi_clock_seconds() - from);
        if (st == WF_OK && i && rate > p->flops) *p = (wf_bench_peak){p->dtype, rate, m, k, n};
    }
    wfi_packed_free(packed);
    return st;
}

wf_status wfi_bench_peaks(wf_bench_state *b, wf_err *err) {
    enum { ROWS = 1024, LARGE = 1536 };
    const wf_bert_config *c = &b->models[0]->config;
    const int64_t H = c->hidden_size, F = c->intermediate_size;
    const int64_t sizes[][3] = {{ROWS, H, H}, {ROWS, H, F}, {ROWS, F, H}, {LARGE, LARGE, LARGE}};
    int64_t most = LARGE * LARGE;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int k = 0; k < 3; k++) {
            const int64_t area = sizes[i][k] * sizes[i][(k + 1) % 3];
            if (area > most) most = area;
        }
    float *data = wfi_alloc_aligned((size_t)(3 * most) * sizeof *data);
    if (!data) return wfi_fail(err, WF_E_NOMEM, "out of memory for matrices");
    for (int64_t i = 0; i < 2 * most; i++) data[i] = (float)(i % 251) / 251.0f - 0.5f;
    const double enough = b->slice < ENOUGH_SECONDS ? b->slice : ENOUGH_SECONDS;
    wf_status st = WF_OK;
    for (int t = 0; st == WF_OK && t < BENCH_TYPES; t++) {
        b->peaks[t].dtype = TYPES[t];
        if (TYPES[t] == WF_DTYPE_BF16 && !wfi_packed_native_bf16()) continue;
        for (size_t i = 0; st == WF_OK && i < sizeof sizes / sizeof *sizes; i++)
            st = size_try(&b->peaks[t], enough, sizes[i][0], sizes[i][1], sizes[i][2], data, data + most,
                          data + 2 * most, err);
    }
    wfi_free(data);
    return st;
}
