/* data/records.c - see records.h. */
#include "data/records.h"
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 64 << 20, COLUMNS_MAX = 4096, NAME_MAX_BYTES = 400 };

typedef struct reader {
    const char *data, *name;
    size_t size, at, limit, done;
    int64_t line; /* of the current row, from 1 */
    wf_record_fn fn;
    void *user;
} reader;

static wf_status give(reader *r, const json_t *row, wf_err *err) {
    char place[NAME_MAX_BYTES + 32];
    snprintf(place, sizeof place, "%.*s:%lld", NAME_MAX_BYTES, r->name, (long long)r->line);
    r->done++;
    return r->fn(r->user, row, place, r->line, err);
}

static bool enough(const reader *r) {
    return r->limit && r->done >= r->limit;
}

static bool blank(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
    return true;
}

static wf_status object_check(const reader *r, const json_t *row, wf_err *err) {
    return json_is_object(row) ? WF_OK
                               : wfi_fail_at(err, WF_E_DATA, r->name, r->line,
                                             "%s:%lld: every row must be a JSON object", r->name, (long long)r->line);
}

static wf_status jsonl_read(reader *r, wf_err *err) {
    while (r->at < r->size && !enough(r)) {
        const char *start = r->data + r->at, *end = memchr(start, '\n', r->size - r->at);
        const size_t n = end ? (size_t)(end - start) : r->size - r->at;
        r->at += n + 1;
        r->line++;
        if (blank(start, n)) continue;
        if (n > LINE_MAX_BYTES)
            return wfi_fail_at(err, WF_E_DATA, r->name, r->line, "%s:%lld: a line of %zu bytes is too long", r->name,
                               (long long)r->line, n);
        json_t *row = NULL;
        wf_err inner = {0};
        if (wfi_json_parse(start, n, "row", &row, &inner) != WF_OK) {
            const char *said = strstr(inner.text, ", column ");
            return wfi_fail_at(err, WF_E_DATA, r->name, r->line, "%s:%lld: not valid JSON (%.200s)", r->name,
                               (long long)r->line, said ? said + 2 : inner.text);
        }
        wf_status st = object_check(r, row, err);
        if (st == WF_OK) st = give(r, row, err);
        json_decref(row);
        WF_TRY(st);
    }
    return WF_OK;
}

/* A file that is one array of objects; lines are then row numbers. */
static wf_status array_read(reader *r, wf_err *err) {
    json_t *all = NULL;
    wf_status st = wfi_json_parse(r->data, r->size, r->name, &all, err);
    if (st != WF_OK)
        return wfi_fail_in(err, st,
                           "a file that begins with '[' is one array of objects; else write one object a line");
    for (size_t i = 0; st == WF_OK && i < json_array_size(all) && !enough(r); i++) {
        r->line = (int64_t)i + 1;
        st = object_check(r, json_array_get(all, i), err);
        if (st == WF_OK) st = give(r, json_array_get(all, i), err);
    }
    json_decref(all);
    return st;
}

/* One cell into `cell`; *last: it ended its row. Moves r->at behind the separator; counts line breaks inside quotes. */
static wf_status cell_read(reader *r, char separator, bool quotes, wf_buffer *cell, bool *last, int64_t *breaks,
                           wf_err *err) {
    cell->len = 0;
    wfi_buffer_add(cell, "", 0);
    if (quotes && r->at < r->size && r->data[r->at] == '"') {
        for (r->at++;;) {
            const char *end = r->at < r->size ? memchr(r->data + r->at, '"', r->size - r->at) : NULL;
            if (!end)
                return wfi_fail_at(err, WF_E_DATA, r->name, r->line, "%s:%lld: a quoted cell is never closed", r->name,
                                   (long long)r->line);
            const size_t n = (size_t)(end - r->data) - r->at;
            for (size_t i = 0; i < n; i++) *breaks += r->data[r->at + i] == '\n';
            wfi_buffer_add(cell, r->data + r->at, n);
            r->at += n + 1;
            if (r->at >= r->size || r->data[r->at] != '"') break;
            wfi_buffer_add(cell, "\"", 1);
            r->at++;
        }
        if (r->at < r->size && r->data[r->at] != separator && r->data[r->at] != '\n' && r->data[r->at] != '\r')
            return wfi_fail_at(err, WF_E_DATA, r->name, r->line,
                               "%s:%lld: text behind the closing quote of a cell (quotes inside are doubled)", r->name,
                               (long long)r->line);
    } else {
        const size_t start = r->at;
        while (r->at < r->size && r->data[r->at] != separator && r->data[r->at] != '\n') r->at++;
        wfi_buffer_add(cell, r->data + start, r->at - start);
    }
    if (cell->len > LINE_MAX_BYTES)
        return wfi_fail_at(err, WF_E_DATA, r->name, r->line, "%s:%lld: a cell of %zu bytes is too long", r->name,
                           (long long)r->line, cell->len);
    if (r->at < r->size && r->data[r->at] == '\r') r->at++;
    *last = r->at >= r->size || r->data[r->at] == '\n';
    r->at++;
    if (*last && cell->len && cell->data[cell->len - 1] == '\r') cell->data[--cell->len] = 0;
    return cell->failed ? wfi_fail(err, WF_E_NOMEM, "out of memory for a cell") : WF_OK;
}

static wf_status cell_text(const reader *r, const wf_buffer *cell, const char *column, json_t **out, wf_err *err) {
    *out = json_stringn(cell->len ? cell->data : "", cell->len);
    return *out ? WF_OK
                : wfi_fail_at(err, WF_E_DATA, column, r->line, "%s:%lld: column \"%.80s\" is not valid UTF-8", r->name,
                              (long long)r->line, column);
}

static wf_status header_read(reader *r, char separator, bool quotes, json_t *columns, wf_err *err) {
    wf_buffer cell = {0};
    bool last = false;
    int64_t breaks = 0;
    wf_status st = WF_OK;
    r->line = 1;
    while (st == WF_OK && !last) {
        json_t *name = NULL;
        st = cell_read(r, separator, quotes, &cell, &last, &breaks, err);
        if (st == WF_OK) st = cell_text(r, &cell, "header", &name, err);
        if (st == WF_OK && json_array_size(columns) >= COLUMNS_MAX)
            st = wfi_fail_at(err, WF_E_DATA, r->name, 1, "%s:1: more than %d columns", r->name, COLUMNS_MAX);
        for (size_t i = 0; st == WF_OK && i < json_array_size(columns); i++)
            if (json_equal(name, json_array_get(columns, i)))
                st = wfi_fail_at(err, WF_E_DATA, r->name, 1, "%s:1: column \"%.80s\" stands twice in the header",
                                 r->name, json_string_value(name));
        if (st == WF_OK) json_array_append(columns, name);
        json_decref(name);
    }
    r->line += 1 + breaks;
    wfi_buffer_clear(&cell);
    return st;
}

static wf_status table_row(reader *r, char separator, bool quotes, const json_t *columns, wf_buffer *cell,
                           wf_err *err) {
    json_t *row = json_object();
    const size_t want = json_array_size(columns);
    size_t n = 0;
    int64_t breaks = 0;
    bool last = false;
    wf_status st = row ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    while (st == WF_OK && !last) {
        const char *column = n < want ? json_string_value(json_array_get(columns, n)) : "";
        json_t *text = NULL;
        st = cell_read(r, separator, quotes, cell, &last, &breaks, err);
        if (st == WF_OK && n < want) st = cell_text(r, cell, column, &text, err);
        if (st == WF_OK && n < want && json_object_set_new(row, column, text) != 0)
            st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        n++;
    }
    const bool empty = n == 1 && blank(cell->data, cell->len); /* a blank line */
    if (st == WF_OK && !empty && n != want)
        st = wfi_fail_at(err, WF_E_DATA, r->name, r->line, "%s:%lld: %zu cells, but the header has %zu columns",
                         r->name, (long long)r->line, n, want);
    if (st == WF_OK && !empty) st = give(r, row, err);
    r->line += 1 + breaks;
    json_decref(row);
    return st;
}

/* A header that is one cell, but several with another separator, was meant to be several. */
static wf_status separator_check(const reader *r, char separator, const json_t *columns, wf_err *err) {
    const char *header = json_array_size(columns) == 1 ? json_string_value(json_array_get(columns, 0)) : NULL;
    const char *found = header ? strpbrk(header, separator == ',' ? ";\t|" : ";,|") : NULL;
    if (!found) return WF_OK;
    char shown[8];
    snprintf(shown, sizeof shown, *found == '\t' ? "a tab" : "'%c'", *found);
    return wfi_fail_at(err, WF_E_DATA, r->name, 1,
                       separator == ',' ? "%s:1: columns seem to be separated by %s; use ',' or a .tsv file"
                                        : "%s:1: columns seem to be separated by %s; use tabs or a .csv file with ','",
                       r->name, shown);
}

static wf_status table_read(reader *r, char separator, bool quotes, wf_err *err) {
    json_t *columns = json_array();
    wf_buffer cell = {0};
    wf_status st = columns ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && r->size) st = header_read(r, separator, quotes, columns, err);
    if (st == WF_OK) st = separator_check(r, separator, columns, err);
    while (st == WF_OK && r->at < r->size && !enough(r)) st = table_row(r, separator, quotes, columns, &cell, err);
    wfi_buffer_clear(&cell);
    json_decref(columns);
    return st;
}

wf_status wfi_records_parse(const char *data, size_t size, const char *format, const char *name, size_t limit,
                            wf_record_fn fn, void *user, wf_err *err) {
    reader r = {.data = data, .name = name, .size = size, .limit = limit, .fn = fn, .user = user};
    if (size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
        r.data += 3;
        r.size -= 3;
    }
    if (r.size && memchr(r.data, 0, r.size))
        return wfi_fail_at(err, WF_E_DATA, name, -1, "%s: the file holds NUL bytes; it is no text file", name);
    if (strcmp(format, "csv") == 0) return table_read(&r, ',', true, err);
    if (strcmp(format, "tsv") == 0) return table_read(&r, '\t', false, err);
    size_t first = 0;
    while (first < r.size && strchr(" \t\r\n", r.data[first])) first++;
    return first < r.size && r.data[first] == '[' ? array_read(&r, err) : jsonl_read(&r, err);
}

static const char *const extensions[] = {"jsonl", "json", "csv", "tsv"};

static const char *format_of(const char *path) {
    const char *dot = strrchr(wfi_path_base(path), '.');
    for (size_t i = 0; dot && i < sizeof extensions / sizeof *extensions; i++)
        if (strcmp(dot + 1, extensions[i]) == 0) return extensions[i];
    return NULL;
}

bool wfi_records_extension(const char *path) {
    return format_of(path) != NULL;
}

wf_status wfi_records_each(const char *path, size_t limit, wf_record_fn fn, void *user, wf_err *err) {
    const char *format = format_of(path);
    wf_map map = {0};
    if (!format) return wfi_fail_at(err, WF_E_ARG, path, -1, "%s: weft reads .jsonl, .json, .csv and .tsv files", path);
    WF_TRY(wfi_file_map(path, &map, err));
    wf_status st =
        wfi_records_parse(map.size ? (const char *)map.data : "", map.size, format, path, limit, fn, user, err);
    wfi_file_unmap(&map);
    return st;
}
