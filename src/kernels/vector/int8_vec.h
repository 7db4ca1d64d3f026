/* kernels/vector/int8_vec.h - rows to 8 bits (int8.h) in the vocabulary of math_vec.h. Layer 2. */
#ifndef WF_KERNELS_INT8_VEC_H
#define WF_KERNELS_INT8_VEC_H

static void range(int64_t n, const float *x, float *low, float *high) {
    vf a = v_set(0.0f), b = a, bad = a; /* bad: x * 0, which is NaN for NaN and infinity */
    int64_t i = 0;
    for (; i + VW <= n; i += VW) {
        const vf v = v_load(x + i);
        a = v_min(a, v), b = v_max(b, v), bad = v_fma(v, v_set(0.0f), bad);
    }
    if (i < n) {
        const vf v = v_load_part(x + i, n - i);
        a = v_min(a, v), b = v_max(b, v), bad = v_fma(v, v_set(0.0f), bad);
    }
    if (v_sum(bad) == 0.0f) /* neither -0 nor 0 is the other's problem: both are zero to all that follows */
        *low = -v_most(v_set(0.0f) - a), *high = v_most(b);
    else
        *low = *high = NAN;
}

ALWAYS vf eight_bits(vf x, vf inverse, vf zero) {
    return v_min(v_set(255.0f), v_max(v_set(0.0f), v_round(x * inverse) + zero));
}

static void quantise(int64_t n, const float *x, float inverse, float zero, uint8_t *q) {
    const vf k = v_set(inverse), z = v_set(zero);
    int64_t i = 0;
    for (; i + VW <= n; i += VW) v_store_u8(q + i, eight_bits(v_load(x + i), k, z), VW);
    if (i < n) v_store_u8(q + i, eight_bits(v_load_part(x + i, n - i), k, z), n - i);
}
#endif
