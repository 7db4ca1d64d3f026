/* base/buffer.h - growing byte string, NUL kept behind the end. Layer 0. A failed append sets `failed` and later calls
 * do nothing. */
#ifndef WF_BASE_BUFFER_H
#define WF_BASE_BUFFER_H
#include <stdbool.h>
#include <stddef.h>

typedef struct wf_buffer {
    char *data; /* NULL while empty */
    size_t len, cap;
    bool failed; /* out of memory happened */
} wf_buffer;

void wfi_buffer_clear(wf_buffer *b);
void wfi_buffer_add(wf_buffer *b, const void *bytes, size_t n);
void wfi_buffer_adds(wf_buffer *b, const char *text);
void wfi_buffer_printf(wf_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *wfi_buffer_take(wf_buffer *b); /* moves the string out (caller: wfi_free); "" copy when empty; NULL when failed */
#endif
