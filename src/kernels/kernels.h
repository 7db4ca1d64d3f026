/* kernels/kernels.h - element-wise and row-wise work, parallel over rows, dispatched by instruction set. Layer 2.
 * Every function has an obvious version in kernels/ref (the oracle) and faster ones in kernels/avx2 and kernels/avx512;
 * tests compare all levels that the machine can run. Letters: T rows (tokens), H width, S sequences, A heads, D = H/A.
 * In-place (out == in) is allowed where a comment says so. All buffers float32 row-major, no alignment needed.
 * Bits: at one level, the same inputs give the same bits whatever the number of threads. Levels differ in the last
 * bits. NaN in gives NaN out. Stack: attention takes up to 200 KB of each thread's. Threads: safe from several threads
 * on different buffers; no call allocates. */
#ifndef WF_KERNELS_KERNELS_H
#define WF_KERNELS_KERNELS_H
#include "base/cpu.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void wfi_threads_set(int n); /* OpenMP threads of this process; 0: all cores the process may use */
int wfi_threads_get(void);
/* Tests: use this level (at most the machine's). Not for products, except that wfi_packed_new (gemm.h) takes the
 * processor's own bfloat16 products at its full level only. */
void wfi_kernels_force(wf_isa isa);
wf_isa wfi_kernels_level(void); /* the level in force */

/* Non-linearities by the names of the transformers activation table. gelu: exact erf form; gelu_new: tanh form. */
typedef enum wf_act {
    WF_ACT_RELU,
    WF_ACT_GELU,
    WF_ACT_GELU_NEW,
    WF_ACT_SILU,
    WF_ACT_TANH,
    WF_ACT_LEAKY_RELU,
    WF_ACT_SIGMOID,
    WF_ACT_RELU6,
    WF_ACT_RELU2,
    WF_ACT_MISH,
    WF_ACT_QUICK_GELU,
    WF_ACT_LINEAR,
    WF_ACT_COUNT
} wf_act;
bool wfi_act_parse(const char *name, wf_act *out); /* "swish" and "silu" are one; false when unknown */
const char *wfi_act_name(wf_act a);
void wfi_act_forward(wf_act a, int64_t n, const float *x, float *y); /* in place allowed */
/* dx (+)= dy * a'(x); dx == dy allowed when !add. At a kink the slope from below, as torch. */
void wfi_act_backward(wf_act a, int64_t n, const float *x, const float *dy, float *dx, bool add);

void wfi_add(int64_t n, const float *a, const float *b, float *out); /* out = a + b; out may be a or b */
void wfi_axpy(int64_t n, float alpha, const float *x, float *y);     /* y += alpha x */
void wfi_scale(int64_t n, float alpha, float *x);                    /* x *= alpha */
void wfi_copy(int64_t n, const float *x, float *y);
/* x = 0, each thread its piece: memory that is touched first here lies near the thread that works on it later. */
void wfi_zero(int64_t n, float *x);
void wfi_bias_add(int64_t T, int64_t H, const float *bias, float *x);  /* x[t,:] += bias */
void wfi_column_sum(int64_t T, int64_t H, const float *x, float *out); /* out[h] += sum_t x[t,h] */
double wfi_sum_squares(int64_t n, const float *x);                     /* in double */

/* y = (x - mean) * rstd * gamma + beta over the last axis (biased variance). mean, rstd [T] may be NULL. y may be x. */
void wfi_layernorm_forward(int64_t T, int64_t H, const float *x, const float *gamma, const float *beta, float eps,
                           float *y, float *mean, float *rstd);
/* dx (+)= ...; dgamma, dbeta [H] += (either both or neither NULL). x is the forward's input. dx may be dy when !add. */
void wfi_layernorm_backward(int64_t T, int64_t H, const float *x, const float *gamma, const float *mean,
                            const float *rstd, const float *dy, float *dx, bool add, float *dgamma, float *dbeta);
/* gamma's and beta's share of the backward alone. */
void wfi_layernorm_params(int64_t T, int64_t H, const float *x, const float *mean, const float *rstd, const float *dy,
                          float *dgamma, float *dbeta);

/* Layer norm of the sum of n inputs, the first after dropout when p > 0, in one pass over memory: the bits are those of
 * wfi_dropout, wfi_add and wfi_layernorm_forward one after the other. sum [T,H] gets what was normalised; NULL: it is
 * not kept. Outputs overlap no input. */
void wfi_layernorm_sum_forward(int64_t T, int64_t H, int n, const float *const *x, float p, uint64_t key,
                               const float *gamma, const float *beta, float eps, float *sum, float *y, float *mean,
                               float *rstd);
/* dy becomes the gradient of the sum; it is written (fresh) or added to n buffers in turn; at last, when p > 0, dy goes
 * through the dropout and is the first input's gradient. */
void wfi_layernorm_sum_backward(int64_t T, int64_t H, const float *sum, const float *gamma, const float *mean,
                                const float *rstd, float *dy, int n, float *const *to, const bool *fresh, float p,
                                uint64_t key);

/* Scaled dot-product attention over ragged sequences; rows of sequence s are offsets[s]..offsets[s+1].
 * q,k,v: [T, A*D] with row stride ld; out [T, A*D] with stride A*D; lse [T, A] log-sum-exp of each row's scores (may be
 * NULL in inference). Dropout on the probabilities when p > 0: element kept when wfi_dropout_keep(key, i, p), with i =
 * ((query_row * A + head) << 16) + key position in the sequence; survivors are scaled by 1/(1-p).
 * Never materialises more than a tile of scores. */
void wfi_attention_forward(int64_t S, const int64_t *offsets, int64_t A, int64_t D, float scale, const float *q,
                           const float *k, const float *v, int64_t ld, float *out, float *lse, float p, uint64_t key);
/* dq,dk,dv [T, A*D] with row stride ldd are overwritten. */
void wfi_attention_backward(int64_t S, const int64_t *offsets, int64_t A, int64_t D, float scale, const float *q,
                            const float *k, const float *v, int64_t ld, const float *out, const float *lse,
                            const float *dout, float *dq, float *dk, float *dv, int64_t ldd, float p, uint64_t key);

/* Dropout: y = keep ? x/(1-p) : 0; element i uses random word (key, i). y may be x. Backward: the same call on dy. */
bool wfi_dropout_keep(uint64_t key, uint64_t i, float p); /* wfi_random_u32(key, i) >= p * 2^32 */
void wfi_dropout(int64_t n, uint64_t key, float p, const float *x, float *y);

/* bfloat16: the upper half of a float, rounded to nearest, ties to even. Infinity stays, what lies beyond the largest
 * finite bfloat16 becomes infinity, NaN stays a (quiet) NaN of its sign, denormal numbers are rounded like all others.
 * x [T,H] with row stride ldx; y dense. */
void wfi_to_bf16(int64_t T, int64_t H, const float *x, int64_t ldx, uint16_t *y);
void wfi_round_bf16(int64_t T, int64_t H, const float *x, int64_t ldx, float *y); /* the same values as floats */

/* wfi_act_forward and wfi_act_backward with the result rounded to bfloat16, in one pass over memory. */
void wfi_act_forward_bf16(wf_act a, int64_t n, const float *x, uint16_t *y);
void wfi_act_backward_bf16(wf_act a, int64_t n, const float *x, const float *dy, uint16_t *dx);

/* Row softmax of x[T,C] into y (may be x). */
void wfi_softmax(int64_t T, int64_t C, const float *x, float *y);

/* One row whose elements stand in N segments, segment i from first[i] up to first[i+1]: the bottlenecks of fused
 * adapters. In the calling thread. Outputs may be inputs. */
void wfi_segments_dot(int64_t N, const int64_t *first, const float *x, const float *y, float *out); /* [N] x_i . y_i */
void wfi_segments_scale(int64_t N, const int64_t *first, const float *s, const float *x, float *y); /* y_i = s_i x_i */
void wfi_segments_mix(int64_t N, const int64_t *first, const float *p, const float *x, const float *s, const float *y,
                      float *out); /* out_i = p_i x_i + s_i y_i */

/* AdamW as torch computes it (decoupled decay):
 * p *= 1 - lr*decay; m, v updates; p -= lr/(1-b1^t) * m / (sqrt(v/(1-b2^t)) + eps). t counts from 1. */
void wfi_adamw(int64_t n, float *p, const float *g, float *m, float *v, double lr, double b1, double b2, double eps,
               double decay, int64_t t);
#endif
