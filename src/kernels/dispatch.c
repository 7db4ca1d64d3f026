/* kernels/dispatch.c - picks the instruction set once and keeps the thread count. Layer 2.
 * Starts from the reference table and overrides, as BLIS does with its context. Must not compute anything itself. */
#include "kernels/dispatch.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

static wfk_table tables[WF_ISA_AVX512 + 1];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;
static atomic_int level_in_force;
static atomic_int thread_count; /* 0: not set, OpenMP's own default (OMP_NUM_THREADS, else all cores) */

void wfk_table_fill_ref(wfk_table *t) {
    wfk_table_fill_elementwise__ref(t);
    wfk_table_fill_rows__ref(t);
    wfk_table_fill_attention__ref(t);
    wfk_table_fill_int8__ref(t);
}

static void build_tables(void) {
    wfk_table_fill_ref(&tables[WF_ISA_SCALAR]);
    tables[WF_ISA_AVX2] = tables[WF_ISA_SCALAR];
    tables[WF_ISA_AVX512] = tables[WF_ISA_SCALAR];
#ifdef __x86_64__ /* as meson.build decides to build avx2/ and avx512/ */
    wfk_table_fill_avx2(&tables[WF_ISA_AVX2]);
    tables[WF_ISA_AVX512] = tables[WF_ISA_AVX2];
    wfk_table_fill_avx512(&tables[WF_ISA_AVX512]);
    if (wfi_cpu_get()->vnni) wfk_table_fill_vnni(&tables[WF_ISA_AVX512]);
#endif
    atomic_store(&level_in_force, (int)wfi_cpu_get()->isa);
}

const wfk_table *wfk_table_get(void) {
    pthread_once(&tables_once, build_tables);
    return &tables[atomic_load_explicit(&level_in_force, memory_order_relaxed)];
}

void wfi_kernels_force(wf_isa isa) {
    pthread_once(&tables_once, build_tables);
    wf_isa most = wfi_cpu_get()->isa;
    atomic_store(&level_in_force, (int)(isa < most ? isa : most));
}

wf_isa wfi_kernels_level(void) {
    pthread_once(&tables_once, build_tables);
    return (wf_isa)atomic_load_explicit(&level_in_force, memory_order_relaxed);
}

void wfi_threads_set(int n) {
    if (n <= 0) n = wfi_cpu_get()->cores;
    atomic_store(&thread_count, n > 0 ? n : 1);
}

int wfi_threads_get(void) {
    int n = atomic_load_explicit(&thread_count, memory_order_relaxed);
    return n > 0 ? n : omp_get_max_threads();
}

/* Whole team or none: GNU OpenMP ends the threads that a smaller team does not need and starts them anew later. */
int wfk_threads_for(int64_t work, int64_t least) {
    int64_t most = wfi_threads_get(), useful = work / least;
    if (most < 2 || useful < 2 || useful < most / 4 || omp_in_parallel()) return 1;
    return (int)most;
}
