/* kernels/vector/math_vec.h - exp, logistic, tanh and the normal distribution on one vector. Layer 2.
 *
 * The files of vector/ are written once in a small vocabulary and compiled once a level, after avx2/vec_avx2.h or
 * avx512/vec_avx512.h has defined it:
 *   vf   VW floats; + - * / work on them      vm  a mask of lanes        vd  VW/2 doubles      vw  32- or 64-bit words
 *   v_load_part, v_store_part, v_below(n)     the first n lanes, 0 <= n <= VW; a part load gives 0 elsewhere
 *   v_max(a,b), v_min(a,b)                    give b when either is NaN: put the constant first and NaN passes through
 *   v_select(m,a,b) = m ? a : b               v_where(m,a) = m ? a : 0
 *   v_ldexp(x,n) = x * 2^n                    v_sum, v_most: over the lanes, in a fixed order
 *   v_bf16(x)                                 x rounded to bfloat16 as kernels.h says, the lower halves zero
 *   v_store_high(p,x,n)                       the upper halves of the first n lanes, 0 < n <= VW
 *   v_store_u8(p,x,n)                         the first n lanes, whole numbers from 0 to 255, as bytes, 0 < n <= VW
 *   w_*                                       see philox_vec.h
 * A lane's result never depends on its neighbours or on its place, so cutting work elsewhere keeps the bits. */
#ifndef WF_KERNELS_MATH_VEC_H
#define WF_KERNELS_MATH_VEC_H

/* e^x, relative error about 1e-7 (one unit in the last place or two); 0 and infinity at the ends, NaN stays.
 * x = n ln 2 + r, |r| <= ln(2)/2; polynomial for (e^r - 1 - r)/r^2 from Cephes (Moshier), expf. */
static inline vf v_exp(vf x) {
    x = v_min(v_set(89.0f), v_max(v_set(-104.5f), x));
    vf n = v_round(x * v_set(1.44269504f));
    vf r = v_fma(n, v_set(-0.693359375f), x); /* ln 2 in two parts, the first exact in few bits */
    r = v_fma(n, v_set(2.12194440e-4f), r);
    vf p = v_set(1.9875691500e-4f);
    p = v_fma(p, r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    p = v_fma(p, r * r, r) + v_set(1.0f);
    return v_ldexp(p, n);
}

static inline vf v_sigmoid(vf x) {
    return v_set(1.0f) / (v_set(1.0f) + v_exp(v_set(0.0f) - x));
}

/* Odd polynomial near 0 (Cephes, tanhf), where 1 - 2/(e^2x + 1) would cancel. */
static inline vf v_tanh(vf x) {
    vf z = x * x, p = v_set(-5.70498872745e-3f), a = v_abs(x);
    p = v_fma(p, z, v_set(2.06390887954e-2f));
    p = v_fma(p, z, v_set(-5.37397155531e-2f));
    p = v_fma(p, z, v_set(1.33314422036e-1f));
    p = v_fma(p, z, v_set(-3.33332819422e-1f));
    vf small = v_fma(p * z, x, x);
    vf large = v_sign_of(v_set(1.0f) - v_set(2.0f) / (v_exp(a + a) + v_set(1.0f)), x);
    return v_select(v_gt(a, v_set(0.625f)), large,
                    small + (x - x)); /* x - x: NaN at NaN, else 0; NOLINT(misc-redundant-expression) */
}

/* Normal distribution: *density = e^(-x^2/2) (not normalised) and the return value Phi(x) = erfc(-x/sqrt 2)/2.
 * Phi(-a) e^(a^2/2) is a polynomial of degree 9 in t = 1/(1 + 0.27 a), the form of Abramowitz and Stegun 7.1.26; the
 * coefficients were fitted for least relative error on 0 <= a <= 14: 2.4e-8, in float arithmetic 3e-7. */
static inline vf v_normal(vf x, vf *density) {
    vf a = v_abs(x), t = v_set(1.0f) / v_fma(v_set(0.27f), a, v_set(1.0f)), p = v_set(0.0289156046f);
    p = v_fma(p, t, v_set(-0.126256853f));
    p = v_fma(p, t, v_set(0.169294655f));
    p = v_fma(p, t, v_set(-0.0686246827f));
    p = v_fma(p, t, v_set(0.107401974f));
    p = v_fma(p, t, v_set(0.0722392201f));
    p = v_fma(p, t, v_set(0.101759441f));
    p = v_fma(p, t, v_set(0.107550472f));
    p = v_fma(p, t, v_set(0.107720189f));
    *density = v_exp(v_set(-0.5f) * x * x);
    vf tail = p * t * *density;
    return v_select(v_gt(x, v_set(0.0f)), v_set(1.0f) - tail, tail);
}
#endif
