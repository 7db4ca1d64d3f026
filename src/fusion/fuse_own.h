/* fusion/fuse_own.h - a fusion block's own matrices and what is made of them while they are frozen. Private to fusion/.
 * Layer 6. */
#ifndef WF_FUSION_FUSE_OWN_H
#define WF_FUSION_FUSE_OWN_H
#include "fusion/fuse_compact.h"

typedef struct wf_fuse_own {
    wf_linear query, key, value; /* weight NULL: not used */
    uint64_t stamp;              /* of their values when the forms below were made */
    wf_fuse_compact compact;     /* G NULL: none */
    float *memory;               /* of it */
    uint64_t made_of;            /* which filling of the stack it was made of */
} wf_fuse_own;

bool wfi_fuse_own_trained(const wf_fuse_own *o); /* one of them has a gradient */
/* Gives up forms that no longer hold; true: the matrices are frozen, forms can be made. */
bool wfi_fuse_own_frozen(wf_fuse_own *o);
/* Packed forms of frozen matrices, those that are missing. */
wf_status wfi_fuse_own_pack(wf_fuse_own *o, wf_err *err);
/* The compact form of frozen matrices and a filled stack, which changes `filling` whenever it is filled anew. */
wf_status wfi_fuse_own_compact(wf_fuse_own *o, const wf_fuse_stack *stack, uint64_t filling, wf_err *err);
void wfi_fuse_own_unpack(wf_fuse_own *o);
#endif
