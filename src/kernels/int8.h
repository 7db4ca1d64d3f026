/* kernels/int8.h - a frozen matrix in 8 bits, and its product with rows that are brought to 8 bits. Layer 2, private to
 * kernels/ (gemm.h is the door).
 *
 * Both factors are cut into groups of WFK_INT8_GROUP along k, each group with a scale of its own, so that one large
 * element costs its own group alone its precision:
 *   B[l,j] ~ w scale_b[g,j]         w in -127..127, scale_b = greatest |B| of column j in the group / 127
 *   A[i,l] ~ (q - zero) scale_a     q in 0..255, lowest and highest of 0 and the row's elements in the group at the
 * ends C[i,j] = bias[j] (+ C[i,j]), then for each group in turn fma(sum (q - zero) w * scale_a, scale_b, C[i,j]) The
 * sums are exact integers and every float operation above is one rounding, in this order: all levels and machines give
 * the same bits. Numbers: nearest, ties to even. A group of a row without a normal number is taken for zeros. A row (or
 * column of B) with NaN or infinity gives NaN. Threads: as gemm.h. */
#ifndef WF_KERNELS_INT8_H
#define WF_KERNELS_INT8_H
#include "kernels/kernels.h"
#include "weft/status.h"
#include <stdbool.h>
#include <stdint.h>

enum { WFK_INT8_GROUP = 128, WFK_INT8_PANEL = 64, WFK_INT8_BLOCK = 6 };

/* B is stored in panels of WFK_INT8_PANEL columns: [panel][K / 4][column][4], K = k and each n rounded up with zeros.
 * scale and sum (of w over the group's rows): [panel][group][column]. All three stand in one block, in this order. */
typedef struct wfk_int8 {
    int64_t k, n, K, groups, panels;
    size_t size; /* bytes of the block */
    bool borrowed;
    int8_t *data;
    float *scale;
    int32_t *sum;
} wfk_int8;

wf_status wfk_int8_new(bool tb, int64_t k, int64_t n, const float *b, int64_t ldb, wfk_int8 **out, wf_err *err);
/* Over the block of such a matrix, borrowed and only read. WF_E_DATA when `most` bytes are too few. */
wf_status wfk_int8_over(int64_t k, int64_t n, const void *block, size_t most, wfk_int8 **out, wf_err *err);
void wfk_int8_free(wfk_int8 *p);

/* The rows of A: x as it stands (act WF_ACT_LINEAR, dy NULL), act(x) or, with dy, dy o act'(x), made a group at a time
 * on the way to 8 bits; the same bits as made beforehand. */
typedef struct wfk_int8_rows {
    wf_act act;
    const float *x, *dy; /* [m, k], both with row stride ld */
    int64_t ld;
} wfk_int8_rows;
wf_status wfk_int8_gemm(const wfk_int8 *p, int64_t m, const wfk_int8_rows *a, const float *bias, bool add, float *c,
                        int64_t ldc, wf_err *err);

/* One product with its rows in 8 bits: what the levels' block functions (dispatch.h) get. */
typedef struct wfk_int8_job {
    const wfk_int8 *b;
    const uint8_t *q;   /* [m, K], zeros behind k */
    const float *scale; /* [m, groups] */
    const int32_t *zero;
    const float *bias; /* NULL: none */
    bool add;
    float *c;
    int64_t ldc;
} wfk_int8_job;

/* Rows (a multiple of 4) of B in group g. */
static inline int64_t wfk_int8_group_rows(const wfk_int8 *b, int64_t g) {
    const int64_t left = b->K - g * WFK_INT8_GROUP;
    return left < WFK_INT8_GROUP ? left : WFK_INT8_GROUP;
}
#endif
