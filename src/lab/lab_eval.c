/* lab/lab_eval.c - scores of a stored model on a split or a file, with intervals. */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/eval_record.h"
#include "lab/heads.h"
#include "lab/job.h"
#include "lab/one_class.h"
#include "lab/precision.h"
#include "metrics/by_class.h"
#include "metrics/significance.h"
#include <math.h>
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

typedef struct run { /* one model over the rows, in one type of its base */
    wf_trained t;
    wf_outputs o;
    wf_predictions judged;
    double *target;
} run;

static void run_clear(run *r) {
    wfi_free(r->target);
    wfi_outputs_clear(&r->o);
    wfi_trained_clear(&r->t);
}

static wf_status run_outputs(run *r, const wf_encoded *e, wf_err *err) {
    WF_TRY(wfi_evaluate_outputs(r->t.context, e, r->t.classes, &r->o, err));
    return wfi_outputs_judged(r->t.context, e, &r->o, &r->judged, &r->target, err);
}

/* What the asked type of the base changes, against the type that the model was trained in: each metric's difference
 * with its interval from the same resamples of rows, and the largest change of an output. */
static wf_status difference_add(wf_lab *lab, const run *asked, const wf_encoded *e, const wf_scores *scores,
                                int resamples, json_t *into, wf_err *err) {
    static const double one = 1;
    run own = {0};
    json_t *all = json_object();
    double largest = 0;
    wf_status st = wfi_trained_open(lab, asked->t.name, &own.t, err);
    if (st == WF_OK) st = run_outputs(&own, e, err);
    const wf_paired_sets sets = {.a = &asked->judged, .b = &own.judged, .weight = &one, .count = 1, .seeds = 1};
    for (int i = 0; st == WF_OK && i < scores->count; i++) {
        wf_paired_test d;
        st = wfi_paired_bootstrap(&sets, scores->metric[i].name, resamples, 0, &d, err);
        if (st != WF_OK || isnan(d.difference)) continue;
        json_object_set_new(all, scores->metric[i].name,
                            json_pack("{s:f, s:f, s:f}", "value", d.difference, "low", d.low, "high", d.high));
    }
    for (size_t i = 0; st == WF_OK && i < own.o.rows * (size_t)own.o.classes; i++)
        if (isfinite(own.o.scores[i])) /* behind the last choice: not */
            largest = fmax(largest, fabs((double)asked->o.scores[i] - (double)own.o.scores[i]));
    json_object_set_new(into, "trained_base_dtype", json_string(wfi_precision_name(asked->t.own_dtype)));
    json_object_set_new(into, "difference", all);
    json_object_set_new(into, "largest_output_difference", json_real(largest));
    run_clear(&own);
    return st;
}

static json_t *share_json(double v) {
    return isfinite(v) ? json_real(v) : json_null();
}

/* per_class, and confusion where a row has one class. A multiple choice's numbers are no classes. */
static void by_class_set(json_t *j, const wf_task *task, const wf_by_class *by) {
    if (!j || !by->of || !task->labels || by->classes != task->label_count) return;
    json_t *classes = json_object(), *confusion = json_object();
    for (int32_t c = 0; c < by->classes; c++) {
        const wf_class_counts *n = &by->of[c];
        json_t *one = json_pack("{s:I, s:I}", "support", (json_int_t)n->support, "predicted", (json_int_t)n->said);
        json_object_set_new(one, "precision", share_json(wfi_precision(n)));
        json_object_set_new(one, "recall", share_json(wfi_recall(n)));
        json_object_set_new(one, "f1", share_json(wfi_f1(n)));
        json_object_set_new(classes, task->labels[c], one);
        if (by->cells) json_object_set_new(confusion, task->labels[c], json_object());
    }
    for (size_t i = 0; by->cells && i < by->cell_count; i++)
        json_object_set_new(json_object_get(confusion, task->labels[by->cells[i].is]), task->labels[by->cells[i].said],
                            json_integer(by->cells[i].rows));
    json_object_set_new(j, "per_class", classes);
    if (by->cells)
        json_object_set_new(j, "confusion", confusion);
    else
        json_decref(confusion);
}

static wf_status head_eval(wf_lab *lab, const wf_eval_spec *spec, char **json, wf_err *err) {
    run r = {0};
    wf_task *task = NULL;
    wf_rows file = {0};
    const wf_rows *rows = NULL;
    wf_encoded e = {0};
    wf_scores scores = {0};
    wf_by_class by = {0};
    json_t *j = NULL;
    const int resamples = spec->resamples ? spec->resamples : 1000;
    const char *split = spec->split ? spec->split : "test", *name = NULL;
    if (resamples < 100 || resamples > 1000000)
        return wfi_fail(err, WF_E_ARG, "resamples must lie in [100, 1000000], for intervals that mean something");
    WF_TRY(wfi_trained_open_asked(lab, spec->name, &r.t, err));
    wf_status st = wfi_json_str(r.t.info, "task", spec->name, &name, err);
    if (st == WF_OK) st = wfi_lab_task(lab, name, &task, NULL, err);
    if (st == WF_OK && spec->data) {
        st = wfi_rows_read(spec->data, task, NULL, true, &file, err);
        rows = &file;
    } else if (st == WF_OK) {
        st = part_choose(task, split, &rows, err);
    }
    if (st == WF_OK) st = wfi_job_encode(&r.t, rows, task, &e, err);
    if (st == WF_OK) st = run_outputs(&r, &e, err);
    if (st == WF_OK) st = wfi_metrics_compute(&r.judged, resamples, 0, &scores, err);
    if (st == WF_OK && r.judged.kind != WF_SCORE_NUMBERS) st = wfi_by_class(&r.judged, &by, err);
    if (st == WF_OK)
        j = json_pack("{s:s, s:s, s:s, s:I, s:o, s:s}", "name", spec->name, "task", name, "split",
                      spec->data ? spec->data : split, "rows", (json_int_t)rows->count, "metrics",
                      wfi_lab_scores_json(&scores, true), "base_dtype", wfi_precision_name(r.t.base->dtype));
    if (j && wfi_scores_find(&scores, "f1")) json_object_set_new(j, "f1_of", json_string(task->labels[1]));
    by_class_set(j, task, &by);
    if (j && r.judged.kind != WF_SCORE_NUMBERS)
        wfi_one_class_set(j, &r.judged, r.t.head->labels, spec->data ? "given" : split);
    if (j && r.t.base->dtype != r.t.own_dtype) st = difference_add(lab, &r, &e, &scores, resamples, j, err);
    if (j && st == WF_OK) {
        wfi_one_class_warn(lab, j);
        if (!spec->data) wfi_eval_record(lab, &r.t, split, j);
    }
    if (st == WF_OK)
        st = wfi_lab_give(j, json, err);
    else
        json_decref(j);
    wfi_by_class_clear(&by);
    wfi_encoded_clear(&e);
    wfi_rows_clear(&file);
    wfi_task_free(task);
    run_clear(&r);
    return st;
}

/* What has several heads is scored head by head. */
wf_status wf_eval(wf_lab *lab, const wf_eval_spec *spec, char **json, wf_err *err) {
    if (!spec->name) return wfi_fail(err, WF_E_ARG, "which model? see: weft list");
    json_t *names = json_array(), *all = json_array(), *name, *one = NULL;
    size_t i;
    wf_status st =
        names && all ? wfi_model_spread(lab, spec->name, names, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    const size_t count = json_array_size(names);
    if (st == WF_OK && count > 1 && spec->data)
        st = wfi_fail(err, WF_E_ARG, "\"%s\" has heads for %zu tasks; say whose rows the file has: --task", spec->name,
                      count);
    json_array_foreach(names, i, name) {
        char *text = NULL;
        wf_eval_spec of = *spec;
        of.name = json_string_value(name);
        if (st == WF_OK) st = head_eval(lab, &of, count > 1 || !json ? &text : json, err);
        if (st == WF_OK && count > 1) st = wfi_json_parse(text, strlen(text), of.name, &one, err);
        if (st == WF_OK && count > 1) json_array_append_new(all, one);
        wfi_free(text);
    }
    if (st == WF_OK && count > 1)
        st = wfi_lab_give(json_pack("{s:s, s:O}", "name", spec->name, "heads", all), json, err);
    json_decref(names);
    json_decref(all);
    return st;
}
