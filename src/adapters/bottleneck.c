/* adapters/bottleneck.c - the bottleneck adapter (Houlsby et al. 2019, Pfeiffer et al. 2021, He et al. 2022) with all
 * settings of the Python library's BnConfig; the steps are numbered as in the design notes' generic block. See
 * bottleneck.h. Departure from the library: the residual sum in front of the frozen LayerNorm is one operation, so it
 * rounds differently. */
#include "adapters/bottleneck.h"
#include "adapters/bottleneck_config.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "nn/init.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SITES = 2 };          /* WF_SITE_ATTN_OUT, WF_SITE_FFN_OUT */
#define ADAPTER_LN_EPS 1e-5f /* torch's default, not BERT's 1e-12 */

typedef struct state {
    wf_bottleneck_settings set;
    wf_bottleneck *at; /* [layers, SITES]; m 0: none there */
} state;

static wf_status configure(json_t *config, const wf_base_shape *base, wf_err *err) {
    return wfi_bottleneck_configure(config, base, NULL, err);
}

/* ---- parameters ---- */

typedef struct builder {
    wf_adapter *a;
    char stem[256]; /* "encoder.layer.{i}.output.adapters.{a}." */
} builder;

static wf_status add(builder *b, const char *name, int rank, const int64_t *shape, wf_param **out, wf_err *err) {
    char full[320];
    snprintf(full, sizeof full, "%s%s", b->stem, name);
    *out = wfi_pset_add(&b->a->params, full, rank, shape, rank > 1);
    return *out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %s", full);
}

static wf_status linear_add(builder *b, const char *name, int64_t out, int64_t in, wf_linear *l, wf_err *err) {
    char full[64];
    *l = (wf_linear){.in = in, .out = out};
    snprintf(full, sizeof full, "%s.weight", name);
    WF_TRY(add(b, full, 2, (int64_t[]){out, in}, &l->weight, err));
    snprintf(full, sizeof full, "%s.bias", name);
    return add(b, full, 1, &out, &l->bias, err);
}

static wf_status norm_add(builder *b, const char *name, int64_t width, wf_norm *n, wf_err *err) {
    char full[64];
    *n = (wf_norm){.width = width, .eps = ADAPTER_LN_EPS};
    snprintf(full, sizeof full, "%s.weight", name);
    WF_TRY(add(b, full, 1, &width, &n->gamma, err));
    snprintf(full, sizeof full, "%s.bias", name);
    return add(b, full, 1, &width, &n->beta, err);
}

static wf_status place_build(builder *b, const wf_bottleneck_settings *s, wf_bottleneck *p, wf_err *err) {
    const int64_t d = b->a->base.hidden_size;
    p->act = s->act;
    p->scale = s->scaling;
    if (s->ln_before) WF_TRY(norm_add(b, "adapter_norm_before", d, &p->ln_before, err));
    WF_TRY(linear_add(b, s->ln_before ? "adapter_down.1" : "adapter_down.0", p->m, d, &p->down, err));
    WF_TRY(linear_add(b, "adapter_up", d, p->m, &p->up, err));
    if (s->scaling_kind != WF_SCALING_CONSTANT)
        WF_TRY(add(b, "scaling", 1, (int64_t[]){s->scaling_kind == WF_SCALING_LEARNED ? 1 : d}, &p->scale_param, err));
    if (s->ln_after) WF_TRY(norm_add(b, "adapter_norm_after", d, &p->ln_after, err));
    if (s->use_gating) WF_TRY(linear_add(b, "gate", 1, d, &p->gate, err));
    return WF_OK;
}

static wf_status build(wf_adapter *a, wf_err *err) {
    state *s = wfi_alloc(1, sizeof *s);
    a->state = s;
    if (s) s->at = wfi_alloc((size_t)a->base.layers * SITES, sizeof *s->at);
    if (!s || !s->at) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    WF_TRY(wfi_bottleneck_configure(a->config, &a->base, &s->set, err));
    builder b = {.a = a};
    for (int i = 0; i < a->base.layers; i++) {
        const int64_t m = wfi_bottleneck_width(a->config, &a->base, i);
        for (int k = 0; k < SITES && m > 0; k++) {
            if (k == 0 ? !s->set.mh_adapter : !s->set.output_adapter) continue;
            wf_bottleneck *p = &s->at[i * SITES + k];
            p->m = m;
            snprintf(b.stem, sizeof b.stem, "encoder.layer.%d.%s.adapters.%s.", i,
                     k == 0 ? "attention.output" : "output", a->name);
            WF_TRY(place_build(&b, &s->set, p, err));
        }
    }
    return WF_OK;
}

static void state_free(wf_adapter *a) {
    state *s = a->state;
    if (s) wfi_free(s->at);
    wfi_free(s);
    a->state = NULL;
}

/* ---- first values ---- */

/* With init_weights_seed all places get the same values, as in the library: the key then leaves layer, site and name
 * out. */
static uint64_t key_of(const wf_adapter *a, const wf_param *p, uint64_t seed) {
    const wf_bottleneck_settings *s = &((const state *)a->state)->set;
    if (!s->seeded) return wfi_random_key(seed, p->name, 0, 0);
    const char *own = strstr(p->name, ".adapters.");
    own = own ? strchr(own + strlen(".adapters."), '.') : NULL;
    return wfi_random_key(s->seed, own ? own : p->name, 1, 0);
}

static void linear_default(const wf_adapter *a, const wf_linear *l, uint64_t seed) { /* torch.nn.Linear's own */
    const float bound = 1.0f / sqrtf((float)l->in);
    wfi_init_uniform(l->weight, key_of(a, l->weight, seed), bound);
    wfi_init_uniform(l->bias, key_of(a, l->bias, seed), bound);
}

static void linear_normal(const wf_adapter *a, const wf_linear *l, uint64_t seed) {
    wfi_init_normal(l->weight, key_of(a, l->weight, seed), 0.02f);
    wfi_init_constant(l->bias, 0.0f);
}

static void place_init(const wf_adapter *a, const wf_bottleneck *p, uint64_t seed) {
    const wf_bottleneck_init how = ((const state *)a->state)->set.init;
    const wf_norm *norms[] = {&p->ln_before, &p->ln_after};
    for (int i = 0; i < 2; i++) {
        if (!norms[i]->gamma) continue;
        wfi_init_constant(norms[i]->gamma, 1.0f);
        wfi_init_constant(norms[i]->beta, 0.0f);
    }
    if (p->scale_param) wfi_init_constant(p->scale_param, 1.0f);
    wfi_init_constant(p->down.bias, 0.0f);
    wfi_init_constant(p->up.bias, 0.0f);
    switch (how) {
    case WF_INIT_BERT:
        linear_normal(a, &p->down, seed);
        linear_normal(a, &p->up, seed);
        break;
    case WF_INIT_MAM:
        wfi_init_uniform(p->down.weight, key_of(a, p->down.weight, seed), 1.0f / sqrtf((float)p->down.in));
        wfi_init_constant(p->up.weight, 0.0f);
        break;
    case WF_INIT_HOULSBY:
        wfi_init_truncated(p->down.weight, key_of(a, p->down.weight, seed), 0.01f, 0.02f);
        wfi_init_truncated(p->up.weight, key_of(a, p->up.weight, seed), 0.01f, 0.02f);
        break;
    }
    if (!p->gate.weight) return;
    if (how == WF_INIT_HOULSBY)
        linear_default(a, &p->gate, seed); /* the library leaves it as torch made it */
    else
        linear_normal(a, &p->gate, seed);
}

static void init(wf_adapter *a, uint64_t seed) {
    const state *s = a->state;
    for (int i = 0; i < a->base.layers * SITES; i++)
        if (s->at[i].m) place_init(a, &s->at[i], seed);
    wfi_adapter_changed(a);
}

/* ---- forward ---- */

static int place_index(const wf_adapter *a, wf_site site, int layer) {
    if ((site != WF_SITE_ATTN_OUT && site != WF_SITE_FFN_OUT) || layer < 0 || layer >= a->base.layers) return -1;
    return layer * SITES + (site == WF_SITE_FFN_OUT);
}

extern const wf_adapter_method wfi_method_bottleneck;

bool wfi_adapter_is_bottleneck(const wf_adapter *a) {
    return a && a->method == &wfi_method_bottleneck;
}

const wf_bottleneck *wfi_bottleneck_at(const wf_adapter *a, wf_site site, int layer) {
    if (!wfi_adapter_is_bottleneck(a)) return NULL;
    const int i = place_index(a, site, layer);
    const state *s = a->state;
    return i >= 0 && s->at[i].m ? &s->at[i] : NULL;
}

static bool takes(const wf_adapter *a, wf_site site, int layer) {
    return wfi_bottleneck_at(a, site, layer) != NULL;
}

bool wfi_bottleneck_parallel(const wf_adapter *a) {
    return ((const state *)a->state)->set.is_parallel;
}

wf_status wfi_bottleneck_inputs(const wf_adapter *a, const wf_pass *pass, wf_value *h, wf_value *x, const wf_norm *norm,
                                wf_value **z, wf_value **r, wf_err *err) {
    if (!wfi_adapter_is_bottleneck(a)) return wfi_fail(err, WF_E_ARG, "adapter \"%s\" is no bottleneck", a->name);
    const wf_bottleneck_settings *s = &((const state *)a->state)->set;
    wf_tape *t = pass->tape;
    if (s->is_parallel) {
        *z = *r = x;
        return WF_OK;
    }
    wf_value *in = h, *residual = h;
    if (s->original_ln_before) {
        if (s->residual == WF_RESIDUAL_POST_ADD) {
            residual = wfi_op_add(t, 2, (wf_value *[]){h, x});
            in = wfi_op_norm(t, 1, &residual, norm);
        } else {
            in = wfi_op_norm(t, 2, (wf_value *[]){h, x}, norm);
        }
    }
    if (s->residual == WF_RESIDUAL_AFTER) residual = in;
    if (!in || !residual) return wfi_tape_status(t, err);
    *z = in;
    *r = residual;
    return WF_OK;
}

/* Step 7 on a sum that has not been formed. */
wf_value *wfi_bottleneck_outer_sum(const wf_adapter *a, const wf_pass *pass, int n, wf_value *const *addends,
                                   wf_value *x, const wf_norm *norm) {
    wf_value *all[8];
    if (n < 1 || n > 7) return wfi_tape_fail(pass->tape, WF_E_ARG, "bottleneck: %d addends", n);
    for (int i = 0; i < n; i++) all[i] = addends[i];
    all[n] = x;
    if (((const state *)a->state)->set.original_ln_after) return wfi_op_norm(pass->tape, n + 1, all, norm);
    return n == 1 ? all[0] : wfi_op_add(pass->tape, n, all);
}

wf_value *wfi_bottleneck_outer(const wf_adapter *a, const wf_pass *pass, wf_value *o, wf_value *x,
                               const wf_norm *norm) {
    return o ? wfi_bottleneck_outer_sum(a, pass, 1, &o, x, norm) : NULL;
}

static uint64_t pass_key(const wf_pass *pass, const char *purpose, wf_site site, int layer) {
    return wfi_random_key(pass->key, purpose, (uint64_t)layer, (uint64_t)site);
}

/* Steps 2 to 5: z -> gated, dropped, scaled output without residual. */
static wf_value *inner(const wf_bottleneck_settings *s, const wf_bottleneck *p, const wf_pass *pass, wf_site site,
                       int layer, wf_value *z) {
    wf_tape *t = pass->tape;
    wf_value *in = p->ln_before.gamma ? wfi_op_norm(t, 1, &z, &p->ln_before) : z;
    wf_value *o = wfi_op_bottleneck(t, in, &p->down, &p->up, p->act);
    if (s->stochastic_depth > 0.0f && !s->is_parallel && wfi_tape_drops(t))
        o = wfi_op_drop_path(t, o, s->stochastic_depth, pass_key(pass, "adapter.stochastic_depth", site, layer),
                             pass->S, pass->offsets);
    if (p->scale_param)
        o = wfi_op_scale_param(t, o, p->scale_param);
    else if (p->scale != 1.0f)
        o = wfi_op_scale(t, o, p->scale);
    if (s->dropout > 0.0f && wfi_tape_drops(t))
        o = wfi_op_dropout(t, o, s->dropout, pass_key(pass, "adapter.dropout", site, layer));
    if (p->gate.weight) o = wfi_op_gate(t, o, z, &p->gate, pass->S, pass->offsets);
    return o;
}

static wf_value *block(const wf_adapter *a, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_value *x,
                       const wf_norm *norm) {
    const wf_bottleneck_settings *s = &((const state *)a->state)->set;
    const wf_bottleneck *p = wfi_bottleneck_at(a, site, layer);
    wf_tape *t = pass->tape;
    wf_value *z = NULL, *r = NULL;
    if (!p)
        return wfi_tape_fail(t, WF_E_ARG, "adapter \"%s\" has nothing at layer %d, %s", a->name, layer,
                             wfi_site_name(site));
    if (!h || !x || wfi_bottleneck_inputs(a, pass, h, x, norm, &z, &r, wfi_tape_err(t)) != WF_OK || !z) return NULL;
    wf_value *o = inner(s, p, pass, site, layer, z);
    if (!o) return NULL;
    if (s->is_parallel) {
        if (p->ln_after.gamma) o = wfi_op_norm(t, 1, &o, &p->ln_after);
        return o ? wfi_bottleneck_outer_sum(a, pass, 2, (wf_value *[]){o, h}, x, norm) : NULL;
    }
    if (p->ln_after.gamma && s->adapter_residual_before_ln) { /* step 6, the residual inside the new norm */
        o = wfi_op_norm(t, 2, (wf_value *[]){o, r}, &p->ln_after);
        return wfi_bottleneck_outer(a, pass, o, x, norm);
    }
    if (p->ln_after.gamma) o = wfi_op_norm(t, 1, &o, &p->ln_after);
    return o ? wfi_bottleneck_outer_sum(a, pass, 2, (wf_value *[]){o, r}, x, norm) : NULL;
}

const wf_adapter_method wfi_method_bottleneck = {
    .name = "bottleneck",
    .architecture = NULL,
    .configure = configure,
    .build = build,
    .init = init,
    .block = block,
    .linear = NULL,
    .takes = takes,
    .free = state_free,
    .segment = "adapters",
    .alias = ".adapter_down.0.",
    .alias_of = ".adapter_norm_before.",
};
