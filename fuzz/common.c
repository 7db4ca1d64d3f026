/* fuzz/common.c - see fuzz.h. */
#include "base/file.h"
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>

static char dir[256];

void wf_fuzz_broken(const char *file, int line, const char *condition) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

static void dir_remove(void) {
    wfi_tree_remove(dir, NULL);
}

const char *wf_fuzz_dir(void) {
    const char *top = getenv("TMPDIR");
    if (dir[0]) return dir;
    snprintf(dir, sizeof dir, "%s/weft-fuzz-XXXXXX", top ? top : "/tmp");
    WF_FUZZ_HOLDS(mkdtemp(dir) != NULL);
    atexit(dir_remove);
    return dir;
}

const char *wf_fuzz_path(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", wf_fuzz_dir(), name);
    return path;
}

void wf_fuzz_write(const char *name, const uint8_t *data, size_t n) {
    FILE *f = fopen(wf_fuzz_path(name), "wb");
    WF_FUZZ_HOLDS(f && fwrite(data, 1, n, f) == n);
    WF_FUZZ_HOLDS(fclose(f) == 0);
}
