/* fusion/op_fuse.h - AdapterFusion of N bottlenecks at one place as one coarse operation. Private to fusion/. Layer 6.
 */
#ifndef WF_FUSION_OP_FUSE_H
#define WF_FUSION_OP_FUSE_H
#include "fusion/fuse_compact.h"

typedef enum wf_fuse_form { WF_FUSE_AUTO, WF_FUSE_BOTTLENECK, WF_FUSE_COMPACT, WF_FUSE_FULL } wf_fuse_form;

typedef struct wf_fuse { /* all pointers live at least as long as the step */
    const wf_fuse_stack *stack;
    const wf_linear *query, *key, *value; /* (d,d), value without bias; NULL: that projection is the identity */
    float dropout, temperature;           /* dropout on the scores, active while training */
    uint64_t random;                      /* its key: element (token, branch) uses word token*N + branch */
    const bool *out;                      /* [N] branches that the softmax leaves out, not all; NULL: none */
    wf_fuse_form form;
    const wf_fuse_compact *frozen; /* made of these, packed, for passes that do not train; NULL: none */
} wf_fuse;

bool wfi_fuse_full(const wf_fuse *f); /* it will take the full form */
/* The form it will take for T rows, never WF_FUSE_AUTO; residual: there is an r. The operation itself asks this. */
wf_fuse_form wfi_fuse_form_of(const wf_fuse *f, bool residual, bool training, int64_t T);
/* Multiplications and additions of its matrix products over T rows; of training, forward and backward, with its own
 * matrices trained and the branches frozen. live: z and q have gradients. Products with a single row (biases) and what
 * is the same in every pass (the frozen form) are left out. */
double wfi_fuse_flop(const wf_fuse *f, bool residual, bool training, bool live, int64_t T);
/* c = W_v sum_i p_i (u_i + r), p = softmax_i(drop((W_q q + b_q) . (W_k (u_i + r) + b_k)) / temperature), u_i the
 * branches' scaled outputs on z. r (may be NULL): the residual of residual_before. All values [T,d]. probs (may be
 * NULL) receives [T,N], alive for the step. */
wf_value *wfi_op_fuse(wf_tape *t, const wf_fuse *f, wf_value *z, wf_value *q, wf_value *r, const float **probs);
#endif
