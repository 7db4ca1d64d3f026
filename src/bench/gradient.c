/* bench/gradient.c - the gradient that a training work steps along, for others to compare: one backward pass over the
 * first texts, without dropout and without a fusion's penalty. No value changes. */
#include "base/alloc.h"
#include "base/error.h"
#include "bench/bench.h"
#include "formats/safetensors.h"
#include <string.h>

static wf_status gradient_make(wf_bench_running *r, const wf_batch *batch, wf_err *err) {
    wf_context *c = r->subject.context;
    for (size_t i = 0; i < r->subject.set_count; i++)
        memset(r->subject.sets[i]->grad, 0, (size_t)r->subject.sets[i]->total * sizeof(float));
    wf_value *logits = wfi_context_forward(c, batch, true, 0, NULL, err);
    if (!logits) return wfi_tape_status(c->tape, err) != WF_OK ? wfi_tape_status(c->tape, err) : WF_E_LIBRARY;
    const wf_pass pass = {.tape = c->tape, .S = batch->S, .offsets = batch->offsets};
    wf_value *loss = wfi_head_loss(c->head, &pass, logits, batch, &(wf_loss_options){0});
    WF_TRY(wfi_tape_status(c->tape, err));
    return wfi_tape_backward(c->tape, loss, 1.0f, err);
}

/* One tensor a trained parameter, under its name. */
static wf_status gradient_write(const wf_bench_running *r, const char *path, wf_err *err) {
    const wf_bench_subject *s = &r->subject;
    size_t count = 0, n = 0;
    for (size_t i = 0; i < s->set_count; i++) count += s->sets[i]->count;
    wf_tensor *all = wfi_alloc(count, sizeof *all);
    if (!all) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < s->set_count; i++)
        for (size_t k = 0; k < s->sets[i]->count; k++) {
            const wf_param *p = s->sets[i]->params[k];
            if (!p->grad) continue;
            all[n] = (wf_tensor){.name = p->name, .dtype = WF_DTYPE_F32, .rank = p->rank, .data = p->grad};
            memcpy(all[n++].shape, p->shape, sizeof p->shape);
        }
    const wf_status st = wfi_safetensors_write(path, all, n, err);
    wfi_free(all);
    return st;
}

wf_status wfi_bench_gradient(const wf_bench_state *b, wf_bench_running *r, int64_t rows, const char *path,
                             wf_err *err) {
    wf_batch batch = {0};
    if (r->work->kind != BENCH_TRAIN) return wfi_fail(err, WF_E_ARG, "%s has no gradient", r->work->name);
    if (rows > (int64_t)b->texts.rows) rows = (int64_t)b->texts.rows;
    int64_t *first = wfi_alloc((size_t)rows + 1, sizeof *first);
    if (!first) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (int64_t i = 0; i < rows; i++) first[i] = i;
    wf_status st = wfi_batch_fill(&batch, &b->texts, first, rows, err);
    const bool calm = r->subject.context->calm;
    r->subject.context->calm = true;
    if (st == WF_OK) st = gradient_make(r, &batch, err);
    r->subject.context->calm = calm;
    if (st == WF_OK) st = gradient_write(r, path, err);
    wfi_batch_clear(&batch);
    wfi_free(first);
    return st;
}
