/* fuzz/target_fusion_config.c - adapter_fusion_config.json, beside the tensors of a fusion of two adapters. */
#include "base/file.h"
#include "hub/hub.h"
#include "tiny_parts.h"

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    static wf_adapter *adapters[2];
    wf_fusion *f = NULL;
    char **names = NULL;
    size_t count = 0;
    if (!adapters[0]) {
        for (int i = 0; i < 2; i++)
            WF_FUZZ_HOLDS(wfi_adapter_new(i ? "b" : "a", "seq_bn[reduction_factor=2]", &tiny_shape, 1, &adapters[i],
                                          NULL) == WF_OK);
        WF_FUZZ_HOLDS(wfi_fusion_new("f", "dynamic", adapters, 2, &tiny_shape, 1, &f, NULL) == WF_OK);
        WF_FUZZ_HOLDS(wfi_hub_fusion_save(f, "tiny", wf_fuzz_dir(), NULL) == WF_OK);
        wfi_fusion_free(f);
        f = NULL;
    }
    wf_fuzz_write("adapter_fusion_config.json", data, size);
    if (wfi_hub_fusion_names(wf_fuzz_dir(), &names, &count, NULL) == WF_OK) {
        WF_FUZZ_HOLDS(count > 0);
        wfi_names_free(names, count);
    }
    const wf_status st = wfi_hub_fusion_open(wf_fuzz_dir(), adapters, 2, &tiny_shape, &f, err);
    if (st != WF_OK) return st;
    WF_FUZZ_HOLDS(f->count == 2 && f->name);
    wfi_fusion_free(f);
    return WF_OK;
}
