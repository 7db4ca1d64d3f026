/* bench/subject.c - adapters, fusions and heads that works run, put together as a training does. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "bench/bench.h"
#include "hub/hub.h"
#include "lab/precision.h"
#include <stdio.h>
#include <string.h>

enum { SEED = 1, CLASSES = 2 };
static const float SHAKE = 0.02f;

/* Fresh adapters change nothing; these do, as trained ones would. */
static void shake(wf_pset *s, const char *name) {
    for (size_t i = 0; i < s->count; i++) {
        const uint64_t key = wfi_random_key(SEED, name, i, 0);
        for (int64_t k = 0; k < s->params[i]->count; k++)
            s->params[i]->data[k] += SHAKE * 3.4641f * (wfi_random_uniform(key, (uint64_t)k) - 0.5f);
    }
}

wf_status wfi_bench_pool_need(wf_bench_state *b, size_t count, wf_err *err) {
    const wf_base_shape shape = wfi_context_shape(b->models[0]);
    while (b->pool_count < count) {
        char name[32];
        wf_adapter **at = &b->pool[b->pool_count];
        snprintf(name, sizeof name, "bench%zu", b->pool_count);
        WF_TRY(wfi_adapter_new(name, "seq_bn", &shape, SEED, at, err));
        b->pool_count++;
        shake(&(*at)->params, name);
        wfi_adapter_changed(*at);
    }
    return WF_OK;
}

static wf_status head_make(wf_bench_state *b, wf_bench_subject *s, wf_err *err) {
    char *labels[] = {(char *)"0", (char *)"1"};
    const wf_head_spec spec = {.kind = WF_KIND_CLASSIFICATION,
                               .classes = CLASSES,
                               .layers = 2,
                               .pooling = b->pooling,
                               .dropout = 0.1f,
                               .labels = labels,
                               .hidden_size = b->models[0]->config.hidden_size};
    return wfi_head_new("bench", &spec, SEED, &s->head, err);
}

/* An adapter of the pool where the work is inference with such a one, and its like where it is trained: peers are given
 * the same. */
static wf_status adapter_make(wf_bench_state *b, const wf_bench_work *w, wf_bench_subject *s, wf_err *err) {
    const wf_base_shape shape = wfi_context_shape(b->models[0]);
    if (w->kind != BENCH_TRAIN && strcmp(w->method, "seq_bn") == 0) {
        WF_TRY(wfi_bench_pool_need(b, 1, err));
        s->adapter = b->pool[0];
        s->adapter_borrowed = true;
        return WF_OK;
    }
    const char *const like = strcmp(w->method, "seq_bn") == 0 ? "bench0" : NULL;
    WF_TRY(wfi_adapter_new(like ? like : "bench", w->method, &shape, SEED, &s->adapter, err));
    shake(&s->adapter->params, like ? like : w->method);
    wfi_adapter_changed(s->adapter);
    return WF_OK;
}

static wf_status fusion_make(wf_bench_state *b, const wf_bench_work *w, wf_bench_subject *s, wf_err *err) {
    const wf_base_shape shape = wfi_context_shape(b->models[0]);
    WF_TRY(wfi_bench_pool_need(b, (size_t)w->fused, err));
    WF_TRY(wfi_fusion_new(NULL, "dynamic", b->pool, (size_t)w->fused, &shape, SEED, &s->fusion, err));
    shake(&s->fusion->params, "fusion");
    return WF_OK;
}

static wf_status trained_sets(wf_bench_subject *s, wf_err *err) {
    if (s->full) s->sets[s->set_count++] = &s->full->params;
    if (s->adapter) s->sets[s->set_count++] = &s->adapter->params;
    if (s->fusion) s->sets[s->set_count++] = &s->fusion->params;
    s->sets[s->set_count++] = &s->head->params;
    for (size_t i = 0; i < s->set_count; i++) WF_TRY(wfi_pset_trainable(s->sets[i], true, err));
    return WF_OK;
}

static wf_status subject_make(wf_bench_state *b, const wf_bench_work *w, wf_bench_subject *s, wf_err *err) {
    wf_bert *model = b->models[wfi_bench_type_at(w->dtype)];
    const bool train = w->kind == BENCH_TRAIN;
    if (w->parts == BENCH_FULL) WF_TRY(wfi_bert_copy(model, w->dtype, &s->full, err));
    if (w->parts == BENCH_ADAPTER) WF_TRY(adapter_make(b, w, s, err));
    if (w->parts == BENCH_FUSE) WF_TRY(fusion_make(b, w, s, err));
    if (!s->full) WF_TRY(wfi_bert_pack(model, train && w->parts != BENCH_HEAD, w->dtype, err));
    WF_TRY(head_make(b, s, err));
    if (train) WF_TRY(trained_sets(s, err));
    WF_TRY(wfi_context_new(s->full ? s->full : model, &s->context, err));
    s->context->adapter = s->adapter;
    s->context->fusion = s->fusion;
    s->context->head = s->head;
    return WF_OK;
}

/* The method's own defaults, as weft train and weft fuse take them. */
static wf_status settings_make(wf_bench_state *b, wf_bench_running *r, wf_err *err) {
    static const char *const methods[] = {[BENCH_HEAD] = "head", [BENCH_FULL] = "full", [BENCH_FUSE] = "fusion"};
    const wf_bench_work *w = r->work;
    const char *const from[] = {"bench"};
    const wf_train_spec spec = {.task = "bench",
                                .method = w->parts == BENCH_ADAPTER ? w->method : methods[w->parts],
                                .from = from,
                                .from_count = w->parts == BENCH_FUSE,
                                .base_dtype = wfi_precision_name(w->dtype),
                                .batch_rows = w->batch_rows};
    WF_TRY(wfi_settings_resolve(&spec, &r->settings_json, err));
    WF_TRY(wfi_settings_read(r->settings_json, &r->settings, err));
    r->subject.context->base_dropout = r->settings.base_dropout > 0;
    r->subject.head->dropout = (float)r->settings.head_dropout;
    return WF_OK;
}

static wf_status data_choose(wf_bench_state *b, wf_bench_running *r, wf_err *err) {
    enum { FIXED_ROWS = 256 };
    const wf_bench_work *w = r->work;
    r->data = &b->texts;
    if (!w->length) return WF_OK;
    const int64_t most = b->models[0]->config.max_positions, length = w->length < most ? w->length : most;
    WF_TRY(wfi_bench_fixed(&b->texts, length, w->kind == BENCH_LATENCY ? 1 : FIXED_ROWS, &r->fixed, err));
    r->data = &r->fixed;
    return WF_OK;
}

wf_status wfi_bench_open(wf_bench_state *b, const wf_bench_work *w, wf_bench_running *r, wf_err *err) {
    *r = (wf_bench_running){.work = w};
    wf_status st = subject_make(b, w, &r->subject, err);
    if (st == WF_OK) st = data_choose(b, r, err);
    if (st == WF_OK && w->kind == BENCH_TRAIN) st = settings_make(b, r, err);
    if (st == WF_OK) st = wfi_bench_flops(b, r, err);
    if (st != WF_OK) {
        wfi_bench_close(r);
        return wfi_fail_in(err, st, "%s", w->name);
    }
    for (size_t i = 0; i < r->subject.set_count; i++) r->trainable += r->subject.sets[i]->total;
    return WF_OK;
}

void wfi_bench_close(wf_bench_running *r) {
    wf_bench_subject *s = &r->subject;
    wfi_context_free(s->context);
    wfi_head_free(s->head);
    wfi_fusion_free(s->fusion);
    if (!s->adapter_borrowed) wfi_adapter_free(s->adapter);
    wfi_bert_free(s->full);
    wfi_encoded_clear(&r->fixed);
    wfi_free(r->latency);
    json_decref(r->settings_json);
    *r = (wf_bench_running){0};
}
