/* adapters/adapter.h - one interface for every adapter method. Layer 5.
 *
 * A method is a `static const wf_adapter_method` in its own file (adapters/bottleneck.c, adapters/lora.c), listed in
 * list.inc, and presets (seq_bn, double_seq_bn, ...) are rows of names and JSON settings in presets.c. Configurations
 * are JSON objects with the fields and defaults of the Python `adapters` library (formats.md 2.1); unknown fields are
 * kept, unsupported values refused by name. Maths: maths.md 1.0-1.4. */
#ifndef WF_ADAPTERS_ADAPTER_H
#define WF_ADAPTERS_ADAPTER_H
#include "base/json.h"
#include "nn/site.h"
#include "tensor/source.h"

typedef struct wf_base_shape { /* what an adapter must know of its base */
    int layers;
    int64_t hidden_size, intermediate_size;
} wf_base_shape;

typedef struct wf_adapter wf_adapter;
typedef struct wf_adapter_method {
    const char *name;         /* "bottleneck", "lora" */
    const char *architecture; /* value of the config's "architecture" key; NULL for bottlenecks (absent) */
    /* Fills defaults into config, checks every field (name and bounds in the message). */
    wf_status (*configure)(json_t *config, const wf_base_shape *base, wf_err *err);
    /* Adds all parameters to a->params with the library's tensor names without prefix "bert." and with the adapter's
     * name. */
    wf_status (*build)(wf_adapter *a, wf_err *err);
    void (*init)(
        wf_adapter *a,
        uint64_t seed); /* values by seed, adapter name, layer and parameter name: order of creation changes nothing */
    wf_value *(*block)(const wf_adapter *a, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_value *x,
                       const wf_norm *norm); /* NULL result without failure is impossible; called only when takes() */
    wf_value *(*linear)(const wf_adapter *a, const wf_pass *pass, wf_site site, int layer, wf_value *x,
                        const wf_linear *w);
    bool (*takes)(const wf_adapter *a, wf_site site, int layer);
    void (*free)(wf_adapter *a);  /* the method's own state */
    const char *segment;          /* what stands before the adapter's name in tensor names: "adapters", "loras" */
    const char *alias, *alias_of; /* a part of tensor names under which files hold a second copy of the tensors named
                                     alias_of; or NULL */
} wf_adapter_method;
const wf_adapter_method *const *wfi_adapter_methods(size_t *count); /* all of list.inc */

struct wf_adapter {
    char *name; /* no dots */
    const wf_adapter_method *method;
    json_t *config; /* complete configuration */
    wf_base_shape base;
    wf_pset params;   /* committed; wfi_pset_trainable decides about gradients */
    void *state;      /* method's own: per layer views of params */
    uint64_t version; /* changes when frozen values were overwritten: wfi_adapter_changed */
};

/* preset_or_json: "seq_bn", "double_seq_bn", "par_bn", "scaled_par_bn", "lora" (and old names pfeiffer, houlsby,
 * parallel), optionally with overrides "seq_bn[reduction_factor=8,non_linearity=gelu]", or a JSON object text.
 * Initialised by the seed. */
wf_status wfi_adapter_new(const char *name, const char *preset_or_json, const wf_base_shape *base, uint64_t seed,
                          wf_adapter **out, wf_err *err);
wf_status wfi_adapter_from_config(const char *name, const json_t *config, const wf_base_shape *base, wf_adapter **out,
                                  wf_err *err); /* values zero */
void wfi_adapter_free(wf_adapter *a);
bool wfi_adapter_preset_known(const char *name);
const char *const *wfi_adapter_presets(size_t *count);
wf_status wfi_adapter_name_check(const char *name, wf_err *err);
/* To be called by whoever writes into the values of an adapter that is not being trained: forms made of them are
 * rebuilt. */
void wfi_adapter_changed(wf_adapter *a);
/* Copies values from a source; names accepted with and without "bert." and with another adapter name in them. Missing,
 * extra and misshaped tensors are errors by name. */
wf_status wfi_adapter_load(wf_adapter *a, const wf_source *from, wf_err *err);
#endif
