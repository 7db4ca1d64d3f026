/* tensor/source.c - see source.h. */
#include "tensor/source.h"
#include "base/alloc.h"
#include "base/error.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} DTYPES[] = {[WF_DTYPE_F32] = {"F32", 4},  [WF_DTYPE_F16] = {"F16", 2}, [WF_DTYPE_BF16] = {"BF16", 2},
              [WF_DTYPE_F64] = {"F64", 8},  [WF_DTYPE_I64] = {"I64", 8}, [WF_DTYPE_I32] = {"I32", 4},
              [WF_DTYPE_I16] = {"I16", 2},  [WF_DTYPE_I8] = {"I8", 1},   [WF_DTYPE_U8] = {"U8", 1},
              [WF_DTYPE_BOOL] = {"BOOL", 1}};

size_t wfi_dtype_size(wf_dtype t) {
    return DTYPES[t].size;
}
const char *wfi_dtype_name(wf_dtype t) {
    return DTYPES[t].name;
}

int64_t wfi_tensor_count(const wf_tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    return n;
}

const wf_tensor *wfi_source_find(const wf_source *s, const char *name) {
    size_t low = 0, high = s->count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int c = strcmp(name, s->tensors[mid].name);
        if (c == 0) return &s->tensors[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

static void shape_text(char *out, size_t size, int rank, const int64_t *shape) {
    size_t at = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < rank && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, shape[i] < 0 ? "%s?" : "%s%" PRId64, i ? "," : "", shape[i]);
    if (at < size) snprintf(out + at, size - at, "]");
}

wf_status wfi_source_get(const wf_source *s, const char *name, int rank, const int64_t *want, const wf_tensor **out,
                         wf_err *err) {
    const wf_tensor *t = wfi_source_find(s, name);
    if (!t) return wfi_fail_at(err, WF_E_DATA, name, -1, "tensor \"%.120s\" is missing", name);
    bool same = t->rank == rank;
    for (int i = 0; same && i < rank; i++) same = want[i] < 0 || t->shape[i] == want[i];
    if (!same) {
        char has[160], needs[160];
        shape_text(has, sizeof has, t->rank, t->shape);
        shape_text(needs, sizeof needs, rank, want);
        return wfi_fail_at(err, WF_E_DATA, name, -1, "tensor \"%.120s\" has shape %s, needed is %s", name, has, needs);
    }
    *out = t;
    return WF_OK;
}

static float half_to_float(uint16_t h) {
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023;
    uint32_t u;
    if (exponent == 31)
        u = sign | 0x7F800000u | mantissa << 13;
    else if (exponent)
        u = sign | (exponent + 112) << 23 | mantissa << 13;
    else { /* subnormal: exact in float */
        const float f = (float)mantissa * 0x1p-24f;
        return sign ? -f : f;
    }
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

wf_status wfi_tensor_f32(const wf_tensor *t, const float **data, float **owned, wf_err *err) {
    const int64_t n = wfi_tensor_count(t);
    *owned = NULL;
    if (t->dtype == WF_DTYPE_F32 && (uintptr_t)t->data % sizeof(float) == 0) {
        *data = t->data;
        return WF_OK;
    }
    if (t->dtype != WF_DTYPE_F32 && t->dtype != WF_DTYPE_F16 && t->dtype != WF_DTYPE_BF16 && t->dtype != WF_DTYPE_F64)
        return wfi_fail_at(err, WF_E_DATA, t->name, -1, "tensor \"%.120s\" has type %s; floating point is needed",
                           t->name, wfi_dtype_name(t->dtype));
    float *f = wfi_alloc((size_t)n, sizeof *f);
    if (!f) return wfi_fail(err, WF_E_NOMEM, "out of memory for tensor \"%.120s\"", t->name);
    const unsigned char *p = t->data; /* read by memcpy: the file may be unaligned */
    for (int64_t i = 0; i < n; i++) {
        uint16_t h;
        uint32_t u;
        double d;
        switch (t->dtype) {
        case WF_DTYPE_F16:
            memcpy(&h, p + 2 * i, 2);
            f[i] = half_to_float(h);
            break;
        case WF_DTYPE_BF16:
            memcpy(&h, p + 2 * i, 2);
            u = (uint32_t)h << 16;
            memcpy(&f[i], &u, 4);
            break;
        case WF_DTYPE_F64:
            memcpy(&d, p + 8 * i, 8);
            f[i] = (float)d;
            break;
        default:
            memcpy(&f[i], p + 4 * i, 4);
            break;
        }
    }
    *data = *owned = f;
    return WF_OK;
}

void wfi_source_forget(const wf_source *s) {
    if (s->forget) s->forget(s->owner);
}

void wfi_source_close(wf_source *s) {
    if (s->close) s->close(s->owner);
    *s = (wf_source){0};
}
