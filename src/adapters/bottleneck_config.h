/* adapters/bottleneck_config.h - the checked settings of a bottleneck adapter. Private to adapters/. Layer 5. */
#ifndef WF_ADAPTERS_BOTTLENECK_CONFIG_H
#define WF_ADAPTERS_BOTTLENECK_CONFIG_H
#include "adapters/adapter.h"

typedef enum wf_residual {
    WF_RESIDUAL_BEFORE,
    WF_RESIDUAL_AFTER,
    WF_RESIDUAL_POST_ADD
} wf_residual; /* residual_before_ln true, false, "post_add" */
typedef enum wf_scaling { WF_SCALING_CONSTANT, WF_SCALING_LEARNED, WF_SCALING_CHANNEL } wf_scaling;
typedef enum wf_bottleneck_init { WF_INIT_BERT, WF_INIT_MAM, WF_INIT_HOULSBY } wf_bottleneck_init;

typedef struct wf_bottleneck_settings { /* names as in the configuration */
    bool mh_adapter, output_adapter;
    bool original_ln_before, original_ln_after, ln_before, ln_after;
    bool adapter_residual_before_ln, use_gating, is_parallel;
    wf_residual residual;
    wf_scaling scaling_kind;
    float scaling, dropout, stochastic_depth;
    wf_act act;
    wf_bottleneck_init init;
    bool seeded;
    uint64_t seed; /* init_weights_seed, when seeded */
} wf_bottleneck_settings;

/* Fills defaults into config and checks all fields; reads them into out (may be NULL). */
wf_status wfi_bottleneck_configure(json_t *config, const wf_base_shape *base, wf_bottleneck_settings *out, wf_err *err);
/* Bottleneck width of a layer, 0 when the layer is left out. The configuration has been checked. */
int64_t wfi_bottleneck_width(const json_t *config, const wf_base_shape *base, int layer);
#endif
