/* data/stem.h - what a frozen base makes of every row of a part up to some cut, kept from one epoch to the next: in
 * memory as far as that is allowed, behind it in a nameless file. Layer 3. Knows nothing of models: a row is `parts`
 * blocks of [tokens, width] floats, and `depth` is whatever number the maker calls the cut by.
 * Threads: reading is safe from several threads. */
#ifndef WF_DATA_STEM_H
#define WF_DATA_STEM_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct wf_stem wf_stem;
typedef struct wf_stem_shape {
    int depth, parts;
    int64_t width;
} wf_stem_shape;

/* For `rows` rows, of which row r has tokens[r+1] - tokens[r] tokens; content undefined. The first rows stand in
 * memory, `memory` bytes at most; dir: folder for the others, NULL: there is none. WF_E_NOMEM: it does not fit;
 * WF_E_IO: the folder cannot be written, or its file system has no room. */
wf_status wfi_stem_new(const wf_stem_shape *shape, size_t rows, const int64_t *tokens, size_t memory, const char *dir,
                       wf_stem **out, wf_err *err);
void wfi_stem_free(wf_stem *s); /* NULL is fine */
const wf_stem_shape *wfi_stem_shape_of(const wf_stem *s);
size_t wfi_stem_memory_bytes(const wf_stem *s);
size_t wfi_stem_disk_bytes(const wf_stem *s);
/* One part of one row: [tokens of the row, width]. */
wf_status wfi_stem_put(wf_stem *s, int64_t row, int part, const float *from, wf_err *err);
wf_status wfi_stem_get(const wf_stem *s, int64_t row, int part, float *to, wf_err *err);
#endif
