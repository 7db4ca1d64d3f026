/* kernels/vector/elementwise_vec.h - the element-wise kernels in the vocabulary of math_vec.h. Layer 2. */
#ifndef WF_KERNELS_ELEMENTWISE_VEC_H
#define WF_KERNELS_ELEMENTWISE_VEC_H

#define SQRT_2_PI    0.79788456080286535588f /* sqrt(2/pi) */
#define INV_SQRT_2PI 0.39894228040143267794f /* 1/sqrt(2 pi) */
#define ALWAYS       static inline __attribute__((always_inline))

typedef vf unary(vf x);

ALWAYS vf relu(vf x) {
    return v_max(v_set(0.0f), x);
}
ALWAYS vf relu_slope(vf x) {
    return v_where(v_gt(x, v_set(0.0f)), v_set(1.0f));
}
ALWAYS vf gelu(vf x) {
    vf density;
    return x * v_normal(x, &density);
}
ALWAYS vf gelu_slope(vf x) {
    vf density, phi = v_normal(x, &density);
    return v_fma(x * v_set(INV_SQRT_2PI), density, phi);
}
/* (1 + tanh u)/2 = sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3) */
ALWAYS vf gelu_new_gate(vf x) {
    return v_sigmoid(v_set(2.0f * SQRT_2_PI) * x * v_fma(v_set(0.044715f), x * x, v_set(1.0f)));
}
ALWAYS vf gelu_new(vf x) {
    return x * gelu_new_gate(x);
}
ALWAYS vf gelu_new_slope(vf x) {
    vf s = gelu_new_gate(x), square = v_min(v_set(1e30f), x * x),
       du = v_set(2.0f * SQRT_2_PI) * v_fma(v_set(3.0f * 0.044715f), square, v_set(1.0f));
    return v_fma(x * (s * (v_set(1.0f) - s)), du, s);
}
ALWAYS vf silu(vf x) {
    return x * v_sigmoid(x);
}
ALWAYS vf silu_slope(vf x) {
    vf s = v_sigmoid(x);
    return v_fma(x * s, v_set(1.0f) - s, s);
}
ALWAYS vf tanh_slope(vf x) {
    vf t = v_tanh(x);
    return (v_set(1.0f) - t) * (v_set(1.0f) + t);
}
ALWAYS vf leaky(vf x) {
    return v_select(v_gt(v_set(0.0f), x), v_set(0.01f) * x, x);
}
ALWAYS vf leaky_slope(vf x) {
    return v_select(v_gt(x, v_set(0.0f)), v_set(1.0f), v_set(0.01f));
}
ALWAYS vf sigmoid_slope(vf x) {
    vf s = v_sigmoid(x);
    return s * (v_set(1.0f) - s);
}
ALWAYS vf relu6(vf x) {
    return v_min(v_set(6.0f), v_max(v_set(0.0f), x));
}
ALWAYS vf relu6_slope(vf x) {
    return v_where(v_gt(v_set(6.0f), x), relu_slope(x));
}
ALWAYS vf relu2(vf x) {
    return relu(x) * relu(x);
}
ALWAYS vf relu2_slope(vf x) {
    return v_where(v_gt(x, v_set(0.0f)), x + x);
}
/* tanh(log(1 + e)) = w/(w + 2) with w = e (e + 2), e = e^x; beyond 20 that is 1 in float */
ALWAYS vf mish(vf x) {
    vf e = v_exp(v_min(v_set(20.0f), x)), w = e * (e + v_set(2.0f));
    return x * (w / (w + v_set(2.0f)));
}
ALWAYS vf mish_slope(vf x) {
    vf e = v_exp(v_min(v_set(20.0f), x)), w = e * (e + v_set(2.0f)), t = w / (w + v_set(2.0f)),
       rest = v_set(2.0f) / (w + v_set(2.0f));
    return v_fma(x * rest * (v_set(1.0f) + t), e / (e + v_set(1.0f)), t); /* rest = 1 - t */
}
ALWAYS vf quick(vf x) {
    return x * v_sigmoid(v_set(1.702f) * x);
}
ALWAYS vf quick_slope(vf x) {
    vf s = v_sigmoid(v_set(1.702f) * x);
    return v_fma(v_set(1.702f) * x * s, v_set(1.0f) - s, s);
}
ALWAYS vf linear(vf x) {
    return x;
}
ALWAYS vf linear_slope(vf x) {
    return v_set(1.0f) + (x - x); /* NOLINT(misc-redundant-expression) */
}

ALWAYS void each(int64_t n, const float *x, float *y, unary *f) {
    int64_t i = 0;
    for (; i + VW <= n; i += VW) v_store(y + i, f(v_load(x + i)));
    if (i < n) v_store_part(y + i, f(v_load_part(x + i, n - i)), n - i);
}

ALWAYS void each_slope(int64_t n, const float *x, const float *dy, float *dx, bool sum, unary *f) {
    int64_t i = 0;
    if (sum)
        for (; i + VW <= n; i += VW) v_store(dx + i, v_load(dx + i) + v_load(dy + i) * f(v_load(x + i)));
    else
        for (; i + VW <= n; i += VW) v_store(dx + i, v_load(dy + i) * f(v_load(x + i)));
    if (i == n) return;
    vf d = v_load_part(dy + i, n - i) * f(v_load_part(x + i, n - i));
    if (sum) d = v_load_part(dx + i, n - i) + d;
    v_store_part(dx + i, d, n - i);
}

static void act_forward(wf_act a, int64_t n, const float *x, float *y) {
    switch (a) {
    case WF_ACT_RELU:
        each(n, x, y, relu);
        return;
    case WF_ACT_GELU:
        each(n, x, y, gelu);
        return;
    case WF_ACT_GELU_NEW:
        each(n, x, y, gelu_new);
        return;
    case WF_ACT_SILU:
        each(n, x, y, silu);
        return;
    case WF_ACT_TANH:
        each(n, x, y, v_tanh);
        return;
    case WF_ACT_LEAKY_RELU:
        each(n, x, y, leaky);
        return;
    case WF_ACT_SIGMOID:
        each(n, x, y, v_sigmoid);
        return;
    case WF_ACT_RELU6:
        each(n, x, y, relu6);
        return;
    case WF_ACT_RELU2:
        each(n, x, y, relu2);
        return;
    case WF_ACT_MISH:
        each(n, x, y, mish);
        return;
    case WF_ACT_QUICK_GELU:
        each(n, x, y, quick);
        return;
    case WF_ACT_LINEAR:
    case WF_ACT_COUNT:
        break;
    }
    each(n, x, y, linear);
}

static void act_backward(wf_act a, int64_t n, const float *x, const float *dy, float *dx, bool sum) {
    switch (a) {
    case WF_ACT_RELU:
        each_slope(n, x, dy, dx, sum, relu_slope);
        return;
    case WF_ACT_GELU:
        each_slope(n, x, dy, dx, sum, gelu_slope);
        return;
    case WF_ACT_GELU_NEW:
        each_slope(n, x, dy, dx, sum, gelu_new_slope);
        return;
    case WF_ACT_SILU:
        each_slope(n, x, dy, dx, sum, silu_slope);
        return;
    case WF_ACT_TANH:
        each_slope(n, x, dy, dx, sum, tanh_slope);
        return;
    case WF_ACT_LEAKY_RELU:
        each_slope(n, x, dy, dx, sum, leaky_slope);
        return;
    case WF_ACT_SIGMOID:
        each_slope(n, x, dy, dx, sum, sigmoid_slope);
        return;
    case WF_ACT_RELU6:
        each_slope(n, x, dy, dx, sum, relu6_slope);
        return;
    case WF_ACT_RELU2:
        each_slope(n, x, dy, dx, sum, relu2_slope);
        return;
    case WF_ACT_MISH:
        each_slope(n, x, dy, dx, sum, mish_slope);
        return;
    case WF_ACT_QUICK_GELU:
        each_slope(n, x, dy, dx, sum, quick_slope);
        return;
    case WF_ACT_LINEAR:
    case WF_ACT_COUNT:
        break;
    }
    each_slope(n, x, dy, dx, sum, linear_slope);
}

static void add(int64_t n, const float *a, const float *b, float *out) {
    int64_t i = 0;
    for (; i + VW <= n; i += VW) v_store(out + i, v_load(a + i) + v_load(b + i));
    if (i < n) v_store_part(out + i, v_load_part(a + i, n - i) + v_load_part(b + i, n - i), n - i);
}

static void axpy(int64_t n, float alpha, const float *x, float *y) {
    vf s = v_set(alpha);
    int64_t i = 0;
    for (; i + VW <= n; i += VW) v_store(y + i, v_fma(s, v_load(x + i), v_load(y + i)));
    if (i < n) v_store_part(y + i, v_fma(s, v_load_part(x + i, n - i), v_load_part(y + i, n - i)), n - i);
}

static void scale(int64_t n, float alpha, float *x) {
    vf s = v_set(alpha);
    int64_t i = 0;
    for (; i + VW <= n; i += VW) v_store(x + i, s * v_load(x + i));
    if (i < n) v_store_part(x + i, s * v_load_part(x + i, n - i), n - i);
}

static double sum_squares(int64_t n, const float *x) {
    vd sum[4] = {vd_zero(), vd_zero(), vd_zero(), vd_zero()};
    int64_t i = 0;
    for (; i + 2 * VW <= n; i += 2 * VW)
        for (int j = 0; j < 4; j++) {
            vd v = vd_widen(x + i + j * (VW / 2));
            sum[j] = vd_fma(v, v, sum[j]);
        }
    double total = vd_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (; i < n; i++) total += (double)x[i] * x[i];
    return total;
}

static void dropout(uint64_t first, int64_t n, uint64_t key, float p, const float *x, float *y) {
    uint64_t least = wfk_dropout_limit(p);
    vf survivor = v_set(wfk_dropout_scale(p));
    vw limit = w_set32((uint32_t)(least - 1)); /* p > 0 here, so least >= 1: word >= least is word > least - 1 */
    vw words[2];
    philox_keys keys;
    int64_t i = 0;
    for (; i < n && (first + (uint64_t)i) % 4 != 0; i++)
        y[i] = wfi_dropout_keep(key, first + (uint64_t)i, p) ? x[i] * wfk_dropout_scale(p) : 0.0f;
    philox_start(&keys, key);
    for (; i + 2 * VW <= n; i += 2 * VW) {
        philox_words(&keys, (first + (uint64_t)i) / 4, words);
        v_store(y + i, v_where(w_gt(words[0], limit), v_load(x + i) * survivor));
        v_store(y + i + VW, v_where(w_gt(words[1], limit), v_load(x + i + VW) * survivor));
    }
    if (i == n) return;
    philox_words(&keys, (first + (uint64_t)i) / 4, words);
    for (int j = 0; j < 2 && i < n; j++, i += VW) {
        int64_t part = n - i < VW ? n - i : VW;
        v_store_part(y + i, v_where(w_gt(words[j], limit), v_load_part(x + i, part) * survivor), part);
    }
}

ALWAYS void adamw_step(vf *p, vf g, vf *m, vf *v, const wfk_adamw *c) {
    *m = v_fma(v_set(c->one_b1), g - *m, *m);
    *v = v_fma(*v, v_set(c->b2), v_set(c->one_b2) * g * g);
    vf size = v_sqrt(*v) / v_set(c->root) + v_set(c->eps);
    *p = *p * v_set(c->keep) - v_set(c->step) * (*m / size);
}

static void adamw(int64_t n, float *p, const float *g, float *m, float *v, const wfk_adamw *c) {
    vf wp, wm, wv;
    int64_t i = 0;
    for (; i + VW <= n; i += VW) {
        wp = v_load(p + i), wm = v_load(m + i), wv = v_load(v + i);
        adamw_step(&wp, v_load(g + i), &wm, &wv, c);
        v_store(p + i, wp), v_store(m + i, wm), v_store(v + i, wv);
    }
    if (i == n) return;
    wp = v_load_part(p + i, n - i), wm = v_load_part(m + i, n - i), wv = v_load_part(v + i, n - i);
    adamw_step(&wp, v_load_part(g + i, n - i), &wm, &wv, c);
    v_store_part(p + i, wp, n - i), v_store_part(m + i, wm, n - i), v_store_part(v + i, wv, n - i);
}

static void to_bf16(int64_t n, const float *x, uint16_t *y) {
    int64_t i = 0;
    for (; i + VW <= n; i += VW) v_store_high(y + i, v_bf16(v_load(x + i)), VW);
    if (i < n) v_store_high(y + i, v_bf16(v_load_part(x + i, n - i)), n - i);
}

static void round_bf16(int64_t n, const float *x, float *y) {
    each(n, x, y, v_bf16);
}
#endif
