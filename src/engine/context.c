/* engine/context.c - where models and adapters meet: the hooks of one setup. See context.h. */
#include "engine/context.h"
#include "base/alloc.h"
#include "base/error.h"

static bool fusion_takes(const wf_context *c, wf_site site, int layer) {
    return c->fusion && wfi_fusion_takes(c->fusion, site, layer);
}

static bool takes_hook(void *self, wf_site site, int layer) {
    const wf_context *c = self;
    const bool block = site == WF_SITE_ATTN_OUT || site == WF_SITE_FFN_OUT;
    const wf_adapter *a = c->adapter;
    if (block && fusion_takes(c, site, layer)) return true;
    return a && (block ? a->method->block != NULL : a->method->linear != NULL) && a->method->takes(a, site, layer);
}

static wf_value *block_hook(void *self, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_value *x,
                            const wf_norm *norm) {
    const wf_context *c = self;
    if (fusion_takes(c, site, layer))
        return wfi_fusion_block(c->fusion, pass, site, layer, h, x, norm, c->model->config.attention_dropout);
    return c->adapter->method->block(c->adapter, pass, site, layer, h, x, norm); /* takes_hook said so */
}

static wf_value *linear_hook(void *self, const wf_pass *pass, wf_site site, int layer, wf_value *x,
                             const wf_linear *w) {
    const wf_adapter *a = ((const wf_context *)self)->adapter;
    return a->method->linear(a, pass, site, layer, x, w);
}

wf_base_shape wfi_context_shape(const wf_bert *model) {
    return (wf_base_shape){.layers = model->config.layers,
                           .hidden_size = model->config.hidden_size,
                           .intermediate_size = model->config.intermediate_size};
}

wf_status wfi_context_new(const wf_bert *model, wf_context **out, wf_err *err) {
    wf_context *c = wfi_alloc(1, sizeof *c);
    if (!c) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    c->model = model;
    c->hooks = (wf_hooks){.self = c, .block = block_hook, .linear = linear_hook, .takes = takes_hook};
    wf_status st = wfi_tape_new(&c->tape, err);
    if (st != WF_OK) {
        wfi_free(c);
        return st;
    }
    *out = c;
    return WF_OK;
}

void wfi_context_free(wf_context *c) {
    if (!c) return;
    wfi_tape_free(c->tape);
    wfi_free(c);
}

static bool hooked(const wf_context *c, wf_site site, int layer) {
    const wf_adapter *a = c->adapter;
    return fusion_takes(c, site, layer) || (a && a->method->takes(a, site, layer));
}

int wfi_context_depth(const wf_context *c) {
    const int layers = c->model->config.layers;
    if (c->model->word->grad) return 0;
    for (int i = 0; i < layers; i++) {
        int lowest = WF_BERT_PIECES * (i + 1);
        for (int s = 0; s < WF_SITE_COUNT; s++) {
            const int piece = wfi_bert_piece(i, (wf_site)s);
            if (piece < lowest && hooked(c, (wf_site)s, i)) lowest = piece;
        }
        if (lowest < WF_BERT_PIECES * (i + 1)) return lowest;
    }
    return WF_BERT_PIECES * layers;
}

bool wfi_context_drops(const wf_context *c) {
    return c->base_dropout && (c->model->config.hidden_dropout > 0 || c->model->config.attention_dropout > 0);
}

/* ---- passes ---- */

static wf_value *stem_part(const wf_context *c, const wf_batch *b, int part) {
    const int64_t H = c->model->config.hidden_size;
    wf_value *v = wfi_tape_value(c->tape, b->T, H);
    int64_t sequence = 0;
    for (int64_t r = 0; v && r < b->rows; sequence += b->row_counts[r++])
        if (wfi_stem_get(b->stem, b->row_index[r], part, v->data + b->offsets[sequence] * H, wfi_tape_err(c->tape)) !=
            WF_OK)
            return NULL;
    return v;
}

/* What flows in front of piece *from, and which piece that is. */
static wf_bert_flow flow_start(const wf_context *c, const wf_pass *pass, const wf_batch *b, bool dropout, bool whole,
                               int *from) {
    const wf_stem_shape *s = b->stem && !whole && !dropout ? wfi_stem_shape_of(b->stem) : NULL;
    if (!s || s->width != c->model->config.hidden_size || s->depth > wfi_context_depth(c))
        return (wf_bert_flow){.x = wfi_bert_embed(c->model, pass, b->T, b->ids, b->positions, b->types, dropout)};
    *from = s->depth;
    return (wf_bert_flow){.x = stem_part(c, b, 0), .h = s->parts > 1 ? stem_part(c, b, 1) : NULL};
}

static wf_value *pooled_run(wf_context *c, const wf_pass *pass, const wf_batch *b, bool dropout, wf_value **each) {
    int from = 0;
    wf_bert_flow flow = flow_start(c, pass, b, dropout, each != NULL, &from);
    if (each) each[0] = flow.x;
    wfi_bert_pieces(c->model, &c->hooks, pass, from, WF_BERT_PIECES * c->model->config.layers, dropout, &flow, each);
    return wfi_head_pool(c->head, pass, flow.x, c->model->pooler.weight ? &c->model->pooler : NULL);
}

static wf_value *result_check(const wf_context *c, wf_value *result, wf_err *err) {
    if (wfi_tape_status(c->tape, err) != WF_OK) return NULL;
    if (!result) wfi_fail(err, WF_E_LIBRARY, "forward pass gave no result");
    return result;
}

wf_value *wfi_context_forward(wf_context *c, const wf_batch *b, bool training, uint64_t key, wf_value **each,
                              wf_err *err) {
    wfi_tape_reset(c->tape, training);
    if (c->calm) wfi_tape_calm(c->tape);
    const wf_pass pass = {.tape = c->tape, .S = b->S, .offsets = b->offsets, .key = key};
    wf_value *pooled = b->pooled ? wfi_tape_constant(c->tape, b->pooled, b->S, c->head->hidden_size)
                                 : pooled_run(c, &pass, b, training && !c->calm && wfi_context_drops(c), each);
    return result_check(c, wfi_head_forward(c->head, &pass, pooled), err);
}

wf_value *wfi_context_forward_from(wf_context *c, const wf_batch *b, const float *x, wf_value **input, wf_err *err) {
    wfi_tape_reset(c->tape, true);
    wfi_tape_calm(c->tape);
    const wf_pass pass = {.tape = c->tape, .S = b->S, .offsets = b->offsets};
    *input = wfi_tape_variable(c->tape, x, b->T, c->model->config.hidden_size);
    wf_bert_flow flow = {.x = *input};
    wfi_bert_pieces(c->model, &c->hooks, &pass, 0, WF_BERT_PIECES * c->model->config.layers, false, &flow, NULL);
    wf_value *pooled = wfi_head_pool(c->head, &pass, flow.x, c->model->pooler.weight ? &c->model->pooler : NULL);
    return result_check(c, wfi_head_forward(c->head, &pass, pooled), err);
}

wf_value *wfi_context_pooled(wf_context *c, const wf_batch *b, wf_err *err) {
    wfi_tape_reset(c->tape, false);
    const wf_pass pass = {.tape = c->tape, .S = b->S, .offsets = b->offsets};
    return result_check(c, pooled_run(c, &pass, b, false, NULL), err);
}

wf_status wfi_context_flow(wf_context *c, const wf_batch *b, int depth, wf_bert_flow *flow, wf_err *err) {
    if (depth < 0 || depth > wfi_context_depth(c))
        return wfi_fail(err, WF_E_ARG, "piece %d of the base lies above the lowest trained part", depth);
    wfi_tape_reset(c->tape, false);
    const wf_pass pass = {.tape = c->tape, .S = b->S, .offsets = b->offsets};
    wf_bert_flow f = {.x = wfi_bert_embed(c->model, &pass, b->T, b->ids, b->positions, b->types, false)};
    wfi_bert_pieces(c->model, &c->hooks, &pass, 0, depth, false, &f, NULL);
    if (!result_check(c, f.x, err) || (wfi_bert_flows_twice(depth) && !result_check(c, f.h, err)))
        return wfi_tape_status(c->tape, NULL) != WF_OK ? wfi_tape_status(c->tape, NULL) : WF_E_LIBRARY;
    *flow = f;
    return WF_OK;
}
