/* bench/flops.c - the arithmetic that a work truly needs, for its share of the machine's peak.
 *
 * Counted are the matrix products, in multiplications and additions (2 k n for one row of [k] by [k,n]), by one sweep
 * from the embeddings to the head that knows where something trainable lies below ("live"):
 *   forward             every product once
 *   input gradient      the same again, only where its input is live
 *   weight gradient     the same again, only for trained weights
 *   attention           forward 4 L H a token (scores and mix; L: positions it attends to). Backward 2 L H for each of
 *                       dV, dP, dQ, dK that is live (dP when Q or K is). What a kernel computes twice counts once
 *   bottleneck          2 products of [H,m]; LoRA: [in,r] and [r,out]
 *   fusion of N         what the form takes that it runs in (wfi_fusion_flop), by the rows of a batch: batch after
 * batch of one pass over the texts, cut as the trainer cuts them head                2 layers, once a text Norms,
 * activations, dropout, optimiser and lookups count nothing. Products with the base are in its type
 * ("base"), all others in float32 ("rest"): the share of the peak is (base / peak of that type + rest / peak of
 * float32) / seconds. */
#include "base/error.h"
#include "bench/bench.h"

typedef struct sweep {
    bool training;
    int64_t tokens; /* of the batch */
    double base, rest;
} sweep;

/* One product for a token; live: its input depends on something trainable. */
static void product(sweep *s, int64_t in, int64_t out, bool of_base, bool live, bool trained) {
    const double flop = 2.0 * (double)in * (double)out;
    double *at = of_base ? &s->base : &s->rest;
    *at += flop;
    if (!s->training) return;
    if (live) *at += flop;
    if (trained) *at += flop;
}

static bool linear(sweep *s, const wf_bench_running *r, wf_site site, int layer, int64_t in, int64_t out, bool live) {
    const bool full = r->subject.full != NULL;
    const wf_adapter *a = r->subject.adapter;
    product(s, in, out, true, live, full);
    if (!a || !a->method->linear || !a->method->takes(a, site, layer)) return live || full;
    const int64_t rank = json_integer_value(json_object_get(a->config, "r"));
    product(s, in, rank, false, live, s->training);
    product(s, rank, out, false, true, s->training);
    return true;
}

/* live: of the sub-layer's output or its residual. */
static bool block(sweep *s, const wf_bench_running *r, wf_site site, int layer, bool live) {
    const wf_fusion *f = r->subject.fusion;
    const wf_adapter *a = r->subject.adapter;
    if (f && wfi_fusion_takes(f, site, layer)) {
        s->rest += wfi_fusion_flop(f, site, layer, s->training, live, s->tokens) / (double)s->tokens;
        return true;
    }
    if (!a || !a->method->block || !a->method->takes(a, site, layer)) return live;
    const wf_bottleneck *b = wfi_bottleneck_at(a, site, layer);
    if (!b) return live;
    product(s, b->down.in, b->m, false, live, true);
    product(s, b->m, b->down.in, false, true, true);
    return true;
}

static bool attention(sweep *s, double attended, int64_t H, bool q, bool k, bool v) {
    const double one = 2.0 * attended * (double)H;
    s->rest += 2 * one;
    if (s->training) s->rest += one * ((double)v + (double)(q || k) + (double)q + (double)k);
    return q || k || v;
}

static bool layer_sweep(sweep *s, const wf_bench_state *b, const wf_bench_running *r, int i, double attended,
                        bool live) {
    const wf_bert_config *c = &b->models[0]->config;
    const int64_t H = c->hidden_size, F = c->intermediate_size;
    const bool q = linear(s, r, WF_SITE_QUERY, i, H, H, live), k = linear(s, r, WF_SITE_KEY, i, H, H, live),
               v = linear(s, r, WF_SITE_VALUE, i, H, H, live);
    const bool mixed = attention(s, attended, H, q, k, v), out = linear(s, r, WF_SITE_ATTN_DENSE, i, H, H, mixed);
    live = block(s, r, WF_SITE_ATTN_OUT, i, out || live);
    const bool up = linear(s, r, WF_SITE_FFN_UP, i, H, F, live), down = linear(s, r, WF_SITE_FFN_DOWN, i, F, H, up);
    return block(s, r, WF_SITE_FFN_OUT, i, down || live);
}

/* A batch of so many tokens. */
static sweep batch_sweep(const wf_bench_state *b, const wf_bench_running *r, double attended, int64_t tokens) {
    /* A head alone trains on what the base made in inference; the head itself is trained. */
    sweep s = {.training = r->work->kind == BENCH_TRAIN && r->work->parts != BENCH_HEAD, .tokens = tokens};
    bool live = r->subject.full != NULL;
    for (int i = 0; i < b->models[0]->config.layers; i++) live = layer_sweep(&s, b, r, i, attended, live);
    return s;
}

/* Only what a fusion takes depends on the cut, and only in training; one batch stands for all else. */
static wf_status cut(const wf_bench_running *r, wf_batches *out, wf_err *err) {
    const bool all = r->work->kind == BENCH_TRAIN && r->work->parts == BENCH_FUSE;
    const int64_t rows = (int64_t)r->data->rows;
    return wfi_batches_make(r->data, all ? r->settings.batch_rows : rows, all ? r->settings.batch_tokens : INT64_MAX,
                            true, 1, out, err);
}

wf_status wfi_bench_flops(const wf_bench_state *b, wf_bench_running *r, wf_err *err) {
    const double attended = r->fixed.rows ? wfi_bench_attended(&r->fixed) : b->mean_attended,
                 total = (double)r->data->offsets[r->data->sequences];
    const int64_t H = b->models[0]->config.hidden_size, *offsets = r->data->offsets;
    sweep head = {.training = r->work->kind == BENCH_TRAIN};
    product(&head, H, H, false, r->work->parts != BENCH_HEAD, true);
    product(&head, H, r->subject.head->classes, false, true, true);
    wf_batches batches = {0};
    WF_TRY(cut(r, &batches, err));
    r->base_flop = 0;
    r->rest_flop = (double)r->data->rows * head.rest / total;
    for (int64_t k = 0; k < batches.count; k++) {
        int64_t tokens = 0;
        for (int64_t i = batches.first[k]; i < batches.first[k + 1]; i++)
            tokens += offsets[batches.order[i] + 1] - offsets[batches.order[i]]; /* a row is one sequence here */
        const sweep s = batch_sweep(b, r, attended, tokens);
        r->base_flop += s.base * (double)tokens / total;
        r->rest_flop += s.rest * (double)tokens / total;
    }
    wfi_batches_clear(&batches);
    return WF_OK;
}
