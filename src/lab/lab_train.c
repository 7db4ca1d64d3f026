/* lab/lab_train.c - runs that train one thing: begin, train, store; and resuming them. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/compare.h"
#include "lab/heads.h"
#include "lab/joint.h"
#include "lab/one_class.h"
#include "lab/own.h"
#include "lab/precision.h"
#include "lab/rank.h"
#include <stdio.h>
#include <string.h>

char *wfi_run_path(wf_lab *lab, int64_t run, const char *file) {
    char relative[96];
    snprintf(relative, sizeof relative, "runs/%lld/%s", (long long)run, file);
    return wfi_lab_path(lab, relative);
}

wf_status wfi_run_folder(wf_lab *lab, int64_t run, wf_err *err) {
    char *dir = wfi_run_path(lab, run, ""), **names = NULL;
    size_t count = 0;
    wf_status st = dir ? wfi_dir_make(dir, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_dir_list(dir, &names, &count, err);
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        if (!strstr(names[i], ".tmp-")) continue;
        char *path = wfi_path_join(dir, names[i]);
        st = path ? wfi_tree_remove(path, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
        wfi_free(path);
    }
    wfi_names_free(names, count);
    wfi_free(dir);
    return st;
}

void wfi_default_name(const char *task, const char *method, char out[65]) {
    snprintf(out, 65, "%.40s-%.*s", task, (int)(strcspn(method, "[{") > 20 ? 20 : strcspn(method, "[{")), method);
}

wf_status wfi_name_free_check(wf_lab *lab, const char *name, int64_t run, wf_err *err) {
    wf_record r = {0};
    WF_TRY(wfi_lab_name_check("model", name, err));
    if (wfi_registry_get(lab->registry, "model", name, &r, NULL) != WF_OK)
        return wfi_run_name_check(lab->registry, name, run, err);
    wfi_record_clear(&r);
    return wfi_fail(err, WF_E_EXISTS, "\"%s\" is in this lab already; choose another --name or: weft rm %s", name,
                    name);
}

void wfi_probes_drop(json_t *info) {
    json_t *heads = wfi_model_heads(info), *one;
    const char *task;
    json_object_del(info, "probe");
    json_object_foreach(heads, task, one) json_object_del(one, "probe");
}

wf_status wfi_result_give(json_t *j, int64_t run, char **json, wf_err *err) {
    wfi_probes_drop(j);
    json_object_del(j, "files");
    json_object_set_new(j, "run", json_integer(run));
    return wfi_lab_give(j, json, err);
}

/* Whether the fusion has to show that it beats the task's own adapter. */
static bool measures_own(wf_lab *lab, const wf_settings *s, const wf_task *task) {
    if (s->kind != WF_METHOD_FUSION || s->keep_fusion) return false;
    if (task->dev.count) return true;
    wfi_lab_message(lab, "warning", "%s has no dev rows: whether the fusion helps cannot be measured, it is kept",
                    task->name);
    return false;
}

static wf_status own_ready(const wf_job *job, const json_t *spec, int64_t run, wf_own *own, wf_err *err) {
    wf_trained sound = {0}; /* what cannot be fused is refused before another training begins */
    WF_TRY(wfi_trained_new(job->lab, job->settings, job->name, job->task, &sound, err));
    wfi_trained_clear(&sound);
    char *checkpoint = wfi_run_path(job->lab, run, "checkpoint-own");
    wf_status st =
        checkpoint ? wfi_own_ready(job, spec, checkpoint, own, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(checkpoint);
    return st;
}

static wf_status train_store(wf_lab *lab, const json_t *spec, int64_t run, char **json, wf_err *err) {
    wf_settings s;
    wf_task *task = NULL;
    wf_record record = {0};
    wf_trained t = {0};
    json_t *result = NULL;
    WF_TRY(wfi_settings_read(spec, &s, err));
    WF_TRY(wfi_lab_task(lab, s.task, &task, &record, err));
    char *checkpoint = wfi_run_path(lab, run, "checkpoint"), *log = wfi_run_path(lab, run, "log.txt"),
         *folder = wfi_run_path(lab, run, "");
    const wf_job job = {.lab = lab,
                        .settings = &s,
                        .name = s.name,
                        .task = task,
                        .task_record = &record,
                        .checkpoint = checkpoint,
                        .folder = folder,
                        .log = log,
                        .stage = s.kind == WF_METHOD_FUSION ? "fuse" : "train"};
    wf_status st =
        checkpoint && log && folder ? wfi_run_folder(lab, run, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    const bool measured = measures_own(lab, &s, task);
    wf_own own = {0};
    if (st == WF_OK && measured) st = own_ready(&job, spec, run, &own, err);
    if (st == WF_OK) st = wfi_job_run(&job, &t, &result, err);
    if (st == WF_OK) json_object_set(result, "settings", (json_t *)spec);
    if (st == WF_OK && measured) st = wfi_own_judge(&job, &own, &t, &result, err);
    if (st == WF_OK) wfi_one_class_warn(lab, result);
    if (st == WF_OK) st = wfi_trained_save(lab, &t, &s, &record, result, err);
    if (st == WF_OK) {
        remove(checkpoint);
        st = wfi_result_give(json_incref(result), run, json, err);
    }
    json_decref(result);
    wfi_trained_clear(&t);
    wfi_free(checkpoint);
    wfi_free(log);
    wfi_free(folder);
    wfi_record_clear(&record);
    wfi_task_free(task);
    return st;
}

/* Ends the run's record by how the work ended. */
wf_status wfi_run_close(wf_lab *lab, int64_t run, wf_status st, const char *result, wf_err *err) {
    if (st == WF_OK) return wfi_run_end(lab->registry, run, "done", result ? result : "", err);
    wfi_run_end(lab->registry, run, st == WF_E_CANCELLED ? "cancelled" : "failed", err ? err->text : "", NULL);
    if (st == WF_E_CANCELLED && err) {
        char text[sizeof err->text];
        snprintf(text, sizeof text, "%.400s; go on with: weft resume %lld", err->text, (long long)run);
        memcpy(err->text, text, sizeof text);
    }
    return st;
}

static wf_status train_run(wf_lab *lab, const json_t *spec, int64_t run, char **json, wf_err *err) {
    char *text = NULL;
    wf_status st = json_object_get(spec, "joint") ? wfi_joint_store(lab, spec, run, &text, err)
                                                  : train_store(lab, spec, run, &text, err);
    st = wfi_run_close(lab, run, st, text, err);
    if (st == WF_OK && json)
        *json = text;
    else
        wfi_free(text);
    return st;
}

/* What is fused, by name; "from_asked" keeps how it was asked for when that was "auto". */
static wf_status sources_choose(wf_lab *lab, const wf_train_spec *spec, json_t *settings, wf_err *err) {
    wf_rank_wish wish = {.task = spec->task, .base = spec->base};
    if (spec->rows > 0) { /* the choice sees no row that the training may not */
        wish.rows = spec->rows < WF_RANK_ROWS ? spec->rows : WF_RANK_ROWS;
        wish.seed = spec->seed;
    }
    json_t *names = NULL;
    WF_TRY(wfi_rank_choose(lab, &wish, spec->from, spec->from_count, &names, err));
    if (!json_equal(names, json_object_get(settings, "from")))
        json_object_set(settings, "from_asked", json_object_get(settings, "from"));
    json_object_set_new(settings, "from", names);
    return WF_OK;
}

/* In one transaction, so that of two that want one name the second is refused before it trains for nothing. */
static wf_status run_reserve(wf_lab *lab, const char *command, const char *name, const char *spec, int64_t *run,
                             wf_err *err) {
    WF_TRY(wfi_registry_begin(lab->registry, err));
    wf_status st = wfi_name_free_check(lab, name, 0, err);
    if (st == WF_OK) st = wfi_run_begin(lab->registry, command, name, spec, run, err);
    if (st == WF_OK) st = wfi_registry_commit(lab->registry, err);
    if (st != WF_OK) wfi_registry_rollback(lab->registry);
    return st;
}

/* A comparison is named by its task and makes no model. */
static wf_status run_retake(wf_lab *lab, const wf_run *run, wf_err *err) {
    WF_TRY(wfi_registry_begin(lab->registry, err));
    wf_status st = strcmp(run->command, "compare") == 0 ? WF_OK : wfi_name_free_check(lab, run->name, run->id, err);
    if (st == WF_OK) st = wfi_run_claim(lab->registry, run->id, err);
    if (st == WF_OK) st = wfi_registry_commit(lab->registry, err);
    if (st != WF_OK) wfi_registry_rollback(lab->registry);
    return st;
}

wf_status wfi_run_train(wf_lab *lab, const char *command, const char *name, const wf_open_base *base, wf_dtype type,
                        json_t *settings, char **json, wf_err *err) {
    json_object_set_new(settings, "base", json_string(base->name));
    json_object_set_new(settings, "base_dtype", json_string(wfi_precision_name(type)));
    json_object_set_new(settings, "threads", json_integer(lab->threads));
    char *text = wfi_json_text(settings, false);
    int64_t run = 0;
    wf_status st = text ? run_reserve(lab, command, name, text, &run, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = train_run(lab, settings, run, json, err);
    wfi_free(text);
    return st;
}

/* The base of the first adapter that is named: no other can be meant. "" where none is; what is wrong is said later. */
static void sources_base(wf_lab *lab, const wf_train_spec *spec, char out[65]) {
    *out = 0;
    for (size_t i = 0; i < spec->from_count && !*out; i++) {
        wf_record r = {0};
        json_t *info = NULL;
        if (wfi_registry_get(lab->registry, "model", spec->from[i], &r, NULL) == WF_OK &&
            wfi_lab_record_json(&r, &info, NULL) == WF_OK) {
            const char *base = json_string_value(json_object_get(info, "base"));
            snprintf(out, 65, "%.64s", base ? base : "");
        }
        json_decref(info);
        wfi_record_clear(&r);
    }
}

wf_status wf_train(wf_lab *lab, const wf_train_spec *given, char **json, wf_err *err) {
    json_t *j = NULL;
    char name[65], base_name[65] = "";
    wf_train_spec filled = *given, *spec = &filled;
    if (!spec->base) sources_base(lab, spec, base_name);
    if (*base_name) spec->base = base_name;
    WF_TRY(wfi_settings_resolve(spec, &j, err));
    if (spec->name)
        snprintf(name, sizeof name, "%.64s", spec->name);
    else
        wfi_default_name(spec->task, spec->method ? spec->method : "seq_bn", name);
    json_object_set_new(j, "name", json_string(name));
    wf_record record = {0};
    wf_open_base *base = NULL;
    wf_dtype type = WF_DTYPE_F32;
    wf_status st = wfi_name_free_check(lab, spec->name ? spec->name : name, 0, err);
    if (st == WF_OK) st = wfi_registry_get(lab->registry, "task", spec->task, &record, err);
    if (st == WF_OK) st = wfi_lab_base(lab, spec->base, WF_DTYPE_F32, &base, err);
    if (st == WF_OK) st = wfi_job_length_check(lab, base, &record, spec->max_length, err);
    if (st == WF_OK) st = wfi_precision_settle_for(lab, base, j, &type, err);
    if (st == WF_OK) st = sources_choose(lab, spec, j, err);
    if (st == WF_OK) st = wfi_run_train(lab, spec->from_count ? "fuse" : "train", name, base, type, j, json, err);
    wfi_record_clear(&record);
    json_decref(j);
    return st;
}

/* The same bits need the same number of threads. */
static void threads_as_before(wf_lab *lab, const json_t *spec) {
    const int threads = (int)json_integer_value(json_object_get(spec, "threads"));
    if (threads < 1 || threads == lab->threads) return;
    wfi_lab_message(lab, "note", "this run began with %d threads and goes on with them", threads);
    wf_lab_threads(lab, threads);
}

wf_status wf_resume(wf_lab *lab, int64_t id, char **json, wf_err *err) {
    wf_run run = {0};
    json_t *spec = NULL;
    WF_TRY(wfi_run_get(lab->registry, id, &run, err));
    wf_status st = WF_OK;
    if (strcmp(run.status, "done") == 0)
        st = wfi_fail(err, WF_E_ARG, "run %lld is done; nothing to resume", (long long)id);
    if (st == WF_OK && (strncmp(run.command, "study", 5) == 0 || strcmp(run.command, "rank") == 0))
        st = wfi_fail(err, WF_E_ARG, "run %lld keeps nothing to go on from; start it again: weft %s", (long long)id,
                      run.command);
    if (st == WF_OK) st = wfi_json_parse(run.spec, strlen(run.spec), "run settings", &spec, err);
    if (st == WF_OK) st = run_retake(lab, &run, err);
    const int threads = lab->threads;
    if (st == WF_OK) threads_as_before(lab, spec);
    if (st == WF_OK)
        st = strcmp(run.command, "compare") == 0 ? wfi_compare_run(lab, spec, id, json, err)
                                                 : train_run(lab, spec, id, json, err);
    wf_lab_threads(lab, threads);
    json_decref(spec);
    wfi_run_clear(&run);
    return st;
}
