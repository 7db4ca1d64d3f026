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

/* Packed forms of the matrices, when frozen (else none), made anew when their values have changed. */
wf_status wfi_fuse_own_pack(wf_fuse_own *o, wf_err *err);
/* The compact form for a filled stack; `filling` changes whenever the stack is filled anew. None (and no failure) while
 * something is trained. */
wf_status wfi_fuse_own_compact(wf_fuse_own *o, const wf_fuse_stack *stack, uint64_t filling, wf_err *err);
void wfi_fuse_own_unpack(wf_fuse_own *o);
#endif
