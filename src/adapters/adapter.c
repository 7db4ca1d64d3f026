/* adapters/adapter.c - what all adapter methods share: making, loading, freeing. See adapter.h. */
#include "adapters/adapter.h"
#include "adapters/presets.h"
#include "adapters/settings.h"
#include "base/alloc.h"
#include "base/error.h"
#include "nn/params_load.h"
#include <string.h>

enum { NAME_MAX_BYTES = 128, LAYERS_MAX = 1000, WIDTH_MAX = 1 << 20 };

#define WF_METHOD(name) extern const wf_adapter_method name;
#include "adapters/list.inc"
#undef WF_METHOD

static const wf_adapter_method *const methods[] = {
#define WF_METHOD(name) &name,
#include "adapters/list.inc"
#undef WF_METHOD
};

const wf_adapter_method *const *wfi_adapter_methods(size_t *count) {
    *count = sizeof methods / sizeof *methods;
    return methods;
}

wf_status wfi_adapter_name_check(const char *name, wf_err *err) {
    if (!name || !*name) return wfi_fail(err, WF_E_ARG, "an adapter needs a name");
    if (strlen(name) > NAME_MAX_BYTES)
        return wfi_fail(err, WF_E_ARG, "adapter name of %zu bytes; at most %d", strlen(name), NAME_MAX_BYTES);
    for (const char *c = name; *c; c++)
        if (*c == '.' || (unsigned char)*c < 0x20 || *c == 0x7f)
            return wfi_fail(err, WF_E_ARG,
                            "adapter name \"%.128s\": dots and control characters are not possible (names become part "
                            "of tensor names)",
                            name);
    return WF_OK;
}

static wf_status method_find(const json_t *config, const wf_adapter_method **out, wf_err *err) {
    const json_t *v = json_object_get(config, "architecture");
    if (v && !json_is_null(v) && !json_is_string(v))
        return wfi_settings_refuse(WF_E_DATA, config, "architecture", "it must be a text or null", err);
    const char *architecture = json_string_value(v);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const char *have = methods[i]->architecture;
        if (architecture ? have && strcmp(have, architecture) == 0 : !have) {
            *out = methods[i];
            return WF_OK;
        }
    }
    return wfi_settings_refuse(WF_E_UNSUPPORTED, config, "architecture",
                               "weft supports bottlenecks (no such field) and \"lora\"", err);
}

static wf_status base_check(const wf_base_shape *b, wf_err *err) {
    if (b->layers >= 1 && b->layers <= LAYERS_MAX && b->hidden_size >= 1 && b->hidden_size <= WIDTH_MAX &&
        b->intermediate_size >= 1 && b->intermediate_size <= WIDTH_MAX)
        return WF_OK;
    return wfi_fail(err, WF_E_ARG, "a base of %d layers and widths %lld and %lld is not possible", b->layers,
                    (long long)b->hidden_size, (long long)b->intermediate_size);
}

wf_status wfi_adapter_from_config(const char *name, const json_t *config, const wf_base_shape *base, wf_adapter **out,
                                  wf_err *err) {
    WF_TRY(wfi_adapter_name_check(name, err));
    WF_TRY(base_check(base, err));
    if (!json_is_object(config))
        return wfi_fail(err, WF_E_DATA, "adapter \"%s\": its configuration is no JSON object", name);
    wf_adapter *a = wfi_alloc(1, sizeof *a);
    if (!a) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = WF_OK;
    a->base = *base;
    a->name = wfi_strdup(name);
    a->config = json_deep_copy(config);
    if (!a->name || !a->config) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = method_find(a->config, &a->method, err);
    if (st == WF_OK) st = a->method->configure(a->config, base, err);
    if (st == WF_OK) st = a->method->build(a, err);
    if (st == WF_OK) st = wfi_pset_commit(&a->params, err);
    if (st == WF_OK) {
        *out = a;
        return WF_OK;
    }
    wfi_adapter_free(a);
    return wfi_fail_in(err, st, "adapter \"%s\"", name);
}

wf_status wfi_adapter_new(const char *name, const char *preset_or_json, const wf_base_shape *base, uint64_t seed,
                          wf_adapter **out, wf_err *err) {
    json_t *config = NULL;
    WF_TRY(wfi_preset_config(preset_or_json, &config, err));
    wf_adapter *a = NULL;
    wf_status st = wfi_adapter_from_config(name, config, base, &a, err);
    json_decref(config);
    if (st == WF_OK) st = wfi_settings_layers_within(a->config, "leave_out", base->layers, err);
    if (st != WF_OK) {
        wfi_adapter_free(a);
        return st;
    }
    a->method->init(a, seed);
    *out = a;
    return WF_OK;
}

void wfi_adapter_free(wf_adapter *a) {
    if (!a) return;
    if (a->method && a->state) a->method->free(a);
    wfi_pset_clear(&a->params);
    json_decref(a->config);
    wfi_free(a->name);
    wfi_free(a);
}

/* ---- loading ---- */

static const struct {
    const char *old, *now;
} legacy[] = {
    /* names of the library's first generation */
    {"attention_text_task_adapters", "adapters"},
    {"attention_text_lang_adapters", "adapters"},
    {"layer_text_task_adapters", "adapters"},
    {"layer_text_lang_adapters", "adapters"},
};

static void text_replace(wf_buffer *out, const char *text, const char *old, const char *now) {
    const char *at = strstr(text, old);
    if (!at) {
        wfi_buffer_adds(out, text);
        return;
    }
    wfi_buffer_add(out, text, (size_t)(at - text));
    wfi_buffer_adds(out, now);
    wfi_buffer_adds(out, at + strlen(old));
}

/* Without "bert." in front and with this adapter's own name. */
static wf_name_is rename_tensor(void *self, const char *stored, wf_buffer *out) {
    const wf_adapter *a = self;
    const char *segment = a->method->segment, *name = NULL;
    size_t length = 0;
    wf_buffer now = {0};
    if (strncmp(stored, "bert.", 5) == 0) stored += 5;
    for (size_t i = 0; i < sizeof legacy / sizeof *legacy; i++) {
        if (!strstr(stored, legacy[i].old)) continue;
        text_replace(&now, stored, legacy[i].old, legacy[i].now);
        if (!now.failed) stored = now.data;
        break;
    }
    wf_name_is is = WF_NAME_PARAM;
    if (wfi_name_segment(stored, segment, &name, &length)) {
        wf_buffer own = {0};
        wfi_buffer_add(&own, stored, (size_t)(name - stored));
        wfi_buffer_adds(&own, a->name);
        wfi_buffer_adds(&own, name + length);
        const char *alias = a->method->alias;
        if (alias && !own.failed && strstr(own.data, alias) && !wfi_pset_find(&a->params, own.data)) {
            text_replace(out, own.data, alias, a->method->alias_of);
            is = WF_NAME_ALIAS;
        } else if (!own.failed) {
            wfi_buffer_adds(out, own.data);
        }
        out->failed |= own.failed;
        wfi_buffer_clear(&own);
    } else {
        wfi_buffer_adds(out, stored);
    }
    out->failed |= now.failed;
    wfi_buffer_clear(&now);
    return is;
}

/* Two adapters in one source: the translation by name would mix them. */
static wf_status one_adapter_check(const wf_adapter *a, const wf_source *from, wf_err *err) {
    const char *first = NULL, *name = NULL;
    size_t first_length = 0, length = 0;
    for (size_t i = 0; i < from->count; i++) {
        if (!wfi_name_segment(from->tensors[i].name, a->method->segment, &name, &length)) continue;
        if (first && (first_length != length || memcmp(first, name, length) != 0))
            return wfi_fail_at(err, WF_E_DATA, from->tensors[i].name, -1,
                               "the file holds tensors of two adapters, \"%.*s\" and \"%.*s\"",
                               (int)(first_length > 80 ? 80 : first_length), first, (int)(length > 80 ? 80 : length),
                               name);
        first = name;
        first_length = length;
    }
    return WF_OK;
}

wf_status wfi_adapter_load(wf_adapter *a, const wf_source *from, wf_err *err) {
    wf_status st = one_adapter_check(a, from, err);
    if (st == WF_OK) st = wfi_params_load(&a->params, from, rename_tensor, a, a->name, err);
    if (st == WF_OK) wfi_adapter_changed(a);
    return st;
}

void wfi_adapter_changed(wf_adapter *a) {
    a->version++;
}
