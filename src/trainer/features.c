/* trainer/features.c - what a frozen base makes of every sequence or row, computed once. See trainer.h.
 * Always in the cut of an evaluation, which depends on nothing but the rows: with some instruction sets the rounding of
 * a row's products depends on how many rows there are, and a resumed run must find what the unbroken one found. */
#include "base/alloc.h"
#include "base/error.h"
#include "trainer/trainer.h"
#include <string.h>

/* Features of one batch to the places of its sequences. */
static wf_status batch_run(wf_context *c, const wf_encoded *e, const wf_batch *b, float *pooled, size_t width,
                           wf_err *err) {
    const wf_value *v = wfi_context_pooled(c, b, err);
    if (!v) return wfi_tape_status(c->tape, NULL) != WF_OK ? wfi_tape_status(c->tape, err) : WF_E_LIBRARY;
    const float *from = v->data;
    for (int64_t r = 0; r < b->rows; r++) {
        const size_t count = (size_t)b->row_counts[r] * width;
        memcpy(pooled + (size_t)e->first[b->row_index[r]] * width, from, count * sizeof *pooled);
        from += count;
    }
    return WF_OK;
}

wf_status wfi_features_make(wf_context *c, wf_encoded *e, wf_err *err) {
    wf_batches cut = {0};
    wf_batch batch = {0};
    const size_t width = (size_t)c->head->hidden_size;
    float *pooled = wfi_alloc(e->sequences + 1, width * sizeof *pooled);
    if (!pooled) return wfi_fail(err, WF_E_NOMEM, "out of memory for the features of %zu sequences", e->sequences);
    wf_status st = wfi_batches_make(e, WF_EVAL_ROWS, WF_EVAL_TOKENS, false, 0, &cut, err);
    for (int64_t k = 0; st == WF_OK && k < cut.count; k++) {
        st = wfi_batch_fill(&batch, e, cut.order + cut.first[k], cut.first[k + 1] - cut.first[k], err);
        if (st == WF_OK) st = batch_run(c, e, &batch, pooled, width, err);
    }
    wfi_batch_clear(&batch);
    wfi_batches_clear(&cut);
    if (st != WF_OK) {
        wfi_free(pooled);
        return st;
    }
    e->pooled = pooled;
    e->pooled_width = (int64_t)width;
    return WF_OK;
}

/* ---- stems ---- */

static wf_status stem_rows_put(wf_stem *s, const wf_batch *b, const wf_bert_flow *flow, wf_err *err) {
    int64_t sequence = 0;
    for (int64_t r = 0; r < b->rows; sequence += b->row_counts[r++]) {
        const int64_t at = b->offsets[sequence] * wfi_stem_shape_of(s)->width;
        WF_TRY(wfi_stem_put(s, b->row_index[r], 0, flow->x->data + at, err));
        if (flow->h) WF_TRY(wfi_stem_put(s, b->row_index[r], 1, flow->h->data + at, err));
    }
    return WF_OK;
}

static wf_status stem_fill(wf_context *c, const wf_encoded *e, wf_stem *s, wf_stem_tick_fn tick, void *user,
                           wf_err *err) {
    wf_batches cut = {0};
    wf_batch b = {0};
    wf_bert_flow flow;
    wf_status st = wfi_batches_make(e, WF_EVAL_ROWS, WF_EVAL_TOKENS, false, 0, &cut, err);
    for (int64_t k = 0; st == WF_OK && k < cut.count; k++) {
        st = wfi_batch_fill(&b, e, cut.order + cut.first[k], cut.first[k + 1] - cut.first[k], err);
        if (st == WF_OK) st = wfi_context_flow(c, &b, wfi_stem_shape_of(s)->depth, &flow, err);
        if (st == WF_OK) st = stem_rows_put(s, &b, &flow, err);
        if (st == WF_OK && tick && tick(cut.first[k + 1], (int64_t)e->rows, user))
            st = wfi_fail(err, WF_E_CANCELLED, "cancelled while the lower layers were run");
    }
    wfi_batch_clear(&b);
    wfi_batches_clear(&cut);
    return st;
}

wf_status wfi_stem_make(wf_context *c, wf_encoded *e, size_t memory, const char *dir, wf_stem_tick_fn tick, void *user,
                        wf_err *err) {
    const int depth = wfi_context_depth(c);
    const wf_stem_shape shape = {
        .depth = depth, .parts = wfi_bert_flows_twice(depth) ? 2 : 1, .width = c->model->config.hidden_size};
    int64_t *tokens = wfi_alloc(e->rows + 1, sizeof *tokens);
    wf_stem *stem = NULL;
    if (!tokens) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t r = 0; r <= e->rows; r++) tokens[r] = e->offsets[e->first[r]];
    wf_status st = wfi_stem_new(&shape, e->rows, tokens, memory, dir, &stem, err);
    wfi_free(tokens);
    if (st == WF_OK) st = stem_fill(c, e, stem, tick, user, err);
    if (st != WF_OK) {
        wfi_stem_free(stem);
        return st;
    }
    wfi_stem_free(e->stem);
    e->stem = stem;
    return WF_OK;
}
