/* kernels/vector/product_vec.h - small matrix products over a tile in cache, and packing a tile transposed. Layer 2.
 *
 * C[M,N] (+)= A[M,K] B[K,N]: A is read one element at a time (broadcast), so it may be transposed by its strides; B and
 * C are read by vectors along N, which must be a multiple of VW. ROWS rows and up to WIDEST vectors stay in registers.
 */
#ifndef WF_KERNELS_PRODUCT_VEC_H
#define WF_KERNELS_PRODUCT_VEC_H

enum { ROWS = 6, WIDEST = VW == 16 ? 4 : 2 };

/* rows x (vectors*VW) of C in registers; both are constants in every copy of this function. */
ALWAYS void block(const int rows, const int vectors, int64_t K, const float *a, int64_t row_a, int64_t col_a,
                  const float *b, int64_t ldb, float *c, int64_t ldc, bool sum) {
    vf acc[ROWS][WIDEST];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) acc[i][j] = sum ? v_load(c + i * ldc + j * VW) : v_set(0.0f);
    for (int64_t k = 0; k < K; k++, a += col_a, b += ldb) {
        vf vb[WIDEST];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) vb[j] = v_load(b + j * VW);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            vf va = v_set(a[i * row_a]);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++) acc[i][j] = v_fma(va, vb[j], acc[i][j]);
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) v_store(c + i * ldc + j * VW, acc[i][j]);
}

/* All rows of one strip of columns. */
ALWAYS void strip(const int vectors, int64_t M, int64_t K, const float *a, int64_t row_a, int64_t col_a, const float *b,
                  int64_t ldb, float *c, int64_t ldc, bool sum) {
    int64_t i = 0;
    for (; i + ROWS <= M; i += ROWS)
        block(ROWS, vectors, K, a + i * row_a, row_a, col_a, b, ldb, c + i * ldc, ldc, sum);
    a += i * row_a, c += i * ldc;
    switch (M - i) {
    case 5:
        block(5, vectors, K, a, row_a, col_a, b, ldb, c, ldc, sum);
        break;
    case 4:
        block(4, vectors, K, a, row_a, col_a, b, ldb, c, ldc, sum);
        break;
    case 3:
        block(3, vectors, K, a, row_a, col_a, b, ldb, c, ldc, sum);
        break;
    case 2:
        block(2, vectors, K, a, row_a, col_a, b, ldb, c, ldc, sum);
        break;
    case 1:
        block(1, vectors, K, a, row_a, col_a, b, ldb, c, ldc, sum);
        break;
    default:
        break;
    }
}

static void product(int64_t M, int64_t N, int64_t K, const float *a, int64_t row_a, int64_t col_a, const float *b,
                    int64_t ldb, float *c, int64_t ldc, bool sum) {
    int64_t n = 0;
    for (; n + WIDEST * VW <= N; n += WIDEST * VW) strip(WIDEST, M, K, a, row_a, col_a, b + n, ldb, c + n, ldc, sum);
    if (WIDEST > 2 && n + 2 * VW <= N) {
        strip(2, M, K, a, row_a, col_a, b + n, ldb, c + n, ldc, sum);
        n += 2 * VW;
    }
    if (n < N) strip(1, M, K, a, row_a, col_a, b + n, ldb, c + n, ldc, sum);
}

/* 8 x 8 floats from rows of x to rows of y. */
static inline void turn8(const float *x, int64_t ldx, float *y, int64_t ldy) {
    __m256 r[8], s[8];
    for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(x + i * ldx);
    for (int i = 0; i < 8; i += 2)
        s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]), s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm256_shuffle_ps(s[i + j], s[i + j + 2], 0x44);
            r[i + 2 * j + 1] = _mm256_shuffle_ps(s[i + j], s[i + j + 2], 0xEE);
        }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(y + i * ldy, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(y + (i + 4) * ldy, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

/* out[D, TILE] = x[n, D] transposed, zeros in columns n .. next multiple of VW. D is a multiple of 8. */
static void pack_turned(int64_t n, int64_t D, const float *x, int64_t ldx, float *out, int64_t tile) {
    int64_t i = 0, end = (n + VW - 1) / VW * VW;
    for (; i + 8 <= n; i += 8)
        for (int64_t d = 0; d < D; d += 8) turn8(x + i * ldx + d, ldx, out + d * tile + i, tile);
    for (int64_t d = 0; d < D; d++)
        for (int64_t j = i; j < end; j++) out[d * tile + j] = j < n ? x[j * ldx + d] : 0.0f;
}
#endif
