/* fuzz/target_tokenizer.c - tokenizer.json. */
#include "tokenizer_target.h"

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    wf_tokenizer *t = NULL;
    const wf_status st = wfi_tokenizer_parse_json((const char *)data, size, "fuzz", &t, err);
    if (st == WF_OK) tokenizer_use(t);
    return st;
}
