/* base/arena.c - see arena.h. */
#include "base/arena.h"
#include "base/error.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALL_PAGES = 4 << 20 };

wf_status wfi_arena_init(wf_arena *a, size_t reserve, wf_err *err) {
    if (reserve == 0) reserve = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    const size_t huge = (size_t)2 << 20;
    reserve = (reserve + huge - 1) / huge * huge;
    void *p = mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return wfi_fail(err, WF_E_NOMEM, "cannot reserve %zu bytes of address space: %s", reserve, strerror(errno));
    /* Advice only. A huge page costs up to milliseconds when it is touched first; a forward pass of one text needs few
     * small ones, so the beginning of the range stays as it is. */
    if (reserve > SMALL_PAGES) madvise((char *)p + SMALL_PAGES, reserve - SMALL_PAGES, MADV_HUGEPAGE);
    *a = (wf_arena){.base = p, .reserved = reserve};
    return WF_OK;
}

void wfi_arena_clear(wf_arena *a) {
    if (a->base) munmap(a->base, a->reserved);
    *a = (wf_arena){0};
}

void *wfi_arena_get(wf_arena *a, size_t bytes) {
    if (bytes > a->reserved - a->used) return NULL;
    const size_t rounded = (bytes + 63) & ~(size_t)63;
    if (rounded > a->reserved - a->used) return NULL;
    void *p = a->base + a->used;
    a->used += rounded;
    if (a->used > a->peak) a->peak = a->used;
    return p;
}

size_t wfi_arena_mark(const wf_arena *a) {
    return a->used;
}

void wfi_arena_release(wf_arena *a, size_t mark) {
    if (mark > a->used) WF_BUG("arena released beyond its end");
    a->used = mark;
}
