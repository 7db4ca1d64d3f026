/* hub/hub_head.c - a folder with one prediction head. What the format has no place for (pooling, the spread of
 * regression targets) stands under "weft" beside the config; the Python library ignores it there. See hub.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "hub/folder.h"
#include "hub/hub.h"
#include "nn/params_load.h"
#include <stdio.h>
#include <string.h>

static const char config_file[] = "head_config.json", tensor_file[] = "model_head.safetensors";

static const char *head_type(const wf_head *h) {
    switch (h->kind) {
    case WF_KIND_MULTIPLE_CHOICE:
        return "multiple_choice";
    case WF_KIND_MULTILABEL:
        return "multilabel_classification";
    default:
        return "classification"; /* a regression is a classification head with one label */
    }
}

wf_status wfi_hub_head_save(const wf_head *h, const char *model_name, const char *dir, wf_err *err) {
    enum { CHOICES = 2 }; /* the library wants a number, here rows may have any */
    const bool choice = h->kind == WF_KIND_MULTIPLE_CHOICE;
    json_t *labels = json_object();
    for (int32_t c = 0; c < (choice ? CHOICES : h->classes); c++) {
        char number[24];
        snprintf(number, sizeof number, "LABEL_%d", c);
        json_object_set_new(labels, h->labels && !choice ? h->labels[c] : number, json_integer(c));
    }
    json_t *config =
        json_pack("{s:s, s:f, s:s, s:o, s:i, s:b}", "activation_function", "tanh", "dropout_prob", (double)h->dropout,
                  "head_type", head_type(h), "label2id", labels, "layers", h->layers, "use_pooler", (int)h->pooler);
    if (!config) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    json_object_set_new(config, choice ? "num_choices" : "num_labels", json_integer(choice ? CHOICES : h->classes));
    if (!choice) json_object_set_new(config, "bias", json_true()); /* a field that multiple choice does not have */
    json_t *own = json_pack("{s:s, s:s, s:f, s:f}", "kind", wfi_kind_name(h->kind), "pooling",
                            h->pooling == WF_POOL_MEAN ? "mean" : "cls", "target_mean", (double)h->target_mean,
                            "target_std", (double)h->target_std);
    WF_TRY(wfi_hub_config_write(dir, config_file, h->name, model_name, h->hidden_size, config, own, err));
    return wfi_hub_tensors_write(dir, tensor_file, &h->params, "", err);
}

/* Class names by number; doubled or missing numbers are errors. */
static wf_status labels_read(const json_t *map, int32_t classes, const char *where, char ***out, wf_err *err) {
    if (!json_is_object(map) || json_object_size(map) != (size_t)classes) return WF_OK; /* not said */
    char **labels = wfi_alloc((size_t)classes, sizeof *labels);
    if (!labels) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    const char *key;
    json_t *value;
    wf_status st = WF_OK;
    json_object_foreach((json_t *)(uintptr_t)map, key, value) {
        const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= classes || labels[id])
            st = wfi_fail_at(err, WF_E_DATA, "label2id", -1,
                             "%s: label2id gives \"%.80s\" a number that is doubled or outside 0..%d", where, key,
                             classes - 1);
        else if (!(labels[id] = wfi_strdup(key)))
            st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        if (st != WF_OK) break;
    }
    if (st == WF_OK) {
        *out = labels;
        return WF_OK;
    }
    for (int32_t c = 0; c < classes; c++) wfi_free(labels[c]);
    wfi_free(labels);
    return st;
}

static wf_status kind_read(const json_t *config, const json_t *own, const char *where, wf_kind *kind, wf_err *err) {
    const char *type = json_string_value(json_object_get(config, "head_type")),
               *said = json_string_value(json_object_get(own, "kind"));
    if (said)
        return wfi_kind_parse(said, kind)
                   ? WF_OK
                   : wfi_fail_at(err, WF_E_DATA, "kind", -1, "%s: weft.kind \"%.40s\" is unknown", where, said);
    if (type && strcmp(type, "classification") == 0)
        *kind = json_integer_value(json_object_get(config, "num_labels")) == 1 ? WF_KIND_REGRESSION
                                                                               : WF_KIND_CLASSIFICATION;
    else if (type && strcmp(type, "multilabel_classification") == 0)
        *kind = WF_KIND_MULTILABEL;
    else if (type && strcmp(type, "multiple_choice") == 0)
        *kind = WF_KIND_MULTIPLE_CHOICE;
    else
        return wfi_fail_at(err, WF_E_UNSUPPORTED, "head_type", -1, "%s: heads of type \"%.60s\" are not supported",
                           where, type ? type : "(none)");
    return WF_OK;
}

static wf_status spec_read(const json_t *whole, const char *where, float base_dropout, wf_head_spec *spec,
                           wf_head *extra, wf_err *err) {
    const json_t *config = json_object_get(whole, "config"), *own = json_object_get(whole, "weft");
    const char *activation = json_string_value(json_object_get(config, "activation_function")),
               *pooling = json_string_value(json_object_get(own, "pooling"));
    int64_t classes = 0, layers = 0;
    double dropout = 0, mean = 0, std = 1;
    if (!json_is_object(config)) return wfi_fail_at(err, WF_E_DATA, "config", -1, "%s: no \"config\" object", where);
    WF_TRY(kind_read(config, own, where, &spec->kind, err));
    WF_TRY(wfi_json_int_or(config, "num_labels", where, 1, 1 << 20, 1, &classes, err));
    WF_TRY(wfi_json_int_or(config, "layers", where, 1, 2, spec->kind == WF_KIND_MULTIPLE_CHOICE ? 2 : 1, &layers, err));
    WF_TRY(wfi_json_num_or(config, "dropout_prob", where, (double)base_dropout, &dropout, err));
    WF_TRY(wfi_json_bool_or(config, "use_pooler", where, false, &spec->pooler, err));
    WF_TRY(wfi_json_num_or(own, "target_mean", where, 0.0, &mean, err));
    WF_TRY(wfi_json_num_or(own, "target_std", where, 1.0, &std, err));
    WF_TRY(wfi_json_int(whole, "hidden_size", where, 1, 1 << 20, &spec->hidden_size, err));
    if (layers == 2 && activation && strcmp(activation, "tanh") != 0)
        return wfi_fail_at(err, WF_E_UNSUPPORTED, "activation_function", -1,
                           "%s: heads with activation \"%.40s\" are not supported (tanh is)", where, activation);
    if (pooling && strcmp(pooling, "mean") != 0 && strcmp(pooling, "cls") != 0)
        return wfi_fail_at(err, WF_E_DATA, "pooling", -1, "%s: weft.pooling \"%.40s\" is unknown", where, pooling);
    if (!(std > 0) || !(dropout >= 0 && dropout < 1))
        return wfi_fail_at(err, WF_E_DATA, "config", -1, "%s: dropout_prob or target_std out of range", where);
    spec->classes = spec->kind == WF_KIND_MULTIPLE_CHOICE ? 1 : (int32_t)classes;
    spec->layers = (int)layers;
    spec->dropout = (float)dropout;
    spec->pooling = pooling && strcmp(pooling, "mean") == 0 ? WF_POOL_MEAN : WF_POOL_CLS;
    extra->target_mean = (float)mean;
    extra->target_std = (float)std;
    return WF_OK;
}

typedef struct loader {
    const char *stored, *name;
} loader;

/* The library's files may hold other heads too whose names begin alike. */
static wf_name_is rename_tensor(void *self, const char *stored, wf_buffer *out) {
    const loader *l = self;
    const size_t n = strlen(l->stored);
    if (strncmp(stored, "heads.", 6) != 0 || strncmp(stored + 6, l->stored, n) != 0 || stored[6 + n] != '.')
        return WF_NAME_IGNORE;
    wfi_buffer_printf(out, "heads.%s%s", l->name, stored + 6 + n);
    return WF_NAME_PARAM;
}

wf_status wfi_hub_head_open(const char *dir, const char *name, float base_dropout, wf_head **out, wf_err *err) {
    json_t *whole = NULL;
    const char *stored = NULL;
    char **labels = NULL;
    wf_head extra = {0}, *h = NULL;
    wf_head_spec spec = {0};
    wf_source source = {0};
    WF_TRY(wfi_hub_config_read(dir, config_file, 0, &whole, &stored, err));
    wf_status st = stored ? WF_OK : wfi_fail(err, WF_E_DATA, "%s/%s: no name", dir, config_file);
    if (st == WF_OK) st = spec_read(whole, config_file, base_dropout, &spec, &extra, err);
    if (st == WF_OK && spec.kind != WF_KIND_REGRESSION && spec.kind != WF_KIND_MULTIPLE_CHOICE)
        st = labels_read(json_object_get(json_object_get(whole, "config"), "label2id"), spec.classes, config_file,
                         &labels, err);
    spec.labels = labels;
    if (st == WF_OK) st = wfi_head_make(name ? name : stored, &spec, &h, err);
    if (st == WF_OK) st = wfi_hub_tensors_open(dir, tensor_file, &source, err);
    if (st == WF_OK) st = wfi_params_load(&h->params, &source, rename_tensor, &(loader){stored, h->name}, h->name, err);
    for (int32_t c = 0; labels && c < spec.classes; c++) wfi_free(labels[c]);
    wfi_free(labels);
    if (st == WF_OK) {
        h->target_mean = extra.target_mean;
        h->target_std = extra.target_std;
        *out = h;
    } else {
        wfi_fail_in(err, st, "%s", dir);
        wfi_head_free(h);
    }
    wfi_source_close(&source);
    json_decref(whole);
    return st;
}
