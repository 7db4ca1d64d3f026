/* lab/compare_part.c - see compare_part.h. */
#include "lab/compare_part.h"
#include "base/error.h"
#include <string.h>

wf_status wfi_cell_settings(const wf_cell *c, const char *method, const json_t *from, const char *config, json_t **out,
                            wf_err *err) {
    const char *names[64];
    wf_train_spec s = {.task = c->task ? c->task->name : "",
                       .method = method,
                       .config = config,
                       .base = c->base,
                       .rows = c->rows,
                       .seed = (uint64_t)c->seed,
                       .base_dtype = "f32", /* settled in common, unless older */
                       .from = names};
    json_t *defaults = NULL, *j = json_deep_copy(c->common);
    size_t i;
    const json_t *name;
    if (!j) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    json_array_foreach(from, i, name) if (s.from_count < 64) names[s.from_count++] = json_string_value(name);
    wf_status st = wfi_settings_resolve(&s, &defaults, err);
    if (st == WF_OK) json_object_update_missing(j, defaults);
    for (i = 0; st == WF_OK && i < 7; i++) { /* what the cell fixes */
        static const char *const keys[] = {"task", "method", "from", "config", "rows", "seed", "base"};
        json_object_set(j, keys[i], json_object_get(defaults, keys[i]));
    }
    if (st == WF_OK && strcmp(method, "full") == 0) { /* a comparison from before there was a choice has float32 */
        const char *type = json_string_value(json_object_get(c->common, "trained_base_dtype"));
        json_object_set_new(j, "base_dtype", json_string(type ? type : "f32"));
    }
    json_object_del(j, "trained_base_dtype");
    json_decref(defaults);
    if (st != WF_OK)
        json_decref(j);
    else
        *out = j;
    return st;
}

wf_status wfi_part_train(const wf_cell *c, const wf_part *p, double lr, bool trial, wf_trained *t, json_t **row,
                         wf_err *err) {
    json_t *j = NULL;
    wf_settings s;
    wf_joint joint = {0};
    WF_TRY(wfi_cell_settings(c, p->method, p->from, p->config, &j, err));
    if (lr > 0) json_object_set_new(j, "lr", json_real(lr));
    if (p->weights) json_object_set(j, "weights", (json_t *)p->weights);
    if (p->tasks) json_object_set_new(j, "joint", json_pack("{s:O}", "tasks", p->tasks));
    wf_status st = wfi_settings_read(j, &s, err);
    s.made = p->made;
    const wf_job job = {.lab = c->lab,
                        .settings = &s,
                        .name = p->name,
                        .task = c->task,
                        .task_record = c->record,
                        .stage = c->stage,
                        .folder = c->folder,
                        .log = c->log,
                        .outputs = trial ? NULL : p->outputs,
                        .part = true,
                        .no_test = trial,
                        .gap = p->outputs && !trial};
    if (st == WF_OK && p->tasks) {
        st = wfi_joint_open(c->lab, j, &joint, err);
        if (st == WF_OK) {
            wfi_joint_help(&joint, &s);
            st = wfi_joint_job(&job, &joint, t, row, err);
        }
    } else if (st == WF_OK) {
        st = wfi_job_run(&job, t, row, err);
    }
    if (st == WF_OK && p->tasks) { /* the row is the first task's */
        const json_t *own = json_object_get(json_object_get(*row, "heads"), c->task->name);
        static const char *const keys[] = {"task",       "task_hash", "kind", "metric", "classes",
                                           "train_rows", "dev",       "test", "gap",    "one_class"};
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            json_object_set(*row, keys[i], json_object_get(own, keys[i]));
        json_object_del(*row, "heads");
    }
    wfi_joint_clear(&joint);
    json_decref(j);
    return st;
}

wf_status wfi_part_run(const wf_cell *c, const wf_part *p, wf_trained *t, json_t **row, wf_err *err) {
    double lr = 0;
    WF_TRY(wfi_part_rate(c, p, &lr, err));
    return wfi_part_train(c, p, lr, false, t, row, err);
}
