/* kernels/avx2/vec_avx2.h - the vocabulary of vector/ in AVX2 + FMA: 8 floats. Layer 2.
 * What each word means is said in vector/math_vec.h and vector/philox_vec.h.
 * Compiled only with -mavx2 -mfma, called only where the processor has them. */
#ifndef WF_KERNELS_VEC_AVX2_H
#define WF_KERNELS_VEC_AVX2_H
#include <immintrin.h>
#include <stdint.h>

enum { VW = 8 };
typedef __m256 vf;
typedef __m256 vm;
typedef __m256d vd;
typedef __m256i vw;

static inline vf v_set(float x) {
    return _mm256_set1_ps(x);
}
static inline vf v_load(const float *p) {
    return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vf x) {
    _mm256_storeu_ps(p, x);
}

static inline __m256i lanes_below(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf v_load_part(const float *p, int64_t n) {
    return _mm256_maskload_ps(p, lanes_below(n));
}
static inline void v_store_part(float *p, vf x, int64_t n) {
    _mm256_maskstore_ps(p, lanes_below(n), x);
}
static inline vm v_below(int64_t n) {
    return _mm256_castsi256_ps(lanes_below(n));
}

static inline vf v_fma(vf a, vf b, vf c) {
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf v_max(vf a, vf b) {
    return _mm256_max_ps(a, b);
}
static inline vf v_min(vf a, vf b) {
    return _mm256_min_ps(a, b);
}
static inline vf v_sqrt(vf a) {
    return _mm256_sqrt_ps(a);
}
static inline vf v_abs(vf a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
static inline vf v_sign_of(vf magnitude, vf sign) {
    return _mm256_or_ps(v_abs(magnitude), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
static inline vf v_round(vf a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vm v_gt(vf a, vf b) {
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}
static inline vf v_select(vm m, vf a, vf b) {
    return _mm256_blendv_ps(b, a, m);
}
static inline vf v_where(vm m, vf a) {
    return _mm256_and_ps(m, a);
}

/* x * 2^n in two exact steps, so that n from -150 to 129 neither wraps nor loses subnormal results */
static inline vf v_ldexp(vf x, vf n) {
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half),
            bias = _mm256_set1_epi32(127);
    vf first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    vf second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
    return x * first * second;
}

static inline vf v_bf16(vf x) {
    __m256i u = _mm256_castps_si256(x), odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1)),
            near = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))),
            nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)),
            quiet = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
    near = _mm256_blendv_epi8(near, quiet, nan);
    return _mm256_castsi256_ps(_mm256_and_si256(near, _mm256_set1_epi32((int)0xffff0000u)));
}
static inline void v_store_high(uint16_t *p, vf x, int64_t n) {
    __m256i half = _mm256_srli_epi32(_mm256_castps_si256(x), 16);
    half = _mm256_permute4x64_epi64(_mm256_packus_epi32(half, half), 0x08);
    if (n == VW)
        _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(half));
    else
        __builtin_memcpy(p, &half, (size_t)n * sizeof *p);
}
static inline void v_store_u8(uint8_t *p, vf x, int64_t n) {
    const __m256i whole = _mm256_cvtps_epi32(x), half = _mm256_packus_epi32(whole, whole),
                  byte = _mm256_packus_epi16(half, half);
    const uint32_t words[2] = {(uint32_t)_mm256_extract_epi32(byte, 0), (uint32_t)_mm256_extract_epi32(byte, 4)};
    __builtin_memcpy(p, words, (size_t)n);
}

static inline float v_sum(vf x) {
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
static inline float v_most(vf x) {
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}

static inline vd vd_zero(void) {
    return _mm256_setzero_pd();
}
static inline vd vd_widen(const float *p) {
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
} /* VW/2 floats */
static inline vd vd_fma(vd a, vd b, vd c) {
    return _mm256_fmadd_pd(a, b, c);
}
static inline double vd_sum(vd x) {
    __m128d a = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
    return _mm_cvtsd_f64(_mm_add_sd(a, _mm_unpackhi_pd(a, a)));
}

static inline vw w_set64(uint64_t x) {
    return _mm256_set1_epi64x((long long)x);
}
static inline vw w_set32(uint32_t x) {
    return _mm256_set1_epi32((int)x);
}
static inline vw w_mul(vw a, vw b) {
    return _mm256_mul_epu32(a, b);
}
static inline vw w_add64(vw a, vw b) {
    return _mm256_add_epi64(a, b);
}
static inline vw w_high(vw a) {
    return _mm256_srli_epi64(a, 32);
}
static inline vw w_xor3(vw a, vw b, vw c) {
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}
static inline vw w_pair(vw low, vw high) {
    return _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xAA);
}
static inline vw w_even(vw a, vw b) {
    return _mm256_unpacklo_epi64(a, b);
}
static inline vw w_odd(vw a, vw b) {
    return _mm256_unpackhi_epi64(a, b);
}
static inline vw w_order(void) {
    return _mm256_setr_epi64x(0, 2, 1, 3);
}
static inline vm w_gt(vw a, vw b) { /* unsigned words */
    vw flip = _mm256_set1_epi32(INT32_MIN);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_xor_si256(a, flip), _mm256_xor_si256(b, flip)));
}
#endif
