/* kernels/parallel_attention.c - one task a (sequence, head), each thread a stretch of them of equal work. Layer 2.
 * A task owns all it writes (its rows and its D columns of out, lse, dq, dk, dv), so nothing is shared between threads.
 * The heads of a sequence follow each other: what one head reads lies beside what the next one needs, so a thread finds
 * most of it in its cache. Only the sequences at a cut are shared by two threads. */
#include "kernels/dispatch.h"

#include <omp.h>

enum { LEAST_PRODUCTS = 200000 }; /* multiplications that take about as long as starting a team */

typedef void task_fn(const wfk_attention *job, int64_t row0, int64_t L, int64_t head);

/* What a head of a sequence of L rows costs: its pairs, and for each row some work that grows with nothing. */
static int64_t cost(int64_t L) {
    enum { ROW = 16 };
    return L * (L + ROW);
}

/* The tasks whose work, counted from the first task on, ends in (low, high]. */
static void stretch(const wfk_attention *job, int64_t S, const int64_t *offsets, task_fn *task, int64_t low,
                    int64_t high) {
    int64_t done = 0;
    for (int64_t s = 0; s < S && done < high; s++) {
        const int64_t L = offsets[s + 1] - offsets[s], each = cost(L);
        for (int64_t a = 0; a < job->A && L > 0; a++) {
            done += each;
            if (done > low && done <= high) task(job, offsets[s], L, a);
        }
    }
}

static void run(const wfk_attention *job, int64_t S, const int64_t *offsets, task_fn *task) {
    int64_t pairs = 0, all = 0;
    for (int64_t s = 0; s < S; s++) {
        const int64_t L = offsets[s + 1] - offsets[s];
        pairs += L * L;
        all += cost(L) * job->A;
    }
    const int team = wfk_threads_for(pairs * job->A * job->D, LEAST_PRODUCTS);
    if (team == 1) {
        stretch(job, S, offsets, task, 0, all);
        return;
    }
#pragma omp parallel num_threads(team)
    {
        int64_t low, high;
        wfk_split(all, 1, omp_get_num_threads(), omp_get_thread_num(), &low, &high);
        stretch(job, S, offsets, task, low, high);
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
