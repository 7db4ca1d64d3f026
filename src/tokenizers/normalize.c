/* tokenizers/normalize.c - BertNormalizer, one character at a time: clean_text, spaces around Chinese characters, NFD
 * and removal of marks, lower case, in this order. It must not know words or ids. The text is never copied: each
 * character carries the byte range it came from. */
#include "tokenizers/internal.h"

void wfi_normal_begin(wf_normal *n, const wf_tokenizer *t, wfi_normal_sink *put, void *to) {
    n->t = t;
    n->put = put;
    n->to = to;
    n->pending = 0;
}

static void put_lower(wf_normal *n, uint32_t cp, unsigned flags, int32_t from, int32_t to) {
    if (!n->t->lowercase || !(flags & WFI_CH_LOWER)) {
        n->put(n->to, cp, from, to);
        return;
    }
    uint32_t out[WFI_UNICODE_OUT];
    const size_t count = wfi_unicode_lower(cp, out);
    for (size_t i = 0; i < count; i++) n->put(n->to, out[i], from, to);
}

static void flush(wf_normal *n) {
    for (size_t i = 0; i < n->pending; i++)
        put_lower(n, n->held[i].cp, wfi_unicode_flags(&n->t->chars, n->held[i].cp), n->held[i].from, n->held[i].to);
    n->pending = 0;
}

/* Canonical ordering among the marks that stay: by class, stable. A run longer than any word needs no order: the word
 * becomes the unknown token whatever stands in it. */
static void hold(wf_normal *n, uint32_t cp, int32_t from, int32_t to) {
    const unsigned ccc = wfi_unicode_class(cp);
    if (n->pending == sizeof n->held / sizeof n->held[0]) flush(n);
    size_t i = n->pending++;
    for (; i && n->held[i - 1].ccc > ccc; i--) n->held[i] = n->held[i - 1];
    n->held[i].cp = cp;
    n->held[i].from = from;
    n->held[i].to = to;
    n->held[i].ccc = ccc;
}

/* One character of the decomposed text. A mark of class 0 goes away too, but nothing is reordered across it. */
static void put_stripped(wf_normal *n, uint32_t cp, unsigned flags, int32_t from, int32_t to) {
    if (!(flags & WFI_CH_ORDER) && n->pending) flush(n);
    if (flags & WFI_CH_MARK) return;
    if (flags & WFI_CH_ORDER)
        hold(n, cp, from, to);
    else
        put_lower(n, cp, flags, from, to);
}

static void put_accents(wf_normal *n, uint32_t cp, unsigned flags, int32_t from, int32_t to) {
    if (!n->t->strip_accents) {
        put_lower(n, cp, flags, from, to);
    } else if (!(flags & WFI_CH_NFD)) {
        put_stripped(n, cp, flags, from, to);
    } else {
        uint32_t out[WFI_UNICODE_OUT];
        const size_t count = wfi_unicode_nfd(cp, out);
        for (size_t i = 0; i < count; i++) put_stripped(n, out[i], wfi_unicode_flags(&n->t->chars, out[i]), from, to);
    }
}

void wfi_normal_char(wf_normal *n, uint32_t cp, int32_t from, int32_t to) {
    const unsigned flags = wfi_unicode_flags(&n->t->chars, cp);
    if (n->t->clean_text) {
        if (flags & WFI_CH_DROP) return;
        if (flags & WFI_CH_SPACE) {
            flush(n);
            n->put(n->to, ' ', from, to);
            return;
        }
    }
    if (!(flags & WFI_CH_CJK) || !n->t->handle_chinese) {
        put_accents(n, cp, flags, from, to);
        return;
    }
    flush(n);
    n->put(n->to, ' ', from, to);
    put_accents(n, cp, flags, from, to);
    flush(n);
    n->put(n->to, ' ', from, to);
}

void wfi_normal_end(wf_normal *n) {
    flush(n);
}
