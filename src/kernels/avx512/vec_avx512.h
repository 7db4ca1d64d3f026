/* kernels/avx512/vec_avx512.h - the vocabulary of vector/ in AVX-512 (F, BW, DQ, VL): 16 floats. Layer 2.
 * Compiled only with those flags, called only where the processor has them. */
#ifndef WF_KERNELS_VEC_AVX512_H
#define WF_KERNELS_VEC_AVX512_H
#include <immintrin.h>
#include <stdint.h>

enum { VW = 16 };
typedef __m512 vf;
typedef __mmask16 vm;
typedef __m512d vd;
typedef __m512i vw;

static inline vf v_set(float x) {
    return _mm512_set1_ps(x);
}
static inline vf v_load(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vf x) {
    _mm512_storeu_ps(p, x);
}

static inline vm v_below(int64_t n) {
    return (vm)((1u << n) - 1u);
} /* 0 <= n <= 16 */
static inline vf v_load_part(const float *p, int64_t n) {
    return _mm512_maskz_loadu_ps(v_below(n), p);
}
static inline void v_store_part(float *p, vf x, int64_t n) {
    _mm512_mask_storeu_ps(p, v_below(n), x);
}

static inline vf v_fma(vf a, vf b, vf c) {
    return _mm512_fmadd_ps(a, b, c);
}
static inline vf v_max(vf a, vf b) {
    return _mm512_max_ps(a, b);
}
static inline vf v_min(vf a, vf b) {
    return _mm512_min_ps(a, b);
}
static inline vf v_sqrt(vf a) {
    return _mm512_sqrt_ps(a);
}
static inline vf v_abs(vf a) {
    return _mm512_abs_ps(a);
}
static inline vf v_sign_of(vf magnitude, vf sign) {
    return _mm512_or_ps(v_abs(magnitude), _mm512_and_ps(_mm512_set1_ps(-0.0f), sign));
}
static inline vf v_round(vf a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vm v_gt(vf a, vf b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
static inline vf v_select(vm m, vf a, vf b) {
    return _mm512_mask_blend_ps(m, b, a);
}
static inline vf v_where(vm m, vf a) {
    return _mm512_maskz_mov_ps(m, a);
}
static inline vf v_ldexp(vf x, vf n) {
    return _mm512_scalef_ps(x, n);
}

/* In integers: AVX512_BF16's own conversion takes denormal numbers for zero. */
static inline vf v_bf16(vf x) {
    __m512i u = _mm512_castps_si512(x), odd = _mm512_and_epi32(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1)),
            near = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    near = _mm512_mask_or_epi32(near, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), u, _mm512_set1_epi32(0x400000));
    return _mm512_castsi512_ps(_mm512_and_epi32(near, _mm512_set1_epi32((int)0xffff0000u)));
}
static inline void v_store_high(uint16_t *p, vf x, int64_t n) {
    __m256i half = _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(x), 16));
    if (n == VW)
        _mm256_storeu_si256((__m256i *)(void *)p, half);
    else
        _mm256_mask_storeu_epi16(p, v_below(n), half);
}
static inline void v_store_u8(uint8_t *p, vf x, int64_t n) {
    _mm512_mask_cvtepi32_storeu_epi8(p, v_below(n), _mm512_cvtps_epi32(x));
}

static inline float v_sum(vf x) {
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
static inline float v_most(vf x) {
    __m256 h = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}

static inline vd vd_zero(void) {
    return _mm512_setzero_pd();
}
static inline vd vd_widen(const float *p) {
    return _mm512_cvtps_pd(_mm256_loadu_ps(p));
} /* VW/2 floats */
static inline vd vd_fma(vd a, vd b, vd c) {
    return _mm512_fmadd_pd(a, b, c);
}
static inline double vd_sum(vd x) {
    __m256d h = _mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd(x, 1));
    __m128d a = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
    return _mm_cvtsd_f64(_mm_add_sd(a, _mm_unpackhi_pd(a, a)));
}

static inline vw w_set64(uint64_t x) {
    return _mm512_set1_epi64((long long)x);
}
static inline vw w_set32(uint32_t x) {
    return _mm512_set1_epi32((int)x);
}
static inline vw w_mul(vw a, vw b) {
    return _mm512_mul_epu32(a, b);
}
static inline vw w_add64(vw a, vw b) {
    return _mm512_add_epi64(a, b);
}
static inline vw w_high(vw a) {
    return _mm512_srli_epi64(a, 32);
}
static inline vw w_xor3(vw a, vw b, vw c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}
static inline vw w_pair(vw low, vw high) {
    return _mm512_mask_blend_epi32(0xAAAA, low, _mm512_slli_epi64(high, 32));
}
static inline vw w_even(vw a, vw b) {
    return _mm512_unpacklo_epi64(a, b);
}
static inline vw w_odd(vw a, vw b) {
    return _mm512_unpackhi_epi64(a, b);
}
static inline vw w_order(void) {
    return _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
}
static inline vm w_gt(vw a, vw b) {
    return _mm512_cmpgt_epu32_mask(a, b);
}
#endif
