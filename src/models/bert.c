/* models/bert.c - configuration, weight names, and the forward pass of the BERT family. See bert.h. */
#include "models/bert.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "formats/safetensors.h"
#include "kernels/gemm.h"
#include <stdio.h>
#include <string.h>

enum { CONFIG_MAX_BYTES = 1 << 20, NAME_MAX_BYTES = 160 };

/* Left as it is when absent or null. */
static wf_status text_or(const json_t *j, const char *field, const char *where, const char **out, wf_err *err) {
    const json_t *v = json_object_get(j, field);
    return !v || json_is_null(v) ? WF_OK : wfi_json_str(j, field, where, out, err);
}

static wf_status config_read(const char *dir, wf_bert_config *c, wf_err *err) {
    char *path = wfi_path_join(dir, "config.json");
    if (!path) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    json_t *j = NULL;
    wf_status st = wfi_json_read(path, CONFIG_MAX_BYTES, &j, err);
    int64_t layers = 0;
    const char *type = NULL, *act = "gelu";
    bool decoder = false;
    double eps = 0, hidden_dropout = 0, attention_dropout = 0, head_dropout = 0;
    if (st != WF_OK) goto done;
    WF_GO(wfi_json_str(j, "model_type", path, &type, err));
    if (strcmp(type, "bert") != 0) {
        st = wfi_fail(err, WF_E_UNSUPPORTED, "%s: model_type \"%.40s\" is not supported; weft reads \"bert\"", path,
                      type);
        goto done;
    }
    WF_GO(wfi_json_bool_or(j, "is_decoder", path, false, &decoder, err));
    if (decoder) {
        st = wfi_fail(err, WF_E_UNSUPPORTED,
                      "%s: is_decoder is true; weft reads encoders, whose attention sees the whole text", path);
        goto done;
    }
    WF_GO(wfi_json_int(j, "num_hidden_layers", path, 1, 1000, &layers, err));
    WF_GO(wfi_json_int(j, "hidden_size", path, 1, 65536, &c->hidden_size, err));
    WF_GO(wfi_json_int(j, "intermediate_size", path, 1, 1 << 20, &c->intermediate_size, err));
    WF_GO(wfi_json_int(j, "num_attention_heads", path, 1, 1024, &c->heads, err));
    WF_GO(wfi_json_int(j, "vocab_size", path, 1, 1 << 24, &c->vocab_size, err));
    WF_GO(wfi_json_int(j, "max_position_embeddings", path, 1, 1 << 20, &c->max_positions, err));
    WF_GO(wfi_json_int_or(j, "type_vocab_size", path, 1, 256, 2, &c->type_vocab_size, err));
    WF_GO(wfi_json_num_or(j, "layer_norm_eps", path, 1e-12, &eps, err));
    WF_GO(wfi_json_num_or(j, "hidden_dropout_prob", path, 0.1, &hidden_dropout, err));
    WF_GO(wfi_json_num_or(j, "attention_probs_dropout_prob", path, 0.1, &attention_dropout, err));
    WF_GO(wfi_json_num_or(j, "classifier_dropout", path, hidden_dropout, &head_dropout, err));
    const char *positions = "absolute";
    WF_GO(text_or(j, "hidden_act", path, &act, err));
    WF_GO(text_or(j, "position_embedding_type", path, &positions, err));
    if (!wfi_act_parse(act, &c->act)) {
        st = wfi_fail(err, WF_E_UNSUPPORTED, "%s: hidden_act \"%.40s\" is not known", path, act);
        goto done;
    }
    if (strcmp(positions, "absolute") != 0) {
        st = wfi_fail(err, WF_E_UNSUPPORTED, "%s: position_embedding_type \"%.40s\"; only \"absolute\" is supported",
                      path, positions);
        goto done;
    }
    if (c->hidden_size % c->heads != 0) {
        st = wfi_fail(err, WF_E_DATA, "%s: hidden_size %lld is no multiple of num_attention_heads %lld", path,
                      (long long)c->hidden_size, (long long)c->heads);
        goto done;
    }
    if (!(eps >= 0 && eps < 1) || !(hidden_dropout >= 0 && hidden_dropout < 1) ||
        !(attention_dropout >= 0 && attention_dropout < 1) || !(head_dropout >= 0 && head_dropout < 1)) {
        st = wfi_fail(err, WF_E_DATA, "%s: layer_norm_eps and the dropout rates must lie in [0,1)", path);
        goto done;
    }
    c->layers = (int)layers;
    c->layer_norm_eps = (float)eps;
    c->hidden_dropout = (float)hidden_dropout;
    c->attention_dropout = (float)attention_dropout;
    c->head_dropout = (float)head_dropout;
done:
    json_decref(j);
    wfi_free(path);
    return st;
}

/* ---- parameters: one list of names and shapes serves borrowing, copying and binding ---- */

typedef struct visit {
    wf_bert *m;
    const wf_bert *from; /* copying: the base the values come from */
    const char *prefix;  /* "bert." or "" in the file */
    size_t converted;
} visit;

static wf_status param_bind(visit *v, const char *name, int rank, const int64_t *shape, bool decay, bool frozen,
                            wf_param **out, wf_err *err) {
    wf_param *p = NULL;
    if (v->from) {
        const wf_param *q = wfi_pset_find(&v->from->params, name);
        if (!q) return wfi_fail(err, WF_E_NOTFOUND, "parameter %s is missing", name);
        p = frozen ? wfi_pset_borrow(&v->m->params, name, rank, shape, q->data)
                   : wfi_pset_add(&v->m->params, name, rank, shape, decay);
    } else {
        char full[NAME_MAX_BYTES];
        snprintf(full, sizeof full, "%s%s", v->prefix, name);
        const wf_tensor *t = NULL;
        const float *data = NULL;
        WF_TRY(wfi_source_get(&v->m->source, full, rank, shape, &t, err));
        WF_TRY(wfi_tensor_f32(t, &data, &v->m->converted[v->converted++], err));
        p = wfi_pset_borrow(&v->m->params, name, rank, shape, data);
    }
    if (!p) return wfi_fail(err, WF_E_NOMEM, "out of memory for parameter %s", name);
    *out = p;
    return WF_OK;
}

static wf_status linear_bind(visit *v, const char *stem, int64_t out_size, int64_t in, bool frozen, wf_linear *l,
                             wf_err *err) {
    char name[NAME_MAX_BYTES];
    *l = (wf_linear){.in = in, .out = out_size};
    snprintf(name, sizeof name, "%s.weight", stem);
    WF_TRY(param_bind(v, name, 2, (int64_t[]){out_size, in}, true, frozen, &l->weight, err));
    snprintf(name, sizeof name, "%s.bias", stem);
    return param_bind(v, name, 1, (int64_t[]){out_size}, false, frozen, &l->bias, err);
}

static wf_status norm_bind(visit *v, const char *stem, wf_norm *n, wf_err *err) {
    char name[NAME_MAX_BYTES];
    int64_t H = v->m->config.hidden_size;
    *n = (wf_norm){.width = H, .eps = v->m->config.layer_norm_eps};
    snprintf(name, sizeof name, "%s.weight", stem);
    WF_TRY(param_bind(v, name, 1, &H, false, false, &n->gamma, err));
    snprintf(name, sizeof name, "%s.bias", stem);
    return param_bind(v, name, 1, &H, false, false, &n->beta, err);
}

static wf_status layer_bind(visit *v, int i, wf_err *err) {
    const wf_bert_config *c = &v->m->config;
    wf_bert_layer *l = &v->m->layers[i];
    const int64_t H = c->hidden_size, F = c->intermediate_size;
    const struct {
        const char *stem;
        int64_t out, in;
        wf_linear *at;
    } rows[] = {{"attention.self.query", H, H, &l->query}, {"attention.self.key", H, H, &l->key},
                {"attention.self.value", H, H, &l->value}, {"attention.output.dense", H, H, &l->attention_dense},
                {"intermediate.dense", F, H, &l->up},      {"output.dense", H, F, &l->down}};
    char stem[NAME_MAX_BYTES / 2];
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        snprintf(stem, sizeof stem, "encoder.layer.%d.%s", i, rows[k].stem);
        WF_TRY(linear_bind(v, stem, rows[k].out, rows[k].in, false, rows[k].at, err));
    }
    snprintf(stem, sizeof stem, "encoder.layer.%d.attention.output.LayerNorm", i);
    WF_TRY(norm_bind(v, stem, &l->attention_norm, err));
    snprintf(stem, sizeof stem, "encoder.layer.%d.output.LayerNorm", i);
    return norm_bind(v, stem, &l->output_norm, err);
}

static wf_status bind_all(visit *v, bool pooler, wf_err *err) {
    wf_bert *m = v->m;
    const wf_bert_config *c = &m->config;
    const int64_t H = c->hidden_size;
    WF_TRY(param_bind(v, "embeddings.word_embeddings.weight", 2, (int64_t[]){c->vocab_size, H}, true, false, &m->word,
                      err));
    WF_TRY(param_bind(v, "embeddings.position_embeddings.weight", 2, (int64_t[]){c->max_positions, H}, true, false,
                      &m->position, err));
    WF_TRY(param_bind(v, "embeddings.token_type_embeddings.weight", 2, (int64_t[]){c->type_vocab_size, H}, true, false,
                      &m->type, err));
    WF_TRY(norm_bind(v, "embeddings.LayerNorm", &m->embedding_norm, err));
    for (int i = 0; i < c->layers; i++) WF_TRY(layer_bind(v, i, err));
    if (pooler) WF_TRY(linear_bind(v, "pooler.dense", H, H, true, &m->pooler, err));
    return WF_OK;
}

static wf_status shell_new(const wf_bert_config *c, wf_bert **out, wf_err *err) {
    wf_bert *m = wfi_alloc(1, sizeof *m);
    if (!m) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    m->config = *c;
    m->layers = wfi_alloc((size_t)c->layers, sizeof *m->layers);
    m->converted = wfi_alloc((size_t)c->layers * 16 + 8, sizeof *m->converted);
    if (!m->layers || !m->converted) {
        wfi_bert_free(m);
        return wfi_fail(err, WF_E_NOMEM, "out of memory for a model of %d layers", c->layers);
    }
    *out = m;
    return WF_OK;
}

wf_status wfi_bert_from_source(const wf_bert_config *config, wf_source *source, wf_bert **out, wf_err *err) {
    wf_bert *m = NULL;
    wf_status st = shell_new(config, &m, err);
    if (st != WF_OK) {
        wfi_source_close(source);
        return st;
    }
    m->source = *source;
    *source = (wf_source){0};
    visit v = {.m = m, .prefix = wfi_source_find(&m->source, "bert.embeddings.word_embeddings.weight") ? "bert." : ""};
    char pooler[NAME_MAX_BYTES];
    snprintf(pooler, sizeof pooler, "%spooler.dense.weight", v.prefix);
    st = bind_all(&v, wfi_source_find(&m->source, pooler) != NULL, err);
    if (st != WF_OK)
        wfi_bert_free(m);
    else
        *out = m;
    return st;
}

wf_status wfi_bert_open(const char *dir, wf_bert **out, wf_err *err) {
    wf_bert_config c = {0};
    wf_source source = {0};
    WF_TRY(config_read(dir, &c, err));
    char *path = wfi_path_join(dir, "model.safetensors");
    wf_status st = path ? wfi_safetensors_open(path, &source, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && (st = wfi_bert_from_source(&c, &source, out, err)) != WF_OK) wfi_fail_in(err, st, "%s", path);
    wfi_free(path);
    return st;
}

wf_status wfi_bert_copy(const wf_bert *from, wf_dtype dtype, wf_bert **out, wf_err *err) {
    wf_bert *m = NULL;
    if (dtype != WF_DTYPE_F32 && dtype != WF_DTYPE_BF16)
        return wfi_fail(err, WF_E_UNSUPPORTED, "a copy's matrices are multiplied in F32 or BF16, not in %s",
                        wfi_dtype_name(dtype));
    WF_TRY(shell_new(&from->config, &m, err));
    visit v = {.m = m, .from = from};
    wf_status st = bind_all(&v, from->pooler.weight != NULL, err);
    if (st == WF_OK) st = wfi_pset_commit(&m->params, err);
    if (st != WF_OK) {
        wfi_bert_free(m);
        return st;
    }
    for (size_t i = 0; i < m->params.count; i++) {
        wf_param *p = m->params.params[i];
        const wf_param *q = wfi_pset_find(&from->params, p->name);
        if (wfi_pset_owns(&m->params, p)) memcpy(p->data, q->data, (size_t)p->count * sizeof *p->data);
    }
    wf_linear *l;
    for (size_t i = 0; (l = wfi_bert_linear_at(m, i)); i++) l->bf16 = dtype == WF_DTYPE_BF16;
    *out = m;
    return WF_OK;
}

static wf_status linear_pack(wf_linear *l, bool backward, wf_dtype dtype, wf_err *err) {
    if (l->weight->grad) return WF_OK; /* trainable weights change every step */
    const float *w = l->weight->data;
    if (!l->forward) WF_TRY(wfi_packed_new(true, l->in, l->out, w, l->in, dtype, &l->forward, err));
    if (backward && !l->backward) WF_TRY(wfi_packed_new(false, l->out, l->in, w, l->in, dtype, &l->backward, err));
    return WF_OK;
}

wf_status wfi_bert_pack(wf_bert *m, bool backward, wf_dtype dtype, wf_err *err) {
    if (m->packed && m->packed_dtype != dtype)
        return wfi_fail(err, WF_E_ARG, "this model is packed as %s already; %s needs a model of its own",
                        wfi_dtype_name(m->packed_dtype), wfi_dtype_name(dtype));
    m->packed = true;
    m->packed_dtype = dtype;
    wf_linear *l;
    for (size_t i = 0; (l = wfi_bert_linear_at(m, i)); i++) WF_TRY(linear_pack(l, backward, dtype, err));
    wfi_source_forget(&m->source); /* what is packed is not read from the file any more */
    return WF_OK;
}

void wfi_bert_free(wf_bert *m) {
    if (!m) return;
    wf_linear *l;
    for (size_t i = 0; m->layers && (l = wfi_bert_linear_at(m, i)); i++) {
        wfi_packed_free(l->forward);
        wfi_packed_free(l->backward);
    }
    wfi_pset_clear(&m->params);
    for (int i = 0; m->converted && i < m->config.layers * 16 + 8; i++) wfi_free(m->converted[i]);
    wfi_source_close(&m->source);
    wfi_free(m->converted);
    wfi_free(m->layers);
    wfi_free(m);
}

/* ---- forward ---- */

int wfi_bert_piece(int layer, wf_site site) {
    static const int within[WF_SITE_COUNT] = {
        [WF_SITE_ATTN_OUT] = 1, [WF_SITE_FFN_UP] = 2, [WF_SITE_FFN_DOWN] = 2, [WF_SITE_FFN_OUT] = 3}; /* all others: the
                                                                                                         attention */
    return WF_BERT_PIECES * layer + within[site];
}

bool wfi_bert_flows_twice(int piece) {
    return piece % 2 != 0;
}

/* The dropout of what comes out of half a layer: 1 the attention, 2 the feed-forward part. */
static wf_drop drop_of(const wf_bert *m, const wf_pass *pass, int layer, int half, bool dropout) {
    const float p = dropout ? m->config.hidden_dropout : 0.0f;
    return (wf_drop){.p = p, .key = wfi_random_key(pass->key, "hidden", (uint64_t)layer, (uint64_t)half)};
}

static wf_value *attention_forward(const wf_bert *m, const wf_hooks *hooks, const wf_pass *pass, int i, wf_value *x,
                                   bool dropout) {
    const wf_bert_config *c = &m->config;
    const wf_bert_layer *l = &m->layers[i];
    wf_tape *t = pass->tape;
    const float p = dropout ? c->attention_dropout : 0.0f;
    wf_value *q = wfi_site_linear(hooks, pass, WF_SITE_QUERY, i, x, &l->query);
    wf_value *k = wfi_site_linear(hooks, pass, WF_SITE_KEY, i, x, &l->key);
    wf_value *v = wfi_site_linear(hooks, pass, WF_SITE_VALUE, i, x, &l->value);
    wf_value *a = wfi_op_attention(t, q, k, v, pass->S, pass->offsets, c->heads, p,
                                   wfi_random_key(pass->key, "attention", (uint64_t)i, 0));
    return wfi_site_linear(hooks, pass, WF_SITE_ATTN_DENSE, i, a, &l->attention_dense);
}

static wf_value *ffn_forward(const wf_bert *m, const wf_hooks *hooks, const wf_pass *pass, int i, wf_value *y) {
    const wf_bert_layer *l = &m->layers[i];
    wf_tape *t = pass->tape;
    if (!wfi_site_taken(hooks, WF_SITE_FFN_UP, i) && !wfi_site_taken(hooks, WF_SITE_FFN_DOWN, i) &&
        wfi_op_ffn_takes(y, &l->up, &l->down))
        return wfi_op_ffn(t, y, &l->up, &l->down, m->config.act);
    wf_value *f = wfi_op_act(t, wfi_site_linear(hooks, pass, WF_SITE_FFN_UP, i, y, &l->up), m->config.act);
    return wfi_site_linear(hooks, pass, WF_SITE_FFN_DOWN, i, f, &l->down);
}

static void piece_forward(const wf_bert *m, const wf_hooks *hooks, const wf_pass *pass, int piece, bool dropout,
                          wf_bert_flow *f) {
    const int i = piece / WF_BERT_PIECES;
    const wf_bert_layer *l = &m->layers[i];
    switch (piece % WF_BERT_PIECES) {
    case 0:
        f->h = attention_forward(m, hooks, pass, i, f->x, dropout);
        return;
    case 1:
        f->x = wfi_site_block(hooks, pass, WF_SITE_ATTN_OUT, i, f->h, drop_of(m, pass, i, 1, dropout), f->x,
                              &l->attention_norm);
        break;
    case 2:
        f->h = ffn_forward(m, hooks, pass, i, f->x);
        return;
    default:
        f->x = wfi_site_block(hooks, pass, WF_SITE_FFN_OUT, i, f->h, drop_of(m, pass, i, 2, dropout), f->x,
                              &l->output_norm);
    }
    f->h = NULL;
}

wf_value *wfi_bert_embed(const wf_bert *m, const wf_pass *pass, int64_t T, const int32_t *ids, const int32_t *positions,
                         const uint8_t *types, bool dropout) {
    wf_tape *t = pass->tape;
    const size_t scope = wfi_tape_scope(t);
    wf_value *x = wfi_op_embed(t, m->word, m->position, m->type, T, ids, positions, types);
    x = wfi_op_norm(t, 1, &x, &m->embedding_norm);
    if (dropout && m->config.hidden_dropout > 0)
        x = wfi_op_dropout(t, x, m->config.hidden_dropout, wfi_random_key(pass->key, "hidden", UINT64_MAX, 0));
    return wfi_tape_scope_end(t, scope, x);
}

void wfi_bert_pieces(const wf_bert *m, const wf_hooks *hooks, const wf_pass *pass, int from, int to, bool dropout,
                     wf_bert_flow *flow, wf_value **each) {
    for (int piece = from; piece < to;) {
        const int i = piece / WF_BERT_PIECES, end = (i + 1) * WF_BERT_PIECES;
        const size_t scope = wfi_tape_scope(pass->tape);
        for (; piece < end && piece < to; piece++) piece_forward(m, hooks, pass, piece, dropout, flow);
        if (piece < end) return;
        flow->x = wfi_tape_scope_end(pass->tape, scope, flow->x);
        if (each) each[i + 1] = flow->x;
    }
}

wf_value *wfi_bert_forward(const wf_bert *m, const wf_hooks *hooks, const wf_pass *pass, int64_t T, const int32_t *ids,
                           const int32_t *positions, const uint8_t *types, bool dropout, wf_value **each) {
    wf_bert_flow flow = {.x = wfi_bert_embed(m, pass, T, ids, positions, types, dropout)};
    if (each) each[0] = flow.x;
    wfi_bert_pieces(m, hooks, pass, 0, m->config.layers * WF_BERT_PIECES, dropout, &flow, each);
    return flow.x;
}
