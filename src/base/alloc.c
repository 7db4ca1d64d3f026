/* base/alloc.c - see alloc.h. */
#include "base/alloc.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_long fail_in = 0; /* 0: off; 1: the next allocation fails */
static atomic_long taken = 0;

static int must_fail(void) {
    atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
    if (atomic_load_explicit(&fail_in, memory_order_relaxed) == 0) return 0;
    return atomic_fetch_sub(&fail_in, 1) == 1;
}

void wfi_alloc_fail_at(long n) {
    atomic_store(&fail_in, n);
}

long wfi_alloc_count(void) {
    return atomic_load_explicit(&taken, memory_order_relaxed);
}

void *wfi_alloc(size_t count, size_t size) {
    size_t bytes;
    if (must_fail() || __builtin_mul_overflow(count, size, &bytes)) return NULL;
    return calloc(1, bytes ? bytes : 1);
}

static size_t whole_lines(size_t bytes) {
    return bytes ? (bytes + 63) & ~(size_t)63 : 64;
}

void *wfi_alloc_unset(size_t bytes) {
    if (must_fail() || bytes > SIZE_MAX - 64) return NULL;
    return aligned_alloc(64, whole_lines(bytes));
}

void *wfi_alloc_aligned(size_t bytes) {
    void *p = wfi_alloc_unset(bytes);
    if (p) memset(p, 0, whole_lines(bytes));
    return p;
}

void *wfi_realloc(void *p, size_t count, size_t size) {
    size_t bytes;
    if (must_fail() || __builtin_mul_overflow(count, size, &bytes)) return NULL;
    return realloc(p, bytes ? bytes : 1);
}

void wfi_free(void *p) {
    free(p);
}

char *wfi_strndup(const char *s, size_t n) {
    if (n == SIZE_MAX) return NULL;
    char *copy = wfi_alloc(n + 1, 1);
    if (copy) memcpy(copy, s, n);
    return copy;
}

char *wfi_strdup(const char *s) {
    return wfi_strndup(s, strlen(s));
}
