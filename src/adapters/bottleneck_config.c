/* adapters/bottleneck_config.c - see bottleneck_config.h. Fields as BnConfig of `adapters` 1.3.0. */
#include "adapters/bottleneck_config.h"
#include "adapters/presets.h"
#include "adapters/settings.h"
#include "base/alloc.h"
#include "base/error.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BOTTLENECK_MAX = 1 << 16 };

/* Python's floor division of a float, then at least 1; 0: not a usable factor. */
static int64_t width_of(int64_t d, const json_t *factor) {
    const double f = json_number_value(factor);
    if (!json_is_number(factor) || !(f > 0.0) || !isfinite(f)) return 0;
    const double m = floor(((double)d - fmod((double)d, f)) / f + 0.5); /* an integer but for rounding */
    if (!(m <= BOTTLENECK_MAX)) return 0;
    return m < 1.0 ? 1 : (int64_t)m;
}

static const json_t *factor_of(const json_t *config, int layer) {
    const json_t *f = json_object_get(config, "reduction_factor");
    if (!json_is_object(f)) return f;
    char key[16];
    snprintf(key, sizeof key, "%d", layer);
    const json_t *own = json_object_get(f, key);
    return own ? own : json_object_get(f, "default");
}

int64_t wfi_bottleneck_width(const json_t *config, const wf_base_shape *base, int layer) {
    const json_t *skip = json_object_get(config, "leave_out");
    for (size_t i = 0; i < json_array_size(skip); i++)
        if (json_integer_value(json_array_get(skip, i)) == layer) return 0;
    return width_of(base->hidden_size, factor_of(config, layer));
}

static wf_status factors_check(const json_t *config, const wf_base_shape *base, wf_err *err) {
    const char *allowed =
        "allowed: a number above 0 (the bottleneck is hidden_size / reduction_factor wide, at most 65536), or "
        "{\"LAYER\": number, ..., \"default\": number} that covers all layers";
    bool *skip = wfi_alloc((size_t)base->layers, sizeof *skip);
    if (!skip) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_settings_layers(config, "leave_out", base->layers, skip, err);
    for (int i = 0; st == WF_OK && i < base->layers; i++)
        if (!skip[i] && width_of(base->hidden_size, factor_of(config, i)) == 0)
            st = wfi_settings_refuse(WF_E_DATA, config, "reduction_factor", allowed, err);
    bool any = false;
    for (int i = 0; i < base->layers; i++) any |= !skip[i];
    if (st == WF_OK && !any) st = wfi_settings_refuse(WF_E_DATA, config, "leave_out", "it leaves out every layer", err);
    wfi_free(skip);
    return st;
}

/* The Python class takes a float only; a whole number is made one so that our files open there. */
static wf_status scaling_read(json_t *config, wf_bottleneck_settings *s, wf_err *err) {
    const json_t *v = json_object_get(config, "scaling");
    const char *text = json_string_value(v);
    s->scaling = 1.0f;
    if (json_is_number(v)) {
        const double value = json_number_value(v);
        if (!isfinite((float)value)) return wfi_settings_refuse(WF_E_DATA, config, "scaling", "it is too large", err);
        s->scaling_kind = WF_SCALING_CONSTANT;
        s->scaling = (float)value;
        if (json_is_integer(v) && json_object_set_new(config, "scaling", json_real(value)))
            return wfi_fail(err, WF_E_NOMEM, "out of memory");
        return WF_OK;
    }
    if (text && strcmp(text, "learned") == 0)
        s->scaling_kind = WF_SCALING_LEARNED;
    else if (text && strcmp(text, "channel") == 0)
        s->scaling_kind = WF_SCALING_CHANNEL;
    else
        return wfi_settings_refuse(WF_E_DATA, config, "scaling", "allowed: a number, \"learned\", \"channel\"", err);
    return WF_OK;
}

static wf_status residual_read(const json_t *config, wf_bottleneck_settings *s, wf_err *err) {
    const json_t *v = json_object_get(config, "residual_before_ln");
    const char *text = json_string_value(v);
    if (json_is_boolean(v))
        s->residual = json_is_true(v) ? WF_RESIDUAL_BEFORE : WF_RESIDUAL_AFTER;
    else if (text && strcmp(text, "post_add") == 0)
        s->residual = WF_RESIDUAL_POST_ADD;
    else
        return wfi_settings_refuse(WF_E_DATA, config, "residual_before_ln", "allowed: true, false, \"post_add\"", err);
    if (s->residual == WF_RESIDUAL_POST_ADD && !s->original_ln_before && !s->is_parallel)
        return wfi_settings_refuse(WF_E_DATA, config, "residual_before_ln", "this needs original_ln_before = true",
                                   err);
    return WF_OK;
}

static wf_status act_read(const json_t *config, wf_bottleneck_settings *s, wf_err *err) {
    const char *text = NULL;
    char lower[32];
    WF_TRY(wfi_settings_string(config, "non_linearity", &text, err));
    snprintf(lower, sizeof lower, "%s", text);
    for (char *c = lower; *c; c++) *c = (char)tolower((unsigned char)*c);
    if (strlen(text) < sizeof lower && wfi_act_parse(lower, &s->act)) return WF_OK;
    return wfi_settings_refuse(WF_E_UNSUPPORTED, config, "non_linearity",
                               "weft knows no such activation; known are relu, gelu, gelu_new, swish, tanh, "
                               "leakyrelu, sigmoid, relu6, relu2, mish, quick_gelu, linear",
                               err);
}

static wf_status init_read(const json_t *config, wf_bottleneck_settings *s, wf_err *err) {
    static const char *const names[] = {"bert", "mam_adapter", "houlsby"};
    const char *text = NULL;
    WF_TRY(wfi_settings_string(config, "init_weights", &text, err));
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            s->init = (wf_bottleneck_init)i;
            return wfi_settings_seed(config, "init_weights_seed", &s->seeded, &s->seed, err);
        }
    return wfi_settings_refuse(WF_E_DATA, config, "init_weights", "allowed: \"bert\", \"mam_adapter\", \"houlsby\"",
                               err);
}

/* First-generation files nest the settings of invertible adapters. */
static wf_status invertible_read(json_t *config, wf_err *err) {
    const json_t *nested = json_object_get(config, "invertible_adapter");
    json_t *kind = json_object_get(nested, "block_type"), *factor = json_object_get(nested, "reduction_factor");
    if (kind && json_object_set(config, "inv_adapter", kind)) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (factor && json_object_set(config, "inv_adapter_reduction_factor", factor))
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (nested) json_object_del(config, "invertible_adapter");
    return wfi_settings_unsupported(config, "inv_adapter", err);
}

wf_status wfi_bottleneck_configure(json_t *config, const wf_base_shape *base, wf_bottleneck_settings *out,
                                   wf_err *err) {
    wf_bottleneck_settings s = {0};
    static const char *const required[] = {"mh_adapter", "output_adapter", "reduction_factor", "non_linearity"};
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        if (!json_object_get(config, required[i]))
            return wfi_settings_refuse(
                WF_E_DATA, config, required[i],
                "a bottleneck adapter needs it (or start from a preset, e.g. seq_bn[reduction_factor=8])", err);
    WF_TRY(invertible_read(config, err));
    WF_TRY(wfi_settings_fill(config, wfi_bottleneck_defaults, err));
    const struct {
        const char *field;
        bool *at;
    } flags[] = {{"mh_adapter", &s.mh_adapter},
                 {"output_adapter", &s.output_adapter},
                 {"original_ln_before", &s.original_ln_before},
                 {"original_ln_after", &s.original_ln_after},
                 {"ln_before", &s.ln_before},
                 {"ln_after", &s.ln_after},
                 {"adapter_residual_before_ln", &s.adapter_residual_before_ln},
                 {"use_gating", &s.use_gating},
                 {"is_parallel", &s.is_parallel}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        WF_TRY(wfi_settings_bool(config, flags[i].field, flags[i].at, err));
    WF_TRY(wfi_settings_unsupported(config, "phm_layer", err));
    if (!s.mh_adapter && !s.output_adapter)
        return wfi_settings_refuse(WF_E_DATA, config, "output_adapter",
                                   "mh_adapter is false too, so the adapter would sit nowhere", err);
    if (json_is_null(json_object_get(config, "leave_out")) && json_object_set_new(config, "leave_out", json_array()))
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    WF_TRY(factors_check(config, base, err));
    WF_TRY(scaling_read(config, &s, err));
    WF_TRY(residual_read(config, &s, err));
    WF_TRY(act_read(config, &s, err));
    WF_TRY(init_read(config, &s, err));
    WF_TRY(wfi_settings_rate(config, "dropout", &s.dropout, err));
    WF_TRY(wfi_settings_rate(config, "stochastic_depth", &s.stochastic_depth, err));
    if (out) *out = s;
    return WF_OK;
}
