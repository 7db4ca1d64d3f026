/* kernels/parallel_attention.c - one task a (sequence, head), dealt to the threads in turn. Layer 2.
 * A task owns all it writes (its rows and its D columns of out, lse, dq, dk, dv), so nothing is shared between threads.
 * Dealing in turn (static, 1) spreads the heads of a long sequence over all threads. */
#include "kernels/dispatch.h"

enum { LEAST_PRODUCTS = 200000 }; /* multiplications that take about as long as starting a team */

typedef void task_fn(const wfk_attention *job, int64_t row0, int64_t L, int64_t head);

static void run(const wfk_attention *job, int64_t S, const int64_t *offsets, task_fn *task) {
    int64_t pairs = 0;
    for (int64_t s = 0; s < S; s++) pairs += (offsets[s + 1] - offsets[s]) * (offsets[s + 1] - offsets[s]);
    int64_t tasks = S * job->A;
    int team = wfk_threads_for(pairs * job->A * job->D, LEAST_PRODUCTS);
#pragma omp parallel for num_threads(team) schedule(static, 1) if (team > 1)
    for (int64_t i = 0; i < tasks; i++) {
        int64_t s = i / job->A, L = offsets[s + 1] - offsets[s];
        if (L > 0) task(job, offsets[s], L, i % job->A);
    }
}

void wfi_attention_forward(int64_t S, const int64_t *offsets, int64_t A, int64_t D, float scale, const float *q,
                           const float *k, const float *v, int64_t ld, float *out, float *lse, float p, uint64_t key) {
    wfk_attention job = {
        .A = A, .D = D, .scale = scale, .q = q, .k = k, .v = v, .ld = ld, .out = out, .lse = lse, .p = p, .key = key};
    run(&job, S, offsets, wfk_table_get()->attention_forward);
}

void wfi_attention_backward(int64_t S, const int64_t *offsets, int64_t A, int64_t D, float scale, const float *q,
                            const float *k, const float *v, int64_t ld, const float *out, const float *lse,
                            const float *dout, float *dq, float *dk, float *dv, int64_t ldd, float p, uint64_t key) {
    /* out and lse are only read by the backward entries */
    wfk_attention job = {.A = A,
                         .D = D,
                         .scale = scale,
                         .q = q,
                         .k = k,
                         .v = v,
                         .ld = ld,
                         .out = (float *)(uintptr_t)out,
                         .lse = (float *)(uintptr_t)lse,
                         .p = p,
                         .key = key,
                         .dout = dout,
                         .dq = dq,
                         .dk = dk,
                         .dv = dv,
                         .ldd = ldd};
    run(&job, S, offsets, wfk_table_get()->attention_backward);
}
