/* fuzz/target_json.c - JSON text: what is accepted comes back the same from its own writing. */
#include "base/alloc.h"
#include "base/json.h"
#include "fuzz.h"
#include <string.h>

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    json_t *first = NULL, *second = NULL;
    const wf_status st = wfi_json_parse((const char *)data, size, "fuzz", &first, err);
    if (st != WF_OK) return st;
    char *text = wfi_json_text(first, true);
    WF_FUZZ_HOLDS(text != NULL);
    WF_FUZZ_HOLDS(wfi_json_parse(text, strlen(text), "written", &second, err) == WF_OK);
    WF_FUZZ_HOLDS(json_equal(first, second));
    wfi_free(text);
    json_decref(first);
    json_decref(second);
    return WF_OK;
}
