/* bench/bench_steps.c - real tokens a second of whole training and inference steps, without data, lab or dev scores.
 * Usage: bench_steps BASE_FOLDER TYPE SECONDS WORK...; TYPE is f32 or bf16. A WORK is train:WHAT or infer:WHAT, WHAT
 * one of plain, an adapter preset (seq_bn, lora, ...), full, fuseN (N adapters with random values); /R behind it sets
 * the rows a batch (32 when training, 64 else), and @L gives every row L tokens. One line a work: its name, tokens a
 * second and the time of a step (the fastest of several for each of some batches: on a shared machine the others
 * measure the neighbours), the step's memory. Meant for two builds run in turn. */
#include "base/clock.h"
#include "base/random.h"
#include "engine/context.h"
#include "optim/optim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 4, MOST_ADAPTERS = 128 };
/* Lengths of short reviews at the tenths of their distribution. */
static const int tenths[] = {4, 11, 15, 18, 21, 24, 27, 31, 35, 41, 56};

static wf_err error;

static void must(wf_status st) {
    if (st == WF_OK) return;
    fprintf(stderr, "bench_steps: %s\n", error.text);
    exit(1);
}

static void *must_get(void *p) {
    if (p) return p;
    fprintf(stderr, "bench_steps: out of memory\n");
    exit(1);
}

static int length_of(uint64_t i) {
    const float u = 10.0f * wfi_random_uniform(5, i);
    const int k = (int)u;
    return tenths[k] + (int)((u - (float)k) * (float)(tenths[k + 1] - tenths[k]));
}

static void batch_make(wf_batch *b, uint64_t number, int64_t rows, int length, int64_t vocab) {
    *b = (wf_batch){.S = rows, .rows = rows};
    b->offsets = must_get(calloc((size_t)rows + 1, sizeof *b->offsets));
    b->label = must_get(calloc((size_t)rows, sizeof *b->label));
    b->row_counts = must_get(calloc((size_t)rows, sizeof *b->row_counts));
    for (int64_t s = 0; s < rows; s++) {
        const uint64_t i = number * (uint64_t)rows + (uint64_t)s;
        b->offsets[s + 1] = b->offsets[s] + (length ? length : length_of(i));
        b->label[s] = (int32_t)(i % 2);
        b->row_counts[s] = 1;
    }
    b->T = b->offsets[rows];
    b->ids = must_get(calloc((size_t)b->T, sizeof *b->ids));
    b->positions = must_get(calloc((size_t)b->T, sizeof *b->positions));
    b->types = must_get(calloc((size_t)b->T, sizeof *b->types));
    for (int64_t s = 0; s < rows; s++)
        for (int64_t t = b->offsets[s]; t < b->offsets[s + 1]; t++) {
            b->ids[t] = (int32_t)wfi_random_below(6 + number, (uint64_t)t, (uint64_t)vocab);
            b->positions[t] = (int32_t)(t - b->offsets[s]);
        }
}

typedef struct work {
    bool train;
    wf_context *c;
    wf_pset *sets[MOST_ADAPTERS + 2];
    size_t count;
    wf_optim *optim;
} work;

static void step(work *w, const wf_batch *b, uint64_t number) {
    wf_value *logits = wfi_context_forward(w->c, b, w->train, wfi_random_key(1, "step", number, 0), NULL, &error);
    if (!logits) must(wfi_tape_status(w->c->tape, &error));
    if (!w->train) return;
    const wf_pass pass = {.tape = w->c->tape, .S = b->S, .offsets = b->offsets};
    const wf_loss_options none = {0};
    wf_value *loss = wfi_head_loss(w->c->head, &pass, logits, b, &none);
    wf_value *penalty = w->c->fusion ? wfi_fusion_penalty(w->c->fusion, w->c->tape) : NULL;
    if (penalty) loss = wfi_op_add(w->c->tape, 2, (wf_value *[]){loss, penalty});
    wfi_optim_zero_grad(w->optim);
    must(wfi_tape_backward(w->c->tape, loss, 1.0f, &error));
    must(wfi_clip_grad_norm(w->sets, w->count, 1.0, NULL, &error));
    wfi_optim_step(w->optim, 1e-5);
}

/* Every batch several times, the fastest of each counts. */
static void measure(work *w, const char *name, double seconds, int64_t rows, int length) {
    wf_batch batch[BATCHES];
    double best[BATCHES], sum = 0;
    int64_t tokens = 0;
    uint64_t number = 0;
    for (int i = 0; i < BATCHES; i++) {
        batch_make(&batch[i], (uint64_t)i, rows, length, w->c->model->config.vocab_size);
        best[i] = 1e30;
        tokens += batch[i].T;
    }
    for (int i = 0; i < 3; i++) step(w, &batch[i], 0);
    const double begin = wfi_clock_seconds();
    for (int round = 0; round < 3 || wfi_clock_seconds() - begin < seconds; round++)
        for (int i = 0; i < BATCHES; i++) {
            const double from = wfi_clock_seconds();
            step(w, &batch[i], number++);
            const double took = wfi_clock_seconds() - from;
            if (took < best[i]) best[i] = took;
        }
    for (int i = 0; i < BATCHES; i++) sum += best[i];
    printf("%-16s %9.0f tokens/s %9.3f ms %7.1f MiB\n", name, (double)tokens / sum, sum / BATCHES * 1e3,
           (double)wfi_tape_peak(w->c->tape) / (double)(1 << 20));
    fflush(stdout);
    for (int i = 0; i < BATCHES; i++) wfi_batch_clear(&batch[i]);
}

static wf_fusion *fusion_make(const wf_base_shape *shape, int n, wf_adapter **adapters) {
    wf_fusion *f = NULL;
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        must(wfi_adapter_new(name, "seq_bn", shape, 3, &adapters[i], &error));
    }
    must(wfi_fusion_new("f", "dynamic", adapters, (size_t)n, shape, 4, &f, &error));
    return f;
}

/* NAME[/ROWS][@LENGTH] */
static void run(const char *folder, wf_dtype type, double seconds, const char *name) {
    char what[64];
    snprintf(what, sizeof what, "%s", name + (strlen(name) > 6 ? 6 : 0));
    char *at = strchr(what, '@'), *slash = strchr(what, '/');
    if (at) *at++ = 0;
    if (slash) *slash++ = 0;
    work w = {.train = strncmp(name, "train:", 6) == 0};
    const int fused = strncmp(what, "fuse", 4) == 0 ? (int)strtol(what + 4, NULL, 10) : 0;
    const bool full = strcmp(what, "full") == 0;
    wf_bert *base = NULL, *model = NULL;
    wf_adapter *adapters[MOST_ADAPTERS] = {0};
    wf_fusion *fusion = NULL;
    wf_head *head = NULL;
    must(wfi_bert_open(folder, &base, &error));
    if (full) must(wfi_bert_copy_trainable(base, &model, &error));
    wf_bert *m = full ? model : base;
    if (!full) must(wfi_bert_pack(m, w.train, type, &error));
    must(wfi_context_new(m, &w.c, &error));
    const wf_base_shape shape = wfi_context_shape(m);
    if (full) {
        w.sets[w.count++] = &model->params;
    } else if (fused > 0 && fused <= MOST_ADAPTERS) {
        w.c->fusion = fusion = fusion_make(&shape, fused, adapters);
        w.sets[w.count++] = &fusion->params;
    } else if (strcmp(what, "plain") != 0) {
        must(wfi_adapter_new("a", what, &shape, 3, &adapters[0], &error));
        w.c->adapter = adapters[0];
        w.sets[w.count++] = &adapters[0]->params;
    }
    must(wfi_head_new("h",
                      &(wf_head_spec){.kind = WF_KIND_CLASSIFICATION,
                                      .classes = 2,
                                      .layers = 2,
                                      .pooling = WF_POOL_MEAN,
                                      .dropout = 0.1f,
                                      .hidden_size = shape.hidden_size},
                      1, &head, &error));
    w.sets[w.count++] = &head->params;
    w.c->head = head;
    w.c->base_dropout = true;
    if (w.train) {
        for (size_t i = 0; i < w.count; i++) must(wfi_pset_trainable(w.sets[i], true, &error));
        must(wfi_optim_new(w.sets, w.count, 0.0, &w.optim, &error));
    }
    measure(&w, name, seconds, slash ? strtol(slash, NULL, 10) : w.train ? 32 : 64, at ? (int)strtol(at, NULL, 10) : 0);
    wfi_optim_free(w.optim);
    wfi_context_free(w.c);
    wfi_head_free(head);
    wfi_fusion_free(fusion);
    for (int i = 0; i < MOST_ADAPTERS; i++) wfi_adapter_free(adapters[i]);
    wfi_bert_free(model);
    wfi_bert_free(base);
}

int main(int argc, char **argv) {
    wf_dtype type = WF_DTYPE_F32;
    if (argc < 5) return fprintf(stderr, "usage: bench_steps BASE_FOLDER f32|bf16 SECONDS WORK...\n"), 2;
    if (strcmp(argv[2], "bf16") == 0) type = WF_DTYPE_BF16;
    for (int i = 4; i < argc; i++) run(argv[1], type, strtod(argv[3], NULL), argv[i]);
    return 0;
}
