/* formats/safetensors.c - see safetensors.h. Format: u64 little-endian header length, JSON header, data.
 * Names and offsets come from a hostile file: each is checked against the file's size before use. */
#include "formats/safetensors.h"
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 100 * 1000 * 1000 };

typedef struct owner { /* what keeps a source alive */
    wf_map map;
    wf_tensor *tensors;
    json_t *header; /* owns the names */
} owner;

typedef struct span {
    uint64_t begin, end;
    const char *name;
} span;

static void owner_close(void *p) {
    owner *o = p;
    wfi_file_unmap(&o->map);
    wfi_free(o->tensors);
    json_decref(o->header);
    wfi_free(o);
}

static void owner_forget(void *p) {
    const owner *o = p;
    wfi_file_forget(&o->map);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const wf_tensor *)a)->name, ((const wf_tensor *)b)->name);
}
static int by_begin(const void *a, const void *b) {
    const span *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static bool dtype_parse(const char *name, wf_dtype *out) {
    for (int t = 0; t <= WF_DTYPE_BOOL; t++)
        if (strcmp(name, wfi_dtype_name((wf_dtype)t)) == 0) {
            *out = (wf_dtype)t;
            return true;
        }
    return false;
}

static wf_status entry_parse(const char *file, const char *name, const json_t *e, const unsigned char *data,
                             uint64_t data_size, wf_tensor *t, span *where, wf_err *err) {
    const json_t *shape = json_object_get(e, "shape"), *offsets = json_object_get(e, "data_offsets");
    const char *dtype = json_string_value(json_object_get(e, "dtype"));
    if (!dtype || !dtype_parse(dtype, &t->dtype))
        return wfi_fail_at(err, WF_E_DATA, name, -1, "%s: tensor \"%.100s\": dtype \"%.20s\" is not known", file, name,
                           dtype ? dtype : "");
    if (!json_is_array(shape) || json_array_size(shape) > WF_MAX_RANK)
        return wfi_fail_at(err, WF_E_DATA, name, -1,
                           "%s: tensor \"%.100s\": shape must be a list of at most %d numbers", file, name,
                           WF_MAX_RANK);
    uint64_t bytes = wfi_dtype_size(t->dtype);
    t->name = name;
    t->rank = (int)json_array_size(shape);
    for (int i = 0; i < t->rank; i++) {
        const json_t *n = json_array_get(shape, (size_t)i);
        if (!json_is_integer(n) || json_integer_value(n) < 0 ||
            __builtin_mul_overflow(bytes, (uint64_t)json_integer_value(n), &bytes) || bytes > INT64_MAX)
            return wfi_fail_at(err, WF_E_DATA, name, -1, "%s: tensor \"%.100s\": shape is impossible", file, name);
        t->shape[i] = json_integer_value(n);
    }
    const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to) ||
        json_integer_value(from) < 0 || json_integer_value(to) < json_integer_value(from) ||
        (uint64_t)json_integer_value(to) > data_size)
        return wfi_fail_at(err, WF_E_DATA, name, -1, "%s: tensor \"%.100s\": data_offsets lie outside the file", file,
                           name);
    *where = (span){.begin = (uint64_t)json_integer_value(from), .end = (uint64_t)json_integer_value(to), .name = name};
    if (where->end - where->begin != bytes)
        return wfi_fail_at(err, WF_E_DATA, name, -1,
                           "%s: tensor \"%.100s\": shape and type need %llu bytes, the file gives %llu", file, name,
                           (unsigned long long)bytes, (unsigned long long)(where->end - where->begin));
    t->data = data + where->begin;
    return WF_OK;
}

/* The data area must be tiled exactly: no hole, no overlap. */
static wf_status tiling_check(const char *file, span *spans, size_t count, uint64_t data_size, wf_err *err) {
    uint64_t at = 0;
    if (count) qsort(spans, count, sizeof *spans, by_begin);
    for (size_t i = 0; i < count; i++) {
        if (spans[i].begin != at)
            return wfi_fail_at(err, WF_E_DATA, spans[i].name, -1,
                               "%s: tensor \"%.100s\" overlaps another or leaves a hole before it", file,
                               spans[i].name);
        at = spans[i].end;
    }
    return at == data_size ? WF_OK
                           : wfi_fail(err, WF_E_DATA, "%s: %llu bytes behind the last tensor", file,
                                      (unsigned long long)(data_size - at));
}

static wf_status entries_parse(const char *file, owner *o, const unsigned char *data, uint64_t data_size, size_t *count,
                               wf_err *err) {
    const size_t most = json_object_size(o->header);
    span *spans = wfi_alloc(most, sizeof *spans);
    o->tensors = wfi_alloc(most, sizeof *o->tensors);
    wf_status st = spans && o->tensors ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    size_t n = 0;
    const char *name;
    json_t *e;
    if (st == WF_OK) json_object_foreach(o->header, name, e) {
            if (strcmp(name, "__metadata__") == 0) continue;
            st = entry_parse(file, name, e, data, data_size, &o->tensors[n], &spans[n], err);
            if (st != WF_OK) break;
            n++;
        }
    if (st == WF_OK) st = tiling_check(file, spans, n, data_size, err);
    wfi_free(spans);
    if (n) qsort(o->tensors, n, sizeof *o->tensors, by_name);
    *count = n;
    return st;
}

static wf_status parse(const unsigned char *bytes, size_t size, const char *file, owner *o, wf_source *out,
                       wf_err *err) {
    uint64_t header = 0;
    if (size < 8) return wfi_fail(err, WF_E_DATA, "%s: too short for a safetensors file", file);
    for (int i = 7; i >= 0; i--) header = header << 8 | bytes[i];
    if (header > HEADER_MAX || header > size - 8)
        return wfi_fail(err, WF_E_DATA, "%s: header of %llu bytes does not fit the file", file,
                        (unsigned long long)header);
    WF_TRY(wfi_json_parse((const char *)bytes + 8, (size_t)header, file, &o->header, err));
    if (!json_is_object(o->header)) return wfi_fail(err, WF_E_DATA, "%s: header is no JSON object", file);
    size_t count = 0;
    WF_TRY(entries_parse(file, o, bytes + 8 + header, size - 8 - header, &count, err));
    *out = (wf_source){.count = count, .tensors = o->tensors, .owner = o, .close = owner_close, .forget = owner_forget};
    return WF_OK;
}

wf_status wfi_safetensors_parse(const void *data, size_t size, const char *name, wf_source *out, wf_err *err) {
    owner *o = wfi_alloc(1, sizeof *o);
    if (!o) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = parse(data, size, name, o, out, err);
    if (st != WF_OK) owner_close(o);
    return st;
}

wf_status wfi_safetensors_open(const char *path, wf_source *out, wf_err *err) {
    owner *o = wfi_alloc(1, sizeof *o);
    if (!o) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_file_map(path, &o->map, err);
    if (st == WF_OK) st = parse(o->map.data, o->map.size, path, o, out, err);
    if (st != WF_OK) owner_close(o);
    return st;
}

static json_t *header_entry(const wf_tensor *t, uint64_t at, uint64_t bytes) {
    const uint64_t end = at + bytes;
    json_t *shape = json_array();
    for (int k = 0; shape && k < t->rank; k++)
        if (json_array_append_new(shape, json_integer(t->shape[k])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", wfi_dtype_name(t->dtype), "shape", shape, "data_offsets",
                     (json_int_t)at, (json_int_t)end);
}

static wf_status header_make(const wf_tensor **sorted, size_t count, char **text, wf_err *err) {
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    bool good = header != NULL;
    uint64_t at = 0;
    for (size_t i = 0; good && i < count; i++) {
        const uint64_t bytes = (uint64_t)wfi_tensor_count(sorted[i]) * wfi_dtype_size(sorted[i]->dtype);
        good = json_object_set_new(header, sorted[i]->name, header_entry(sorted[i], at, bytes)) == 0;
        at += bytes;
    }
    *text = good ? wfi_json_text(header, false) : NULL;
    json_decref(header);
    return *text ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

static int pointer_by_name(const void *a, const void *b) {
    return by_name(*(const wf_tensor *const *)a, *(const wf_tensor *const *)b);
}

wf_status wfi_safetensors_write(const char *path, const wf_tensor *tensors, size_t count, wf_err *err) {
    const wf_tensor **sorted = wfi_alloc(count, sizeof *sorted);
    char *header = NULL;
    wf_buffer b = {0};
    if (!sorted) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) sorted[i] = &tensors[i];
    if (count) qsort(sorted, count, sizeof *sorted, pointer_by_name);
    wf_status st = WF_OK;
    for (size_t i = 1; st == WF_OK && i < count; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            st = wfi_fail(err, WF_E_ARG, "tensor \"%.100s\" stands twice", sorted[i]->name);
    if (st == WF_OK) st = header_make(sorted, count, &header, err);
    if (st == WF_OK) {
        const size_t n = strlen(header), padded = (n + 7) & ~(size_t)7;
        unsigned char length[8];
        for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)padded >> (8 * i));
        wfi_buffer_add(&b, length, 8);
        wfi_buffer_add(&b, header, n);
        wfi_buffer_add(&b, "       ", padded - n);
        for (size_t i = 0; i < count; i++)
            wfi_buffer_add(&b, sorted[i]->data, (size_t)wfi_tensor_count(sorted[i]) * wfi_dtype_size(sorted[i]->dtype));
        st = b.failed ? wfi_fail(err, WF_E_NOMEM, "out of memory for %s", path)
                      : wfi_file_write(path, b.data, b.len, err);
    }
    wfi_buffer_clear(&b);
    wfi_free(header);
    wfi_free(sorted);
    return st;
}
