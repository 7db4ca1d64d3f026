/* lab/lab_eval.c - scores of a stored model on a split or a file, with intervals. */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/job.h"
#include <string.h>

static wf_status part_choose(const wf_task *task, const char *split, const wf_rows **out, wf_err *err) {
    if (strcmp(split, "test") == 0)
        *out = &task->test;
    else if (strcmp(split, "dev") == 0)
        *out = &task->dev;
    else if (strcmp(split, "train") == 0)
        *out = &task->train;
    else
        return wfi_fail(err, WF_E_ARG, "split \"%.40s\" does not exist; use train, dev or test", split);
    if ((*out)->count == 0) return wfi_fail(err, WF_E_NOTFOUND, "task \"%s\" has no %s rows", task->name, split);
    return WF_OK;
}

wf_status wf_eval(wf_lab *lab, const wf_eval_spec *spec, char **json, wf_err *err) {
    wf_trained t = {0};
    wf_task *task = NULL;
    wf_rows file = {0};
    const wf_rows *rows = NULL;
    wf_encoded e = {0};
    wf_scores scores = {0};
    const char *split = spec->split ? spec->split : "test", *name = NULL;
    if (!spec->name) return wfi_fail(err, WF_E_ARG, "which model? see: weft list");
    WF_TRY(wfi_trained_open(lab, spec->name, &t, err));
    wf_status st = wfi_json_str(t.info, "task", spec->name, &name, err);
    if (st == WF_OK) st = wfi_lab_task(lab, name, &task, NULL, err);
    if (st == WF_OK && spec->data) {
        st = wfi_rows_read(spec->data, task, NULL, true, &file, err);
        rows = &file;
    } else if (st == WF_OK) {
        st = part_choose(task, split, &rows, err);
    }
    if (st == WF_OK) st = wfi_job_encode(&t, rows, task, &e, err);
    if (st == WF_OK)
        st = wfi_evaluate(t.context, &e, t.classes, spec->resamples > 0 ? spec->resamples : 1000, 0, &scores, err);
    if (st == WF_OK) {
        json_t *j = json_pack("{s:s, s:s, s:s, s:I, s:o}", "name", spec->name, "task", name, "split",
                              spec->data ? spec->data : split, "rows", (json_int_t)rows->count, "metrics",
                              wfi_lab_scores_json(&scores, true));
        if (j && wfi_scores_find(&scores, "f1")) json_object_set_new(j, "f1_of", json_string(task->labels[1]));
        st = wfi_lab_give(j, json, err);
    }
    wfi_encoded_clear(&e);
    wfi_rows_clear(&file);
    wfi_task_free(task);
    wfi_trained_clear(&t);
    return st;
}
