/* tape/param.h - parameters and flat sets of them. Layer 3.
 * A parameter is trainable exactly when its grad is not NULL. A set keeps values (and gradients) of all its parameters
 * in one flat buffer each, in the order they were added, so that optimiser, clipping and checkpoints are single loops.
 */
#ifndef WF_TAPE_PARAM_H
#define WF_TAPE_PARAM_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wf_param {
    char *name;  /* as stored in files, e.g. "encoder.layer.0.output.dense.weight" */
    float *data; /* [count]; for a frozen base it points into the mapped file and is never written */
    float *grad; /* [count] or NULL: frozen */
    int rank;
    int64_t shape[4];
    int64_t count;
    bool decay; /* weight decay applies */
} wf_param;

typedef struct wf_pset {
    wf_param **params; /* stable addresses */
    size_t count, cap;
    float *data, *grad; /* flat, NULL before commit; grad NULL when frozen */
    int64_t total;
} wf_pset;

/* Adds a parameter (data NULL until commit); NULL when out of memory. The name is copied. */
wf_param *wfi_pset_add(wf_pset *s, const char *name, int rank, const int64_t *shape, bool decay);
/* Adds one whose values live elsewhere (the mapped base); it takes no part in the flat buffers and has no gradient. */
wf_param *wfi_pset_borrow(wf_pset *s, const char *name, int rank, const int64_t *shape, const float *data);
wf_status wfi_pset_commit(wf_pset *s, wf_err *err);             /* allocates the flat values, zeroed */
wf_status wfi_pset_trainable(wf_pset *s, bool on, wf_err *err); /* gives or takes the gradient buffer */
bool wfi_pset_owns(const wf_pset *s, const wf_param *p);        /* its values are in the flat buffer: not borrowed */
void wfi_pset_clear(wf_pset *s);
wf_param *wfi_pset_find(const wf_pset *s, const char *name); /* NULL when absent */
/* WF_E_DATA names the first value of the file `what` that is no finite number, by tensor and place. One pass over
 * memory, without branches while all is well. */
wf_status wfi_pset_finite(const wf_pset *s, const char *what, wf_err *err);

struct wf_packed;
typedef struct wf_linear { /* y = x W^T + b, W (out, in) */
    int64_t in, out;
    wf_param *weight, *bias;              /* borrowed from a set; bias may be NULL */
    struct wf_packed *forward, *backward; /* packed frozen weights, either may be NULL: plain product */
    bool bf16; /* factors of its plain products are rounded to bfloat16; weight and gradients stay float32 */
} wf_linear;

typedef struct wf_norm { /* LayerNorm over the last axis */
    int64_t width;
    float eps;
    wf_param *gamma, *beta;
} wf_norm;
#endif
