/* fusion/fusion.h - AdapterFusion (Pfeiffer et al. 2021) in the re-ordered form of maths.md 1.2 / architecture.md
 * point 4. Layer 6. The textbook form lives in tests/fusion as the oracle. */
#ifndef WF_FUSION_FUSION_H
#define WF_FUSION_FUSION_H
#include "adapters/bottleneck.h"

typedef struct wf_fusion {
    char *name;     /* "a,b,c" by default */
    json_t *config; /* complete: key, query, value, query_before_ln, regularization, residual_before, temperature,
                       value_before_softmax, value_initialized, dropout_prob */
    wf_adapter **adapters; /* [count] borrowed, in order; all bottlenecks with like placement */
    size_t count;
    wf_base_shape base;
    wf_pset params; /* names "encoder.layer.{i}.output.adapter_fusion_layer.{name}.query.weight" ... */
    void *state;
    /* Attention read-out: when not NULL, every pass adds its attention weights' sum per (site row, adapter): see
     * wfi_fusion_watch. */
    struct wf_fusion_watch *watch;
} wf_fusion;

/* preset_or_json: "dynamic", "static", with overrides "dynamic[dropout_prob=0]" or JSON. Initialised by seed, name and
 * layer. */
wf_status wfi_fusion_new(const char *name, const char *preset_or_json, wf_adapter *const *adapters, size_t count,
                         const wf_base_shape *base, uint64_t seed, wf_fusion **out, wf_err *err);
wf_status wfi_fusion_from_config(const char *name, const json_t *config, wf_adapter *const *adapters, size_t count,
                                 const wf_base_shape *base, wf_fusion **out, wf_err *err);
void wfi_fusion_free(wf_fusion *f);
/* Of several fusions in the source the one with f's name is taken, else the first. */
wf_status wfi_fusion_load(wf_fusion *f, const wf_source *from, wf_err *err);
wf_status wfi_fusion_load_named(wf_fusion *f, const wf_source *from, const char *stored_name,
                                wf_err *err); /* the one of that name */
bool wfi_fusion_takes(const wf_fusion *f, wf_site site, int layer);
/* A block site with fusion; default_dropout: the base's attention_probs_dropout_prob, used when the config's
 * dropout_prob is null (0.0 switches dropout off here, unlike the Python library; config key "dropout_prob" documents
 * it). */
wf_value *wfi_fusion_block(const wf_fusion *f, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_value *x,
                           const wf_norm *norm, float default_dropout);
/* Multiplications and additions of a place's matrix products for T rows, in the form that a pass takes (op_fuse.h);
 * training: forward and backward, its own matrices trained, the adapters frozen. live: there is something trained
 * below. 0 where no fusion stands. */
double wfi_fusion_flop(const wf_fusion *f, wf_site site, int layer, bool training, bool live, int64_t T);
/* 0.01 * sum ||I - W_v||^2 over all blocks as one [1,1] value when the config's regularization is true and W_v is
 * trained; else NULL. */
wf_value *wfi_fusion_penalty(const wf_fusion *f, wf_tape *tape);

/* A configuration with temperature = true: the softmax temperature of later training passes, 50 at step 0, 0.05 less a
 * step down to 1 (the library counts forward passes instead and forgets the count on saving). Passes that do not train
 * always use 1. */
void wfi_fusion_temperature(wf_fusion *f, int64_t step);

/* Stochastic depth of later training passes: what the adapters mix is left out of a whole sequence with probability p,
 * place by place. WF_E_ARG where the residual is inside the mix (residual_before). */
wf_status wfi_fusion_drop_path(wf_fusion *f, float p, wf_err *err);

/* Takes adapters out of the attention of all later passes, exactly: the softmax runs over those that are left, and a
 * place where none is left is the base's own. What the last adapter decides (its inputs, the residual) stays. out
 * [count], copied; NULL: none is out. Passes with dropout on the scores fail while one is out. Not while others use the
 * fusion. */
void wfi_fusion_leave_out(wf_fusion *f, const bool *out);

/* A new fusion of the adapters that are not out ([count] flags, not all set), with this one's trained matrices, and
 * named by them. */
wf_status wfi_fusion_subset(const wf_fusion *f, const bool *out, wf_fusion **subset, wf_err *err);

/* Tests: a wf_fuse_form (op_fuse.h) for all later passes, where it is possible; as made, the fastest is taken. */
void wfi_fusion_form(wf_fusion *f, int form);

typedef struct wf_fusion_watch { /* mean attention per (block, adapter) and its entropy */
    size_t blocks, adapters;
    double *sum;     /* [blocks, adapters] of attention weights over tokens */
    double *entropy; /* [blocks] sum over tokens, natural log */
    int64_t tokens;  /* a block */
    /* When not NULL: is told the weights [tokens, branches] of every block's every pass; branches are the adapters that
     * sit there. */
    void (*tell)(void *self, size_t block, int64_t tokens, int64_t branches, const float *weights);
    void *self;
} wf_fusion_watch;
wf_status wfi_fusion_watch_on(wf_fusion *f, wf_err *err); /* zeroed */
void wfi_fusion_watch_off(wf_fusion *f);
size_t wfi_fusion_blocks(const wf_fusion *f);
/* Which (layer, site) block row b is. */
void wfi_fusion_block_at(const wf_fusion *f, size_t b, int *layer, wf_site *site);
#endif
