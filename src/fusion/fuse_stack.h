/* fusion/fuse_stack.h - the N bottlenecks of one place as one wide layer. Private to fusion/. Layer 6.
 *
 * All fused adapters read the same z, so their down-projections are stacked: a = act(in . down^T + bias), [T,M], M =
 * sum of m_i. Their up-projections are stacked too, transposed, with one more row a branch for its bias (its "hidden
 * unit" is always 1): u_i = sum_j in branch i a_j up[j,:] + up[M+i,:]. The scale s_i is folded into up. A new LayerNorm
 * in front of a branch is folded as well: with n = (z - mean) * rstd it reads down_i . (gamma n + beta) + b, so the
 * branch reads n instead of z. Threads: a filled stack is read-only. */
#ifndef WF_FUSION_FUSE_STACK_H
#define WF_FUSION_FUSE_STACK_H
#include "adapters/bottleneck.h"
#include "kernels/gemm.h"

typedef struct wf_fuse_stack {
    int64_t N, M, d;
    const wf_bottleneck **branch; /* [N] borrowed */
    int64_t *first;               /* [N+1] branch i is columns first[i]..first[i+1] of M */
    bool same_act;                /* all branches have branch[0]'s */
    float *down, *bias, *up;      /* [M,d], [M], [M+N,d] */
    wf_packed *down_forward, *down_backward, *up_score, *up_mix; /* of frozen stacks; NULL: plain products */
    float *ones, *zeros;                                         /* [d] gamma and beta of the bare normalisation */
} wf_fuse_stack;

static inline int64_t wfi_stack_width(const wf_fuse_stack *s, int64_t i) {
    return s->first[i + 1] - s->first[i];
}

/* Bytes of all arrays, and laying them out in memory of that size (64-byte aligned); sizes are the branches'. */
wf_status wfi_stack_bytes(const wf_bottleneck *const *branch, size_t count, size_t *bytes, wf_err *err);
void wfi_stack_lay(wf_fuse_stack *s, const wf_bottleneck *const *branch, size_t count, void *memory);
void wfi_stack_fill(wf_fuse_stack *s);          /* copies and folds the branches' present values */
bool wfi_stack_trained(const wf_fuse_stack *s); /* some parameter of a branch has a gradient */
bool wfi_stack_normed(const wf_fuse_stack *s, int64_t i);
wf_status wfi_stack_pack(wf_fuse_stack *s, bool full, bool backward,
                         wf_err *err); /* adds what the form needs and lacks */
void wfi_stack_unpack(wf_fuse_stack *s);
/* Gradients of down, bias, up (shaped as these) into the branches' parameters (added). */
void wfi_stack_spread(const wf_fuse_stack *s, const float *ddown, const float *dbias, const float *dup);
/* A value that changes when the branches' values change: samples, not all of them (see fusion.c). */
uint64_t wfi_stack_stamp(const wf_fuse_stack *s);
#endif
