/* tests/kernels/test_kernel_gemm.c - matrix products, plain and packed, against triple loops in double. */
#include "kernel_check.h"

#include "kernels/gemm.h"

#include <pthread.h>

static void gemm_case(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, float beta, int64_t pad) {
    int64_t lda = (ta ? m : k) + pad, ldb = (tb ? k : n) + pad, ldc = n + pad;
    int64_t na = (ta ? k : m) * lda, nb = (tb ? n : k) * ldb, nc = m * ldc;
    float *a = kc_random(na, 1, -1, 1), *b = kc_random(nb, 2, -1, 1), *c = kc_random(nc, 3, -1, 1);
    if (beta == 0)
        for (int64_t i = 0; i < nc; i++)
            if (i % ldc < n) c[i] = NAN; /* beta 0 never reads C */
    float *c0 = kc_copy(c, nc), *again = kc_copy(c, nc);
    check_ok(wfi_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, err));
    kc_product(ta, tb, m, n, k, alpha, a, lda, b, ldb, NULL, beta, c0, c, ldc);
    for (int64_t i = 0; i < nc; i++)
        if (i % ldc >= n) assert_true(c[i] == c0[i]);
    check_ok(wfi_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, again, ldc, err));
    kc_same("product again", again, c, nc);
    kc_free(a, na), kc_free(b, nb), kc_free(c, nc), kc_free(c0, nc), kc_free(again, nc);
}

static void test_gemm(void **state) {
    (void)state;
    const int64_t shapes[][3] = {{0, 3, 4},      {3, 0, 4},      {3, 4, 0},     {1, 1, 1},    {2, 3, 5},
                                 {17, 17, 17},   {1, 384, 384},  {7, 24, 100},  {33, 65, 31}, {8, 1, 64},
                                 {200, 24, 384}, {24, 384, 200}, {384, 24, 70}, {64, 2, 384}, {129, 70, 300}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int f = 0; f < 4; f++)
            for (int b = 0; b < 3; b++)
                KC_EACH_ISA(gemm_case(f & 1, f & 2, shapes[s][0], shapes[s][1], shapes[s][2], b == 2 ? 0.5f : 1,
                                      (float)b * 0.5f, b == 1 ? 3 : 0));
}

static void packed_case(bool tb, int64_t m, int64_t n, int64_t k, bool with_bias, float beta, int64_t pad) {
    int64_t lda = k + pad, ldb = (tb ? k : n) + pad, ldc = n + pad, na = m * lda, nb = (tb ? n : k) * ldb, nc = m * ldc;
    float *a = kc_random(na, 1, -1, 1), *b = kc_random(nb, 2, -1, 1), *c = kc_random(nc, 3, -1, 1),
          *bias = kc_random(n, 4, -1, 1);
    if (beta == 0)
        for (int64_t i = 0; i < nc; i++)
            if (i % ldc < n) c[i] = NAN;
    float *c0 = kc_copy(c, nc), *b0 = kc_copy(b, nb), *again = kc_copy(c, nc);
    wf_packed *p = NULL;
    check_ok(wfi_packed_new(tb, k, n, b, ldb, WF_DTYPE_F32, &p, err));
    for (int64_t i = 0; i < nb; i++) b[i] = NAN; /* b is needed only during the call */
    check_ok(wfi_packed_gemm(p, m, a, lda, with_bias ? bias : NULL, beta, c, ldc, err));
    check_ok(wfi_packed_gemm(p, m, a, lda, with_bias ? bias : NULL, beta, again, ldc, err));
    kc_product(false, tb, m, n, k, 1, a, lda, b0, ldb, with_bias ? bias : NULL, beta, c0, c, ldc);
    kc_same("packed product again", again, c, nc);
    for (int64_t i = 0; i < nc; i++)
        if (i % ldc >= n) assert_true(c[i] == c0[i]);
    wfi_packed_free(p);
    kc_free(a, na), kc_free(b, nb), kc_free(c, nc), kc_free(bias, n), kc_free(c0, nc), kc_free(b0, nb),
        kc_free(again, nc);
}

static void test_packed(void **state) {
    (void)state;
    const int64_t shapes[][3] = {{0, 3, 4},     {3, 0, 4},     {3, 4, 0},      {1, 1, 1},     {5, 17, 33},
                                 {1, 384, 384}, {63, 48, 100}, {200, 24, 384}, {129, 768, 64}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int f = 0; f < 8; f++)
            KC_EACH_ISA(
                packed_case(f & 1, shapes[s][0], shapes[s][1], shapes[s][2], f & 2, f & 4 ? 1 : 0, f == 5 ? 3 : 0));
    wfi_packed_free(NULL);
}

/* One packed matrix serves many batch sizes; results per row agree across them. */
static void test_packed_sizes(void **state) {
    (void)state;
    enum { K = 96, N = 80, M = 300 };
    float *a = kc_random(M * K, 1, -1, 1), *b = kc_random(K * N, 2, -1, 1), *c = kc_new(M * N);
    wf_packed *p = NULL;
    check_ok(wfi_packed_new(true, K, N, b, K, WF_DTYPE_F32, &p, err));
    for (int64_t m = 1; m <= M; m += m < 20 ? 1 : 37) {
        check_ok(wfi_packed_gemm(p, m, a, K, NULL, 0, c, N, err));
        kc_product(false, true, m, N, K, 1, a, K, b, K, NULL, 0, NULL, c, N);
    }
    wfi_packed_free(p);
    kc_free(a, M * K), kc_free(b, K * N), kc_free(c, M * N);
}

static void test_wrong_arguments(void **state) {
    (void)state;
    float x[16] = {0};
    wf_packed *p = NULL;
    check_status(WF_E_SHAPE, wfi_gemm(false, false, -1, 2, 2, 1, x, 2, x, 2, 0, x, 2, err));
    check_status(WF_E_SHAPE, wfi_gemm(false, false, 2, 2, 3, 1, x, 2, x, 2, 0, x, 2, err));
    check_status(WF_E_SHAPE, wfi_gemm(false, false, 2, 3, 2, 1, x, 2, x, 2, 0, x, 3, err));
    check_status(WF_E_SHAPE, wfi_gemm(false, false, 2, 2, 2, 1, x, 2, x, 2, 0, x, 1, err));
    check_status(WF_E_UNSUPPORTED, wfi_packed_new(false, 2, 2, x, 2, WF_DTYPE_F16, &p, err));
    check_status(WF_E_SHAPE, wfi_packed_new(false, 2, 4, x, 2, WF_DTYPE_F32, &p, err));
    check_status(WF_E_NOMEM,
                 wfi_packed_new(false, INT64_MAX / 2, INT64_MAX / 2, x, INT64_MAX / 2, WF_DTYPE_F32, &p, err));
    assert_null(p);
    check_ok(wfi_packed_new(false, 2, 2, x, 2, WF_DTYPE_F32, &p, err));
    check_status(WF_E_ARG, wfi_packed_gemm(p, 2, x, 2, NULL, 0.5f, x + 8, 2, err));
    check_status(WF_E_SHAPE, wfi_packed_gemm(p, 2, x, 1, NULL, 0, x + 8, 2, err));
    wfi_packed_free(p);
}

/* Every allocation that can fail does so cleanly. */
static void test_no_memory(void **state) {
    (void)state;
    float b[64] = {0};
    for (long n = 1; n < 20; n++) {
        wf_packed *p = NULL;
        wf_err e = {0};
        wfi_alloc_fail_at(n);
        wf_status st = wfi_packed_new(false, 8, 8, b, 8, WF_DTYPE_F32, &p, &e);
        wfi_alloc_fail_at(0);
        if (st == WF_OK) {
            wfi_packed_free(p);
            return;
        }
        assert_int_equal(WF_E_NOMEM, st);
        assert_null(p);
    }
    fail_msg("packing never succeeded");
}

/* Several threads share one packed matrix and each gets what one thread alone gets. */
enum { MT_K = 64, MT_N = 48, MT_M = 40, MT_THREADS = 4 };
typedef struct mt_job {
    const wf_packed *packed;
    const float *a, *want;
    int wrong;
} mt_job;

static void *mt_run(void *arg) {
    mt_job *job = arg;
    float c[MT_M * MT_N];
    for (int r = 0; r < 50; r++) {
        if (wfi_packed_gemm(job->packed, MT_M, job->a, MT_K, NULL, 0, c, MT_N, NULL) != WF_OK) job->wrong++;
        if (memcmp(c, job->want, sizeof c) != 0) job->wrong++;
        wfi_act_forward(WF_ACT_GELU, MT_M * MT_N, c, c);
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    float *a = kc_random(MT_M * MT_K, 1, -1, 1), *b = kc_random(MT_K * MT_N, 2, -1, 1), *c = kc_new(MT_M * MT_N);
    wf_packed *p = NULL;
    pthread_t threads[MT_THREADS];
    mt_job jobs[MT_THREADS];
    check_ok(wfi_packed_new(false, MT_K, MT_N, b, MT_N, WF_DTYPE_F32, &p, err));
    check_ok(wfi_packed_gemm(p, MT_M, a, MT_K, NULL, 0, c, MT_N, err));
    for (int i = 0; i < MT_THREADS; i++) {
        jobs[i] = (mt_job){p, a, c, 0};
        assert_int_equal(0, pthread_create(&threads[i], NULL, mt_run, &jobs[i]));
    }
    for (int i = 0; i < MT_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(0, jobs[i].wrong);
    }
    wfi_packed_free(p);
    kc_free(a, MT_M * MT_K), kc_free(b, MT_K * MT_N), kc_free(c, MT_M * MT_N);
}

/* Gradients of thin adapter matrices sum over thousands of rows; oneDNN may share that sum out, in a fixed order. */
static void test_thin_gradient_repeats(void **state) {
    (void)state;
    enum { T = 3000, WIDE = 384, THIN = 24 };
    float *x = kc_random(T * WIDE, 1, -1, 1), *dy = kc_random(T * THIN, 2, -1, 1);
    for (int threads = 1; threads <= 3; threads++) {
        float *first = kc_new(THIN * WIDE), *again = kc_new(THIN * WIDE);
        wfi_threads_set(threads);
        check_ok(wfi_gemm(true, false, THIN, WIDE, T, 1, dy, THIN, x, WIDE, 0, first, WIDE, err));
        for (int r = 0; r < 10; r++) {
            check_ok(wfi_gemm(true, false, THIN, WIDE, T, 1, dy, THIN, x, WIDE, 0, again, WIDE, err));
            kc_same("thin gradient", first, again, THIN * WIDE);
        }
        if (threads == 1) kc_product(true, false, THIN, WIDE, T, 1, dy, THIN, x, WIDE, NULL, 0, NULL, first, WIDE);
        kc_free(first, THIN * WIDE), kc_free(again, THIN * WIDE);
    }
    wfi_threads_set(0);
    kc_free(x, T * WIDE), kc_free(dy, T * THIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_packed_sizes),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_thin_gradient_repeats),
    };
    return cmocka_run_group_tests_name("kernels gemm", tests, NULL, NULL);
}
