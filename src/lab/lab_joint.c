/* lab/lab_joint.c - runs that train several tasks together. */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/compare.h"
#include "lab/joint.h"
#include "lab/one_class.h"
#include "lab/precision.h"
#include <stdio.h>
#include <string.h>

/* What the shared part is: the whole base, or an adapter. */
static wf_status method_settle(const char *asked, const char **out, wf_err *err) {
    static const char *const others[] = {"head", "full", "fusion"};
    *out = !asked || strcmp(asked, "adapter") == 0 ? "seq_bn" : strcmp(asked, "multihead") == 0 ? "full" : asked;
    for (size_t i = 0; asked && i < 3; i++)
        if (strcmp(asked, others[i]) == 0)
            return wfi_fail(err, WF_E_ARG,
                            "tasks cannot share method %s; use multihead (the whole base), adapter (seq_bn), or an "
                            "adapter method such as lora[r=16]",
                            asked);
    return WF_OK;
}

wf_status wfi_joint_settings(const wf_joint_spec *s, json_t **out, wf_err *err) {
    wf_train_spec train = s->train;
    wf_weighing weighing;
    wf_sampling sampling;
    if (s->task_count == 0) return wfi_fail(err, WF_E_ARG, "which tasks? see: weft task list");
    WF_TRY(method_settle(s->method, &train.method, err));
    WF_TRY(wfi_sampling_parse(s->sampling, &sampling, err));
    WF_TRY(wfi_weighing_parse(s->loss_weights, &weighing, err));
    train.task = s->tasks[0];
    train.from_count = 0;
    /* Methods that compare tasks want several of them in a step. */
    if (train.accumulate == 0 && weighing.method->step) train.accumulate = (int64_t)s->task_count;
    WF_TRY(wfi_settings_resolve(&train, out, err));
    json_t *tasks = json_array();
    for (size_t k = 0; k < s->task_count; k++) json_array_append_new(tasks, json_string(s->tasks[k]));
    json_object_set_new(*out, "joint",
                        json_pack("{s:o, s:s, s:s}", "tasks", tasks, "sampling",
                                  s->sampling ? s->sampling : sampling.method->name, "loss_weights",
                                  s->loss_weights ? s->loss_weights : weighing.method->name));
    return WF_OK;
}

wf_status wfi_joint_check(wf_lab *lab, const wf_joint *joint, const wf_open_base *base, int64_t max_length,
                          wf_err *err) {
    for (size_t k = 0; k < joint->count; k++)
        WF_TRY(wfi_job_length_check(lab, base, &joint->records[k], max_length, err));
    return WF_OK;
}

wf_status wfi_joint_store(wf_lab *lab, const json_t *spec, int64_t run, char **json, wf_err *err) {
    wf_settings s;
    wf_joint joint = {0};
    wf_trained t = {0};
    json_t *result = NULL;
    WF_TRY(wfi_settings_read(spec, &s, err));
    WF_TRY(wfi_joint_open(lab, spec, &joint, err));
    char *checkpoint = wfi_run_path(lab, run, "checkpoint"), *log = wfi_run_path(lab, run, "log.txt"),
         *folder = wfi_run_path(lab, run, "");
    const wf_job job = {.lab = lab,
                        .settings = &s,
                        .name = s.name,
                        .checkpoint = checkpoint,
                        .folder = folder,
                        .log = log,
                        .stage = "joint"};
    wf_status st =
        checkpoint && log && folder ? wfi_run_folder(lab, run, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_joint_job(&job, &joint, &t, &result, err);
    if (st == WF_OK) {
        wfi_one_class_warn(lab, result);
        json_object_set(result, "settings", (json_t *)spec);
        st = wfi_trained_save(lab, &t, &s, NULL, result, err);
    }
    if (st == WF_OK) {
        remove(checkpoint);
        st = wfi_result_give(json_incref(result), run, json, err);
    }
    json_decref(result);
    wfi_trained_clear(&t);
    wfi_joint_clear(&joint);
    wfi_free(checkpoint);
    wfi_free(log);
    wfi_free(folder);
    return st;
}

wf_status wf_train_joint(wf_lab *lab, const wf_joint_spec *spec, char **json, wf_err *err) {
    json_t *j = NULL;
    wf_joint joint = {0};
    wf_open_base *base = NULL;
    wf_dtype type = WF_DTYPE_F32;
    char name[65];
    WF_TRY(wfi_joint_settings(spec, &j, err));
    if (spec->train.name)
        snprintf(name, sizeof name, "%.64s", spec->train.name);
    else
        wfi_default_name("joint", spec->method ? spec->method : "adapter", name);
    json_object_set_new(j, "name", json_string(name));
    wf_status st = wfi_name_free_check(lab, spec->train.name ? spec->train.name : name, 0, err);
    if (st == WF_OK) st = wfi_joint_open(lab, j, &joint, err);
    if (st == WF_OK) st = wfi_lab_base(lab, spec->train.base, WF_DTYPE_F32, &base, err);
    if (st == WF_OK) st = wfi_joint_check(lab, &joint, base, spec->train.max_length, err);
    if (st == WF_OK) st = wfi_precision_settle_for(lab, base, j, &type, err);
    if (st == WF_OK && joint.count == 1)
        wfi_lab_message(lab, "note",
                        "one task alone: this is what weft train %s does; name several to share a training",
                        joint.tasks[0]->name);
    if (st == WF_OK) st = wfi_run_train(lab, "joint", name, base, type, j, json, err);
    wfi_joint_clear(&joint);
    json_decref(j);
    return st;
}
