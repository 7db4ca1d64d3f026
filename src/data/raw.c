/* data/raw.c - rows of a file into memory. See raw.h. */
#include "data/raw.h"
#include "base/alloc.h"
#include "base/error.h"
#include "data/records.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHOICES_MAX = 1024, LIST_MAX = 4096 };

void wfi_raws_clear(wf_raws *r) {
    wfi_free(r->rows);
    wfi_pool_free(r->pool);
    *r = (wf_raws){0};
}

typedef struct filler {
    wf_raws *out;
    const wf_fields *f;
    const char *file, *label_field;
} filler;

static wf_status copy(wf_text_pool *pool, const json_t *text, const char **out, wf_err *err) {
    *out = wfi_pool_text(pool, json_string_value(text), json_string_length(text));
    return *out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for texts");
}

static wf_status wrong(wf_err *err, const char *place, const char *field, int64_t line, const char *want) {
    return wfi_fail_at(err, WF_E_DATA, field, line, "%s: field \"%s\" must be %s", place, field, want);
}

/* A text; absent or null gives NULL. Texts may not hold NUL (they are C strings from here on). */
static wf_status text_get(wf_text_pool *pool, const json_t *row, const char *field, const char *place, int64_t line,
                          const char **out, wf_err *err) {
    const json_t *v = field[0] ? json_object_get(row, field) : NULL;
    *out = NULL;
    if (!v || json_is_null(v)) return WF_OK;
    if (!json_is_string(v)) return wrong(err, place, field, line, "a text");
    if (strlen(json_string_value(v)) != json_string_length(v))
        return wrong(err, place, field, line, "a text without NUL characters");
    return copy(pool, v, out, err);
}

/* Group names may be numbers. */
static wf_status name_get(wf_text_pool *pool, const json_t *row, const char *field, const char *place, int64_t line,
                          const char **out, wf_err *err) {
    const json_t *v = field[0] ? json_object_get(row, field) : NULL;
    char number[40];
    if (!json_is_integer(v)) return text_get(pool, row, field, place, line, out, err);
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
    *out = wfi_pool_text(pool, number, strlen(number));
    return *out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for texts");
}

static wf_status list_get(wf_text_pool *pool, const json_t *v, const char *field, const char *place, int64_t line,
                          int32_t low, int32_t high, const char *const **out, int32_t *count, wf_err *err) {
    const size_t n = json_array_size(v);
    if (!json_is_array(v) || n < (size_t)low || n > (size_t)high) {
        char want[64];
        snprintf(want, sizeof want, "a list of %d to %d texts", low, high);
        return wrong(err, place, field, line, want);
    }
    const char **list = wfi_pool_get(pool, n + 1, sizeof *list);
    if (!list) return wfi_fail(err, WF_E_NOMEM, "out of memory for texts");
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(v, i);
        char number[40];
        if (json_is_integer(one)) {
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(one));
            list[i] = wfi_pool_text(pool, number, strlen(number));
            if (!list[i]) return wfi_fail(err, WF_E_NOMEM, "out of memory for texts");
        } else if (json_is_string(one) && strlen(json_string_value(one)) == json_string_length(one)) {
            WF_TRY(copy(pool, one, &list[i], err));
        } else {
            return wrong(err, place, field, line, "a list of texts");
        }
    }
    *out = list;
    *count = (int32_t)n;
    return WF_OK;
}

double wfi_label_number(const char *text) {
    char *end = NULL;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a text was read */
    if (!text[0] || strspn(text, "+-.0123456789eE") != strlen(text)) return NAN;
    const double v = strtod(text, &end);
    return *end || !isfinite(v) ? NAN : v;
}

static wf_status label_get(wf_text_pool *pool, const json_t *row, const char *field, const char *place, int64_t line,
                           wf_raw *r, wf_err *err) {
    const json_t *v = field[0] ? json_object_get(row, field) : NULL;
    char number[40];
    r->number = NAN;
    if (!v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0)) return WF_OK;
    if (json_is_array(v)) {
        r->kind = WF_LABEL_LIST;
        return list_get(pool, v, field, place, line, 0, LIST_MAX, &r->list, &r->list_count, err);
    }
    if (json_is_string(v)) {
        r->kind = WF_LABEL_TEXT;
        WF_TRY(text_get(pool, row, field, place, line, &r->label, err));
        r->number = wfi_label_number(r->label);
        return WF_OK;
    }
    if (json_is_boolean(v)) {
        r->kind = WF_LABEL_TEXT;
        snprintf(number, sizeof number, "%s", json_is_true(v) ? "true" : "false");
    } else if (json_is_number(v)) {
        r->kind = WF_LABEL_NUMBER;
        r->number = json_number_value(v);
        if (json_is_integer(v))
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        else
            snprintf(number, sizeof number, "%.17g", r->number);
    } else {
        return wrong(err, place, field, line, "a text, a number or a list of texts");
    }
    r->label = wfi_pool_text(pool, number, strlen(number));
    return r->label ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for texts");
}

static wf_status add(void *user, const json_t *row, const char *place, int64_t line, wf_err *err) {
    filler *w = user;
    wf_text_pool *pool = w->out->pool;
    wf_raw r = {.line = line, .file = w->file, .label_field = w->label_field, .lenient = w->f->lenient};
    WF_TRY(text_get(pool, row, w->f->text, place, line, &r.text, err));
    if (!r.text) return wrong(err, place, w->f->text, line, "there in every row");
    WF_TRY(text_get(pool, row, w->f->pair, place, line, &r.pair, err));
    if (w->f->pair[0] && !r.pair && !r.lenient)
        return wrong(err, place, w->f->pair, line, "there in every row (some rows have it)");
    WF_TRY(name_get(pool, row, w->f->group, place, line, &r.group, err));
    WF_TRY(name_get(pool, row, w->f->together, place, line, &r.together, err));
    const json_t *choices = w->f->choices[0] ? json_object_get(row, w->f->choices) : NULL;
    if (w->f->choices[0])
        WF_TRY(list_get(pool, choices, w->f->choices, place, line, 2, CHOICES_MAX, &r.choices, &r.choice_count, err));
    WF_TRY(label_get(pool, row, w->f->label, place, line, &r, err));
    if (w->out->count == w->out->cap) {
        const size_t cap = w->out->cap ? w->out->cap * 2 : 1024;
        wf_raw *rows = wfi_realloc(w->out->rows, cap, sizeof *rows);
        if (!rows) return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", cap);
        w->out->rows = rows;
        w->out->cap = cap;
    }
    w->out->rows[w->out->count++] = r;
    return WF_OK;
}

wf_status wfi_raws_read(const char *path, const wf_fields *f, wf_raws *out, wf_err *err) {
    if (!out->pool && !(out->pool = wfi_pool_new())) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    const char *label = f->label[0] ? f->label : "label";
    filler w = {.out = out,
                .f = f,
                .file = wfi_pool_text(out->pool, path, strlen(path)),
                .label_field = wfi_pool_text(out->pool, label, strlen(label))};
    if (!w.file || !w.label_field) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    return wfi_records_each(path, 0, add, &w, err);
}
