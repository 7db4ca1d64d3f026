/* fuzz/target_adapter_config.c - adapter_config.json, beside the tensors of a bottleneck of width 4. */
#include "hub/hub.h"
#include "tiny_parts.h"

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    wf_adapter *a = NULL;
    static int made;
    if (!made++) {
        WF_FUZZ_HOLDS(wfi_adapter_new("a", "seq_bn[reduction_factor=2]", &tiny_shape, 1, &a, NULL) == WF_OK);
        WF_FUZZ_HOLDS(wfi_hub_adapter_save(a, "tiny", wf_fuzz_dir(), NULL) == WF_OK);
        wfi_adapter_free(a);
        a = NULL;
    }
    wf_fuzz_write("adapter_config.json", data, size);
    const wf_status st = wfi_hub_adapter_open(wf_fuzz_dir(), NULL, &tiny_shape, &a, err);
    if (st != WF_OK) return st;
    WF_FUZZ_HOLDS(a->params.total > 0 && a->params.total < 4096);
    wfi_adapter_free(a);
    return WF_OK;
}
