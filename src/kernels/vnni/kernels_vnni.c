/* kernels/vnni/kernels_vnni.c - products in 8 bits (int8.h) by AVX-512 VNNI. Layer 2.
 *
 * A block is up to 6 rows by one panel of 64 columns: 24 accumulators of 16 sums, 4 vectors of weights and one of the
 * row's next four bytes in every lane fill the 32 registers, so that each instruction of the inner loop that loads
 * serves 4 or 6 that multiply. vpdpbusd takes unsigned times signed bytes and adds four products to a 32-bit sum
 * without saturating. Only this file is compiled with the level's flags. */
#include "kernels/dispatch.h"
#include "kernels/int8.h"

#include <immintrin.h>

#define ALWAYS static inline __attribute__((always_inline))

_Static_assert(WFK_INT8_PANEL == 64 && WFK_INT8_BLOCK == 6, "the names of the accumulators below");

/* sum + four products of bytes, unsigned times signed, in each lane. As an instruction and not as the compiler's own
 * function: GCC moves the sums of the latter to other registers and to memory and back at each of them. */
ALWAYS __m512i products_add(__m512i sum, __m512i q, __m512i w) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(q), "v"(w));
    return sum;
}

static inline int32_t four_bytes(const uint8_t *p) {
    int32_t x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
}

/* Accumulators have names, since compilers keep arrays of that many vectors in memory. r: row of the block, R of them.
 */
#define EACH_ROW(what) what(0) what(1) what(2) what(3) what(4) what(5)
#define DECLARE(r)     __m512i s##r##0 = none, s##r##1 = none, s##r##2 = none, s##r##3 = none;

/* -zero times the column sums, to which q w will be added */
#define START(r)                                                                                                       \
    if (R > r) {                                                                                                       \
        const __m512i zero = _mm512_set1_epi32(-job->zero[(row + r) * b->groups + g]);                                 \
        s##r##0 = _mm512_mullo_epi32(zero, _mm512_load_si512(column));                                                 \
        s##r##1 = _mm512_mullo_epi32(zero, _mm512_load_si512(column + 16));                                            \
        s##r##2 = _mm512_mullo_epi32(zero, _mm512_load_si512(column + 32));                                            \
        s##r##3 = _mm512_mullo_epi32(zero, _mm512_load_si512(column + 48));                                            \
    }

#define MULTIPLY(r)                                                                                                    \
    if (R > r) {                                                                                                       \
        const __m512i four = _mm512_set1_epi32(four_bytes(q + r * b->K));                                              \
        s##r##0 = products_add(s##r##0, four, w0);                                                                     \
        s##r##1 = products_add(s##r##1, four, w1);                                                                     \
        s##r##2 = products_add(s##r##2, four, w2);                                                                     \
        s##r##3 = products_add(s##r##3, four, w3);                                                                     \
    }

#define FINISH(r)                                                                                                      \
    if (R > r) {                                                                                                       \
        const __m512 own = _mm512_set1_ps(job->scale[(row + r) * b->groups + g]);                                      \
        finish(job, c + r * job->ldc, bias, columns, g, _mm512_cvtepi32_ps(s##r##0) * own, scale, 0);                  \
        finish(job, c + r * job->ldc, bias, columns, g, _mm512_cvtepi32_ps(s##r##1) * own, scale, 16);                 \
        finish(job, c + r * job->ldc, bias, columns, g, _mm512_cvtepi32_ps(s##r##2) * own, scale, 32);                 \
        finish(job, c + r * job->ldc, bias, columns, g, _mm512_cvtepi32_ps(s##r##3) * own, scale, 48);                 \
    }

ALWAYS void finish(const wfk_int8_job *job, float *c, const float *bias, uint64_t columns, int64_t g, __m512 sum,
                   const float *scale, int v) {
    const __mmask16 mask = (__mmask16)(columns >> v);
    __m512 was;
    if (g) {
        was = _mm512_maskz_loadu_ps(mask, c + v);
    } else {
        was = bias ? _mm512_maskz_loadu_ps(mask, bias + v) : _mm512_setzero_ps();
        if (job->add) was = _mm512_maskz_loadu_ps(mask, c + v) + was;
    }
    _mm512_mask_storeu_ps(c + v, mask, _mm512_fmadd_ps(sum, _mm512_load_ps(scale + v), was));
}

ALWAYS void block(const wfk_int8_job *job, int R, int64_t row, int64_t panel) {
    const wfk_int8 *b = job->b;
    const int64_t left = b->n - panel * WFK_INT8_PANEL;
    const uint64_t columns = left < WFK_INT8_PANEL ? ((uint64_t)1 << left) - 1 : ~(uint64_t)0;
    float *c = job->c + row * job->ldc + panel * WFK_INT8_PANEL;
    const float *bias = job->bias ? job->bias + panel * WFK_INT8_PANEL : NULL;
    const __m512i none = _mm512_setzero_si512();
    for (int64_t g = 0; g < b->groups; g++) {
        const int64_t first = g * WFK_INT8_GROUP, quads = wfk_int8_group_rows(b, g) / 4;
        const int32_t *column = b->sum + (panel * b->groups + g) * WFK_INT8_PANEL;
        const float *scale = b->scale + (panel * b->groups + g) * WFK_INT8_PANEL;
        const int8_t *w = b->data + panel * WFK_INT8_PANEL * b->K + first * WFK_INT8_PANEL;
        const uint8_t *q = job->q + row * b->K + first;
        EACH_ROW(DECLARE)
        EACH_ROW(START)
        for (int64_t l = 0; l < quads; l++, w += 4 * WFK_INT8_PANEL, q += 4) {
            const __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + 64), w2 = _mm512_load_si512(w + 128),
                          w3 = _mm512_load_si512(w + 192);
            EACH_ROW(MULTIPLY)
        }
        EACH_ROW(FINISH)
    }
}

static void int8_block(const wfk_int8_job *job, int64_t row, int64_t rows, int64_t panel) {
    for (; rows >= WFK_INT8_BLOCK; rows -= WFK_INT8_BLOCK, row += WFK_INT8_BLOCK) block(job, 6, row, panel);
    switch (rows) {
    case 5:
        block(job, 5, row, panel);
        break;
    case 4:
        block(job, 4, row, panel);
        break;
    case 3:
        block(job, 3, row, panel);
        break;
    case 2:
        block(job, 2, row, panel);
        break;
    case 1:
        block(job, 1, row, panel);
        break;
    default:
        break;
    }
}

void wfk_table_fill_vnni(wfk_table *t) {
    t->int8_block = int8_block;
}
