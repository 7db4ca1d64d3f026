/* kernels/parallel_norm.c - dropout, sum and layer norm of rows in one pass over memory, and its way back. Layer 2.
 * Some rows at a time go through the entries that do one step each, while they are in the first cache. The entries
 * compute an element the same way wherever it lies in a piece, so the bits are those of whole passes one by one, and no
 * level needs code of its own. */
#include "kernels/dispatch.h"

#include <omp.h>
#include <string.h>

enum { LEAST = 16384, FLOATS_AT_ONCE = 1536 };

typedef struct norm_sum {
    const wfk_table *table;
    int64_t H;
    int n;
    float p;
    uint64_t key;
    const float *gamma, *beta;
    float eps;
    const float *const *x; /* forward: n inputs */
    float *sum, *y, *mean, *rstd;
    float *const *to; /* backward: n outputs; y is the gradient, sum, mean and rstd are read */
    const bool *fresh;
} norm_sum;

typedef void rows_fn(const norm_sum *s, int64_t row, int64_t rows);

static void few_rows(const norm_sum *s, rows_fn *f, int64_t lo, int64_t hi) {
    const int64_t most = s->H < FLOATS_AT_ONCE ? FLOATS_AT_ONCE / s->H : 1;
    for (int64_t row = lo; row < hi; row += most) f(s, row, hi - row < most ? hi - row : most);
}

static void run(const norm_sum *s, int64_t T, rows_fn *f) {
    const int team = wfk_threads_for(T * s->H * (s->n + 1), LEAST);
    if (team == 1) {
        few_rows(s, f, 0, T);
        return;
    }
#pragma omp parallel num_threads(team)
    {
        int64_t lo, hi;
        wfk_split(T, 1, omp_get_num_threads(), omp_get_thread_num(), &lo, &hi);
        few_rows(s, f, lo, hi);
    }
}

static void forward(const norm_sum *s, int64_t row, int64_t rows) {
    const wfk_table *t = s->table;
    const int64_t at = row * s->H, count = rows * s->H;
    float *sum = (s->sum ? s->sum : s->y) + at;
    const float *first = s->x[0] + at;
    if (s->p > 0.0f) {
        t->dropout((uint64_t)at, count, s->key, s->p, first, sum);
        first = sum;
    }
    if (s->n == 1 && first != sum) memcpy(sum, first, (size_t)count * sizeof *sum);
    for (int i = 1; i < s->n; i++) t->add(count, i == 1 ? first : sum, s->x[i] + at, sum);
    t->layernorm_forward(rows, s->H, sum, s->gamma, s->beta, s->eps, s->y + at, s->mean ? s->mean + row : NULL,
                         s->rstd ? s->rstd + row : NULL);
}

void wfi_layernorm_sum_forward(int64_t T, int64_t H, int n, const float *const *x, float p, uint64_t key,
                               const float *gamma, const float *beta, float eps, float *sum, float *y, float *mean,
                               float *rstd) {
    if (H <= 0 || n < 1) return;
    const norm_sum s = {.table = wfk_table_get(),
                        .H = H,
                        .n = n,
                        .p = p,
                        .key = key,
                        .gamma = gamma,
                        .beta = beta,
                        .eps = eps,
                        .x = x,
                        .sum = sum,
                        .y = y,
                        .mean = mean,
                        .rstd = rstd};
    run(&s, T, forward);
}

static void backward(const norm_sum *s, int64_t row, int64_t rows) {
    const wfk_table *t = s->table;
    const int64_t at = row * s->H, count = rows * s->H;
    float *d = s->y + at;
    t->layernorm_dx(rows, s->H, s->sum + at, s->gamma, s->mean + row, s->rstd + row, d, d, false);
    for (int i = 0; i < s->n; i++) {
        if (s->fresh[i])
            memcpy(s->to[i] + at, d, (size_t)count * sizeof *d);
        else
            t->axpy(count, 1.0f, d, s->to[i] + at);
    }
    if (s->p > 0.0f) t->dropout((uint64_t)at, count, s->key, s->p, d, d);
}

void wfi_layernorm_sum_backward(int64_t T, int64_t H, const float *sum, const float *gamma, const float *mean,
                                const float *rstd, float *dy, int n, float *const *to, const bool *fresh, float p,
                                uint64_t key) {
    if (H <= 0) return;
    const norm_sum s = {.table = wfk_table_get(),
                        .H = H,
                        .n = n,
                        .p = p,
                        .key = key,
                        .gamma = gamma,
                        .sum = (float *)(uintptr_t)sum, /* read only, and so are mean and rstd */
                        .y = dy,
                        .mean = (float *)(uintptr_t)mean,
                        .rstd = (float *)(uintptr_t)rstd,
                        .to = to,
                        .fresh = fresh};
    run(&s, T, backward);
}
