/* kernels/vector/product_vec.h - small matrix products over a tile in cache, and packing a tile transposed. Layer 2.
 *
 * C[M,N] (+)= A[M,K] B[K,N]: A is read one element at a time (broadcast), so it may as well be stored transposed; B and
 * C are read by vectors along N, which must be a multiple of VW. ROWS rows and up to WIDEST vectors stay in registers.
 */
#ifndef WF_KERNELS_PRODUCT_VEC_H
#define WF_KERNELS_PRODUCT_VEC_H

enum { ROWS = 6, WIDEST = VW == 16 ? 4 : 2 };

/* rows x (vectors*VW) of C in registers; both, and whether A is stored as [K,M] (turned), are constants in every copy
 * of this function. Rows of A are reached from two places by one or two strides: six of them, or as many strides, do
 * not stay in registers. */
ALWAYS void block(const int rows, const int vectors, const bool turned, int64_t K, const float *a, int64_t lda,
                  const float *b, int64_t ldb, float *c, int64_t ldc, bool sum) {
    vf acc[ROWS][WIDEST];
    const float *low = a, *high = turned ? a + 3 : a + 3 * lda;
    const int64_t row = turned ? 1 : lda, step = turned ? lda : 1;
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) acc[i][j] = sum ? v_load(c + i * ldc + j * VW) : v_set(0.0f);
    for (int64_t k = 0; k < K; k++, low += step, high += step, b += ldb) {
        vf vb[WIDEST];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) vb[j] = v_load(b + j * VW);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            vf va = v_set(i < 3 ? low[i * row] : high[(i - 3) * row]);
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
ALWAYS void strip(const int vectors, const bool turned, int64_t M, int64_t K, const float *a, int64_t lda,
                  const float *b, int64_t ldb, float *c, int64_t ldc, bool sum) {
    const int64_t row = turned ? 1 : lda;
    int64_t i = 0;
    for (; i + ROWS <= M; i += ROWS) block(ROWS, vectors, turned, K, a + i * row, lda, b, ldb, c + i * ldc, ldc, sum);
    a += i * row, c += i * ldc;
    switch (M - i) {
    case 5:
        block(5, vectors, turned, K, a, lda, b, ldb, c, ldc, sum);
        break;
    case 4:
        block(4, vectors, turned, K, a, lda, b, ldb, c, ldc, sum);
        break;
    case 3:
        block(3, vectors, turned, K, a, lda, b, ldb, c, ldc, sum);
        break;
    case 2:
        block(2, vectors, turned, K, a, lda, b, ldb, c, ldc, sum);
        break;
    case 1:
        block(1, vectors, turned, K, a, lda, b, ldb, c, ldc, sum);
        break;
    default:
        break;
    }
}

ALWAYS void product_any(const bool turned, int64_t M, int64_t N, int64_t K, const float *a, int64_t lda, const float *b,
                        int64_t ldb, float *c, int64_t ldc, bool sum) {
    int64_t n = 0;
    for (; n + WIDEST * VW <= N; n += WIDEST * VW) strip(WIDEST, turned, M, K, a, lda, b + n, ldb, c + n, ldc, sum);
    if (WIDEST > 2 && n + 2 * VW <= N) {
        strip(2, turned, M, K, a, lda, b + n, ldb, c + n, ldc, sum);
        n += 2 * VW;
    }
    if (n < N) strip(1, turned, M, K, a, lda, b + n, ldb, c + n, ldc, sum);
}

/* A[M,K] with row stride lda */
static void product(int64_t M, int64_t N, int64_t K, const float *a, int64_t lda, const float *b, int64_t ldb, float *c,
                    int64_t ldc, bool sum) {
    product_any(false, M, N, K, a, lda, b, ldb, c, ldc, sum);
}

/* A stored as [K,M] with row stride lda */
static void product_turned(int64_t M, int64_t N, int64_t K, const float *a, int64_t lda, const float *b, int64_t ldb,
                           float *c, int64_t ldc, bool sum) {
    product_any(true, M, N, K, a, lda, b, ldb, c, ldc, sum);
}

/* 8 columns of `rows` rows of x, zeros for those that are missing of 8, to 8 rows of y. */
ALWAYS void turn8(int64_t rows, const float *x, int64_t ldx, float *y, int64_t ldy) {
    __m256 r[8], s[8];
    for (int i = 0; i < 8; i++) r[i] = i < rows ? _mm256_loadu_ps(x + i * ldx) : _mm256_setzero_ps();
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

/* What a row of n floats takes in whole vectors. */
static inline int64_t whole_vectors(int64_t n) {
    return (n + VW - 1) / VW * VW;
}

/* out[D, whole_vectors(n)] = x[n, D] transposed, zeros in the columns from n on. D is a multiple of 8. */
static void pack_turned(int64_t n, int64_t D, const float *x, int64_t ldx, float *out) {
    int64_t i = 0, end = whole_vectors(n);
    for (; i + 8 <= n; i += 8)
        for (int64_t d = 0; d < D; d += 8) turn8(8, x + i * ldx + d, ldx, out + d * end + i, end);
    for (; i < end; i += 8)
        for (int64_t d = 0; d < D; d += 8) turn8(n - i, x + i * ldx + d, ldx, out + d * end + i, end);
}
#endif
