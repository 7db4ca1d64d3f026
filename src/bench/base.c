/* bench/base.c - the base a bench runs on: one of the lab's, or one of random numbers in a well-known size. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "bench/apart.h"
#include "bench/bench.h"
#include "lab/precision.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int layers;
    int64_t hidden_size;
} SIZES[] = {{"minilm", 6, 384}, {"bert-base", 12, 768}};

static wf_bert_config config_make(int layers, int64_t hidden_size) {
    return (wf_bert_config){.layers = layers,
                            .hidden_size = hidden_size,
                            .intermediate_size = 4 * hidden_size,
                            .heads = 12,
                            .vocab_size = 30522,
                            .max_positions = 512,
                            .type_vocab_size = 2,
                            .layer_norm_eps = 1e-12f,
                            .hidden_dropout = 0.1f,
                            .attention_dropout = 0.1f,
                            .act = WF_ACT_GELU};
}

int wfi_bench_type_at(wf_dtype t) {
    return t == WF_DTYPE_F32 ? 0 : t == WF_DTYPE_BF16 ? 1 : t == WF_DTYPE_I8 ? 2 : -1;
}

/* ---- random weights ---- */

enum { NAME = 96 };

static wf_status tensor_add(wf_bench_random *r, const char *name, int rank, int64_t rows, int64_t cols, wf_err *err) {
    wf_tensor *t = &r->tensors[r->count];
    char *copy = wfi_strdup(name);
    if (!copy) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    *t = (wf_tensor){.name = copy, .dtype = WF_DTYPE_F32, .rank = rank, .shape = {rows, cols}};
    r->count++;
    return WF_OK;
}

static wf_status pair_add(wf_bench_random *r, const char *stem, int64_t out, int64_t in, wf_err *err) {
    char name[NAME];
    snprintf(name, sizeof name, "%s.weight", stem);
    WF_TRY(tensor_add(r, name, in ? 2 : 1, out, in, err));
    snprintf(name, sizeof name, "%s.bias", stem);
    return tensor_add(r, name, 1, out, 0, err);
}

static wf_status tensors_name(wf_bench_random *r, const wf_bert_config *c, wf_err *err) {
    const int64_t H = c->hidden_size, F = c->intermediate_size;
    WF_TRY(tensor_add(r, "embeddings.word_embeddings.weight", 2, c->vocab_size, H, err));
    WF_TRY(tensor_add(r, "embeddings.position_embeddings.weight", 2, c->max_positions, H, err));
    WF_TRY(tensor_add(r, "embeddings.token_type_embeddings.weight", 2, c->type_vocab_size, H, err));
    WF_TRY(pair_add(r, "embeddings.LayerNorm", H, 0, err));
    for (int i = 0; i < c->layers; i++) {
        const struct {
            const char *name;
            int64_t out, in;
        } rows[] = {{"attention.self.query", H, H},
                    {"attention.self.key", H, H},
                    {"attention.self.value", H, H},
                    {"attention.output.dense", H, H},
                    {"attention.output.LayerNorm", H, 0},
                    {"intermediate.dense", F, H},
                    {"output.dense", H, F},
                    {"output.LayerNorm", H, 0}};
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            char stem[NAME - 8];
            snprintf(stem, sizeof stem, "encoder.layer.%d.%s", i, rows[k].name);
            WF_TRY(pair_add(r, stem, rows[k].out, rows[k].in, err));
        }
    }
    return WF_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const wf_tensor *)a)->name, ((const wf_tensor *)b)->name);
}

/* Weights of standard deviation 0.02, as BERT is initialised; norms are one. Evenly spread rather than normal numbers:
 * four to a block, for a hundred million of them. */
static void tensor_fill(float *at, const wf_tensor *t) {
    const int64_t n = wfi_tensor_count(t);
    const uint64_t key = wfi_random_key(1, t->name, 0, 0);
    const float width = 0.02f * 3.4641f / 4294967296.0f; /* of an even distribution: deviation times sqrt(12) */
    const bool norm = strstr(t->name, "LayerNorm.weight") != NULL;
    uint32_t words[4];
    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0) wfi_random_block(key, (uint64_t)i / 4, words);
        at[i] = norm ? 1.0f : ((float)words[i % 4] - 2147483648.0f) * width;
    }
}

static void random_clear(wf_bench_random *r) {
    for (size_t i = 0; i < r->count; i++) wfi_free((char *)(uintptr_t)r->tensors[i].name);
    wfi_free(r->tensors);
    wfi_free(r->values);
    *r = (wf_bench_random){0};
}

static wf_status random_make(wf_bench_random *r, const wf_bert_config *c, wf_err *err) {
    int64_t total = 0, at = 0;
    r->tensors = wfi_alloc((size_t)c->layers * 16 + 5, sizeof *r->tensors);
    if (!r->tensors) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    WF_TRY(tensors_name(r, c, err));
    qsort(r->tensors, r->count, sizeof *r->tensors, by_name);
    for (size_t i = 0; i < r->count; i++) total += (wfi_tensor_count(&r->tensors[i]) + 15) & ~INT64_C(15);
    r->values = wfi_alloc_aligned((size_t)total * sizeof *r->values);
    if (!r->values) return wfi_fail(err, WF_E_NOMEM, "out of memory for %lld random weights", (long long)total);
    for (size_t i = 0; i < r->count; i++) {
        tensor_fill(r->values + at, &r->tensors[i]);
        r->tensors[i].data = r->values + at;
        at += (wfi_tensor_count(&r->tensors[i]) + 15) & ~INT64_C(15);
    }
    return WF_OK;
}

/* ---- the type that "auto" stands for ---- */

static wf_status settle(void *self, void *out, wf_err *err) {
    const wf_bench_state *b = self;
    const wf_open_base any = {.model = b->models[0]}, *base = b->open ? b->open : &any;
    const char *word = b->spec->base_dtype;
    wf_dtype *types = out; /* of a frozen base, of one that is trained */
    WF_TRY(wfi_precision_settle(b->lab, base, word, false, &types[0], err));
    return wfi_precision_settle(b->lab, base, word, true, &types[1], err);
}

/* Measuring starts threads, and this process must stay without them until memory was measured. */
static wf_status type_settle(wf_bench_state *b, wf_err *err) {
    bool done = false;
    wf_dtype types[2];
    WF_TRY(wfi_precision_check(b->spec->base_dtype, err));
    WF_TRY(wfi_apart(settle, b, types, sizeof types, &done, err));
    if (!done) WF_TRY(settle(b, types, err));
    b->dtype = types[0];
    b->trained_dtype = types[1];
    return WF_OK;
}

/* ---- opening ---- */

static wf_status model_open(wf_bench_state *b, wf_dtype dtype, wf_err *err) {
    const int at = wfi_bench_type_at(dtype);
    if (at < 0) return wfi_fail(err, WF_E_UNSUPPORTED, "bases of type %s cannot be measured", wfi_dtype_name(dtype));
    if (b->models[at]) return WF_OK;
    if (b->spec->size) {
        wf_source source = {.count = b->random.count, .tensors = b->random.tensors};
        return wfi_bert_from_source(&b->models[0]->config, &source, &b->models[at], err);
    }
    wf_open_base *open = NULL;
    WF_TRY(wfi_lab_base(b->lab, b->spec->base, dtype, &open, err));
    b->models[at] = open->model;
    return WF_OK;
}

static wf_status random_open(wf_bench_state *b, wf_err *err) {
    const size_t n = sizeof SIZES / sizeof *SIZES;
    size_t k = 0;
    while (k < n && strcmp(SIZES[k].name, b->spec->size) != 0) k++;
    if (k == n) return wfi_fail(err, WF_E_ARG, "size \"%.40s\": use one of minilm, bert-base", b->spec->size);
    const wf_bert_config config = config_make(SIZES[k].layers, SIZES[k].hidden_size);
    WF_TRY(random_make(&b->random, &config, err));
    wf_source source = {.count = b->random.count, .tensors = b->random.tensors};
    b->base_name = SIZES[k].name;
    b->pooling = WF_POOL_MEAN;
    return wfi_bert_from_source(&config, &source, &b->models[0], err);
}

static wf_status stored_open(wf_bench_state *b, wf_err *err) {
    wf_open_base *open = NULL;
    if (!b->lab->dir) return wfi_fail(err, WF_E_ARG, "without a lab there is no base; give a size, such as minilm");
    WF_TRY(wfi_lab_base(b->lab, b->spec->base, WF_DTYPE_F32, &open, err));
    const char *pooling = json_string_value(json_object_get(open->info, "pooling"));
    b->open = open;
    b->base_name = open->name;
    b->models[0] = open->model;
    b->pooling = pooling && strcmp(pooling, "mean") == 0 ? WF_POOL_MEAN : WF_POOL_CLS;
    return WF_OK;
}

wf_status wfi_bench_base_open(wf_bench_state *b, wf_err *err) {
    if (b->spec->size && b->spec->base)
        return wfi_fail(err, WF_E_ARG, "a base of the lab or a size of a random one, not both");
    WF_TRY(b->spec->size ? random_open(b, err) : stored_open(b, err));
    return type_settle(b, err);
}

wf_status wfi_bench_base_types(wf_bench_state *b, wf_err *err) {
    for (size_t i = 0; i < b->work_count; i++) {
        wf_bench_work *w = &b->works[i];
        if (!w->typed) w->dtype = w->parts == BENCH_FULL ? b->trained_dtype : b->dtype;
        WF_TRY(model_open(b, w->dtype, err));
    }
    return WF_OK;
}

void wfi_bench_base_close(wf_bench_state *b) {
    for (int i = 0; b->spec->size && i < BENCH_TYPES; i++) wfi_bert_free(b->models[i]);
    random_clear(&b->random);
}
