/* hub/hub_fusion.c - a folder with one fusion. See hub.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "hub/folder.h"
#include "hub/hub.h"
#include <stdio.h>
#include <string.h>

static const char config_file[] = "adapter_fusion_config.json", tensor_file[] = "model_adapter_fusion.safetensors";

wf_status wfi_hub_fusion_save(const wf_fusion *f, const char *model_name, const char *dir, wf_err *err) {
    json_t *names = json_array();
    for (size_t i = 0; i < f->count; i++) json_array_append_new(names, json_string(f->adapters[i]->name));
    json_t *whole =
        json_pack("{s:o, s:O, s:I, s:s, s:s, s:s, s:s, s:s}", "adapter_names", names, "config", f->config,
                  "hidden_size", (json_int_t)f->base.hidden_size, "model_class", "BertAdapterModel", "model_name",
                  model_name ? model_name : "", "model_type", "bert", "name", f->name, "version", WF_HUB_VERSION);
    char *path = wfi_path_join(dir, config_file);
    wf_status st = whole && path ? wfi_json_write(path, whole, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(path);
    json_decref(whole);
    return st == WF_OK ? wfi_hub_tensors_write(dir, tensor_file, &f->params, "bert.", err) : st;
}

/* The list, or, in older files, the fusion's name cut at its commas. */
static wf_status names_read(const json_t *whole, const char *dir, char ***names, size_t *count, wf_err *err) {
    const json_t *list = json_object_get(whole, "adapter_names");
    const char *text = json_string_value(json_object_get(whole, "name"));
    size_t n = json_is_array(list) ? json_array_size(list) : 0;
    if (!n && text) {
        n = 1;
        for (const char *c = text; *c; c++) n += *c == ',';
    }
    if (!n || n > 4096)
        return wfi_fail(err, WF_E_DATA, "%s/%s: it does not say which adapters are fused", dir, config_file);
    char **out = wfi_alloc(n, sizeof *out);
    bool good = out != NULL;
    for (size_t i = 0; good && i < n; i++) {
        if (json_is_array(list)) {
            const char *one = json_string_value(json_array_get(list, i));
            out[i] = one ? wfi_strdup(one) : NULL;
        } else {
            const size_t length = strcspn(text, ",");
            out[i] = wfi_strndup(text, length);
            text += length + (text[length] == ',');
        }
        good = out[i] && *out[i];
    }
    if (!good) {
        if (out) wfi_names_free(out, n);
        return wfi_fail(err, WF_E_DATA, "%s/%s: adapter_names holds something that is no name", dir, config_file);
    }
    *names = out;
    *count = n;
    return WF_OK;
}

wf_status wfi_hub_fusion_names(const char *dir, char ***names, size_t *count, wf_err *err) {
    json_t *whole = NULL;
    const char *name = NULL;
    WF_TRY(wfi_hub_config_read(dir, config_file, 0, &whole, &name, err));
    wf_status st = names_read(whole, dir, names, count, err);
    json_decref(whole);
    return st;
}

static wf_status adapters_match(const json_t *whole, const char *dir, wf_adapter *const *adapters, size_t count,
                                wf_err *err) {
    char **names = NULL;
    size_t stored = 0;
    WF_TRY(names_read(whole, dir, &names, &stored, err));
    wf_status st = WF_OK;
    if (stored != count) st = wfi_fail(err, WF_E_ARG, "%s joins %zu adapters, not %zu", dir, stored, count);
    for (size_t i = 0; st == WF_OK && i < count; i++)
        if (strcmp(names[i], adapters[i]->name) != 0)
            st = wfi_fail(err, WF_E_ARG, "%s: adapter %zu is \"%s\", not \"%s\"", dir, i + 1, names[i],
                          adapters[i]->name);
    wfi_names_free(names, stored);
    return st;
}

/* Old files hold just "dynamic" or "static". */
static wf_status fusion_make(const char *name, const json_t *config, wf_adapter *const *adapters, size_t count,
                             const wf_base_shape *base, wf_fusion **out, wf_err *err) {
    if (json_is_string(config))
        return wfi_fusion_new(name, json_string_value(config), adapters, count, base, 0, out, err);
    return wfi_fusion_from_config(name, config, adapters, count, base, out, err);
}

wf_status wfi_hub_fusion_open(const char *dir, wf_adapter *const *adapters, size_t count, const wf_base_shape *base,
                              wf_fusion **out, wf_err *err) {
    json_t *whole = NULL;
    const char *name = NULL;
    wf_fusion *f = NULL;
    wf_source source = {0};
    WF_TRY(wfi_hub_config_read(dir, config_file, base->hidden_size, &whole, &name, err));
    wf_status st = adapters_match(whole, dir, adapters, count, err);
    if (st == WF_OK) st = wfi_hub_tensors_open(dir, tensor_file, &source, err);
    if (st == WF_OK) st = fusion_make(name, json_object_get(whole, "config"), adapters, count, base, &f, err);
    if (st == WF_OK) st = wfi_fusion_load(f, &source, err);
    if (st != WF_OK) {
        wfi_fail_in(err, st, "%s", dir);
        wfi_fusion_free(f);
    } else {
        *out = f;
    }
    wfi_source_close(&source);
    json_decref(whole);
    return st;
}
