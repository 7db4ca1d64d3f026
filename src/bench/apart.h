/* bench/apart.h - a function in a process of its own, so that the memory it takes can be told from all other. Layer 11.
 * A process that has threads cannot be copied safely; then nothing is done and *done is false. */
#ifndef WF_BENCH_APART_H
#define WF_BENCH_APART_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>

typedef wf_status (*wf_apart_fn)(void *self, void *out, wf_err *err);
/* Calls fn(self, out) in a copy of this process; out: size bytes that come back. A copy that dies is WF_E_LIBRARY. */
wf_status wfi_apart(wf_apart_fn fn, void *self, void *out, size_t size, bool *done, wf_err *err);
#endif
