/* lab/lab_list.c - looking around and tidying: list, inspect, rm, log. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/aside.h"
#include "lab/compare.h"
#include "lab/heads.h"
#include "lab/job.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static wf_status kind_list(wf_lab *lab, const char *kind, json_t **out, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0;
    WF_TRY(wfi_registry_list(lab->registry, kind, &records, &count, err));
    json_t *all = json_array();
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        static const char *const bulky[] = {"files", "settings"};
        json_t *j = NULL;
        st = wfi_lab_record_json(&records[i], &j, err);
        if (st == WF_OK) wfi_probes_drop(j);
        for (size_t k = 0; st == WF_OK && k < 2; k++) json_object_del(j, bulky[k]);
        if (st == WF_OK) json_array_append_new(all, j);
    }
    wfi_records_free(records, count);
    if (st != WF_OK)
        json_decref(all);
    else
        *out = all;
    return st;
}

static json_t *run_json(const wf_run *r) {
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "run", (json_int_t)r->id, "command", r->command, "name", r->name,
                     "status", r->status, "started", r->started ? r->started : "", "finished",
                     r->finished ? r->finished : "");
}

wf_status wf_list(wf_lab *lab, char **json, wf_err *err) {
    json_t *bases = NULL, *tasks = NULL, *models = NULL, *all_runs = json_array();
    wf_run *runs = NULL;
    size_t count = 0;
    wf_status st = kind_list(lab, "base", &bases, err);
    if (st == WF_OK) st = kind_list(lab, "task", &tasks, err);
    if (st == WF_OK) st = kind_list(lab, "model", &models, err);
    if (st == WF_OK) st = wfi_run_list(lab->registry, &runs, &count, err);
    for (size_t i = 0; st == WF_OK && i < count; i++) json_array_append_new(all_runs, run_json(&runs[i]));
    wfi_runs_free(runs, count);
    if (st == WF_OK)
        st = wfi_lab_give(
            json_pack("{s:O, s:O, s:O, s:O}", "bases", bases, "tasks", tasks, "models", models, "runs", all_runs), json,
            err);
    json_decref(bases);
    json_decref(tasks);
    json_decref(models);
    json_decref(all_runs);
    return st;
}

/* Where a fusion looks: mean attention per block and adapter on the task's dev rows, with entropy. */
static wf_status attention_add(wf_lab *lab, wf_trained *t, json_t *info, wf_err *err) {
    wf_task *task = NULL;
    wf_encoded e = {0};
    wf_outputs o = {0};
    WF_TRY(wfi_lab_task(lab, json_string_value(json_object_get(t->info, "task")), &task, NULL, err));
    wf_status st = wfi_fusion_watch_on(t->fusion, err);
    if (st == WF_OK) st = wfi_job_encode(t, task->dev.count ? &task->dev : &task->train, task, &e, err);
    if (st == WF_OK) st = wfi_evaluate_outputs(t->context, &e, t->classes, &o, err);
    json_t *blocks = json_array();
    const wf_fusion_watch *w = t->fusion->watch;
    for (size_t b = 0; st == WF_OK && b < w->blocks; b++) {
        int layer = 0;
        wf_site site = WF_SITE_FFN_OUT;
        json_t *weights = json_object();
        wfi_fusion_block_at(t->fusion, b, &layer, &site);
        for (size_t i = 0; i < w->adapters; i++)
            json_object_set_new(weights, t->fused[i]->name, json_real(w->sum[b * w->adapters + i] / (double)w->tokens));
        json_array_append_new(blocks, json_pack("{s:i, s:s, s:o, s:f}", "layer", layer, "site", wfi_site_name(site),
                                                "weights", weights, "entropy", w->entropy[b] / (double)w->tokens));
    }
    json_object_set_new(info, "attention", blocks);
    wfi_fusion_watch_off(t->fusion);
    wfi_outputs_clear(&o);
    wfi_encoded_clear(&e);
    wfi_task_free(task);
    return st;
}

static wf_status relatives_add(wf_lab *lab, const wf_record *r, json_t *info, wf_err *err) {
    typedef wf_status (*relatives_fn)(wf_registry *, int64_t, wf_record **, size_t *, wf_err *);
    const struct {
        const char *key;
        relatives_fn fn;
    } both[] = {{"parents", wfi_registry_parents}, {"children", wfi_registry_children}};
    for (int k = 0; k < 2; k++) {
        wf_record *records = NULL;
        size_t count = 0;
        WF_TRY(both[k].fn(lab->registry, r->id, &records, &count, err));
        json_t *all = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "kind", records[i].kind, "name", records[i].name,
                                                 "hash", records[i].hash));
        json_object_set_new(info, both[k].key, all);
        wfi_records_free(records, count);
    }
    return WF_OK;
}

/* The object that NAME or KIND:NAME means. A model is often called like its task: of several objects of one name the
 * first of models, tasks and bases; *others is then "task:NAME", or "". */
enum { OTHERS_BYTES = 160 };
static wf_status record_find(wf_lab *lab, const char *name, wf_record *out, char others[OTHERS_BYTES], wf_err *err) {
    static const char *const kinds[] = {"model", "task", "base"};
    wf_record found = {0};
    *others = 0;
    if (!name) return wfi_fail(err, WF_E_ARG, "which one? see: weft list");
    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(kinds[i]), at = strlen(others);
        wf_record r = {0};
        if (strncmp(name, kinds[i], n) == 0 && name[n] == ':')
            return wfi_registry_get(lab->registry, kinds[i], name + n + 1, out, err);
        if (wfi_registry_get(lab->registry, kinds[i], name, &r, NULL) != WF_OK) continue;
        if (!found.name) {
            found = r;
            continue;
        }
        snprintf(others + at, OTHERS_BYTES - at, "%s%s:%.64s", at ? " or " : "", kinds[i], name);
        wfi_record_clear(&r);
    }
    if (!found.name)
        return wfi_fail(err, WF_E_NOTFOUND, "there is nothing named \"%.64s\" in this lab; see: weft list", name);
    *out = found;
    return WF_OK;
}

wf_status wf_inspect(wf_lab *lab, const char *name, char **json, wf_err *err) {
    wf_record r = {0};
    json_t *info = NULL;
    wf_trained t = {0};
    char others[OTHERS_BYTES];
    WF_TRY(record_find(lab, name, &r, others, err));
    if (*others) wfi_lab_message(lab, "note", "this is the %s; there is also %s", r.kind, others);
    wf_status st = wfi_lab_record_json(&r, &info, err);
    if (st == WF_OK) st = relatives_add(lab, &r, info, err);
    if (st == WF_OK && strcmp(r.kind, "model") == 0) {
        json_t *names = json_array(); /* of several heads the first will do */
        st = names ? wfi_model_spread(lab, r.name, names, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
        if (st == WF_OK) st = wfi_trained_open(lab, json_string_value(json_array_get(names, 0)), &t, err);
        json_decref(names);
        if (st == WF_OK && t.adapter) json_object_set(info, "config", t.adapter->config);
        if (st == WF_OK && t.fusion) {
            json_object_set(info, "config", t.fusion->config);
            st = attention_add(lab, &t, info, err);
        }
    }
    wfi_trained_clear(&t);
    if (st == WF_OK) {
        wfi_probes_drop(info);
        json_object_set_new(info, "kind_of_object", json_string(r.kind));
        st = wfi_lab_give(json_incref(info), json, err);
    }
    json_decref(info);
    wfi_record_clear(&r);
    return st;
}

wf_status wf_remove(wf_lab *lab, const char *name, char **json, wf_err *err) {
    wf_record r = {0};
    char others[OTHERS_BYTES];
    WF_TRY(record_find(lab, name, &r, others, err));
    wf_status st = *others ? wfi_fail(err, WF_E_ARG, "several are named \"%.64s\"; say which: %s:%.64s or %s", name,
                                      r.kind, name, others)
                           : wfi_registry_remove(lab->registry, r.kind, r.name, err);
    if (st == WF_OK && *r.path) st = wfi_aside_remove(lab, r.path, err);
    if (st == WF_OK) st = wfi_lab_give(json_pack("{s:s, s:s}", "removed", r.name, "kind", r.kind), json, err);
    wfi_record_clear(&r);
    return st;
}

/* A line a score of what eval found. */
static void scores_say(const json_t *result, json_t *lines) {
    const char *name;
    json_t *one;
    json_object_foreach(json_object_get(result, "metrics"), name, one) {
        const json_t *value = json_object_get(one, "value"), *low = json_object_get(one, "low"),
                     *high = json_object_get(one, "high");
        if (json_is_number(value) && json_is_number(low) && json_is_number(high))
            json_array_append_new(lines, json_sprintf("%s on %s: %s %.4f, 95 %% interval %.4f to %.4f",
                                                      json_string_value(json_object_get(result, "task")),
                                                      json_string_value(json_object_get(result, "split")), name,
                                                      json_number_value(value), json_number_value(low),
                                                      json_number_value(high)));
    }
}

wf_status wf_log(wf_lab *lab, int64_t id, char **json, wf_err *err) {
    wf_run run = {0};
    WF_TRY(wfi_run_get(lab->registry, id, &run, err));
    json_t *j = run_json(&run), *lines = json_array();
    char *path = wfi_run_path(lab, id, "log.txt"), *text = NULL;
    size_t size = 0;
    wf_status st = WF_OK;
    const bool silent = strncmp(run.command, "study", 5) == 0 || strcmp(run.command, "eval") == 0; /* say nothing */
    if (path && run.finished && !silent && !wfi_file_exists(path))
        wfi_lab_message(lab, "warning", "what run %lld said is gone: there is no %s", (long long)id, path);
    if (path && wfi_file_exists(path)) st = wfi_file_read(path, (size_t)1 << 26, &text, &size, err);
    for (char *at = text, *next; st == WF_OK && at && *at; at = next) {
        next = strchr(at, '\n');
        if (next) *next++ = 0;
        json_array_append_new(lines, json_string(at));
    }
    json_object_set_new(j, "lines", lines);
    json_t *spec = json_loads(run.spec ? run.spec : "", 0, NULL);
    if (spec) json_object_set_new(j, "settings", spec);
    json_t *result =
        json_loads(run.result ? run.result : "", 0, NULL); /* of a finished run; else its result is a text or nothing */
    if (result) json_object_set_new(j, "result", result);
    if (strcmp(run.command, "eval") == 0) scores_say(result, lines);
    wfi_free(text);
    wfi_free(path);
    wfi_run_clear(&run);
    if (st != WF_OK) {
        json_decref(j);
        return st;
    }
    return wfi_lab_give(j, json, err);
}
