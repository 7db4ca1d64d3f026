/* tests/tokenizers/tokenizer_ids.c - ids for tools/tokenizer_check.py: `tokenizer_ids DIR` answers requests on standard
 * input. Request: u32 length to cut to (0: none), u32 bytes of the text, i32 bytes of the second text (-1: none), the
 * bytes. Answer: u32 count (0xFFFFFFFF: refused), i32 ids, u8 types, i32 starts, i32 ends. Native byte order. */
#include "tokenizers/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>

static int answer(const wf_encoding *e, wf_status st) {
    const uint32_t count = st == WF_OK ? (uint32_t)e->count : UINT32_MAX;
    if (fwrite(&count, 4, 1, stdout) != 1) return 0;
    if (st == WF_OK && count)
        if (fwrite(e->ids, 4, count, stdout) != count || fwrite(e->type_ids, 1, count, stdout) != count ||
            fwrite(e->starts, 4, count, stdout) != count || fwrite(e->ends, 4, count, stdout) != count)
            return 0;
    return fflush(stdout) == 0; /* the asking side waits for it */
}

int main(int argc, char **argv) {
    wf_tokenizer *t = NULL;
    wf_encoding e = {0};
    wf_err err = {0};
    char *bytes = NULL;
    struct {
        uint32_t length, size;
        int32_t pair_size;
    } ask;
    if (argc != 2 || wfi_tokenizer_open(argv[1], &t, &err) != WF_OK) {
        fprintf(stderr, "tokenizer_ids: %s\n", argc == 2 ? err.text : "usage: tokenizer_ids DIR");
        return 2;
    }
    int good = 1;
    while (good && fread(&ask, sizeof ask, 1, stdin) == 1) {
        const size_t pair_size = ask.pair_size > 0 ? (size_t)ask.pair_size : 0, total = ask.size + pair_size;
        char *more = realloc(bytes, total + 1);
        good = more != NULL;
        if (!more) break;
        bytes = more;
        good = fread(bytes, 1, total, stdin) == total &&
               answer(&e, wfi_tokenizer_encode(t, bytes, ask.size, ask.pair_size < 0 ? NULL : bytes + ask.size,
                                               pair_size, ask.length, &e, &err));
    }
    free(bytes);
    wfi_encoding_clear(&e);
    wfi_tokenizer_free(t);
    return good ? 0 : 1;
}
