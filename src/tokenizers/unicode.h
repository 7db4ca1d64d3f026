/* tokenizers/unicode.h - what BERT's text preparation needs to know about a code point. Layer 2.
 * The flags are those of the Rust `tokenizers` library (measured, see tools/tokenizer_tables.py); the mappings come
 * from utf8proc where the flags say that the library changes the code point. Immutable after wfi_unicode_init. */
#ifndef WF_TOKENIZERS_UNICODE_H
#define WF_TOKENIZERS_UNICODE_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

enum {
    WFI_CH_DROP = 1,   /* removed by clean_text */
    WFI_CH_SPACE = 2,  /* white space */
    WFI_CH_CJK = 4,    /* stands alone when handle_chinese_chars is set */
    WFI_CH_PUNCT = 8,  /* a word of its own */
    WFI_CH_MARK = 16,  /* removed by strip_accents */
    WFI_CH_NFD = 32,   /* has a canonical decomposition */
    WFI_CH_LOWER = 64, /* has another lower-case form */
    WFI_CH_WORD = 128, /* part of a word, for added tokens with single_word */
    WFI_CH_ORDER = 256 /* combining class not 0 */
};
enum { WFI_UNICODE_OUT = 8 }; /* code points a mapping gives at most */

typedef struct wf_unicode {
    uint16_t index[0x110000 >> 8]; /* block of 256 code points -> number in `blocks` */
    uint16_t (*blocks)[256];       /* flags */
} wf_unicode;

wf_status wfi_unicode_init(wf_unicode *u, wf_err *err);
void wfi_unicode_clear(wf_unicode *u); /* accepts a zeroed table */

static inline unsigned wfi_unicode_flags(const wf_unicode *u, uint32_t cp) {
    return u->blocks[u->index[cp >> 8]][cp & 255];
}

/* Full canonical decomposition / full lower case of a code point that has the flag; gives the count (at least 1). */
size_t wfi_unicode_nfd(uint32_t cp, uint32_t out[WFI_UNICODE_OUT]);
size_t wfi_unicode_lower(uint32_t cp, uint32_t out[WFI_UNICODE_OUT]);
unsigned wfi_unicode_class(uint32_t cp); /* class of a WFI_CH_ORDER code point without WFI_CH_MARK */

/* Decodes one code point at p[0..n); gives its length, 0 when the bytes are no UTF-8 (overlong, surrogate, cut, ...).
 */
static inline size_t wfi_utf8_get(const unsigned char *p, size_t n, uint32_t *cp) {
    const unsigned c = p[0];
    if (c < 0x80) {
        *cp = c;
        return 1;
    }
    if (c >= 0xC2 && c < 0xE0 && n >= 2 && (p[1] & 0xC0) == 0x80) {
        *cp = (c & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        return 2;
    }
    if (c >= 0xE0 && c < 0xF0 && n >= 3 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
        *cp = (c & 0xFu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        return *cp >= 0x800 && (*cp < 0xD800 || *cp > 0xDFFF) ? 3 : 0;
    }
    if (c >= 0xF0 && c < 0xF5 && n >= 4 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80 && (p[3] & 0xC0) == 0x80) {
        *cp = (c & 7u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
        return *cp >= 0x10000 && *cp < 0x110000 ? 4 : 0;
    }
    return 0;
}

/* Writes a code point as UTF-8 (at most 4 bytes); gives the length. */
static inline size_t wfi_utf8_put(uint32_t cp, char *out) {
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}
#endif
