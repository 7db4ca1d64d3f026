/* tests/kernels/test_kernel_elementwise.c - activations, sums, dropout and AdamW against double-precision formulas. */
#include "kernel_check.h"

static double sigmoid(double x) {
    return 1.0 / (1.0 + exp(-x));
}

static double act(wf_act a, double x) {
    switch (a) {
    case WF_ACT_RELU:
        return fmax(x, 0);
    case WF_ACT_GELU:
        return x * 0.5 * erfc(-x / sqrt(2.0));
    case WF_ACT_GELU_NEW:
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case WF_ACT_SILU:
        return x * sigmoid(x);
    case WF_ACT_TANH:
        return tanh(x);
    case WF_ACT_LEAKY_RELU:
        return x > 0 ? x : 0.01 * x;
    case WF_ACT_SIGMOID:
        return sigmoid(x);
    case WF_ACT_RELU6:
        return fmin(fmax(x, 0), 6);
    case WF_ACT_RELU2:
        return x > 0 ? x * x : 0;
    case WF_ACT_MISH:
        return x * tanh(x > 40 ? x : log1p(exp(x)));
    case WF_ACT_QUICK_GELU:
        return x * sigmoid(1.702 * x);
    default:
        return x;
    }
}

static double slope(wf_act a, double x) {
    switch (a) { /* at kinks: the left derivative, as torch */
    case WF_ACT_RELU:
        return x > 0;
    case WF_ACT_LEAKY_RELU:
        return x > 0 ? 1 : 0.01;
    case WF_ACT_RELU6:
        return x > 0 && x < 6;
    case WF_ACT_RELU2:
        return x > 0 ? 2 * x : 0;
    case WF_ACT_LINEAR:
        return 1;
    default:
        break;
    }
    double h = 1e-5;
    return (act(a, x - 2 * h) - 8 * act(a, x - h) + 8 * act(a, x + h) - act(a, x + 2 * h)) / (12 * h);
}

static void act_case(wf_act a, int64_t n) {
    float *x = kc_random(n, 7 + (uint64_t)a, -9, 9), *y = kc_new(n), *dy = kc_random(n, 99, -2, 2), *dx = kc_new(n),
          *acc = kc_random(n, 5, -1, 1);
    float *first = kc_copy(acc, n), *again = kc_copy(x, n);
    for (int64_t i = 0; i < n && i < 9; i++) x[i] = (float[]){0, -0.0f, 6, 1e-6f, -1e-6f, 30, -30, 88, -88}[i];
    memcpy(again, x, (size_t)n * sizeof *x);
    wfi_act_forward(a, n, x, y);
    wfi_act_backward(a, n, x, dy, dx, false);
    wfi_act_backward(a, n, x, dy, acc, true);
    for (int64_t i = 0; i < n; i++) {
        kc_near(wfi_act_name(a), i, y[i], act(a, x[i]), 5e-7, 6e-7);
        kc_near("slope", i, dx[i], slope(a, x[i]) * dy[i], 3e-6, 2e-6);
        kc_near("added slope", i, acc[i], (double)first[i] + dx[i], 1e-6, 3e-7);
    }
    wfi_act_forward(a, n, again, again); /* in place, same bits */
    kc_same("activation in place", again, y, n);
    wfi_act_backward(a, n, x, dy, dy, false);
    kc_same("slope in place", dy, dx, n);
    kc_free(x, n), kc_free(y, n), kc_free(dy, n), kc_free(dx, n), kc_free(acc, n), kc_free(first, n), kc_free(again, n);
}

static void test_activations(void **state) {
    (void)state;
    for (int a = 0; a < WF_ACT_COUNT; a++)
        for (size_t i = 0; i < KC_SIZES; i++)
            if (kc_sizes[i] <= 70000) KC_EACH_ISA(act_case((wf_act)a, kc_sizes[i]));
}

/* GELU everywhere it matters, densely: within 1e-6 of the exact form, and small values keep their relative accuracy. */
static void gelu_sweep(void) {
    enum { N = 40001 };
    float *x = kc_new(N), *y = kc_new(N);
    for (int i = 0; i < N; i++) x[i] = (float)(-10.0 + i * 0.0005);
    wfi_act_forward(WF_ACT_GELU, N, x, y);
    for (int i = 0; i < N; i++) {
        kc_near("gelu", i, y[i], act(WF_ACT_GELU, x[i]), 2e-7, 3e-7);
        if (x[i] > -5) kc_near("gelu tail", i, y[i], act(WF_ACT_GELU, x[i]), 0, 3e-6);
    }
    wfi_act_forward(WF_ACT_TANH, N, x, y);
    for (int i = 0; i < N; i++) kc_near("tanh", i, y[i], tanh(x[i]), 0, 5e-7);
    kc_free(x, N), kc_free(y, N);
}

static void nonfinite_case(void) {
    for (int a = 0; a < WF_ACT_COUNT; a++) {
        float x[3] = {NAN, INFINITY, 1}, y[3];
        wfi_act_forward((wf_act)a, 3, x, y);
        if (!isnan(y[0])) fail_msg("%s(NaN) = %g: NaN must not disappear", wfi_act_name((wf_act)a), (double)y[0]);
        bool bounded = a == WF_ACT_TANH || a == WF_ACT_SIGMOID || a == WF_ACT_RELU6;
        if (bounded ? !isfinite(y[1]) : !(isinf(y[1]) && y[1] > 0))
            fail_msg("%s(inf) = %g", wfi_act_name((wf_act)a), (double)y[1]);
    }
}

static void test_gelu_and_nonfinite(void **state) {
    (void)state;
    KC_EACH_ISA(gelu_sweep());
    KC_EACH_ISA(nonfinite_case());
}

static void test_names(void **state) {
    (void)state;
    for (int a = 0; a < WF_ACT_COUNT; a++) {
        wf_act back = WF_ACT_COUNT;
        assert_true(wfi_act_parse(wfi_act_name((wf_act)a), &back));
        assert_int_equal(a, back);
    }
    wf_act got;
    assert_true(wfi_act_parse("swish", &got) && got == WF_ACT_SILU);
    assert_true(wfi_act_parse("leakyrelu", &got) && got == WF_ACT_LEAKY_RELU);
    assert_false(wfi_act_parse("", &got) || wfi_act_parse("Relu", &got) || wfi_act_parse(NULL, &got));
}

static void vector_case(int64_t n) {
    float *x = kc_random(n, 1, -3, 3), *y = kc_random(n, 2, -3, 3), *out = kc_new(n), *z = kc_copy(y, n);
    wfi_add(n, x, y, out);
    for (int64_t i = 0; i < n; i++) assert_true(out[i] == x[i] + y[i]);
    wfi_add(n, z, x, z);
    kc_same("add in place", z, out, n);
    wfi_copy(n, y, out);
    kc_same("copy", out, y, n);
    wfi_axpy(n, -0.37f, x, out);
    for (int64_t i = 0; i < n; i++) kc_near("axpy", i, out[i], y[i] + (double)-0.37f * x[i], 1e-6, 0);
    wfi_copy(n, x, out);
    wfi_scale(n, 1.7f, out);
    double squares = 0;
    for (int64_t i = 0; i < n; i++) assert_true(out[i] == x[i] * 1.7f), squares += (double)x[i] * x[i];
    wfi_zero(n, out);
    for (int64_t i = 0; i < n; i++) assert_true(out[i] == 0);
    kc_near("sum of squares", 0, wfi_sum_squares(n, x), squares, 0, 1e-12);
    kc_free(x, n), kc_free(y, n), kc_free(out, n), kc_free(z, n);
}

static void test_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < KC_SIZES; i++) KC_EACH_ISA(vector_case(kc_sizes[i]));
}

static void dropout_case(int64_t n, float p, uint64_t key) {
    float *x = kc_random(n, 3, 1, 2), *y = kc_new(n), *z = kc_copy(x, n);
    int64_t kept = 0;
    wfi_dropout(n, key, p, x, y);
    for (int64_t i = 0; i < n; i++) {
        bool keep = wfi_dropout_keep(key, (uint64_t)i, p);
        assert_int_equal(keep, (double)wfi_random_u32(key, (uint64_t)i) >= (double)p * 4294967296.0);
        if (keep != (y[i] != 0))
            fail_msg("dropout p=%g: element %lld of %lld is %g", (double)p, (long long)i, (long long)n, (double)y[i]);
        if (keep) kc_near("survivor", i, y[i], x[i] / (1 - (double)p), 0, 2e-7);
        kept += keep;
    }
    double sigma = sqrt((double)n * p * (1 - (double)p));
    assert_true(fabs((double)kept - (double)n * (1 - (double)p)) <= 5 * sigma + 1e-9);
    wfi_dropout(n, key, p, z, z);
    kc_same("dropout in place", z, y, n);
    kc_free(x, n), kc_free(y, n), kc_free(z, n);
}

static void test_dropout(void **state) {
    (void)state;
    const float rates[] = {0, 0.1f, 0.5f, 0.9f, 1.0f};
    for (size_t i = 0; i < KC_SIZES; i++)
        for (size_t r = 0; r < 5; r++) KC_EACH_ISA(dropout_case(kc_sizes[i], rates[r], 0x123456789abcdefULL + i));
    int64_t n = 100000, agree = 0; /* another key is another pattern */
    for (int64_t i = 0; i < n; i++)
        agree += wfi_dropout_keep(1, (uint64_t)i, 0.5f) == wfi_dropout_keep(2, (uint64_t)i, 0.5f);
    assert_in_range(agree, 49000, 51000);
}

static void adamw_case(int64_t n, int steps) {
    double lr = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8, decay = 0.01;
    float *p = kc_random(n, 11, -1, 1), *m = kc_new(n), *v = kc_new(n), *g = NULL;
    double *q = wfi_alloc((size_t)n * 3, sizeof *q);
    assert_non_null(q);
    for (int64_t i = 0; i < n; i++) q[3 * i] = p[i], m[i] = v[i] = 0;
    for (int t = 1; t <= steps; t++) {
        g = kc_random(n, (uint64_t)(50 + t), -0.1f, 0.1f);
        wfi_adamw(n, p, g, m, v, lr, b1, b2, eps, decay, t);
        for (int64_t i = 0; i < n; i++) {
            double *w = q + 3 * i;
            w[0] *= 1 - lr * decay;
            w[1] = b1 * w[1] + (1 - b1) * g[i];
            w[2] = b2 * w[2] + (1 - b2) * g[i] * g[i];
            w[0] -= lr / (1 - pow(b1, t)) * w[1] / (sqrt(w[2] / (1 - pow(b2, t))) + eps);
        }
        kc_free(g, n);
    }
    for (int64_t i = 0; i < n; i++) {
        kc_near("adamw p", i, p[i], q[3 * i], 2e-6, 0);
        kc_near("adamw m", i, m[i], q[3 * i + 1], 1e-7, 1e-5);
        kc_near("adamw v", i, v[i], q[3 * i + 2], 1e-9, 1e-5);
    }
    wfi_free(q);
    kc_free(p, n), kc_free(m, n), kc_free(v, n);
}

static void test_adamw(void **state) {
    (void)state;
    for (size_t i = 0; i < KC_SIZES; i++) KC_EACH_ISA(adamw_case(kc_sizes[i], kc_sizes[i] > 10000 ? 2 : 20));
}

/* One thread, three threads and a second run give the same bits. */
static void repeat_case(void) {
    int64_t n = 200003;
    float *x = kc_random(n, 21, -4, 4), *y[3];
    double s[3];
    for (int r = 0; r < 3; r++) {
        wfi_threads_set(r == 0 ? 1 : 3);
        y[r] = kc_new(n);
        wfi_act_forward(WF_ACT_GELU, n, x, y[r]);
        wfi_dropout(n, 5, 0.1f, y[r], y[r]);
        wfi_axpy(n, 0.1f, x, y[r]);
        s[r] = wfi_sum_squares(n, y[r]);
    }
    wfi_threads_set(0);
    kc_same("threads", y[0], y[1], n), kc_same("repeat", y[1], y[2], n);
    assert_true(s[0] == s[1] && s[1] == s[2]);
    for (int r = 0; r < 3; r++) kc_free(y[r], n);
    kc_free(x, n);
}

static void test_repeat(void **state) {
    (void)state;
    KC_EACH_ISA(repeat_case());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations), cmocka_unit_test(test_gelu_and_nonfinite),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_dropout),     cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_repeat),
    };
    return cmocka_run_group_tests_name("kernels elementwise", tests, NULL, NULL);
}
