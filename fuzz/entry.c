/* fuzz/entry.c - a target under libFuzzer. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wf_err err = {0};
    const wf_status st = wf_fuzz_one(data, size, &err);
    if (st != WF_OK) WF_FUZZ_HOLDS(err.text[0] && err.code == st);
    return 0;
}
