/* tests/support/zip_make.h - zip archives for tests. */
#ifndef WF_TESTS_ZIP_MAKE_H
#define WF_TESTS_ZIP_MAKE_H
#include "check.h"
#include <string.h>
#include <zip.h>

/* Opens PATH for zip_file (made anew); close with zip_close. */
static inline zip_t *zip_make(const char *path) {
    int code = 0;
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (!z) fail_msg("cannot make %s (%d)", path, code);
    return z;
}

static inline void zip_text(zip_t *z, const char *name, const char *text) {
    zip_source_t *s = zip_source_buffer(z, text, strlen(text), 0);
    assert_true(zip_file_add(z, name, s, ZIP_FL_OVERWRITE) >= 0);
}

static inline void zip_file_of(zip_t *z, const char *name, const char *path) {
    zip_source_t *s = zip_source_file(z, path, 0, 0);
    assert_true(zip_file_add(z, name, s, ZIP_FL_OVERWRITE) >= 0);
}
#endif
