/* tests/kernels/test_kernel_bf16.c - rounding to bfloat16 against its definition, and products of rounded matrices. */
#include "packed_check.h"

#include "kernels/gemm.h"

#include <pthread.h>

static float of_bits(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static uint32_t bits_of(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* Of the two neighbours the nearer one, of two equally near the even one; infinity stands for the next power of two. */
static uint16_t nearest(uint32_t u) {
    const uint32_t size = u & 0x7fffffffu, low = size & 0xffff0000u, high = low + 0x10000u, sign = u & 0x80000000u;
    if (size > 0x7f800000u) return (uint16_t)((u | 0x400000u) >> 16);
    if (low == size) return (uint16_t)(u >> 16);
    const double x = of_bits(size), a = of_bits(low), b = high == 0x7f800000u ? ldexp(1, 128) : (double)of_bits(high);
    const bool up = x - a > b - x || (x - a == b - x && (high >> 16) % 2 == 0);
    return (uint16_t)((sign | (up ? high : low)) >> 16);
}

/* Every upper half with lower halves around zero, one half and one: denormal numbers, ties, overflow, infinity, all
 * NaNs. */
enum { LOWS = 7, ALL = 65536 * LOWS };
static float *every_case(void) {
    static const uint32_t low[LOWS] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x1234};
    float *x = kc_new(ALL);
    for (uint32_t i = 0; i < ALL; i++) {
        const uint32_t u = (i / LOWS) << 16 | low[i % LOWS];
        memcpy(&x[i], &u, sizeof u); /* as bits: an assignment may quieten a NaN */
    }
    return x;
}

static void values_case(void) {
    float *x = every_case(), *y = kc_new(ALL);
    uint16_t *h = wfi_alloc(ALL, sizeof *h);
    assert_non_null(h);
    wfi_to_bf16(1, ALL, x, ALL, h);
    wfi_round_bf16(ALL / 64, 64, x, 64, y);
    for (int64_t i = 0; i < ALL; i++) {
        uint32_t u;
        memcpy(&u, &x[i], sizeof u);
        if (h[i] != nearest(u)) fail_msg("bits %08x: got %04x, want %04x", u, h[i], nearest(u));
        memcpy(&u, &y[i], sizeof u);
        if (u != (uint32_t)h[i] << 16) fail_msg("as float %08x, as bfloat16 %04x", u, h[i]);
    }
    wfi_free(h);
    kc_free(x, ALL), kc_free(y, ALL);
}

static void test_values(void **state) {
    (void)state;
    KC_EACH_ISA(values_case());
    assert_int_equal(0x3f80, nearest(bits_of(1.0f + 0x1p-8f))); /* the oracle itself: ties to even, both ways */
    assert_int_equal(0x3f82, nearest(bits_of(1.0f + 3 * 0x1p-8f)));
    assert_int_equal(0x7f80, nearest(0x7f7fffffu));
    assert_int_equal(0x7fc0, nearest(0x7f800001u));
}

/* Sizes around the vectors, rows apart from each other, nothing written behind the end. */
static void shape_case(int64_t T, int64_t H, int64_t pad) {
    const int64_t ld = H + pad, n = T * H;
    float *x = kc_random(T * ld, 3, -2, 2), *y = kc_new(n), *h = kc_new((n + 1) / 2 + 1);
    uint16_t *at = (uint16_t *)(void *)h;
    at[n] = 0x5a5a;
    wfi_to_bf16(T, H, x, ld, at);
    wfi_round_bf16(T, H, x, ld, y);
    assert_int_equal(0x5a5a, at[n]);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t u = bits_of(x[i / H * ld + i % H]);
        assert_int_equal(nearest(u), at[i]);
        assert_int_equal((uint32_t)nearest(u) << 16, bits_of(y[i]));
    }
    kc_free(x, T * ld), kc_free(y, n), kc_free(h, (n + 1) / 2 + 1);
}

static void test_shapes(void **state) {
    (void)state;
    for (int64_t H = 1; H <= 40; H++) KC_EACH_ISA((shape_case(1, H, 0), shape_case(3, H, 0), shape_case(3, H, 5)));
    KC_EACH_ISA((shape_case(0, 8, 0), shape_case(300, 384, 0), shape_case(300, 384, 16)));
}

/* Non-linearities that round: the bits of the two steps, at sizes around what is done at once. */
static void act_case(wf_act a, int64_t n) {
    float *x = kc_random(n, 5, -4, 4), *dy = kc_random(n, 6, -1, 1), *y = kc_new(n);
    uint16_t *want = wfi_alloc((size_t)n + 1, sizeof *want), *got = wfi_alloc((size_t)n + 1, sizeof *got);
    got[n] = want[n] = 0x5a5a;
    wfi_act_forward(a, n, x, y);
    wfi_to_bf16(1, n, y, n, want);
    wfi_act_forward_bf16(a, n, x, got);
    assert_memory_equal(want, got, ((size_t)n + 1) * sizeof *got);
    wfi_act_backward(a, n, x, dy, y, false);
    wfi_to_bf16(1, n, y, n, want);
    wfi_act_backward_bf16(a, n, x, dy, got);
    assert_memory_equal(want, got, ((size_t)n + 1) * sizeof *got);
    wfi_free(want), wfi_free(got);
    kc_free(x, n), kc_free(dy, n), kc_free(y, n);
}

static void test_activations(void **state) {
    (void)state;
    static const int64_t sizes[] = {0, 1, 17, 1023, 1024, 1025, 70001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        KC_EACH_ISA((act_case(WF_ACT_GELU, sizes[i]), act_case(WF_ACT_RELU, sizes[i])));
}

/* Rows rounded by the caller: the same bits where the matrix takes them. */
static void rounded_before(const wf_packed *p, int64_t m, int64_t k, const float *a, int64_t lda, const float *bias,
                           float beta, const float *c0, const float *want, int64_t ldc, int64_t nc) {
    uint16_t *rows = wfi_alloc((size_t)(m * k) + 1, sizeof *rows);
    float *c = kc_copy(c0, nc);
    wfi_to_bf16(m, k, a, lda, rows);
    if (wfi_packed_takes_bf16(p)) {
        check_ok(wfi_packed_gemm_bf16(p, m, rows, k, bias, beta, c, ldc, err));
        kc_same("product of rounded rows", c, want, nc);
    } else {
        check_status(WF_E_ARG, wfi_packed_gemm_bf16(p, m, rows, k, bias, beta, c, ldc, err));
    }
    wfi_free(rows);
    kc_free(c, nc);
}

/* The definition: rounded factors, summed exactly enough; the tolerance is float32's for the order of sums. */
static void product_case(bool tb, int64_t m, int64_t n, int64_t k, bool with_bias, float beta, int64_t pad) {
    const int64_t lda = k + pad, ldb = (tb ? k : n) + pad, ldc = n + pad, na = m * lda, nb = (tb ? n : k) * ldb,
                  nc = m * ldc;
    float *a = kc_random(na, 1, -1, 1), *b = kc_random(nb, 2, -1, 1), *c = kc_random(nc, 3, -1, 1),
          *bias = kc_random(n, 4, -1, 1);
    float *ra = kc_new(na), *rb = kc_new(nb), *c0;
    if (beta == 0)
        for (int64_t i = 0; i < nc; i++)
            if (i % ldc < n) c[i] = NAN;
    c0 = kc_copy(c, nc);
    float *again = kc_copy(c, nc);
    if (na) wfi_round_bf16(1, na, a, na, ra);
    if (nb) wfi_round_bf16(1, nb, b, nb, rb);
    wf_packed *p = NULL;
    check_ok(wfi_packed_new(tb, k, n, b, ldb, WF_DTYPE_BF16, &p, err));
    for (int64_t i = 0; i < nb; i++) b[i] = NAN;
    check_ok(wfi_packed_gemm(p, m, a, lda, with_bias ? bias : NULL, beta, c, ldc, err));
    check_ok(wfi_packed_gemm(p, m, a, lda, with_bias ? bias : NULL, beta, again, ldc, err));
    kc_same("rounded product again", again, c, nc);
    rounded_before(p, m, k, a, lda, with_bias ? bias : NULL, beta, c0, c, ldc, nc);
    kc_product(false, tb, m, n, k, 1, ra, lda, rb, ldb, with_bias ? bias : NULL, beta, c0, c, ldc);
    for (int64_t i = 0; i < nc; i++)
        if (i % ldc >= n) assert_true(c[i] == c0[i]);
    wfi_packed_free(p);
    kc_free(a, na), kc_free(b, nb), kc_free(c, nc), kc_free(bias, n), kc_free(c0, nc), kc_free(again, nc),
        kc_free(ra, na), kc_free(rb, nb);
}

static void test_products(void **state) {
    (void)state;
    const int64_t shapes[][3] = {{0, 3, 4},     {3, 0, 4},     {3, 4, 0},      {1, 1, 1},      {5, 17, 33},   {2, 3, 1},
                                 {1, 384, 384}, {63, 48, 100}, {200, 24, 384}, {129, 768, 64}, {12, 96, 1536}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int f = 0; f < 8; f++)
            KC_EACH_ISA(
                product_case(f & 1, shapes[s][0], shapes[s][1], shapes[s][2], f & 2, f & 4 ? 1 : 0, f == 5 ? 3 : 0));
}

/* Plain products of two rounded factors: the numbers of wfi_gemm over rounded copies, in some order of sums. */
static void plain_case(bool ta, bool tb, int64_t m, int64_t n, int64_t k, bool with_bias, float beta, int64_t pad) {
    const int64_t lda = (ta ? m : k) + pad, ldb = (tb ? k : n) + pad, ldc = n + pad, na = (ta ? k : m) * lda,
                  nb = (tb ? n : k) * ldb, nc = m * ldc;
    float *a = kc_random(na, 1, -1, 1), *b = kc_random(nb, 2, -1, 1), *c = kc_random(nc, 3, -1, 1),
          *bias = kc_random(n, 4, -1, 1), *ra = kc_new(na), *rb = kc_new(nb);
    if (beta == 0)
        for (int64_t i = 0; i < nc; i++)
            if (i % ldc < n) c[i] = NAN;
    float *c0 = kc_copy(c, nc), *again = kc_copy(c, nc);
    if (na) wfi_round_bf16(1, na, a, na, ra);
    if (nb) wfi_round_bf16(1, nb, b, nb, rb);
    check_ok(wfi_gemm_bf16(ta, tb, m, n, k, a, lda, b, ldb, with_bias ? bias : NULL, beta, c, ldc, err));
    check_ok(wfi_gemm_bf16(ta, tb, m, n, k, a, lda, b, ldb, with_bias ? bias : NULL, beta, again, ldc, err));
    kc_same("plain rounded product again", again, c, nc);
    kc_product(ta, tb, m, n, k, 1, ra, lda, rb, ldb, with_bias ? bias : NULL, beta, c0, c, ldc);
    for (int64_t i = 0; i < nc; i++)
        if (i % ldc >= n) assert_true(c[i] == c0[i]);
    kc_free(a, na), kc_free(b, nb), kc_free(c, nc), kc_free(bias, n), kc_free(c0, nc), kc_free(again, nc),
        kc_free(ra, na), kc_free(rb, nb);
}

static void test_plain_products(void **state) {
    (void)state;
    const int64_t shapes[][3] = {{0, 3, 4},    {3, 0, 4},     {3, 4, 0},       {1, 1, 1},      {5, 17, 33},   {2, 3, 1},
                                 {64, 64, 64}, {63, 48, 100}, {384, 200, 129}, {129, 768, 64}, {12, 96, 1536}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int f = 0; f < 16; f++)
            KC_EACH_ISA(plain_case(f & 1, f & 8, shapes[s][0], shapes[s][1], shapes[s][2], f & 2, f & 4 ? 1 : 0,
                                   f == 5 || f == 10 ? 3 : 0));
    float x[16] = {0};
    check_status(WF_E_SHAPE, wfi_gemm_bf16(false, false, -1, 2, 2, x, 2, x, 2, NULL, 0, x, 2, err));
    check_status(WF_E_SHAPE, wfi_gemm_bf16(false, false, 2, 2, 3, x, 2, x, 2, NULL, 0, x, 2, err));
    check_status(WF_E_SHAPE, wfi_gemm_bf16(true, false, 4, 2, 2, x, 2, x, 2, NULL, 0, x, 2, err));
    check_status(WF_E_SHAPE, wfi_gemm_bf16(false, true, 2, 2, 3, x, 3, x, 2, NULL, 0, x, 2, err));
    check_status(WF_E_ARG, wfi_gemm_bf16(false, false, 2, 2, 2, x, 2, x, 2, NULL, 0.5f, x + 8, 2, err));
    const int64_t huge = INT64_MAX / 4;
    check_status(WF_E_NOMEM, wfi_gemm_bf16(false, false, huge, 2, huge, x, huge, x, 2, NULL, 0, x, 2, err));
}

/* Rounding is not skipped: a difference that bfloat16 cannot hold is gone from both factors. */
static void lost_case(void) {
    const float a = 1.0f + 0x1p-9f, b = 3.0f + 0x1p-8f, bias = 0x1p-20f;
    float c = 0;
    wf_packed *p = NULL;
    check_ok(wfi_packed_new(false, 1, 1, &b, 1, WF_DTYPE_BF16, &p, err));
    check_ok(wfi_packed_gemm(p, 1, &a, 1, &bias, 0, &c, 1, err));
    assert_true(c == 3.0f + 0x1p-20f); /* the bias keeps float32 */
    check_ok(wfi_gemm_bf16(false, false, 1, 1, 1, &a, 1, &b, 1, &bias, 0, &c, 1, err));
    assert_true(c == 3.0f + 0x1p-20f);
    wfi_packed_free(p);
}

static void nonfinite_case(void) {
    float a[3 * 32] = {0}, b[32 * 16], c[3 * 16];
    for (int i = 0; i < 32 * 16; i++) b[i] = 1;
    for (int i = 0; i < 3 * 32; i++) a[i] = 1;
    a[5] = NAN, a[32 + 7] = 3.4e38f; /* row 1: rounds to infinity */
    wf_packed *p = NULL;
    check_ok(wfi_packed_new(false, 32, 16, b, 16, WF_DTYPE_BF16, &p, err));
    check_ok(wfi_packed_gemm(p, 3, a, 32, NULL, 0, c, 16, err));
    for (int j = 0; j < 16; j++) {
        assert_true(isnan(c[j]));
        assert_true(isinf(c[16 + j]));
        assert_true(c[32 + j] == 32);
    }
    wfi_packed_free(p);
}

static void test_rounding_and_nonfinite(void **state) {
    (void)state;
    KC_EACH_ISA((lost_case(), nonfinite_case()));
}

static void test_no_memory(void **state) {
    (void)state;
    KC_EACH_ISA(pc_no_memory(WF_DTYPE_BF16, 0));
}

/* Several threads share one packed matrix, each with its own scratch memory, and get what one thread alone gets. */
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
        const int64_t m = 1 + (r * 7) % MT_M; /* scratch grows and shrinks */
        if (wfi_packed_gemm(job->packed, m, job->a, MT_K, NULL, 0, c, MT_N, NULL) != WF_OK) job->wrong++;
        for (int64_t i = 0; i < m * MT_N; i++) job->wrong += !(fabsf(c[i] - job->want[i]) <= 1e-5f);
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    float *a = kc_random(MT_M * MT_K, 1, -1, 1), *b = kc_random(MT_K * MT_N, 2, -1, 1), *c = kc_new(MT_M * MT_N);
    wf_packed *p = NULL;
    pthread_t threads[MT_THREADS];
    mt_job jobs[MT_THREADS];
    check_ok(wfi_packed_new(false, MT_K, MT_N, b, MT_N, WF_DTYPE_BF16, &p, err));
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

/* What is packed says which instructions are used; the level decides. */
static void test_native(void **state) {
    (void)state;
    wfi_kernels_force(WF_ISA_SCALAR);
    assert_int_equal(WF_ISA_SCALAR, wfi_kernels_level());
    assert_false(wfi_packed_native_bf16());
    wfi_kernels_force(wfi_cpu_get()->isa);
    assert_int_equal(wfi_cpu_get()->bf16, wfi_packed_native_bf16());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_plain_products),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_rounding_and_nonfinite),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_activations),
    };
    return cmocka_run_group_tests_name("kernels bf16", tests, NULL, NULL);
}
