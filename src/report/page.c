/* report/page.c - see page.h. */
#include "report/page.h"
#include "base/error.h"
#include "base/file.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

wf_status wfi_page_store(const char *path, const wf_buffer *b, wf_err *err) {
    struct stat s;
    if (stat(path, &s) != 0 || S_ISREG(s.st_mode)) return wfi_file_write(path, b->data, b->len, err);
    if (S_ISDIR(s.st_mode)) return wfi_fail(err, WF_E_ARG, "%s is a folder; this needs the name of a file", path);
    FILE *f = fopen(path, "w");
    if (!f) return wfi_fail(err, WF_E_IO, "cannot write %s: %s", path, strerror(errno));
    const bool whole = fwrite(b->data, 1, b->len, f) == b->len;
    return fclose(f) == 0 && whole ? WF_OK : wfi_fail(err, WF_E_IO, "cannot write %s: %s", path, strerror(errno));
}
