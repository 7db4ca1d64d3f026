/* bench/data.c - what works read: the user's texts, or random tokens in lengths like those of short texts. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "bench/bench.h"
#include <string.h>

enum { TEXTS_MOST = 4096, LENGTH_MOST = 256, SHORTEST = 8, SPREAD = 48, CLASSES = 2 };

/* rows sequences of the given lengths, all arrays but ids and types filled. */
static wf_status shell_make(size_t rows, const int64_t *lengths, int64_t length, wf_encoded *e, wf_err *err) {
    int64_t total = 0;
    for (size_t i = 0; i < rows; i++) total += lengths ? lengths[i] : length;
    *e = (wf_encoded){.rows = rows, .sequences = rows, .label_count = CLASSES};
    e->ids = wfi_alloc((size_t)total + 1, sizeof *e->ids);
    e->types = wfi_alloc((size_t)total + 1, 1);
    e->offsets = wfi_alloc(rows + 1, sizeof *e->offsets);
    e->first = wfi_alloc(rows + 1, sizeof *e->first);
    e->label = wfi_alloc(rows + 1, sizeof *e->label);
    e->target = wfi_alloc(rows + 1, sizeof *e->target);
    if (!e->ids || !e->types || !e->offsets || !e->first || !e->label || !e->target) {
        wfi_encoded_clear(e);
        return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu texts", rows);
    }
    for (size_t i = 0; i < rows; i++) {
        e->offsets[i + 1] = e->offsets[i] + (lengths ? lengths[i] : length);
        e->first[i + 1] = (int64_t)i + 1;
        e->label[i] = (int32_t)(i % CLASSES);
    }
    return WF_OK;
}

static wf_status random_texts(wf_bench_state *b, wf_err *err) {
    const wf_bert_config *c = &b->models[0]->config;
    const uint64_t key = wfi_random_key(2, "bench tokens", 0, 0);
    int64_t *lengths = wfi_alloc(TEXTS_MOST, sizeof *lengths);
    if (!lengths) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (uint64_t i = 0; i < TEXTS_MOST; i++) {
        lengths[i] = SHORTEST + wfi_random_below(key, i, SPREAD + 1);
        if (lengths[i] > c->max_positions) lengths[i] = c->max_positions;
    }
    wf_status st = shell_make(TEXTS_MOST, lengths, 0, &b->texts, err);
    for (int64_t i = 0; st == WF_OK && i < b->texts.offsets[TEXTS_MOST]; i++)
        b->texts.ids[i] = (int32_t)wfi_random_below(key + 1, (uint64_t)i, (uint32_t)c->vocab_size);
    wfi_free(lengths);
    return st;
}

static wf_status real_texts(wf_bench_state *b, wf_err *err) {
    char *labels[] = {(char *)"0", (char *)"1"};
    wf_task task = {.name = (char *)"bench", .kind = WF_KIND_CLASSIFICATION, .labels = labels, .label_count = CLASSES};
    wf_texts texts = {0};
    const int64_t most = b->models[0]->config.max_positions;
    wf_status st = wfi_texts_read(b->spec->texts, &task, &texts, err);
    size_t kept = 0;
    for (size_t i = 0; st == WF_OK && i < texts.rows.count; i++)
        if (*texts.rows.rows[i].text) texts.rows.rows[kept++] = texts.rows.rows[i];
    texts.rows.count = kept;
    if (st == WF_OK && texts.rows.count == 0)
        st = wfi_fail(err, WF_E_DATA, "%s: there is no text in it", b->spec->texts);
    const wf_rows some = {.rows = texts.rows.rows,
                          .count = texts.rows.count < TEXTS_MOST ? texts.rows.count : TEXTS_MOST};
    for (size_t i = 0; st == WF_OK && i < some.count; i++) some.rows[i].label = (int32_t)(i % CLASSES);
    if (st == WF_OK)
        st = wfi_encode(b->open->tokenizer, &some, &task, (size_t)(most < LENGTH_MOST ? most : LENGTH_MOST), &b->texts,
                        err);
    wfi_texts_clear(&texts);
    return st;
}

wf_status wfi_bench_texts(wf_bench_state *b, wf_err *err) {
    WF_TRY(b->spec->texts ? real_texts(b, err) : random_texts(b, err));
    b->mean_attended = wfi_bench_attended(&b->texts);
    return WF_OK;
}

wf_status wfi_bench_fixed(const wf_encoded *from, int64_t length, int64_t rows, wf_encoded *out, wf_err *err) {
    const int64_t there = from->offsets[from->sequences];
    WF_TRY(shell_make((size_t)rows, NULL, length, out, err));
    for (int64_t i = 0; i < rows * length; i++) out->ids[i] = from->ids[i % there];
    return WF_OK;
}

wf_encoded wfi_bench_view(const wf_encoded *e, size_t first, size_t n) {
    wf_encoded v = *e;
    v.rows = n;
    v.sequences = first + n; /* a row is one sequence here */
    v.first += first;
    v.label += first;
    if (v.target) v.target += first;
    return v;
}

double wfi_bench_attended(const wf_encoded *e) {
    double squares = 0, sum = 0;
    for (size_t s = 0; s < e->sequences; s++) {
        const double n = (double)(e->offsets[s + 1] - e->offsets[s]);
        squares += n * n;
        sum += n;
    }
    return squares / sum;
}
