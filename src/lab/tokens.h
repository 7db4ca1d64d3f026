/* lab/tokens.h - rows to token ids through the lab's cache. Layer 10. */
#ifndef WF_LAB_TOKENS_H
#define WF_LAB_TOKENS_H
#include "data/batch.h"

/* As wfi_encode, and the same result. cache: the folder, or NULL for none. The ids of many texts are kept there under
 * the hash of the tokenizer, max_length and the texts, and taken from there the next time; a few are not worth it. */
wf_status wfi_tokens_encode(const char *cache, const wf_tokenizer *tok, const wf_rows *rows, const wf_task *task,
                            size_t max_length, wf_encoded *out, wf_err *err);
#endif
