/* tokenizers/unicode.c - see unicode.h. Expands the measured runs into a two-stage table; asks utf8proc for mappings.
 * It must not ask utf8proc about categories: the Rust library's tables are of other Unicode versions. */
#include "tokenizers/unicode.h"
#include "base/alloc.h"
#include "base/error.h"
#include <stdbool.h>
#include <string.h>
#include <utf8proc.h>

#include "tokenizers/unicode_table.inc"

enum { RUNS = sizeof unicode_runs / sizeof unicode_runs[0], BLOCKS = 0x110000 >> 8 };
_Static_assert((int)UNICODE_MAPPING_MAX <= (int)WFI_UNICODE_OUT, "a mapping is longer than the callers' arrays");

/* Flags of one block of 256 code points; *run is the run the block starts in and moves on. */
static void expand(uint32_t block, size_t *run, uint16_t out[256]) {
    for (uint32_t i = 0; i < 256;) {
        const uint32_t cp = block << 8 | i;
        while (*run + 1 < RUNS && unicode_runs[*run + 1] >> 9 <= cp) (*run)++;
        const uint32_t end = *run + 1 < RUNS ? (unicode_runs[*run + 1] >> 9) - (block << 8) : 256;
        const uint16_t flags = unicode_runs[*run] & 511;
        for (const uint32_t stop = end < 256 ? end : 256; i < stop; i++) out[i] = flags;
    }
}

wf_status wfi_unicode_init(wf_unicode *u, wf_err *err) {
    uint16_t now[256], last[256];
    size_t run = 0, count = 0, filled = RUNS; /* filled: the run that the block before lies in whole */
    for (uint32_t b = 0; b < BLOCKS; b++) {
        while (run + 1 < RUNS && unicode_runs[run + 1] >> 9 <= b << 8) run++;
        const bool whole = run + 1 >= RUNS || unicode_runs[run + 1] >> 9 >= (b + 1) << 8;
        if (!whole || run != filled) {
            filled = whole ? run : RUNS;
            expand(b, &run, now);
            if (!b || memcmp(now, last, sizeof now)) count++;
            memcpy(last, now, sizeof now);
        }
        u->index[b] = (uint16_t)(count - 1);
    }
    u->blocks = wfi_alloc(count, sizeof *u->blocks);
    if (!u->blocks) return wfi_fail(err, WF_E_NOMEM, "out of memory for the character table");
    run = 0;
    for (uint32_t b = 0; b < BLOCKS; b++)
        if (!b || u->index[b] != u->index[b - 1]) expand(b, &run, u->blocks[u->index[b]]);
    return WF_OK;
}

void wfi_unicode_clear(wf_unicode *u) {
    wfi_free(u->blocks);
    u->blocks = NULL;
}

static size_t special(uint32_t cp, unsigned flag, uint32_t *out) {
    size_t low = 0, high = sizeof unicode_special / sizeof unicode_special[0];
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (unicode_special[mid].cp < cp || (unicode_special[mid].cp == cp && unicode_special[mid].flag < flag))
            low = mid + 1;
        else
            high = mid;
    }
    if (low == sizeof unicode_special / sizeof unicode_special[0]) return 0;
    if (unicode_special[low].cp != cp || unicode_special[low].flag != flag) return 0;
    memcpy(out, unicode_special[low].to, unicode_special[low].count * sizeof *out);
    return unicode_special[low].count;
}

size_t wfi_unicode_nfd(uint32_t cp, uint32_t out[WFI_UNICODE_OUT]) {
    const size_t n = special(cp, WFI_CH_NFD, out);
    if (n) return n;
    utf8proc_int32_t to[WFI_UNICODE_OUT];
    int boundary = 0;
    const utf8proc_ssize_t got = utf8proc_decompose_char((utf8proc_int32_t)cp, to, WFI_UNICODE_OUT,
                                                         UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &boundary);
    if (got < 1 || got > WFI_UNICODE_OUT) {
        out[0] = cp;
        return 1;
    }
    for (utf8proc_ssize_t i = 0; i < got; i++) out[i] = (uint32_t)to[i];
    return (size_t)got;
}

size_t wfi_unicode_lower(uint32_t cp, uint32_t out[WFI_UNICODE_OUT]) {
    const size_t n = special(cp, WFI_CH_LOWER, out);
    if (n) return n;
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
    return 1;
}

unsigned wfi_unicode_class(uint32_t cp) {
    for (size_t i = 0; i < sizeof unicode_order / sizeof unicode_order[0]; i++)
        if (unicode_order[i].cp == cp) return unicode_order[i].ccc;
    return 0;
}
