/* data/batch.c - token ids of a part, cuts into batches, packed batches. See batch.h. */
#include "data/batch.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include <stdlib.h>
#include <string.h>

/* ---- order and cuts ---- */

void wfi_batches_clear(wf_batches *b) {
    wfi_free(b->order);
    wfi_free(b->first);
    *b = (wf_batches){0};
}

static int64_t row_tokens(const wf_encoded *e, int64_t row) {
    return e->offsets[e->first[row + 1]] - e->offsets[e->first[row]];
}

typedef struct sized {
    int64_t tokens, place, row;
} sized;

static int by_tokens(const void *a, const void *b) {
    const sized *x = a, *y = b;
    return x->tokens != y->tokens ? (x->tokens > y->tokens) - (x->tokens < y->tokens)
                                  : (x->place > y->place) - (x->place < y->place);
}

static void sort_by_tokens(const wf_encoded *e, int64_t *order, sized *space, int64_t n) {
    for (int64_t i = 0; i < n; i++) space[i] = (sized){row_tokens(e, order[i]), i, order[i]};
    qsort(space, (size_t)n, sizeof *space, by_tokens);
    for (int64_t i = 0; i < n; i++) order[i] = space[i].row;
}

static void cut(const wf_encoded *e, int64_t max_rows, int64_t max_tokens, wf_batches *b) {
    int64_t rows = 0, tokens = 0;
    b->count = 0;
    for (int64_t i = 0; i < (int64_t)e->rows; i++) {
        const int64_t t = row_tokens(e, b->order[i]);
        if (rows == 0 || rows == max_rows || tokens + t > max_tokens) {
            b->first[b->count++] = i;
            rows = tokens = 0;
        }
        rows++;
        tokens += t;
    }
    b->first[b->count] = (int64_t)e->rows;
}

wf_status wfi_batches_make(const wf_encoded *e, int64_t max_rows, int64_t max_tokens, bool shuffle, uint64_t key,
                           wf_batches *out, wf_err *err) {
    if (max_rows < 1 || max_tokens < 1)
        return wfi_fail(err, WF_E_ARG, "a batch must hold at least one row and one token");
    const int64_t n = (int64_t)e->rows;
    wf_batches b = {.order = wfi_alloc(e->rows + 1, sizeof *b.order), .first = wfi_alloc(e->rows + 1, sizeof *b.first)};
    sized *space = wfi_alloc(e->rows + 1, sizeof *space);
    wf_status st =
        b.order && b.first && space ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", e->rows);
    if (st == WF_OK) {
        for (int64_t i = 0; i < n; i++) b.order[i] = i;
        if (shuffle)
            wfi_random_shuffle(key, b.order, (size_t)n);
        else
            sort_by_tokens(e, b.order, space, n);
        cut(e, max_rows, max_tokens, &b);
    }
    wfi_free(space);
    if (st != WF_OK)
        wfi_batches_clear(&b);
    else
        *out = b;
    return st;
}

wf_status wfi_batches_by_class(const wf_encoded *e, int64_t max_rows, int64_t max_tokens, double evenness, uint64_t key,
                               wf_batches *out, wf_err *err) {
    wf_batches b = {0};
    WF_TRY(wfi_batches_make(e, max_rows, max_tokens, true, key, &b, err));
    wf_status st = wfi_rows_by_class(e, evenness, key, b.order, err);
    if (st == WF_OK) {
        cut(e, max_rows, max_tokens, &b);
        *out = b;
    } else {
        wfi_batches_clear(&b);
    }
    return st;
}

/* ---- packing ---- */

void wfi_batch_clear(wf_batch *b) {
    void *all[] = {b->ids,       b->positions, b->types,  b->offsets, b->row_counts,
                   b->row_index, b->label,     b->target, b->labels,  b->pooled};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) wfi_free(all[i]);
    *b = (wf_batch){0};
}

static bool grow(void *slot, size_t count, size_t size) {
    void **p = slot;
    void *now = wfi_realloc(*p, count, size);
    if (now) *p = now;
    return now != NULL;
}

static wf_status reserve(wf_batch *b, size_t tokens, size_t sequences, size_t rows, size_t labels, wf_err *err) {
    bool good = true;
    if (tokens > b->cap_tokens) {
        const size_t cap = tokens + tokens / 4;
        good = grow(&b->ids, cap, sizeof *b->ids) && grow(&b->positions, cap, sizeof *b->positions) &&
               grow(&b->types, cap, 1);
        b->cap_tokens = good ? cap : 0;
    }
    if (good && sequences + 1 > b->cap_sequences) {
        const size_t cap = sequences + sequences / 4 + 1;
        good = grow(&b->offsets, cap, sizeof *b->offsets);
        b->cap_sequences = good ? cap : 0;
    }
    if (good && rows > b->cap_rows) {
        const size_t cap = rows + rows / 4;
        good = grow(&b->row_counts, cap, sizeof *b->row_counts) && grow(&b->row_index, cap, sizeof *b->row_index) &&
               grow(&b->label, cap, sizeof *b->label) && grow(&b->target, cap, sizeof *b->target) &&
               (!labels || grow(&b->labels, cap, labels));
        b->cap_rows = good ? cap : 0;
    }
    return good ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for a batch of %zu tokens", tokens);
}

/* Features follow their sequences. */
static wf_status pooled_fill(wf_batch *b, const wf_encoded *e, const int64_t *rows, int64_t n, wf_err *err) {
    const size_t width = (size_t)e->pooled_width, need = (size_t)b->S * width;
    float *to = b->pooled;
    if (need > b->cap_pooled) {
        if (!grow(&b->pooled, need + need / 4, sizeof *b->pooled))
            return wfi_fail(err, WF_E_NOMEM, "out of memory for the features of a batch");
        b->cap_pooled = need + need / 4;
        to = b->pooled;
    }
    for (int64_t r = 0; r < n; r++) {
        const size_t count = (size_t)(e->first[rows[r] + 1] - e->first[rows[r]]) * width;
        if (count) memcpy(to, e->pooled + (size_t)e->first[rows[r]] * width, count * sizeof *to);
        to += count;
    }
    return WF_OK;
}

wf_status wfi_batch_fill(wf_batch *b, const wf_encoded *e, const int64_t *rows, int64_t n, wf_err *err) {
    const size_t width = e->labels ? (size_t)e->label_count : 0;
    size_t tokens = 0, sequences = 0;
    for (int64_t r = 0; r < n; r++) {
        if (rows[r] < 0 || rows[r] >= (int64_t)e->rows)
            return wfi_fail(err, WF_E_ARG, "row %lld does not exist", (long long)rows[r]);
        tokens += (size_t)row_tokens(e, rows[r]);
        sequences += (size_t)(e->first[rows[r] + 1] - e->first[rows[r]]);
    }
    WF_TRY(reserve(b, tokens, sequences, (size_t)n, width, err));
    b->T = b->S = 0;
    b->rows = n;
    b->stem = e->stem;
    b->offsets[0] = 0;
    for (int64_t r = 0; r < n; r++) {
        const int64_t row = rows[r];
        b->row_index[r] = row;
        b->row_counts[r] = (int32_t)(e->first[row + 1] - e->first[row]);
        b->label[r] = e->label[row];
        b->target[r] = e->target[row];
        if (width) memcpy(b->labels + (size_t)r * width, e->labels + (size_t)row * width, width);
        for (int64_t s = e->first[row]; s < e->first[row + 1]; s++) {
            const int64_t from = e->offsets[s], length = e->offsets[s + 1] - from;
            memcpy(b->ids + b->T, e->ids + from, (size_t)length * sizeof *b->ids);
            memcpy(b->types + b->T, e->types + from, (size_t)length);
            for (int64_t k = 0; k < length; k++) b->positions[b->T + k] = (int32_t)k;
            b->T += length;
            b->offsets[++b->S] = b->T;
        }
    }
    if (e->pooled) return pooled_fill(b, e, rows, n, err);
    wfi_free(b->pooled); /* of another part */
    b->pooled = NULL;
    b->cap_pooled = 0;
    return WF_OK;
}
