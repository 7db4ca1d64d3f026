/* kernels/parallel_rows.c - row-wise functions of kernels.h (bias, layer norm, softmax) and sums over rows. Layer 2.
 * Row work is cut by rows; sums over rows are cut by columns, so that every column is added by one thread in row order
 * and the bits do not even depend on the number of threads. */
#include "kernels/dispatch.h"

#include <omp.h>

enum { LEAST_CHEAP = 32768, LEAST_COSTLY = 16384, COLUMN_GRAIN = 16 };

/* Runs `statement` on units [lo, hi) (rows or columns) of n; `work` is the number of elements of the whole. */
#define IN_PIECES(n, grain, work, least, statement)                                                                    \
    do {                                                                                                               \
        int team_ = wfk_threads_for(work, least);                                                                      \
        if (team_ == 1) {                                                                                              \
            int64_t lo = 0, hi = (n);                                                                                  \
            if (hi > lo) statement;                                                                                    \
        } else {                                                                                                       \
            _Pragma("omp parallel num_threads(team_)") {                                                               \
                int64_t lo, hi;                                                                                        \
                wfk_split(n, grain, omp_get_num_threads(), omp_get_thread_num(), &lo, &hi);                            \
                if (hi > lo) statement;                                                                                \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

void wfi_bias_add(int64_t T, int64_t H, const float *bias, float *x) {
    const wfk_table *t = wfk_table_get();
    IN_PIECES(T, 1, T * H, LEAST_CHEAP, t->bias_add(hi - lo, H, bias, x + lo * H));
}

void wfi_column_sum(int64_t T, int64_t H, const float *x, float *out) {
    const wfk_table *t = wfk_table_get();
    IN_PIECES(H, COLUMN_GRAIN, T * H, LEAST_CHEAP, t->column_sum(T, H, lo, hi, x, out));
}

void wfi_layernorm_forward(int64_t T, int64_t H, const float *x, const float *gamma, const float *beta, float eps,
                           float *y, float *mean, float *rstd) {
    const wfk_table *t = wfk_table_get();
    if (H <= 0) return;
    IN_PIECES(T, 1, T * H, LEAST_COSTLY,
              t->layernorm_forward(hi - lo, H, x + lo * H, gamma, beta, eps, y + lo * H, mean ? mean + lo : mean,
                                   rstd ? rstd + lo : rstd));
}

void wfi_layernorm_params(int64_t T, int64_t H, const float *x, const float *mean, const float *rstd, const float *dy,
                          float *dgamma, float *dbeta) {
    const wfk_table *t = wfk_table_get();
    if (H <= 0) return;
    IN_PIECES(H, COLUMN_GRAIN, T * H, LEAST_COSTLY,
              t->layernorm_dparams(T, H, lo, hi, x, mean, rstd, dy, dgamma, dbeta));
}

void wfi_layernorm_backward(int64_t T, int64_t H, const float *x, const float *gamma, const float *mean,
                            const float *rstd, const float *dy, float *dx, bool add, float *dgamma, float *dbeta) {
    const wfk_table *t = wfk_table_get();
    if (H <= 0) return;
    if (dgamma && dbeta) wfi_layernorm_params(T, H, x, mean, rstd, dy, dgamma, dbeta); /* first: dx may overwrite dy */
    IN_PIECES(T, 1, T * H, LEAST_COSTLY,
              t->layernorm_dx(hi - lo, H, x + lo * H, gamma, mean + lo, rstd + lo, dy + lo * H, dx + lo * H, add));
}

void wfi_softmax(int64_t T, int64_t C, const float *x, float *y) {
    const wfk_table *t = wfk_table_get();
    if (C <= 0) return;
    IN_PIECES(T, 1, T * C, LEAST_COSTLY, t->softmax(hi - lo, C, x + lo * C, y + lo * C));
}

void wfi_segments_dot(int64_t N, const int64_t *first, const float *x, const float *y, float *out) {
    wfk_table_get()->segments_dot(N, first, x, y, out);
}

void wfi_segments_scale(int64_t N, const int64_t *first, const float *s, const float *x, float *y) {
    wfk_table_get()->segments_scale(N, first, s, x, y);
}

void wfi_segments_mix(int64_t N, const int64_t *first, const float *p, const float *x, const float *s, const float *y,
                      float *out) {
    wfk_table_get()->segments_mix(N, first, p, x, s, y, out);
}
