/* tokenizers/internal.h - the inside of wf_tokenizer, shared by this folder's files only. Layer 2. */
#ifndef WF_TOKENIZERS_INTERNAL_H
#define WF_TOKENIZERS_INTERNAL_H
#include "base/hash.h"
#include "tokenizers/tokenizer.h"
#include "tokenizers/unicode.h"
#include "tokenizers/vocab.h"
#include <stdbool.h>

enum { WFI_WORD_MAX = 1000, WFI_PREFIX_MAX = 16, WFI_PIECES_MAX = 8, WFI_ADDED_MAX = 4096 };

/* A token that is taken from the text as it stands, before words are made. */
typedef struct wf_added {
    char *text; /* as it is searched: raw, or normalised when `normalized` is set */
    size_t size;
    int32_t id;
    bool normalized, lstrip, rstrip, single_word, special;
} wf_added;

/* One piece of the template: a text (0 first, 1 second) or a special token. */
typedef struct wf_piece {
    int text; /* -1: the token `id` */
    int32_t id;
    uint8_t type_id;
} wf_piece;

typedef struct wf_template {
    wf_piece pieces[WFI_PIECES_MAX];
    size_t count, specials;
} wf_template;

struct wf_tokenizer {
    wf_vocab vocab; /* the model's tokens, then added tokens beyond them */
    size_t words;   /* the model's token count */
    wf_unicode chars;
    uint8_t ascii[128]; /* what to do with an ASCII byte: the lower-case byte, or a WFI_ASCII_ code */
    bool clean_text, handle_chinese, strip_accents, lowercase;
    char prefix[WFI_PREFIX_MAX + 1];
    int32_t unk;
    size_t max_chars; /* of a word; longer ones become unk */
    wf_added *added;
    size_t added_count;
    bool any_raw, any_normalized; /* added tokens searched in the raw / in the normalised text */
    bool raw_first[256];          /* first bytes of added tokens searched in the raw text */
    wf_template single, pair;
    char hash[WF_HASH_HEX];
};
enum { WFI_ASCII_DROP = 128, WFI_ASCII_SPACE, WFI_ASCII_PUNCT };

/* What both file kinds are read into; wfi_tokenizer_build checks it and makes the tokenizer. Texts are borrowed. */
typedef struct wf_plan_added {
    const char *text;
    int64_t id;
    bool normalized, lstrip, rstrip, single_word, special;
} wf_plan_added;
typedef struct wf_plan {
    const char *name; /* of the file, for messages */
    const char **texts;
    size_t *sizes;
    size_t count;
    bool clean_text, handle_chinese, strip_accents, lowercase;
    const char *prefix, *unk;
    size_t max_chars;
    wf_plan_added *added;
    size_t added_count;
    wf_template single, pair;
} wf_plan;
wf_status wfi_tokenizer_build(const wf_plan *plan, wf_tokenizer **out, wf_err *err);

void wfi_bert_templates(wf_plan *plan, int32_t cls, int32_t sep); /* [CLS] A [SEP] and [CLS] A [SEP] B [SEP] */

/* settings.c, settings_vocab.c: reading the files. */
typedef struct wf_vocab_settings { /* tokenizer_config.json of a vocab.txt */
    bool lowercase, strip_accents, handle_chinese;
    const char *unk, *cls, *sep, *pad, *mask;
} wf_vocab_settings;
wf_status wfi_settings_json(const char *json, size_t size, const char *name, wf_tokenizer **out, wf_err *err);
/* vocab_scan.c: the vocabulary of a tokenizer.json into plan->texts, sizes and count, when it is written plainly;
 * *found says so. WF_E_NOMEM without a text. What is found borrows from json and place until it is cleared. */
typedef struct wf_vocab_place {
    size_t from, to; /* json[from..to) is the vocabulary's object */
    char *spare;
} wf_vocab_place;
wf_status wfi_vocab_scan(const char *json, size_t size, wf_plan *plan, wf_vocab_place *place, bool *found);
void wfi_vocab_scan_clear(wf_plan *plan, wf_vocab_place *place);
wf_status wfi_settings_vocab(const char *vocab, size_t size, const char *name, const wf_vocab_settings *s,
                             wf_tokenizer **out, wf_err *err);

wf_status wfi_encoding_reserve(wf_encoding *e, size_t count); /* encode.c; WF_E_NOMEM without a text */

/* wordpiece.c: collects normalised characters into words and words into ids. */
typedef struct wf_word {
    const wf_tokenizer *t;
    wf_encoding *out;
    wf_status st;
    size_t limit;        /* enough when out->count reaches this */
    size_t bytes, chars; /* of the word so far; chars may pass max_chars, then bytes stay */
    int32_t start, end;  /* source range of the word so far */
    char text[4 * WFI_WORD_MAX];
    int32_t from[4 * WFI_WORD_MAX], to[4 * WFI_WORD_MAX]; /* source of the character that begins / ends at a byte */
} wf_word;
void wfi_word_end(wf_word *w);                                        /* turns the collected word, if any, into ids */
void wfi_word_put(wf_word *w, uint32_t cp, int32_t from, int32_t to); /* one character of a word */
void wfi_word_emit(wf_word *w, int32_t id, int32_t from, int32_t to);

/* normalize.c: BertNormalizer. Each normalised character goes to `put`. */
typedef struct wf_normal wf_normal;
typedef void wfi_normal_sink(void *to, uint32_t cp, int32_t from, int32_t to_byte);
struct wf_normal {
    const wf_tokenizer *t;
    wfi_normal_sink *put;
    void *to;
    size_t pending; /* reordered characters held back (canonical ordering of what strip_accents leaves) */
    struct {
        uint32_t cp;
        int32_t from, to;
        unsigned ccc;
    } held[WFI_WORD_MAX + 1];
};
void wfi_normal_begin(wf_normal *n, const wf_tokenizer *t, wfi_normal_sink *put, void *to);
void wfi_normal_char(wf_normal *n, uint32_t cp, int32_t from, int32_t to);
void wfi_normal_end(wf_normal *n);
#endif
