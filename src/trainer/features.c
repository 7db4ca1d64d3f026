/* trainer/features.c - what a frozen base makes of every sequence, computed once. See trainer.h. */
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
