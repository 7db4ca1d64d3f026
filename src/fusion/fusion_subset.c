/* fusion/fusion_subset.c - a fusion of some of another one's adapters, with its trained matrices. See fusion.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "fusion/fusion.h"
#include "nn/params_load.h"
#include <string.h>

/* The same place and part: names are equal but for the fusion's own name within them. */
static bool same_part(const char *a, const char *b) {
    const char *x = NULL, *y = NULL;
    size_t m = 0, n = 0;
    if (!wfi_name_segment(a, "adapter_fusion_layer", &x, &m) || !wfi_name_segment(b, "adapter_fusion_layer", &y, &n))
        return strcmp(a, b) == 0;
    return x - a == y - b && memcmp(a, b, (size_t)(x - a)) == 0 && strcmp(x + m, y + n) == 0;
}

wf_status wfi_fusion_subset(const wf_fusion *f, const bool *out, wf_fusion **subset, wf_err *err) {
    wf_adapter **left = wfi_alloc(f->count, sizeof *left);
    wf_fusion *made = NULL;
    size_t n = 0;
    if (!left) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < f->count; i++)
        if (!out[i]) left[n++] = f->adapters[i];
    wf_status st = wfi_fusion_from_config(NULL, f->config, left, n, &f->base, &made, err);
    for (size_t i = 0; st == WF_OK && i < made->params.count; i++) {
        wf_param *to = made->params.params[i];
        size_t k = 0;
        while (k < f->params.count && !same_part(f->params.params[k]->name, to->name)) k++;
        if (k == f->params.count || f->params.params[k]->count != to->count)
            WF_BUG("a fusion lacks a part of its subset");
        memcpy(to->data, f->params.params[k]->data, (size_t)to->count * sizeof *to->data);
    }
    wfi_free(left);
    if (st != WF_OK)
        wfi_fusion_free(made);
    else
        *subset = made;
    return st;
}
