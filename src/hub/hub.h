/* hub/hub.h - AdapterHub-style folders: adapters, heads, fusions (formats.md 2.1-2.3), safetensors. Layer 7.
 * Writes files that the Python `adapters` library loads; reads them back bit for bit, and files that library wrote. */
#ifndef WF_HUB_HUB_H
#define WF_HUB_HUB_H
#include "fusion/fusion.h"
#include "heads/head.h"

/* DIR/adapter_config.json, DIR/adapter.safetensors */
wf_status wfi_hub_adapter_save(const wf_adapter *a, const char *model_name, const char *dir, wf_err *err);
wf_status wfi_hub_adapter_open(const char *dir, const char *name, const wf_base_shape *base, wf_adapter **out,
                               wf_err *err); /* name NULL: as stored */
/* DIR/head_config.json, DIR/model_head.safetensors; pooling (not in that format) stands in our key "weft" beside the
 * config. */
wf_status wfi_hub_head_save(const wf_head *h, const char *model_name, const char *dir, wf_err *err);
/* base_dropout: what the head trains with where its file says null, or nothing, as the library does it (the base's
 * head_dropout). */
wf_status wfi_hub_head_open(const char *dir, const char *name, float base_dropout, wf_head **out, wf_err *err);
/* DIR/adapter_fusion_config.json, DIR/model_adapter_fusion.safetensors */
wf_status wfi_hub_fusion_save(const wf_fusion *f, const char *model_name, const char *dir, wf_err *err);
wf_status wfi_hub_fusion_open(const char *dir, wf_adapter *const *adapters, size_t count, const wf_base_shape *base,
                              wf_fusion **out, wf_err *err);
/* Names of the adapters a stored fusion joins, without opening it (wfi_names_free). */
wf_status wfi_hub_fusion_names(const char *dir, char ***names, size_t *count, wf_err *err);
#endif
