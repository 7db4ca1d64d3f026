/* tests/kernels/test_kernel_attention.c - ragged attention against a full-matrix oracle in double; its backward against
 * the oracle's formulas and, independently, against finite differences of the oracle's forward. */
#include "kernel_check.h"

typedef struct problem {
    int64_t S, A, D, T, H, ld, ldd;
    const int64_t *offsets;
    float scale, p;
    uint64_t key;
    float *q, *k, *v, *out, *lse, *dout, *dq, *dk,
        *dv; /* q, k, v interleaved in one [T, ld] block, the gradients too */
} problem;

static problem make(int64_t S, const int64_t *offsets, int64_t A, int64_t D, float p, int64_t pad) {
    problem b = {.S = S,
                 .A = A,
                 .D = D,
                 .T = offsets[S],
                 .H = A * D,
                 .offsets = offsets,
                 .scale = 1.0f / sqrtf((float)D),
                 .p = p,
                 .key = 77};
    b.ld = 3 * b.H + pad, b.ldd = 3 * b.H + 2 * pad;
    b.q = kc_random(b.T * b.ld, 1, -2, 2), b.k = b.q + b.H, b.v = b.q + 2 * b.H;
    b.out = kc_new(b.T * b.H), b.lse = kc_new(b.T * A), b.dout = kc_random(b.T * b.H, 2, -1, 1);
    b.dq = kc_new(b.T * b.ldd), b.dk = b.dq + b.H, b.dv = b.dq + 2 * b.H;
    return b;
}

static void forward(problem *b) {
    wfi_attention_forward(b->S, b->offsets, b->A, b->D, b->scale, b->q, b->k, b->v, b->ld, b->out, b->lse, b->p,
                          b->key);
}

static void backward(problem *b) {
    wfi_attention_backward(b->S, b->offsets, b->A, b->D, b->scale, b->q, b->k, b->v, b->ld, b->out, b->lse, b->dout,
                           b->dq, b->dk, b->dv, b->ldd, b->p, b->key);
}

static void drop(problem *b) {
    kc_free(b->q, b->T * b->ld), kc_free(b->out, b->T * b->H), kc_free(b->lse, b->T * b->A),
        kc_free(b->dout, b->T * b->H);
    kc_free(b->dq, b->T * b->ldd);
}

/* out, lse and the three gradients in double, dense [T, H]. */
typedef struct oracle {
    double *out, *lse, *dq, *dk, *dv;
} oracle;

static double survival(const problem *b, int64_t row, int64_t a, int64_t j) {
    if (b->p <= 0) return 1;
    uint64_t i = (((uint64_t)row * (uint64_t)b->A + (uint64_t)a) << 16) + (uint64_t)j;
    return wfi_dropout_keep(b->key, i, b->p) ? 1 / (1 - (double)b->p) : 0;
}

static void oracle_row(const problem *b, oracle *o, int64_t s, int64_t a, int64_t row) {
    int64_t first = b->offsets[s], L = b->offsets[s + 1] - first, D = b->D, H = b->H;
    double *prob = wfi_alloc((size_t)L * 2, sizeof *prob), *dprob = prob + L, most = -INFINITY, sum = 0, inner = 0;
    const float *q = b->q + row * b->ld + a * D, *dout = b->dout + row * H + a * D;
    for (int64_t j = 0; j < L; j++) {
        for (int64_t d = 0; d < D; d++) prob[j] += (double)b->scale * q[d] * b->k[(first + j) * b->ld + a * D + d];
        most = fmax(most, prob[j]);
    }
    for (int64_t j = 0; j < L; j++) sum += prob[j] = exp(prob[j] - most);
    o->lse[row * b->A + a] = most + log(sum);
    for (int64_t j = 0; j < L; j++) {
        double kept = survival(b, row, a, j);
        const float *v = b->v + (first + j) * b->ld + a * D;
        prob[j] /= sum;
        for (int64_t d = 0; d < D; d++) {
            o->out[row * H + a * D + d] += kept * prob[j] * v[d];
            o->dv[(first + j) * H + a * D + d] += kept * prob[j] * dout[d];
            dprob[j] += kept * v[d] * dout[d];
        }
        inner += prob[j] * dprob[j];
    }
    for (int64_t j = 0; j < L; j++) {
        double dscore = b->scale * prob[j] * (dprob[j] - inner);
        for (int64_t d = 0; d < D; d++) {
            o->dq[row * H + a * D + d] += dscore * b->k[(first + j) * b->ld + a * D + d];
            o->dk[(first + j) * H + a * D + d] += dscore * q[d];
        }
    }
    wfi_free(prob);
}

static oracle oracle_new(const problem *b) {
    size_t n = (size_t)(b->T * b->H);
    oracle o = {.out = wfi_alloc(4 * n + (size_t)(b->T * b->A), sizeof(double))};
    assert_non_null(o.out);
    o.dq = o.out + n, o.dk = o.dq + n, o.dv = o.dk + n, o.lse = o.dv + n;
    for (int64_t s = 0; s < b->S; s++)
        for (int64_t a = 0; a < b->A; a++)
            for (int64_t row = b->offsets[s]; row < b->offsets[s + 1]; row++) oracle_row(b, &o, s, a, row);
    return o;
}

static void compare(problem *b, const oracle *o) {
    forward(b);
    for (int64_t i = 0; i < b->T * b->A; i++) kc_near("lse", i, b->lse[i], o->lse[i], 2e-6, 1e-6);
    for (int64_t i = 0; i < b->T * b->H; i++) kc_near("out", i, b->out[i], o->out[i], 3e-6, 1e-5);
    backward(b);
    for (int64_t i = 0; i < b->T; i++)
        for (int64_t h = 0; h < b->H; h++) {
            kc_near("dq", i * b->H + h, b->dq[i * b->ldd + h], o->dq[i * b->H + h], 1e-5, 1e-5);
            kc_near("dk", i * b->H + h, b->dk[i * b->ldd + h], o->dk[i * b->H + h], 1e-5, 1e-5);
            kc_near("dv", i * b->H + h, b->dv[i * b->ldd + h], o->dv[i * b->H + h], 1e-5, 1e-5);
        }
    for (int64_t i = 0; i < b->T; i++) /* padding between rows stays untouched */
        for (int64_t c = 3 * b->H; c < b->ldd; c++) assert_true(b->dq[i * b->ldd + c] == KC_MARK);
    float *saved = kc_copy(b->out, b->T * b->H); /* inference (no lse) is the same forward */
    wfi_attention_forward(b->S, b->offsets, b->A, b->D, b->scale, b->q, b->k, b->v, b->ld, b->out, NULL, b->p, b->key);
    kc_same("out without lse", b->out, saved, b->T * b->H);
    kc_free(saved, b->T * b->H);
}

static void attention_case(int64_t S, const int64_t *offsets, int64_t A, int64_t D, float p, int64_t pad) {
    problem b = make(S, offsets, A, D, p, pad);
    oracle o = oracle_new(&b);
    KC_EACH_ISA(compare(&b, &o));
    wfi_free(o.out);
    drop(&b);
}

static const int64_t ragged[] = {0, 1, 1, 3, 20, 37, 101, 165, 294};

static void test_shapes(void **state) {
    (void)state;
    const int64_t widths[] = {1, 3, 8, 16, 24, 32, 48, 64, 80, 128, 136};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        attention_case(8, ragged, 2, widths[i], 0, 0);
        attention_case(8, ragged, 3, widths[i], 0.1f, 5);
    }
    attention_case(0, (int64_t[]){0}, 2, 32, 0, 0);
    attention_case(3, (int64_t[]){0, 0, 0, 0}, 2, 32, 0.1f, 0);
    attention_case(1, (int64_t[]){0, 1}, 1, 64, 0.5f, 1);
}

/* Longer than everything a tile or a packed block holds. */
static void test_long(void **state) {
    (void)state;
    attention_case(1, (int64_t[]){0, 512}, 1, 32, 0, 0);
    attention_case(2, (int64_t[]){0, 513, 514}, 1, 64, 0.1f, 0);
    attention_case(1, (int64_t[]){0, 1100}, 1, 32, 0.1f, 0);
}

/* Scores of hundreds must neither overflow nor lose the sum. */
static void test_large_scores(void **state) {
    (void)state;
    problem b = make(8, ragged, 2, 32, 0, 0);
    for (int64_t i = 0; i < b.T * b.ld; i++)
        if (i % b.ld < b.H) b.q[i] *= 60;
    oracle o = oracle_new(&b);
    KC_EACH_ISA({
        forward(&b);
        for (int64_t i = 0; i < b.T * b.H; i++) kc_near("out", i, b.out[i], o.out[i], 2e-3, 1e-3);
    });
    b.k[5 * b.ld + 1] = NAN; /* in sequence 3: seen by its rows only */
    KC_EACH_ISA({
        forward(&b);
        for (int64_t row = 0; row < b.T; row++) assert_int_equal(row >= 3 && row < 20, isnan(b.out[row * b.H]) != 0);
    });
    b.k[5 * b.ld + 1] = 0;
    wfi_free(o.out);
    drop(&b);
}

/* Directional derivative of sum(out * dout) by central differences of the double-precision forward. */
static double value(const problem *b) {
    oracle o = oracle_new(b);
    double sum = 0;
    for (int64_t i = 0; i < b->T * b->H; i++) sum += o.out[i] * b->dout[i];
    wfi_free(o.out);
    return sum;
}

static void test_finite_differences(void **state) {
    (void)state;
    const int64_t offsets[] = {0, 7, 30};
    for (int trial = 0; trial < 2; trial++) {
        problem b = make(2, offsets, 2, 32, trial ? 0.2f : 0, 0);
        KC_EACH_ISA({
            forward(&b);
            backward(&b);
            for (int64_t c = 0; c < 3 * b.H;
                 c += 37) { /* one input column at a time, a step that float holds exactly */
                float h = 1.0f / 64;
                double analytic = 0;
                for (int64_t t = 0; t < b.T; t++) analytic += b.dq[t * b.ldd + c];
                for (int64_t t = 0; t < b.T; t++) b.q[t * b.ld + c] += h;
                double up = value(&b);
                for (int64_t t = 0; t < b.T; t++) b.q[t * b.ld + c] -= 2 * h;
                double down = value(&b);
                for (int64_t t = 0; t < b.T; t++) b.q[t * b.ld + c] += h;
                kc_near("finite difference", c, analytic, (up - down) / (2 * (double)h), 2e-3, 2e-3);
            }
        });
        drop(&b);
    }
}

static void repeat_case(void) {
    problem b = make(8, ragged, 4, 32, 0.1f, 0);
    float *first[2] = {NULL};
    for (int r = 0; r < 3; r++) {
        wfi_threads_set(r == 0 ? 1 : 3);
        forward(&b);
        backward(&b);
        if (r == 0) {
            first[0] = kc_copy(b.out, b.T * b.H), first[1] = kc_copy(b.dq, b.T * b.ldd);
        } else {
            kc_same("out", first[0], b.out, b.T * b.H), kc_same("gradients", first[1], b.dq, b.T * b.ldd);
        }
    }
    wfi_threads_set(0);
    kc_free(first[0], b.T * b.H), kc_free(first[1], b.T * b.ldd);
    drop(&b);
}

static void test_repeat(void **state) {
    (void)state;
    KC_EACH_ISA(repeat_case());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),       cmocka_unit_test(test_long),
        cmocka_unit_test(test_large_scores), cmocka_unit_test(test_finite_differences),
        cmocka_unit_test(test_repeat),
    };
    return cmocka_run_group_tests_name("kernels attention", tests, NULL, NULL);
}
