/* tokenizers/vocab.c - see vocab.h. FNV-1a with a final mix, linear probing, load at most one half. */
#include "tokenizers/vocab.h"
#include "base/alloc.h"
#include "base/error.h"
#include <string.h>

static inline uint32_t spread(uint32_t h) {
    h ^= h >> 15;
    h *= 0x2C1B3C6Du;
    return h ^ (h >> 13);
}

/* The slot with the text, or the empty one where it would go. */
static inline wf_vocab_slot *find(const wf_vocab_table *t, uint32_t hash, const char *text, size_t size) {
    for (size_t i = spread(hash) & t->mask;; i = (i + 1) & t->mask) {
        wf_vocab_slot *s = &t->slots[i];
        if (!s->entry) return s;
        if (s->hash != hash) continue;
        const size_t from = t->at[s->entry - 1] + t->skip;
        if (t->at[s->entry] - 1 - from == size && !memcmp(t->bytes + from, text, size)) return s;
    }
}

int32_t wfi_vocab_get(const wf_vocab_table *t, uint32_t hash, const char *text, size_t size) {
    return (int32_t)find(t, hash, text, size)->entry - 1;
}

static uint32_t hash_of(const char *text, size_t size) {
    uint32_t h = WFI_VOCAB_SEED;
    for (size_t i = 0; i < size; i++) h = wfi_vocab_step(h, (unsigned char)text[i]);
    return h;
}

int32_t wfi_vocab_find(const wf_vocab *v, const char *text, size_t size) {
    return v->first.slots ? wfi_vocab_get(&v->first, hash_of(text, size), text, size) : -1;
}

static wf_status table_init(const wf_vocab *v, wf_vocab_table *t, size_t count, size_t skip, wf_err *err) {
    size_t slots = 16;
    while (slots < 2 * count) slots *= 2;
    *t = (wf_vocab_table){.mask = slots - 1, .bytes = v->bytes, .at = v->at, .skip = skip};
    t->slots = wfi_alloc(slots, sizeof *t->slots);
    return t->slots ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for the vocabulary");
}

/* Gives -1, or the id that has the text already. */
static int32_t table_add(wf_vocab_table *t, const char *text, size_t size, int32_t id) {
    const uint32_t hash = hash_of(text, size);
    wf_vocab_slot *s = find(t, hash, text, size);
    if (s->entry) return (int32_t)s->entry - 1;
    *s = (wf_vocab_slot){hash, (uint32_t)id + 1};
    if (size > t->max_bytes) t->max_bytes = size;
    return -1;
}

static wf_status copy_texts(wf_vocab *v, const char *const *texts, const size_t *sizes, const char *name, wf_err *err) {
    size_t total = 0; /* at most WFI_VOCAB_MAX * (WFI_TOKEN_BYTES_MAX + 1): no overflow */
    for (size_t i = 0; i < v->count; i++) {
        if (!sizes[i])
            return wfi_fail_at(err, WF_E_DATA, name, (int64_t)i, "%s: the token with id %zu is empty", name, i);
        if (sizes[i] > WFI_TOKEN_BYTES_MAX)
            return wfi_fail_at(err, WF_E_DATA, name, (int64_t)i,
                               "%s: the token with id %zu has %zu bytes; at most %d are possible", name, i, sizes[i],
                               WFI_TOKEN_BYTES_MAX);
        total += sizes[i] + 1;
    }
    v->bytes = wfi_alloc(total, 1);
    v->at = wfi_alloc(v->count + 1, sizeof *v->at);
    if (!v->bytes || !v->at) return wfi_fail(err, WF_E_NOMEM, "out of memory for the vocabulary");
    for (size_t i = 0, at = 0; i < v->count; i++) {
        v->at[i] = at;
        memcpy(v->bytes + at, texts[i], sizes[i]);
        at += sizes[i] + 1;
    }
    v->at[v->count] = total;
    return WF_OK;
}

wf_status wfi_vocab_init(wf_vocab *v, const char *const *texts, const size_t *sizes, size_t count, size_t words,
                         const char *prefix, const char *name, wf_err *err) {
    memset(v, 0, sizeof *v);
    if (!count) return wfi_fail_at(err, WF_E_DATA, name, -1, "%s: the vocabulary is empty", name);
    if (count > WFI_VOCAB_MAX)
        return wfi_fail_at(err, WF_E_DATA, name, -1, "%s: the vocabulary has %zu tokens; at most %d are possible", name,
                           count, WFI_VOCAB_MAX);
    v->count = count;
    wf_status st = copy_texts(v, texts, sizes, name, err);
    const size_t skip = strlen(prefix);
    if (st == WF_OK) st = table_init(v, &v->first, words, 0, err);
    if (st == WF_OK) st = table_init(v, &v->next, words, skip, err);
    for (size_t i = 0; st == WF_OK && i < words; i++) {
        const char *text = v->bytes + v->at[i];
        const int32_t had = table_add(&v->first, text, sizes[i], (int32_t)i);
        if (had >= 0)
            st = wfi_fail_at(err, WF_E_DATA, name, (int64_t)i, "%s: token \"%s\" is there twice, with ids %d and %zu",
                             name, text, had, i);
        else if (sizes[i] > skip && !memcmp(text, prefix, skip))
            table_add(&v->next, text + skip, sizes[i] - skip, (int32_t)i);
    }
    if (st != WF_OK) wfi_vocab_clear(v);
    return st;
}

void wfi_vocab_clear(wf_vocab *v) {
    wfi_free(v->bytes);
    wfi_free(v->at);
    wfi_free(v->first.slots);
    wfi_free(v->next.slots);
    memset(v, 0, sizeof *v);
}
