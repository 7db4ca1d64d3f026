/* kernels/ref/elementwise_ref.c - element-wise kernels by their formulas: the oracle and the fallback. Layer 2.
 * Single-threaded, one loop each. Must stay obvious; speed belongs to vector/. */
#include "base/random.h"
#include "kernels/dispatch.h"

#include <math.h>
#include <string.h>

#define SQRT_HALF    0.70710678118654752440f /* 1/sqrt(2) */
#define SQRT_2_PI    0.79788456080286535588f /* sqrt(2/pi) */
#define INV_SQRT_2PI 0.39894228040143267794f /* 1/sqrt(2 pi) */
#define GELU_CUBIC   0.044715f
#define QUICK        1.702f
#define LEAK         0.01f

static float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

static float softplus(float x) {
    return x > 20.0f ? x : log1pf(expf(x));
}

/* Comparisons are written so that NaN stays NaN. */
static float act_value(wf_act a, float x) {
    switch (a) {
    case WF_ACT_RELU:
        return x < 0.0f ? 0.0f : x;
    case WF_ACT_GELU:
        return 0.5f * x * erfcf(-x * SQRT_HALF);
    case WF_ACT_GELU_NEW:
        return 0.5f * x * (1.0f + tanhf(SQRT_2_PI * (x + GELU_CUBIC * x * x * x)));
    case WF_ACT_SILU:
        return x * sigmoid(x);
    case WF_ACT_TANH:
        return tanhf(x);
    case WF_ACT_LEAKY_RELU:
        return x < 0.0f ? LEAK * x : x;
    case WF_ACT_SIGMOID:
        return sigmoid(x);
    case WF_ACT_RELU6:
        return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
    case WF_ACT_RELU2:
        return x < 0.0f ? 0.0f : x * x;
    case WF_ACT_MISH:
        return x * tanhf(softplus(x));
    case WF_ACT_QUICK_GELU:
        return x * sigmoid(QUICK * x);
    case WF_ACT_LINEAR:
    case WF_ACT_COUNT:
        break;
    }
    return x;
}

static float act_slope(wf_act a, float x) {
    float s, t;
    switch (a) {
    case WF_ACT_RELU:
        return x > 0.0f ? 1.0f : 0.0f;
    case WF_ACT_GELU:
        return 0.5f * erfcf(-x * SQRT_HALF) + x * INV_SQRT_2PI * expf(-0.5f * x * x);
    case WF_ACT_GELU_NEW:
        t = tanhf(SQRT_2_PI * (x + GELU_CUBIC * x * x * x));
        s = (1.0f - t) * (1.0f + t);
        return 0.5f * (1.0f + t) + (s == 0.0f ? 0.0f : 0.5f * x * s * SQRT_2_PI * (1.0f + 3.0f * GELU_CUBIC * x * x));
    case WF_ACT_SILU:
        s = sigmoid(x);
        return s + x * s * (1.0f - s);
    case WF_ACT_TANH:
        t = tanhf(x);
        return (1.0f - t) * (1.0f + t);
    case WF_ACT_LEAKY_RELU:
        return x > 0.0f ? 1.0f : LEAK;
    case WF_ACT_SIGMOID:
        s = sigmoid(x);
        return s * (1.0f - s);
    case WF_ACT_RELU6:
        return x > 0.0f && x < 6.0f ? 1.0f : 0.0f;
    case WF_ACT_RELU2:
        return x > 0.0f ? 2.0f * x : 0.0f;
    case WF_ACT_MISH:
        t = tanhf(softplus(x));
        return t + x * (1.0f - t) * (1.0f + t) * sigmoid(x);
    case WF_ACT_QUICK_GELU:
        s = sigmoid(QUICK * x);
        return s + QUICK * x * s * (1.0f - s);
    case WF_ACT_LINEAR:
    case WF_ACT_COUNT:
        break;
    }
    return 1.0f;
}

static void act_forward(wf_act a, int64_t n, const float *x, float *y) {
    for (int64_t i = 0; i < n; i++) y[i] = act_value(a, x[i]);
}

static void act_backward(wf_act a, int64_t n, const float *x, const float *dy, float *dx, bool add) {
    for (int64_t i = 0; i < n; i++) {
        float d = dy[i] * act_slope(a, x[i]);
        dx[i] = add ? dx[i] + d : d;
    }
}

static void add(int64_t n, const float *a, const float *b, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = a[i] + b[i];
}

static void axpy(int64_t n, float alpha, const float *x, float *y) {
    for (int64_t i = 0; i < n; i++) y[i] += alpha * x[i];
}

static void scale(int64_t n, float alpha, float *x) {
    for (int64_t i = 0; i < n; i++) x[i] *= alpha;
}

static double sum_squares(int64_t n, const float *x) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sum;
}

static void dropout(uint64_t first, int64_t n, uint64_t key, float p, const float *x, float *y) {
    uint64_t limit = wfk_dropout_limit(p);
    float survivor = wfk_dropout_scale(p);
    uint32_t word[4];
    for (int64_t i = 0; i < n; i++) {
        uint64_t index = first + (uint64_t)i;
        if (i == 0 || index % 4 == 0) wfi_random_block(key, index / 4, word);
        y[i] = word[index % 4] >= limit ? x[i] * survivor : 0.0f;
    }
}

/* Loshchilov and Hutter 2019, in the order of operations of torch.optim.AdamW. */
static void adamw(int64_t n, float *p, const float *g, float *m, float *v, const wfk_adamw *c) {
    for (int64_t i = 0; i < n; i++) {
        float grad = g[i];
        m[i] += c->one_b1 * (grad - m[i]);
        v[i] = v[i] * c->b2 + c->one_b2 * grad * grad;
        p[i] = p[i] * c->keep - c->step * (m[i] / (sqrtf(v[i]) / c->root + c->eps));
    }
}

/* Adding just under half of the last kept bit carries into it when the rest is more than half, and when it is half and
 * that bit is odd; beyond the largest exponent the carry gives infinity. */
static uint32_t bf16_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if (isnan(x)) return (u | 0x400000u) & 0xffff0000u; /* quiet; its upper bits may be all there is */
    return (u + 0x7fffu + (u >> 16 & 1u)) & 0xffff0000u;
}

static void to_bf16(int64_t n, const float *x, uint16_t *y) {
    for (int64_t i = 0; i < n; i++) y[i] = (uint16_t)(bf16_bits(x[i]) >> 16);
}

static void round_bf16(int64_t n, const float *x, float *y) {
    for (int64_t i = 0; i < n; i++) {
        const uint32_t u = bf16_bits(x[i]);
        memcpy(&y[i], &u, sizeof u);
    }
}

void wfk_table_fill_elementwise__ref(wfk_table *t) {
    t->act_forward = act_forward;
    t->act_backward = act_backward;
    t->add = add;
    t->axpy = axpy;
    t->scale = scale;
    t->sum_squares = sum_squares;
    t->dropout = dropout;
    t->adamw = adamw;
    t->to_bf16 = to_bf16;
    t->round_bf16 = round_bf16;
}
