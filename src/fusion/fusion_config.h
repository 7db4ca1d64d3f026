/* fusion/fusion_config.h - the checked settings of a fusion. Private to fusion/. Layer 6. */
#ifndef WF_FUSION_CONFIG_H
#define WF_FUSION_CONFIG_H
#include "base/json.h"

typedef struct wf_fusion_settings { /* names as in the configuration */
    bool key, query, value, query_before_ln, regularization, residual_before, temperature, value_initialized;
    float dropout; /* < 0: the base's */
} wf_fusion_settings;

/* "dynamic", "static", either with [field=value,...], or a JSON object text -> configuration (new reference). */
wf_status wfi_fusion_preset(const char *preset_or_json, json_t **out, wf_err *err);
/* Fills defaults into config, checks and reads all fields. */
wf_status wfi_fusion_configure(json_t *config, wf_fusion_settings *out, wf_err *err);
#endif
