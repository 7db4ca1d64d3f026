/* lab/own.c - see own.h. Equal scores keep the own adapter: it costs less than a fusion. */
#include "lab/own.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "metrics/significance.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RESAMPLES = 2000 };
static const double CERTAIN = 0.05;

/* ---- finding or training it ---- */

static double towards(const char *metric, double score) {
    return wfi_metric_lower_is_better(metric) ? -score : score;
}

static bool adapter_there(wf_lab *lab, const wf_record *r) {
    char relative[256];
    snprintf(relative, sizeof relative, "%.200s/adapter", r->path);
    char *dir = wfi_lab_path(lab, relative);
    const bool there = dir && wfi_dir_exists(dir);
    wfi_free(dir);
    return there;
}

static bool text_is(const json_t *info, const char *key, const char *want) {
    const char *is = json_string_value(json_object_get(info, key));
    return is && strcmp(is, want) == 0;
}

/* The best of the lab's own adapters of this task on dev; found->name stays empty when there is none. What an earlier
 * fuse kept under another name is a copy of one of them. */
static wf_status own_find(const wf_job *job, const wf_open_base *base, int64_t rows, wf_own *found, wf_err *err) {
    const char *metric = job->task->metric;
    wf_record *records = NULL;
    size_t count = 0;
    double best = -INFINITY;
    WF_TRY(wfi_registry_list(job->lab->registry, "model", &records, &count, err));
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        json_t *info = NULL;
        st = wfi_lab_record_json(&records[i], &info, err);
        if (st != WF_OK) break;
        const json_t *score = json_object_get(json_object_get(info, "dev"), metric);
        if (text_is(info, "task_hash", job->task_record->hash) && text_is(info, "base_hash", base->hash) &&
            json_integer_value(json_object_get(info, "train_rows")) == rows && !json_object_get(info, "benefit") &&
            json_is_number(score) && towards(metric, json_number_value(score)) > best &&
            adapter_there(job->lab, &records[i])) {
            best = towards(metric, json_number_value(score));
            *found = (wf_own){.reused = true};
            snprintf(found->name, sizeof found->name, "%.64s", records[i].name);
        }
        json_decref(info);
    }
    wfi_records_free(records, count);
    return st;
}

static bool name_taken(wf_lab *lab, const char *name) {
    wf_record r = {0};
    const bool taken = wfi_registry_get(lab->registry, "model", name, &r, NULL) == WF_OK;
    wfi_record_clear(&r);
    return taken;
}

/* TASK-METHOD as train would call it, else NAME-own, NAME-own2, ... */
static void own_name(const wf_job *job, const char *method, char out[65]) {
    const int stem = (int)strcspn(method, "[{");
    snprintf(out, 65, "%.40s-%.*s", job->task->name, stem > 20 ? 20 : stem, method);
    for (int i = 1; (name_taken(job->lab, out) || strcmp(out, job->name) == 0) && i < 1000; i++)
        snprintf(out, 65, i > 1 ? "%.50s-own%d" : "%.50s-own", job->name, i);
}

/* The fusion's settings, with the method of the first fused adapter and that method's own learning rate. */
static wf_status own_spec(const wf_job *job, const json_t *spec, json_t **out, wf_err *err) {
    const char *first = json_string_value(json_array_get(job->settings->from, 0));
    json_t *info = NULL, *defaults = NULL, *j = NULL;
    wf_record r = {0};
    WF_TRY(wfi_registry_get(job->lab->registry, "model", first, &r, err));
    wf_status st = wfi_lab_record_json(&r, &info, err);
    const char *method = json_string_value(json_object_get(info, "method"));
    if (st == WF_OK)
        st = wfi_settings_resolve(&(wf_train_spec){.task = job->task->name, .method = method}, &defaults, err);
    if (st == WF_OK && !(j = json_deep_copy(spec))) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    static const char *const keys[] = {"method",          "lr", "from", "config", "train_adapters", "keep_fusion",
                                       "stochastic_depth"};
    for (size_t i = 0; st == WF_OK && i < sizeof keys / sizeof *keys; i++)
        json_object_set(j, keys[i], json_object_get(defaults, keys[i]));
    json_decref(defaults);
    json_decref(info);
    wfi_record_clear(&r);
    if (st != WF_OK)
        json_decref(j);
    else
        *out = j;
    return st;
}

static wf_status own_train(const wf_job *fusion, const json_t *spec, const char *checkpoint, const char *name,
                           wf_err *err) {
    wf_settings s;
    wf_trained t = {0};
    json_t *result = NULL, *own = json_deep_copy(spec);
    if (!own) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    json_object_set_new(own, "name", json_string(name));
    wf_status st = wfi_settings_read(own, &s, err);
    wf_job job = *fusion;
    job.settings = &s;
    job.name = name;
    job.checkpoint = checkpoint;
    job.stage = "train own adapter";
    if (st == WF_OK) st = wfi_job_run(&job, &t, &result, err);
    if (st == WF_OK) {
        json_object_set(result, "settings", own);
        st = wfi_trained_save(job.lab, &t, &s, job.task_record, result, err);
    }
    if (st == WF_OK && checkpoint) remove(checkpoint);
    json_decref(result);
    json_decref(own);
    wfi_trained_clear(&t);
    return st;
}

/* The choice stands in the run's folder, so that a resumed run goes on with it. */
static wf_status choice_read(const char *file, wf_own *out, wf_err *err) {
    json_t *j = NULL;
    *out = (wf_own){0};
    if (!wfi_file_exists(file)) return WF_OK;
    WF_TRY(wfi_json_read(file, 1 << 16, &j, err));
    const char *name = json_string_value(json_object_get(j, "name"));
    snprintf(out->name, sizeof out->name, "%.64s", name ? name : "");
    out->reused = json_is_true(json_object_get(j, "reused"));
    json_decref(j);
    return WF_OK;
}

static wf_status choice_write(const char *file, const wf_own *own, wf_err *err) {
    json_t *j = json_pack("{s:s, s:b}", "name", own->name, "reused", own->reused);
    wf_status st = j ? wfi_json_write(file, j, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    json_decref(j);
    return st;
}

wf_status wfi_own_ready(const wf_job *job, const json_t *spec, const char *checkpoint, wf_own *out, wf_err *err) {
    wf_open_base *base = NULL;
    json_t *own = NULL;
    const int64_t rows = job->settings->rows ? job->settings->rows : (int64_t)job->task->train.count;
    WF_TRY(wfi_lab_base(job->lab, job->settings->base, job->settings->base_dtype, &base, err));
    char *file = wfi_path_join(job->folder, "own.json");
    wf_status st = file ? choice_read(file, out, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && !*out->name) {
        st = own_find(job, base, rows, out, err);
        if (st == WF_OK && !*out->name) {
            st = own_spec(job, spec, &own, err);
            if (st == WF_OK) own_name(job, json_string_value(json_object_get(own, "method")), out->name);
        }
        if (st == WF_OK) st = choice_write(file, out, err);
    }
    if (st == WF_OK && !name_taken(job->lab, out->name)) {
        if (!own) st = own_spec(job, spec, &own, err);
        if (st == WF_OK) st = own_train(job, own, checkpoint, out->name, err);
    } else if (st == WF_OK && out->reused) {
        wfi_lab_message(job->lab, "note", "%s: the fusion is measured against \"%s\", the task's own adapter",
                        job->task->name, out->name);
    }
    json_decref(own);
    wfi_free(file);
    return st;
}

/* ---- the better one ---- */

typedef struct side {
    wf_encoded e;
    wf_outputs o;
    wf_predictions p;
    double *target;
} side;

static wf_status side_make(wf_trained *t, const wf_task *task, side *s, wf_err *err) {
    WF_TRY(wfi_job_encode(t, &task->dev, task, &s->e, err));
    WF_TRY(wfi_evaluate_outputs(t->context, &s->e, t->classes, &s->o, err));
    return wfi_outputs_judged(t->context, &s->e, &s->o, &s->p, &s->target, err);
}

static void side_clear(side *s) {
    wfi_free(s->target);
    wfi_outputs_clear(&s->o);
    wfi_encoded_clear(&s->e);
}

static json_t *part_of(const json_t *info, const char *const *keys, size_t count) {
    json_t *j = json_object();
    for (size_t i = 0; i < count; i++)
        if (json_object_get(info, keys[i])) json_object_set(j, keys[i], json_object_get(info, keys[i]));
    return j;
}

static json_t *real_json(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

/* One sentence for people, the log and the record. */
static void verdict_say(const wf_own *own, const char *metric, const wf_paired_test *d, bool helps, char *out,
                        size_t size) {
    const bool certain = d->p < CERTAIN;
    snprintf(out, size,
             "%s: dev %s %.4f against %.4f of the task's own adapter \"%s\" (difference %+.4f, 95 %% interval "
             "[%+.4f, %+.4f], p %.3g%s); %s",
             !helps    ? "fusion does not help here"
             : certain ? "fusion helps here"
                       : "fusion may help here",
             metric, d->a, d->b, own->name, d->difference, d->low, d->high, d->p,
             certain ? "" : ": within what chance gives", helps ? "the fusion is kept" : "the own adapter is kept");
}

static json_t *benefit_make(const wf_own *own, const json_t *own_info, const json_t *fusion, const char *metric,
                            size_t rows, const wf_paired_test *d, bool helps, const char *verdict) {
    static const char *const own_keys[] = {"method", "dev", "test", "trainable_params"},
                             *const keys[] = {"from",   "dev",          "test",     "trainable_params", "steps",
                                              "tokens", "wall_seconds", "settings", "best_epoch"};
    json_t *mine = part_of(own_info, own_keys, sizeof own_keys / sizeof *own_keys),
           *its = part_of(fusion, keys, sizeof keys / sizeof *keys), *j = json_object();
    json_object_set_new(mine, "name", json_string(own->name));
    json_object_set_new(mine, "reused", json_boolean(own->reused));
    json_object_set_new(j, "kept", json_string(helps ? "fusion" : "own"));
    json_object_set_new(j, "helps", json_boolean(helps));
    json_object_set_new(j, "certain", json_boolean(d->p < CERTAIN));
    json_object_set_new(j, "metric", json_string(metric));
    json_object_set_new(j, "rows", json_integer((json_int_t)rows));
    json_object_set_new(j, "own", mine);
    json_object_set_new(j, "fusion", its);
    json_object_set_new(j, "difference",
                        json_pack("{s:o, s:o, s:o, s:o}", "value", real_json(d->difference), "low", real_json(d->low),
                                  "high", real_json(d->high), "p", real_json(d->p)));
    json_object_set_new(j, "verdict", json_string(verdict));
    return j;
}

/* *t becomes the own adapter under the job's name; *result what is known of it. */
static wf_status own_take(const wf_job *job, const wf_own *own, wf_trained *opened, wf_trained *t, json_t **result,
                          wf_err *err) {
    char *name = wfi_strdup(job->name), *parent = wfi_strdup(own->name);
    json_t *info = json_deep_copy(opened->info);
    if (!name || !parent || !info) {
        wfi_free(name);
        wfi_free(parent);
        json_decref(info);
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    static const char *const stale[] = {"files", "hash", "created"};
    for (size_t i = 0; i < 3; i++) json_object_del(info, stale[i]);
    json_object_set_new(info, "name", json_string(name));
    json_decref(*result);
    *result = info;
    wfi_trained_clear(t);
    *t = *opened;
    *opened = (wf_trained){0};
    wfi_free(t->name);
    t->name = name;
    t->parent = parent;
    return WF_OK;
}

static void log_line(const wf_job *job, const char *text) {
    FILE *f = job->log ? fopen(job->log, "a") : NULL;
    if (!f) return;
    fprintf(f, "%s\n", text);
    fclose(f);
}

wf_status wfi_own_judge(const wf_job *job, const wf_own *own, wf_trained *t, json_t **result, wf_err *err) {
    static const double one = 1;
    const char *metric = job->task->metric;
    wf_trained opened = {0};
    side a = {0}, b = {0};
    wf_paired_test d;
    WF_TRY(wfi_trained_open(job->lab, own->name, &opened, err));
    wf_status st = side_make(t, job->task, &a, err);
    if (st == WF_OK) st = side_make(&opened, job->task, &b, err);
    const wf_paired_sets sets = {.a = &a.p, .b = &b.p, .weight = &one, .count = 1, .seeds = 1};
    if (st == WF_OK) st = wfi_paired_bootstrap(&sets, metric, RESAMPLES, job->settings->seed, &d, err);
    if (st == WF_OK) {
        char verdict[512];
        /* A score that is not defined (a correlation of constant answers) does not beat one that is. */
        const bool helps = isnan(d.b) ? !isnan(d.a) : towards(metric, d.a) > towards(metric, d.b);
        verdict_say(own, metric, &d, helps, verdict, sizeof verdict);
        json_t *benefit = benefit_make(own, opened.info, *result, metric, job->task->dev.count, &d, helps, verdict);
        if (!helps) st = own_take(job, own, &opened, t, result, err);
        if (st == WF_OK && !benefit) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        if (st == WF_OK) {
            json_object_set_new(*result, "benefit", benefit);
            wfi_lab_message(job->lab, "note", "%s", verdict);
            log_line(job, verdict);
        } else {
            json_decref(benefit);
        }
    }
    side_clear(&a);
    side_clear(&b);
    wfi_trained_clear(&opened);
    return st;
}
