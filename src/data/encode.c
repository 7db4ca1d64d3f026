/* data/encode.c - rows to token ids, in parallel over rows. See batch.h. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "data/batch.h"
#include <omp.h>
#include <stdio.h>
#include <string.h>

void wfi_encoded_clear(wf_encoded *e) {
    void *all[] = {e->ids, e->types, e->offsets, e->first, e->label, e->target, e->labels, e->pooled};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) wfi_free(all[i]);
    wfi_stem_free(e->stem);
    *e = (wf_encoded){0};
}

typedef struct piece { /* what one thread encoded: its rows are one after the other */
    int32_t *ids;
    uint8_t *types;
    size_t count, cap;
    wf_encoding encoding;
    wf_buffer filled;
    wf_err err;
    wf_status status;
    int64_t failed_row;
} piece;

static wf_status append(piece *p, int64_t *length, wf_err *err) {
    const wf_encoding *c = &p->encoding;
    if (p->count + c->count > p->cap) {
        const size_t cap = 2 * p->cap + c->count + 4096;
        int32_t *ids = wfi_realloc(p->ids, cap, sizeof *ids);
        if (ids) p->ids = ids;
        uint8_t *types = wfi_realloc(p->types, cap, 1);
        if (types) p->types = types;
        if (!ids || !types) return wfi_fail(err, WF_E_NOMEM, "out of memory for token ids");
        p->cap = cap;
    }
    memcpy(p->ids + p->count, c->ids, c->count * sizeof *c->ids);
    memcpy(p->types + p->count, c->type_ids, c->count);
    p->count += c->count;
    *length = (int64_t)c->count;
    return WF_OK;
}

static wf_status sequence(piece *p, const wf_tokenizer *tok, const char *text, size_t n, const char *pair,
                          size_t max_length, int64_t *length, wf_err *err) {
    WF_TRY(wfi_tokenizer_encode(tok, text, n, pair, pair ? strlen(pair) : 0, max_length, &p->encoding, err));
    return append(p, length, err);
}

/* Choice c of a row: (text, choice); with a second text (text, second text and choice); or, where the text has one "_",
 * (text with the choice in the gap up to there, the rest). */
static wf_status choice(piece *p, const wf_tokenizer *tok, const wf_row *r, int32_t c, size_t max_length,
                        int64_t *length, wf_err *err) {
    const char *gap = strchr(r->text, '_');
    const bool filled = !r->pair && gap && !strchr(gap + 1, '_');
    if (!r->pair && !filled) return sequence(p, tok, r->text, strlen(r->text), r->choices[c], max_length, length, err);
    p->filled.len = 0;
    if (filled)
        wfi_buffer_add(&p->filled, r->text, (size_t)(gap - r->text));
    else
        wfi_buffer_printf(&p->filled, "%s ", r->pair);
    wfi_buffer_adds(&p->filled, r->choices[c]);
    if (p->filled.failed) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (!filled) return sequence(p, tok, r->text, strlen(r->text), p->filled.data, max_length, length, err);
    return sequence(p, tok, p->filled.data, p->filled.len, gap + 1 + strspn(gap + 1, " "), max_length, length, err);
}

static wf_status row_encode(piece *p, const wf_tokenizer *tok, const wf_row *r, const wf_task *task, size_t max_length,
                            int64_t *lengths, wf_err *err) {
    if (task->kind != WF_KIND_MULTIPLE_CHOICE)
        return sequence(p, tok, r->text, strlen(r->text), r->pair, max_length, lengths, err);
    for (int32_t c = 0; c < r->choice_count; c++) WF_TRY(choice(p, tok, r, c, max_length, &lengths[c], err));
    return WF_OK;
}

static wf_status tables_make(const wf_rows *rows, const wf_task *task, wf_encoded *e, wf_err *err) {
    const bool many = task->kind == WF_KIND_MULTILABEL;
    e->rows = rows->count;
    e->label_count = task->label_count;
    e->first = wfi_alloc(e->rows + 1, sizeof *e->first);
    e->label = wfi_alloc(e->rows + 1, sizeof *e->label);
    e->target = wfi_alloc(e->rows + 1, sizeof *e->target);
    if (many) e->labels = wfi_alloc(e->rows + 1, (size_t)task->label_count);
    if (!e->first || !e->label || !e->target || (many && !e->labels))
        return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", e->rows);
    for (size_t i = 0; i < e->rows; i++) {
        const wf_row *r = &rows->rows[i];
        if (task->kind == WF_KIND_MULTIPLE_CHOICE && r->choice_count < 1)
            return wfi_fail(err, WF_E_DATA, "row %zu has no choices", i + 1);
        e->first[i + 1] = e->first[i] + (task->kind == WF_KIND_MULTIPLE_CHOICE ? r->choice_count : 1);
        e->label[i] = r->label;
        e->target[i] = (float)r->target;
        if (many && r->labels) memcpy(e->labels + i * (size_t)task->label_count, r->labels, (size_t)task->label_count);
    }
    e->sequences = (size_t)e->first[e->rows];
    e->offsets = wfi_alloc(e->sequences + 1, sizeof *e->offsets);
    return e->offsets ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

/* Pieces one after the other; e->offsets holds lengths at [s+1] before. */
static wf_status pieces_join(piece *pieces, int threads, wf_encoded *e, wf_err *err) {
    size_t total = 0, at = 0;
    for (int t = 0; t < threads; t++) total += pieces[t].count;
    e->ids = wfi_alloc(total + 1, sizeof *e->ids);
    e->types = wfi_alloc(total + 1, 1);
    if (!e->ids || !e->types) return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu tokens", total);
    for (int t = 0; t < threads; t++) {
        if (!pieces[t].count) continue;
        memcpy(e->ids + at, pieces[t].ids, pieces[t].count * sizeof *e->ids);
        memcpy(e->types + at, pieces[t].types, pieces[t].count);
        at += pieces[t].count;
    }
    for (size_t s = 0; s < e->sequences; s++) e->offsets[s + 1] += e->offsets[s];
    return WF_OK;
}

static wf_status first_failure(const piece *pieces, int threads, const wf_rows *rows, wf_err *err) {
    for (int t = 0; t < threads; t++) {
        if (pieces[t].status == WF_OK) continue;
        if (err) *err = pieces[t].err;
        return wfi_fail_in(err, pieces[t].status, "line %lld", (long long)rows->rows[pieces[t].failed_row].line);
    }
    return WF_OK;
}

wf_status wfi_encode(const wf_tokenizer *tok, const wf_rows *rows, const wf_task *task, size_t max_length,
                     wf_encoded *out, wf_err *err) {
    const int threads = rows->count < 64 ? 1 : omp_get_max_threads();
    wf_encoded e = {0};
    piece *pieces = wfi_alloc((size_t)threads, sizeof *pieces);
    wf_status st = pieces ? tables_make(rows, task, &e, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int t = 0; t < threads; t++) {
            piece *p = &pieces[t];
            const size_t from = rows->count * (size_t)t / (size_t)threads,
                         to = rows->count * (size_t)(t + 1) / (size_t)threads;
            for (size_t i = from; p->status == WF_OK && i < to; i++) {
                p->failed_row = (int64_t)i;
                p->status = row_encode(p, tok, &rows->rows[i], task, max_length, &e.offsets[e.first[i] + 1], &p->err);
            }
        }
        st = first_failure(pieces, threads, rows, err);
    }
    if (st == WF_OK) st = pieces_join(pieces, threads, &e, err);
    for (int t = 0; pieces && t < threads; t++) {
        wfi_free(pieces[t].ids);
        wfi_free(pieces[t].types);
        wfi_encoding_clear(&pieces[t].encoding);
        wfi_buffer_clear(&pieces[t].filled);
    }
    wfi_free(pieces);
    if (st != WF_OK)
        wfi_encoded_clear(&e);
    else
        *out = e;
    return st;
}

static wf_status known_take(const wf_tokens *t, int32_t vocab, wf_encoded *e, wf_err *err) {
    size_t total = 0;
    bool fits = t->sequences == e->sequences;
    for (size_t s = 0; fits && s < t->sequences; s++) {
        fits = t->lengths[s] >= 0;
        total += (size_t)t->lengths[s];
        e->offsets[s + 1] = (int64_t)total;
    }
    for (size_t i = 0; i < t->total; i++) fits &= t->ids[i] >= 0 && t->ids[i] < vocab && t->types[i] <= 1;
    if (!fits || total != t->total) return wfi_fail(err, WF_E_DATA, "tokens do not fit the %zu rows", e->rows);
    e->ids = wfi_alloc(total + 1, sizeof *e->ids);
    e->types = wfi_alloc(total + 1, 1);
    if (!e->ids || !e->types) return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu tokens", total);
    memcpy(e->ids, t->ids, total * sizeof *e->ids);
    memcpy(e->types, t->types, total);
    return WF_OK;
}

wf_status wfi_encode_known(const wf_tokens *tokens, int32_t vocab, const wf_rows *rows, const wf_task *task,
                           wf_encoded *out, wf_err *err) {
    wf_encoded e = {0};
    wf_status st = tables_make(rows, task, &e, err);
    if (st == WF_OK) st = known_take(tokens, vocab, &e, err);
    if (st != WF_OK)
        wfi_encoded_clear(&e);
    else
        *out = e;
    return st;
}
