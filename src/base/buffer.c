/* base/buffer.c - see buffer.h. */
#include "base/buffer.h"
#include "base/alloc.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void wfi_buffer_clear(wf_buffer *b) {
    wfi_free(b->data);
    *b = (wf_buffer){0};
}

static bool reserve(wf_buffer *b, size_t more) {
    if (b->failed) return false;
    if (more > SIZE_MAX / 2 - b->len - 1) return b->failed = true, false;
    const size_t need = b->len + more + 1;
    if (need <= b->cap) return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need) cap *= 2;
    char *data = wfi_realloc(b->data, cap, 1);
    if (!data) return b->failed = true, false;
    b->data = data;
    b->cap = cap;
    return true;
}

void wfi_buffer_add(wf_buffer *b, const void *bytes, size_t n) {
    if (!reserve(b, n)) return;
    if (n) memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
}

void wfi_buffer_adds(wf_buffer *b, const char *text) {
    wfi_buffer_add(b, text, strlen(text));
}

void wfi_buffer_printf(wf_buffer *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        b->failed = true;
    else if (reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

char *wfi_buffer_take(wf_buffer *b) {
    if (b->failed) {
        wfi_buffer_clear(b);
        return NULL;
    }
    char *text = b->data ? b->data : wfi_strdup("");
    *b = (wf_buffer){0};
    return text;
}
