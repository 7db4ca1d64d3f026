/* fusion/fuse_compact.h - W_q, W_k and W_v multiplied into the stack instead of into the rows. Private to fusion/.
 * Layer 6.
 *
 * With U the stack's up [K,d], K = M + N, and no residual among the values, scores and output need the rows only once
 * each: g = q G^T + c and out = (p o a) V with P = U W_k^T, G = P W_q, c = P b_q, V = U W_v^T. What all scores of a row
 * share is q . w + b_k . b_q, w = W_q^T b_k. Making these takes 3 K d^2 and their way back 6 K d^2 multiplications, and
 * nine products of T d^2 are saved. Backward, dG, dc, dV, dw and the sum e of the shared parts' gradients given:
 *   dP = dG W_q^T + dc b_q^T, dW_q = P^T dG + b_k dw^T, db_q = P^T dc + e b_k,
 *   dW_k = dP^T U, db_k = W_q dw + e b_q, dW_v = dV^T U, dU = dP W_k + dV W_v. */
#ifndef WF_FUSION_FUSE_COMPACT_H
#define WF_FUSION_FUSE_COMPACT_H
#include "fusion/fuse_stack.h"

typedef struct wf_fuse_compact {
    int64_t K, d;
    const wf_linear *query, *key, *value; /* NULL: the identity; not all three */
    const float *U, *P, *G, *V;           /* [K,d]; P, G, V may be U or each other */
    const float *c, *w;                   /* [K], [d]; NULL: zero */
    float shared;                         /* b_k . b_q */
    wf_packed *score, *mix;               /* of a frozen one: G and V; else NULL */
} wf_fuse_compact;

bool wfi_fuse_compact_pays(const wf_fuse_compact *c, int64_t T); /* K, d and the matrices set */
size_t wfi_fuse_compact_floats(const wf_fuse_compact *c);        /* memory for wfi_fuse_compact_make */
wf_status wfi_fuse_compact_make(wf_fuse_compact *c, float *memory, wf_err *err);
/* Into the matrices' gradients, those that have one; dU [K,d] (NULL: not wanted) is overwritten. room: 1 [K,d] array.
 */
wf_status wfi_fuse_compact_back(const wf_fuse_compact *c, const float *dG, const float *dc, const float *dV,
                                const float *dw, float e, float *room, float *dU, wf_err *err);
#endif
