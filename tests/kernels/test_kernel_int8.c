/* tests/kernels/test_kernel_int8.c - products in 8 bits against their definition, against the exact product within the
 * bound of the rounding, and bit for bit across levels and threads. */
#include "packed_check.h"

#include "kernels/gemm.h"
#include "kernels/gemm_peak.h"
#include "kernels/int8.h"

#include <float.h>
#include <pthread.h>

enum { GROUP = WFK_INT8_GROUP };

/* kernels/int8.h once more, in as few words: C[i,j] of one row a and one column b (both dense). */
static float defined(int64_t k, const float *a, const float *b, float start) {
    float sum = start;
    for (int64_t first = 0; first < k; first += GROUP) {
        const int64_t n = k - first < GROUP ? k - first : GROUP;
        float low = 0, high = 0, most = 0;
        bool bad = false;
        for (int64_t l = first; l < first + n; l++) {
            low = fminf(low, a[l]), high = fmaxf(high, a[l]), most = fmaxf(most, fabsf(b[l]));
            bad |= !isfinite(a[l]) || !isfinite(b[l]);
        }
        if (bad) return NAN;
        const float scale_a = high / 255.0f - low / 255.0f, scale_b = most / 127.0f;
        long dot = 0;
        if (scale_a < FLT_MIN || scale_b < FLT_MIN) continue; /* adds 0 */
        const float ra = 1.0f / scale_a, rb = 1.0f / scale_b;
        const long zero = lrintf(-low / scale_a);
        for (int64_t l = first; l < first + n; l++) {
            long q = lrintf(a[l] * ra) + zero;
            q = q < 0 ? 0 : q > 255 ? 255 : q;
            dot += (q - zero) * lrintf(b[l] * rb);
        }
        sum = fmaf((float)dot * scale_a, scale_b, sum);
    }
    return sum;
}

/* How far the product may be from the exact one: half a step of each factor, and half a step where the ends are cut. */
static double bound(int64_t k, const float *a, const float *b) {
    double all = 0;
    for (int64_t first = 0; first < k; first += GROUP) {
        const int64_t n = k - first < GROUP ? k - first : GROUP;
        double low = 0, high = 0, most = 0;
        for (int64_t l = first; l < first + n; l++)
            low = fmin(low, a[l]), high = fmax(high, a[l]), most = fmax(most, fabs((double)b[l]));
        const double ha = (high - low) / 255, hb = most / 127 / 2;
        for (int64_t l = first; l < first + n; l++) all += ha * fabs((double)b[l]) + hb * fabs((double)a[l]) + ha * hb;
    }
    return all * (1 + 1e-4);
}

typedef struct problem {
    bool tb;
    int64_t m, n, k, pad;
    bool bias;
    float beta;
} problem;

static void product_case(const problem *s) {
    const int64_t lda = s->k + s->pad, ldb = (s->tb ? s->k : s->n) + s->pad, ldc = s->n + s->pad;
    const int64_t na = s->m * lda, nb = (s->tb ? s->n : s->k) * ldb, nc = s->m * ldc;
    float *a = kc_random(na, 1, -1, 2), *b = kc_random(nb, 2, -1, 1), *c = kc_random(nc, 3, -1, 1),
          *bias = kc_random(s->n, 4, -1, 1), *column = kc_new(s->k);
    if (s->beta == 0)
        for (int64_t i = 0; i < nc; i++)
            if (i % ldc < s->n) c[i] = NAN; /* never read */
    float *c0 = kc_copy(c, nc), *b0 = kc_copy(b, nb);
    wf_packed *p = NULL;
    check_ok(wfi_packed_new(s->tb, s->k, s->n, b, ldb, WF_DTYPE_I8, &p, err));
    for (int64_t i = 0; i < nb; i++) b[i] = NAN;
    check_ok(wfi_packed_gemm(p, s->m, a, lda, s->bias ? bias : NULL, s->beta, c, ldc, err));
    wfi_packed_free(p);
    for (int64_t j = 0; j < s->n; j++) {
        for (int64_t l = 0; l < s->k; l++) column[l] = s->tb ? b0[j * ldb + l] : b0[l * ldb + j];
        for (int64_t i = 0; i < s->m; i++) {
            float start = s->bias ? bias[j] : 0.0f;
            if (s->beta != 0) start = c0[i * ldc + j] + start;
            const float want = defined(s->k, a + i * lda, column, start), got = c[i * ldc + j];
            double exact = start;
            for (int64_t l = 0; l < s->k; l++) exact += (double)a[i * lda + l] * (double)column[l];
            if (memcmp(&want, &got, sizeof got) != 0)
                fail_msg("m %lld n %lld k %lld: C[%lld,%lld] is %.9g, by definition %.9g", (long long)s->m,
                         (long long)s->n, (long long)s->k, (long long)i, (long long)j, (double)got, (double)want);
            kc_near("product in 8 bits", i * s->n + j, got, exact, bound(s->k, a + i * lda, column) + 1e-6, 0);
        }
    }
    for (int64_t i = 0; i < nc; i++)
        if (i % ldc >= s->n) assert_true(c[i] == c0[i]);
    kc_free(a, na), kc_free(b, nb), kc_free(c, nc), kc_free(bias, s->n), kc_free(column, s->k), kc_free(c0, nc),
        kc_free(b0, nb);
}

/* Every level gives the bits of the definition, so all levels give the same. */
static void test_products(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{0, 3, 4},     {3, 0, 4},     {3, 4, 0},     {1, 1, 1},
                                        {5, 17, 33},   {2, 3, 127},   {7, 64, 128},  {6, 65, 129},
                                        {13, 63, 131}, {1, 130, 384}, {32, 96, 384}, {11, 16, 516}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int f = 0; f < 8; f++) {
            const problem s = {.tb = f & 1,
                               .m = shapes[i][0],
                               .n = shapes[i][1],
                               .k = shapes[i][2],
                               .bias = f & 2,
                               .beta = f & 4 ? 1 : 0,
                               .pad = f == 5 || f == 2 ? 3 : 0};
            KC_EACH_ISA(product_case(&s));
        }
    for (int64_t n = 1; n <= WFK_INT8_PANEL + 1; n++)
        for (int64_t m = 1; m <= 13; m += 3) KC_EACH_ISA(product_case(&(problem){.m = m, .n = n, .k = 5 + n}));
}

/* Many rows are cut by rows, few by columns: no bit depends on it. */
static void test_threads_and_rows(void **state) {
    (void)state;
    enum { M = 67, K = 512, N = 1030 };
    float *a = kc_random(M * K, 1, -3, 1), *b = kc_random(N * K, 2, -1, 1), *want = kc_new(M * N), *c = kc_new(M * N);
    wf_packed *p = NULL;
    check_ok(wfi_packed_new(true, K, N, b, K, WF_DTYPE_I8, &p, err));
    wfi_threads_set(1);
    check_ok(wfi_packed_gemm(p, M, a, K, NULL, 0, want, N, err));
    for (int threads = 1; threads <= 5; threads++)
        for (int64_t m = 1; m <= M; m += m < 30 ? 1 : 9) {
            wfi_threads_set(threads);
            for (int64_t i = 0; i < m * N; i++) c[i] = NAN;
            KC_EACH_ISA(check_ok(wfi_packed_gemm(p, m, a, K, NULL, 0, c, N, err));
                        kc_same("rows and threads", c, want, m * N); if (m > 12) break);
        }
    wfi_threads_set(0);
    wfi_packed_free(p);
    kc_free(a, M * K), kc_free(b, N * K), kc_free(want, M * N), kc_free(c, M * N);
}

/* Rows made on the way have the bits of rows made beforehand. */
static void act_case(wf_act act, bool back, int64_t m, int64_t k) {
    enum { N = 70 };
    float *x = kc_random(m * (k + 2), 1, -2, 2), *dy = kc_random(m * (k + 2), 2, -1, 1),
          *b = kc_random(N * k, 3, -1, 1), *a = kc_new(m * (k + 2)), *want = kc_random(m * N, 4, -1, 1),
          *c = kc_copy(want, m * N);
    wf_packed *p = NULL;
    check_ok(wfi_packed_new(true, k, N, b, k, WF_DTYPE_I8, &p, err));
    assert_true(wfi_packed_takes_act(p));
    if (back)
        wfi_act_backward(act, m * (k + 2), x, dy, a, false);
    else
        wfi_act_forward(act, m * (k + 2), x, a);
    check_ok(wfi_packed_gemm(p, m, a, k + 2, b, 1, want, N, err));
    check_ok(wfi_packed_gemm_act(p, m, act, x, back ? dy : NULL, k + 2, b, 1, c, N, err));
    kc_same(back ? "slopes on the way" : "activation on the way", c, want, m * N);
    wfi_packed_free(p);
    kc_free(x, m * (k + 2)), kc_free(dy, m * (k + 2)), kc_free(b, N * k), kc_free(a, m * (k + 2));
    kc_free(want, m * N), kc_free(c, m * N);
}

static void test_act(void **state) {
    (void)state;
    for (int act = 0; act < WF_ACT_COUNT; act++)
        for (int back = 0; back < 2; back++) KC_EACH_ISA(act_case((wf_act)act, back, 9, 131));
    KC_EACH_ISA((act_case(WF_ACT_GELU, false, 0, 8), act_case(WF_ACT_GELU, true, 200, 384)));
}

/* The largest sums: every byte at its end. vpmaddubsw would cut 255 * 127 * 2 at 32767. */
static void ends_case(void) {
    enum { K = 256, N = 20 };
    float a[2 * K], b[K * N], c[2 * N];
    wf_packed *p = NULL;
    for (int l = 0; l < K; l++) {
        a[l] = 1, a[K + l] = l % 2 ? -1 : 1;
        for (int j = 0; j < N; j++) b[l * N + j] = j % 2 ? -1 : 1;
    }
    check_ok(wfi_packed_new(false, K, N, b, N, WF_DTYPE_I8, &p, err));
    check_ok(wfi_packed_gemm(p, 2, a, K, NULL, 0, c, N, err));
    for (int j = 0; j < N; j++) {
        kc_near("all ones", j, c[j], j % 2 ? -K : K, 0, 1e-6);
        kc_near("alternating", j, c[N + j], 0, K / 255.0, 0);
    }
    wfi_packed_free(p);
}

/* An outlier costs the precision of its own group only. */
static void outlier_case(void) {
    enum { K = 3 * GROUP };
    float a[K], b[K], c[2];
    wf_packed *p = NULL;
    double rest = 0;
    for (int l = 0; l < K; l++) {
        a[l] = wfi_random_uniform(1, (uint64_t)l) - 0.5f, b[l] = wfi_random_uniform(2, (uint64_t)l) - 0.5f;
        if (l / GROUP != 1) rest += (double)a[l] * b[l];
    }
    for (int l = GROUP; l < 2 * GROUP; l++) b[l] = 0;
    a[GROUP + 5] = 1000;
    check_ok(wfi_packed_new(true, K, 1, b, K, WF_DTYPE_I8, &p, err));
    check_ok(wfi_packed_gemm(p, 1, a, K, NULL, 0, c, 1, err));
    kc_near("beside an outlier", 0, c[0], rest, 0.05, 0); /* one step of one scale for all would be 1000/255 */
    wfi_packed_free(p);
}

static void nonfinite_case(void) {
    enum { K = 200, N = 5, M = 6 };
    float a[M * K], b[K * N], c[M * N];
    wf_packed *p = NULL;
    for (int i = 0; i < M * K; i++) a[i] = 1;
    for (int i = 0; i < K * N; i++) b[i] = 1;
    a[3] = NAN, a[K + 150] = INFINITY, a[2 * K + 199] = -INFINITY;
    for (int l = 0; l < K; l++) a[3 * K + l] = 1e-40f, a[4 * K + l] = l % 2 ? 1e36f : -1e36f;
    b[7 * N + 4] = NAN;
    check_ok(wfi_packed_new(false, K, N, b, N, WF_DTYPE_I8, &p, err));
    check_ok(wfi_packed_gemm(p, M, a, K, NULL, 0, c, N, err));
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            const float x = c[i * N + j];
            if (i < 3 || j == 4)
                assert_true(isnan(x));
            else if (i == 3)
                assert_true(x == 0);
            else if (i == 4)
                assert_true(isfinite(x) && fabsf(x) < 1e36f);
            else
                kc_near("beside NaN", j, x, K, 0, 1e-6);
        }
    wfi_packed_free(p);
}

static void test_ends_and_nonfinite(void **state) {
    (void)state;
    KC_EACH_ISA((ends_case(), outlier_case(), nonfinite_case()));
}

static void test_no_memory(void **state) {
    (void)state;
    pc_no_memory(WF_DTYPE_I8, 5);
}

static void test_wrong_arguments(void **state) {
    (void)state;
    float x[16] = {0};
    wf_packed *p = NULL;
    check_status(WF_E_SHAPE, wfi_packed_new(false, 2, 4, x, 2, WF_DTYPE_I8, &p, err));
    check_status(WF_E_NOMEM,
                 wfi_packed_new(false, INT64_MAX / 2, INT64_MAX / 2, x, INT64_MAX / 2, WF_DTYPE_I8, &p, err));
    check_status(WF_E_UNSUPPORTED, wfi_packed_new(false, 2, 2, x, 2, WF_DTYPE_I32, &p, err));
    assert_null(p);
    check_ok(wfi_packed_new(false, 2, 2, x, 2, WF_DTYPE_I8, &p, err));
    check_status(WF_E_ARG, wfi_packed_gemm(p, 2, x, 2, NULL, 0.5f, x + 8, 2, err));
    check_status(WF_E_SHAPE, wfi_packed_gemm(p, 2, x, 1, NULL, 0, x + 8, 2, err));
    check_status(WF_E_SHAPE, wfi_packed_gemm_act(p, 2, WF_ACT_GELU, x, NULL, 1, NULL, 0, x + 8, 2, err));
    wfi_packed_free(p);
    assert_false(wfi_packed_takes_act(NULL));
    check_ok(wfi_packed_new(false, 2, 2, x, 2, WF_DTYPE_F32, &p, err));
    assert_false(wfi_packed_takes_act(p));
    check_status(WF_E_ARG, wfi_packed_gemm_act(p, 2, WF_ACT_GELU, x, NULL, 2, NULL, 0, x + 8, 2, err));
    wfi_packed_free(p);
}

/* The bound that benchmarks measure is a product: exact sums of bytes, small enough for every processor. */
static void test_byte_product(void **state) {
    (void)state;
    enum { M = 5, K = 131, N = 37 };
    static uint8_t a[M * K];
    static int8_t b[K * N];
    static int32_t c[M * N];
    wf_byte_product *p = NULL;
    wf_err e = {0};
    for (int i = 0; i < M * K; i++) a[i] = (uint8_t)(i * 7 % 127);
    for (int i = 0; i < K * N; i++) b[i] = (int8_t)(i * 5 % 127 - 63);
    if (wfi_byte_product_new(M, K, N, b, &p, &e) == WF_E_UNSUPPORTED) skip();
    if (!p) fail_msg("%s", e.text);
    for (int run = 0; run < 2; run++) {
        check_ok(wfi_byte_product_run(p, a, c, err));
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                int32_t sum = 0;
                for (int l = 0; l < K; l++) sum += a[i * K + l] * b[l * N + j];
                assert_int_equal(sum, c[i * N + j]);
            }
        a[run] = 100;
    }
    wfi_byte_product_free(p);
    wfi_byte_product_free(NULL);
    check_status(WF_E_SHAPE, wfi_byte_product_new(0, 1, 1, b, &p, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_threads_and_rows),
        cmocka_unit_test(test_ends_and_nonfinite),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_byte_product),
        cmocka_unit_test(test_act),
    };
    return cmocka_run_group_tests_name("kernels int8", tests, NULL, NULL);
}
