/* fuzz/target_tokenizer_config.c - tokenizer_config.json beside a vocab.txt. */
#include "tokenizer_target.h"

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\nab\n!\n";
    static int made;
    wf_tokenizer *t = NULL;
    if (!made++) wf_fuzz_write("vocab.txt", (const uint8_t *)vocab, sizeof vocab - 1);
    wf_fuzz_write("tokenizer_config.json", data, size);
    const wf_status st = wfi_tokenizer_open(wf_fuzz_dir(), &t, err);
    if (st == WF_OK) tokenizer_use(t);
    return st;
}
