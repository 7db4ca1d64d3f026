/* kernels/vector/segments_vec.h - rows in segments (kernels.h) in the vocabulary of math_vec.h. Layer 2. */
#ifndef WF_KERNELS_SEGMENTS_VEC_H
#define WF_KERNELS_SEGMENTS_VEC_H

static void segments_dot(int64_t N, const int64_t *first, const float *x, const float *y, float *out) {
    for (int64_t i = 0; i < N; i++) {
        const int64_t end = first[i + 1];
        vf s = v_set(0.0f);
        int64_t j = first[i];
        for (; j + VW <= end; j += VW) s = v_fma(v_load(x + j), v_load(y + j), s);
        if (j < end) s = v_fma(v_load_part(x + j, end - j), v_load_part(y + j, end - j), s);
        out[i] = v_sum(s);
    }
}

static void segments_scale(int64_t N, const int64_t *first, const float *s, const float *x, float *y) {
    for (int64_t i = 0; i < N; i++) {
        const int64_t end = first[i + 1];
        const vf factor = v_set(s[i]);
        int64_t j = first[i];
        for (; j + VW <= end; j += VW) v_store(y + j, factor * v_load(x + j));
        if (j < end) v_store_part(y + j, factor * v_load_part(x + j, end - j), end - j);
    }
}

static void segments_mix(int64_t N, const int64_t *first, const float *p, const float *x, const float *s,
                         const float *y, float *out) {
    for (int64_t i = 0; i < N; i++) {
        const int64_t end = first[i + 1];
        const vf a = v_set(p[i]), b = v_set(s[i]);
        int64_t j = first[i];
        for (; j + VW <= end; j += VW) v_store(out + j, v_fma(b, v_load(y + j), a * v_load(x + j)));
        if (j < end) {
            const int64_t n = end - j;
            v_store_part(out + j, v_fma(b, v_load_part(y + j, n), a * v_load_part(x + j, n)), n);
        }
    }
}
#endif
