/* data/store.c - a task as a folder of the lab: task.json and canonical JSONL. See task.h. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/records.h"
#include "data/settle.h"
#include <stdio.h>
#include <string.h>

static const char *const part_files[] = {"train.jsonl", "dev.jsonl", "test.jsonl"};

static json_t *texts(const char *const *items, int32_t n) {
    json_t *list = json_array();
    for (int32_t i = 0; i < n; i++) json_array_append_new(list, json_string(items[i]));
    return list;
}

static json_t *label_json(const wf_task *t, const wf_row *r) {
    switch (t->kind) {
    case WF_KIND_REGRESSION:
        return json_real(r->target);
    case WF_KIND_MULTIPLE_CHOICE:
        return json_integer(r->label);
    case WF_KIND_CLASSIFICATION:
        return json_string(t->labels[r->label]); /* NOLINT(clang-analyzer-core.NullDereference): a task with labels */
    case WF_KIND_MULTILABEL:
        break;
    }
    json_t *list = json_array();
    for (int32_t c = 0; c < t->label_count; c++)
        if (r->labels[c])
            json_array_append_new(
                list, json_string(t->labels[c])); /* NOLINT(clang-analyzer-core.NullDereference): set for this kind */
    return list;
}

static wf_status rows_save(const wf_task *t, const wf_rows *rows, const char *dir, const char *file, wf_err *err) {
    wf_buffer b = {0};
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < rows->count; i++) {
        const wf_row *r = &rows->rows[i];
        json_t *j = json_pack("{s:s, s:o}", "text", r->text, "label", label_json(t, r));
        if (j && r->pair) json_object_set_new(j, "text_pair", json_string(r->pair));
        if (j && r->group) json_object_set_new(j, "group", json_string(r->group));
        if (j && r->choices) json_object_set_new(j, "choices", texts(r->choices, r->choice_count));
        char *line = j ? wfi_json_text(j, false) : NULL;
        if (line) {
            wfi_buffer_adds(&b, line);
            wfi_buffer_adds(&b, "\n");
        }
        if (!line || b.failed) st = wfi_fail(err, WF_E_NOMEM, "out of memory for %s", file);
        wfi_free(line);
        json_decref(j);
    }
    char *path = wfi_path_join(dir, file);
    if (st == WF_OK)
        st = path ? wfi_file_write(path, b.data ? b.data : "", b.len, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(path);
    wfi_buffer_clear(&b);
    return st;
}

/* ---- names of fields ---- */

static const char *const field_roles[] = {"text", "pair", "label"};

json_t *wfi_task_fields_json(const wf_task *t) {
    const char *const names[] = {t->text_field, t->pair_field, t->label_field};
    json_t *j = json_object();
    for (int i = 0; i < 3; i++)
        if (json_object_set_new(j, field_roles[i], names[i] ? json_string(names[i]) : json_null()) != 0) {
            json_decref(j);
            return NULL;
        }
    return j;
}

wf_status wfi_task_fields_set(wf_task *t, const json_t *fields, wf_err *err) {
    char **const kept[] = {&t->text_field, &t->pair_field, &t->label_field};
    for (int i = 0; i < 3; i++) {
        const char *name = json_string_value(json_object_get(fields, field_roles[i]));
        if (name && !(*kept[i] = wfi_strdup(name))) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    return WF_OK;
}

void wfi_task_fields_clear(wf_task *t) {
    wfi_free(t->text_field);
    wfi_free(t->pair_field);
    wfi_free(t->label_field);
    t->text_field = t->pair_field = t->label_field = NULL;
}

/* ---- the folder ---- */

wf_status wfi_task_save(const wf_task *t, const char *dir, wf_err *err) {
    const wf_rows *const parts[] = {&t->train, &t->dev, &t->test};
    const bool named = t->labels != NULL;
    WF_TRY(wfi_dir_make(dir, err));
    for (int p = 0; p < 3; p++) WF_TRY(rows_save(t, parts[p], dir, part_files[p], err));
    json_t *j = json_pack("{s:s, s:s, s:b, s:i, s:s, s:o, s:o}", "name", t->name, "kind", wfi_kind_name(t->kind),
                          "pair", (int)t->has_pair, "label_count", (int)t->label_count, "metric", t->metric, "labels",
                          named ? texts((const char *const *)t->labels, t->label_count) : json_null(), "fields",
                          wfi_task_fields_json(t));
    char *path = wfi_path_join(dir, "task.json");
    wf_status st = j && path ? wfi_json_write(path, j, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(path);
    json_decref(j);
    return st;
}

static wf_status head_open(wf_task *t, const json_t *j, const char *where, wf_err *err) {
    const char *name = NULL, *kind = NULL, *metric = NULL;
    int64_t count = 0;
    WF_TRY(wfi_json_str(j, "name", where, &name, err));
    WF_TRY(wfi_json_str(j, "kind", where, &kind, err));
    WF_TRY(wfi_json_str(j, "metric", where, &metric, err));
    WF_TRY(wfi_json_int(j, "label_count", where, 1, 1 << 20, &count, err));
    WF_TRY(wfi_json_bool_or(j, "pair", where, false, &t->has_pair, err));
    if (!wfi_kind_parse(kind, &t->kind))
        return wfi_fail_at(err, WF_E_DATA, "kind", -1, "%s: kind \"%.40s\" is unknown", where, kind);
    t->name = wfi_strdup(name);
    t->metric = wfi_strdup(metric);
    if (!t->name || !t->metric) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    WF_TRY(wfi_task_fields_set(t, json_object_get(j, "fields"), err));
    const json_t *labels = json_object_get(j, "labels");
    const bool named = t->kind == WF_KIND_CLASSIFICATION || t->kind == WF_KIND_MULTILABEL;
    if (named && json_array_size(labels) != (size_t)count)
        return wfi_fail_at(err, WF_E_DATA, "labels", -1, "%s: field \"labels\" must list %lld texts", where,
                           (long long)count);
    if (named && !(t->labels = wfi_alloc((size_t)count, sizeof *t->labels)))
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (int32_t c = 0; named && c < count; c++) {
        const char *label = json_string_value(json_array_get(labels, (size_t)c));
        if (!label)
            return wfi_fail_at(err, WF_E_DATA, "labels", -1, "%s: field \"labels\" must be a list of texts", where);
        if (!(t->labels[c] = wfi_strdup(label))) return wfi_fail(err, WF_E_NOMEM, "out of memory");
        t->label_count = c + 1;
    }
    t->label_count = (int32_t)count;
    return WF_OK;
}

static wf_status part_open(wf_task *t, const char *dir, const char *file, wf_rows *out, wf_err *err) {
    wf_fields f = {.text = "text", .label = "label", .group = "group"};
    wf_raws all = {0};
    char *path = wfi_path_join(dir, file);
    if (t->has_pair) snprintf(f.pair, sizeof f.pair, "text_pair");
    if (t->kind == WF_KIND_MULTIPLE_CHOICE) snprintf(f.choices, sizeof f.choices, "choices");
    wf_status st = path ? wfi_raws_read(path, &f, &all, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_settle_rows(t, &all, NULL, all.count, true, out, err);
    wfi_raws_clear(&all);
    wfi_free(path);
    return st;
}

wf_status wfi_task_open(const char *dir, wf_task **out, wf_err *err) {
    wf_task *t = wfi_alloc(1, sizeof *t);
    char *path = wfi_path_join(dir, "task.json");
    json_t *j = NULL;
    wf_status st = t && path ? wfi_json_read(path, 64 << 20, &j, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = head_open(t, j, path, err);
    if (st == WF_OK) {
        wf_rows *const parts[] = {&t->train, &t->dev, &t->test};
        for (int p = 0; st == WF_OK && p < 3; p++) st = part_open(t, dir, part_files[p], parts[p], err);
    }
    json_decref(j);
    wfi_free(path);
    if (st != WF_OK)
        wfi_task_free(t);
    else
        *out = t;
    return st;
}
