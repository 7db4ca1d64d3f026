/* base/spill.h - a file without a name for what does not fit into memory. Layer 0.
 * Its directory entry goes as soon as the file is open, so nothing of it is left however the process ends. Its space is
 * reserved at once: a full disk is noticed when it is made, not in the middle of the work. Read and written by calls
 * rather than mapped: a disk that fails gives a status instead of a signal, and the pages do not count as this
 * process's memory. Threads: reads of one file are safe from several threads. */
#ifndef WF_BASE_SPILL_H
#define WF_BASE_SPILL_H
#include "weft/status.h"
#include <stddef.h>

typedef struct wf_spill wf_spill;
/* In the folder dir (it must exist and be writable). WF_E_IO, too, when the file system would be left with less than
 * 64 MiB. */
wf_status wfi_spill_new(const char *dir, size_t bytes, wf_spill **out, wf_err *err);
void wfi_spill_free(wf_spill *s); /* NULL is fine */
wf_status wfi_spill_write(wf_spill *s, size_t offset, const void *data, size_t size, wf_err *err);
wf_status wfi_spill_read(const wf_spill *s, size_t offset, void *to, size_t size, wf_err *err);
#endif
