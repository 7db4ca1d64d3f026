/* trainer/evaluate.c - inference over a part and its scores. See trainer.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "trainer/trainer.h"
#include <math.h>
#include <string.h>

void wfi_outputs_clear(wf_outputs *o) {
    wfi_free(o->scores);
    *o = (wf_outputs){0};
}

/* Logits of one batch to the rows they belong to. */
static void scatter(const wf_head *head, const wf_batch *b, const wf_value *logits, int32_t classes, float *scores) {
    int64_t at = 0;
    for (int64_t r = 0; r < b->rows; r++) {
        float *out = scores + b->row_index[r] * classes;
        switch (head->kind) {
        case WF_KIND_REGRESSION:
            out[0] = logits->data[r] * head->target_std + head->target_mean;
            break;
        case WF_KIND_MULTILABEL:
            memcpy(out, logits->data + r * classes, (size_t)classes * sizeof *out);
            break;
        case WF_KIND_CLASSIFICATION:
            wfi_softmax(1, classes, logits->data + r * classes, out);
            break;
        case WF_KIND_MULTIPLE_CHOICE: {
            const int32_t n = b->row_counts[r];
            wfi_softmax(1, n, logits->data + at, out);
            for (int32_t k = n; k < classes; k++) out[k] = -INFINITY;
            at += n;
            break;
        }
        }
    }
}

wf_status wfi_evaluate_outputs(wf_context *c, const wf_encoded *e, int32_t classes, wf_outputs *out, wf_err *err) {
    wf_batches cut = {0};
    wf_batch batch = {0};
    wf_outputs o = {.classes = classes, .rows = e->rows};
    o.scores = wfi_alloc(e->rows * (size_t)classes + 1, sizeof *o.scores);
    if (!o.scores) return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu predictions", e->rows);
    wf_status st = wfi_batches_make(e, WF_EVAL_ROWS, WF_EVAL_TOKENS, false, 0, &cut, err);
    for (int64_t k = 0; st == WF_OK && k < cut.count; k++) {
        st = wfi_batch_fill(&batch, e, cut.order + cut.first[k], cut.first[k + 1] - cut.first[k], err);
        if (st != WF_OK) break;
        const wf_value *logits = wfi_context_forward(c, &batch, false, 0, NULL, err);
        if (!logits) {
            st = wfi_tape_status(c->tape, err);
            if (st == WF_OK) st = WF_E_LIBRARY;
            break;
        }
        scatter(c->head, &batch, logits, classes, o.scores);
    }
    wfi_batch_clear(&batch);
    wfi_batches_clear(&cut);
    if (st != WF_OK) {
        wfi_outputs_clear(&o);
        return st;
    }
    *out = o;
    return WF_OK;
}

wf_status wfi_outputs_judged(const wf_context *c, const wf_encoded *e, const wf_outputs *o, wf_predictions *out,
                             double **target, wf_err *err) {
    *target = NULL;
    *out = (wf_predictions){
        .kind = WF_SCORE_CLASSES, .rows = e->rows, .classes = o->classes, .scores = o->scores, .label = e->label};
    if (c->head->kind == WF_KIND_MULTILABEL) {
        out->kind = WF_SCORE_MULTILABEL;
        out->labels = e->labels;
    } else if (c->head->kind == WF_KIND_REGRESSION) {
        double *t = wfi_alloc(e->rows, sizeof *t);
        if (!t) return wfi_fail(err, WF_E_NOMEM, "out of memory");
        for (size_t i = 0; i < e->rows; i++) t[i] = e->target[i];
        out->kind = WF_SCORE_NUMBERS;
        out->target = *target = t;
    }
    return WF_OK;
}

wf_status wfi_evaluate(wf_context *c, const wf_encoded *e, int32_t classes, int resamples, uint64_t seed,
                       wf_scores *out, wf_err *err) {
    wf_outputs o = {0};
    wf_predictions p;
    double *target = NULL;
    WF_TRY(wfi_evaluate_outputs(c, e, classes, &o, err));
    wf_status st = wfi_outputs_judged(c, e, &o, &p, &target, err);
    if (st == WF_OK) st = wfi_metrics_compute(&p, resamples, seed, out, err);
    wfi_free(target);
    wfi_outputs_clear(&o);
    return st;
}
