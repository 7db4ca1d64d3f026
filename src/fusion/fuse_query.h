/* fusion/fuse_query.h - the query's way through W_q and back through W_k, by products over all rows. Private to
 * fusion/. Layer 6. t = W_k^T (W_q q + b_q) is what scores are taken with, b_k . (W_q q + b_q) what all scores of a row
 * share. */
#ifndef WF_FUSION_FUSE_QUERY_H
#define WF_FUSION_FUSE_QUERY_H
#include "tape/ops.h"

typedef struct wf_fuse_query {
    const wf_linear *query, *key; /* NULL: the identity */
    const float *t;               /* [T,d] */
    const float *shared;          /* [T]; NULL: not asked for, or nothing */
    const float *Q;               /* [T,d] W_q q + b_q */
} wf_fuse_query;

/* out: query and key set. The rest from q [T,d] into the step's memory; shared: wanted too. */
wf_status wfi_fuse_query_forward(wf_tape *tape, const wf_value *q, bool shared, wf_fuse_query *out);
/* From the gradients dt [T,d] and dshared [T] (NULL: none) into W_q, b_q, W_k, b_k and q. */
wf_status wfi_fuse_query_backward(wf_tape *tape, const wf_fuse_query *s, wf_value *q, const float *dt,
                                  const float *dshared, wf_err *err);
#endif
