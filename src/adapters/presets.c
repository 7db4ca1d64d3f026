/* adapters/presets.c - see presets.h. Fields and defaults as `adapters` 1.3.0 writes them. A preset is a row: name, old
 * name, the fields in which it differs from its method's defaults. */
#include "adapters/presets.h"
#include "adapters/adapter.h"
#include "adapters/settings.h"
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include <string.h>

const char wfi_bottleneck_defaults[] =
    "{\"original_ln_before\": false, \"original_ln_after\": true, \"ln_before\": false, \"ln_after\": false,"
    " \"init_weights\": \"bert\", \"init_weights_seed\": null, \"is_parallel\": false, \"scaling\": 1.0, "
    "\"use_gating\": false,"
    " \"residual_before_ln\": true, \"adapter_residual_before_ln\": false, \"inv_adapter\": null,"
    " \"inv_adapter_reduction_factor\": null, \"cross_adapter\": false, \"leave_out\": [], \"dropout\": 0.0,"
    " \"phm_layer\": false, \"phm_dim\": 4, \"factorized_phm_W\": true, \"shared_W_phm\": false, \"shared_phm_rule\": "
    "true,"
    " \"factorized_phm_rule\": false, \"phm_c_init\": \"normal\", \"phm_init_range\": 0.0001, \"learn_phm\": true,"
    " \"hypercomplex_nonlinearity\": \"glorot-uniform\", \"phm_rank\": 1, \"phm_bias\": true, \"stochastic_depth\": "
    "0.0}";

const char wfi_lora_defaults[] =
    "{\"architecture\": \"lora\", \"selfattn_lora\": true, \"intermediate_lora\": false, \"output_lora\": false, "
    "\"leave_out\": [],"
    " \"r\": 8, \"alpha\": 8, \"dropout\": 0.0, \"attn_matrices\": [\"q\", \"v\"], \"composition_mode\": \"add\","
    " \"init_weights\": \"lora\", \"init_weights_seed\": null, \"use_gating\": false, \"use_dora\": false, \"vera_d\": "
    "null,"
    " \"vera_b\": null, \"dtype\": null}";

#define SEQ_BN                                                                                                         \
    "\"original_ln_before\": true, \"mh_adapter\": false, \"output_adapter\": true, \"non_linearity\": \"relu\", "     \
    "\"reduction_factor\": 16"
#define PAR_BN                                                                                                         \
    "\"mh_adapter\": false, \"output_adapter\": true, \"non_linearity\": \"relu\", \"reduction_factor\": 2, "          \
    "\"init_weights\": \"mam_adapter\", \"is_parallel\": true"

static const struct {
    const char *name, *old, *defaults, *fields;
} rows[] = {
    {"seq_bn", "pfeiffer", wfi_bottleneck_defaults, "{" SEQ_BN "}"},
    {"double_seq_bn", "houlsby", wfi_bottleneck_defaults,
     "{\"mh_adapter\": true, \"output_adapter\": true, \"non_linearity\": \"swish\", \"reduction_factor\": 16}"},
    {"par_bn", "parallel", wfi_bottleneck_defaults, "{" PAR_BN ", \"scaling\": 4.0}"},
    {"scaled_par_bn", "scaled_parallel", wfi_bottleneck_defaults, "{" PAR_BN ", \"scaling\": \"learned\"}"},
    {"adapter_plus", NULL, wfi_bottleneck_defaults,
     "{\"original_ln_before\": true, \"original_ln_after\": false, \"residual_before_ln\": false, "
     "\"stochastic_depth\": 0.1,"
     " \"init_weights\": \"houlsby\", \"scaling\": \"channel\", \"mh_adapter\": false, \"output_adapter\": true,"
     " \"reduction_factor\": 96, \"non_linearity\": \"gelu\"}"},
    {"lora", NULL, wfi_lora_defaults, "{}"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static const char *const unsupported[] = {/* names of the library that weft knows but cannot do yet */
                                          "seq_bn_inv",    "double_seq_bn_inv",
                                          "pfeiffer+inv",  "houlsby+inv",
                                          "compacter",     "compacter++",
                                          "prefix_tuning", "prefix_tuning_flat",
                                          "prompt_tuning", "mtl_lora",
                                          "ia3",           "vera",
                                          "dora",          "dvora",
                                          "loreft",        "noreft",
                                          "direft",        "mam",
                                          "unipelt"};

static size_t row_of(const char *name) {
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0 || (rows[i].old && strcmp(rows[i].old, name) == 0)) return i;
    return ROWS;
}

bool wfi_adapter_preset_known(const char *name) {
    return row_of(name) < ROWS;
}

const char *const *wfi_adapter_presets(size_t *count) {
    static const char *const names[ROWS] = {"seq_bn",        "double_seq_bn", "par_bn",
                                            "scaled_par_bn", "adapter_plus",  "lora"};
    *count = ROWS;
    return names;
}

static wf_status unknown(const char *name, wf_err *err) {
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        if (strcmp(unsupported[i], name) == 0)
            return wfi_fail_at(err, WF_E_UNSUPPORTED, name, -1, "adapter method \"%s\" is not supported yet", name);
    wf_buffer b = {0};
    for (size_t i = 0; i < ROWS; i++) wfi_buffer_printf(&b, "%s%s", i ? ", " : "", rows[i].name);
    wfi_fail_at(err, WF_E_ARG, name, -1, "no adapter method \"%.60s\"; known: %s", name, b.data ? b.data : "");
    wfi_buffer_clear(&b);
    return WF_E_ARG;
}

static wf_status row_config(size_t i, json_t **out, wf_err *err) {
    json_t *config = NULL;
    WF_TRY(wfi_json_parse(rows[i].fields, strlen(rows[i].fields), rows[i].name, &config, err));
    wf_status st = wfi_settings_fill(config, rows[i].defaults, err);
    if (st != WF_OK) {
        json_decref(config);
        return st;
    }
    *out = config;
    return WF_OK;
}

wf_status wfi_preset_config(const char *text, json_t **out, wf_err *err) {
    if (!text) return wfi_fail(err, WF_E_ARG, "an adapter needs a method");
    if (text[0] == '{') return wfi_json_parse(text, strlen(text), "adapter configuration", out, err);
    char *stem = NULL;
    const char *overrides = NULL;
    json_t *config = NULL;
    WF_TRY(wfi_settings_split(text, &stem, &overrides, err));
    const size_t i = row_of(stem);
    wf_status st = i < ROWS ? row_config(i, &config, err) : unknown(stem, err);
    if (st == WF_OK) st = wfi_settings_override(config, stem, overrides, err);
    wfi_free(stem);
    if (st != WF_OK) {
        json_decref(config);
        return st;
    }
    *out = config;
    return WF_OK;
}
