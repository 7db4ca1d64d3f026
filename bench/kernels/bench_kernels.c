/* bench/kernels/bench_kernels.c - how fast each kernel runs on this machine, and how far from its bound (measure.h).
 * Usage: bench_kernels [rows [threads [filter]]]; WEFT_ISA=scalar|avx2|avx512 lowers the level. A filter is part of
 * kernels' names. --check instead: runs each once, times nothing, and fails when the table of kernels (dispatch.h) has
 * an entry that no row here stands for.
 * Shapes are those of a six-layer model of width 384 (12 heads of 32) and of width 768 (12 heads of 64). Buffers of
 * kernels that move memory are swept, many sets of them in turn, so that they meet memory. */
#include "base/alloc.h"
#include "kernels/dispatch.h"
#include "kernels/gemm.h"
#include "measure.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t rows = 1000;
static bool checking;

/* Sets of n floats to sweep; NEXT is the one whose turn it is. */
static int64_t sets_of(int64_t n) {
    return checking || n > MEASURE_LARGE / 2 ? 2 : MEASURE_LARGE / n;
}
#define NEXT(v) ((v) + n * (set % sets))

/* ---- matrix products ---- */

static void bench_packed(int64_t k, int64_t n, wf_dtype dtype, const char *name, cost need, const float *a,
                         const float *b, const float *bias, float *c, const char *shape) {
    wf_packed *p = NULL;
    wf_err err = {0};
    measure_must(wfi_packed_new(false, k, n, b, n, dtype, &p, &err), &err);
    MEASURE(name, shape, need, measure_must(wfi_packed_gemm(p, rows, a, k, bias, 0, c, n, &err), &err));
    if (wfi_packed_takes_act(p))
        MEASURE("product int8 of gelu", shape, need,
                measure_must(wfi_packed_gemm_act(p, rows, WF_ACT_GELU, a, NULL, k, bias, 0, c, n, &err), &err));
    wfi_packed_free(p);
}

static void bench_gemm(void) {
    static const int64_t kn[][2] = {{384, 384},  {384, 1152}, {384, 1536}, {1536, 384}, {768, 768},
                                    {768, 3072}, {3072, 768}, {384, 24},   {24, 384}};
    wf_err err = {0};
    for (size_t i = 0; i < sizeof kn / sizeof *kn; i++) {
        const int64_t k = kn[i][0], n = kn[i][1];
        float *a = measure_data(rows * k, -1, 1), *b = measure_data(k * n, -1, 1), *c = measure_data(rows * n, -1, 1),
              *bias = measure_data(n, -1, 1);
        const double flops = 2.0 * (double)(rows * k * n);
        char shape[64];
        snprintf(shape, sizeof shape, "[%lld,%lld]x[%lld,%lld]", (long long)rows, (long long)k, (long long)k,
                 (long long)n);
        bench_packed(k, n, WF_DTYPE_F32, "product f32, packed", FLOPS(flops), a, b, bias, c, shape);
        bench_packed(k, n, WF_DTYPE_BF16, "product bf16, packed", HALVES(flops), a, b, bias, c, shape);
        bench_packed(k, n, WF_DTYPE_I8, "product int8, packed", EIGHTS(flops), a, b, bias, c, shape);
        MEASURE("product f32, A B'", shape, FLOPS(flops),
                measure_must(wfi_gemm(false, true, rows, n, k, 1, a, k, b, k, 0, c, n, &err), &err));
        MEASURE("product f32, A' B", shape, FLOPS(flops),
                measure_must(wfi_gemm(true, false, n, k, rows, 1, c, n, a, k, 1, b, k, &err), &err));
        wfi_free(a), wfi_free(b), wfi_free(c), wfi_free(bias);
    }
}

/* One thread: rows are brought to 8 bits by the threads that multiply them, so the cores' shares are compared. */
static void bench_int8(int64_t H) {
    const wfk_table *t = wfk_table_get();
    const int threads = wfi_threads_get();
    const int64_t n = rows * H, sets = sets_of(n);
    int64_t set = 0;
    float *x = measure_data(sets * n, -3, 3), low, high;
    uint8_t *q = wfi_alloc_aligned((size_t)(sets * n));
    char shape[64];
    if (!q) exit(1);
    wfi_threads_set(1);
    snprintf(shape, sizeof shape, "%lld x %lld, one thread", (long long)rows, (long long)H);
    MEASURE("range", shape, EACH(n, 4, 4), (set++, t->range(n, NEXT(x), &low, &high)));
    MEASURE("quantise", shape, EACH(n, 6, 6), (set++, t->quantise(n, NEXT(x), 42.0f, 128.0f, NEXT(q))));
    wfi_threads_set(threads);
    wfi_free(x), wfi_free(q);
}

/* The fusion's loops over its bottlenecks, a row a call. One thread: the rows' threads are the fusion's. */
static void bench_segments(int64_t N, int64_t width) {
    const int64_t M = N * width, n = rows * M, sets = sets_of(n);
    const int threads = wfi_threads_get();
    int64_t set = 0, *first = wfi_alloc((size_t)N + 1, sizeof *first);
    float *x = measure_data(sets * n, -1, 1), *y = measure_data(sets * n, -1, 1), *p = measure_data(N, 0, 1),
          *s = measure_data(N, 0, 1);
    char shape[64];
    if (!first) exit(1);
    for (int64_t i = 0; i <= N; i++) first[i] = i * width;
    wfi_threads_set(1);
    snprintf(shape, sizeof shape, "%lld x %lld of %lld, one thread", (long long)rows, (long long)N, (long long)width);
#define ROWS(call)                                                                                                     \
    do {                                                                                                               \
        set++;                                                                                                         \
        for (int64_t at = 0; at < n; at += M) call;                                                                    \
    } while (0)
    MEASURE("segments dot", shape, EACH(n, 8, 1), ROWS(wfi_segments_dot(N, first, NEXT(x) + at, NEXT(y) + at, s)));
    MEASURE("segments scale", shape, EACH(n, 12, 1), ROWS(wfi_segments_scale(N, first, p, NEXT(x) + at, NEXT(y) + at)));
    MEASURE("segments mix", shape, EACH(n, 12, 2),
            ROWS(wfi_segments_mix(N, first, p, NEXT(x) + at, s, NEXT(y) + at, NEXT(y) + at)));
    wfi_threads_set(threads);
    wfi_free(first), wfi_free(x), wfi_free(y), wfi_free(p), wfi_free(s);
}

/* ---- attention ---- */

static void bench_attention(int64_t D, int64_t L, float p) {
    const int64_t A = 12, H = A * D, S = rows / L > 0 ? rows / L : 1, T = S * L;
    int64_t *offsets = wfi_alloc((size_t)S + 1, sizeof *offsets);
    if (!offsets) exit(1);
    for (int64_t s = 0; s <= S; s++) offsets[s] = s * L;
    float *qkv = measure_data(T * 3 * H, -1, 1), *out = measure_data(T * H, 0, 1), *lse = measure_data(T * A, 0, 1),
          *dout = measure_data(T * H, -1, 1), *d = measure_data(T * 3 * H, 0, 1);
    const float scale = 1.0f / sqrtf((float)D);
    const double flops = 4.0 * (double)(T * L * H);
    char shape[64];
    snprintf(shape, sizeof shape, "%lld x %lld, D %lld%s", (long long)S, (long long)L, (long long)D,
             p > 0 ? ", dropout" : "");
    MEASURE("attention forward", shape, FLOPS(flops),
            wfi_attention_forward(S, offsets, A, D, scale, qkv, qkv + H, qkv + 2 * H, 3 * H, out, lse, p, 7));
    MEASURE("attention backward", shape, FLOPS(2.5 * flops),
            wfi_attention_backward(S, offsets, A, D, scale, qkv, qkv + H, qkv + 2 * H, 3 * H, out, lse, dout, d, d + H,
                                   d + 2 * H, 3 * H, p, 7));
    wfi_free(offsets), wfi_free(qkv), wfi_free(out), wfi_free(lse), wfi_free(dout), wfi_free(d);
}

/* ---- elements ---- */

/* Vector instructions an element, by vector/math_vec.h: e^x is 14, the logistic function 17, tanh 30, Phi 32. */
static const int act_ops[WF_ACT_COUNT][2] = {
    [WF_ACT_RELU] = {1, 3},   [WF_ACT_GELU] = {33, 35},     [WF_ACT_GELU_NEW] = {22, 32},   [WF_ACT_SILU] = {18, 21},
    [WF_ACT_TANH] = {30, 34}, [WF_ACT_LEAKY_RELU] = {3, 3}, [WF_ACT_SIGMOID] = {17, 20},    [WF_ACT_RELU6] = {2, 5},
    [WF_ACT_RELU2] = {2, 4},  [WF_ACT_MISH] = {20, 28},     [WF_ACT_QUICK_GELU] = {19, 23}, [WF_ACT_LINEAR] = {0, 2}};

static void bench_act(wf_act a, int64_t n, const char *shape, const float *x, const float *y, float *z) {
    const int64_t sets = sets_of(n);
    int64_t set = 0;
    const char *name = wfi_act_name(a);
    char title[48];
    snprintf(title, sizeof title, "%s forward", name);
    MEASURE(title, shape, EACH(n, 12, act_ops[a][0]), (set++, wfi_act_forward(a, n, NEXT(x), NEXT(z))));
    snprintf(title, sizeof title, "%s forward to bf16", name);
    MEASURE(title, shape, EACH(n, 8, act_ops[a][0] + 8),
            (set++, wfi_act_forward_bf16(a, n, NEXT(x), (uint16_t *)(void *)NEXT(z))));
    snprintf(title, sizeof title, "%s backward", name);
    MEASURE(title, shape, EACH(n, 16, act_ops[a][1]),
            (set++, wfi_act_backward(a, n, NEXT(x), NEXT(y), NEXT(z), false)));
    snprintf(title, sizeof title, "%s backward to bf16", name);
    MEASURE(title, shape, EACH(n, 12, act_ops[a][1] + 8),
            (set++, wfi_act_backward_bf16(a, n, NEXT(x), NEXT(y), (uint16_t *)(void *)NEXT(z))));
}

static void bench_elementwise(int64_t H) {
    const int64_t n = rows * H, sets = sets_of(n);
    int64_t set = 0;
    float *x = measure_data(sets * n, -3, 3), *y = measure_data(sets * n, -3, 3), *z = measure_data(sets * n, 0, 1);
    char shape[64];
    snprintf(shape, sizeof shape, "%lld x %lld", (long long)rows, (long long)H);
    for (int a = 0; a < WF_ACT_COUNT; a++) bench_act((wf_act)a, n, shape, x, y, z);
    MEASURE("add", shape, EACH(n, 16, 1), (set++, wfi_add(n, NEXT(x), NEXT(y), NEXT(z))));
    MEASURE("axpy", shape, EACH(n, 12, 1), (set++, wfi_axpy(n, 0.5f, NEXT(x), NEXT(y))));
    MEASURE("zero", shape, EACH(n, 8, 0), (set++, wfi_zero(n, NEXT(z))));
    MEASURE("copy", shape, EACH(n, 12, 0), (set++, wfi_copy(n, NEXT(x), NEXT(y))));
    MEASURE("to bf16", shape, EACH(n, 8, 8), (set++, wfi_to_bf16(rows, H, NEXT(x), H, (uint16_t *)(void *)NEXT(z))));
    MEASURE("round to bf16", shape, EACH(n, 12, 8), (set++, wfi_round_bf16(rows, H, NEXT(x), H, NEXT(z))));
    MEASURE("scale", shape, EACH(n, 8, 1), (set++, wfi_scale(n, 1.0f, NEXT(x))));
    MEASURE("sum of squares", shape, EACH(n, 4, 5), (set++, wfi_sum_squares(n, NEXT(x))));
    /* Philox: 67 instructions for two vectors of words (vector/philox_vec.h), and two to use one. */
    MEASURE("dropout", shape, EACH(n, 12, 36), (set++, wfi_dropout(n, 3, 0.1f, NEXT(x), NEXT(y))));
    for (int64_t i = 0; i < sets * n; i++) z[i] = 0.1f;
    MEASURE("adamw", shape, EACH(n, 28, 12),
            (set++, wfi_adamw(n, NEXT(x), NEXT(x), NEXT(y), NEXT(z), 1e-3, 0.9, 0.999, 1e-8, 0.01, 5)));
    wfi_free(x), wfi_free(y), wfi_free(z);
}

/* ---- rows ---- */

/* A sub-layer's output, with dropout, and the residual. */
static void bench_norm_sum(int64_t H, const char *shape, float *x, float *y, float *z, const float *g, const float *b,
                           float *mean, float *rstd) {
    const int64_t n = rows * H, sets = sets_of(n);
    int64_t set = 0;
    float *sum = measure_data(sets * n, -3, 3), *to = measure_data(sets * n, -3, 3);
    for (int drops = 0; drops < 2; drops++) {
        const float p = drops ? 0.1f : 0.0f;
        MEASURE(drops ? "layernorm of a sum, dropout" : "layernorm of a sum", shape, EACH(n, 24, 8 + 36 * drops),
                (set++, wfi_layernorm_sum_forward(rows, H, 2, (const float *const[]){NEXT(x), NEXT(y)}, p, 7, g, b,
                                                  1e-12f, NEXT(sum), NEXT(z), mean, rstd)));
        /* reads sum and dy, writes dy and one buffer */
        MEASURE(drops ? "layernorm of a sum dx, dropout" : "layernorm of a sum dx", shape, EACH(n, 20, 10 + 36 * drops),
                (set++, wfi_layernorm_sum_backward(rows, H, NEXT(sum), g, mean, rstd, NEXT(z), 1,
                                                   (float *const[]){NEXT(to)}, (const bool[]){true}, p, 7)));
    }
    wfi_free(sum), wfi_free(to);
}

static void bench_rows(int64_t H) {
    const int64_t n = rows * H, sets = sets_of(n);
    int64_t set = 0;
    float *x = measure_data(sets * n, -3, 3), *y = measure_data(sets * n, -3, 3), *z = measure_data(sets * n, 0, 1),
          *g = measure_data(H, 1, 2), *b = measure_data(H, 1, 2);
    float *mean = measure_data(rows, 0, 1), *rstd = measure_data(rows, 1, 2), *dg = measure_data(H, 0, 0),
          *db = measure_data(H, 0, 0);
    char shape[64];
    snprintf(shape, sizeof shape, "%lld x %lld", (long long)rows, (long long)H);
    MEASURE("bias add", shape, EACH(n, 8, 1), (set++, wfi_bias_add(rows, H, g, NEXT(z))));
    MEASURE("column sum", shape, EACH(n, 4, 1), (set++, wfi_column_sum(rows, H, NEXT(x), dg)));
    MEASURE("layernorm forward", shape, EACH(n, 12, 6),
            (set++, wfi_layernorm_forward(rows, H, NEXT(x), g, b, 1e-12f, NEXT(y), mean, rstd)));
    MEASURE("layernorm dx", shape, EACH(n, 16, 9),
            (set++, wfi_layernorm_backward(rows, H, NEXT(x), g, mean, rstd, NEXT(y), NEXT(z), false, NULL, NULL)));
    MEASURE("layernorm dgamma, dbeta", shape, EACH(n, 8, 4),
            (set++, wfi_layernorm_params(rows, H, NEXT(x), mean, rstd, NEXT(y), dg, db)));
    MEASURE("softmax", shape, EACH(n, 12, 18), (set++, wfi_softmax(rows, H, NEXT(x), NEXT(y))));
    bench_norm_sum(H, shape, x, y, z, g, b, mean, rstd);
    wfi_free(x), wfi_free(y), wfi_free(z), wfi_free(g), wfi_free(b), wfi_free(mean), wfi_free(rstd), wfi_free(dg),
        wfi_free(db);
}

/* ---- the whole ---- */

/* Every entry of the table, and a row above that runs it. */
#define ENTRY(member) offsetof(wfk_table, member) / sizeof(void (*)(void))
static const struct {
    size_t entry;
    const char *row;
} listed[] = {{ENTRY(act_forward), "gelu forward"},
              {ENTRY(act_backward), "gelu backward"},
              {ENTRY(add), "add"},
              {ENTRY(axpy), "axpy"},
              {ENTRY(scale), "scale"},
              {ENTRY(bias_add), "bias add"},
              {ENTRY(column_sum), "column sum"},
              {ENTRY(sum_squares), "sum of squares"},
              {ENTRY(layernorm_forward), "layernorm forward"},
              {ENTRY(layernorm_dx), "layernorm dx"},
              {ENTRY(layernorm_dparams), "layernorm dgamma, dbeta"},
              {ENTRY(softmax), "softmax"},
              {ENTRY(segments_dot), "segments dot"},
              {ENTRY(segments_scale), "segments scale"},
              {ENTRY(segments_mix), "segments mix"},
              {ENTRY(dropout), "dropout"},
              {ENTRY(adamw), "adamw"},
              {ENTRY(to_bf16), "to bf16"},
              {ENTRY(round_bf16), "round to bf16"},

              {ENTRY(range), "range"},
              {ENTRY(quantise), "quantise"},
              {ENTRY(int8_block), "product int8, packed"},
              {ENTRY(attention_forward), "attention forward"},
              {ENTRY(attention_backward), "attention backward"}};

static bool all_listed(void) {
    enum { ENTRIES = sizeof(wfk_table) / sizeof(void (*)(void)), LISTED = sizeof listed / sizeof *listed };
    bool all = true;
    for (size_t e = 0; e < ENTRIES; e++) {
        size_t i = 0;
        while (i < LISTED && listed[i].entry != e) i++;
        if (i < LISTED && measure_told(listed[i].row)) continue;
        all = false;
        if (i < LISTED)
            fprintf(stderr, "bench_kernels: no row \"%s\" ran\n", listed[i].row);
        else
            fprintf(stderr,
                    "bench_kernels: entry %zu of wfk_table (dispatch.h) is measured nowhere: add a row and name "
                    "it in `listed`\n",
                    e + 1);
    }
    return all;
}

static void bench_all(void) {
    bench_gemm();
    bench_int8(384);
    bench_segments(16, 24);
    for (int64_t D = 32; D <= 64; D += 32) {
        bench_attention(D, 25, 0);
        bench_attention(D, 25, 0.1f);
        bench_attention(D, 32, 0);
        bench_attention(D, 100, 0);
        bench_attention(D, 128, 0);
        bench_attention(D, 128, 0.1f);
        bench_attention(D, 512, 0);
    }
    bench_elementwise(384);
    bench_elementwise(1536);
    bench_rows(384);
    bench_ops(rows);
}

int main(int argc, char **argv) {
    checking = argc == 2 && strcmp(argv[1], "--check") == 0;
    if (argc > 1) rows = checking ? 4 : strtoll(argv[1], NULL, 10);
    if (argc > 2) wfi_threads_set((int)strtol(argv[2], NULL, 10));
    if (rows < 1 || rows > 100000) return fprintf(stderr, "bench_kernels: rows from 1 to 100000\n"), 2;
    if (!checking)
        printf("%s, level %s, %d threads, %lld rows\n", wfi_cpu_get()->name, wfi_isa_name(wfi_cpu_get()->isa),
               wfi_threads_get(), (long long)rows);
    measure_open(argc > 3 ? argv[3] : "", checking);
    bench_all();
    measure_close();
    return checking && !all_listed() ? 1 : 0;
}
