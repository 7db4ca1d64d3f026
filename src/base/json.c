/* base/json.c - see json.h. */
#include "base/json.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include <string.h>

enum { DEPTH_MAX = 64 };

/* Nesting is bounded before the parser recurses. */
static bool depth_ok(const char *text, size_t size) {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX) return false;
        } else if (c == '}' || c == ']')
            depth--;
    }
    return true;
}

wf_status wfi_json_parse(const char *text, size_t size, const char *name, json_t **out, wf_err *err) {
    json_error_t e;
    if (!depth_ok(text, size))
        return wfi_fail_at(err, WF_E_DATA, name, -1, "%s: JSON is nested deeper than %d", name, DEPTH_MAX);
    json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!j &&
        (!e.text[0] || json_error_code(&e) == json_error_out_of_memory)) /* jansson says nothing when memory ends */
        return wfi_fail(err, WF_E_NOMEM, "out of memory for the JSON of %s", name);
    if (!j && json_error_code(&e) == json_error_null_character)
        return wfi_fail_at(err, WF_E_DATA, name, e.position, "%s: line %d, column %d: a text with a NUL (\\u0000)",
                           name, e.line, e.column);
    if (!j)
        return wfi_fail_at(err, WF_E_DATA, name, e.position, "%s: line %d, column %d: %s", name, e.line, e.column,
                           e.text);
    *out = j;
    return WF_OK;
}

wf_status wfi_json_read(const char *path, size_t max_bytes, json_t **out, wf_err *err) {
    char *text = NULL;
    size_t size = 0;
    WF_TRY(wfi_file_read(path, max_bytes, &text, &size, err));
    wf_status st = wfi_json_parse(text, size, path, out, err);
    wfi_free(text);
    return st;
}

char *wfi_json_text(const json_t *value, bool pretty) {
    return json_dumps(value, JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) |
                                 (pretty ? JSON_INDENT(2) : JSON_COMPACT));
}

wf_status wfi_json_write(const char *path, const json_t *value, wf_err *err) {
    char *text = wfi_json_text(value, true);
    if (!text) return wfi_fail(err, WF_E_NOMEM, "out of memory for %s", path);
    wf_status st = wfi_file_write(path, text, strlen(text), err);
    wfi_free(text);
    return st;
}

static wf_status field_fail(wf_err *err, const char *where, const char *field, const json_t *value, const char *want) {
    return wfi_fail_at(err, WF_E_DATA, field, -1,
                       value ? "%s: field \"%s\" must be %s" : "%s: field \"%s\" is missing; it must be %s", where,
                       field, want);
}

wf_status wfi_json_str(const json_t *object, const char *field, const char *where, const char **out, wf_err *err) {
    const json_t *v = json_object_get(object, field);
    if (!json_is_string(v)) return field_fail(err, where, field, v, "a text");
    *out = json_string_value(v);
    return WF_OK;
}

wf_status wfi_json_int(const json_t *object, const char *field, const char *where, int64_t low, int64_t high,
                       int64_t *out, wf_err *err) {
    const json_t *v = json_object_get(object, field);
    if (!json_is_integer(v)) return field_fail(err, where, field, v, "a whole number");
    const int64_t n = json_integer_value(v);
    if (n < low || n > high)
        return wfi_fail_at(err, WF_E_DATA, field, -1, "%s: field \"%s\" is %lld; it must lie in [%lld, %lld]", where,
                           field, (long long)n, (long long)low, (long long)high);
    *out = n;
    return WF_OK;
}

wf_status wfi_json_num(const json_t *object, const char *field, const char *where, double *out, wf_err *err) {
    const json_t *v = json_object_get(object, field);
    if (!json_is_number(v)) return field_fail(err, where, field, v, "a number");
    *out = json_number_value(v);
    return WF_OK;
}

static bool absent(const json_t *object, const char *field) {
    const json_t *v = json_object_get(object, field);
    return !v || json_is_null(v);
}

wf_status wfi_json_int_or(const json_t *object, const char *field, const char *where, int64_t low, int64_t high,
                          int64_t otherwise, int64_t *out, wf_err *err) {
    if (!absent(object, field)) return wfi_json_int(object, field, where, low, high, out, err);
    *out = otherwise;
    return WF_OK;
}

wf_status wfi_json_num_or(const json_t *object, const char *field, const char *where, double otherwise, double *out,
                          wf_err *err) {
    if (!absent(object, field)) return wfi_json_num(object, field, where, out, err);
    *out = otherwise;
    return WF_OK;
}

wf_status wfi_json_bool_or(const json_t *object, const char *field, const char *where, bool otherwise, bool *out,
                           wf_err *err) {
    const json_t *v = json_object_get(object, field);
    if (absent(object, field))
        *out = otherwise;
    else if (json_is_boolean(v))
        *out = json_is_true(v);
    else
        return field_fail(err, where, field, v, "true or false");
    return WF_OK;
}
