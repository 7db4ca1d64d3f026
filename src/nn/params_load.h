/* nn/params_load.h - filling a parameter set from named tensors, all or nothing. Layer 4.
 * The caller translates foreign tensor names; everything else (shapes, types, missing, doubled, extra, NaN) is checked
 * here. */
#ifndef WF_NN_PARAMS_LOAD_H
#define WF_NN_PARAMS_LOAD_H
#include "base/buffer.h"
#include "tape/param.h"
#include "tensor/source.h"

typedef enum wf_name_is {
    WF_NAME_PARAM,  /* the parameter of that name; none such is an error */
    WF_NAME_ALIAS,  /* a second copy of the parameter; must hold the same values when both are there */
    WF_NAME_IGNORE, /* not ours */
} wf_name_is;
/* Writes our name of the stored tensor `stored` into out. */
typedef wf_name_is (*wf_rename_fn)(void *self, const char *stored, wf_buffer *out);

/* what: the thing loaded, for messages. The set is untouched on failure. */
wf_status wfi_params_load(wf_pset *set, const wf_source *from, wf_rename_fn rename, void *self, const char *what,
                          wf_err *err);
/* Finds ".KEY.NAME." in a stored tensor name, NAME without dots: true, and where NAME lies. */
bool wfi_name_segment(const char *stored, const char *key, const char **name, size_t *length);
#endif
