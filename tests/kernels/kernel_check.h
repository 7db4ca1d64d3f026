/* tests/kernels/kernel_check.h - what the kernel tests share: data, guarded buffers, comparing, walking the levels. */
#ifndef WF_TESTS_KERNEL_CHECK_H
#define WF_TESTS_KERNEL_CHECK_H
#include "check.h"

#include "base/alloc.h"
#include "base/random.h"
#include "kernels/kernels.h"

#include <math.h>

#define KC_GUARD 32
#define KC_MARK  12345.5f

/* n floats between marks that catch writes out of bounds. */
static inline float *kc_new(int64_t n) {
    float *p = wfi_alloc((size_t)n + 2 * KC_GUARD, sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n + 2 * KC_GUARD; i++) p[i] = KC_MARK;
    return p + KC_GUARD;
}

static inline void kc_free(float *p, int64_t n) {
    for (int i = 1; i <= KC_GUARD; i++) assert_true(p[-i] == KC_MARK && p[n + i - 1] == KC_MARK);
    wfi_free(p - KC_GUARD);
}

/* Uniform in [low, high), a function of salt. */
static inline float *kc_random(int64_t n, uint64_t salt, float low, float high) {
    float *p = kc_new(n);
    for (int64_t i = 0; i < n; i++) p[i] = low + (high - low) * wfi_random_uniform(salt, (uint64_t)i);
    return p;
}

static inline float *kc_copy(const float *x, int64_t n) {
    float *p = kc_new(n);
    if (n) memcpy(p, x, (size_t)n * sizeof *p);
    return p;
}

static inline void kc_near(const char *what, int64_t i, double got, double want, double absolute, double relative) {
    if (!(fabs(got - want) <= absolute + relative * fabs(want)))
        fail_msg("%s[%lld]: got %.9g, want %.9g (difference %.3g)", what, (long long)i, got, want, got - want);
}

static inline void kc_same(const char *what, const float *a, const float *b, int64_t n) {
    if (n && memcmp(a, b, (size_t)n * sizeof *a) != 0) fail_msg("%s: bits differ", what);
}

/* Runs `body` at every level that this processor has. */
#define KC_EACH_ISA(body)                                                                                              \
    do {                                                                                                               \
        for (int kc_isa = WF_ISA_SCALAR; kc_isa <= (int)wfi_cpu_get()->isa; kc_isa++) {                                \
            wfi_kernels_force((wf_isa)kc_isa);                                                                         \
            body;                                                                                                      \
        }                                                                                                              \
        wfi_kernels_force(wfi_cpu_get()->isa);                                                                         \
    } while (0)

static const int64_t kc_sizes[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 65, 100, 1000, 65537, 200003};
#define KC_SIZES (sizeof kc_sizes / sizeof *kc_sizes)

/* C against triple loops in double; c0: what it was before, read where beta is not 0. */
static inline void kc_product(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                              int64_t lda, const float *b, int64_t ldb, const float *bias, float beta, const float *c0,
                              const float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0, size = 1;
            for (int64_t l = 0; l < k; l++) {
                double term = (double)(ta ? a[l * lda + i] : a[i * lda + l]) * (tb ? b[j * ldb + l] : b[l * ldb + j]);
                sum += term, size += fabs(term);
            }
            sum *= alpha;
            if (bias) sum += bias[j];
            if (beta != 0) sum += (double)beta * c0[i * ldc + j];
            kc_near("product", i * n + j, c[i * ldc + j], sum, 1e-6 * size, 1e-6);
        }
}
#endif
