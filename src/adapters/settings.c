/* adapters/settings.c - see settings.h. */
#include "adapters/settings.h"
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SETTINGS_MAX_BYTES = 1 << 16 };

wf_status wfi_settings_refuse(wf_status code, const json_t *config, const char *field, const char *allowed,
                              wf_err *err) {
    const json_t *v = json_object_get(config, field);
    char *text = v ? wfi_json_text(v, false) : NULL;
    wfi_fail_at(err, code, field, -1, "%s is %.80s; %s", field, v ? (text ? text : "?") : "missing", allowed);
    wfi_free(text);
    return code;
}

wf_status wfi_settings_fill(json_t *config, const char *defaults, wf_err *err) {
    json_t *from = NULL;
    WF_TRY(wfi_json_parse(defaults, strlen(defaults), "defaults", &from, err));
    const int failed = json_object_update_missing(config, from);
    json_decref(from);
    return failed ? wfi_fail(err, WF_E_NOMEM, "out of memory") : WF_OK;
}

wf_status wfi_settings_bool(const json_t *config, const char *field, bool *out, wf_err *err) {
    const json_t *v = json_object_get(config, field);
    if (!json_is_boolean(v)) return wfi_settings_refuse(WF_E_DATA, config, field, "allowed: true, false", err);
    *out = json_is_true(v);
    return WF_OK;
}

wf_status wfi_settings_rate(const json_t *config, const char *field, float *out, wf_err *err) {
    const json_t *v = json_object_get(config, field);
    const double p = json_number_value(v);
    if (!json_is_number(v) || !(p >= 0.0 && p < 1.0) || !((float)p < 1.0f))
        return wfi_settings_refuse(WF_E_DATA, config, field, "allowed: a number from 0 to below 1", err);
    *out = (float)p;
    return WF_OK;
}

wf_status wfi_settings_string(const json_t *config, const char *field, const char **out, wf_err *err) {
    const json_t *v = json_object_get(config, field);
    if (!json_is_string(v)) return wfi_settings_refuse(WF_E_DATA, config, field, "it must be a text", err);
    *out = json_string_value(v);
    return WF_OK;
}

wf_status wfi_settings_seed(const json_t *config, const char *field, bool *given, uint64_t *out, wf_err *err) {
    const json_t *v = json_object_get(config, field);
    *given = false;
    if (!v || json_is_null(v)) return WF_OK;
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return wfi_settings_refuse(WF_E_DATA, config, field, "allowed: null or an integer from 0", err);
    *given = true;
    *out = (uint64_t)json_integer_value(v);
    return WF_OK;
}

wf_status wfi_settings_layers(const json_t *config, const char *field, int layers, bool *skip, wf_err *err) {
    const json_t *v = json_object_get(config, field);
    if (!v || json_is_null(v)) return WF_OK;
    if (!json_is_array(v))
        return wfi_settings_refuse(WF_E_DATA, config, field, "allowed: a list of layer numbers", err);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *n = json_array_get(v, i);
        if (!json_is_integer(n))
            return wfi_settings_refuse(WF_E_DATA, config, field, "allowed: a list of layer numbers", err);
        const json_int_t layer = json_integer_value(n);
        if (layer >= 0 && layer < layers) skip[layer] = true;
    }
    return WF_OK;
}

wf_status wfi_settings_layers_within(const json_t *config, const char *field, int layers, wf_err *err) {
    const json_t *v = json_object_get(config, field);
    char allowed[64];
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_int_t layer = json_integer_value(json_array_get(v, i));
        if (layer >= 0 && layer < layers) continue;
        snprintf(allowed, sizeof allowed, "the base has the layers 0 to %d", layers - 1);
        return wfi_settings_refuse(WF_E_ARG, config, field, allowed, err);
    }
    return WF_OK;
}

wf_status wfi_settings_unsupported(const json_t *config, const char *field, wf_err *err) {
    const json_t *v = json_object_get(config, field);
    if (!v || json_is_null(v) || json_is_false(v)) return WF_OK;
    return wfi_settings_refuse(WF_E_UNSUPPORTED, config, field,
                               "weft does not support this setting yet; only null or false", err);
}

/* ---- NAME[field=value,...] ---- */

wf_status wfi_settings_split(const char *text, char **stem, const char **overrides, wf_err *err) {
    const char *open = strchr(text, '[');
    const size_t n = strlen(text);
    if (n > SETTINGS_MAX_BYTES) return wfi_fail(err, WF_E_ARG, "configuration text of %zu bytes is too long", n);
    if (open && text[n - 1] != ']')
        return wfi_fail(err, WF_E_ARG, "\"%.80s\": the closing ] is missing; write NAME[field=value,...]", text);
    char *name = wfi_strndup(text, open ? (size_t)(open - text) : n);
    if (!name) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    *stem = name;
    *overrides = open ? open + 1 : NULL;
    return WF_OK;
}

/* Length of one "field=value": up to a comma outside of quotes and brackets, or the end. */
static size_t item_length(const char *s, size_t n) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        if (quoted) {
            if (s[i] == '\\' && i + 1 < n)
                i++;
            else if (s[i] == '"')
                quoted = false;
        } else if (s[i] == '"')
            quoted = true;
        else if (s[i] == '[' || s[i] == '{')
            depth++;
        else if (s[i] == ']' || s[i] == '}')
            depth--;
        else if (s[i] == ',' && depth <= 0)
            return i;
    }
    return n;
}

static bool looks_like_json(const char *s, size_t n) {
    if (n == 0) return false;
    if (strchr("[{\"-0123456789", s[0])) return true;
    return (n == 4 && (memcmp(s, "true", 4) == 0 || memcmp(s, "null", 4) == 0)) ||
           (n == 5 && memcmp(s, "false", 5) == 0);
}

static wf_status item_value(const char *s, size_t n, const char *field, json_t **out, wf_err *err) {
    if (!looks_like_json(s, n)) {
        json_t *text = json_stringn(s, n);
        if (!text) return wfi_fail(err, WF_E_ARG, "the value of %.60s is no valid text", field);
        *out = text;
        return WF_OK;
    }
    /* The parser wants a document: an array of one. */
    wf_buffer b = {0};
    wfi_buffer_adds(&b, "[");
    wfi_buffer_add(&b, s, n);
    wfi_buffer_adds(&b, "]");
    json_t *list = NULL;
    wf_status st =
        b.failed ? wfi_fail(err, WF_E_NOMEM, "out of memory") : wfi_json_parse(b.data, b.len, field, &list, err);
    if (st == WF_OK && json_array_size(list) != 1)
        st = wfi_fail(err, WF_E_ARG, "the value of %.60s is no single JSON value", field);
    if (st == WF_OK)
        *out = json_incref(json_array_get(list, 0));
    else
        st = WF_E_ARG;
    json_decref(list);
    wfi_buffer_clear(&b);
    return st;
}

typedef struct overriding {
    json_t *config, *given; /* given: {field: true} */
    json_t *list;           /* borrowed: the field before, where it is a list that may go on; or NULL */
    const char *stem;
} overriding;

/* A list's field takes "q,k,v" too: the first word begins the list. */
static wf_status field_set(overriding *o, const char *field, const char *text, size_t n, wf_err *err) {
    const json_t *old = json_object_get(o->config, field);
    json_t *value = NULL;
    if (!old) return wfi_fail_at(err, WF_E_ARG, field, -1, "%s has no setting \"%.60s\"", o->stem, field);
    if (json_object_get(o->given, field))
        return wfi_fail_at(err, WF_E_ARG, field, -1, "%s: setting \"%.60s\" stands twice", o->stem, field);
    const bool list = json_is_array(old);
    WF_TRY(item_value(text, n, field, &value, err));
    if (list && !json_is_array(value) && !json_is_null(value)) value = json_pack("[o]", value);
    o->list = list && json_is_array(value) ? value : NULL;
    if (json_object_set_new(o->config, field, value) || json_object_set_new(o->given, field, json_true()))
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    return WF_OK;
}

static wf_status override_one(overriding *o, const char *item, size_t n, wf_err *err) {
    while (n && *item == ' ') item++, n--;
    while (n && item[n - 1] == ' ') n--;
    const char *equal = memchr(item, '=', n);
    if (!equal && n && o->list) {
        json_t *value = NULL;
        WF_TRY(item_value(item, n, "the list", &value, err));
        return json_array_append_new(o->list, value) ? wfi_fail(err, WF_E_NOMEM, "out of memory") : WF_OK;
    }
    if (!equal || equal == item)
        return wfi_fail(err, WF_E_ARG, "%s[%.*s]: write field=value", o->stem, (int)(n > 80 ? 80 : n), item);
    char *field = wfi_strndup(item, (size_t)(equal - item));
    if (!field) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    const wf_status st = field_set(o, field, equal + 1, n - (size_t)(equal + 1 - item), err);
    wfi_free(field);
    return st;
}

wf_status wfi_settings_override(json_t *config, const char *stem, const char *overrides, wf_err *err) {
    if (!overrides) return WF_OK;
    overriding o = {.config = config, .given = json_object(), .stem = stem};
    wf_status st = o.given ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    size_t left = strlen(overrides);
    if (left) left--; /* the closing bracket */
    while (st == WF_OK && left) {
        const size_t n = item_length(overrides, left);
        st = override_one(&o, overrides, n, err);
        const size_t step = n < left ? n + 1 : n;
        overrides += step;
        left -= step;
    }
    json_decref(o.given);
    return st;
}
