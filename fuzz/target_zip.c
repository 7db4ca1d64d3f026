/* fuzz/target_zip.c - a zip archive: every file of it is unpacked. */
#include "formats/zip.h"
#include "fuzz.h"
#include <string.h>

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    enum { UNPACKED = 8 };
    wf_zip *z = NULL;
    wf_status st = wfi_zip_parse(data, size, "fuzz", &z, err);
    if (st != WF_OK) return st;
    for (size_t i = 0; i < wfi_zip_count(z); i++) {
        const char *name = wfi_zip_name(z, i);
        WF_FUZZ_HOLDS(name && name[0] != '/' && !strstr(name, "../") && wfi_zip_has(z, name));
        if (i < UNPACKED && st == WF_OK) st = wfi_zip_extract(z, name, wf_fuzz_path("unpacked"), err);
    }
    wfi_zip_close(z);
    return st;
}
