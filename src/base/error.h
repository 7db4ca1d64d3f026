/* base/error.h - filling wf_err. Layer 0. */
#ifndef WF_BASE_ERROR_H
#define WF_BASE_ERROR_H
#include "weft/status.h"

/* Fills err (if not NULL) and returns `code`. subject stays "", offset -1. */
wf_status wfi_fail(wf_err *err, wf_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with the subject (file, field, tensor; may be NULL) and a byte offset or line (-1: none). */
wf_status wfi_fail_at(wf_err *err, wf_status code, const char *subject, int64_t offset, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Puts "context: " in front of err's text; returns err->code (or `code` when err is NULL). */
wf_status wfi_fail_in(wf_err *err, wf_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#if defined(__clang_analyzer__) && !defined(WF_ERROR_DEFINES)
/* Tells `make lint`, which reads one file at a time, that these return what they are given and never WF_OK. */
#define wfi_fail(err, code, ...)    (wfi_fail(err, code, __VA_ARGS__), code)
#define wfi_fail_at(err, code, ...) (wfi_fail_at(err, code, __VA_ARGS__), code)
#define wfi_fail_in(err, code, ...) (wfi_fail_in(err, code, __VA_ARGS__), code)
#endif

/* Forward a failure. */
#define WF_TRY(call)                                                                                                   \
    do {                                                                                                               \
        wf_status wf_try_status_ = (call);                                                                             \
        if (wf_try_status_ != WF_OK) return wf_try_status_;                                                            \
    } while (0)
/* Forward a failure through a clean-up label; needs `wf_status st`. */
#define WF_GO(call)                                                                                                    \
    do {                                                                                                               \
        st = (call);                                                                                                   \
        if (st != WF_OK) goto done;                                                                                    \
    } while (0)
/* The program itself is wrong (broken invariant): says where and aborts, in every build. Never for bad input. */
#define WF_BUG(text) wfi_bug(__FILE__, __LINE__, text)
_Noreturn void wfi_bug(const char *file, int line, const char *text);
#endif
