/* bench/bench_tokenizer.c - how fast texts become token ids on one core.
 * Usage: bench_tokenizer MODEL_FOLDER FILE [rounds [max_length]]. FILE holds one text a line. Each round encodes every
 * text; the fastest and the median round are printed as MB of text a second, and the last line's digest over all ids
 * lets bench/peers refuse a speed whose ids are not the library's. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "tokenizers/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MAX = 1000 };

static void must(wf_status st, const wf_err *err) {
    if (st == WF_OK) return;
    fprintf(stderr, "bench_tokenizer: %s\n", err->text);
    exit(1);
}

/* Encodes each line; adds its ids to `h` unless that is NULL. Gives the number of tokens. */
static size_t encode_all(const wf_tokenizer *t, const wf_map *texts, size_t max_length, wf_encoding *e, wf_hash *h) {
    const char *at = (const char *)texts->data, *end = at + texts->size;
    wf_err err = {0};
    size_t tokens = 0;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        must(wfi_tokenizer_encode(t, at, (size_t)(stop - at), NULL, 0, max_length, e, &err), &err);
        tokens += e->count;
        if (h) wfi_hash_add(h, e->ids, e->count * sizeof *e->ids);
        at = stop + 1;
    }
    return tokens;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    static double seconds[ROUNDS_MAX];
    char hex[WF_HASH_HEX];
    wf_tokenizer *t = NULL;
    wf_hash *h = NULL;
    wf_map texts = {0};
    wf_encoding e = {0};
    wf_err err = {0};
    if (argc < 3) return fprintf(stderr, "usage: bench_tokenizer MODEL_FOLDER FILE [rounds [max_length]]\n"), 2;
    const long asked = argc > 3 ? strtol(argv[3], NULL, 10) : 5;
    const int rounds = asked < 1 ? 1 : asked > ROUNDS_MAX ? ROUNDS_MAX : (int)asked;
    const size_t length = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    const double begin = wfi_clock_seconds();
    must(wfi_tokenizer_open(argv[1], &t, &err), &err);
    const double opened = wfi_clock_seconds() - begin;
    must(wfi_file_map(argv[2], &texts, &err), &err);
    must(wfi_hash_new(&h, &err), &err);
    const size_t tokens = encode_all(t, &texts, length, &e, h);
    wfi_hash_hex(h, hex);
    wfi_hash_free(h);
    for (int r = 0; r < rounds; r++) {
        const double from = wfi_clock_seconds();
        encode_all(t, &texts, length, &e, NULL);
        seconds[r] = wfi_clock_seconds() - from;
    }
    qsort(seconds, (size_t)rounds, sizeof *seconds, by_value);
    const double mb = 1e-6 * (double)texts.size;
    printf("%.2f MB, %zu tokens, opened in %.2f ms: best %.1f MB/s, median %.1f MB/s, digest %s\n", mb, tokens,
           opened * 1e3, mb / seconds[0], mb / seconds[rounds / 2], hex);
    wfi_encoding_clear(&e);
    wfi_file_unmap(&texts);
    wfi_tokenizer_free(t);
    return 0;
}
