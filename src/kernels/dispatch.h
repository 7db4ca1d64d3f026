/* kernels/dispatch.h - the table of single-threaded kernels, one entry an operation. Layer 2, private to kernels/.
 *
 * A table starts with the reference pointers (ref/) and is then overridden by what the processor has (avx2/, avx512/),
 * so no entry is ever empty. Entries work on one contiguous piece of rows or elements; the files parallel_*.c cut the
 * whole into pieces and give each OpenMP thread one. Every entry computes an element (or row, or column) the same way
 * wherever it lies in the piece, so the cut never changes the bits of the result.
 * Threads: entries touch only their arguments. */
#ifndef WF_KERNELS_DISPATCH_H
#define WF_KERNELS_DISPATCH_H
#include "kernels/kernels.h"

/* One attention call; letters as in kernels.h. Forward uses the first group, backward both (out is then read). */
typedef struct wfk_attention {
    int64_t A, D;
    float scale;
    const float *q, *k, *v; /* [T, A*D], row stride ld */
    int64_t ld;
    float *out; /* [T, A*D] dense */
    float *lse; /* [T, A] or NULL in forward */
    float p;
    uint64_t key;
    const float *dout;   /* [T, A*D] dense */
    float *dq, *dk, *dv; /* [T, A*D], row stride ldd */
    int64_t ldd;
} wfk_attention;

/* The constants of one AdamW step, rounded to float once as torch does with its scalars. */
typedef struct wfk_adamw {
    float keep;       /* 1 - lr*decay */
    float one_b1;     /* 1 - b1 */
    float b2, one_b2; /* b2, 1 - b2 */
    float step;       /* lr / (1 - b1^t) */
    float root;       /* sqrt(1 - b2^t) */
    float eps;
} wfk_adamw;

struct wfk_int8_job;
typedef struct wfk_table {
    void (*act_forward)(wf_act a, int64_t n, const float *x, float *y);
    void (*act_backward)(wf_act a, int64_t n, const float *x, const float *dy, float *dx, bool add);
    void (*add)(int64_t n, const float *a, const float *b, float *out);
    void (*axpy)(int64_t n, float alpha, const float *x, float *y);
    void (*scale)(int64_t n, float alpha, float *x);
    void (*bias_add)(int64_t T, int64_t H, const float *bias, float *x);
    /* columns [c0, c1) of x[T,H], all rows */
    void (*column_sum)(int64_t T, int64_t H, int64_t c0, int64_t c1, const float *x, float *out);
    double (*sum_squares)(int64_t n, const float *x);
    void (*layernorm_forward)(int64_t T, int64_t H, const float *x, const float *gamma, const float *beta, float eps,
                              float *y, float *mean, float *rstd);
    void (*layernorm_dx)(int64_t T, int64_t H, const float *x, const float *gamma, const float *mean, const float *rstd,
                         const float *dy, float *dx, bool add);
    void (*layernorm_dparams)(int64_t T, int64_t H, int64_t c0, int64_t c1, const float *x, const float *mean,
                              const float *rstd, const float *dy, float *dgamma, float *dbeta);
    void (*softmax)(int64_t T, int64_t C, const float *x, float *y);
    /* as in kernels.h */
    void (*segments_dot)(int64_t N, const int64_t *first, const float *x, const float *y, float *out);
    void (*segments_scale)(int64_t N, const int64_t *first, const float *s, const float *x, float *y);
    void (*segments_mix)(int64_t N, const int64_t *first, const float *p, const float *x, const float *s,
                         const float *y, float *out);
    /* elements first .. first+n-1 of the whole; x and y point at element `first` */
    void (*dropout)(uint64_t first, int64_t n, uint64_t key, float p, const float *x, float *y);
    void (*adamw)(int64_t n, float *p, const float *g, float *m, float *v, const wfk_adamw *c);
    void (*to_bf16)(int64_t n, const float *x, uint16_t *y);
    void (*round_bf16)(int64_t n, const float *x, float *y);
    /* 8 bits, see int8.h: lowest and highest of 0 and x, both NaN when an element is not finite; */
    void (*range)(int64_t n, const float *x, float *low, float *high);
    /* q = round(x inverse) + zero, cut to 0..255; */
    void (*quantise)(int64_t n, const float *x, float inverse, float zero, uint8_t *q);
    /* rows [row, row + rows) of the product in one panel's columns */
    void (*int8_block)(const struct wfk_int8_job *job, int64_t row, int64_t rows, int64_t panel);
    /* one (sequence, head): rows row0 .. row0+L-1 */
    void (*attention_forward)(const wfk_attention *job, int64_t row0, int64_t L, int64_t head);
    void (*attention_backward)(const wfk_attention *job, int64_t row0, int64_t L, int64_t head);
} wfk_table;

const wfk_table *wfk_table_get(void); /* the level in force; built once */

void wfk_table_fill_ref(wfk_table *t);
void wfk_table_fill_elementwise__ref(wfk_table *t);
void wfk_table_fill_rows__ref(wfk_table *t);
void wfk_table_fill_attention__ref(wfk_table *t);
void wfk_table_fill_int8__ref(wfk_table *t);
void wfk_table_fill_avx2(wfk_table *t);   /* x86-64 only */
void wfk_table_fill_avx512(wfk_table *t); /* x86-64 only */
void wfk_table_fill_vnni(wfk_table *t);   /* x86-64 only; over the former */

/* Attention by plain loops, for head widths that a vector level does not take. */
void wfk_f32_attention_forward__ref(const wfk_attention *job, int64_t row0, int64_t L, int64_t head);
void wfk_f32_attention_backward__ref(const wfk_attention *job, int64_t row0, int64_t L, int64_t head);

/* Smallest 33-bit integer limit with (u >= p * 2^32) == (u >= limit) for every 32-bit u. p outside (0,1): 0 or 2^32. */
static inline uint64_t wfk_dropout_limit(float p) {
    if (!(p > 0.0f)) return 0;
    if (p >= 1.0f) return (uint64_t)1 << 32;
    double exact = (double)p * 4294967296.0;
    uint64_t low = (uint64_t)exact;
    return low + ((double)low < exact);
}

/* What survivors are multiplied by; 0 when nothing survives. */
static inline float wfk_dropout_scale(float p) {
    if (!(p > 0.0f)) return 1.0f;
    return p >= 1.0f ? 0.0f : (float)(1.0 / (1.0 - (double)p));
}

/* Random word of attention probability (query row, head, key position 0); key positions follow one by one. */
static inline uint64_t wfk_attention_word(const wfk_attention *job, int64_t row, int64_t head) {
    return ((uint64_t)row * (uint64_t)job->A + (uint64_t)head) << 16;
}

/* Piece `part` of `parts` of n things, cut at multiples of `grain`. */
static inline void wfk_split(int64_t n, int64_t grain, int parts, int part, int64_t *lo, int64_t *hi) {
    int64_t units = n / grain + (n % grain != 0);
    int64_t base = units / parts, extra = units % parts;
    int64_t first = part * base + (part < extra ? part : extra), count = base + (part < extra);
    *lo = first * grain < n ? first * grain : n;
    *hi = (first + count) * grain < n ? (first + count) * grain : n;
}

int wfk_threads_for(int64_t work,
                    int64_t least); /* 1, or all threads when that pays; a thread should get about `least` work */
#endif
