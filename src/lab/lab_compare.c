/* lab/lab_compare.c - several methods over sizes and seeds on one task; every finished cell is kept, so a broken run
 * goes on. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/compare.h"
#include "lab/job.h"
#include "lab/precision.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct cell {
    const char *method;
    int64_t rows;
    int64_t seed;
} cell;

/* "fusion:A,B" or "fuse:A,B[@config]" to method and names; anything else is a method as it is. */
static wf_status method_split(const char *text, json_t *spec, wf_err *err) {
    const char *names = strncmp(text, "fusion:", 7) == 0 ? text + 7 : strncmp(text, "fuse:", 5) == 0 ? text + 5 : NULL;
    json_t *from = json_array();
    if (!from) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    json_object_set_new(spec, "from", from);
    if (!names) {
        json_object_set_new(spec, "method", json_string(text));
        return WF_OK;
    }
    json_object_set_new(spec, "method", json_string("fusion"));
    const char *at = strchr(names, '@');
    const size_t end = at ? (size_t)(at - names) : strlen(names);
    for (size_t i = 0; i < end;) {
        const size_t n = strcspn(names + i, ",@");
        if (n == 0) return wfi_fail(err, WF_E_ARG, "\"%s\": an adapter's name is missing", text);
        json_array_append_new(from, json_stringn(names + i, n));
        i += n + 1;
    }
    json_object_set_new(spec, "config", json_string(at ? at + 1 : "dynamic"));
    return WF_OK;
}

/* The settings of one cell: the common ones, with the method's own defaults where the user gave none. */
static wf_status cell_spec(const json_t *common, const cell *c, const char *task, const char *base, json_t **out,
                           wf_err *err) {
    json_t *j = json_deep_copy(common), *method = json_object();
    wf_status st = j && method ? method_split(c->method, method, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    const char *from[64];
    wf_train_spec s = {.task = task,
                       .base = base,
                       .rows = c->rows,
                       .seed = (uint64_t)c->seed,
                       .base_dtype = "f32"}; /* settled in common, unless older */
    if (st == WF_OK) {
        const json_t *names = json_object_get(method, "from");
        if (json_array_size(names) > 64) st = wfi_fail(err, WF_E_ARG, "at most 64 adapters can be fused");
        for (size_t i = 0; st == WF_OK && i < json_array_size(names); i++)
            from[s.from_count++] = json_string_value(json_array_get(names, i));
        s.from = from;
        s.method = json_string_value(json_object_get(method, "method"));
        s.config = json_string_value(json_object_get(method, "config"));
        json_t *defaults = NULL;
        if (st == WF_OK) st = wfi_settings_resolve(&s, &defaults, err);
        if (st == WF_OK) json_object_update_missing(j, defaults);
        for (size_t i = 0; st == WF_OK && i < 7; i++) { /* what the cell fixes */
            static const char *const keys[] = {"task", "method", "from", "config", "rows", "seed", "base"};
            json_object_set(j, keys[i], json_object_get(defaults, keys[i]));
        }
        json_decref(defaults);
    }
    json_decref(method);
    if (st != WF_OK)
        json_decref(j);
    else
        *out = j;
    return st;
}

static wf_status cell_run(wf_lab *lab, const json_t *spec, const cell *c, const wf_task *task, const wf_record *record,
                          const char *stage, const char *folder, const char *log, json_t **out, wf_err *err) {
    json_t *settings = NULL;
    wf_settings s;
    wf_trained t = {0};
    char name[65];
    WF_TRY(cell_spec(json_object_get(spec, "train"), c, task->name, json_string_value(json_object_get(spec, "base")),
                     &settings, err));
    wf_status st = wfi_settings_read(settings, &s, err);
    snprintf(name, sizeof name, "%.48s-compared", task->name);
    const wf_job job = {.lab = lab,
                        .settings = &s,
                        .name = name,
                        .task = task,
                        .task_record = record,
                        .stage = stage,
                        .folder = folder,
                        .log = log,
                        .part = true};
    if (st == WF_OK) st = wfi_job_run(&job, &t, out, err);
    wfi_trained_clear(&t);
    json_decref(settings);
    if (st == WF_OK) {
        json_object_set_new(*out, "method", json_string(c->method));
        json_object_set(*out, "metrics", json_object_get(*out, "test"));
    }
    return st;
}

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

/* Mean and standard deviation (n - 1) of every metric over the seeds of one (method, rows). */
static void summary_add(json_t *summary, const json_t *rows, const char *method, int64_t asked) {
    json_t *sums = json_object(), *mean = json_object(), *sd = json_object();
    size_t i, n = 0;
    json_t *row, *value;
    const char *key;
    double wall = 0, params = 0, train_rows = 0;
    json_array_foreach(rows, i, row) {
        if (strcmp(json_string_value(json_object_get(row, "method")), method) != 0 ||
            json_integer_value(json_object_get(row, "asked_rows")) != asked)
            continue;
        n++;
        wall += json_number_value(json_object_get(row, "wall_seconds"));
        params = json_number_value(json_object_get(row, "trainable_params"));
        train_rows = json_number_value(json_object_get(row, "train_rows"));
        json_object_foreach(json_object_get(row, "metrics"), key, value) {
            json_t *list = json_object_get(sums, key);
            if (!list) json_object_set_new(sums, key, list = json_array());
            json_array_append(list, value);
        }
    }
    json_object_foreach(sums, key, value) {
        double m = 0, v = 0;
        const size_t k = json_array_size(value);
        for (i = 0; i < k; i++) m += json_number_value(json_array_get(value, i)) / (double)k;
        for (i = 0; i < k; i++) v += pow(json_number_value(json_array_get(value, i)) - m, 2);
        json_object_set_new(mean, key, json_real(m));
        json_object_set_new(sd, key, k > 1 ? json_real(sqrt(v / (double)(k - 1))) : json_null());
    }
    json_decref(sums);
    json_array_append_new(summary, json_pack("{s:s, s:I, s:I, s:o, s:o, s:f, s:I}", "method", method, "train_rows",
                                             (json_int_t)train_rows, "seeds", (json_int_t)n, "mean", mean, "sd", sd,
                                             "wall_seconds", n ? wall / (double)n : 0.0, "trainable_params",
                                             (json_int_t)params));
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

static wf_status cells_run(wf_lab *lab, const json_t *spec, const char *folder, const char *file, const char *log,
                           json_t *done, json_t *summary, wf_err *err) {
    const json_t *methods = json_object_get(spec, "methods"), *sizes = json_object_get(spec, "rows");
    const int64_t seeds = json_integer_value(json_object_get(spec, "seeds"));
    wf_task *task = NULL;
    wf_record record = {0};
    wf_status st = wfi_lab_task(lab, json_string_value(json_object_get(spec, "task")), &task, &record, err);
    const size_t total = json_array_size(methods) * json_array_size(sizes) * (size_t)seeds;
    size_t at = 0;
    for (size_t r = 0; st == WF_OK && r < json_array_size(sizes); r++)
        for (int64_t seed = 0; st == WF_OK && seed < seeds; seed++)
            for (size_t m = 0; st == WF_OK && m < json_array_size(methods); m++) {
                const cell c = {.method = json_string_value(json_array_get(methods, m)),
                                .rows = json_integer_value(json_array_get(sizes, r)),
                                .seed = seed};
                char stage[96];
                json_t *row = NULL;
                snprintf(stage, sizeof stage, "%zu/%zu %.40s", ++at, total, c.method);
                if (cell_find(done, &c)) continue;
                st = cell_run(lab, spec, &c, task, &record, stage, folder, log, &row, err);
                if (st != WF_OK) break;
                json_object_set_new(row, "asked_rows", json_integer(c.rows));
                json_array_append_new(done, row);
                st = wfi_json_write(file, done, err);
                if (st == WF_OK && cell_tell(lab, stage, &c, task->metric, row))
                    st = wfi_fail(err, WF_E_CANCELLED, "cancelled after %zu of %zu trainings", at, total);
            }
    for (size_t r = 0; st == WF_OK && r < json_array_size(sizes); r++)
        for (size_t m = 0; m < json_array_size(methods); m++)
            summary_add(summary, done, json_string_value(json_array_get(methods, m)),
                        json_integer_value(json_array_get(sizes, r)));
    wfi_record_clear(&record);
    wfi_task_free(task);
    return st;
}

static wf_status compare_store(wf_lab *lab, const json_t *spec, int64_t run, char **json, wf_err *err) {
    json_t *done = NULL, *summary = json_array();
    char *file = wfi_run_path(lab, run, "cells.json"), *log = wfi_run_path(lab, run, "log.txt"),
         *folder = wfi_run_path(lab, run, "");
    wf_status st =
        file && log && folder && summary ? wfi_run_folder(lab, run, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && wfi_file_exists(file)) st = wfi_json_read(file, (size_t)1 << 28, &done, err);
    if (st == WF_OK && !done) done = json_array();
    if (st == WF_OK) st = cells_run(lab, spec, folder, file, log, done, summary, err);
    if (st == WF_OK)
        st = wfi_lab_give(json_pack("{s:O, s:I, s:O, s:O}", "task", json_object_get(spec, "task"), "run",
                                    (json_int_t)run, "rows", done, "summary", summary),
                          json, err);
    json_decref(done);
    json_decref(summary);
    wfi_free(file);
    wfi_free(log);
    wfi_free(folder);
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
static wf_status twice_check(const wf_compare_spec *s, wf_err *err) {
    json_t *seen = json_array(), *one = NULL;
    wf_status st = seen ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < s->method_count; i++) {
        if (!(one = json_object())) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        if (st == WF_OK) st = method_split(s->methods[i], one, err);
        for (size_t k = 0; st == WF_OK && k < i; k++)
            if (json_equal(one, json_array_get(seen, k)))
                st = strcmp(s->methods[i], s->methods[k]) == 0
                         ? wfi_fail(err, WF_E_ARG, "method \"%.80s\" stands twice", s->methods[i])
                         : wfi_fail(err, WF_E_ARG, "methods \"%.80s\" and \"%.80s\" are the same", s->methods[k],
                                    s->methods[i]);
        json_array_append_new(seen, one);
    }
    json_decref(seen);
    for (size_t i = 0; st == WF_OK && i < s->rows_count; i++)
        for (size_t k = 0; st == WF_OK && k < i; k++)
            if (s->rows[i] == s->rows[k])
                st = wfi_fail(err, WF_E_ARG, "--rows %lld stands twice", (long long)s->rows[i]);
    return st;
}

/* Everything that could go wrong is looked at before hours of training begin. */
static wf_status compare_check(wf_lab *lab, const wf_compare_spec *s, const json_t *common, const wf_open_base *base,
                               wf_err *err) {
    wf_task *task = NULL;
    wf_record record = {0};
    WF_TRY(wfi_lab_task(lab, s->task, &task, &record, err));
    wf_status st = wfi_job_length_check(lab, base, &record, s->train.max_length, err);
    if (st == WF_OK) st = twice_check(s, err);
    if (st == WF_OK && s->method_count == 0)
        st = wfi_fail(err, WF_E_ARG, "which methods? e.g. --methods head,seq_bn,fuse:A,B");
    for (size_t i = 0; st == WF_OK && i < s->rows_count; i++)
        if (s->rows[i] < 1 || (size_t)s->rows[i] > task->train.count)
            st = wfi_fail(err, WF_E_ARG, "task \"%s\" has %zu training rows; --rows %lld is not possible", s->task,
                          task->train.count, (long long)s->rows[i]);
    for (size_t i = 0; st == WF_OK && i < s->method_count; i++) {
        const cell c = {.method = s->methods[i]};
        json_t *j = NULL;
        st = cell_spec(common, &c, s->task, s->base, &j, err);
        const json_t *from = st == WF_OK ? json_object_get(j, "from") : NULL;
        for (size_t k = 0; st == WF_OK && k < json_array_size(from); k++) {
            wf_record r = {0};
            st = wfi_registry_get(lab->registry, "model", json_string_value(json_array_get(from, k)), &r, err);
            wfi_record_clear(&r);
        }
        json_decref(j);
    }
    wfi_record_clear(&record);
    wfi_task_free(task);
    return st;
}

wf_status wf_compare(wf_lab *lab, const wf_compare_spec *s, char **json, wf_err *err) {
    json_t *common = common_make(&s->train), *methods = json_array(), *rows = json_array();
    wf_open_base *base = NULL;
    wf_status st = wfi_lab_base(lab, s->base, WF_DTYPE_F32, &base, err);
    if (st == WF_OK) st = compare_check(lab, s, common, base, err);
    wf_dtype type = WF_DTYPE_F32;
    if (st == WF_OK) st = wfi_precision_settle(lab, base, s->train.base_dtype, &type, err);
    json_object_set_new(common, "base_dtype",
                        json_string(wfi_precision_name(type))); /* one for all; method full reads it as f32 */
    for (size_t i = 0; i < s->method_count; i++) json_array_append_new(methods, json_string(s->methods[i]));
    for (size_t i = 0; i < s->rows_count; i++) json_array_append_new(rows, json_integer(s->rows[i]));
    if (s->rows_count == 0) json_array_append_new(rows, json_integer(0));
    json_t *spec = st == WF_OK ? json_pack("{s:s, s:s, s:O, s:O, s:i, s:O, s:i}", "task", s->task, "base", base->name,
                                           "methods", methods, "rows", rows, "seeds", s->seeds > 0 ? s->seeds : 3,
                                           "train", common, "threads", lab->threads)
                               : NULL;
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
    return st;
}
