/* bench/kernels/measure.c - see measure.h. */
#include "measure.h"
#include "base/alloc.h"
#include "base/random.h"
#include "kernels/gemm.h"
#include "kernels/gemm_peak.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { M = 1024, K = 512, N = 1024, NAMES_MOST = 256, LEAST_RUNS = 5, TRIES = 2 };
static const double SECONDS = 0.25, BOUNDS_EVERY = 0.025;
static const char *const bound_names[BOUNDS] = {"mem", "f32", "bf16", "int8", "ops"};

static const char *wanted_part = "";
static bool check_only;
static float *large[3];
static wf_packed *packed[BOUNDS]; /* of IN_F32 .. IN_INT8 */
static wf_byte_product *bytes;
static char told[NAMES_MOST][48];
static int told_count;

float *measure_data(int64_t n, float low, float high) {
    float *p = wfi_alloc_aligned((size_t)n * sizeof *p);
    if (!p) {
        fprintf(stderr, "bench_kernels: no memory for %lld floats\n", (long long)n);
        exit(1);
    }
    for (int64_t i = 0; i < n; i++) p[i] = low + (high - low) * wfi_random_uniform(9, (uint64_t)i);
    return p;
}

void measure_must(wf_status st, const wf_err *err) {
    if (st == WF_OK) return;
    fprintf(stderr, "bench_kernels: %s\n", err->text);
    exit(1);
}

void measure_open(const char *filter, bool checking) {
    static const wf_dtype types[] = {[IN_F32] = WF_DTYPE_F32, [IN_BF16] = WF_DTYPE_BF16, [IN_INT8] = WF_DTYPE_I8};
    wf_err err = {0};
    wanted_part = filter;
    check_only = checking;
    if (checking) return;
    for (int i = 0; i < 3; i++) large[i] = measure_data(MEASURE_LARGE, 0, 1);
    for (int t = IN_F32; t <= IN_INT8; t++)
        measure_must(wfi_packed_new(true, K, N, large[0], K, types[t], &packed[t], &err), &err);
    const wf_status st = wfi_byte_product_new(M, K, N, (const int8_t *)large[0], &bytes, &err);
    if (st != WF_E_UNSUPPORTED) measure_must(st, &err);
}

void measure_close(void) {
    for (int t = IN_F32; t <= IN_INT8; t++) wfi_packed_free(packed[t]);
    wfi_byte_product_free(bytes);
    for (int i = 0; i < 3; i++) wfi_free(large[i]);
}

bool measure_wanted(const char *name) {
    return strstr(name, wanted_part) != NULL;
}

measure measure_begin(cost need) {
    return (measure){.need = need, .best = 1e30, .begin = wfi_clock_seconds()};
}

/* Chains of multiplications with additions and of additions, as many of both as registers hold: in each cycle all units
 * have work. Gives elements. */
#ifdef __x86_64__
enum { LOOPS = 50000 };
#define FIVE(X, a, b, c, d, e) X(a) X(b) X(c) X(d) X(e)
#define TEN(X)                 FIVE(X, 0, 1, 2, 3, 4) FIVE(X, 5, 6, 7, 8, 9)
#define SEVEN(X)               FIVE(X, 0, 1, 2, 3, 4) X(5) X(6)
#define START(k)               f##k = one, s##k = one,
#define STEP512(k)             f##k = _mm512_fmadd_ps(f##k, half, one), s##k = _mm512_add_ps(s##k, one);
#define STEP256(k)             f##k = _mm256_fmadd_ps(f##k, half, one), s##k = _mm256_add_ps(s##k, one);
#define USED(k)                __asm__ volatile("" : : "x"(f##k), "x"(s##k));

__attribute__((target("avx512f"))) static double chains_avx512(void) {
    __m512 one = _mm512_set1_ps(1.0f), half = _mm512_set1_ps(0.5f), TEN(START) end = one;
    for (int i = 0; i < LOOPS; i++) {
        TEN(STEP512)
    }
    TEN(USED)
    __asm__ volatile("" : : "x"(end));
    return 20.0 * 16 * LOOPS;
}

__attribute__((target("avx2,fma"))) static double chains_avx2(void) {
    __m256 one = _mm256_set1_ps(1.0f), half = _mm256_set1_ps(0.5f), SEVEN(START) end = one;
    for (int i = 0; i < LOOPS; i++) {
        SEVEN(STEP256)
    }
    SEVEN(USED)
    __asm__ volatile("" : : "x"(end));
    return 14.0 * 8 * LOOPS;
}

static double chains_run(void) {
    const wf_isa isa = wfi_cpu_get()->isa;
    return isa == WF_ISA_AVX512 ? chains_avx512() : isa == WF_ISA_AVX2 ? chains_avx2() : 0;
}
#else
static double chains_run(void) {
    return 0;
}
#endif

static void rate_note(measure *m, int bound, double amount, double from) {
    const double rate = amount / (wfi_clock_seconds() - from);
    if (rate > m->rate[bound]) m->rate[bound] = rate;
}

static void bounds_measure(measure *m) {
    const double flop = 2.0 * M * K * N;
    wf_err err = {0};
    if (m->need.of[IN_BYTES] > 0) {
        const double from = wfi_clock_seconds();
        wfi_add(MEASURE_LARGE, large[0], large[1], large[2]);
        rate_note(m, IN_BYTES, 16.0 * MEASURE_LARGE, from);
    }
    for (int t = IN_F32; t <= IN_INT8; t++) {
        if (!(m->need.of[t] > 0)) continue;
        const double from = wfi_clock_seconds();
        measure_must(wfi_packed_gemm(packed[t], M, large[0], K, NULL, 0, large[2], N, &err), &err);
        rate_note(m, t, flop, from);
    }
    if (m->need.of[IN_INT8] > 0 && bytes) {
        const double from = wfi_clock_seconds();
        measure_must(wfi_byte_product_run(bytes, (const uint8_t *)large[0], (int32_t *)(void *)large[2], &err), &err);
        rate_note(m, IN_INT8, flop, from);
    }
    if (m->need.of[IN_OPS] > 0) {
        double all = 0;
        const double from = wfi_clock_seconds();
#pragma omp parallel num_threads(wfi_threads_get()) reduction(+ : all)
        all += chains_run();
        if (all > 0) rate_note(m, IN_OPS, all, from);
    }
    m->bounded = wfi_clock_seconds();
}

bool measure_more(measure *m) {
    if (check_only) return m->runs++ < 1;
    const int64_t sweep = m->need.sweep > 1 ? m->need.sweep : 1;
    if (m->runs++ % sweep) return true;
    const double now = wfi_clock_seconds();
    if (m->runs > LEAST_RUNS * sweep && now - m->begin >= SECONDS) return false;
    if (m->runs == 1 || now - m->bounded >= BOUNDS_EVERY)
        for (int i = 0; i < TRIES; i++) bounds_measure(m);
    return true;
}

void measure_note(measure *m, double seconds) {
    const int64_t sweep = m->need.sweep > 1 ? m->need.sweep : 1;
    m->sum += seconds;
    if (m->runs % sweep) return;
    if (m->sum / (double)sweep < m->best) m->best = m->sum / (double)sweep;
    m->sum = 0;
}

void measure_report(const measure *m, const char *name, const char *shape) {
    if (!measure_told(name) && told_count < NAMES_MOST) snprintf(told[told_count++], sizeof told[0], "%s", name);
    if (check_only) return;
    int bound = 0;
    double least = 0; /* seconds */
    for (int i = 0; i < BOUNDS; i++)
        if (m->rate[i] > 0 && m->need.of[i] / m->rate[i] > least) least = m->need.of[i] / m->rate[bound = i];
    printf("%-30s %-26s %9.3f ms %8.1f %-7s  bound %-4s %8.1f  %4.0f %%\n", name, shape, 1e3 * m->best,
           1e-9 * m->need.of[bound] / m->best,
           bound == IN_BYTES ? "GB/s"
           : bound == IN_OPS ? "Gop/s"
                             : "GFLOP/s",
           bound_names[bound], 1e-9 * m->rate[bound], 100 * least / m->best);
    fflush(stdout);
}

bool measure_told(const char *name) {
    for (int i = 0; i < told_count; i++)
        if (strcmp(told[i], name) == 0) return true;
    return false;
}
