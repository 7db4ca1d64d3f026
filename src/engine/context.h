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
    wf_tape *tape;     /* owned */
    wf_hooks hooks;
} wf_context;

wf_base_shape wfi_context_shape(const wf_bert *model);
wf_status wfi_context_new(const wf_bert *model, wf_context **out, wf_err *err);
void wfi_context_free(wf_context *c);
/* Starts a step (forgets the values of the last one) and gives logits [rows, classes]; multiple choice: [S,1]. key:
 * random key of the step. each: see wfi_bert_forward. NULL with *err filled on failure. The result lives until the next
 * call. */
wf_value *wfi_context_forward(wf_context *c, const wf_batch *batch, bool training, uint64_t key, wf_value **each,
                              wf_err *err);
/* Inference up to the head: [S,H]. A batch that carries these (pooled) skips the base in wfi_context_forward. */
wf_value *wfi_context_pooled(wf_context *c, const wf_batch *batch, wf_err *err);
#endif
