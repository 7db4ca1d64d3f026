/* fuzz/target_vocab.c - vocab.txt; the first byte's lowest bit says whether texts are lower-cased. */
#include "tokenizer_target.h"

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    wf_tokenizer *t = NULL;
    const wf_status st = wfi_tokenizer_parse_vocab((const char *)data, size, "fuzz", size ? data[0] & 1 : 0, &t, err);
    if (st == WF_OK) tokenizer_use(t);
    return st;
}
