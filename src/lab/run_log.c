/* lab/run_log.c - a run's log after it was cut off. See job_parts.h. */
#include "base/alloc.h"
#include "base/file.h"
#include "lab/job_parts.h"
#include <string.h>
#include <unistd.h>

enum { LOG_MOST = 1 << 26 };

/* Where the line `note` stands among the epochs that end the text, the last training's; else the end of its last whole
 * line. */
static size_t kept_bytes(const char *text, size_t size, const char *note) {
    size_t end = size;
    while (end && text[end - 1] != '\n') end--;
    const size_t whole = end, n = strlen(note);
    while (end) {
        size_t at = end - 1;
        while (at && text[at - 1] != '\n') at--;
        const size_t length = end - 1 - at;
        if (length < 6 || memcmp(text + at, "epoch ", 6) != 0) return whole;
        if (length == n && memcmp(text + at, note, n) == 0) return at;
        if (length >= 8 && memcmp(text + at, "epoch 1:", 8) == 0) return whole;
        end = at;
    }
    return whole;
}

void wfi_run_log_rewind(const char *path, const char *note) {
    char *text = NULL;
    size_t size = 0;
    if (!wfi_file_exists(path) || wfi_file_read(path, LOG_MOST, &text, &size, NULL) != WF_OK) return;
    const size_t keep = kept_bytes(text, size, note);
    wfi_free(text);
    if (keep < size && truncate(path, (off_t)keep) != 0) return; /* the log says some epochs twice then, no more */
}
