/* base/alloc.h - the only door to the heap; sizes overflow-checked. Layer 0.
 * Tests can make the n-th allocation fail (wfi_alloc_fail_at) and count them (wfi_alloc_count). Threads: safe. */
#ifndef WF_BASE_ALLOC_H
#define WF_BASE_ALLOC_H
#include <stddef.h>

void *
wfi_alloc(size_t count,
          size_t size); /* zeroed; NULL when out of memory or count*size overflows; count 0 gives a valid pointer */
void *wfi_alloc_aligned(size_t bytes); /* 64-byte aligned, zeroed; free with wfi_free */
void *
wfi_alloc_unset(size_t bytes); /* as wfi_alloc_aligned, but what it holds is undefined: for what is filled at once */
void *wfi_realloc(void *p, size_t count, size_t size); /* not for aligned blocks; new bytes undefined */
void wfi_free(void *p);                                /* NULL is fine */
char *wfi_strdup(const char *s);
char *wfi_strndup(const char *s, size_t n);
void wfi_alloc_fail_at(long n); /* tests: the n-th allocation from now fails (and only it); 0 switches off */
long wfi_alloc_count(void); /* tests: allocations so far; what other libraries take of their own is not among them */
#endif
