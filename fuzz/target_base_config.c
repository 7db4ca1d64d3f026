/* fuzz/target_base_config.c - config.json of a base, beside the weights of a tiny one. */
#include "fuzz.h"
#include "models/bert.h"
#include "tiny_parts.h"

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    wf_bert *m = NULL;
    static int made;
    if (!made++) tiny_base_weights();
    wf_fuzz_write("config.json", data, size);
    const wf_status st = wfi_bert_open(wf_fuzz_dir(), &m, err);
    if (st != WF_OK) return st;
    WF_FUZZ_HOLDS(m->config.hidden_size == TINY_HIDDEN && m->config.layers >= 1 && m->config.layers <= TINY_LAYERS);
    wfi_bert_free(m);
    return WF_OK;
}
