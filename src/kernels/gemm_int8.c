/* kernels/gemm_int8.c - packing and driving of products in 8 bits; the levels' block functions multiply. See int8.h.
 * Layer 2. Written here rather than asked of oneDNN: its matmul has no scale a row, so that 32-bit sums would go to
 * memory and back, and on processors without VNNI its sums of bytes may saturate. */
#include "base/alloc.h"
#include "base/error.h"
#include "kernels/dispatch.h"
#include "kernels/int8.h"
#include "kernels/scratch.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

/* A thread should get at least these many products of elements; below SPLIT_ROWS rows for each, threads share out the
 * columns, so that each reads a part of the matrix only. */
enum { LEAST_PRODUCTS = 1 << 20, SPLIT_ROWS = 12 };

static int64_t up_to(int64_t x, int64_t grain) {
    return (x + grain - 1) / grain * grain;
}

/* n elements to bytes around `zero`; a scale of 0 or NaN makes all of them 0. */
static void bytes(const wfk_table *t, int64_t n, const float *x, float scale, float zero, uint8_t *q) {
    if (scale > 0.0f)
        t->quantise(n, x, 1.0f / scale, zero, q);
    else
        memset(q, 0, (size_t)n);
}

/* Where the whole range is below what 8 bits of normal numbers span, nothing is kept of it. */
static float usable(float scale) {
    return scale < FLT_MIN ? 0.0f : scale;
}

static void column_pack(wfk_int8 *p, const wfk_table *t, const float *b, int64_t step, int64_t j) {
    const int64_t panel = j / WFK_INT8_PANEL, lane = j % WFK_INT8_PANEL;
    int8_t *to = p->data + panel * WFK_INT8_PANEL * p->K + lane * 4;
    for (int64_t g = 0; g < p->groups; g++) {
        const int64_t first = g * WFK_INT8_GROUP, n = p->k - first < WFK_INT8_GROUP ? p->k - first : WFK_INT8_GROUP,
                      at = (panel * p->groups + g) * WFK_INT8_PANEL + lane;
        float x[WFK_INT8_GROUP], low, high;
        uint8_t q[WFK_INT8_GROUP];
        int32_t sum = 0;
        for (int64_t l = 0; l < n; l++) x[l] = b[(first + l) * step];
        t->range(n, x, &low, &high);
        const float scale = usable((-low > high ? -low : high) / 127.0f);
        bytes(t, n, x, scale, 128.0f, q);
        for (int64_t l = 0; l < n; l++) {
            const int w = scale > 0.0f ? q[l] - 128 : 0;
            to[(first + l) / 4 * 4 * WFK_INT8_PANEL + l % 4] = (int8_t)w;
            sum += w;
        }
        p->scale[at] = scale;
        p->sum[at] = sum;
    }
}

static wf_status no_memory(wf_err *err, int64_t k, int64_t n) {
    return wfi_fail(err, WF_E_NOMEM, "no memory for a packed matrix [%lld,%lld]", (long long)k, (long long)n);
}

/* Sizes alone; NULL: out of memory. */
static wfk_int8 *shaped(int64_t k, int64_t n) {
    wfk_int8 *p = wfi_alloc(1, sizeof *p);
    if (!p) return NULL;
    *p = (wfk_int8){.k = k, .n = n, .K = up_to(k, 4), .groups = up_to(k, WFK_INT8_GROUP) / WFK_INT8_GROUP};
    p->panels = up_to(n, WFK_INT8_PANEL) / WFK_INT8_PANEL;
    p->size =
        (size_t)(p->panels * WFK_INT8_PANEL) * ((size_t)p->K + (size_t)p->groups * (sizeof *p->scale + sizeof *p->sum));
    return p;
}

static void place(wfk_int8 *p, void *block) {
    const int64_t columns = p->panels * WFK_INT8_PANEL;
    p->data = block;
    p->scale = (float *)(void *)(p->data + columns * p->K); /* columns are many of 64 */
    p->sum = (int32_t *)(void *)(p->scale + columns * p->groups);
}

wf_status wfk_int8_new(bool tb, int64_t k, int64_t n, const float *b, int64_t ldb, wfk_int8 **out, wf_err *err) {
    const wfk_table *t = wfk_table_get();
    wfk_int8 *p = shaped(k, n);
    void *block = p ? wfi_alloc_aligned(p->size) : NULL;
    if (!block) {
        wfi_free(p);
        return no_memory(err, k, n);
    }
    place(p, block);
    const int team = wfk_threads_for(k * n, LEAST_PRODUCTS / 16);
#pragma omp parallel for num_threads(team) schedule(static) if (team > 1)
    for (int64_t j = 0; j < n; j++) column_pack(p, t, tb ? b + j * ldb : b + j, tb ? 1 : ldb, j);
    *out = p;
    return WF_OK;
}

wf_status wfk_int8_over(int64_t k, int64_t n, const void *block, size_t most, wfk_int8 **out, wf_err *err) {
    wfk_int8 *p = shaped(k, n);
    if (!p) return no_memory(err, k, n);
    if (p->size > most) {
        wfi_free(p);
        return wfi_fail(err, WF_E_DATA, "%zu bytes are no packed matrix [%lld,%lld]", most, (long long)k, (long long)n);
    }
    p->borrowed = true;
    place(p, (void *)(uintptr_t)block); /* a matrix is only read */
    *out = p;
    return WF_OK;
}

void wfk_int8_free(wfk_int8 *p) {
    if (!p) return;
    if (!p->borrowed) wfi_free(p->data);
    wfi_free(p);
}

/* Where a product's rows stand in this thread's scratch memory. */
typedef struct rows8 {
    uint8_t *q;
    float *scale;
    int32_t *zero;
} rows8;

static bool rows_space(const wfk_int8 *p, int64_t m, rows8 *out) {
    const size_t each = sizeof(float) + sizeof(int32_t);
    size_t row, all;
    if (__builtin_mul_overflow((size_t)p->groups, each, &row) || __builtin_add_overflow(row, (size_t)p->K, &row) ||
        __builtin_mul_overflow(row, (size_t)m, &all))
        return false;
    out->q = wfk_scratch(all);
    if (!out->q) return false;
    out->scale = (float *)(void *)(out->q + m * p->K); /* K is a multiple of 4 */
    out->zero = (int32_t *)(void *)(out->scale + m * p->groups);
    return true;
}

/* n elements of a row from `at` on, made in `room` where they do not stand. */
static const float *elements(const wfk_table *t, const wfk_int8_rows *a, int64_t at, int64_t n, float *room) {
    if (a->dy)
        t->act_backward(a->act, n, a->x + at, a->dy + at, room, false);
    else if (a->act != WF_ACT_LINEAR)
        t->act_forward(a->act, n, a->x + at, room);
    else
        return a->x + at;
    return room;
}

static void row_quantise(const wfk_int8 *p, const wfk_table *t, const wfk_int8_rows *a, int64_t i, const rows8 *to) {
    uint8_t *q = to->q + i * p->K;
    for (int64_t g = 0; g < p->groups; g++) {
        const int64_t first = g * WFK_INT8_GROUP, n = p->k - first < WFK_INT8_GROUP ? p->k - first : WFK_INT8_GROUP;
        float room[WFK_INT8_GROUP], low, high;
        const float *x = elements(t, a, i * a->ld + first, n, room);
        t->range(n, x, &low, &high);
        const float scale = usable(high / 255.0f - low / 255.0f), zero = scale > 0.0f ? rintf(-low / scale) : 0.0f;
        bytes(t, n, x, scale, zero, q + first);
        to->scale[i * p->groups + g] = scale;
        to->zero[i * p->groups + g] = (int32_t)zero;
    }
    memset(q + p->k, 0, (size_t)(p->K - p->k));
}

static void multiply(const wfk_table *t, const wfk_int8_job *job, int64_t row, int64_t rows, int64_t panel,
                     int64_t panels) {
    for (int64_t i = 0; i < panels && rows > 0; i++) t->int8_block(job, row, rows, panel + i);
}

wf_status wfk_int8_gemm(const wfk_int8 *p, int64_t m, const wfk_int8_rows *a, const float *bias, bool add, float *c,
                        int64_t ldc, wf_err *err) {
    const wfk_table *t = wfk_table_get();
    const int team = wfk_threads_for(m * p->K * p->n, LEAST_PRODUCTS);
    rows8 rows;
    if (!rows_space(p, m, &rows))
        return wfi_fail(err, WF_E_NOMEM, "no memory for %lld rows of a packed product", (long long)m);
    const wfk_int8_job job = {
        .b = p, .q = rows.q, .scale = rows.scale, .zero = rows.zero, .bias = bias, .add = add, .c = c, .ldc = ldc};
    if (team == 1) {
        for (int64_t i = 0; i < m; i++) row_quantise(p, t, a, i, &rows);
        multiply(t, &job, 0, m, 0, p->panels);
        return WF_OK;
    }
#pragma omp parallel num_threads(team)
    {
        const int parts = omp_get_num_threads(), part = omp_get_thread_num();
        int64_t lo, hi;
        wfk_split(m, 1, parts, part, &lo, &hi);
        for (int64_t i = lo; i < hi; i++) row_quantise(p, t, a, i, &rows);
        if (m / parts >= SPLIT_ROWS) {
            multiply(t, &job, lo, hi - lo, 0, p->panels);
        } else {
#pragma omp barrier
            wfk_split(p->panels, 1, parts, part, &lo, &hi);
            multiply(t, &job, 0, m, lo, hi - lo);
        }
    }
    return WF_OK;
}
