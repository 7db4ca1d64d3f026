/* fusion/fusion_config.c - see fusion_config.h. Fields as AdapterFusionConfig of `adapters` 1.3.0. value_before_softmax
 * is kept but changes nothing here: W_v has no bias, so mixing before or after it gives the same values. */
#include "fusion/fusion_config.h"
#include "adapters/settings.h"
#include "base/alloc.h"
#include "base/error.h"
#include <string.h>

static const struct {
    const char *name, *fields;
} rows[] = {
    {"dynamic",
     "{\"key\": true, \"query\": true, \"value\": true, \"query_before_ln\": false, \"regularization\": true,"
     " \"residual_before\": false, \"temperature\": false, \"value_before_softmax\": true, \"value_initialized\": true,"
     " \"dropout_prob\": null}"},
    {"static",
     "{\"key\": true, \"query\": true, \"value\": false, \"query_before_ln\": false, \"regularization\": false,"
     " \"residual_before\": false, \"temperature\": false, \"value_before_softmax\": true, \"value_initialized\": "
     "false,"
     " \"dropout_prob\": null}"},
};

wf_status wfi_fusion_preset(const char *text, json_t **out, wf_err *err) {
    if (!text) text = "dynamic";
    if (text[0] == '{') return wfi_json_parse(text, strlen(text), "fusion configuration", out, err);
    char *stem = NULL;
    const char *overrides = NULL;
    json_t *config = NULL;
    WF_TRY(wfi_settings_split(text, &stem, &overrides, err));
    wf_status st = wfi_fail(err, WF_E_ARG, "no fusion configuration \"%.60s\"; known: dynamic, static", stem);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(stem, rows[i].name) == 0)
            st = wfi_json_parse(rows[i].fields, strlen(rows[i].fields), stem, &config, err);
    if (st == WF_OK) st = wfi_settings_override(config, stem, overrides, err);
    wfi_free(stem);
    if (st != WF_OK) {
        json_decref(config);
        return st;
    }
    if (err) *err = (wf_err){.offset = -1};
    *out = config;
    return WF_OK;
}

/* Old files write it as a text. */
static wf_status initialized_read(json_t *config, bool *out, wf_err *err) {
    const char *text = json_string_value(json_object_get(config, "value_initialized"));
    if (!text) return wfi_settings_bool(config, "value_initialized", out, err);
    if (strcmp(text, "True") == 0 || strcmp(text, "true") == 0)
        *out = true;
    else if (strcmp(text, "False") == 0 || strcmp(text, "false") == 0 || !*text)
        *out = false;
    else
        return wfi_settings_refuse(WF_E_DATA, config, "value_initialized", "allowed: true, false", err);
    return json_object_set_new(config, "value_initialized", json_boolean(*out))
               ? wfi_fail(err, WF_E_NOMEM, "out of memory")
               : WF_OK;
}

wf_status wfi_fusion_configure(json_t *config, wf_fusion_settings *out, wf_err *err) {
    wf_fusion_settings s = {.dropout = -1.0f};
    static const char *const required[] = {"key", "query", "value"};
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        if (!json_object_get(config, required[i]))
            return wfi_settings_refuse(WF_E_DATA, config, required[i],
                                       "a fusion needs it (or start from \"dynamic\" or \"static\")", err);
    WF_TRY(wfi_settings_fill(
        config,
        "{\"query_before_ln\": false, \"regularization\": false, \"residual_before\": false, \"temperature\": false,"
        " \"value_before_softmax\": true, \"value_initialized\": false, \"dropout_prob\": null}",
        err));
    bool order = false;
    const struct {
        const char *field;
        bool *at;
    } flags[] = {{"key", &s.key},
                 {"query", &s.query},
                 {"value", &s.value},
                 {"query_before_ln", &s.query_before_ln},
                 {"regularization", &s.regularization},
                 {"residual_before", &s.residual_before},
                 {"temperature", &s.temperature},
                 {"value_before_softmax", &order}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        WF_TRY(wfi_settings_bool(config, flags[i].field, flags[i].at, err));
    WF_TRY(initialized_read(config, &s.value_initialized, err));
    if (!json_is_null(json_object_get(config, "dropout_prob")))
        WF_TRY(wfi_settings_rate(config, "dropout_prob", &s.dropout, err));
    *out = s;
    return WF_OK;
}
