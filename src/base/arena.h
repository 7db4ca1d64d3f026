/* base/arena.h - memory of one training step: bump allocation in one reserved address range, reset in O(1). Layer 0.
 * The range is reserved (not committed) once; pages are touched as used and kept across resets, so the step loop
 * allocates nothing. Threads: an arena belongs to one thread at a time. */
#ifndef WF_BASE_ARENA_H
#define WF_BASE_ARENA_H
#include "weft/status.h"
#include <stddef.h>

typedef struct wf_arena {
    unsigned char *base;
    size_t used, reserved, peak;
} wf_arena;

wf_status wfi_arena_init(wf_arena *a, size_t reserve_bytes, wf_err *err); /* 0: physical memory of the machine */
void wfi_arena_clear(wf_arena *a);                                        /* accepts a zeroed arena */
void *wfi_arena_get(wf_arena *a, size_t bytes); /* 64-byte aligned, NOT zeroed; NULL when the range is full */
size_t wfi_arena_mark(const wf_arena *a);
void wfi_arena_release(wf_arena *a, size_t mark); /* frees everything taken since the mark */
#endif
