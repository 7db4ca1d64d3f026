/* weft/status.h - how every fallible function of weft reports.
 *
 * A function that can fail returns wf_status and takes `wf_err *err` last (may be NULL). On failure the out-pointers
 * are untouched and *err says what was wrong, where, and what to do. WF_OK is 0.
 * Threads: values only; safe everywhere.
 */
#ifndef WEFT_STATUS_H
#define WEFT_STATUS_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WF_API __attribute__((visibility("default")))
#else
#define WF_API
#endif

/* One list: name, number, sentence. The number is stable; new codes go to the end. */
#define WF_STATUS_LIST(X)                                                                                              \
    X(OK, 0, "done")                                                                                                   \
    X(E_ARG, 1, "wrong argument or usage")                                                                             \
    X(E_DATA, 2, "bad input data")                                                                                     \
    X(E_SHAPE, 3, "shapes do not fit")                                                                                 \
    X(E_IO, 4, "reading or writing failed")                                                                            \
    X(E_NOMEM, 5, "out of memory")                                                                                     \
    X(E_NONFINITE, 6, "a number became NaN or infinite")                                                               \
    X(E_NOTFOUND, 7, "not found")                                                                                      \
    X(E_EXISTS, 8, "already exists")                                                                                   \
    X(E_CHECK, 9, "a check did not hold")                                                                              \
    X(E_CANCELLED, 10, "cancelled")                                                                                    \
    X(E_UNSUPPORTED, 11, "not supported")                                                                              \
    X(E_BUSY, 12, "in use")                                                                                            \
    X(E_LIBRARY, 13, "a library weft uses failed")

typedef enum wf_status {
#define WF_STATUS_ENUM(name, number, sentence) WF_##name = number,
    WF_STATUS_LIST(WF_STATUS_ENUM)
#undef WF_STATUS_ENUM
} wf_status;

typedef struct wf_err {
    wf_status code;
    char text[512];    /* what was wrong, where, what to do; NUL-terminated UTF-8 */
    char subject[128]; /* the tensor, field, file or object concerned; may be "" */
    int64_t offset;    /* byte offset (or line for text files) in the input, -1 when it has no meaning */
} wf_err;

/* The sentence of a code; never NULL. */
WF_API const char *wf_status_text(wf_status code);

#ifdef __cplusplus
}
#endif
#endif
