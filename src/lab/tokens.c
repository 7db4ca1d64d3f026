/* lab/tokens.c - see tokens.h. An entry's parts: the count of sequences and of tokens (u64 each), tokens of each
 * sequence (i32), ids (i32), types (u8). */
#include "lab/tokens.h"
#include "base/alloc.h"
#include "base/error.h"
#include "lab/cache.h"
#include <string.h>

enum { FEW_BYTES = 1 << 16 }; /* of text: encoded in about a millisecond */
static const char kind[] = "tokens";

static size_t row_bytes(const wf_row *r) {
    size_t n = strlen(r->text) + (r->pair ? strlen(r->pair) : 0);
    for (int32_t c = 0; c < r->choice_count; c++) n += strlen(r->choices[c]);
    return n;
}

static bool few(const wf_rows *rows) {
    size_t bytes = 0;
    for (size_t i = 0; i < rows->count && bytes < FEW_BYTES; i++) bytes += row_bytes(&rows->rows[i]);
    return bytes < FEW_BYTES;
}

/* A text with the byte behind it (which is 0), or one that cannot stand in a text for none. */
static void add_text(wf_hash *h, const char *text) {
    if (text)
        wfi_hash_add(h, text, strlen(text) + 1);
    else
        wfi_hash_add(h, "\xff", 1);
}

static void add_number(wf_hash *h, uint64_t x) {
    unsigned char b[8];
    for (int i = 0; i < 8; i++) b[i] = (unsigned char)(x >> (8 * i));
    wfi_hash_add(h, b, sizeof b);
}

/* Everything that decides about lengths, ids and types. */
static wf_status key_make(const wf_tokenizer *tok, const wf_rows *rows, const wf_task *task, size_t max_length,
                          char key[WF_HASH_HEX], wf_err *err) {
    const bool choices = task->kind == WF_KIND_MULTIPLE_CHOICE;
    wf_hash *h = NULL;
    WF_TRY(wfi_hash_new(&h, err));
    add_text(h, "weft tokens 1");
    add_text(h, wfi_tokenizer_hash(tok));
    add_number(h, max_length);
    add_number(h, choices);
    add_number(h, rows->count);
    for (size_t i = 0; i < rows->count; i++) {
        const wf_row *r = &rows->rows[i];
        add_text(h, r->text);
        add_text(h, r->pair);
        if (choices) add_number(h, (uint64_t)r->choice_count);
        for (int32_t c = 0; choices && c < r->choice_count; c++) add_text(h, r->choices[c]);
    }
    wfi_hash_hex(h, key);
    wfi_hash_free(h);
    return WF_OK;
}

/* False: what the entry holds is not of these rows. */
static bool take(const wf_cached *c, const wf_tokenizer *tok, const wf_rows *rows, const wf_task *task,
                 wf_encoded *out) {
    wf_tokens t;
    uint64_t count[2];
    if (c->size < 64) return false;
    memcpy(count, c->data, sizeof count);
    if (count[0] > c->size / sizeof *t.lengths || count[1] > c->size / sizeof *t.ids) return false;
    t.sequences = (size_t)count[0];
    t.total = (size_t)count[1];
    const size_t lengths = 64, ids = lengths + WF_CACHE_STEP(t.sequences * sizeof *t.lengths),
                 types = ids + WF_CACHE_STEP(t.total * sizeof *t.ids);
    if (types + WF_CACHE_STEP(t.total) != c->size) return false;
    t.lengths = (const int32_t *)(const void *)(c->data + lengths);
    t.ids = (const int32_t *)(const void *)(c->data + ids);
    t.types = c->data + types;
    return wfi_encode_known(&t, (int32_t)wfi_tokenizer_vocab_size(tok), rows, task, out, NULL) == WF_OK;
}

static void keep(const char *cache, const char *key, const wf_encoded *e) {
    const size_t total = (size_t)e->offsets[e->sequences];
    const uint64_t count[2] = {e->sequences, total};
    int32_t *lengths = wfi_alloc(e->sequences, sizeof *lengths);
    if (!lengths) return;
    for (size_t s = 0; s < e->sequences; s++) lengths[s] = (int32_t)(e->offsets[s + 1] - e->offsets[s]);
    const wf_file_part parts[] = {{count, sizeof count},
                                  {lengths, e->sequences * sizeof *lengths},
                                  {e->ids, total * sizeof *e->ids},
                                  {e->types, total}};
    wfi_cache_put(cache, kind, key, parts, sizeof parts / sizeof *parts, WF_CACHE_BYTES);
    wfi_free(lengths);
}

wf_status wfi_tokens_encode(const char *cache, const wf_tokenizer *tok, const wf_rows *rows, const wf_task *task,
                            size_t max_length, wf_encoded *out, wf_err *err) {
    char key[WF_HASH_HEX];
    wf_cached c = {0};
    if (!cache || few(rows)) return wfi_encode(tok, rows, task, max_length, out, err);
    WF_TRY(key_make(tok, rows, task, max_length, key, err));
    const bool known = wfi_cache_get(cache, kind, key, &c) && take(&c, tok, rows, task, out);
    wfi_cached_clear(&c);
    if (known) return WF_OK;
    WF_TRY(wfi_encode(tok, rows, task, max_length, out, err));
    keep(cache, key, out);
    return WF_OK;
}
