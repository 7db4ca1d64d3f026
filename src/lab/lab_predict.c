/* lab/lab_predict.c - several stored models on the same texts. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/heads.h"
#include "lab/job.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BATCH = 64 };

struct wf_predictor {
    wf_lab *lab;
    wf_trained *models;
    wf_task *tasks;  /* [count] kind, labels and names of fields only, for reading and encoding rows */
    wf_pairs *pairs; /* [count] */
    size_t count;
};

void wf_predictor_close(wf_predictor *p) {
    if (!p) return;
    for (size_t i = 0; i < p->count; i++) {
        wfi_task_fields_clear(&p->tasks[i]);
        wfi_trained_clear(&p->models[i]);
    }
    wfi_free(p->models);
    wfi_free(p->tasks);
    wfi_free(p->pairs);
    wfi_free(p);
}

/* The names asked for, or all of the lab, with each head of what has several. */
static wf_status names_find(wf_lab *lab, const char *const *names, size_t count, json_t *list, wf_err *err) {
    wf_record *records = NULL;
    size_t all = 0;
    if (count == 0) WF_TRY(wfi_registry_list(lab->registry, "model", &records, &all, err));
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < (count ? count : all); i++)
        st = wfi_model_spread(lab, count ? names[i] : records[i].name, list, err);
    wfi_records_free(records, all);
    if (st == WF_OK && json_array_size(list) == 0)
        st = wfi_fail(err, WF_E_NOTFOUND, "this lab has no trained model yet; see: weft train --help");
    return st;
}

wf_status wf_predictor_open(wf_lab *lab, const char *const *names, size_t count, wf_predictor **out, wf_err *err) {
    json_t *list = json_array();
    wf_status st = list ? names_find(lab, names, count, list, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_predictor *p = NULL;
    count = json_array_size(list);
    if (st == WF_OK && (p = wfi_alloc(1, sizeof *p))) {
        p->lab = lab;
        p->models = wfi_alloc(count, sizeof *p->models);
        p->tasks = wfi_alloc(count, sizeof *p->tasks);
        p->pairs = wfi_alloc(count, sizeof *p->pairs);
    }
    if (st == WF_OK && (!p || !p->models || !p->tasks || !p->pairs)) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        st = wfi_trained_open_asked(lab, name, &p->models[i], err);
        if (st != WF_OK) break;
        p->count = i + 1;
        p->tasks[i] = (wf_task){.name = p->models[i].name,
                                .kind = p->models[i].kind,
                                .labels = p->models[i].head->labels,
                                .label_count = p->models[i].classes};
        /* a file's columns are called as in the file the task was read from */
        st = wfi_model_pairs(lab, p->models[i].info, &p->pairs[i], &p->tasks[i], err);
        p->tasks[i].has_pair = p->pairs[i] == WF_PAIRS_YES;
    }
    json_decref(list);
    if (st != WF_OK)
        wf_predictor_close(p);
    else
        *out = p;
    return st;
}

static json_t *row_result(const wf_trained *t, const float *scores) {
    char **labels = t->head->labels;
    if (t->kind == WF_KIND_REGRESSION) return json_pack("{s:f}", "value", (double)scores[0]);
    json_t *probs = json_object(), *chosen = json_array();
    int32_t best = 0;
    for (int32_t c = 0; c < t->classes; c++) {
        if (!isfinite(scores[c])) continue; /* behind the last choice */
        char number[16];
        snprintf(number, sizeof number, "%d", c);
        const char *label = labels ? labels[c] : number;
        const double p = t->kind == WF_KIND_MULTILABEL ? 1.0 / (1.0 + exp(-(double)scores[c])) : (double)scores[c];
        json_object_set_new(probs, label, json_real(p));
        if (scores[c] > scores[best]) best = c;
        if (scores[c] > 0) json_array_append_new(chosen, json_string(label));
    }
    if (t->kind == WF_KIND_MULTILABEL) return json_pack("{s:o, s:o}", "labels", chosen, "probs", probs);
    json_decref(chosen);
    char number[16];
    snprintf(number, sizeof number, "%d", best);
    return json_pack("{s:s, s:o}", "label", labels ? labels[best] : number, "probs", probs);
}

static wf_status pairs_check(const wf_task *task, wf_pairs of, const wf_rows *rows, wf_err *err) {
    if (task->kind == WF_KIND_MULTIPLE_CHOICE) return WF_OK;
    for (size_t i = 0; i < rows->count; i++) WF_TRY(wfi_pairs_check(task->name, of, rows->rows[i].pair != NULL, err));
    return WF_OK;
}

/* Adds each model's result to outputs[i]["results"]. */
static wf_status rows_run(wf_predictor *p, const wf_rows *rows, json_t *outputs, wf_err *err) {
    wf_status st = WF_OK;
    for (size_t m = 0; st == WF_OK && m < p->count; m++) {
        wf_trained *t = &p->models[m];
        wf_encoded e = {0};
        wf_outputs o = {0};
        const int32_t learned = t->classes;
        wf_task task = p->tasks[m];
        for (size_t i = 0; i < rows->count; i++)
            if (task.kind == WF_KIND_MULTIPLE_CHOICE && rows->rows[i].choice_count > t->classes)
                t->classes = rows->rows[i].choice_count;
        st = pairs_check(&task, p->pairs[m], rows, err);
        if (st == WF_OK) st = wfi_encode(t->base->tokenizer, rows, &task, (size_t)t->max_length, &e, err);
        if (st == WF_OK) st = wfi_evaluate_outputs(t->context, &e, t->classes, &o, err);
        for (size_t i = 0; st == WF_OK && i < rows->count; i++)
            json_object_set_new(json_object_get(json_array_get(outputs, i), "results"), t->name,
                                row_result(t, o.scores + i * (size_t)t->classes));
        t->classes = learned;
        wfi_outputs_clear(&o);
        wfi_encoded_clear(&e);
    }
    return st;
}

static wf_status outputs_make(wf_predictor *p, const wf_rows *rows, json_t **out, wf_err *err) {
    json_t *outputs = json_array();
    for (size_t i = 0; i < rows->count; i++) {
        json_t *row = json_pack("{s:s, s:{}}", "text", rows->rows[i].text, "results");
        if (!row) {
            json_decref(outputs);
            return wfi_fail_at(err, WF_E_DATA, "text", rows->rows[i].line, "row %lld: text is not valid UTF-8",
                               (long long)rows->rows[i].line);
        }
        if (rows->rows[i].pair) json_object_set_new(row, "text_pair", json_string(rows->rows[i].pair));
        json_array_append_new(outputs, row);
    }
    wf_status st = rows_run(p, rows, outputs, err);
    if (st != WF_OK)
        json_decref(outputs);
    else
        *out = outputs;
    return st;
}

wf_status wf_predictor_run(wf_predictor *p, const char *const *texts, const char *const *pairs, size_t n, char **json,
                           wf_err *err) {
    wf_row *rows = wfi_alloc(n, sizeof *rows);
    json_t *outputs = NULL;
    if (!rows) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        rows[i] = (wf_row){.text = texts[i], .pair = pairs ? pairs[i] : NULL, .label = -1, .line = (int64_t)i + 1};
    const wf_rows view = {.rows = rows, .count = n};
    wf_status st = WF_OK;
    for (size_t m = 0; st == WF_OK && m < p->count; m++)
        if (p->models[m].kind == WF_KIND_MULTIPLE_CHOICE)
            st = wfi_fail(err, WF_E_ARG,
                          "\"%s\" chooses among answers; give rows with \"choices\" in a JSONL file (--input)",
                          p->models[m].name);
    if (st == WF_OK) st = outputs_make(p, &view, &outputs, err);
    wfi_free(rows);
    return st == WF_OK ? wfi_lab_give(json_pack("{s:o}", "rows", outputs), json, err) : st;
}

static wf_status lines_read(const char *path, char **memory, wf_rows *out, wf_err *err) {
    size_t size = 0, lines = 1;
    WF_TRY(wfi_file_read(path, (size_t)1 << 30, memory, &size, err));
    for (size_t i = 0; i < size; i++) lines += (*memory)[i] == '\n';
    out->rows = wfi_alloc(lines, sizeof *out->rows);
    if (!out->rows) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    int64_t line = 0;
    for (char *at = *memory, *next; at && at < *memory + size; at = next) {
        next = memchr(at, '\n', (size_t)(*memory + size - at));
        if (next) *next++ = 0;
        const size_t n = strlen(at), bytes = next ? (size_t)(next - 1 - at) : (size_t)(*memory + size - at);
        line++;
        if (n != bytes)
            return wfi_fail_at(err, WF_E_DATA, "text", line, "%s:%lld: a text with a NUL byte", path, (long long)line);
        if (n && at[n - 1] == '\r') at[n - 1] = 0;
        out->rows[out->count++] = (wf_row){.text = at, .label = -1, .line = line}; /* an empty line is an empty text */
    }
    return WF_OK;
}

static bool has_table_extension(const char *path) {
    static const char *const known[] = {".jsonl", ".json", ".csv", ".tsv"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++)
        if (strcmp(dot, known[i]) == 0) return true;
    return false;
}

wf_status wfi_texts_read(const char *path, const wf_task *task, wf_texts *out, wf_err *err) {
    *out = (wf_texts){.table = has_table_extension(path)};
    return out->table ? wfi_rows_read(path, task, NULL, false, &out->rows, err)
                      : lines_read(path, &out->memory, &out->rows, err);
}

void wfi_texts_clear(wf_texts *t) {
    if (t->table)
        wfi_rows_clear(&t->rows);
    else
        wfi_free(t->rows.rows);
    wfi_free(t->memory);
    *t = (wf_texts){0};
}

wf_status wf_predictor_file(wf_predictor *p, const char *path, wf_line_fn emit, void *user, wf_err *err) {
    wf_texts texts = {0};
    wf_status st = wfi_texts_read(path, &p->tasks[0], &texts, err);
    const wf_rows rows = texts.rows;
    for (size_t i = 0; st == WF_OK && i < rows.count; i += FILE_BATCH) {
        const wf_rows some = {.rows = rows.rows + i,
                              .count = rows.count - i < FILE_BATCH ? rows.count - i : FILE_BATCH};
        json_t *outputs = NULL;
        st = outputs_make(p, &some, &outputs, err);
        if (st == WF_E_DATA) st = wfi_fail_in(err, st, "%s", path);
        for (size_t k = 0; st == WF_OK && k < some.count; k++) {
            char *line = wfi_json_text(json_array_get(outputs, k), false);
            if (!line)
                st = wfi_fail(err, WF_E_NOMEM, "out of memory");
            else if (emit(line, user))
                st = wfi_fail(err, WF_E_CANCELLED, "cancelled");
            wfi_free(line);
        }
        json_decref(outputs);
    }
    wfi_texts_clear(&texts);
    return st;
}
