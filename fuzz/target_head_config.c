/* fuzz/target_head_config.c - head_config.json, beside the tensors of a head of three classes. */
#include "hub/hub.h"
#include "tiny_parts.h"

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    wf_head *h = NULL;
    static int made;
    if (!made++) {
        const wf_head_spec spec = {
            .kind = WF_KIND_CLASSIFICATION, .classes = 3, .layers = 1, .hidden_size = TINY_HIDDEN};
        WF_FUZZ_HOLDS(wfi_head_new("h", &spec, 1, &h, NULL) == WF_OK);
        WF_FUZZ_HOLDS(wfi_hub_head_save(h, "tiny", wf_fuzz_dir(), NULL) == WF_OK);
        wfi_head_free(h);
        h = NULL;
    }
    wf_fuzz_write("head_config.json", data, size);
    const wf_status st = wfi_hub_head_open(wf_fuzz_dir(), NULL, 0.1f, &h, err);
    if (st != WF_OK) return st;
    WF_FUZZ_HOLDS(h->classes >= 1 && h->hidden_size >= 1 && h->name);
    wfi_head_free(h);
    return WF_OK;
}
