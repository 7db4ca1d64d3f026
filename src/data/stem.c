/* data/stem.c - see stem.h. Row after row, part after part; the rows before `split` lie in memory, the others in the
 * file, which begins with the row `split`. */
#include "data/stem.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/spill.h"
#include <string.h>

struct wf_stem {
    wf_stem_shape shape;
    int64_t rows, split;
    int64_t *first; /* [rows+1] floats of one part before each row */
    float *memory;
    wf_spill *file; /* NULL: everything is in memory */
};

static size_t row_bytes(const wf_stem *s, int64_t from, int64_t to) {
    return (size_t)(s->first[to] - s->first[from]) * (size_t)s->shape.parts * sizeof(float);
}

static wf_status lay_out(wf_stem *s, const int64_t *tokens, size_t memory, wf_err *err) {
    size_t per_token = 0, total = 0;
    const int64_t all = tokens[s->rows] - tokens[0];
    if (s->shape.parts < 1 || s->shape.width < 1 || all < 0 ||
        __builtin_mul_overflow((size_t)s->shape.parts * sizeof(float), (size_t)s->shape.width, &per_token) ||
        __builtin_mul_overflow(per_token, (size_t)all, &total) || total > (size_t)INT64_MAX)
        return wfi_fail(err, WF_E_NOMEM, "the stem of %lld tokens is too large", (long long)all);
    for (int64_t r = 0; r <= s->rows; r++) s->first[r] = (tokens[r] - tokens[0]) * s->shape.width;
    while (s->split < s->rows && row_bytes(s, 0, s->split + 1) <= memory) s->split++;
    return WF_OK;
}

static wf_status places_make(wf_stem *s, const char *dir, wf_err *err) {
    const size_t here = row_bytes(s, 0, s->split), there = row_bytes(s, s->split, s->rows);
    s->memory = wfi_alloc_aligned(here + 1);
    if (!s->memory) return wfi_fail(err, WF_E_NOMEM, "no memory for a stem of %zu bytes", here);
    if (s->split == s->rows) return WF_OK;
    if (!dir)
        return wfi_fail(err, WF_E_NOMEM, "a stem of %zu bytes is larger than the memory it may take", here + there);
    return wfi_spill_new(dir, there, &s->file, err);
}

wf_status wfi_stem_new(const wf_stem_shape *shape, size_t rows, const int64_t *tokens, size_t memory, const char *dir,
                       wf_stem **out, wf_err *err) {
    wf_stem *s = wfi_alloc(1, sizeof *s);
    if (!s) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    s->shape = *shape;
    s->rows = (int64_t)rows;
    s->first = wfi_alloc(rows + 1, sizeof *s->first);
    wf_status st = s->first ? lay_out(s, tokens, memory, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = places_make(s, dir, err);
    if (st == WF_OK)
        *out = s;
    else
        wfi_stem_free(s);
    return st;
}

void wfi_stem_free(wf_stem *s) {
    if (!s) return;
    wfi_spill_free(s->file);
    wfi_free(s->memory);
    wfi_free(s->first);
    wfi_free(s);
}

const wf_stem_shape *wfi_stem_shape_of(const wf_stem *s) {
    return &s->shape;
}

size_t wfi_stem_memory_bytes(const wf_stem *s) {
    return row_bytes(s, 0, s->split);
}

size_t wfi_stem_disk_bytes(const wf_stem *s) {
    return row_bytes(s, s->split, s->rows);
}

/* Where a part of a row begins, in bytes of the row's own place, and how many bytes it has. */
static wf_status part_find(const wf_stem *s, int64_t row, int part, size_t *at, size_t *bytes, wf_err *err) {
    if (row < 0 || row >= s->rows || part < 0 || part >= s->shape.parts)
        return wfi_fail(err, WF_E_ARG, "a stem of %lld rows and %d parts has no row %lld, part %d", (long long)s->rows,
                        s->shape.parts, (long long)row, part);
    *bytes = (size_t)(s->first[row + 1] - s->first[row]) * sizeof(float);
    *at = row_bytes(s, row < s->split ? 0 : s->split, row) + (size_t)part * *bytes;
    return WF_OK;
}

wf_status wfi_stem_put(wf_stem *s, int64_t row, int part, const float *from, wf_err *err) {
    size_t at = 0, bytes = 0;
    WF_TRY(part_find(s, row, part, &at, &bytes, err));
    if (row >= s->split) return wfi_spill_write(s->file, at, from, bytes, err);
    if (bytes) memcpy(s->memory + at / sizeof(float), from, bytes);
    return WF_OK;
}

wf_status wfi_stem_get(const wf_stem *s, int64_t row, int part, float *to, wf_err *err) {
    size_t at = 0, bytes = 0;
    WF_TRY(part_find(s, row, part, &at, &bytes, err));
    if (row >= s->split) return wfi_spill_read(s->file, at, to, bytes, err);
    if (bytes) memcpy(to, s->memory + at / sizeof(float), bytes);
    return WF_OK;
}
