/* tokenizers/vocab.h - token texts and their ids: one arena of bytes and an open-addressing hash table. Layer 2.
 * Threads: immutable after wfi_vocab_init. */
#ifndef WF_TOKENIZERS_VOCAB_H
#define WF_TOKENIZERS_VOCAB_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WFI_VOCAB_MAX = 1 << 22, WFI_TOKEN_BYTES_MAX = 1024 };

typedef struct wf_vocab_slot { /* eight bytes, so that more of a table stays in the caches; its text is found by the id
                                */
    uint32_t hash;
    uint32_t entry; /* id + 1; 0: empty */
} wf_vocab_slot;

/* Two tables share this form: words' beginnings (whole token texts) and continuations (without their prefix). */
typedef struct wf_vocab_table {
    wf_vocab_slot *slots;
    size_t mask;       /* slot count - 1 (a power of two) */
    size_t max_bytes;  /* of the longest text in the table */
    const char *bytes; /* of the vocabulary; */
    const size_t *at;  /* the same */
    size_t skip;       /* bytes of the prefix that the table's texts lack */
} wf_vocab_table;

typedef struct wf_vocab {
    char *bytes; /* token texts, NUL-terminated, in the order of their ids */
    size_t *at;  /* [count + 1] */
    size_t count;
    wf_vocab_table first, next;
} wf_vocab;

/* texts[count] by id (none NULL), sizes in bytes; the first `words` of them can be found, the others only named by id;
 * prefix: the continuing prefix. WF_E_DATA for an empty, too long or doubled text, naming `name` and the ids. */
wf_status wfi_vocab_init(wf_vocab *v, const char *const *texts, const size_t *sizes, size_t count, size_t words,
                         const char *prefix, const char *name, wf_err *err);
void wfi_vocab_clear(wf_vocab *v);                                        /* accepts a zeroed vocabulary */
int32_t wfi_vocab_find(const wf_vocab *v, const char *text, size_t size); /* -1: none */

/* The running hash of a text's bytes: h = wfi_vocab_step(h, byte) from WFI_VOCAB_SEED, so that one pass over a word
 * gives the hash of each of its beginnings. */
#define WFI_VOCAB_SEED 0x811C9DC5u
static inline uint32_t wfi_vocab_step(uint32_t h, unsigned char byte) {
    return (h ^ byte) * 0x01000193u;
}
int32_t wfi_vocab_get(const wf_vocab_table *t, uint32_t hash, const char *text, size_t size); /* -1: none */
#endif
