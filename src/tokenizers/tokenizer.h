/* tokenizers/tokenizer.h - text to ids, as the `tokenizers` library does it for BERT (WordPiece). Layer 2.
 * Threads: a tokenizer is immutable after opening; encode is safe from any thread with its own wf_encoding. */
#ifndef WF_TOKENIZERS_TOKENIZER_H
#define WF_TOKENIZERS_TOKENIZER_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wf_tokenizer wf_tokenizer;
typedef struct wf_encoding { /* reused between calls; free with wfi_encoding_clear */
    int32_t *ids;            /* [count] with [CLS] and [SEP] */
    uint8_t *type_ids;       /* [count] 0 first text, 1 second */
    int32_t *starts, *ends;  /* [count] byte range in the text it came from; 0,0 for special tokens */
    size_t count, cap;
} wf_encoding;

/* Opens DIR/tokenizer.json, or DIR/vocab.txt with DIR/tokenizer_config.json (do_lower_case, strip_accents,
 * tokenize_chinese_chars) when the first is absent. Where both stand there and disagree, WF_E_DATA. A setting of either
 * file that would change ids and is not known here is WF_E_UNSUPPORTED, naming it. */
wf_status wfi_tokenizer_open(const char *dir, wf_tokenizer **out, wf_err *err);
/* The same from bytes (fuzzing, tests). */
wf_status wfi_tokenizer_parse_json(const char *json, size_t size, const char *name, wf_tokenizer **out, wf_err *err);
wf_status wfi_tokenizer_parse_vocab(const char *vocab, size_t size, const char *name, int lower_case,
                                    wf_tokenizer **out, wf_err *err);
void wfi_tokenizer_free(wf_tokenizer *t);
/* text: UTF-8, n bytes (invalid UTF-8 is WF_E_DATA with the offset). pair may be NULL. max_length counts special tokens
 * and cuts like transformers' truncation=True (longest_first); 0: no cut. */
wf_status wfi_tokenizer_encode(const wf_tokenizer *t, const char *text, size_t n, const char *pair, size_t pair_n,
                               size_t max_length, wf_encoding *out, wf_err *err);
void wfi_encoding_clear(wf_encoding *e);
size_t wfi_tokenizer_vocab_size(const wf_tokenizer *t);
size_t wfi_tokenizer_specials(const wf_tokenizer *t, bool pair);    /* tokens put around one text, or two */
const char *wfi_tokenizer_token(const wf_tokenizer *t, int32_t id); /* borrowed; NULL out of range */
const char *wfi_tokenizer_hash(
    const wf_tokenizer *t); /* hex of vocabulary and settings, same for both file kinds when they mean the same */
#endif
