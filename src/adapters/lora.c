/* adapters/lora.c - LoRA (Hu et al. 2022): y = W x + b + (alpha/r) B A drop(x). Layer 5.
 * Places: query, key, value, the attention's output projection ("o"; the Python class knows the letter but does not
 * reach that matrix of BERT and ignores its tensors), and both feed-forward matrices. With use_gating the gate replaces
 * alpha/r. */
#include "adapters/adapter.h"
#include "adapters/presets.h"
#include "adapters/settings.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "nn/init.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FIRST = WF_SITE_QUERY, PLACES = WF_SITE_FFN_DOWN - WF_SITE_QUERY + 1, RANK_MAX = 1 << 14 };

typedef struct settings {
    bool at[PLACES]; /* by site - FIRST */
    int64_t r;
    float scale, dropout; /* scale = alpha / r */
    bool gate, normal_init, seeded;
    uint64_t seed;
} settings;

typedef struct place {
    wf_linear A, B; /* (r,in), (out,r), without bias */
    wf_linear gate; /* weight NULL: none */
} place;

typedef struct state {
    settings set;
    place *at; /* [layers, PLACES]; A.weight NULL: none there */
} state;

/* ---- configuration ---- */

static wf_status places_read(const json_t *config, settings *s, wf_err *err) {
    bool attention = false, up = false, down = false;
    WF_TRY(wfi_settings_bool(config, "selfattn_lora", &attention, err));
    WF_TRY(wfi_settings_bool(config, "intermediate_lora", &up, err));
    WF_TRY(wfi_settings_bool(config, "output_lora", &down, err));
    const json_t *list = json_object_get(config, "attn_matrices");
    const char *allowed = "allowed: a list of \"q\", \"k\", \"v\", \"o\"";
    if (!json_is_array(list)) return wfi_settings_refuse(WF_E_DATA, config, "attn_matrices", allowed, err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        const char *letters = "qkvo";
        const char *found = name && strlen(name) == 1 ? strchr(letters, name[0]) : NULL;
        if (!found) return wfi_settings_refuse(WF_E_DATA, config, "attn_matrices", allowed, err);
        if (attention) s->at[found - letters] = true;
    }
    s->at[WF_SITE_FFN_UP - FIRST] = up;
    s->at[WF_SITE_FFN_DOWN - FIRST] = down;
    bool any = false;
    for (int i = 0; i < PLACES; i++) any |= s->at[i];
    if (!any)
        return wfi_settings_refuse(
            WF_E_DATA, config, "attn_matrices",
            "the adapter would sit nowhere (selfattn_lora, intermediate_lora and output_lora do not help either)", err);
    return WF_OK;
}

static wf_status numbers_read(const json_t *config, settings *s, wf_err *err) {
    const json_t *r = json_object_get(config, "r"), *alpha = json_object_get(config, "alpha");
    if (!json_is_integer(r) || json_integer_value(r) < 1 || json_integer_value(r) > RANK_MAX)
        return wfi_settings_refuse(WF_E_DATA, config, "r", "allowed: an integer from 1 to 16384", err);
    s->r = json_integer_value(r);
    const double scale = json_number_value(alpha) / (double)s->r;
    if (!json_is_number(alpha) || !isfinite((float)scale))
        return wfi_settings_refuse(WF_E_DATA, config, "alpha", "allowed: a number", err);
    s->scale = (float)scale;
    WF_TRY(wfi_settings_rate(config, "dropout", &s->dropout, err));
    return wfi_settings_bool(config, "use_gating", &s->gate, err);
}

static wf_status names_read(const json_t *config, settings *s, wf_err *err) {
    const char *mode = NULL, *how = NULL;
    WF_TRY(wfi_settings_string(config, "composition_mode", &mode, err));
    if (strcmp(mode, "scale") == 0)
        return wfi_settings_refuse(WF_E_UNSUPPORTED, config, "composition_mode",
                                   "(IA)3 is not supported yet; only \"add\"", err);
    if (strcmp(mode, "add") != 0)
        return wfi_settings_refuse(WF_E_DATA, config, "composition_mode", "allowed: \"add\"", err);
    WF_TRY(wfi_settings_unsupported(config, "use_dora", err));
    WF_TRY(wfi_settings_unsupported(config, "vera_d", err));
    WF_TRY(wfi_settings_unsupported(config, "vera_b", err));
    const json_t *dtype = json_object_get(config, "dtype");
    if (dtype && !json_is_null(dtype) && !(json_is_string(dtype) && strcmp(json_string_value(dtype), "float32") == 0))
        return wfi_settings_refuse(WF_E_UNSUPPORTED, config, "dtype", "weft trains in float32 only", err);
    WF_TRY(wfi_settings_string(config, "init_weights", &how, err));
    s->normal_init = strcmp(how, "bert") == 0;
    if (!s->normal_init && strcmp(how, "lora") != 0)
        return wfi_settings_refuse(WF_E_DATA, config, "init_weights", "allowed: \"lora\", \"bert\"", err);
    return wfi_settings_seed(config, "init_weights_seed", &s->seeded, &s->seed, err);
}

static wf_status settings_read(json_t *config, const wf_base_shape *base, settings *s, bool *skip, wf_err *err) {
    WF_TRY(wfi_settings_fill(config, wfi_lora_defaults, err));
    WF_TRY(places_read(config, s, err));
    WF_TRY(numbers_read(config, s, err));
    WF_TRY(names_read(config, s, err));
    WF_TRY(wfi_settings_layers(config, "leave_out", base->layers, skip, err));
    for (int i = 0; i < base->layers; i++)
        if (!skip[i]) return WF_OK;
    return wfi_settings_refuse(WF_E_DATA, config, "leave_out", "it leaves out every layer", err);
}

static wf_status configure(json_t *config, const wf_base_shape *base, wf_err *err) {
    settings s = {0};
    bool *skip = wfi_alloc((size_t)base->layers, sizeof *skip);
    if (!skip) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    const wf_status st = settings_read(config, base, &s, skip, err);
    wfi_free(skip);
    return st;
}

/* ---- parameters ---- */

static void sizes_of(const wf_base_shape *b, int k, int64_t *in, int64_t *out) {
    *in = k == WF_SITE_FFN_DOWN - FIRST ? b->intermediate_size : b->hidden_size;
    *out = k == WF_SITE_FFN_UP - FIRST ? b->intermediate_size : b->hidden_size;
}

static wf_status param_add(wf_adapter *a, int layer, int k, const char *name, int rank, const int64_t *shape,
                           wf_param **out, wf_err *err) {
    static const char *const modules[PLACES] = {"attention.self.query",   "attention.self.key", "attention.self.value",
                                                "attention.output.dense", "intermediate.dense", "output.dense"};
    char full[320];
    snprintf(full, sizeof full, "encoder.layer.%d.%s.loras.%s.%s", layer, modules[k], a->name, name);
    *out = wfi_pset_add(&a->params, full, rank, shape, rank > 1);
    return *out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %s", full);
}

static wf_status place_build(wf_adapter *a, const settings *s, int layer, int k, place *p, wf_err *err) {
    int64_t in = 0, out = 0;
    sizes_of(&a->base, k, &in, &out);
    p->A = (wf_linear){.in = in, .out = s->r};
    p->B = (wf_linear){.in = s->r, .out = out};
    WF_TRY(param_add(a, layer, k, "lora_A", 2, (int64_t[]){s->r, in}, &p->A.weight, err));
    WF_TRY(param_add(a, layer, k, "lora_B", 2, (int64_t[]){out, s->r}, &p->B.weight, err));
    if (!s->gate) return WF_OK;
    p->gate = (wf_linear){.in = in, .out = 1};
    WF_TRY(param_add(a, layer, k, "gate.weight", 2, (int64_t[]){1, in}, &p->gate.weight, err));
    return param_add(a, layer, k, "gate.bias", 1, (int64_t[]){1}, &p->gate.bias, err);
}

static wf_status build(wf_adapter *a, wf_err *err) {
    state *s = wfi_alloc(1, sizeof *s);
    bool *skip = wfi_alloc((size_t)a->base.layers, sizeof *skip);
    a->state = s;
    if (s) s->at = wfi_alloc((size_t)a->base.layers * PLACES, sizeof *s->at);
    wf_status st = s && s->at && skip ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = settings_read(a->config, &a->base, &s->set, skip, err);
    for (int i = 0; st == WF_OK && i < a->base.layers; i++)
        for (int k = 0; st == WF_OK && k < PLACES && !skip[i]; k++)
            if (s->set.at[k]) st = place_build(a, &s->set, i, k, &s->at[i * PLACES + k], err);
    wfi_free(skip);
    return st;
}

static void state_free(wf_adapter *a) {
    state *s = a->state;
    if (s) wfi_free(s->at);
    wfi_free(s);
    a->state = NULL;
}

/* With init_weights_seed all places get the same values, as in the library. */
static uint64_t key_of(const settings *s, const wf_param *p, uint64_t seed) {
    if (!s->seeded) return wfi_random_key(seed, p->name, 0, 0);
    const char *own = strstr(p->name, ".loras.");
    own = own ? strchr(own + strlen(".loras."), '.') : NULL;
    return wfi_random_key(s->seed, own ? own : p->name, 1, 0);
}

static void init(wf_adapter *a, uint64_t seed) {
    const state *st = a->state;
    const settings *s = &st->set;
    for (int i = 0; i < a->base.layers * PLACES; i++) {
        const place *p = &st->at[i];
        wf_param *A = p->A.weight, *B = p->B.weight;
        if (!A) continue;
        const float bound = 1.0f / sqrtf((float)p->A.in);
        if (s->normal_init) {
            wfi_init_normal(A, key_of(s, A, seed), 0.02f);
            wfi_init_normal(B, key_of(s, B, seed), 0.02f);
        } else {
            wfi_init_uniform(A, key_of(s, A, seed), bound);
            wfi_init_constant(B, 0.0f);
        }
        if (!p->gate.weight) continue;
        wfi_init_normal(p->gate.weight, key_of(s, p->gate.weight, seed), 0.02f);
        wfi_init_uniform(p->gate.bias, key_of(s, p->gate.bias, seed),
                         bound); /* torch.nn.Linear's own, which the library keeps */
    }
    wfi_adapter_changed(a);
}

/* ---- forward ---- */

static const place *place_at(const wf_adapter *a, wf_site site, int layer) {
    const state *s = a->state;
    if ((int)site < FIRST || (int)site >= FIRST + PLACES || layer < 0 || layer >= a->base.layers) return NULL;
    const place *p = &s->at[layer * PLACES + ((int)site - FIRST)];
    return p->A.weight ? p : NULL;
}

static bool takes(const wf_adapter *a, wf_site site, int layer) {
    return place_at(a, site, layer) != NULL;
}

static wf_value *linear(const wf_adapter *a, const wf_pass *pass, wf_site site, int layer, wf_value *x,
                        const wf_linear *w) {
    const settings *s = &((const state *)a->state)->set;
    const place *p = place_at(a, site, layer);
    wf_tape *t = pass->tape;
    const uint64_t key = wfi_random_key(pass->key, "lora.dropout", (uint64_t)layer, (uint64_t)site);
    if (!p)
        return wfi_tape_fail(t, WF_E_ARG, "adapter \"%s\" has nothing at layer %d, %s", a->name, layer,
                             wfi_site_name(site));
    wf_value *y = wfi_op_linear(t, x, w);
    if (!p->gate.weight) return wfi_op_lora(t, y, x, p->A.weight, p->B.weight, s->scale, s->dropout, key);
    wf_value *in = s->dropout > 0.0f && wfi_tape_drops(t) ? wfi_op_dropout(t, x, s->dropout, key) : x;
    wf_value *delta = wfi_op_linear(t, wfi_op_linear(t, in, &p->A), &p->B);
    delta =
        wfi_op_gate(t, delta, x, &p->gate, pass->S, pass->offsets); /* the gate reads x as it is and replaces alpha/r */
    return wfi_op_add(t, 2, (wf_value *[]){y, delta});
}

const wf_adapter_method wfi_method_lora = {
    .name = "lora",
    .architecture = "lora",
    .configure = configure,
    .build = build,
    .init = init,
    .block = NULL,
    .linear = linear,
    .takes = takes,
    .free = state_free,
    .segment = "loras",
};
