/* lab/settings.h - one training's settings: from the public struct to JSON (what a run stores) and to plain values.
 * Layer 10. Defaults by method stand in one table in settings.c. */
#ifndef WF_LAB_SETTINGS_H
#define WF_LAB_SETTINGS_H
#include "base/json.h"
#include "tensor/source.h"
#include "weft/lab.h"
#include <stdbool.h>

typedef enum wf_method_kind {
    WF_METHOD_HEAD,
    WF_METHOD_FULL,
    WF_METHOD_ADAPTER,
    WF_METHOD_FUSION,
    WF_METHOD_MEAN /* of adapters that stay frozen; the head is trained */
} wf_method_kind;

struct wf_adapter;
enum { WF_MADE = 32 };
typedef struct wf_made { /* adapters that are in no lab; a fusion or mean of such a name takes them over (NULL then) */
    struct wf_adapter *adapter[WF_MADE];
    size_t count;
} wf_made;

typedef struct wf_settings { /* strings borrowed from the JSON */
    wf_method_kind kind;
    const char *task, *method, *name, *base, *config, *pooling, *schedule, *class_weights, *class_sampling;
    const json_t *from; /* array of names */
    int64_t rows, steps, batch_tokens, batch_rows, accumulate, max_length;
    int64_t cache_memory; /* MiB; 0: as much as is sensible, -1: no cache */
    double epochs, lr, weight_decay, warmup, max_grad_norm, label_smoothing, head_dropout, base_dropout, average;
    double stochastic_depth, mixout, rdrop, focal;
    wf_dtype base_dtype;
    int head_layers, patience;
    uint64_t seed;
    bool train_adapters, keep_fusion;
    const json_t *weights; /* of a mean, as many as `from`; NULL: equal ones */
    wf_made *made;         /* looked at before the lab; NULL: none */
} wf_settings;

/* Checks the spec and fills the method's defaults; what depends on the data (epochs 0, pooling, base) stays open. */
wf_status wfi_settings_resolve(const wf_train_spec *spec, json_t **out, wf_err *err);
wf_status wfi_settings_read(const json_t *json, wf_settings *out, wf_err *err);
bool wfi_settings_frozen(const wf_settings *s); /* a head alone is trained: what it starts from can be kept */
/* Epochs when none were given: enough passes for small data, few for large. */
double wfi_settings_epochs(const wf_settings *s, int64_t rows);
/* Bytes of memory for what the frozen layers make of the rows; when none were given: a quarter of what is free, 1 GiB
 * at most. */
size_t wfi_settings_cache(const wf_settings *s);
#endif
