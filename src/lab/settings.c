/* lab/settings.c - see settings.h. */
#include "lab/settings.h"
#include "adapters/adapter.h"
#include "base/clock.h"
#include "base/error.h"
#include "lab/precision.h"
#include <math.h>
#include <string.h>

/* Defaults by method; docs/training.md says how they were found. */
static const struct {
    const char *method;
    wf_method_kind kind;
    double lr;
} DEFAULTS[] = {{"head", WF_METHOD_HEAD, 2e-3},
                {"full", WF_METHOD_FULL, 5e-5},
                {"fusion", WF_METHOD_FUSION, 5e-4},
                {"mean", WF_METHOD_MEAN, 2e-3},
                {"lora", WF_METHOD_ADAPTER, 1e-3}};
static const double ADAPTER_LR = 1e-3;

static size_t stem_length(const char *method) {
    return strcspn(method, "[");
}

static wf_status method_find(const char *method, wf_method_kind *kind, double *lr, wf_err *err) {
    const size_t n = stem_length(method);
    char stem[64];
    if (n >= sizeof stem) return wfi_fail(err, WF_E_ARG, "method \"%.60s...\" is not known", method);
    memcpy(stem, method, n);
    stem[n] = 0;
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++)
        if (strcmp(stem, DEFAULTS[i].method) == 0) {
            *kind = DEFAULTS[i].kind;
            *lr = DEFAULTS[i].lr;
            return WF_OK;
        }
    if (!wfi_adapter_preset_known(stem) && method[0] != '{')
        return wfi_fail(err, WF_E_ARG,
                        "method \"%.60s\" is not known; methods are head, full, seq_bn, double_seq_bn, par_bn, "
                        "scaled_par_bn, adapter_plus, lora",
                        stem);
    *kind = WF_METHOD_ADAPTER;
    *lr = ADAPTER_LR;
    return WF_OK;
}

static wf_status range_check(const char *what, double value, double low, double high, wf_err *err) {
    if (!(value >= low && value <= high))
        return wfi_fail(err, WF_E_ARG, "%s is %g; it must lie in [%g, %g]", what, value, low, high);
    return WF_OK;
}

/* A whole number from 1, where 0 is "not given". */
static wf_status count_check(const char *what, int64_t value, int64_t high, wf_err *err) {
    if (value < 0 || value > high)
        return wfi_fail(err, WF_E_ARG, "%s is %lld; it must lie in [1, %lld]", what, (long long)value, (long long)high);
    return WF_OK;
}

/* 0 is "not given", -1 is none. */
static wf_status none_check(const char *what, double value, double high, wf_err *err) {
    if (value != -1 && !(value >= 0 && value <= high))
        return wfi_fail(err, WF_E_ARG,
                        "%s is %g; it must lie in [0, %g] (0 on the command line, -1 in the library: none)", what,
                        value, high);
    return WF_OK;
}

static wf_status spec_check(const wf_train_spec *s, wf_method_kind kind, wf_err *err) {
    if (!s->task) return wfi_fail(err, WF_E_ARG, "which task? see: weft task list");
    if ((kind == WF_METHOD_FUSION || kind == WF_METHOD_MEAN) && s->from_count == 0)
        return wfi_fail(err, WF_E_ARG, "a fusion needs the names of the adapters it joins (--from A,B)");
    WF_TRY(range_check("epochs", s->epochs, 0, 10000, err));
    WF_TRY(range_check("learning rate", s->lr, 0, 10, err));
    WF_TRY(range_check("weight decay", s->weight_decay, 0, 10, err));
    WF_TRY(none_check("warm-up share", s->warmup, 1, err));
    WF_TRY(none_check("greatest gradient norm", s->max_grad_norm, 1e9, err));
    WF_TRY(range_check("label smoothing", s->label_smoothing, 0, 0.99, err));
    WF_TRY(range_check("stochastic depth", s->stochastic_depth, 0, 0.99, err));
    WF_TRY(range_check("mixout", s->mixout, 0, 0.99, err));
    WF_TRY(range_check("R-Drop", s->rdrop, 0, 100, err));
    WF_TRY(range_check("focal", s->focal, 0, 10, err));
    if (s->focal > 0 && s->label_smoothing > 0)
        return wfi_fail(err, WF_E_ARG, "focal loss and label smoothing exclude each other; leave one out");
    if (s->stochastic_depth > 0 && (kind == WF_METHOD_HEAD || kind == WF_METHOD_FULL))
        return wfi_fail(err, WF_E_ARG, "stochastic depth is for bottleneck adapters and fusions, not for method %s",
                        kind == WF_METHOD_HEAD ? "head" : "full");
    WF_TRY(none_check("average", s->average, 0.9999, err));
    WF_TRY(none_check("head dropout", s->head_dropout, 0.99, err));
    if (s->base_dropout != 0 && s->base_dropout != 1 && s->base_dropout != -1)
        return wfi_fail(err, WF_E_ARG,
                        "base dropout is %g; 1 is dropout as the base was trained with it, -1 is none, and there is "
                        "nothing between",
                        s->base_dropout);
    WF_TRY(count_check("rows", s->rows, 1000000000000, err));
    WF_TRY(count_check("steps", s->steps, 1000000000, err));
    WF_TRY(count_check("batch rows", s->batch_rows, 65536, err));
    WF_TRY(count_check("batch tokens", s->batch_tokens, 1 << 22, err));
    WF_TRY(count_check("accumulate", s->accumulate, 65536, err));
    WF_TRY(range_check("cache memory", (double)s->cache_memory, -1, 1 << 30, err));
    WF_TRY(count_check("max length", s->max_length, 1 << 16, err));
    WF_TRY(count_check("head layers", s->head_layers, 2, err));
    WF_TRY(none_check("patience", s->patience, 1000000, err));
    WF_TRY(wfi_precision_check(s->base_dtype, err));
    wf_dtype type = WF_DTYPE_F32;
    if (kind == WF_METHOD_FULL && wfi_precision_parse(s->base_dtype, &type) && type == WF_DTYPE_I8)
        return wfi_fail(err, WF_E_ARG,
                        "a base that is trained itself (methods full and multihead) is multiplied in f32 or bf16; int8 "
                        "is for frozen ones");
    const struct {
        const char *what, *value, *known[5], *list;
    } words[] = {
        {"schedule", s->schedule, {"linear", "cosine", "constant"}, "linear, cosine, constant"},
        {"class weights", s->class_weights, {"auto", "sqrt", "balanced", "none"}, "auto, sqrt, balanced, none"},
        {"pooling", s->pooling, {"mean", "cls", "pooler"}, "mean, cls, pooler"},
        {"class sampling", s->class_sampling, {"natural", "sqrt", "balanced"}, "natural, sqrt, balanced"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!words[i].value) continue;
        const char *const *k = words[i].known;
        while (*k && strcmp(*k, words[i].value) != 0) k++;
        if (!*k)
            return wfi_fail(err, WF_E_ARG, "%s \"%.40s\": use one of %s", words[i].what, words[i].value, words[i].list);
    }
    return WF_OK;
}

static void text_set(json_t *j, const char *key, const char *value, const char *otherwise) {
    if (!value) value = otherwise;
    json_object_set_new(j, key, value ? json_string(value) : json_null());
}

/* Only adapter methods have settings of their own in brackets. */
static wf_status brackets_check(const char *method, wf_method_kind kind, wf_err *err) {
    const size_t n = stem_length(method);
    if (kind == WF_METHOD_ADAPTER || !method[n]) return WF_OK;
    return wfi_fail(err, WF_E_ARG, "method %.*s has no settings in brackets (\"%.60s\")%s", (int)n, method, method + n,
                    kind == WF_METHOD_FUSION ? "; a fusion's belong to its configuration: dynamic[...]" : "");
}

wf_status wfi_settings_resolve(const wf_train_spec *s, json_t **out, wf_err *err) {
    const char *method = s->method ? s->method : "seq_bn";
    wf_method_kind kind;
    double lr;
    WF_TRY(method_find(method, &kind, &lr, err));
    WF_TRY(brackets_check(method, kind, err));
    WF_TRY(spec_check(s, kind, err));
    json_t *j = json_object(), *from = json_array();
    if (!j || !from) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < s->from_count; i++) json_array_append_new(from, json_string(s->from[i]));
    text_set(j, "task", s->task, NULL);
    text_set(j, "method", method, NULL);
    text_set(j, "name", s->name, NULL);
    text_set(j, "base", s->base, NULL);
    text_set(j, "config", s->config, kind == WF_METHOD_FUSION ? "dynamic" : NULL);
    text_set(j, "pooling", s->pooling, NULL);
    text_set(j, "schedule", s->schedule, "linear");
    text_set(j, "class_weights", s->class_weights, "auto");
    text_set(j, "class_sampling", s->class_sampling, "natural");
    text_set(j, "base_dtype", s->base_dtype, "auto");
    json_object_set_new(j, "from", from);
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        {"epochs", s->epochs},
        {"lr", s->lr > 0 ? s->lr : lr},
        {"weight_decay", s->weight_decay},
        {"warmup", s->warmup > 0   ? s->warmup
                   : s->warmup < 0 ? 0.0
                                   : 0.1},
        {"max_grad_norm", s->max_grad_norm > 0   ? s->max_grad_norm
                          : s->max_grad_norm < 0 ? 0.0
                                                 : 1.0},
        {"label_smoothing", s->label_smoothing},
        {"stochastic_depth", s->stochastic_depth},
        {"mixout", s->mixout},
        {"rdrop", s->rdrop},
        {"focal", s->focal},
        {"average", s->average > 0                             ? s->average
                    : s->average < 0 || kind == WF_METHOD_FULL ? 0.0
                                                               : 0.99},
        {"head_dropout", s->head_dropout > 0   ? s->head_dropout
                         : s->head_dropout < 0 ? 0.0
                                               : 0.1},
        {"base_dropout", s->base_dropout < 0 || (s->base_dropout == 0 && kind != WF_METHOD_FULL) ? 0.0 : 1.0}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(j, numbers[i].key, json_real(numbers[i].value));
    const struct {
        const char *key;
        int64_t value;
    } whole[] = {{"rows", s->rows},
                 {"steps", s->steps},
                 {"batch_tokens", s->batch_tokens ? s->batch_tokens : 8192},
                 {"batch_rows", s->batch_rows ? s->batch_rows : 32},
                 {"accumulate", s->accumulate ? s->accumulate : 1},
                 {"max_length", s->max_length ? s->max_length : 256},
                 {"cache_memory", s->cache_memory},
                 {"head_layers", s->head_layers},
                 {"patience", s->patience ? s->patience : 5},
                 {"seed", (int64_t)s->seed}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        json_object_set_new(j, whole[i].key, json_integer(whole[i].value));
    json_object_set_new(j, "train_adapters", json_boolean(s->train_adapters));
    json_object_set_new(j, "keep_fusion", json_boolean(s->keep_fusion));
    *out = j;
    return WF_OK;
}

static const char *text_get(const json_t *j, const char *key) {
    return json_string_value(json_object_get(j, key));
}

wf_status wfi_settings_read(const json_t *j, wf_settings *s, wf_err *err) {
    static const char where[] = "run settings";
    int64_t head_layers = 0, patience = 0, seed = 0;
    double lr;
    *s = (wf_settings){.task = text_get(j, "task"),
                       .method = text_get(j, "method"),
                       .name = text_get(j, "name"),
                       .base = text_get(j, "base"),
                       .config = text_get(j, "config"),
                       .pooling = text_get(j, "pooling"),
                       .schedule = text_get(j, "schedule"),
                       .class_weights = text_get(j, "class_weights"),
                       .class_sampling = text_get(j, "class_sampling"),
                       .from = json_object_get(j, "from"),
                       .weights = json_object_get(j, "weights"),
                       .train_adapters = json_is_true(json_object_get(j, "train_adapters")),
                       .keep_fusion = json_is_true(json_object_get(j, "keep_fusion"))};
    if (!s->task || !s->method || !s->schedule || !s->class_weights)
        return wfi_fail(err, WF_E_DATA, "%s: task, method, schedule or class_weights is missing", where);
    WF_TRY(method_find(s->method, &s->kind, &lr, err));
    const struct {
        const char *key;
        double *at;
    } numbers[] = {{"epochs", &s->epochs},
                   {"lr", &s->lr},
                   {"weight_decay", &s->weight_decay},
                   {"warmup", &s->warmup},
                   {"max_grad_norm", &s->max_grad_norm},
                   {"label_smoothing", &s->label_smoothing},
                   {"head_dropout", &s->head_dropout},
                   {"base_dropout", &s->base_dropout}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        WF_TRY(wfi_json_num(j, numbers[i].key, where, numbers[i].at, err));
    const struct {
        const char *key;
        int64_t *at;
    } whole[] = {{"rows", &s->rows},
                 {"steps", &s->steps},
                 {"batch_tokens", &s->batch_tokens},
                 {"batch_rows", &s->batch_rows},
                 {"accumulate", &s->accumulate},
                 {"max_length", &s->max_length},
                 {"head_layers", &head_layers},
                 {"patience", &patience},
                 {"seed", &seed}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        WF_TRY(wfi_json_int(j, whole[i].key, where, INT64_MIN, INT64_MAX, whole[i].at, err));
    static const char *const newer[] = {"stochastic_depth", "mixout", "rdrop", "focal"}; /* older runs: none */
    double *const at[] = {&s->stochastic_depth, &s->mixout, &s->rdrop, &s->focal};
    for (size_t i = 0; i < 4; i++) WF_TRY(wfi_json_num_or(j, newer[i], where, 0, at[i], err));
    if (!s->class_sampling) s->class_sampling = "natural";
    WF_TRY(wfi_json_num_or(j, "average", where, 0, &s->average, err));                        /* older runs: none */
    WF_TRY(wfi_json_int_or(j, "cache_memory", where, -1, 1 << 30, 0, &s->cache_memory, err)); /* older runs: none */
    s->head_layers = (int)head_layers;
    s->patience = (int)patience;
    s->seed = (uint64_t)seed;
    const char *type = text_get(j, "base_dtype");
    if (!wfi_precision_parse(type, &s->base_dtype))
        return wfi_fail(err, WF_E_DATA, "%s: base_dtype \"%.40s\" is none of f32, bf16, int8", where, type);
    return WF_OK;
}

bool wfi_settings_frozen(const wf_settings *s) {
    return s->kind == WF_METHOD_HEAD || s->kind == WF_METHOD_MEAN;
}

double wfi_settings_epochs(const wf_settings *s, int64_t rows) {
    if (s->epochs > 0) return s->epochs;
    const double steps_an_epoch = ceil((double)rows / (double)(s->batch_rows * s->accumulate));
    if (s->steps > 0) return ceil((double)s->steps / steps_an_epoch);
    const double epochs = ceil(600.0 / steps_an_epoch); /* about 600 steps at least, within [5, 30] epochs */
    return epochs < 5 ? 5 : epochs > 30 ? 30 : epochs;
}

size_t wfi_settings_cache(const wf_settings *s) {
    enum { MIB = 1 << 20, MOST = 1024 };
    if (s->cache_memory < 0) return 0;
    if (s->cache_memory > 0) return (size_t)s->cache_memory * MIB;
    const int64_t quarter = wfi_clock_free_memory() / 4, most = (int64_t)MOST * MIB;
    return (size_t)(quarter < MIB ? MIB : quarter > most ? most : quarter);
}
