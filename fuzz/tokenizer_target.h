/* fuzz/tokenizer_target.h - a tokenizer that was accepted must encode any text, with ids inside its vocabulary. */
#ifndef WF_FUZZ_TOKENIZER_H
#define WF_FUZZ_TOKENIZER_H
#include "fuzz.h"
#include "tokenizers/tokenizer.h"
#include <string.h>

static inline void tokenizer_use(wf_tokenizer *t) {
    static const char *const texts[] = {"", "Hello, WORLD [MASK] h\u00e9llo \u4e2d\u6587!",
                                        "ab c xy  [SEP]##s \U0001F600\u0301\u0344"};
    wf_encoding e = {0};
    wf_err err = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t length = 0; length <= 12; length += 6) {
            const size_t n = strlen(texts[i]), m = strlen(texts[2 - i]);
            const wf_status st =
                wfi_tokenizer_encode(t, texts[i], n, i == 1 ? NULL : texts[2 - i], m, length, &e, &err);
            WF_FUZZ_HOLDS(st == WF_OK || st == WF_E_ARG); /* the template may need more room than there is */
            for (size_t k = 0; st == WF_OK && k < e.count; k++) {
                WF_FUZZ_HOLDS(wfi_tokenizer_token(t, e.ids[k]) != NULL);
                WF_FUZZ_HOLDS(e.starts[k] >= 0 && e.starts[k] <= e.ends[k] && (size_t)e.ends[k] <= (n > m ? n : m));
            }
            WF_FUZZ_HOLDS(st != WF_OK || !length || e.count <= length);
        }
    wfi_encoding_clear(&e);
    wfi_tokenizer_free(t);
}
#endif
