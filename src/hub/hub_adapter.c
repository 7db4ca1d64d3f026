/* hub/hub_adapter.c - a folder with one adapter. See hub.h. */
#include "base/error.h"
#include "hub/folder.h"
#include "hub/hub.h"

wf_status wfi_hub_adapter_save(const wf_adapter *a, const char *model_name, const char *dir, wf_err *err) {
    WF_TRY(wfi_hub_config_write(dir, "adapter_config.json", a->name, model_name, a->base.hidden_size, json_incref(a->config), NULL, err));
    return wfi_hub_tensors_write(dir, "adapter.safetensors", &a->params, "bert.", err);
}

wf_status wfi_hub_adapter_open(const char *dir, const char *name, const wf_base_shape *base, wf_adapter **out, wf_err *err) {
    json_t *whole = NULL;
    const char *stored = NULL;
    wf_adapter *a = NULL;
    wf_source source = {0};
    WF_TRY(wfi_hub_config_read(dir, "adapter_config.json", base->hidden_size, &whole, &stored, err));
    if (!name) name = stored;
    wf_status st = name ? WF_OK : wfi_fail(err, WF_E_DATA, "%s/adapter_config.json: no name", dir);
    if (st == WF_OK) st = wfi_hub_tensors_open(dir, "adapter.safetensors", &source, err);
    if (st == WF_OK) st = wfi_adapter_from_config(name, json_object_get(whole, "config"), base, &a, err);
    if (st == WF_OK) st = wfi_adapter_load(a, &source, err);
    if (st != WF_OK) {
        wfi_fail_in(err, st, "%s", dir);
        wfi_adapter_free(a);
    } else {
        *out = a;
    }
    wfi_source_close(&source);
    json_decref(whole);
    return st;
}
