/* packed_check.h - what every type of packed matrix has to stand. */
#ifndef WF_TESTS_PACKED_CHECK_H
#define WF_TESTS_PACKED_CHECK_H
#include "base/alloc.h"
#include "kernel_check.h"
#include "kernels/gemm.h"
#include <pthread.h>

typedef struct pc_memory {
    wf_dtype type;
    long least; /* allocations that must have failed before it works */
} pc_memory;

/* Every allocation that can fail does so cleanly. */
static inline void *pc_no_memory_run(void *arg) {
    const pc_memory *m = arg;
    float b[64] = {0}, c[64];
    for (long n = 1; n < 20; n++) {
        wf_packed *p = NULL;
        wf_err e = {0};
        wfi_alloc_fail_at(n);
        wf_status st = wfi_packed_new(false, 8, 8, b, 8, m->type, &p, &e);
        const bool packed = st == WF_OK;
        if (packed) st = wfi_packed_gemm(p, 8, b, 8, NULL, 0, c, 8, &e);
        wfi_alloc_fail_at(0);
        wfi_packed_free(p);
        if (st == WF_OK) return n > m->least ? (void *)"done" : NULL;
        if (st != WF_E_NOMEM || (!packed && p)) return NULL;
    }
    return NULL;
}

/* In a thread without scratch memory yet. */
static inline void pc_no_memory(wf_dtype type, long least) {
    pthread_t thread;
    void *done = NULL;
    pc_memory m = {type, least};
    assert_int_equal(0, pthread_create(&thread, NULL, pc_no_memory_run, &m));
    pthread_join(thread, &done);
    assert_non_null(done);
}
#endif
