/* engine/context.h - base + adapter or fusion + head put together: one forward pass. Layer 8.
 * Threads: a context belongs to one thread at a time; several contexts may share a model, adapters, fusions and heads
 * that are not being trained. */
#ifndef WF_ENGINE_CONTEXT_H
#define WF_ENGINE_CONTEXT_H
#include "data/batch.h"
#include "fusion/fusion.h"
#include "heads/head.h"
#include "models/bert.h"

typedef struct wf_context {
    const wf_bert *model;      /* borrowed, all of these */
    const wf_adapter *adapter; /* NULL: none */
    const wf_fusion *fusion;   /* NULL: none; wins over adapter where it takes a site */
    const wf_head *head;
    bool base_dropout; /* the base's own dropout while training */
    bool calm;         /* training passes drop nothing anywhere */
    wf_tape *tape;     /* owned */
    wf_hooks hooks;
} wf_context;

wf_base_shape wfi_context_shape(const wf_bert *model);
wf_status wfi_context_new(const wf_bert *model, wf_context **out, wf_err *err);
void wfi_context_free(wf_context *c);
/* The first piece of the base (models/bert.h) that can differ from one pass to the next while this setup is trained:
 * where the lowest adapter or fusion sits, 0 when the base itself is trained. All below is a function of the row alone
 * as long as it runs without dropout: its stem. */
int wfi_context_depth(const wf_context *c);
bool wfi_context_drops(const wf_context *c); /* training passes drop values inside the base */
/* Starts a step (forgets the values of the last one) and gives logits [rows, classes]; multiple choice: [S,1]. key:
 * random key of the step. each: see wfi_bert_forward. NULL with *err filled on failure. The result lives until the next
 * call. A batch with a stem (made by this base, no deeper than this setup's) starts from it, unless the base drops
 * values or `each` asks for what lies below. */
wf_value *wfi_context_forward(wf_context *c, const wf_batch *batch, bool training, uint64_t key, wf_value **each,
                              wf_err *err);
/* A pass with gradients that drops nothing, from embeddings x [T,H] (what flows in front of piece 0, borrowed for the
 * step) instead of the batch's ids. *input receives their value, which has a gradient after wfi_tape_backward. */
wf_value *wfi_context_forward_from(wf_context *c, const wf_batch *batch, const float *x, wf_value **input, wf_err *err);
/* Inference up to the head: [S,H]. A batch that carries these (pooled) skips the base in wfi_context_forward. */
wf_value *wfi_context_pooled(wf_context *c, const wf_batch *batch, wf_err *err);
/* Inference up to a piece not above wfi_context_depth: what flows there, [T,H] each. */
wf_status wfi_context_flow(wf_context *c, const wf_batch *batch, int depth, wf_bert_flow *flow, wf_err *err);
#endif
