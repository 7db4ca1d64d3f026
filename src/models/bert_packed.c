/* models/bert_packed.c - packed matrices that were kept: giving them out in order and taking them in again. See bert.h.
 */
#include "base/error.h"
#include "kernels/gemm.h"
#include "models/bert.h"

enum { EACH_LAYER = 6 };

wf_linear *wfi_bert_linear_at(const wf_bert *m, size_t i) {
    if (i / EACH_LAYER >= (size_t)m->config.layers) return NULL;
    wf_bert_layer *l = &m->layers[i / EACH_LAYER];
    wf_linear *const all[EACH_LAYER] = {&l->query, &l->key, &l->value, &l->attention_dense, &l->up, &l->down};
    return all[i % EACH_LAYER];
}

const wf_packed *wfi_bert_packed_each(const wf_bert *m, size_t i) {
    const wf_linear *l = wfi_bert_linear_at(m, i);
    return l ? l->forward : NULL;
}

wf_status wfi_bert_pack_over(wf_bert *m, wf_dtype dtype, const unsigned char *bytes, size_t size, wf_err *err) {
    wf_status st = m->packed ? wfi_fail(err, WF_E_ARG, "this model is packed already") : WF_OK;
    if (st != WF_OK) return st;
    size_t at = 0;
    wf_linear *l;
    for (size_t i = 0; st == WF_OK && (l = wfi_bert_linear_at(m, i)); i++) {
        size_t used = 0;
        st = wfi_packed_over(l->in, l->out, bytes + at, size - at, dtype, &l->forward, err);
        if (st != WF_OK) break;
        wfi_packed_bytes(l->forward, &used);
        used = (used + 63) & ~(size_t)63;
        at = used < size - at ? at + used : size;
    }
    if (st == WF_OK && at != size) st = wfi_fail(err, WF_E_DATA, "%zu bytes behind the packed matrices", size - at);
    if (st == WF_OK) {
        m->packed = true;
        m->packed_dtype = dtype;
        return WF_OK;
    }
    for (size_t i = 0; (l = wfi_bert_linear_at(m, i)); i++) {
        wfi_packed_free(l->forward);
        l->forward = NULL;
    }
    return st;
}
