/* engine/context.c - where models and adapters meet: the hooks of one setup. See context.h. */
#include "engine/context.h"
#include "base/alloc.h"
#include "base/error.h"

static wf_value *block_hook(void *self, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_value *x,
                            const wf_norm *norm) {
    const wf_context *c = self;
    if (c->fusion && wfi_fusion_takes(c->fusion, site, layer))
        return wfi_fusion_block(c->fusion, pass, site, layer, h, x, norm, c->model->config.attention_dropout);
    const wf_adapter *a = c->adapter;
    if (a && a->method->block && a->method->takes(a, site, layer))
        return a->method->block(a, pass, site, layer, h, x, norm);
    return wfi_site_block(NULL, pass, site, layer, h, x, norm);
}

static wf_value *linear_hook(void *self, const wf_pass *pass, wf_site site, int layer, wf_value *x,
                             const wf_linear *w) {
    const wf_context *c = self;
    const wf_adapter *a = c->adapter;
    if (a && a->method->linear && a->method->takes(a, site, layer))
        return a->method->linear(a, pass, site, layer, x, w);
    return wfi_site_linear(NULL, pass, site, layer, x, w);
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
    c->hooks = (wf_hooks){.self = c, .block = block_hook, .linear = linear_hook};
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

static wf_value *pooled_run(wf_context *c, const wf_pass *pass, const wf_batch *b, bool dropout, wf_value **each) {
    wf_value *rows = wfi_bert_forward(c->model, &c->hooks, pass, b->T, b->ids, b->positions, b->types, dropout, each);
    return wfi_head_pool(c->head, pass, rows, c->model->pooler.weight ? &c->model->pooler : NULL);
}

static wf_value *result_check(const wf_context *c, wf_value *result, wf_err *err) {
    if (wfi_tape_status(c->tape, err) != WF_OK) return NULL;
    if (!result) wfi_fail(err, WF_E_LIBRARY, "forward pass gave no result");
    return result;
}

wf_value *wfi_context_forward(wf_context *c, const wf_batch *b, bool training, uint64_t key, wf_value **each,
                              wf_err *err) {
    wfi_tape_reset(c->tape, training);
    const wf_pass pass = {.tape = c->tape, .S = b->S, .offsets = b->offsets, .key = key};
    wf_value *pooled = b->pooled ? wfi_tape_constant(c->tape, b->pooled, b->S, c->head->hidden_size)
                                 : pooled_run(c, &pass, b, training && c->base_dropout, each);
    return result_check(c, wfi_head_forward(c->head, &pass, pooled), err);
}

wf_value *wfi_context_pooled(wf_context *c, const wf_batch *b, wf_err *err) {
    wfi_tape_reset(c->tape, false);
    const wf_pass pass = {.tape = c->tape, .S = b->S, .offsets = b->offsets};
    return result_check(c, pooled_run(c, &pass, b, false, NULL), err);
}
