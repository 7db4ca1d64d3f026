/* fuzz/target_safetensors.c - a safetensors file: every byte of every tensor is read. */
#include "base/alloc.h"
#include "formats/safetensors.h"
#include "fuzz.h"
#include <string.h>

static void tensor_read(const wf_tensor *t) {
    const unsigned char *p = t->data;
    const size_t bytes = (size_t)wfi_tensor_count(t) * wfi_dtype_size(t->dtype);
    volatile unsigned sum = 0;
    for (size_t i = 0; i < bytes; i++) sum += p[i];
    const float *data = NULL;
    float *owned = NULL;
    if (wfi_tensor_f32(t, &data, &owned, NULL) != WF_OK) return;
    for (int64_t i = 0; i < wfi_tensor_count(t); i++) sum += data[i] > 0;
    (void)sum; /* the reading is the point */
    wfi_free(owned);
}

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    wf_source s = {0};
    const wf_status st = wfi_safetensors_parse(data, size, "fuzz", &s, err);
    if (st != WF_OK) return st;
    for (size_t i = 0; i < s.count; i++) {
        WF_FUZZ_HOLDS(i == 0 || strcmp(s.tensors[i - 1].name, s.tensors[i].name) < 0);
        WF_FUZZ_HOLDS(wfi_source_find(&s, s.tensors[i].name) == &s.tensors[i]);
        tensor_read(&s.tensors[i]);
    }
    wfi_source_close(&s);
    return WF_OK;
}
