/* fusion/fuse_loops.h - small loops that the fusion's files share. Private to fusion/. Layer 6. */
#ifndef WF_FUSION_FUSE_LOOPS_H
#define WF_FUSION_FUSE_LOOPS_H
#include <stdint.h>
#include <string.h>

typedef float wf_fuse_v8 __attribute__((vector_size(32)));

static inline float wfi_fuse_dot(const float *a, const float *b, int64_t n) {
    wf_fuse_v8 s = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        wf_fuse_v8 x, y;
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        s += x * y;
    }
    float r = 0.0f;
    for (; i < n; i++) r += a[i] * b[i];
    return r + (((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7])));
}

static inline void wfi_fuse_axpy(float alpha, const float *restrict x, float *restrict y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] += alpha * x[i];
}

enum { WF_FUSE_PARALLEL_FROM = 1 << 14 };

/* y [T] = rows of x [T,d] . v + c */
static inline void wfi_fuse_dots(int64_t T, int64_t d, const float *x, const float *v, float c, float *y) {
#pragma omp parallel for schedule(static) if (T * d >= WF_FUSE_PARALLEL_FROM)
    for (int64_t r = 0; r < T; r++) y[r] = wfi_fuse_dot(x + r * d, v, d) + c;
}

/* x [T,d] += s v^T */
static inline void wfi_fuse_add_outer(int64_t T, int64_t d, const float *s, const float *v, float *x) {
#pragma omp parallel for schedule(static) if (T * d >= WF_FUSE_PARALLEL_FROM)
    for (int64_t r = 0; r < T; r++) wfi_fuse_axpy(s[r], v, x + r * d, d);
}
#endif
