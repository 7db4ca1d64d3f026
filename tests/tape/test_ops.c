/* tests/tape/test_ops.c - every op against its definition in double, forward and gradients. See gradcheck.h. */
#include "gradcheck.h"
#include "kernels/gemm.h"
#include "tape/linear.h"
#include <math.h>

#define T 7
#define H 6
#define M 3
#define S 3
static const int64_t offsets[S + 1] = GC_VALUE(2, 3, 7);
#define DROP 0.4f
#define KEY  77u

static double kept(uint64_t key, uint64_t i, float p) {
    return wfi_dropout_keep(key, i, p) ? 1.0 / (1.0 - (double)p) : 0.0;
}

/* y [rows,out] = x [rows,in] w^T + b */
static void linear_reference(int64_t rows, int64_t in, int64_t out, const double *x, const double *w, const double *b,
                             double *y) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < out; o++) {
            double sum = b ? b[o] : 0;
            for (int64_t i = 0; i < in; i++) sum += x[r * in + i] * w[o * in + i];
            y[r * out + o] = sum;
        }
}

static wf_linear linear_of(wf_param *w, wf_param *b) {
    return (wf_linear){.in = w->shape[1], .out = w->shape[0], .weight = w, .bias = b};
}

/* ---- linear ---- */
static void ref_linear(const double *const *in, double *y) {
    linear_reference(T, H, M, in[0], in[1], in[2], y);
}
static wf_value *do_linear(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    const wf_linear w = linear_of(p[1], p[2]);
    return wfi_op_linear(t, v[0], &w);
}
static void ref_linear_plain(const double *const *in, double *y) {
    linear_reference(T, H, M, in[0], in[1], NULL, y);
}
static wf_value *do_linear_plain(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    const wf_linear w = linear_of(p[1], NULL);
    return wfi_op_linear(t, v[0], &w);
}

/* ---- act ---- */
static double gelu(double x) {
    return 0.5 * x * (1 + erf(x / sqrt(2.0)));
}
static void ref_gelu(const double *const *in, double *y) {
    for (int i = 0; i < T * H; i++) y[i] = gelu(in[0][i]);
}
static wf_value *do_gelu(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_act(t, v[0], WF_ACT_GELU);
}
static void ref_relu(const double *const *in, double *y) {
    for (int i = 0; i < T * H; i++) y[i] = in[0][i] > 0 ? in[0][i] : 0;
}
static wf_value *do_relu(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_act(t, v[0], WF_ACT_RELU);
}

/* ---- add, scale ---- */
static void ref_add(const double *const *in, double *y) {
    for (int i = 0; i < T * H; i++) y[i] = in[0][i] + in[1][i] + in[2][i] + in[0][i];
}
static wf_value *do_add(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_add(t, 4, (wf_value *[]){v[0], v[1], v[2], v[0]});
}
static void ref_scale(const double *const *in, double *y) {
    for (int i = 0; i < T * H; i++) y[i] = -2.5 * in[0][i];
}
static wf_value *do_scale(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_scale(t, v[0], -2.5f);
}
static void ref_scale_one(const double *const *in, double *y) {
    for (int i = 0; i < T * H; i++) y[i] = in[1][0] * in[0][i];
}
static void ref_scale_channel(const double *const *in, double *y) {
    for (int i = 0; i < T * H; i++) y[i] = in[1][i % H] * in[0][i];
}
static wf_value *do_scale_param(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_scale_param(t, v[0], p[1]);
}

/* ---- norm ---- */
static void norm_reference(const double *x, const double *gamma, const double *beta, double *y) {
    for (int r = 0; r < T; r++) {
        double mean = 0, var = 0;
        for (int h = 0; h < H; h++) mean += x[r * H + h] / H;
        for (int h = 0; h < H; h++) var += (x[r * H + h] - mean) * (x[r * H + h] - mean) / H;
        for (int h = 0; h < H; h++)
            y[r * H + h] = (x[r * H + h] - mean) / sqrt(var + (double)1e-3f) * gamma[h] + beta[h];
    }
}
static void ref_norm1(const double *const *in, double *y) {
    norm_reference(in[0], in[1], in[2], y);
}
static wf_value *do_norm1(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    const wf_norm n = {.width = H, .eps = 1e-3f, .gamma = p[1], .beta = p[2]};
    return wfi_op_norm(t, 1, (wf_value *[]){v[0]}, &n);
}
static void ref_norm3(const double *const *in, double *y) {
    double x[T * H];
    for (int i = 0; i < T * H; i++) x[i] = in[0][i] + in[3][i] + in[4][i];
    norm_reference(x, in[1], in[2], y);
}
static wf_value *do_norm3(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    const wf_norm n = {.width = H, .eps = 1e-3f, .gamma = p[1], .beta = p[2]};
    return wfi_op_norm(t, 3, (wf_value *[]){v[0], v[3], v[4]}, &n);
}

static void ref_norm_drop(const double *const *in, double *y) {
    double x[T * H];
    for (int i = 0; i < T * H; i++) x[i] = in[0][i] * kept(KEY, (uint64_t)i, DROP) + in[3][i] + in[4][i];
    norm_reference(x, in[1], in[2], y);
}
static wf_value *do_norm_drop(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    const wf_norm n = {.width = H, .eps = 1e-3f, .gamma = p[1], .beta = p[2]};
    return wfi_op_norm_dropped(t, 3, (wf_value *[]){v[0], v[3], v[4]}, DROP, KEY, &n);
}
static void ref_norm_drop_twice(const double *const *in, double *y) { /* one value as both addends */
    double x[T * H];
    for (int i = 0; i < T * H; i++) x[i] = in[0][i] * kept(KEY, (uint64_t)i, DROP) + in[0][i];
    norm_reference(x, in[1], in[2], y);
}
static wf_value *do_norm_drop_twice(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    const wf_norm n = {.width = H, .eps = 1e-3f, .gamma = p[1], .beta = p[2]};
    return wfi_op_norm_dropped(t, 2, (wf_value *[]){v[0], v[0]}, DROP, KEY, &n);
}

/* ---- dropout ---- */
static void ref_dropout(const double *const *in, double *y) {
    for (int i = 0; i < T * H; i++) y[i] = in[0][i] * kept(KEY, (uint64_t)i, DROP);
}
static wf_value *do_dropout(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_dropout(t, v[0], DROP, KEY);
}
static void ref_drop_path(const double *const *in, double *y) {
    for (int s = 0; s < S; s++)
        for (int64_t i = offsets[s] * H; i < offsets[s + 1] * H; i++) y[i] = in[0][i] * kept(5, (uint64_t)s, 0.5f);
}
static wf_value *do_drop_path(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_drop_path(t, v[0], 0.5f, 5, S, offsets);
}

/* ---- attention ---- */
#define HEADS 2
static void attention_reference(const double *q, const double *k, const double *v, float p, double *y) {
    const int D = H / HEADS;
    for (int s = 0; s < S; s++)
        for (int64_t i = offsets[s]; i < offsets[s + 1]; i++)
            for (int a = 0; a < HEADS; a++) {
                double e[T], sum = 0;
                for (int64_t j = offsets[s]; j < offsets[s + 1]; j++) {
                    double dot = 0;
                    for (int d = 0; d < D; d++) dot += q[i * H + a * D + d] * k[j * H + a * D + d];
                    sum += e[j] = exp(dot / sqrt((double)D));
                }
                for (int d = 0; d < D; d++) y[i * H + a * D + d] = 0;
                for (int64_t j = offsets[s]; j < offsets[s + 1]; j++) {
                    const uint64_t index = ((uint64_t)(i * HEADS + a) << 16) + (uint64_t)(j - offsets[s]);
                    const double share = e[j] / sum * (p > 0 ? kept(KEY, index, p) : 1.0);
                    for (int d = 0; d < D; d++) y[i * H + a * D + d] += share * v[j * H + a * D + d];
                }
            }
}
static void ref_attention(const double *const *in, double *y) {
    attention_reference(in[0], in[1], in[2], 0, y);
}
static wf_value *do_attention(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_attention(t, v[0], v[1], v[2], S, offsets, HEADS, 0, KEY);
}
static void ref_attention_drop(const double *const *in, double *y) {
    attention_reference(in[0], in[1], in[2], DROP, y);
}
static wf_value *do_attention_drop(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_attention(t, v[0], v[1], v[2], S, offsets, HEADS, DROP, KEY);
}
static void ref_attention_self(const double *const *in, double *y) {
    attention_reference(in[0], in[0], in[0], 0, y);
}
static wf_value *do_attention_self(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_attention(t, v[0], v[0], v[0], S, offsets, HEADS, 0, KEY);
}

/* ---- gate: inputs o, z, w, b ---- */
static void ref_gate(const double *const *in, double *y) {
    for (int s = 0; s < S; s++) {
        double g = 0;
        for (int64_t r = offsets[s]; r < offsets[s + 1]; r++) {
            double a = in[3][0];
            for (int i = 0; i < M; i++) a += in[1][r * M + i] * in[2][i];
            g += 1 / (1 + exp(-a)) / (double)(offsets[s + 1] - offsets[s]);
        }
        for (int64_t i = offsets[s] * H; i < offsets[s + 1] * H; i++) y[i] = g * in[0][i];
    }
}
static wf_value *do_gate(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    const wf_linear w = linear_of(p[2], p[3]);
    return wfi_op_gate(t, v[0], v[1], &w, S, offsets);
}

/* ---- bottleneck: z, Wd, bd, Wu, bu ---- */
static void ref_bottleneck(const double *const *in, double *y) {
    double a[T * M];
    linear_reference(T, H, M, in[0], in[1], in[2], a);
    for (int i = 0; i < T * M; i++) a[i] = gelu(a[i]);
    linear_reference(T, M, H, a, in[3], in[4], y);
}
static wf_value *do_bottleneck(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    const wf_linear down = linear_of(p[1], p[2]), up = linear_of(p[3], p[4]);
    return wfi_op_bottleneck(t, v[0], &down, &up, WF_ACT_GELU);
}

/* ---- lora: y, x, A, B ---- */
static void lora_reference(const double *const *in, float p, double *y) {
    double d[T * H], low[T * 2];
    for (int i = 0; i < T * H; i++) d[i] = in[1][i] * (p > 0 ? kept(KEY, (uint64_t)i, p) : 1.0);
    linear_reference(T, H, 2, d, in[2], NULL, low);
    linear_reference(T, 2, M, low, in[3], NULL, y);
    for (int i = 0; i < T * M; i++) y[i] = in[0][i] + 1.5 * y[i];
}
static void ref_lora(const double *const *in, double *y) {
    lora_reference(in, 0, y);
}
static wf_value *do_lora(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_lora(t, v[0], v[1], p[2], p[3], 1.5f, 0, KEY);
}
static void ref_lora_drop(const double *const *in, double *y) {
    lora_reference(in, DROP, y);
}
static wf_value *do_lora_drop(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_lora(t, v[0], v[1], p[2], p[3], 1.5f, DROP, KEY);
}

/* ---- embed ---- */
static const int32_t ids[T] = {4, 0, 3, 3, 3, 1, 4}, positions[T] = {0, 1, 0, 0, 1, 2, 3};
static const uint8_t types[T] = {0, 1, 0, 0, 1, 1, 0};
static void ref_embed(const double *const *in, double *y) {
    for (int r = 0; r < T; r++)
        for (int h = 0; h < H; h++)
            y[r * H + h] = in[0][ids[r] * H + h] + in[1][positions[r] * H + h] + in[2][types[r] * H + h];
}
static wf_value *do_embed(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_embed(t, p[0], p[1], p[2], T, ids, positions, types);
}

/* ---- pool, reshape ---- */
static void ref_cls(const double *const *in, double *y) {
    for (int s = 0; s < S; s++) memcpy(y + s * H, in[0] + offsets[s] * H, H * sizeof *y);
}
static wf_value *do_cls(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_pool(t, v[0], WF_POOL_CLS, S, offsets);
}
static void ref_mean(const double *const *in, double *y) {
    for (int i = 0; i < S * H; i++) y[i] = 0;
    for (int s = 0; s < S; s++)
        for (int64_t i = offsets[s] * H; i < offsets[s + 1] * H; i++)
            y[s * H + i % H] += in[0][i] / (double)(offsets[s + 1] - offsets[s]);
}
static wf_value *do_mean(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_pool(t, v[0], WF_POOL_MEAN, S, offsets);
}
static void ref_reshape(const double *const *in, double *y) {
    memcpy(y, in[0], T * H * sizeof *y);
}
static wf_value *do_reshape(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_reshape(t, v[0], H, T);
}

static const int32_t groups[3] = {2, 1, 4};
static void ref_spread(const double *const *in, double *y) {
    for (int i = 0; i < 12; i++) y[i] = i % 4 < groups[i / 4] ? in[0][offsets[i / 4] + i % 4] : 0;
}
static wf_value *do_spread(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_spread(t, v[0], 3, groups);
}

/* ---- losses ---- */
static const int32_t label[T] = {2, -1, 0, 5, 5, 1, 3}, counts[T] = {4, 1, 2, 6, 6, 3, 5};
static const float weights[H] = {0.5f, 1, 2, 0, 1.5f, 3};
static void ce_reference(const double *x, const float *w, double e, const int32_t *n, double *y) {
    double sum = 0, total = 0;
    for (int r = 0; r < T; r++) {
        if (label[r] < 0) continue;
        const int C = n ? n[r] : H;
        double z = 0, smooth = 0;
        for (int c = 0; c < C; c++) z += exp(x[r * H + c]);
        for (int c = 0; c < C; c++) smooth += (w ? (double)w[c] : 1.0) * (log(z) - x[r * H + c]);
        const double k = w ? (double)w[label[r]] : 1.0;
        sum += (1 - e) * k * (log(z) - x[r * H + label[r]]) + e / C * smooth;
        total += k;
    }
    y[0] = sum / total;
}
static void ref_ce(const double *const *in, double *y) {
    ce_reference(in[0], NULL, 0, NULL, y);
}
static wf_value *do_ce(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_cross_entropy(t, v[0], label, NULL, 0, NULL);
}
static void ref_ce_all(const double *const *in, double *y) {
    ce_reference(in[0], weights, (double)0.1f, counts, y);
}
static wf_value *do_ce_all(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_cross_entropy(t, v[0], label, weights, 0.1f, counts);
}
/* Focal loss in double, as the paper has it; gamma below 1, too, where (1-p)^(gamma-1) grows without bound. */
static void focal_reference(const double *x, const float *w, double g, const int32_t *n, double *y) {
    double sum = 0, total = 0;
    for (int r = 0; r < T; r++) {
        if (label[r] < 0) continue;
        double z = 0;
        for (int c = 0; c < (n ? n[r] : H); c++) z += exp(x[r * H + c]);
        const double p = exp(x[r * H + label[r]]) / z, k = w ? (double)w[label[r]] : 1.0;
        sum -= k * pow(1 - p, g) * log(p);
        total += k;
    }
    y[0] = sum / total;
}
static void ref_focal(const double *const *in, double *y) {
    focal_reference(in[0], NULL, 2, NULL, y);
}
static wf_value *do_focal(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_focal(t, v[0], label, NULL, 2, NULL);
}
static void ref_focal_all(const double *const *in, double *y) {
    focal_reference(in[0], weights, 0.5, counts, y);
}
static wf_value *do_focal_all(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_focal(t, v[0], label, weights, 0.5f, counts);
}
static wf_value *do_focal_zero(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_focal(t, v[0], label, NULL, 0, NULL);
}
enum { PAIRS = 3 };
static const int32_t pair_counts[2 * PAIRS] = {H, 2, 3, H, 2, 3};
static void agree_reference(const double *x, const int32_t *n, double *y) {
    y[0] = 0;
    for (int r = 0; r < PAIRS; r++) {
        const double *a = x + r * H, *b = x + (r + PAIRS) * H;
        double za = 0, zb = 0;
        const int C = n ? n[r] : H;
        for (int c = 0; c < C; c++) za += exp(a[c]), zb += exp(b[c]);
        for (int c = 0; c < C; c++) {
            const double p = exp(a[c]) / za, q = exp(b[c]) / zb;
            y[0] += 0.5 * (p * log(p / q) + q * log(q / p)) / PAIRS;
        }
    }
}
static void ref_agree(const double *const *in, double *y) {
    agree_reference(in[0], NULL, y);
}
static wf_value *do_agree(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_agree(t, v[0], NULL);
}
static void ref_agree_ragged(const double *const *in, double *y) {
    agree_reference(in[0], pair_counts, y);
}
static wf_value *do_agree_ragged(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_agree(t, v[0], pair_counts);
}
static const float target[T] = {1, -2, 0.5f, 0, 3, 1, 1};
static void ref_mse(const double *const *in, double *y) {
    y[0] = 0;
    for (int i = 0; i < T; i++) y[0] += (in[0][i] - (double)target[i]) * (in[0][i] - (double)target[i]) / T;
}
static wf_value *do_mse(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_mse(t, v[0], target);
}
static uint8_t flags[T * H];
static void ref_bce(const double *const *in, double *y) {
    y[0] = 0;
    for (int i = 0; i < T * H; i++) {
        const double s = 1 / (1 + exp(-in[0][i]));
        y[0] -= (flags[i] ? (double)weights[i % H] * log(s) : log(1 - s)) / (T * H);
    }
}
static wf_value *do_bce(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_bce(t, v[0], flags, weights);
}
static void ref_pull(const double *const *in, double *y) {
    y[0] = 0;
    for (int i = 0; i < H * H; i++) {
        const double d = (i / H == i % H ? 1 : 0) - in[0][i];
        y[0] += (double)0.01f * d * d;
    }
}
static wf_value *do_pull(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_identity_pull(t, p[0], 0.01f);
}

/* ---- dot ---- */
static const float dot_w[T * H] = {0.5f, -1, 2, 0, 3, -0.25f, 1, 1, -2, 0.125f};
static void ref_dot(const double *const *in, double *y) {
    y[0] = 0;
    for (int i = 0; i < T * H; i++) y[0] += (double)dot_w[i] * in[0][i];
}
static wf_value *do_dot(wf_tape *t, wf_value *const *v, wf_param *const *p) {
    return wfi_op_dot(t, v[0], dot_w);
}

static const gc_case cases[] = {
    {"dot", {GC_VALUE(T, H, 1)}, 1, 1, ref_dot, do_dot},
    {"linear", {GC_VALUE(T, H, 1), GC_PARAM(M, H), GC_PARAM(0, M)}, T, M, ref_linear, do_linear},
    {"linear without bias", {GC_VALUE(T, H, 1), GC_PARAM(M, H)}, T, M, ref_linear_plain, do_linear_plain},
    {"gelu", {GC_VALUE(T, H, 3)}, T, H, ref_gelu, do_gelu},
    {"relu", {GC_VALUE(T, H, 1)}, T, H, ref_relu, do_relu},
    {"add", {GC_VALUE(T, H, 1), GC_VALUE(T, H, 1), GC_VALUE(T, H, 1)}, T, H, ref_add, do_add},
    {"scale", {GC_VALUE(T, H, 1)}, T, H, ref_scale, do_scale},
    {"scale_param scalar", {GC_VALUE(T, H, 1), GC_PARAM(0, 1)}, T, H, ref_scale_one, do_scale_param},
    {"scale_param channel", {GC_VALUE(T, H, 1), GC_PARAM(0, H)}, T, H, ref_scale_channel, do_scale_param},
    {"norm of one", {GC_VALUE(T, H, 1), GC_PARAM(0, H), GC_PARAM(0, H)}, T, H, ref_norm1, do_norm1},
    {"norm of three",
     {GC_VALUE(T, H, 1), GC_PARAM(0, H), GC_PARAM(0, H), GC_VALUE(T, H, 1), GC_VALUE(T, H, 1)},
     T,
     H,
     ref_norm3,
     do_norm3},
    {"attention", {GC_VALUE(T, H, 1), GC_VALUE(T, H, 1), GC_VALUE(T, H, 1)}, T, H, ref_attention, do_attention},
    {"attention on one value", {GC_VALUE(T, H, 1)}, T, H, ref_attention_self, do_attention_self},
    {"gate", {GC_VALUE(T, H, 1), GC_VALUE(T, M, 1), GC_PARAM(1, M), GC_PARAM(0, 1)}, T, H, ref_gate, do_gate},
    {"bottleneck",
     {GC_VALUE(T, H, 1), GC_PARAM(M, H), GC_PARAM(0, M), GC_PARAM(H, M), GC_PARAM(0, H)},
     T,
     H,
     ref_bottleneck,
     do_bottleneck},
    {"lora", {GC_VALUE(T, M, 1), GC_VALUE(T, H, 1), GC_PARAM(2, H), GC_PARAM(M, 2)}, T, M, ref_lora, do_lora},
    {"embed", {GC_PARAM(5, H), GC_PARAM(4, H), GC_PARAM(2, H)}, T, H, ref_embed, do_embed},
    {"pool cls", {GC_VALUE(T, H, 1)}, S, H, ref_cls, do_cls},
    {"pool mean", {GC_VALUE(T, H, 1)}, S, H, ref_mean, do_mean},
    {"reshape", {GC_VALUE(T, H, 1)}, H, T, ref_reshape, do_reshape},
    {"spread", {GC_VALUE(T, 1, 1)}, 3, 4, ref_spread, do_spread},
    {"cross_entropy", {GC_VALUE(T, H, 2)}, 1, 1, ref_ce, do_ce},
    {"cross_entropy with everything", {GC_VALUE(T, H, 2)}, 1, 1, ref_ce_all, do_ce_all},
    {"focal", {GC_VALUE(T, H, 2)}, 1, 1, ref_focal, do_focal},
    {"focal with everything", {GC_VALUE(T, H, 2)}, 1, 1, ref_focal_all, do_focal_all},
    {"focal without gamma is cross_entropy", {GC_VALUE(T, H, 2)}, 1, 1, ref_ce, do_focal_zero},
    {"agree", {GC_VALUE(2 * PAIRS, H, 2)}, 1, 1, ref_agree, do_agree},
    {"agree of ragged rows", {GC_VALUE(2 * PAIRS, H, 2)}, 1, 1, ref_agree_ragged, do_agree_ragged},
    {"mse", {GC_VALUE(T, 1, 2)}, 1, 1, ref_mse, do_mse},
    {"bce", {GC_VALUE(T, H, 3)}, 1, 1, ref_bce, do_bce},
    {"identity_pull", {GC_PARAM(H, H)}, 1, 1, ref_pull, do_pull},
};
/* Dropout is off outside training, so these are not compared there. */
static const gc_case random_cases[] = {
    {"dropout", {GC_VALUE(T, H, 1)}, T, H, ref_dropout, do_dropout},
    {"drop_path", {GC_VALUE(T, H, 1)}, T, H, ref_drop_path, do_drop_path},
    {"norm of three, one dropped",
     {GC_VALUE(T, H, 1), GC_PARAM(0, H), GC_PARAM(0, H), GC_VALUE(T, H, 1), GC_VALUE(T, H, 1)},
     T,
     H,
     ref_norm_drop,
     do_norm_drop},
    {"norm of a value and itself, one dropped",
     {GC_VALUE(T, H, 1), GC_PARAM(0, H), GC_PARAM(0, H)},
     T,
     H,
     ref_norm_drop_twice,
     do_norm_drop_twice},
    {"attention with dropout",
     {GC_VALUE(T, H, 1), GC_VALUE(T, H, 1), GC_VALUE(T, H, 1)},
     T,
     H,
     ref_attention_drop,
     do_attention_drop},
    {"lora with dropout",
     {GC_VALUE(T, M, 1), GC_VALUE(T, H, 1), GC_PARAM(2, H), GC_PARAM(M, 2)},
     T,
     M,
     ref_lora_drop,
     do_lora_drop},
};

static void test_gradients(void **state) {
    for (int i = 0; i < T * H; i++) flags[i] = (uint8_t)(i * 7 % 3 == 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) gc_check(&cases[i], true);
}

static void test_gradients_with_dropout(void **state) {
    for (size_t i = 0; i < sizeof random_cases / sizeof *random_cases; i++) gc_check(&random_cases[i], false);
}

/* Packed frozen weights give what the plain product gives, forward and back; unused once the weights are trained. */
static void test_packed(void **state) {
    uint64_t seed = 3;
    wf_pset set = {0};
    wf_param *w = wfi_pset_add(&set, "w", 2, (int64_t[]){M, H}, true),
             *b = wfi_pset_add(&set, "b", 1, (int64_t[]){M}, false);
    check_ok(wfi_pset_commit(&set, err));
    float x[T * H], probe[T * M];
    for (int64_t i = 0; i < set.total; i++) set.data[i] = (float)gc_random(&seed);
    for (int i = 0; i < T * H; i++) x[i] = (float)gc_random(&seed);
    for (int i = 0; i < T * M; i++) probe[i] = (float)gc_random(&seed);
    wf_linear plain = linear_of(w, b), packed = plain;
    check_ok(wfi_packed_new(true, H, M, w->data, H, WF_DTYPE_F32, &packed.forward, err));
    check_ok(wfi_packed_new(false, M, H, w->data, H, WF_DTYPE_F32, &packed.backward, err));
    float y[2][T * M], dx[2][T * H];
    wf_tape *t;
    check_ok(wfi_tape_new(&t, err));
    for (int k = 0; k < 2; k++) {
        wfi_tape_reset(t, true);
        wf_value *v = wfi_tape_variable(t, x, T, H), *out = wfi_op_linear(t, v, k ? &packed : &plain);
        memcpy(y[k], out->data, sizeof y[k]);
        check_ok(wfi_tape_backward(t, gc_probe(t, 2, (wf_value *[]){out, out}, (const float *const[]){probe, probe}),
                                   0.5f, err));
        memcpy(dx[k], v->grad, sizeof dx[k]);
    }
    for (int i = 0; i < T * M; i++) assert_float_equal(y[0][i], y[1][i], 1e-5f);
    for (int i = 0; i < T * H; i++) assert_float_equal(dx[0][i], dx[1][i], 1e-5f);
    check_ok(wfi_pset_trainable(&set, true, err));
    w->data[0] += 1; /* as an optimiser step would */
    wfi_tape_reset(t, true);
    wf_value *out = wfi_op_linear(t, wfi_tape_constant(t, x, T, H), &packed);
    assert_float_equal(out->data[0], y[0][0] + x[0], 1e-5f);
    wfi_tape_free(t);
    wfi_packed_free(packed.forward);
    wfi_packed_free(packed.backward);
    wfi_pset_clear(&set);
}

/* Ops that have nothing to do give their input back: no copy, no record. */
static void test_nothing_to_do(void **state) {
    float x[T * H] = {0};
    wf_tape *t;
    check_ok(wfi_tape_new(&t, err));
    for (int training = 0; training < 2; training++) {
        wfi_tape_reset(t, training);
        wf_value *v = wfi_tape_variable(t, x, T, H);
        assert_ptr_equal(v, wfi_op_dropout(t, v, 0.0f, 1));
        assert_ptr_equal(v, wfi_op_drop_path(t, v, 0.0f, 1, S, offsets));
        assert_ptr_equal(v, wfi_op_scale(t, v, 1.0f));
        assert_ptr_equal(v, wfi_op_act(t, v, WF_ACT_LINEAR));
        assert_ptr_equal(v, wfi_op_add(t, 1, &v));
        assert_int_equal(training == 0, wfi_op_dropout(t, v, 0.5f, 1) == v);
        assert_int_equal(training == 0, wfi_op_drop_path(t, v, 0.5f, 1, S, offsets) == v);
    }
    wfi_tape_free(t);
}

/* A norm with dropout drops in a pass that trains and is not calm, and there alone. */
static void test_norm_drops_when_asked(void **state) {
    float x[T * H], ones[H], zeros[H] = {0};
    char name[] = "norm";
    for (int i = 0; i < T * H; i++) x[i] = (float)(i % 11) - 4.0f;
    for (int i = 0; i < H; i++) ones[i] = 1.0f;
    wf_param gamma = {.name = name, .data = ones, .rank = 1, .shape = {H}, .count = H},
             beta = {.name = name, .data = zeros, .rank = 1, .shape = {H}, .count = H};
    const wf_norm n = {.width = H, .eps = 1e-3f, .gamma = &gamma, .beta = &beta};
    wf_tape *t;
    check_ok(wfi_tape_new(&t, err));
    for (int how = 0; how < 3; how++) { /* not training, calm, training */
        wfi_tape_reset(t, how > 0);
        if (how == 1) wfi_tape_calm(t);
        wf_value *v = wfi_tape_variable(t, x, T, H), *plain = wfi_op_norm(t, 1, &v, &n),
                 *dropped = wfi_op_norm_dropped(t, 1, &v, 0.5f, KEY, &n);
        assert_non_null(plain);
        assert_non_null(dropped);
        assert_int_equal(how < 2, memcmp(plain->data, dropped->data, sizeof x) == 0);
        assert_null(wfi_op_norm_dropped(t, 1, &v, 1.0f, KEY, &n));
    }
    wfi_tape_free(t);
}

/* ---- threads: large enough that every loop is shared out ---- */
#define LT 600
#define LH 64
#define LS 5
static const int64_t large_offsets[LS + 1] = {0, 1, 130, 131, 500, LT};
static int32_t large_ids[LT], large_positions[LT], large_label[LT];
static uint8_t large_types[LT];

typedef struct large { /* parameters of a model that uses nearly every op */
    wf_pset set;
    wf_param *word, *position, *type, *scalar, *channel, *A, *B, *square;
    wf_linear q, down, up, gate;
    wf_norm norm;
} large;

static wf_linear large_linear(wf_pset *s, int64_t in, int64_t out) {
    wf_param *w = wfi_pset_add(s, "w", 2, (int64_t[]){out, in}, true);
    return linear_of(w, wfi_pset_add(s, "b", 1, (int64_t[]){out}, false));
}

static void large_init(large *m) {
    wf_pset *s = &m->set;
    *m = (large){0};
    m->word = wfi_pset_add(s, "word", 2, (int64_t[]){50, LH}, true);
    m->position = wfi_pset_add(s, "position", 2, (int64_t[]){LT, LH}, true);
    m->type = wfi_pset_add(s, "type", 2, (int64_t[]){2, LH}, true);
    m->scalar = wfi_pset_add(s, "scalar", 1, (int64_t[]){1}, true);
    m->channel = wfi_pset_add(s, "channel", 1, (int64_t[]){LH}, true);
    m->A = wfi_pset_add(s, "A", 2, (int64_t[]){4, LH}, true);
    m->B = wfi_pset_add(s, "B", 2, (int64_t[]){LH, 4}, true);
    m->square = wfi_pset_add(s, "square", 2, (int64_t[]){256, 256}, true);
    m->q = large_linear(s, LH, LH);
    m->down = large_linear(s, LH, 16);
    m->up = large_linear(s, 16, LH);
    m->gate = large_linear(s, LH, 1);
    m->norm = (wf_norm){.width = LH,
                        .eps = 1e-5f,
                        .gamma = wfi_pset_add(s, "g", 1, (int64_t[]){LH}, false),
                        .beta = wfi_pset_add(s, "b", 1, (int64_t[]){LH}, false)};
    check_ok(wfi_pset_commit(s, err));
    check_ok(wfi_pset_trainable(s, true, err));
    uint64_t seed = 4;
    for (int64_t i = 0; i < s->total; i++) s->data[i] = (float)(0.3 * gc_random(&seed));
    for (int i = 0; i < LT; i++) {
        large_ids[i] = i * i % 50;
        large_positions[i] = i;
        large_types[i] = (uint8_t)(i % 2);
        large_label[i] = i * 7 % LH;
    }
}

/* Ops whose own loops give the same bits on any number of threads. */
static wf_value *any_threads(wf_tape *t, const large *m) {
    wf_value *x = wfi_op_embed(t, m->word, m->position, m->type, LT, large_ids, large_positions, large_types);
    x = wfi_op_scale_param(t, wfi_op_scale_param(t, x, m->scalar), m->channel);
    x = wfi_op_drop_path(t, x, 0.3f, 11, LS, large_offsets);
    wf_value *pull = wfi_op_identity_pull(t, m->square, 0.1f);
    wf_value *first = wfi_op_cross_entropy(t, x, large_label, NULL, 0.1f, NULL);
    wf_value *pooled = wfi_op_pool(t, x, WF_POOL_MEAN, LS, large_offsets);
    wf_value *second = wfi_op_cross_entropy(t, pooled, large_label, NULL, 0, NULL);
    return wfi_op_add(t, 3, (wf_value *[]){first, second, pull});
}

static wf_value *everything(wf_tape *t, const large *m) {
    wf_value *x = wfi_op_embed(t, m->word, m->position, m->type, LT, large_ids, large_positions, large_types);
    wf_value *q = wfi_op_linear(t, x, &m->q), *v = wfi_op_lora(t, q, x, m->A, m->B, 2, 0.1f, 5);
    wf_value *h = wfi_op_dropout(t, wfi_op_attention(t, q, x, v, LS, large_offsets, 4, 0.1f, 6), 0.1f, 7);
    h = wfi_op_norm(t, 2, (wf_value *[]){h, x}, &m->norm);
    wf_value *u = wfi_op_bottleneck(t, h, &m->down, &m->up, WF_ACT_GELU);
    u = wfi_op_gate(t, wfi_op_scale_param(t, u, m->channel), h, &m->gate, LS, large_offsets);
    h = wfi_op_norm(t, 3, (wf_value *[]){u, h, x}, &m->norm);
    return wfi_op_cross_entropy(t, wfi_op_pool(t, h, WF_POOL_CLS, LS, large_offsets), large_label, NULL, 0, NULL);
}

static void large_pass(wf_tape *t, large *m, int threads, wf_value *(*model)(wf_tape *, const large *), float *grads) {
    wfi_threads_set(threads);
    memset(m->set.grad, 0, (size_t)m->set.total * sizeof(float));
    wfi_tape_reset(t, true);
    wf_value *loss = model(t, m);
    check_ok(wfi_tape_status(t, err));
    check_ok(wfi_tape_backward(t, loss, 1, err));
    memcpy(grads, m->set.grad, (size_t)m->set.total * sizeof(float));
    grads[m->set.total] = loss->data[0];
}

static void test_threads(void **state) {
    large m;
    large_init(&m);
    wf_tape *t;
    check_ok(wfi_tape_new(&t, err));
    const size_t bytes = ((size_t)m.set.total + 1) * sizeof(float);
    float *a = malloc(bytes), *b = malloc(bytes);
    large_pass(t, &m, 1, any_threads, a);
    for (int threads = 2; threads < 5; threads++) {
        large_pass(t, &m, threads, any_threads, b);
        assert_memory_equal(a, b, bytes);
    }
    large_pass(t, &m, 3, everything, a);
    large_pass(t, &m, 3, everything, b);
    assert_memory_equal(a, b, bytes);
    large_pass(t, &m, 1, everything, b);
    double most = 0, apart = 0;
    for (int64_t i = 0; i <= m.set.total; i++) {
        most = fmax(most, fabs((double)a[i]));
        apart = fmax(apart, fabs((double)a[i] - (double)b[i]));
    }
    assert_true(most > 0.1 && apart < 1e-5 * most);
    wfi_threads_set(0);
    free(a);
    free(b);
    wfi_tape_free(t);
    wfi_pset_clear(&m.set);
}

/* ---- ffn: the same bits as its three parts, in every type, with and without gradients ---- */

#define F 10
typedef struct ffn_result {
    float y[T * H], dx[T * H], again[T * H];
} ffn_result;

static void ffn_run(wf_tape *t, bool joint, const wf_linear *up, const wf_linear *down, const float *x,
                    const float *probe, ffn_result *r) {
    for (int training = 1; training >= 0; training--) {
        wfi_tape_reset(t, training != 0);
        wf_value *v = wfi_tape_variable(t, x, T, H);
        wf_value *out = joint ? wfi_op_ffn(t, v, up, down, WF_ACT_GELU)
                              : wfi_op_linear(t, wfi_op_act(t, wfi_op_linear(t, v, up), WF_ACT_GELU), down);
        check_ok(wfi_tape_status(t, err));
        memcpy(training ? r->y : r->again, out->data, sizeof r->y);
        if (!training) continue;
        check_ok(
            wfi_tape_backward(t, gc_probe(t, 2, (wf_value *[]){out, v}, (const float *const[]){probe, probe}), 1, err));
        memcpy(r->dx, v->grad, sizeof r->dx);
    }
}

static void ffn_case(wf_dtype type) {
    uint64_t seed = 5;
    wf_pset set = {0};
    wf_param *w1 = wfi_pset_add(&set, "w1", 2, (int64_t[]){F, H}, true),
             *b1 = wfi_pset_add(&set, "b1", 1, (int64_t[]){F}, false),
             *w2 = wfi_pset_add(&set, "w2", 2, (int64_t[]){H, F}, true),
             *b2 = wfi_pset_add(&set, "b2", 1, (int64_t[]){H}, false);
    check_ok(wfi_pset_commit(&set, err));
    float x[T * H], probe[T * H];
    for (int64_t i = 0; i < set.total; i++) set.data[i] = (float)gc_random(&seed);
    for (int i = 0; i < T * H; i++) x[i] = (float)gc_random(&seed), probe[i] = (float)gc_random(&seed);
    wf_linear up = linear_of(w1, b1), down = linear_of(w2, b2);
    const wf_value some = {.rows = T, .cols = H, .needs_grad = true}, none = {.rows = T, .cols = H};
    wf_tape *t;
    check_ok(wfi_tape_new(&t, err));
    assert_false(wfi_op_ffn_takes(&none, &up, &down));
    check_ok(wfi_packed_new(true, H, F, w1->data, H, type, &up.forward, err));
    check_ok(wfi_packed_new(true, F, H, w2->data, F, type, &down.forward, err));
    assert_true(wfi_op_ffn_takes(&none, &up, &down) && !wfi_op_ffn_takes(&some, &up, &down));
    check_ok(wfi_packed_new(false, F, H, w1->data, H, type, &up.backward, err));
    check_ok(wfi_packed_new(false, H, F, w2->data, F, type, &down.backward, err));
    assert_true(wfi_op_ffn_takes(&some, &up, &down));
    ffn_result joint, parts;
    ffn_run(t, true, &up, &down, x, probe, &joint);
    ffn_run(t, false, &up, &down, x, probe, &parts);
    assert_memory_equal(&joint, &parts, sizeof joint);
    wfi_tape_reset(t, true);
    assert_null(wfi_op_ffn(t, wfi_tape_constant(t, x, H, T), &up, &down, WF_ACT_GELU));
    assert_int_equal(WF_E_SHAPE, wfi_tape_status(t, NULL));
    check_ok(wfi_pset_trainable(&set, true, err));
    assert_false(wfi_op_ffn_takes(&none, &up, &down));
    wfi_tape_reset(t, true);
    assert_null(wfi_op_ffn(t, wfi_tape_constant(t, x, T, H), &up, &down, WF_ACT_GELU));
    assert_int_equal(WF_E_ARG, wfi_tape_status(t, NULL));
    wfi_tape_free(t);
    wf_linear *both[] = {&up, &down};
    for (int i = 0; i < 2; i++) wfi_packed_free(both[i]->forward), wfi_packed_free(both[i]->backward);
    wfi_pset_clear(&set);
}

static void test_ffn(void **state) {
    ffn_case(WF_DTYPE_F32);
    ffn_case(WF_DTYPE_BF16);
    ffn_case(WF_DTYPE_I8);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients),
                                       cmocka_unit_test(test_gradients_with_dropout),
                                       cmocka_unit_test(test_packed),
                                       cmocka_unit_test(test_nothing_to_do),
                                       cmocka_unit_test(test_norm_drops_when_asked),
                                       cmocka_unit_test(test_threads),
                                       cmocka_unit_test(test_ffn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
