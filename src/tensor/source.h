/* tensor/source.h - named tensors read from somewhere (safetensors today). Layer 1.
 * Models and adapters read through this, so that they never know a container format. */
#ifndef WF_TENSOR_SOURCE_H
#define WF_TENSOR_SOURCE_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

typedef enum wf_dtype {
    WF_DTYPE_F32,
    WF_DTYPE_F16,
    WF_DTYPE_BF16,
    WF_DTYPE_F64,
    WF_DTYPE_I64,
    WF_DTYPE_I32,
    WF_DTYPE_I16,
    WF_DTYPE_I8,
    WF_DTYPE_U8,
    WF_DTYPE_BOOL
} wf_dtype;
size_t wfi_dtype_size(wf_dtype t);
const char *wfi_dtype_name(wf_dtype t); /* "F32" as safetensors writes it */

#define WF_MAX_RANK 8
typedef struct wf_tensor { /* a view: whoever made it owns data */
    const char *name;
    wf_dtype dtype;
    int rank;
    int64_t shape[WF_MAX_RANK]; /* row-major, outermost first */
    const void *data;
} wf_tensor;
int64_t wfi_tensor_count(const wf_tensor *t); /* elements; 1 for rank 0 */

typedef struct wf_source wf_source; /* opaque: a list of views and what keeps them alive */
struct wf_source {
    size_t count;
    const wf_tensor *tensors; /* sorted bytewise by name */
    void *owner;
    void (*close)(void *owner);
    void (*forget)(void *owner); /* NULL: nothing to forget */
};
const wf_tensor *wfi_source_find(const wf_source *s, const char *name); /* NULL when absent */
/* Finds and checks rank and shape (want[i] < 0: any). WF_E_DATA names the tensor and both shapes. */
wf_status wfi_source_get(const wf_source *s, const char *name, int rank, const int64_t *want, const wf_tensor **out,
                         wf_err *err);
/* The tensor as float32: F32 data that is 4-byte aligned is borrowed (*owned = NULL), F16, BF16 and F64 are converted
 * into *owned (wfi_free). Any other type is WF_E_DATA. */
wf_status wfi_tensor_f32(const wf_tensor *t, const float **data, float **owned, wf_err *err);
/* Memory that holds the data goes back to the system where it can be had again (a mapped file): to be called when most
 * tensors will not be read any more. All views stay valid. */
void wfi_source_forget(const wf_source *s);
void wfi_source_close(wf_source *s); /* accepts zeroed */
#endif
