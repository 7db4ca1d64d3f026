/* kernels/avx2/int8_avx2.h - products in 8 bits (int8.h) by AVX2. Layer 2.
 * vpmaddubsw, made for bytes, saturates its sums of two products at 16 bits; here both bytes are widened first and
 * vpmaddwd adds two products in 32 bits, which is exact. 2 rows by 16 columns, each column's even and odd pairs of
 * bytes in two sums of their own. */
#ifndef WF_KERNELS_INT8_AVX2_H
#define WF_KERNELS_INT8_AVX2_H
#include "kernels/int8.h"

enum { INT8_ROWS = 2, INT8_COLUMNS = 16, INT8_QUADS = INT8_COLUMNS / 4 };

/* Row r's sums over group g in 16 columns from w, in their order, less zero times the column sums. */
ALWAYS void int8_sums(const wfk_int8_job *job, int R, int64_t row, int64_t g, const int8_t *w, const int32_t *column,
                      __m256i out[INT8_ROWS][2]) {
    const wfk_int8 *b = job->b;
    const int64_t quads = wfk_int8_group_rows(b, g) / 4;
    const uint8_t *q = job->q + row * b->K + g * WFK_INT8_GROUP;
    __m256i sums[INT8_ROWS][INT8_QUADS];
    for (int r = 0; r < R; r++)
        for (int v = 0; v < INT8_QUADS; v++) sums[r][v] = _mm256_setzero_si256();
    for (int64_t l = 0; l < quads; l++, w += 4 * WFK_INT8_PANEL, q += 4) {
        __m256i x[INT8_QUADS];
#pragma GCC unroll 4
        for (int v = 0; v < INT8_QUADS; v++)
            x[v] = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(const void *)(w + v * 16)));
#pragma GCC unroll 2
        for (int r = 0; r < R; r++) {
            int32_t bytes;
            __builtin_memcpy(&bytes, q + r * b->K, sizeof bytes);
            const __m256i four = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(bytes)));
#pragma GCC unroll 4
            for (int v = 0; v < INT8_QUADS; v++)
                sums[r][v] = _mm256_add_epi32(sums[r][v], _mm256_madd_epi16(four, x[v]));
        }
    }
    for (int r = 0; r < R; r++) {
        const __m256i zero = _mm256_set1_epi32(job->zero[(row + r) * b->groups + g]);
        for (int h = 0; h < 2; h++) { /* hadd gives columns 0 1 4 5 2 3 6 7 */
            const __m256i eight = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums[r][2 * h], sums[r][2 * h + 1]), 0xd8);
            const __m256i from = _mm256_load_si256((const __m256i *)(const void *)(column + h * 8));
            out[r][h] = _mm256_sub_epi32(eight, _mm256_mullo_epi32(zero, from));
        }
    }
}

ALWAYS void int8_rows(const wfk_int8_job *job, int R, int64_t row, int64_t panel) {
    const wfk_int8 *b = job->b;
    for (int64_t j = 0; j < WFK_INT8_PANEL && panel * WFK_INT8_PANEL + j < b->n; j += INT8_COLUMNS) {
        const int64_t first = panel * WFK_INT8_PANEL + j, left = b->n - first;
        for (int64_t g = 0; g < b->groups; g++) {
            const int64_t at = (panel * b->groups + g) * WFK_INT8_PANEL + j;
            __m256i sums[INT8_ROWS][2];
            int8_sums(job, R, row, g,
                      b->data + panel * WFK_INT8_PANEL * b->K + g * WFK_INT8_GROUP * WFK_INT8_PANEL + j * 4,
                      b->sum + at, sums);
            for (int h = 0; h < 2 && h * VW < left; h++) {
                const int64_t n = left - h * VW < VW ? left - h * VW : VW;
                const vf start = !g && job->bias ? v_load_part(job->bias + first + h * VW, n) : v_set(0.0f);
                for (int r = 0; r < R; r++) {
                    float *c = job->c + (row + r) * job->ldc + first + h * VW;
                    const vf own = v_set(job->scale[(row + r) * b->groups + g]);
                    vf was = start;
                    if (g) was = v_load_part(c, n);
                    if (!g && job->add) was = v_load_part(c, n) + start;
                    v_store_part(c, v_fma(_mm256_cvtepi32_ps(sums[r][h]) * own, v_load(b->scale + at + h * VW), was),
                                 n);
                }
            }
        }
    }
}

static void int8_block(const wfk_int8_job *job, int64_t row, int64_t rows, int64_t panel) {
    for (; rows >= INT8_ROWS; rows -= INT8_ROWS, row += INT8_ROWS) int8_rows(job, INT8_ROWS, row, panel);
    if (rows) int8_rows(job, 1, row, panel);
}
#endif
