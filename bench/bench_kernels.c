/* bench/bench_kernels.c - how fast each kernel runs on this machine, and how far from its bound.
 * Usage: bench_kernels [rows [threads [filter]]]; WEFT_ISA=scalar|avx2|avx512 lowers the level.
 * Shapes are those of a six-layer model of width 384 (12 heads of 32) and of width 768 (12 heads of 64).
 * Bounds, measured first: "mem" is the bandwidth of adding two arrays much larger than the caches, "flop" the rate of a
 * large matrix product. Buffers of a kernel are swept (`sets` of them in turn) so that memory kernels meet memory, as
 * they do in a training step. The best of several repeats counts: on a shared machine the others measure the
 * neighbours. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t rows = 1000;
static const char *filter = "";
static double best_bandwidth, best_rate;

static float *data(int64_t n, float low, float high) {
    float *p = wfi_alloc_aligned((size_t)n * sizeof *p);
    if (!p) {
        fprintf(stderr, "bench_kernels: no memory for %lld floats\n", (long long)n);
        exit(1);
    }
    for (int64_t i = 0; i < n; i++) p[i] = low + (high - low) * wfi_random_uniform(9, (uint64_t)i);
    return p;
}

typedef enum bound { MEMORY, FLOPS } bound;

/* Beside the time: what the kernel must at least move or compute, its rate, and the share of this machine's bound. */
static void report(const char *name, const char *shape, double seconds, double bytes, double flops, bound b) {
    double gb = bytes * 1e-9 / seconds, gf = flops * 1e-9 / seconds;
    if (b == MEMORY)
        printf("%-24s %-24s %9.3f ms %9.2f MB    %8.1f GB/s     bound mem  %5.0f %%\n", name, shape, seconds * 1e3,
               bytes * 1e-6, gb, best_bandwidth > 0 ? 100 * gb / best_bandwidth : 100);
    if (b == FLOPS)
        printf("%-24s %-24s %9.3f ms %9.2f MFLOP %8.1f GFLOP/s  bound flop %5.0f %%\n", name, shape, seconds * 1e3,
               flops * 1e-6, gf, best_rate > 0 ? 100 * gf / best_rate : 100);
    fflush(stdout);
}

/* best: seconds of the fastest of many runs of the statement, in about a third of a second. */
#define BEST(best, statement)                                                                                          \
    double best = 1e30;                                                                                                \
    do {                                                                                                               \
        double begin_ = wfi_clock_seconds(), now_ = begin_;                                                            \
        for (int rep_ = 0; rep_ < 5 || now_ - begin_ < 0.3; rep_++) {                                                  \
            double from_ = wfi_clock_seconds();                                                                        \
            statement;                                                                                                 \
            now_ = wfi_clock_seconds();                                                                                \
            if (now_ - from_ < best) best = now_ - from_;                                                              \
        }                                                                                                              \
    } while (0)

static bool wanted(const char *name) {
    return strstr(name, filter) != NULL;
}

static void must(wf_status st, const wf_err *err) {
    if (st == WF_OK) return;
    fprintf(stderr, "bench_kernels: %s\n", err->text);
    exit(1);
}

static void bench_bounds(void) {
    int64_t n = 16 << 20;
    wf_err err = {0};
    float *a = data(n, 0, 1), *b = data(n, 0, 1), *c = data(n, 0, 1);
    BEST(add, wfi_add(n, a, b, c));
    best_bandwidth = 12e-9 * (double)n / add;
    report("bound: memory", "16 Mi floats a + b", add, 12.0 * (double)n, 0, MEMORY);
    BEST(product, must(wfi_gemm(false, false, 1536, 1536, 1536, 1, a, 1536, b, 1536, 0, c, 1536, &err), &err));
    best_rate = 2e-9 * 1536 * 1536 * 1536 / product;
    report("bound: flop", "1536 x 1536 x 1536", product, 0, 2.0 * 1536 * 1536 * 1536, FLOPS);
    wfi_free(a), wfi_free(b), wfi_free(c);
}

static void bench_gemm(void) {
    static const int64_t kn[][2] = {{384, 384},  {384, 1152}, {384, 1536}, {1536, 384}, {768, 768},
                                    {768, 3072}, {3072, 768}, {384, 24},   {24, 384}};
    wf_err err = {0};
    for (size_t i = 0; i < sizeof kn / sizeof *kn; i++) {
        int64_t k = kn[i][0], n = kn[i][1];
        float *a = data(rows * k, -1, 1), *b = data(k * n, -1, 1), *c = data(rows * n, -1, 1), *bias = data(n, -1, 1);
        double flops = 2.0 * (double)(rows * k * n);
        char shape[64];
        wf_packed *p = NULL;
        must(wfi_packed_new(false, k, n, b, n, WF_DTYPE_F32, &p, &err), &err);
        snprintf(shape, sizeof shape, "[%lld,%lld]x[%lld,%lld]", (long long)rows, (long long)k, (long long)k,
                 (long long)n);
        BEST(packed, must(wfi_packed_gemm(p, rows, a, k, bias, 0, c, n, &err), &err));
        report("packed + bias", shape, packed, 0, flops, FLOPS);
        wf_packed *half = NULL;
        must(wfi_packed_new(false, k, n, b, n, WF_DTYPE_BF16, &half, &err), &err);
        BEST(rounded, must(wfi_packed_gemm(half, rows, a, k, bias, 0, c, n, &err), &err));
        report("packed bf16 + bias", shape, rounded, 0, flops, FLOPS);
        wfi_packed_free(half);
        wf_packed *eight = NULL;
        must(wfi_packed_new(false, k, n, b, n, WF_DTYPE_I8, &eight, &err), &err);
        BEST(bytes, must(wfi_packed_gemm(eight, rows, a, k, bias, 0, c, n, &err), &err));
        report("packed int8 + bias", shape, bytes, 0, flops, FLOPS);
        wfi_packed_free(eight);
        BEST(plain, must(wfi_gemm(false, true, rows, n, k, 1, a, k, b, k, 0, c, n, &err), &err));
        report("gemm A B'", shape, plain, 0, flops, FLOPS);
        BEST(grad, must(wfi_gemm(true, false, n, k, rows, 1, c, n, a, k, 1, b, k, &err), &err));
        report("gemm A' B (gradient)", shape, grad, 0, flops, FLOPS);
        wfi_packed_free(p);
        wfi_free(a), wfi_free(b), wfi_free(c), wfi_free(bias);
    }
}

static void bench_attention(int64_t D, int64_t L, float p) {
    int64_t A = 12, H = A * D, S = rows / L > 0 ? rows / L : 1, T = S * L;
    int64_t *offsets = wfi_alloc((size_t)S + 1, sizeof *offsets);
    if (!offsets) exit(1);
    for (int64_t s = 0; s <= S; s++) offsets[s] = s * L;
    float *qkv = data(T * 3 * H, -1, 1), *out = data(T * H, 0, 1), *lse = data(T * A, 0, 1), *dout = data(T * H, -1, 1),
          *d = data(T * 3 * H, 0, 1);
    float scale = 1.0f / sqrtf((float)D);
    double flops = 4.0 * (double)(T * L * H);
    char shape[64];
    snprintf(shape, sizeof shape, "%lld x %lld, D %lld%s", (long long)S, (long long)L, (long long)D,
             p > 0 ? ", dropout" : "");
    BEST(forward, wfi_attention_forward(S, offsets, A, D, scale, qkv, qkv + H, qkv + 2 * H, 3 * H, out, lse, p, 7));
    report("attention forward", shape, forward, 0, flops, FLOPS);
    BEST(backward, wfi_attention_backward(S, offsets, A, D, scale, qkv, qkv + H, qkv + 2 * H, 3 * H, out, lse, dout, d,
                                          d + H, d + 2 * H, 3 * H, p, 7));
    report("attention backward", shape, backward, 0, 2.5 * flops, FLOPS);
    wfi_free(offsets), wfi_free(qkv), wfi_free(out), wfi_free(lse), wfi_free(dout), wfi_free(d);
}

static void bench_elementwise(int64_t H) {
    enum { SETS = 8 };
    int64_t n = rows * H, set = 0;
    float *x = data(SETS * n, -3, 3), *y = data(SETS * n, -3, 3), *z = data(SETS * n, 0, 1);
    char shape[64];
    snprintf(shape, sizeof shape, "%lld x %lld", (long long)rows, (long long)H);
#define NEXT(v) ((v) + n * (set % SETS))
    for (int a = 0; a < WF_ACT_COUNT; a++) {
        char name[40];
        snprintf(name, sizeof name, "%s forward", wfi_act_name((wf_act)a));
        if (!wanted(name) && !wanted("activations")) continue;
        BEST(forward, (set++, wfi_act_forward((wf_act)a, n, NEXT(x), NEXT(y))));
        report(name, shape, forward, 8.0 * (double)n, 0, MEMORY);
        BEST(backward, (set++, wfi_act_backward((wf_act)a, n, NEXT(x), NEXT(y), NEXT(z), false)));
        snprintf(name, sizeof name, "%s backward", wfi_act_name((wf_act)a));
        report(name, shape, backward, 12.0 * (double)n, 0, MEMORY);
    }
    if (!wanted("vectors")) goto done;
    BEST(add, (set++, wfi_add(n, NEXT(x), NEXT(y), NEXT(z))));
    report("add", shape, add, 12.0 * (double)n, 0, MEMORY);
    BEST(axpy, (set++, wfi_axpy(n, 0.5f, NEXT(x), NEXT(y))));
    report("axpy", shape, axpy, 12.0 * (double)n, 0, MEMORY);
    BEST(copy, (set++, wfi_copy(n, NEXT(x), NEXT(y))));
    report("copy", shape, copy, 8.0 * (double)n, 0, MEMORY);
    BEST(half, (set++, wfi_to_bf16(rows, H, NEXT(x), H, (uint16_t *)(void *)NEXT(z))));
    report("to bf16", shape, half, 6.0 * (double)n, 0, MEMORY);
    BEST(rounded, (set++, wfi_round_bf16(rows, H, NEXT(x), H, NEXT(z))));
    report("round to bf16", shape, rounded, 8.0 * (double)n, 0, MEMORY);
    BEST(scale, (set++, wfi_scale(n, 1.0f, NEXT(x))));
    report("scale", shape, scale, 8.0 * (double)n, 0, MEMORY);
    BEST(squares, (set++, wfi_sum_squares(n, NEXT(x))));
    report("sum of squares", shape, squares, 4.0 * (double)n, 0, MEMORY);
    BEST(dropout, (set++, wfi_dropout(n, 3, 0.1f, NEXT(x), NEXT(y))));
    report("dropout", shape, dropout, 8.0 * (double)n, 0, MEMORY);
    for (int64_t i = 0; i < SETS * n; i++) z[i] = 0.1f;
    BEST(adamw, (set++, wfi_adamw(n, NEXT(x), NEXT(x), NEXT(y), NEXT(z), 1e-3, 0.9, 0.999, 1e-8, 0.01, 5)));
    report("adamw", shape, adamw, 28.0 * (double)n, 0, MEMORY);
done:
    wfi_free(x), wfi_free(y), wfi_free(z);
}

static void bench_rows(int64_t H) {
    enum { SETS = 8 };
    int64_t n = rows * H, set = 0;
    float *x = data(SETS * n, -3, 3), *y = data(SETS * n, -3, 3), *z = data(SETS * n, 0, 1), *g = data(H, 1, 2),
          *b = data(H, 1, 2);
    float *mean = data(rows, 0, 1), *rstd = data(rows, 1, 2), *dg = data(H, 0, 0), *db = data(H, 0, 0);
    char shape[64];
    snprintf(shape, sizeof shape, "%lld x %lld", (long long)rows, (long long)H);
    BEST(bias, (set++, wfi_bias_add(rows, H, g, NEXT(z))));
    report("bias add", shape, bias, 8.0 * (double)n, 0, MEMORY);
    BEST(sum, (set++, wfi_column_sum(rows, H, NEXT(x), g)));
    report("column sum", shape, sum, 4.0 * (double)n, 0, MEMORY);
    BEST(forward, (set++, wfi_layernorm_forward(rows, H, NEXT(x), g, b, 1e-12f, NEXT(y), mean, rstd)));
    report("layernorm forward", shape, forward, 8.0 * (double)n, 0, MEMORY);
    BEST(backward,
         (set++, wfi_layernorm_backward(rows, H, NEXT(x), g, mean, rstd, NEXT(y), NEXT(z), false, NULL, NULL)));
    report("layernorm dx", shape, backward, 12.0 * (double)n, 0, MEMORY);
    BEST(both, (set++, wfi_layernorm_backward(rows, H, NEXT(x), g, mean, rstd, NEXT(y), NEXT(z), false, dg, db)));
    report("layernorm dx, dgamma", shape, both, 20.0 * (double)n, 0, MEMORY);
    BEST(softmax, (set++, wfi_softmax(rows, H, NEXT(x), NEXT(y))));
    report("softmax", shape, softmax, 8.0 * (double)n, 0, MEMORY);
    wfi_free(x), wfi_free(y), wfi_free(z), wfi_free(g), wfi_free(b), wfi_free(mean), wfi_free(rstd), wfi_free(dg),
        wfi_free(db);
}

int main(int argc, char **argv) {
    if (argc > 1) rows = strtoll(argv[1], NULL, 10);
    if (argc > 2) wfi_threads_set((int)strtol(argv[2], NULL, 10));
    if (argc > 3) filter = argv[3];
    if (rows < 1 || rows > 100000) return fprintf(stderr, "bench_kernels: rows from 1 to 100000\n"), 2;
    printf("%s, level %s, %d threads, %lld rows\n", wfi_cpu_get()->name, wfi_isa_name(wfi_cpu_get()->isa),
           wfi_threads_get(), (long long)rows);
    bench_bounds();
    if (wanted("gemm")) bench_gemm();
    if (wanted("attention"))
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
    if (wanted("rows")) bench_rows(384);
    return 0;
}
