/* lab/joint_job.c - see joint.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "lab/gap.h"
#include "lab/job_parts.h"
#include "lab/joint.h"
#include "lab/precision.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

wf_status wfi_joint_open(wf_lab *lab, const json_t *settings, wf_joint *out, wf_err *err) {
    const json_t *j = json_object_get(settings, "joint"), *tasks = json_object_get(j, "tasks");
    const size_t n = json_array_size(tasks);
    *out = (wf_joint){0};
    if (n < 1 || n > WF_JOINT_TASKS)
        return wfi_fail(err, WF_E_ARG, "from 1 to %d tasks can be trained together, not %zu", WF_JOINT_TASKS, n);
    wf_status st = wfi_sampling_parse(json_string_value(json_object_get(j, "sampling")), &out->sampling, err);
    if (st == WF_OK)
        st = wfi_weighing_parse(json_string_value(json_object_get(j, "loss_weights")), &out->weighing, err);
    for (size_t k = 0; st == WF_OK && k < n; k++) {
        const char *name = json_string_value(json_array_get(tasks, k));
        for (size_t i = 0; name && i < k; i++)
            if (strcmp(name, out->tasks[i]->name) == 0) st = wfi_fail(err, WF_E_ARG, "task \"%s\" stands twice", name);
        if (st == WF_OK) st = wfi_lab_task(lab, name, &out->tasks[k], &out->records[k], err);
        if (st == WF_OK) out->count = k + 1;
    }
    if (st != WF_OK) wfi_joint_clear(out);
    return st;
}

void wfi_joint_clear(wf_joint *j) {
    for (size_t k = 0; k < j->count; k++) {
        wfi_task_free(j->tasks[k]);
        wfi_record_clear(&j->records[k]);
    }
    *j = (wf_joint){0};
}

void wfi_joint_help(wf_joint *j, const wf_settings *settings) {
    j->help = true;
    j->help_settings = *settings;
    j->help_settings.rows = 0;
}

/* The job as if it were of one task. Where the others only help the first, all their rows are used, and none to
 * choose a state by. */
static wf_job of_task(const wf_job *job, const wf_joint *joint, size_t k) {
    wf_job one = *job;
    if (joint->help && k) one.settings = &joint->help_settings;
    one.task = joint->tasks[k];
    one.task_record = &joint->records[k];
    return one;
}

/* The single identity, and what several tasks add to it. */
static wf_status identity_add(const wf_joint *joint, wf_train_options *o, wf_err *err) {
    wf_buffer b = {0};
    wfi_buffer_printf(&b, "%s|%s|%.17g|%s|%.17g", o->identity, o->sampling.method->name, o->sampling.number,
                      o->weighing.method->name, o->weighing.number);
    for (size_t k = 0; k < joint->count; k++) wfi_buffer_printf(&b, "|%s", joint->records[k].hash);
    const wf_status st =
        b.failed ? wfi_fail(err, WF_E_NOMEM, "out of memory") : wfi_hash_bytes(b.data, b.len, o->identity, err);
    wfi_buffer_clear(&b);
    return st;
}

static wf_status options_make(const wf_job *job, const wf_joint *joint, const wf_trained *t, int64_t rows,
                              wf_train_options *o, wf_err *err) {
    const wf_job first = of_task(job, joint, 0);
    WF_TRY(wfi_job_options(&first, t, rows, NULL, o, err));
    o->sampling = joint->sampling;
    o->weighing = joint->weighing;
    return identity_add(joint, o, err);
}

/* ---- the result ---- */

static double towards_mean(const json_t *scores, const char *metric) {
    const json_t *v = json_object_get(scores, metric);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static wf_status head_result(const wf_job *job, const wf_joint *joint, size_t k, wf_trained *t,
                             const wf_job_parts *parts, const wf_train_result *r, json_t *heads, wf_err *err) {
    const wf_job one = of_task(job, joint, k);
    json_t *probe = NULL, *gap = NULL;
    wfi_trained_use(t, k, one.task);
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:f}", "task", one.task->name, "task_hash",
                          one.task_record->hash, "kind", wfi_kind_name(one.task->kind), "metric", one.task->metric,
                          "classes", (int)t->classes, "train_rows", (json_int_t)parts->train.rows, "batches",
                          (json_int_t)r->task[k].batches, "loss_weight", r->task[k].factor);
    wf_status st = j ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_job_score(t, &parts->dev, NULL, j, "dev", err);
    if (st == WF_OK) st = wfi_job_score(t, &parts->test, k ? NULL : job->outputs, j, "test", err);
    if (st == WF_OK && (!job->part || (job->gap && k == 0))) {
        wf_job named = one; /* as its head is called */
        char name[140];
        snprintf(name, sizeof name, "%.64s:%.64s", job->name, one.task->name);
        named.name = name;
        st = wfi_gap_measure(&named, t, &parts->dev, (int64_t)parts->train.rows, &gap, err);
    }
    if (gap) json_object_set_new(j, "gap", gap);
    if (st == WF_OK && !job->part) st = wfi_job_probe(t, &one, &probe, err);
    if (probe) json_object_set_new(j, "probe", probe);
    if (st == WF_OK)
        json_object_set_new(heads, one.task->name, j);
    else
        json_decref(j);
    return st;
}

/* The mean of the tasks' own metrics, as they are; null where a task has none. */
static json_t *mean_of(const json_t *heads, const char *part) {
    const char *task;
    json_t *one;
    double sum = 0;
    json_object_foreach((json_t *)heads, task, one) sum +=
        towards_mean(json_object_get(one, part), json_string_value(json_object_get(one, "metric")));
    const double mean = sum / (double)json_object_size(heads);
    return json_pack("{s:o}", "mean", isfinite(mean) ? json_real(mean) : json_null());
}

static json_t *names_of(const wf_joint *joint, char *line, size_t size) {
    json_t *names = json_array();
    size_t at = 0;
    line[0] = 0;
    for (size_t k = 0; k < joint->count; k++) {
        json_array_append_new(names, json_string(joint->tasks[k]->name));
        if (at < size) at += (size_t)snprintf(line + at, size - at, "%s%s", k ? "," : "", joint->tasks[k]->name);
    }
    return names;
}

static wf_status result_make(const wf_job *job, const wf_joint *joint, wf_trained *t, const wf_job_parts *parts,
                             const wf_train_options *o, const wf_train_result *r, int64_t rows, json_t **out,
                             wf_err *err) {
    char line[WF_JOINT_TASKS * 66];
    const wf_job first = of_task(job, joint, 0);
    json_t *j = wfi_job_result(&first, t, o, r, rows), *heads = json_object();
    wf_status st = j && heads ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t k = 0; st == WF_OK && k < joint->count; k++)
        st = head_result(job, joint, k, t, &parts[k], r, heads, err);
    if (st != WF_OK) {
        json_decref(j);
        json_decref(heads);
        return st;
    }
    static const char *const of_one[] = {"task_hash", "classes"};
    for (size_t i = 0; i < 2; i++) json_object_del(j, of_one[i]);
    json_object_set_new(j, "tasks", names_of(joint, line, sizeof line));
    json_object_set_new(j, "task", json_string(line));
    json_object_set_new(j, "kind", json_string("joint"));
    json_object_set_new(j, "metric", json_string("mean"));
    json_object_set_new(j, "dev", mean_of(heads, "dev"));
    json_object_set_new(j, "test", mean_of(heads, "test"));
    json_object_set_new(j, "heads", heads);
    if (t->full) json_object_set_new(j, "method", json_string("multihead"));
    json_object_set_new(j, "sampling", json_string(o->sampling.method->name));
    json_object_set_new(j, "loss_weights", json_string(o->weighing.method->name));
    *out = j;
    return WF_OK;
}

/* ---- the training ---- */

typedef struct work {
    wf_job_parts parts[WF_JOINT_TASKS];
    wf_train_task tasks[WF_JOINT_TASKS];
    wf_pset *sets[WF_TRAINED_SETS];
    size_t set_count;
    int64_t rows;
    wf_train_options o;
    wf_train_result r;
} work;

static void dev_drop(wf_encoded *e) {
    wfi_encoded_clear(e);
    *e = (wf_encoded){0};
}

static wf_status work_make(const wf_job *job, const wf_joint *joint, wf_trained *t, work *w, wf_err *err) {
    WF_TRY(wfi_trained_sets(t, job->settings, w->sets, &w->set_count, err));
    for (size_t k = 0; k < joint->count; k++) {
        const wf_job one = of_task(job, joint, k);
        wfi_trained_use(t, k, one.task);
        WF_TRY(wfi_job_parts_make(&one, t, &w->parts[k], err));
        w->rows += (int64_t)w->parts[k].train.rows;
        if (joint->help && k) {
            dev_drop(&w->parts[k].dev);
            dev_drop(&w->parts[k].test);
        }
        w->tasks[k] = (wf_train_task){.name = one.task->name,
                                      .head = t->heads[k],
                                      .head_set = w->set_count - joint->count + k,
                                      .train = &w->parts[k].train,
                                      .dev = &w->parts[k].dev,
                                      .class_weights = w->parts[k].weights,
                                      .metric = one.task->metric};
    }
    return options_make(job, joint, t, w->rows, &w->o, err);
}

wf_status wfi_joint_job(const wf_job *job, const wf_joint *joint, wf_trained *t, json_t **result, wf_err *err) {
    work *w = wfi_alloc(1, sizeof *w);
    wf_job_watch watch;
    if (!w) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_trained_new_joint(job->lab, job->settings, job->name, joint->tasks, joint->count, t, err);
    const bool made = st == WF_OK;
    if (st == WF_OK) st = work_make(job, joint, t, w, err);
    if (st == WF_OK) {
        wfi_job_watch_open(job, &watch);
        st = wfi_train_joint(t->context, w->sets, w->set_count, w->tasks, joint->count, &w->o, wfi_job_event, &watch,
                             &w->r, err);
        wfi_job_watch_close(&watch);
    }
    if (st == WF_OK) st = wfi_trained_freeze(t, err);
    if (st == WF_OK) st = result_make(job, joint, t, w->parts, &w->o, &w->r, w->rows, result, err);
    for (size_t k = 0; k < joint->count; k++) wfi_job_parts_clear(&w->parts[k]);
    wfi_free(w);
    if (made && st != WF_OK) wfi_trained_clear(t);
    return st;
}
