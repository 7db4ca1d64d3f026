/* hub/folder.c - config and tensor files of AdapterHub-style folders. See folder.h. */
#include "hub/folder.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include <stdio.h>
#include <string.h>

enum { CONFIG_MAX_BYTES = 16 << 20 };

wf_status wfi_hub_config_write(const char *dir, const char *file, const char *name, const char *model_name,
                               int64_t hidden_size, json_t *config, json_t *own, wf_err *err) {
    json_t *whole =
        json_pack("{s:o, s:I, s:s, s:s, s:s, s:s, s:s}", "config", config, "hidden_size", (json_int_t)hidden_size,
                  "model_class", "BertAdapterModel", "model_name", model_name ? model_name : "", "model_type", "bert",
                  "name", name, "version", WF_HUB_VERSION);
    char *path = wfi_path_join(dir, file);
    const bool added = whole && (!own || json_object_set(whole, "weft", own) == 0);
    json_decref(own);
    wf_status st = added && path ? wfi_json_write(path, whole, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(path);
    json_decref(whole);
    return st;
}

wf_status wfi_hub_config_read(const char *dir, const char *file, int64_t hidden_size, json_t **whole, const char **name,
                              wf_err *err) {
    char *path = wfi_path_join(dir, file);
    json_t *j = NULL;
    int64_t have = 0;
    wf_status st = path ? wfi_json_read(path, CONFIG_MAX_BYTES, &j, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && !json_is_object(j)) st = wfi_fail_at(err, WF_E_DATA, path, -1, "%s: not a JSON object", path);
    if (st == WF_OK) st = wfi_json_int_or(j, "hidden_size", path, 0, 1 << 20, 0, &have, err);
    if (st == WF_OK && have && hidden_size && have != hidden_size)
        st = wfi_fail_at(err, WF_E_SHAPE, "hidden_size", -1, "%s: made for hidden size %lld, this base has %lld", path,
                         (long long)have, (long long)hidden_size);
    const json_t *type = json_object_get(j, "model_type");
    if (st == WF_OK && json_is_string(type) && strcmp(json_string_value(type), "bert") != 0)
        st = wfi_fail_at(err, WF_E_UNSUPPORTED, "model_type", -1,
                         "%s: made for model type \"%s\"; weft reads those of \"bert\"", path, json_string_value(type));
    wfi_free(path);
    if (st != WF_OK) {
        json_decref(j);
        return st;
    }
    *name = json_string_value(json_object_get(j, "name"));
    *whole = j;
    return WF_OK;
}

wf_status wfi_hub_tensors_write(const char *dir, const char *file, const wf_pset *set, const char *prefix,
                                wf_err *err) {
    wf_tensor *tensors = wfi_alloc(set->count, sizeof *tensors);
    char *path = wfi_path_join(dir, file);
    wf_status st = tensors && path ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    size_t n = 0;
    for (; st == WF_OK && n < set->count; n++) {
        const wf_param *p = set->params[n];
        const size_t size = strlen(prefix) + strlen(p->name) + 1;
        char *name = wfi_alloc(size, 1);
        if (!name) {
            st = wfi_fail(err, WF_E_NOMEM, "out of memory");
            break;
        }
        snprintf(name, size, "%s%s", prefix, p->name);
        tensors[n] = (wf_tensor){.name = name, .dtype = WF_DTYPE_F32, .rank = p->rank, .data = p->data};
        memcpy(tensors[n].shape, p->shape, sizeof p->shape);
    }
    if (st == WF_OK) st = wfi_safetensors_write(path, tensors, n, err);
    for (size_t i = 0; tensors && i < n; i++) wfi_free((void *)(uintptr_t)tensors[i].name);
    wfi_free(tensors);
    wfi_free(path);
    return st;
}

wf_status wfi_hub_tensors_open(const char *dir, const char *file, wf_source *out, wf_err *err) {
    char *path = wfi_path_join(dir, file);
    wf_status st = path ? wfi_safetensors_open(path, out, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(path);
    return st;
}
