/* lab/lab_compare.c - several methods over sizes and seeds on one task; every finished cell is kept, so a broken run
 * goes on. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/compare.h"
#include "lab/compare_part.h"
#include "lab/job.h"
#include "lab/precision.h"
#include "lab/rank.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct cell {
    const char *method;
    int64_t rows;
    int64_t seed;
} cell;

static json_t *cell_find(const json_t *rows, const cell *c) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        const char *method = json_string_value(json_object_get(row, "method"));
        if (method && strcmp(method, c->method) == 0 &&
            json_integer_value(json_object_get(row, "asked_rows")) == c->rows &&
            json_integer_value(json_object_get(row, "seed")) == c->seed)
            return row;
    }
    return NULL;
}

/* A line for people when a cell is done. Nonzero: cancel. */
static int cell_tell(wf_lab *lab, const char *stage, const cell *c, const char *metric, const json_t *row) {
    char note[160], name[64], rows[32] = "all";
    if (c->rows) snprintf(rows, sizeof rows, "%lld", (long long)c->rows);
    snprintf(name, sizeof name, "(%s rows, seed %lld)", rows, (long long)c->seed);
    snprintf(note, sizeof note, "test %s %.4f in %.1f s", metric,
             json_number_value(json_object_get(json_object_get(row, "metrics"), metric)),
             json_number_value(json_object_get(row, "wall_seconds")));
    const wf_progress p = {
        .stage = stage, .name = name, .loss = NAN, .seconds_left = -1, .rate_unit = "", .note = note};
    return wfi_lab_tick(lab, &p, true);
}

typedef struct course { /* of one comparison */
    wf_lab *lab;
    const json_t *spec;
    const char *folder, *file, *log;
    wf_tuning tuning;
    wf_task *task;
    wf_record record;
    json_t *done; /* rows */
    size_t at, total;
} course;

static wf_status cell_do(course *k, size_t method, size_t size, int64_t seed, wf_err *err) {
    const cell c = {.method = json_string_value(json_array_get(json_object_get(k->spec, "methods"), method)),
                    .rows = json_integer_value(json_array_get(json_object_get(k->spec, "rows"), size)),
                    .seed = seed};
    char stage[96];
    json_t *row = NULL;
    wf_compare_method m;
    snprintf(stage, sizeof stage, "%zu/%zu %.40s", ++k->at, k->total, c.method);
    if (cell_find(k->done, &c)) return WF_OK;
    WF_TRY(wfi_compare_method(c.method, &m, err));
    char *outputs = wfi_cell_outputs(k->folder, method, size, seed);
    const wf_cell work = {.lab = k->lab,
                          .method = &m,
                          .rows = c.rows,
                          .seed = seed,
                          .among = json_object_get(k->spec, "candidates"),
                          .common = json_object_get(k->spec, "train"),
                          .tuning = k->tuning.rates ? &k->tuning : NULL,
                          .base = json_string_value(json_object_get(k->spec, "base")),
                          .task = k->task,
                          .record = &k->record,
                          .stage = stage,
                          .folder = k->folder,
                          .log = k->log,
                          .outputs = outputs};
    wf_status st = outputs ? wfi_cell_run(&work, &row, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(outputs);
    wfi_compare_method_clear(&m);
    WF_TRY(st);
    json_object_set_new(row, "asked_rows", json_integer(c.rows));
    json_array_append_new(k->done, row);
    WF_TRY(wfi_json_write(k->file, k->done, err));
    return cell_tell(k->lab, stage, &c, k->task->metric, row)
               ? wfi_fail(err, WF_E_CANCELLED, "cancelled after %zu of %zu trainings", k->at, k->total)
               : WF_OK;
}

static wf_status cells_run(course *k, wf_err *err) {
    const size_t methods = json_array_size(json_object_get(k->spec, "methods")),
                 sizes = json_array_size(json_object_get(k->spec, "rows"));
    const int64_t seeds = json_integer_value(json_object_get(k->spec, "seeds"));
    k->total = methods * sizes * (size_t)seeds;
    for (size_t r = 0; r < sizes; r++)
        for (int64_t seed = 0; seed < seeds; seed++)
            for (size_t m = 0; m < methods; m++) WF_TRY(cell_do(k, m, r, seed, err));
    return WF_OK;
}

static wf_status trials_open(course *k, wf_err *err) {
    if (!k->tuning.rates) return WF_OK;
    if (wfi_file_exists(k->tuning.file)) return wfi_json_read(k->tuning.file, (size_t)1 << 28, &k->tuning.trials, err);
    return (k->tuning.trials = json_array()) ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

static wf_status compare_store(wf_lab *lab, const json_t *spec, int64_t run, char **json, wf_err *err) {
    char *file = wfi_run_path(lab, run, "cells.json"), *log = wfi_run_path(lab, run, "log.txt"),
         *folder = wfi_run_path(lab, run, ""), *rates = wfi_run_path(lab, run, "rates.json");
    course k = {.lab = lab,
                .spec = spec,
                .folder = folder,
                .file = file,
                .log = log,
                .tuning = {.rates = json_object_get(spec, "tune_lr"), .file = rates}};
    json_t *tests = NULL;
    wf_status st =
        file && log && folder && rates ? wfi_run_folder(lab, run, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_lab_task(lab, json_string_value(json_object_get(spec, "task")), &k.task, &k.record, err);
    if (st == WF_OK && wfi_file_exists(file)) st = wfi_json_read(file, (size_t)1 << 28, &k.done, err);
    if (st == WF_OK && !k.done) k.done = json_array();
    if (st == WF_OK) st = trials_open(&k, err);
    if (st == WF_OK) st = cells_run(&k, err);
    if (st == WF_OK) wfi_compare_gap_warn(lab, spec, k.task, k.done);
    if (st == WF_OK) st = wfi_compare_tests(spec, k.task, folder, &tests, err);
    if (st == WF_OK)
        st = wfi_lab_give(json_pack("{s:O, s:I, s:O, s:o, s:o, s:o}", "task", json_object_get(spec, "task"), "run",
                                    (json_int_t)run, "rows", k.done, "summary",
                                    wfi_compare_summary(spec, k.done, k.tuning.trials), "tests", tests, "tuning",
                                    wfi_compare_tuning(k.tuning.trials, k.task)),
                          json, err);
    json_decref(k.done);
    json_decref(k.tuning.trials);
    wfi_record_clear(&k.record);
    wfi_task_free(k.task);
    wfi_free(file);
    wfi_free(log);
    wfi_free(folder);
    wfi_free(rates);
    return st;
}

wf_status wfi_compare_run(wf_lab *lab, const json_t *spec, int64_t run, char **json, wf_err *err) {
    char *text = NULL;
    wf_status st = compare_store(lab, spec, run, &text, err);
    st = wfi_run_close(lab, run, st, text, err);
    if (st == WF_OK && json)
        *json = text;
    else
        wfi_free(text);
    return st;
}

/* Only what the user set: everything else is each method's own default. */
static json_t *common_make(const wf_train_spec *s) {
    json_t *j = json_object();
    const struct {
        const char *key;
        double value;
        bool set;
    } reals[] = {{"epochs", s->epochs, s->epochs > 0},
                 {"lr", s->lr, s->lr > 0},
                 {"weight_decay", s->weight_decay, s->weight_decay > 0},
                 {"warmup", s->warmup < 0 ? 0 : s->warmup, s->warmup != 0},
                 {"max_grad_norm", s->max_grad_norm < 0 ? 0 : s->max_grad_norm, s->max_grad_norm != 0},
                 {"label_smoothing", s->label_smoothing, s->label_smoothing > 0},
                 {"head_dropout", s->head_dropout < 0 ? 0 : s->head_dropout, s->head_dropout != 0},
                 {"stochastic_depth", s->stochastic_depth, s->stochastic_depth > 0},
                 {"mixout", s->mixout, s->mixout > 0},
                 {"rdrop", s->rdrop, s->rdrop > 0},
                 {"focal", s->focal, s->focal > 0},
                 {"average", s->average < 0 ? 0 : s->average, s->average != 0},
                 {"base_dropout", s->base_dropout < 0 ? 0.0 : 1.0, s->base_dropout != 0}};
    const struct {
        const char *key;
        int64_t value;
    } whole[] = {{"steps", s->steps},           {"batch_tokens", s->batch_tokens}, {"batch_rows", s->batch_rows},
                 {"accumulate", s->accumulate}, {"max_length", s->max_length},     {"head_layers", s->head_layers},
                 {"patience", s->patience},     {"cache_memory", s->cache_memory}};
    const struct {
        const char *key, *value;
    } words[] = {{"schedule", s->schedule},
                 {"pooling", s->pooling},
                 {"class_weights", s->class_weights},
                 {"class_sampling", s->class_sampling}};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (reals[i].set) json_object_set_new(j, reals[i].key, json_real(reals[i].value));
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (whole[i].value) json_object_set_new(j, whole[i].key, json_integer(whole[i].value));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].value) json_object_set_new(j, words[i].key, json_string(words[i].value));
    return j;
}

/* The same training twice would only cost time, and count double in the summary. */
static wf_status twice_check(const wf_compare_spec *s, const wf_compare_method *m, wf_err *err) {
    for (size_t i = 0; i < s->method_count; i++)
        for (size_t k = 0; k < i; k++)
            if (wfi_compare_methods_same(&m[i], &m[k]))
                return strcmp(s->methods[i], s->methods[k]) == 0
                           ? wfi_fail(err, WF_E_ARG, "method \"%.80s\" stands twice", s->methods[i])
                           : wfi_fail(err, WF_E_ARG, "methods \"%.80s\" and \"%.80s\" are the same", s->methods[k],
                                      s->methods[i]);
    for (size_t i = 0; i < s->rows_count; i++)
        for (size_t k = 0; k < i; k++)
            if (s->rows[i] == s->rows[k])
                return wfi_fail(err, WF_E_ARG, "--rows %lld stands twice", (long long)s->rows[i]);
    return WF_OK;
}

/* A plain method's own words, and what the others name. */
static wf_status method_check(wf_lab *lab, const wf_compare_spec *s, const wf_compare_method *m, const json_t *common,
                              const wf_open_base *base, wf_err *err) {
    static const char *const methods[] = {NULL, "fusion", "fusion", "mean", "mean", "mean", NULL, "full"};
    const wf_cell c = {.common = common, .base = s->base};
    const char *method = m->kind == WF_COMPARE_PLAIN   ? m->plain
                         : m->kind == WF_COMPARE_JOINT ? (m->at ? m->at : "seq_bn")
                                                       : methods[m->kind];
    const bool fuses = m->kind == WF_COMPARE_FUSE || m->kind == WF_COMPARE_MTFUSE;
    json_t *j = NULL;
    if (m->kind == WF_COMPARE_JOINT && (strncmp(method, "head", 4) == 0 || strncmp(method, "full", 4) == 0))
        return wfi_fail(err, WF_E_ARG,
                        "\"%.80s\": behind the @ stands an adapter method; for the whole base: multihead:", m->text);
    WF_TRY(wfi_cell_settings(&c, method, m->names, fuses && m->at ? m->at : NULL, &j, err));
    json_decref(j);
    return wfi_compare_method_check(lab, m, s->task, s->train.max_length, base, err);
}

/* What "auto" may choose from is settled now: adapters that come later, before a broken run goes on, change nothing. */
static wf_status candidates_find(wf_lab *lab, const wf_compare_spec *s, const wf_compare_method *m,
                                 const wf_open_base *base, json_t **out, wf_err *err) {
    bool chooses = false;
    for (size_t i = 0; i < s->method_count; i++) chooses = chooses || m[i].chooses;
    if (!chooses) return WF_OK;
    WF_TRY(wfi_rank_candidates(lab, s->task, base->hash, out, err));
    return json_array_size(*out) ? WF_OK
                                 : wfi_fail(err, WF_E_NOTFOUND,
                                            "auto: there is no adapter of another task than \"%s\" to choose from; "
                                            "train some first: weft train TASK",
                                            s->task);
}

static wf_status methods_check(wf_lab *lab, const wf_compare_spec *s, const json_t *common, const wf_open_base *base,
                               json_t **candidates, wf_err *err) {
    if (s->method_count == 0) return wfi_fail(err, WF_E_ARG, "which methods? e.g. --methods head,seq_bn,fuse:A,B");
    wf_compare_method *m = wfi_alloc(s->method_count, sizeof *m);
    wf_status st = m ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < s->method_count; i++) st = wfi_compare_method(s->methods[i], &m[i], err);
    if (st == WF_OK) st = twice_check(s, m, err);
    for (size_t i = 0; st == WF_OK && i < s->method_count; i++) st = method_check(lab, s, &m[i], common, base, err);
    if (st == WF_OK) st = candidates_find(lab, s, m, base, candidates, err);
    for (size_t i = 0; m && i < s->method_count; i++) wfi_compare_method_clear(&m[i]);
    wfi_free(m);
    return st;
}

static wf_status rates_check(const wf_compare_spec *s, const wf_task *task, wf_err *err) {
    if (s->tune_lr_count == 0) return WF_OK;
    if (s->tune_lr_count == 1)
        return wfi_fail(err, WF_E_ARG, "one learning rate leaves nothing to choose; give two or more, or --lr");
    if (s->train.lr > 0)
        return wfi_fail(err, WF_E_ARG,
                        "one learning rate for all (--lr) and rates to choose from (--tune-lr) exclude "
                        "each other");
    if (task->dev.count == 0)
        return wfi_fail(err, WF_E_ARG, "learning rates are chosen on dev; task \"%s\" has no dev rows", task->name);
    for (size_t i = 0; i < s->tune_lr_count; i++) {
        if (!(s->tune_lr[i] > 0 && s->tune_lr[i] <= 10))
            return wfi_fail(err, WF_E_ARG, "learning rate %g to choose from: it must be above 0 and at most 10",
                            s->tune_lr[i]);
        for (size_t k = 0; k < i; k++)
            if (s->tune_lr[k] >= s->tune_lr[i] && s->tune_lr[k] <= s->tune_lr[i])
                return wfi_fail(err, WF_E_ARG, "learning rate %g stands twice among those to choose from",
                                s->tune_lr[i]);
    }
    return WF_OK;
}

/* Everything that could go wrong is looked at before hours of training begin. */
static wf_status compare_check(wf_lab *lab, const wf_compare_spec *s, const json_t *common, const wf_open_base *base,
                               json_t **candidates, wf_err *err) {
    wf_task *task = NULL;
    wf_record record = {0};
    WF_TRY(wfi_lab_task(lab, s->task, &task, &record, err));
    wf_status st = wfi_job_length_check(lab, base, &record, s->train.max_length, err);
    if (st == WF_OK) st = rates_check(s, task, err);
    if (st == WF_OK) st = methods_check(lab, s, common, base, candidates, err);
    for (size_t i = 0; st == WF_OK && i < s->rows_count; i++)
        if (s->rows[i] < 1 || (size_t)s->rows[i] > task->train.count)
            st = wfi_fail(err, WF_E_ARG, "task \"%s\" has %zu training rows; --rows %lld is not possible", s->task,
                          task->train.count, (long long)s->rows[i]);
    wfi_record_clear(&record);
    wfi_task_free(task);
    return st;
}

static json_t *rates_json(const wf_compare_spec *s) {
    json_t *all = json_array();
    for (size_t i = 0; i < s->tune_lr_count; i++) json_array_append_new(all, json_real(s->tune_lr[i]));
    return all;
}

static bool trains_base(const wf_compare_spec *s) {
    for (size_t i = 0; i < s->method_count; i++)
        if (strncmp(s->methods[i], "full", 4) == 0 || strncmp(s->methods[i], "multihead", 9) == 0) return true;
    return false;
}

/* One type for all, and one for a base that is trained itself: that has no int8, and is as fast as it can be then. */
static wf_status types_settle(wf_lab *lab, const wf_compare_spec *s, const wf_open_base *base, json_t *common,
                              wf_err *err) {
    const char *word = s->train.base_dtype;
    wf_dtype type = WF_DTYPE_F32, trained = WF_DTYPE_F32;
    WF_TRY(wfi_precision_settle(lab, base, word, false, &type, err));
    WF_TRY(wfi_precision_settle(lab, base, word, true, &trained, err));
    if (word && strcmp(word, "int8") == 0 && trains_base(s))
        wfi_lab_message(lab, "note", "a base that is trained itself (full, multihead) has no int8; it is in %s",
                        wfi_precision_name(trained));
    json_object_set_new(common, "base_dtype", json_string(wfi_precision_name(type)));
    json_object_set_new(common, "trained_base_dtype", json_string(wfi_precision_name(trained)));
    return WF_OK;
}

wf_status wf_compare(wf_lab *lab, const wf_compare_spec *s, char **json, wf_err *err) {
    json_t *common = common_make(&s->train), *methods = json_array(), *rows = json_array(), *candidates = NULL;
    wf_open_base *base = NULL;
    wf_status st = wfi_lab_base(lab, s->base, WF_DTYPE_F32, &base, err);
    if (st == WF_OK) st = compare_check(lab, s, common, base, &candidates, err);
    if (st == WF_OK) st = types_settle(lab, s, base, common, err);
    for (size_t i = 0; i < s->method_count; i++) json_array_append_new(methods, json_string(s->methods[i]));
    for (size_t i = 0; i < s->rows_count; i++) json_array_append_new(rows, json_integer(s->rows[i]));
    if (s->rows_count == 0) json_array_append_new(rows, json_integer(0));
    json_t *spec = st == WF_OK ? json_pack("{s:s, s:s, s:O, s:O, s:i, s:O, s:i}", "task", s->task, "base", base->name,
                                           "methods", methods, "rows", rows, "seeds", s->seeds > 0 ? s->seeds : 3,
                                           "train", common, "threads", lab->threads)
                               : NULL;
    if (candidates) json_object_set(spec, "candidates", candidates);
    if (spec && s->tune_lr_count) json_object_set_new(spec, "tune_lr", rates_json(s));
    char *text = spec ? wfi_json_text(spec, false) : NULL;
    int64_t run = 0;
    if (st == WF_OK)
        st = text ? wfi_run_begin(lab->registry, "compare", s->task, text, &run, err)
                  : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_compare_run(lab, spec, run, json, err);
    wfi_free(text);
    json_decref(spec);
    json_decref(common);
    json_decref(methods);
    json_decref(rows);
    json_decref(candidates);
    return st;
}
