/* tests/kernels/test_kernel_rows.c - bias, column sums, layer norm and softmax against double-precision formulas. */
#include "kernel_check.h"

static const int64_t shapes[][2] = {{0, 5},  {1, 1},   {3, 2},    {1, 17},    {17, 1},   {5, 15},    {6, 16},
                                    {7, 33}, {70, 24}, {300, 65}, {129, 384}, {67, 768}, {1000, 128}};
#define SHAPES (sizeof shapes / sizeof *shapes)

static void sums_case(int64_t T, int64_t H) {
    float *x = kc_random(T * H, 1, -1, 3), *bias = kc_random(H, 2, -1, 1), *y = kc_copy(x, T * H),
          *out = kc_copy(bias, H);
    wfi_bias_add(T, H, bias, y);
    for (int64_t i = 0; i < T * H; i++) assert_true(y[i] == x[i] + bias[i % H]);
    wfi_column_sum(T, H, x, out);
    for (int64_t h = 0; h < H; h++) {
        double sum = bias[h];
        for (int64_t t = 0; t < T; t++) sum += x[t * H + h];
        kc_near("column sum", h, out[h], sum, 1e-5, 5e-7);
    }
    kc_free(x, T * H), kc_free(bias, H), kc_free(y, T * H), kc_free(out, H);
}

typedef struct norm_data {
    int64_t T, H;
    float *x, *gamma, *beta, *y, *mean, *rstd, *dy, *dx, *dgamma, *dbeta;
} norm_data;

static double moments(const float *x, int64_t H, double eps, double *rstd) {
    double mu = 0, var = 0;
    for (int64_t h = 0; h < H; h++) mu += x[h];
    mu /= (double)H;
    for (int64_t h = 0; h < H; h++) var += (x[h] - mu) * (x[h] - mu);
    *rstd = 1 / sqrt(var / (double)H + eps);
    return mu;
}

static void norm_check_forward(const norm_data *d, double eps) {
    for (int64_t t = 0; t < d->T; t++) {
        double rstd, mu = moments(d->x + t * d->H, d->H, eps, &rstd);
        kc_near("mean", t, d->mean[t], mu, 1e-6, 1e-6);
        kc_near("rstd", t, d->rstd[t], rstd, 0, 3e-6);
        for (int64_t h = 0; h < d->H; h++)
            kc_near("layernorm", t * d->H + h, d->y[t * d->H + h],
                    (d->x[t * d->H + h] - mu) * rstd * d->gamma[h] + d->beta[h], 4e-6, 2e-6);
    }
}

static void norm_check_backward(const norm_data *d, double eps, const float *dgamma0, const float *dbeta0) {
    double *sg = wfi_alloc((size_t)d->H * 2, sizeof *sg), *sb = sg + d->H;
    for (int64_t t = 0; t < d->T; t++) {
        const float *x = d->x + t * d->H, *dy = d->dy + t * d->H;
        double rstd, mu = moments(x, d->H, eps, &rstd), mg = 0, mgn = 0;
        for (int64_t h = 0; h < d->H; h++) {
            double g = (double)dy[h] * d->gamma[h], n = (x[h] - mu) * rstd;
            mg += g, mgn += g * n, sg[h] += dy[h] * n, sb[h] += dy[h];
        }
        for (int64_t h = 0; h < d->H; h++) {
            double n = (x[h] - mu) * rstd,
                   want = rstd * ((double)dy[h] * d->gamma[h] - mg / (double)d->H - n * mgn / (double)d->H);
            kc_near("dx", t * d->H + h, d->dx[t * d->H + h], want, 3e-6 * (1 + rstd), 3e-6);
        }
    }
    for (int64_t h = 0; h < d->H; h++) {
        kc_near("dgamma", h, d->dgamma[h], dgamma0[h] + sg[h], 1e-5 * sqrt((double)d->T + 1), 1e-6);
        kc_near("dbeta", h, d->dbeta[h], dbeta0[h] + sb[h], 1e-5 * sqrt((double)d->T + 1), 1e-6);
    }
    wfi_free(sg);
}

static void norm_case(int64_t T, int64_t H) {
    double eps = H < 3 ? 0.1 : 1e-5; /* with one or two elements the true derivative is all cancellation */
    norm_data d = {T,
                   H,
                   kc_random(T * H, 1, -2, 4),
                   kc_random(H, 2, 0.5f, 1.5f),
                   kc_random(H, 3, -1, 1),
                   kc_new(T * H),
                   kc_new(T),
                   kc_new(T),
                   kc_random(T * H, 4, -1, 1),
                   kc_new(T * H),
                   kc_random(H, 5, -1, 1),
                   kc_random(H, 6, -1, 1)};
    float *dg0 = kc_copy(d.dgamma, H), *db0 = kc_copy(d.dbeta, H), *again = kc_copy(d.x, T * H),
          *sum = kc_random(T * H, 8, -1, 1);
    float *sum0 = kc_copy(sum, T * H);
    wfi_layernorm_forward(T, H, d.x, d.gamma, d.beta, (float)eps, d.y, d.mean, d.rstd);
    norm_check_forward(&d, (float)eps);
    wfi_layernorm_forward(T, H, again, d.gamma, d.beta, (float)eps, again, NULL, NULL);
    kc_same("layernorm in place", again, d.y, T * H);
    wfi_layernorm_backward(T, H, d.x, d.gamma, d.mean, d.rstd, d.dy, d.dx, false, d.dgamma, d.dbeta);
    norm_check_backward(&d, (float)eps, dg0, db0);
    wfi_layernorm_backward(T, H, d.x, d.gamma, d.mean, d.rstd, d.dy, sum, true, NULL, NULL);
    for (int64_t i = 0; i < T * H; i++) kc_near("dx added", i, sum[i], (double)sum0[i] + d.dx[i], 1e-6, 1e-6);
    float *dg = kc_copy(dg0, H), *db = kc_copy(db0, H); /* in place: the sums must still see dy */
    wfi_layernorm_backward(T, H, d.x, d.gamma, d.mean, d.rstd, d.dy, d.dy, false, dg, db);
    kc_same("dx in place", d.dy, d.dx, T * H), kc_same("dgamma in place", dg, d.dgamma, H),
        kc_same("dbeta in place", db, d.dbeta, H);
    kc_free(d.x, T * H), kc_free(d.gamma, H), kc_free(d.beta, H), kc_free(d.y, T * H), kc_free(d.mean, T),
        kc_free(d.rstd, T);
    kc_free(d.dy, T * H), kc_free(d.dx, T * H), kc_free(d.dgamma, H), kc_free(d.dbeta, H), kc_free(dg0, H),
        kc_free(db0, H);
    kc_free(again, T * H), kc_free(sum, T * H), kc_free(sum0, T * H), kc_free(dg, H), kc_free(db, H);
}

static void softmax_case(int64_t T, int64_t C) {
    float *x = kc_random(T * C, 1, -30, 30), *y = kc_new(T * C);
    if (T * C > 2) x[0] = 1e4f, x[1] = -1e4f;
    wfi_softmax(T, C, x, y);
    for (int64_t t = 0; t < T; t++) {
        double most = -INFINITY, sum = 0, total = 0;
        for (int64_t c = 0; c < C; c++) most = fmax(most, x[t * C + c]);
        for (int64_t c = 0; c < C; c++) sum += exp(x[t * C + c] - most);
        for (int64_t c = 0; c < C; c++)
            kc_near("softmax", t * C + c, y[t * C + c], exp(x[t * C + c] - most) / sum, 1e-9, 2e-6),
                total += y[t * C + c];
        kc_near("softmax sum", t, total, 1, 1e-6, 0);
    }
    wfi_softmax(T, C, x, x);
    kc_same("softmax in place", x, y, T * C);
    if (T * C > 0) { /* a NaN stays visible in its row */
        x[T * C - 1] = NAN;
        wfi_softmax(T, C, x, x);
        for (int64_t c = 0; c < C; c++) assert_true(isnan(x[(T - 1) * C + c]));
    }
    kc_free(x, T * C), kc_free(y, T * C);
}

/* Segments of widths 0 to about `widest`; what lies between two of them and behind is left alone. */
static void segments_case(int64_t N, int64_t widest) {
    int64_t first[80] = {3};
    for (int64_t i = 0; i < N; i++) first[i + 1] = first[i] + (i * 7 + widest) % (widest + 1);
    const int64_t n = first[N] + 2;
    float *x = kc_random(n, 1, -1, 3), *y = kc_random(n, 2, -2, 1), *s = kc_random(N, 3, -1, 1),
          *p = kc_random(N, 4, 0, 1), *dot = kc_new(N), *scaled = kc_copy(y, n), *mixed = kc_copy(y, n);
    wfi_segments_dot(N, first, x, y, dot);
    wfi_segments_scale(N, first, s, x, scaled);
    wfi_segments_mix(N, first, p, x, s, y, mixed);
    for (int64_t i = 0; i < N; i++) {
        double sum = 0, size = 0;
        for (int64_t j = first[i]; j < first[i + 1]; j++) {
            sum += (double)x[j] * y[j], size += fabs((double)x[j] * y[j]);
            assert_true(scaled[j] == s[i] * x[j]);
            kc_near("mix of segments", j, mixed[j], (double)p[i] * x[j] + (double)s[i] * y[j], 5e-7, 2e-7);
        }
        kc_near("dot of segments", i, dot[i], sum, 1e-6 * size, 0);
    }
    for (int64_t j = 0; j < n; j++)
        if (j < 3 || j >= n - 2) assert_true(scaled[j] == y[j] && mixed[j] == y[j]);
    wfi_segments_mix(N, first, p, x, s, y, y); /* in place */
    kc_same("mix in place", y, mixed, n);
    wfi_segments_scale(N, first, s, x, x);
    kc_same("scale in place", x + 3, scaled + 3, n - 5);
    kc_free(x, n), kc_free(y, n), kc_free(s, N), kc_free(p, N), kc_free(dot, N), kc_free(scaled, n), kc_free(mixed, n);
}

static void test_segments(void **state) {
    (void)state;
    for (int64_t widest = 0; widest <= 50; widest++) KC_EACH_ISA(segments_case(widest % 3 * 30 + 1, widest));
    KC_EACH_ISA((segments_case(0, 5), segments_case(79, 384)));
}

static void test_sums(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) KC_EACH_ISA(sums_case(shapes[i][0], shapes[i][1]));
}

static void test_layernorm(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) KC_EACH_ISA(norm_case(shapes[i][0], shapes[i][1]));
}

static void test_softmax(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) KC_EACH_ISA(softmax_case(shapes[i][0], shapes[i][1]));
}

/* Far from zero the variance must not be lost to cancellation. */
static void offset_case(void) {
    enum { H = 384 };
    float *x = kc_random(H, 1, 999.5f, 1000.5f), *g = kc_random(H, 2, 1, 1), *b = kc_random(H, 2, 0, 0), y[H], mean,
          rstd;
    wfi_layernorm_forward(1, H, x, g, b, 1e-12f, y, &mean, &rstd);
    double r, mu = moments(x, H, 1e-12, &r);
    kc_near("rstd far from zero", 0, rstd, r, 0, 1e-4);
    kc_near("mean far from zero", 0, mean, mu, 1e-4, 0);
    kc_free(x, H), kc_free(g, H), kc_free(b, H);
}

static void repeat_case(void) {
    int64_t T = 501, H = 384;
    float *x = kc_random(T * H, 1, -1, 1), *g = kc_random(H, 2, 1, 2), *b = kc_random(H, 3, -1, 1), *mean = kc_new(T),
          *rstd = kc_new(T);
    float *y[3], *dx[3], *dg[3], *cs[3];
    for (int r = 0; r < 3; r++) {
        wfi_threads_set(r == 0 ? 1 : 3);
        y[r] = kc_new(T * H), dx[r] = kc_new(T * H), dg[r] = kc_random(2 * H, 4, 0, 0), cs[r] = kc_random(H, 4, 0, 0);
        wfi_layernorm_forward(T, H, x, g, b, 1e-12f, y[r], mean, rstd);
        wfi_layernorm_backward(T, H, x, g, mean, rstd, y[r], dx[r], false, dg[r], dg[r] + H);
        wfi_column_sum(T, H, dx[r], cs[r]);
        wfi_softmax(T, H, y[r], y[r]);
    }
    wfi_threads_set(0);
    for (int r = 1; r < 3; r++) {
        kc_same("y", y[0], y[r], T * H), kc_same("dx", dx[0], dx[r], T * H), kc_same("dg", dg[0], dg[r], 2 * H),
            kc_same("sum", cs[0], cs[r], H);
    }
    for (int r = 0; r < 3; r++) kc_free(y[r], T * H), kc_free(dx[r], T * H), kc_free(dg[r], 2 * H), kc_free(cs[r], H);
    kc_free(x, T * H), kc_free(g, H), kc_free(b, H), kc_free(mean, T), kc_free(rstd, T);
}

static void test_offset_and_repeat(void **state) {
    (void)state;
    KC_EACH_ISA(offset_case());
    KC_EACH_ISA(repeat_case());
}

/* The sum that is normalised in one pass against its steps one after the other: the same bits, at any thread count. */
static void norm_sum_case(int64_t T, int64_t H, int n, float p, int threads) {
    const int64_t N = T * H;
    float *x[3], *g = kc_random(H, 20, 1, 2), *b = kc_random(H, 21, -1, 1), *sum = kc_new(N), *y = kc_new(N),
                 *mean = kc_new(T), *rstd = kc_new(T), *kept = kc_new(N), *out = kc_new(N), *m = kc_new(T),
                 *r = kc_new(T), *dy = kc_random(N, 22, -1, 1), *d = kc_copy(dy, N), *to[3], *want[3];
    bool fresh[3] = {true, false, false};
    for (int i = 0; i < 3; i++) x[i] = kc_random(N, 30 + (uint64_t)i, -2, 3), to[i] = kc_copy(x[i], N);
    wfi_dropout(N, 9, p, x[0], sum);
    for (int i = 1; i < n; i++) wfi_add(N, sum, x[i], sum);
    wfi_layernorm_forward(T, H, sum, g, b, 1e-12f, y, mean, rstd);
    wfi_layernorm_backward(T, H, sum, g, mean, rstd, dy, dy, false, NULL, NULL);
    for (int i = 0; i < n; i++) want[i] = kc_copy(i == 0 ? dy : x[i], N);
    for (int i = 1; i < n; i++) wfi_axpy(N, 1.0f, dy, want[i]);
    wfi_dropout(N, 9, p, dy, dy);
    wfi_threads_set(threads);
    wfi_layernorm_sum_forward(T, H, n, (const float *const *)x, p, 9, g, b, 1e-12f, kept, out, m, r);
    kc_same("sum", kept, sum, N), kc_same("norm of a sum", out, y, N);
    kc_same("its mean", m, mean, T), kc_same("its rstd", r, rstd, T);
    wfi_layernorm_sum_forward(T, H, n, (const float *const *)x, p, 9, g, b, 1e-12f, NULL, out, NULL, NULL);
    kc_same("norm of a sum that is not kept", out, y, N);
    wfi_layernorm_sum_backward(T, H, sum, g, mean, rstd, d, n, to, fresh, p, 9);
    wfi_threads_set(0);
    kc_same("gradient of a sum", d, dy, N);
    for (int i = 0; i < n; i++) kc_same("gradient of an addend", to[i], want[i], N), kc_free(want[i], N);
    for (int i = 0; i < 3; i++) kc_free(x[i], N), kc_free(to[i], N);
    kc_free(g, H), kc_free(b, H), kc_free(sum, N), kc_free(y, N), kc_free(mean, T), kc_free(rstd, T), kc_free(kept, N),
        kc_free(out, N), kc_free(m, T), kc_free(r, T), kc_free(dy, N), kc_free(d, N);
}

static void test_norm_of_sums(void **state) {
    (void)state;
    const int64_t sizes[][2] = {{0, 5}, {1, 1}, {7, 13}, {33, 384}, {301, 100}, {5, 1600}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int n = 1; n <= 3; n++)
            for (int k = 0; k < 4; k++)
                KC_EACH_ISA(norm_sum_case(sizes[i][0], sizes[i][1], n, k < 2 ? 0.0f : 0.3f, k % 2 ? 3 : 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),         cmocka_unit_test(test_layernorm),
        cmocka_unit_test(test_softmax),      cmocka_unit_test(test_offset_and_repeat),
        cmocka_unit_test(test_norm_of_sums), cmocka_unit_test(test_segments),
    };
    return cmocka_run_group_tests_name("kernels rows", tests, NULL, NULL);
}
