/* fusion/fusion.c - fusions: their blocks, parameters, and what happens at a site. See fusion.h; the arithmetic is
 * op_fuse.c.
 *
 * One block stands at every (layer, site) where at least one of the adapters sits. The last adapter there decides about
 * inputs, residual and outer norm, as in the library; so a Fuse of parallel adapters adds x twice, which is reproduced.
 * Frozen adapters' weights are stacked and packed once a block and kept; they are made anew when an adapter's version,
 * or one of a few sampled values, has changed, and whenever the adapters are being trained. Stochastic depth and
 * dropout of the fused adapters play no part here. */
#include "fusion/fusion.h"
#include "adapters/settings.h"
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/random.h"
#include "fusion/fuse_own.h"
#include "fusion/fusion_config.h"
#include "fusion/op_fuse.h"
#include "nn/init.h"
#include "nn/params_load.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { ADAPTERS_MAX = 1024, NAME_MAX_BYTES = 8192 };

typedef struct fuse_block {
    int layer;
    wf_site site;
    size_t *which; /* [stack.N] index of each branch's adapter */
    bool *out;     /* [stack.N] left out of the attention */
    int64_t left;  /* branches that are not */
    wf_fuse_own own;
    wf_fuse_stack stack; /* of frozen adapters; filled when valid */
    void *memory;
    bool valid;
    uint64_t version, stamp; /* what it was filled from */
    uint64_t filling;        /* how often */
} fuse_block;

typedef struct state {
    wf_fusion_settings set;
    size_t count;
    fuse_block *blocks;
    int *at; /* [layers, 2] block index or -1 */
    float temperature, drop_path;
    wf_fuse_form form;
    pthread_mutex_t lock; /* of the frozen forms */
} state;

/* ---- making ---- */

static wf_status adapters_check(wf_adapter *const *adapters, size_t count, const wf_base_shape *base, wf_err *err) {
    static const char *const common[] = {"mh_adapter", "output_adapter"};
    if (count < 1 || count > ADAPTERS_MAX)
        return wfi_fail(err, WF_E_ARG, "a fusion of %zu adapters; possible are 1 to %d", count, ADAPTERS_MAX);
    for (size_t i = 0; i < count; i++) {
        const wf_adapter *a = adapters[i];
        if (!wfi_adapter_is_bottleneck(a))
            return wfi_fail(err, WF_E_ARG, "adapter \"%s\" is a %s; only bottleneck adapters can be fused", a->name,
                            a->method->name);
        if (a->base.layers != base->layers || a->base.hidden_size != base->hidden_size)
            return wfi_fail(err, WF_E_SHAPE,
                            "adapter \"%s\" was made for a base of %d layers of width %lld, the fusion for %d of %lld",
                            a->name, a->base.layers, (long long)a->base.hidden_size, base->layers,
                            (long long)base->hidden_size);
        if (strchr(a->name, ','))
            return wfi_fail(err, WF_E_ARG,
                            "adapter \"%s\": a comma in the name; commas separate the names of fused adapters",
                            a->name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(adapters[k]->name, a->name) == 0)
                return wfi_fail(err, WF_E_ARG, "adapter \"%s\" stands twice in the fusion", a->name);
        for (size_t k = 0; k < sizeof common / sizeof *common; k++)
            if (!json_equal(json_object_get(a->config, common[k]), json_object_get(adapters[0]->config, common[k])))
                return wfi_fail(err, WF_E_ARG,
                                "adapters \"%s\" and \"%s\" differ in %s; fused adapters must sit at the same places",
                                adapters[0]->name, a->name, common[k]);
    }
    return WF_OK;
}

static char *name_of(wf_adapter *const *adapters, size_t count) {
    wf_buffer b = {0};
    for (size_t i = 0; i < count; i++) wfi_buffer_printf(&b, "%s%s", i ? "," : "", adapters[i]->name);
    return wfi_buffer_take(&b);
}

static wf_status name_check(const char *name, wf_err *err) {
    if (strlen(name) > NAME_MAX_BYTES || !*name)
        return wfi_fail(err, WF_E_ARG, "a fusion's name has 1 to %d bytes", NAME_MAX_BYTES);
    for (const char *c = name; *c; c++)
        if (*c == '.' || (unsigned char)*c < 0x20 || *c == 0x7f)
            return wfi_fail(err, WF_E_ARG,
                            "fusion name \"%.128s\": dots and control characters are not possible (names become part "
                            "of tensor names)",
                            name);
    return WF_OK;
}

static wf_status linear_add(wf_fusion *f, const fuse_block *b, const char *part, bool bias, wf_linear *l, wf_err *err) {
    const int64_t d = f->base.hidden_size;
    wf_buffer name = {0};
    *l = (wf_linear){.in = d, .out = d};
    for (int k = 0; k < 1 + bias; k++) {
        name.len = 0;
        wfi_buffer_printf(&name, "encoder.layer.%d.%s.adapter_fusion_layer.%s.%s.%s", b->layer, wfi_site_name(b->site),
                          f->name, part, k ? "bias" : "weight");
        const bool decay = k == 0 && bias; /* W_v must not be pulled to zero: it starts at the identity */
        wf_param *p = name.failed ? NULL : wfi_pset_add(&f->params, name.data, k ? 1 : 2, (int64_t[]){d, d}, decay);
        if (k)
            l->bias = p;
        else
            l->weight = p;
        if (!p) break;
    }
    wfi_buffer_clear(&name);
    return l->weight && (l->bias || !bias) ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for a fusion");
}

static wf_status block_build(wf_fusion *f, fuse_block *b, int layer, wf_site site, size_t n, wf_err *err) {
    const state *s = f->state;
    const wf_bottleneck **branch = wfi_alloc(n, sizeof *branch);
    size_t bytes = 0, k = 0;
    *b = (fuse_block){.layer = layer,
                      .site = site,
                      .which = wfi_alloc(n, sizeof *b->which),
                      .out = wfi_alloc(n, sizeof *b->out),
                      .left = (int64_t)n};
    wf_status st = branch && b->which && b->out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for a fusion");
    for (size_t i = 0; st == WF_OK && i < f->count; i++) {
        const wf_bottleneck *p = wfi_bottleneck_at(f->adapters[i], site, layer);
        if (!p) continue;
        branch[k] = p;
        b->which[k++] = i;
    }
    if (st == WF_OK) st = wfi_stack_bytes(branch, n, &bytes, err);
    if (st == WF_OK && !(b->memory = wfi_alloc_aligned(bytes)))
        st = wfi_fail(err, WF_E_NOMEM, "out of memory for a fusion");
    if (st == WF_OK) wfi_stack_lay(&b->stack, branch, n, b->memory);
    if (st == WF_OK && s->set.query) st = linear_add(f, b, "query", true, &b->own.query, err);
    if (st == WF_OK && s->set.key) st = linear_add(f, b, "key", true, &b->own.key, err);
    if (st == WF_OK && s->set.value) st = linear_add(f, b, "value", false, &b->own.value, err);
    wfi_free(branch);
    return st;
}

static wf_status blocks_build(wf_fusion *f, wf_err *err) {
    static const wf_site sites[] = {WF_SITE_ATTN_OUT, WF_SITE_FFN_OUT};
    state *s = f->state;
    const size_t places = (size_t)f->base.layers * 2;
    s->blocks = wfi_alloc(places, sizeof *s->blocks);
    s->at = wfi_alloc(places, sizeof *s->at);
    if (!s->blocks || !s->at) return wfi_fail(err, WF_E_NOMEM, "out of memory for a fusion");
    for (size_t k = 0; k < places; k++) {
        const int layer = (int)(k / 2);
        size_t n = 0;
        for (size_t i = 0; i < f->count; i++) n += wfi_bottleneck_at(f->adapters[i], sites[k % 2], layer) != NULL;
        s->at[k] = n ? (int)s->count : -1;
        if (!n) continue;
        s->count++;
        WF_TRY(block_build(f, &s->blocks[s->count - 1], layer, sites[k % 2], n, err));
    }
    return WF_OK;
}

static wf_status fill(wf_fusion *f, const char *name, const json_t *config, wf_adapter *const *adapters, size_t count,
                      wf_err *err) {
    state *s = f->state = wfi_alloc(1, sizeof *s);
    if (!s) return wfi_fail(err, WF_E_NOMEM, "out of memory for a fusion");
    pthread_mutex_init(&s->lock, NULL);
    s->temperature = 1.0f;
    f->name = name ? wfi_strdup(name) : name_of(adapters, count);
    f->config = json_deep_copy(config);
    f->adapters = wfi_alloc(count, sizeof *f->adapters);
    if (!f->name || !f->config || !f->adapters) return wfi_fail(err, WF_E_NOMEM, "out of memory for a fusion");
    f->count = count;
    memcpy(f->adapters, adapters, count * sizeof *adapters);
    WF_TRY(name_check(f->name, err));
    WF_TRY(wfi_fusion_configure(f->config, &s->set, err));
    WF_TRY(blocks_build(f, err));
    return wfi_pset_commit(&f->params, err);
}

wf_status wfi_fusion_from_config(const char *name, const json_t *config, wf_adapter *const *adapters, size_t count,
                                 const wf_base_shape *base, wf_fusion **out, wf_err *err) {
    WF_TRY(adapters_check(adapters, count, base, err));
    if (!json_is_object(config)) return wfi_fail(err, WF_E_DATA, "the fusion's configuration is no JSON object");
    wf_fusion *f = wfi_alloc(1, sizeof *f);
    if (!f) return wfi_fail(err, WF_E_NOMEM, "out of memory for a fusion");
    f->base = *base;
    wf_status st = fill(f, name, config, adapters, count, err);
    if (st != WF_OK) {
        wfi_fusion_free(f);
        return wfi_fail_in(err, st, "fusion");
    }
    *out = f;
    return WF_OK;
}

static void init(wf_fusion *f, uint64_t seed) {
    const state *s = f->state;
    for (size_t i = 0; i < s->count; i++) {
        const fuse_block *b = &s->blocks[i];
        const wf_linear *pair[] = {&b->own.query, &b->own.key};
        for (int k = 0; k < 2; k++) {
            if (!pair[k]->weight) continue;
            wfi_init_normal(pair[k]->weight, wfi_random_key(seed, pair[k]->weight->name, 0, 0), 0.02f);
            wfi_init_constant(pair[k]->bias, 0.0f);
        }
        wf_param *V = b->own.value.weight;
        if (!V) continue;
        if (s->set.value_initialized)
            wfi_init_diagonal(V, 1.0f, 1e-6f);
        else
            wfi_init_normal(V, wfi_random_key(seed, V->name, 0, 0), 0.02f);
    }
}

wf_status wfi_fusion_new(const char *name, const char *preset_or_json, wf_adapter *const *adapters, size_t count,
                         const wf_base_shape *base, uint64_t seed, wf_fusion **out, wf_err *err) {
    json_t *config = NULL;
    WF_TRY(wfi_fusion_preset(preset_or_json, &config, err));
    wf_status st = wfi_fusion_from_config(name, config, adapters, count, base, out, err);
    json_decref(config);
    if (st == WF_OK) init(*out, seed);
    return st;
}

void wfi_fusion_free(wf_fusion *f) {
    if (!f) return;
    state *s = f->state;
    for (size_t i = 0; s && i < s->count; i++) {
        wfi_fuse_own_unpack(&s->blocks[i].own);
        wfi_stack_unpack(&s->blocks[i].stack);
        wfi_free(s->blocks[i].memory);
        wfi_free(s->blocks[i].which);
        wfi_free(s->blocks[i].out);
    }
    if (s) {
        pthread_mutex_destroy(&s->lock);
        wfi_free(s->blocks);
        wfi_free(s->at);
    }
    wfi_free(s);
    wfi_fusion_watch_off(f);
    wfi_pset_clear(&f->params);
    wfi_free(f->adapters);
    json_decref(f->config);
    wfi_free(f->name);
    wfi_free(f);
}

/* ---- loading ---- */

typedef struct loader {
    wf_fusion *f;
    const char *from; /* the fusion's name in the source */
    size_t from_length;
} loader;

/* A file may also hold other fusions (the library selects by the beginning of the name), blocks of layers that all
 * adapters leave out, and the never used "dense" of a fusion without query, key and value. */
static wf_name_is rename_tensor(void *self, const char *stored, wf_buffer *out) {
    const loader *l = self;
    const char *name = NULL;
    size_t length = 0;
    int layer = -1, used = 0;
    if (strncmp(stored, "bert.", 5) == 0) stored += 5;
    if (!wfi_name_segment(stored, "adapter_fusion_layer", &name, &length)) {
        wfi_buffer_adds(out, stored);
        return WF_NAME_PARAM;
    }
    if (length != l->from_length || memcmp(name, l->from, length) != 0) return WF_NAME_IGNORE;
    const char *part = name + length;
    const state *s = l->f->state;
    if (!s->set.query && !s->set.key && !s->set.value && strncmp(part, ".dense.", 7) == 0) return WF_NAME_IGNORE;
    if (sscanf(stored, "encoder.layer.%9d.%n", &layer, &used) == 1 && used && layer >= 0 && layer < l->f->base.layers) {
        const bool attention = strncmp(stored + used, "attention.output.", 17) == 0;
        const bool adapters_there =
            json_is_true(json_object_get(l->f->adapters[0]->config, attention ? "mh_adapter" : "output_adapter"));
        if (s->at[layer * 2 + !attention] < 0 && adapters_there) return WF_NAME_IGNORE;
    }
    wfi_buffer_add(out, stored, (size_t)(name - stored));
    wfi_buffer_adds(out, l->f->name);
    wfi_buffer_adds(out, part);
    return WF_NAME_PARAM;
}

wf_status wfi_fusion_load_named(wf_fusion *f, const wf_source *from, const char *stored_name, wf_err *err) {
    loader l = {.f = f, .from = stored_name, .from_length = strlen(stored_name)};
    return wfi_params_load(&f->params, from, rename_tensor, &l, f->name, err);
}

wf_status wfi_fusion_load(wf_fusion *f, const wf_source *from, wf_err *err) {
    loader l = {.f = f, .from = f->name, .from_length = strlen(f->name)};
    const char *name = NULL, *other = NULL;
    size_t length = 0, other_length = 0;
    bool own = false;
    for (size_t i = 0; i < from->count && !own; i++) {
        if (!wfi_name_segment(from->tensors[i].name, "adapter_fusion_layer", &name, &length)) continue;
        own = length == l.from_length && memcmp(name, f->name, length) == 0;
        if (other && (length != other_length || memcmp(name, other, length) != 0) && !own) continue;
        other = name;
        other_length = length;
    }
    if (!own && other) { /* saved under another name: the first one's */
        l.from = other;
        l.from_length = other_length;
    }
    return wfi_params_load(&f->params, from, rename_tensor, &l, f->name, err);
}

/* ---- at a site ---- */

static int block_index(const wf_fusion *f, wf_site site, int layer) {
    const state *s = f->state;
    if ((site != WF_SITE_ATTN_OUT && site != WF_SITE_FFN_OUT) || layer < 0 || layer >= f->base.layers) return -1;
    return s->at[layer * 2 + (site == WF_SITE_FFN_OUT)];
}

bool wfi_fusion_takes(const wf_fusion *f, wf_site site, int layer) {
    return block_index(f, site, layer) >= 0;
}

void wfi_fusion_block_at(const wf_fusion *f, size_t b, int *layer, wf_site *site) {
    const state *s = f->state;
    if (b >= s->count) WF_BUG("no such fusion block");
    *layer = s->blocks[b].layer;
    *site = s->blocks[b].site;
}

size_t wfi_fusion_blocks(const wf_fusion *f) {
    return ((const state *)f->state)->count;
}

void wfi_fusion_temperature(wf_fusion *f, int64_t step) {
    state *s = f->state;
    const double t = 50.0 - 0.05 * (double)step;
    s->temperature = s->set.temperature && step >= 0 && t > 1.0 ? (float)t : 1.0f;
}

void wfi_fusion_leave_out(wf_fusion *f, const bool *out) {
    const state *s = f->state;
    for (size_t i = 0; i < s->count; i++) {
        fuse_block *b = &s->blocks[i];
        b->left = 0;
        for (int64_t k = 0; k < b->stack.N; k++) {
            b->out[k] = out && out[b->which[k]];
            b->left += !b->out[k];
        }
    }
}

wf_status wfi_fusion_drop_path(wf_fusion *f, float p, wf_err *err) {
    state *s = f->state;
    if (p > 0 && s->set.residual_before)
        return wfi_fail(err, WF_E_ARG,
                        "a fusion with residual_before has no stochastic depth: its mix holds the residual");
    s->drop_path = p;
    return WF_OK;
}

void wfi_fusion_form(wf_fusion *f, int form) {
    ((state *)f->state)->form = (wf_fuse_form)form;
}

static uint64_t versions(const wf_fusion *f, const fuse_block *b) {
    uint64_t v = 0;
    for (int64_t i = 0; i < b->stack.N; i++) v = v * 31 + f->adapters[b->which[i]]->version;
    return v;
}

/* The stack to compute with: the kept one, or one of this step's memory while the adapters are being trained. NULL:
 * noted. */
static const wf_fuse_stack *stack_get(const wf_fusion *f, fuse_block *b, const wf_fuse *form, wf_tape *t) {
    state *s = f->state;
    wf_err err = {0};
    wf_status st = WF_OK;
    if (wfi_stack_trained(&b->stack)) {
        size_t bytes = 0;
        if (wfi_stack_bytes(b->stack.branch, (size_t)b->stack.N, &bytes, wfi_tape_err(t)) != WF_OK) return NULL;
        wf_fuse_stack *now = wfi_tape_get(t, sizeof *now);
        void *memory = wfi_tape_get(t, bytes);
        if (!now || !memory) return NULL;
        wfi_stack_lay(now, b->stack.branch, (size_t)b->stack.N, memory);
        wfi_stack_fill(now);
        pthread_mutex_lock(&s->lock);
        b->valid = false;
        pthread_mutex_unlock(&s->lock);
        return now;
    }
    pthread_mutex_lock(&s->lock);
    const uint64_t version = versions(f, b), stamp = wfi_stack_stamp(&b->stack);
    if (!b->valid || b->version != version || b->stamp != stamp) {
        wfi_stack_unpack(&b->stack);
        wfi_stack_fill(&b->stack);
        b->valid = true;
        b->filling++;
        b->version = version;
        b->stamp = stamp;
    }
    st = wfi_stack_pack(&b->stack, wfi_fuse_full(form), wfi_tape_training(t), &err);
    pthread_mutex_unlock(&s->lock);
    return st == WF_OK ? &b->stack : wfi_tape_fail(t, st, "%s", err.text);
}

static wf_fuse fuse_of(const state *s, const fuse_block *b) {
    return (wf_fuse){.stack = &b->stack,
                     .query = b->own.query.weight ? &b->own.query : NULL,
                     .key = b->own.key.weight ? &b->own.key : NULL,
                     .value = b->own.value.weight ? &b->own.value : NULL,
                     .temperature = 1.0f,
                     .form = s->form};
}

/* Whether frozen matrices are multiplied into this stack once for all passes. */
static bool compact_kept(const state *s, const fuse_block *b, const wf_fuse *fuse, bool training) {
    return !training && fuse->stack == &b->stack && !s->set.residual_before && !wfi_fuse_full(fuse) &&
           fuse->form != WF_FUSE_BOTTLENECK;
}

/* The forms of the block's own matrices for this pass; a failure is noted in the tape. */
static wf_status own_ready(const wf_fusion *f, fuse_block *b, wf_tape *t, wf_fuse *fuse) {
    state *s = f->state;
    wf_err err = {0};
    wf_status st = WF_OK;
    pthread_mutex_lock(&s->lock);
    if (wfi_fuse_own_frozen(&b->own)) {
        const bool compact = compact_kept(s, b, fuse, wfi_tape_training(t));
        if (compact) st = wfi_fuse_own_compact(&b->own, &b->stack, b->filling, &err);
        if (compact && b->own.compact.G) fuse->frozen = &b->own.compact;
        if (st == WF_OK && !fuse->frozen) st = wfi_fuse_own_pack(&b->own, &err);
    }
    pthread_mutex_unlock(&s->lock);
    if (st != WF_OK) wfi_tape_fail(t, st, "%s", err.text);
    return st;
}

static void watch_add(const wf_fusion *f, const fuse_block *b, size_t index, int64_t T, const float *probs) {
    wf_fusion_watch *w = f->watch;
    const int64_t N = b->stack.N;
    if (index == 0) w->tokens += T;
    if (w->tell) w->tell(w->self, index, T, N, probs);
    for (int64_t r = 0; r < T; r++)
        for (int64_t i = 0; i < N; i++) {
            const double p = probs[r * N + i];
            w->sum[index * w->adapters + b->which[i]] += p;
            if (p > 0.0) w->entropy[index] -= p * log(p);
        }
}

wf_value *wfi_fusion_block(const wf_fusion *f, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_value *x,
                           const wf_norm *norm, float default_dropout) {
    state *s = f->state;
    wf_tape *t = pass->tape;
    const int index = block_index(f, site, layer);
    if (index < 0)
        return wfi_tape_fail(t, WF_E_ARG, "fusion \"%.80s\" has nothing at layer %d, %s", f->name, layer,
                             wfi_site_name(site));
    fuse_block *b = &s->blocks[index];
    if (b->left == 0) return wfi_op_norm(t, 2, (wf_value *[]){h, x}, norm);
    const wf_adapter *last = f->adapters[b->which[b->stack.N - 1]];
    wf_value *z = NULL, *r = NULL;
    if (!h || !x || wfi_bottleneck_inputs(last, pass, h, x, norm, &z, &r, wfi_tape_err(t)) != WF_OK || !z) return NULL;
    const bool parallel = wfi_bottleneck_parallel(last), drops = wfi_tape_drops(t);
    wf_value *q = parallel ? x : s->set.query_before_ln ? h : z;
    wf_fuse fuse = fuse_of(s, b);
    fuse.dropout = s->set.dropout >= 0.0f ? s->set.dropout : default_dropout;
    fuse.temperature = drops ? s->temperature : 1.0f;
    fuse.out = b->left < b->stack.N ? b->out : NULL;
    fuse.random = wfi_random_key(pass->key, "fusion.dropout", (uint64_t)layer, (uint64_t)site);
    fuse.stack = stack_get(f, b, &fuse, t);
    if (!fuse.stack) return NULL;
    if (own_ready(f, b, t, &fuse) != WF_OK) return NULL;
    const float *probs = NULL;
    wf_value *sum[4] = {wfi_op_fuse(t, &fuse, z, q, s->set.residual_before ? r : NULL, f->watch ? &probs : NULL)};
    if (!sum[0]) return NULL;
    if (f->watch) watch_add(f, b, (size_t)index, h->rows, probs);
    if (s->drop_path > 0.0f && wfi_tape_training(t))
        sum[0] = wfi_op_drop_path(t, sum[0], s->drop_path,
                                  wfi_random_key(pass->key, "fusion.stochastic_depth", (uint64_t)layer, (uint64_t)site),
                                  pass->S, pass->offsets);
    if (!sum[0]) return NULL;
    int n = 1;
    if (!s->set.residual_before) sum[n++] = r;
    if (parallel) sum[n++] = h;
    return wfi_bottleneck_outer_sum(last, pass, n, sum, x, norm);
}

double wfi_fusion_flop(const wf_fusion *f, wf_site site, int layer, bool training, bool live, int64_t T) {
    const state *s = f->state;
    const int index = block_index(f, site, layer);
    if (index < 0) return 0;
    const fuse_block *b = &s->blocks[index];
    wf_fuse fuse = fuse_of(s, b);
    const wf_fuse_compact kept = {0};
    if (compact_kept(s, b, &fuse, training) && !wfi_fuse_own_trained(&b->own)) fuse.frozen = &kept;
    return wfi_fuse_flop(&fuse, s->set.residual_before, training, live, T);
}

wf_value *wfi_fusion_penalty(const wf_fusion *f, wf_tape *tape) {
    const state *s = f->state;
    wf_value *sum = NULL;
    if (!s->set.regularization) return NULL;
    for (size_t i = 0; i < s->count; i++) {
        wf_param *V = s->blocks[i].own.value.weight;
        if (!wfi_tape_wants(tape, V)) continue;
        wf_value *one = wfi_op_identity_pull(tape, V, 0.01f);
        sum = sum ? wfi_op_add(tape, 2, (wf_value *[]){sum, one}) : one;
    }
    return sum;
}
