/* kernels/ref/rows_ref.c - row-wise kernels by their formulas: the oracle and the fallback. Layer 2.
 * Sums run in double: a row of thousands of floats then loses nothing. */
#include "kernels/dispatch.h"

#include <math.h>

static void bias_add(int64_t T, int64_t H, const float *bias, float *x) {
    for (int64_t t = 0; t < T; t++)
        for (int64_t h = 0; h < H; h++) x[t * H + h] += bias[h];
}

static void column_sum(int64_t T, int64_t H, int64_t c0, int64_t c1, const float *x, float *out) {
    for (int64_t h = c0; h < c1; h++) {
        double sum = 0.0;
        for (int64_t t = 0; t < T; t++) sum += x[t * H + h];
        out[h] = (float)(out[h] + sum);
    }
}

static void layernorm_forward(int64_t T, int64_t H, const float *x, const float *gamma, const float *beta, float eps,
                              float *y, float *mean, float *rstd) {
    for (int64_t t = 0; t < T; t++, x += H, y += H) {
        double sum = 0.0, squares = 0.0;
        for (int64_t h = 0; h < H; h++) sum += x[h];
        double mu = sum / (double)H;
        for (int64_t h = 0; h < H; h++) squares += (x[h] - mu) * (x[h] - mu);
        float r = (float)(1.0 / sqrt(squares / (double)H + (double)eps)), m = (float)mu;
        for (int64_t h = 0; h < H; h++) y[h] = (x[h] - m) * r * gamma[h] + beta[h];
        if (mean) mean[t] = m;
        if (rstd) rstd[t] = r;
    }
}

/* With n = (x - mean) rstd and g = dy gamma: dx = rstd (g - mean(g) - n mean(g n)). */
static void layernorm_dx(int64_t T, int64_t H, const float *x, const float *gamma, const float *mean, const float *rstd,
                         const float *dy, float *dx, bool add) {
    for (int64_t t = 0; t < T; t++, x += H, dy += H, dx += H) {
        double sum_g = 0.0, sum_gn = 0.0;
        for (int64_t h = 0; h < H; h++) {
            double g = (double)dy[h] * gamma[h];
            sum_g += g;
            sum_gn += g * (x[h] - mean[t]) * rstd[t];
        }
        float mean_g = (float)(sum_g / (double)H), mean_gn = (float)(sum_gn / (double)H);
        for (int64_t h = 0; h < H; h++) {
            float n = (x[h] - mean[t]) * rstd[t];
            float d = rstd[t] * (dy[h] * gamma[h] - mean_g - n * mean_gn);
            dx[h] = add ? dx[h] + d : d;
        }
    }
}

static void layernorm_dparams(int64_t T, int64_t H, int64_t c0, int64_t c1, const float *x, const float *mean,
                              const float *rstd, const float *dy, float *dgamma, float *dbeta) {
    for (int64_t h = c0; h < c1; h++) {
        double sum_gamma = 0.0, sum_beta = 0.0;
        for (int64_t t = 0; t < T; t++) {
            sum_gamma += dy[t * H + h] * ((x[t * H + h] - mean[t]) * rstd[t]);
            sum_beta += dy[t * H + h];
        }
        dgamma[h] = (float)(dgamma[h] + sum_gamma);
        dbeta[h] = (float)(dbeta[h] + sum_beta);
    }
}

static void softmax(int64_t T, int64_t C, const float *x, float *y) {
    for (int64_t t = 0; t < T; t++, x += C, y += C) {
        float most = x[0];
        double sum = 0.0;
        for (int64_t c = 1; c < C; c++) most = x[c] > most ? x[c] : most;
        for (int64_t c = 0; c < C; c++) {
            y[c] = expf(x[c] - most);
            sum += y[c];
        }
        for (int64_t c = 0; c < C; c++) y[c] = (float)(y[c] / sum);
    }
}

static void segments_dot(int64_t N, const int64_t *first, const float *x, const float *y, float *out) {
    for (int64_t i = 0; i < N; i++) {
        double sum = 0.0;
        for (int64_t j = first[i]; j < first[i + 1]; j++) sum += (double)x[j] * (double)y[j];
        out[i] = (float)sum;
    }
}

static void segments_scale(int64_t N, const int64_t *first, const float *s, const float *x, float *y) {
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = first[i]; j < first[i + 1]; j++) y[j] = s[i] * x[j];
}

static void segments_mix(int64_t N, const int64_t *first, const float *p, const float *x, const float *s,
                         const float *y, float *out) {
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = first[i]; j < first[i + 1]; j++) out[j] = p[i] * x[j] + s[i] * y[j];
}

void wfk_table_fill_rows__ref(wfk_table *t) {
    t->bias_add = bias_add;
    t->column_sum = column_sum;
    t->layernorm_forward = layernorm_forward;
    t->layernorm_dx = layernorm_dx;
    t->layernorm_dparams = layernorm_dparams;
    t->softmax = softmax;
    t->segments_dot = segments_dot;
    t->segments_scale = segments_scale;
    t->segments_mix = segments_mix;
}
