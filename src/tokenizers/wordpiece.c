/* tokenizers/wordpiece.c - WordPiece: greedy longest match from the left (Song et al. 2021 describe it, section 2); a
 * word that cannot be covered, or is too long, becomes the unknown token. Words come from encode.c, normalised. */
#include "base/alloc.h"
#include "base/error.h"
#include "tokenizers/internal.h"
#include <string.h>

void wfi_word_emit(wf_word *w, int32_t id, int32_t from, int32_t to) {
    wf_encoding *e = w->out;
    if (w->st != WF_OK) return;
    if (e->count == e->cap) {
        w->st = wfi_encoding_reserve(e, e->count + 1);
        if (w->st != WF_OK) return;
    }
    e->ids[e->count] = id;
    e->type_ids[e->count] = 0;
    e->starts[e->count] = from;
    e->ends[e->count++] = to;
}

void wfi_word_put(wf_word *w, uint32_t cp, int32_t from, int32_t to) {
    if (!w->chars++) w->start = from;
    w->end = to;
    if (w->chars > w->t->max_chars) return; /* the word is unknown already */
    char *at = w->text + w->bytes;
    w->from[w->bytes] = from;
    const size_t size = wfi_utf8_put(cp, at);
    w->bytes += size;
    w->to[w->bytes - 1] = to;
}

/* Longest token at text[0..n): gives its size, 0 when there is none. */
static size_t longest(const wf_vocab_table *t, const char *text, size_t n, int32_t *id) {
    uint32_t hash[WFI_TOKEN_BYTES_MAX];
    uint32_t h = WFI_VOCAB_SEED;
    if (n > t->max_bytes) n = t->max_bytes;
    for (size_t i = 0; i < n; i++) hash[i] = h = wfi_vocab_step(h, (unsigned char)text[i]);
    for (; n; n--) {
        *id = wfi_vocab_get(t, hash[n - 1], text, n);
        if (*id >= 0) return n;
    }
    return 0;
}

void wfi_word_end(wf_word *w) {
    const size_t n = w->bytes, mark = w->out->count;
    if (!w->chars) return;
    bool known = w->chars <= w->t->max_chars;
    for (size_t at = 0; known && at < n;) {
        int32_t id = -1;
        const size_t size = longest(at ? &w->t->vocab.next : &w->t->vocab.first, w->text + at, n - at, &id);
        if (size)
            wfi_word_emit(w, id, w->from[at], w->to[at + size - 1]);
        else
            known = false;
        at += size;
    }
    if (!known) {
        w->out->count = mark;
        wfi_word_emit(w, w->t->unk, w->start, w->end);
    }
    w->bytes = w->chars = 0;
}
