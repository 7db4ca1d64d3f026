/* base/error.c - see error.h and weft/status.h. */
#define WF_ERROR_DEFINES
#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *wf_status_text(wf_status code) {
    switch (code) {
#define WF_STATUS_CASE(name, number, sentence)                                                                         \
    case WF_##name:                                                                                                    \
        return sentence;
        WF_STATUS_LIST(WF_STATUS_CASE)
#undef WF_STATUS_CASE
    }
    return "unknown status";
}

static void fill(wf_err *err, wf_status code, const char *subject, int64_t offset, const char *format, va_list args) {
    err->code = code;
    vsnprintf(err->text, sizeof err->text, format, args);
    snprintf(err->subject, sizeof err->subject, "%s", subject ? subject : "");
    err->offset = offset;
}

wf_status wfi_fail(wf_err *err, wf_status code, const char *format, ...) {
    if (!err) return code;
    va_list args;
    va_start(args, format);
    fill(err, code, NULL, -1, format, args);
    va_end(args);
    return code;
}

wf_status wfi_fail_at(wf_err *err, wf_status code, const char *subject, int64_t offset, const char *format, ...) {
    if (!err) return code;
    va_list args;
    va_start(args, format);
    fill(err, code, subject, offset, format, args);
    va_end(args);
    return code;
}

wf_status wfi_fail_in(wf_err *err, wf_status code, const char *format, ...) {
    if (!err) return code;
    char text[sizeof err->text];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const size_t at = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    const size_t room = sizeof text - at, had = strlen(err->text);
    if (room > 3) {
        memcpy(text + at, ": ", 2);
        memcpy(text + at + 2, err->text, had < room - 3 ? had : room - 3);
        text[at + 2 + (had < room - 3 ? had : room - 3)] = 0;
    }
    memcpy(err->text, text, sizeof text);
    return err->code ? err->code : code;
}

_Noreturn void wfi_bug(const char *file, int line, const char *text) {
    fprintf(stderr, "weft: internal error at %s:%d: %s\n", file, line, text);
    abort();
}
