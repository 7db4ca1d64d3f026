/* fuzz/replay.c - a target over its committed seeds: `replay DIR`. The verdict stands in the file's name. */
#include "base/file.h"
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int verdict(const char *name, wf_status st, const wf_err *err) {
    if (strncmp(name, "ok_", 3) == 0) return st == WF_OK;
    if (strncmp(name, "bad_", 4) == 0) return st != WF_OK && err->text[0];
    return strncmp(name, "any_", 4) == 0 && (st == WF_OK || err->text[0]);
}

int main(int argc, char **argv) {
    char **names = NULL;
    size_t count = 0, failed = 0, good = 0, bad = 0;
    wf_err err = {0};
    if (argc != 2 || wfi_dir_list(argv[1], &names, &count, &err) != WF_OK) {
        fprintf(stderr, "replay: %s\n", argc == 2 ? err.text : "usage: replay DIR");
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        char *path = wfi_path_join(argv[1], names[i]), *data = NULL;
        size_t size = 0;
        err = (wf_err){0};
        if (!path || wfi_file_read(path, (size_t)64 << 20, &data, &size, &err) != WF_OK) {
            fprintf(stderr, "replay: %s\n", err.text);
            return 2;
        }
        uint8_t *exact = malloc(size ? size : 1); /* nothing behind the last byte */
        if (!exact) return 2;
        memcpy(exact, data, size);
        err = (wf_err){0};
        const wf_status st = wf_fuzz_one(exact, size, &err);
        if (!verdict(names[i], st, &err)) {
            fprintf(stderr, "%s: %s%s%s\n", names[i], st == WF_OK ? "accepted" : "refused", err.text[0] ? ": " : "",
                    err.text);
            failed++;
        }
        good += names[i][0] == 'o';
        bad += names[i][0] == 'b';
        free(exact);
        free(data);
        free(path);
    }
    wfi_names_free(names, count);
    if (!good || !bad) fprintf(stderr, "replay: %s needs at least one ok_ and one bad_ seed\n", argv[1]);
    printf("%zu seeds, %zu failed\n", count, failed);
    return failed || !good || !bad;
}
