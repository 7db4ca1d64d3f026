/* hub/hub_adapter.c - a folder with one adapter. See hub.h. */
#include "base/error.h"
#include "hub/folder.h"
#include "hub/hub.h"
#include <stdio.h>
#include <string.h>

wf_status wfi_hub_adapter_save(const wf_adapter *a, const char *model_name, const char *dir, wf_err *err) {
    WF_TRY(wfi_hub_config_write(dir, "adapter_config.json", a->name, model_name, a->base.hidden_size,
                                json_incref(a->config), NULL, err));
    return wfi_hub_tensors_write(dir, "adapter.safetensors", &a->params, "bert.", err);
}

/* Files of the library's first generation say what they mean in other words; it translates them in the same way. */
static wf_status modernise(json_t *whole, const wf_source *source, wf_err *err) {
    json_t *config = json_object_get(whole, "config");
    const char *version = json_string_value(json_object_get(whole, "version")),
               *act = json_string_value(json_object_get(config, "non_linearity"));
    const char *architecture = json_string_value(json_object_get(config, "architecture"));
    int major = 0, minor = 0, failed = 0;
    bool inverts = false;
    if (!json_object_get(whole, "version") && act) { /* the transformers library renamed them */
        if (strcmp(act, "gelu") == 0)
            failed |= json_object_set_new(config, "non_linearity", json_string("gelu_new"));
        else if (strcmp(act, "gelu_orig") == 0)
            failed |= json_object_set_new(config, "non_linearity", json_string("gelu"));
    }
    /* Before 1.1.0 alpha was left out of LoRA's scale. */
    if (version && architecture && strcmp(architecture, "lora") == 0 &&
        sscanf(version, "adapters.%d.%d", &major, &minor) == 2 && (major < 1 || (major == 1 && minor < 1)) &&
        json_object_get(config, "r"))
        failed |= json_object_set(config, "alpha", json_object_get(config, "r"));
    /* Task adapters declared invertible modules that they did not have. */
    for (size_t i = 0; i < source->count; i++)
        inverts |= strstr(source->tensors[i].name, "invertible_adapters.") ||
                   strstr(source->tensors[i].name, "invertible_lang_adapters.");
    if (!inverts && json_is_object(json_object_get(config, "invertible_adapter")))
        json_object_del(config, "invertible_adapter");
    return failed ? wfi_fail(err, WF_E_NOMEM, "out of memory") : WF_OK;
}

wf_status wfi_hub_adapter_open(const char *dir, const char *name, const wf_base_shape *base, wf_adapter **out,
                               wf_err *err) {
    json_t *whole = NULL;
    const char *stored = NULL;
    wf_adapter *a = NULL;
    wf_source source = {0};
    WF_TRY(wfi_hub_config_read(dir, "adapter_config.json", base->hidden_size, &whole, &stored, err));
    if (!name) name = stored;
    wf_status st = name ? WF_OK : wfi_fail(err, WF_E_DATA, "%s/adapter_config.json: no name", dir);
    if (st == WF_OK) st = wfi_hub_tensors_open(dir, "adapter.safetensors", &source, err);
    if (st == WF_OK) st = modernise(whole, &source, err);
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
