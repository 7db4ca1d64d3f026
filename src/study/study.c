/* study/study.c - see study.h. */
#include "study/study.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "lab/heads.h"
#include "lab/job.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_ROWS = 256 }; /* between two looks at whether the user wants to stop */

wf_status wfi_study_begin(wf_lab *lab, const char *command, const char *name, json_t *spec, wf_study *out,
                          wf_err *err) {
    char *text = spec ? wfi_json_text(spec, false) : NULL;
    *out = (wf_study){.lab = lab, .command = command, .name = name, .begun = wfi_clock_seconds()};
    wf_status st = text ? wfi_run_begin(lab->registry, command, name, text, &out->run, err)
                        : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(text);
    json_decref(spec);
    return st;
}

wf_status wfi_study_end(wf_study *s, wf_status st, json_t *result, char **json, wf_err *err) {
    char *text = NULL;
    if (st == WF_OK && result) {
        json_object_set_new(result, "run", json_integer(s->run));
        json_object_set_new(result, "wall_seconds", json_real(wfi_clock_seconds() - s->begun));
        json_object_set_new(result, "version", json_string(wf_version()));
    }
    if (st == WF_OK)
        st = wfi_lab_give(result, &text, err);
    else
        json_decref(result);
    if (st == WF_OK) {
        st = wfi_run_end(s->lab->registry, s->run, "done", text, err);
    } else {
        wfi_run_end(s->lab->registry, s->run, st == WF_E_CANCELLED ? "cancelled" : "failed", err ? err->text : "",
                    NULL);
    }
    if (st == WF_OK && json)
        *json = text;
    else
        wfi_free(text);
    return st;
}

wf_status wfi_study_tick(wf_study *s, const char *stage, int64_t rows, wf_err *err) {
    s->done += rows;
    const double seconds = wfi_clock_seconds() - s->begun, rate = seconds > 0 ? (double)s->done / seconds : 0;
    const wf_progress p = {.stage = stage,
                           .name = s->name,
                           .done = s->done,
                           .total = s->total,
                           .loss = NAN,
                           .rate = rate,
                           .rate_unit = "rows/s",
                           .seconds_left = rate > 0 ? (double)(s->total - s->done) / rate : -1};
    return wfi_lab_tick(s->lab, &p, false) ? wfi_fail(err, WF_E_CANCELLED, "cancelled; nothing is kept of this study")
                                           : WF_OK;
}

/* ---- task and rows ---- */

/* The labels a model was trained for are those of its own task. */
static wf_status labels_check(wf_lab *lab, const char *model, const char *own, const wf_task *task, wf_err *err) {
    wf_task *other = NULL;
    if (strcmp(own, task->name) == 0) return WF_OK;
    WF_TRY(wfi_lab_task(lab, own, &other, NULL, err));
    bool same =
        other->kind == task->kind && other->label_count == task->label_count && other->has_pair == task->has_pair;
    for (int32_t c = 0; same && task->labels && c < task->label_count; c++)
        same = strcmp(task->labels[c], other->labels[c]) == 0;
    wfi_task_free(other);
    return same ? WF_OK
                : wfi_fail(err, WF_E_ARG,
                           "model \"%s\" was trained for task \"%s\", whose labels are not those of \"%s\"", model, own,
                           task->name);
}

wf_status wfi_study_resamples(int asked, int otherwise, int *out, wf_err *err) {
    *out = asked ? asked : otherwise;
    if (*out < 100 || *out > 1000000) return wfi_fail(err, WF_E_ARG, "resamples must lie in [100, 1000000]");
    return WF_OK;
}

wf_status wfi_study_task(wf_lab *lab, const char *const *models, size_t count, const char *asked, wf_task **out,
                         wf_err *err) {
    wf_task *task = NULL;
    if (count == 0) return wfi_fail(err, WF_E_ARG, "which models? see: weft list");
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        json_t *info = NULL;
        const char *own = NULL;
        for (size_t k = 0; k < i; k++)
            if (strcmp(models[i], models[k]) == 0)
                st = wfi_fail(err, WF_E_ARG, "model \"%s\" is named twice", models[i]);
        if (st == WF_OK) st = wfi_model_find(lab, models[i], NULL, &info, NULL, err);
        if (st == WF_OK) st = wfi_json_str(info, "task", models[i], &own, err);
        if (st == WF_OK && !task) st = wfi_lab_task(lab, asked ? asked : own, &task, NULL, err);
        if (st == WF_OK) st = labels_check(lab, models[i], own, task, err);
        json_decref(info);
    }
    if (st != WF_OK)
        wfi_task_free(task);
    else
        *out = task;
    return st;
}

static int by_place(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

wf_status wfi_study_rows(const wf_task *task, int64_t most, uint64_t seed, wf_rows *out, const char **part,
                         wf_err *err) {
    const wf_rows *from = task->test.count ? &task->test : &task->dev;
    int64_t *indices = NULL;
    if (from->count == 0) return wfi_fail(err, WF_E_NOTFOUND, "task \"%s\" has no test or dev rows", task->name);
    *part = from == &task->test ? "test" : "dev";
    const size_t n = most > 0 && (size_t)most < from->count ? (size_t)most : from->count;
    WF_TRY(wfi_rows_sample(from, task, n, seed, &indices, err));
    qsort(indices, n, sizeof *indices, by_place);
    wf_status st = wfi_rows_pick(from, indices, n, out, err);
    wfi_free(indices);
    return st;
}

int32_t wfi_study_columns(const wf_task *task, const wf_rows *rows) {
    int32_t n = task->kind == WF_KIND_REGRESSION ? 1 : task->label_count;
    for (size_t i = 0; task->kind == WF_KIND_MULTIPLE_CHOICE && i < rows->count; i++)
        if (rows->rows[i].choice_count > n) n = rows->rows[i].choice_count;
    return n;
}

void wfi_truth_clear(wf_truth *t) {
    wfi_free(t->label);
    wfi_free(t->target);
    wfi_free(t->labels);
    *t = (wf_truth){0};
}

wf_status wfi_truth_make(const wf_task *task, const wf_rows *rows, wf_truth *out, wf_err *err) {
    const size_t n = rows->count, columns = (size_t)wfi_study_columns(task, rows);
    wf_truth t = {.label = wfi_alloc(n, sizeof *t.label),
                  .target = wfi_alloc(n, sizeof *t.target),
                  .labels = wfi_alloc(task->kind == WF_KIND_MULTILABEL ? n * columns : 0, 1)};
    if (!t.label || !t.target || !t.labels) {
        wfi_truth_clear(&t);
        return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    }
    for (size_t i = 0; i < n; i++) {
        t.label[i] = rows->rows[i].label;
        t.target[i] = rows->rows[i].target;
        if (task->kind == WF_KIND_MULTILABEL) memcpy(t.labels + i * columns, rows->rows[i].labels, columns);
    }
    *out = t;
    return WF_OK;
}

/* ---- predictions ---- */

wf_predictions wfi_study_judged(const wf_task *task, const wf_rows *rows, const wf_truth *truth, const float *scores) {
    return (wf_predictions){.kind = task->kind == WF_KIND_REGRESSION   ? WF_SCORE_NUMBERS
                                    : task->kind == WF_KIND_MULTILABEL ? WF_SCORE_MULTILABEL
                                                                       : WF_SCORE_CLASSES,
                            .rows = rows->count,
                            .classes = wfi_study_columns(task, rows),
                            .scores = scores,
                            .label = truth->label,
                            .target = truth->target,
                            .labels = truth->labels};
}

wf_status wfi_study_predict(wf_study *s, wf_trained *t, const wf_task *task, const wf_rows *rows, const wf_truth *truth,
                            const char *stage, wf_predictions *out, wf_err *err) {
    const int32_t columns = wfi_study_columns(task, rows);
    float *scores = wfi_alloc(rows->count * (size_t)columns + 1, sizeof *scores);
    wf_status st = scores ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu predictions", rows->count);
    for (size_t i = 0; st == WF_OK && i < rows->count; i += CHUNK_ROWS) {
        const wf_rows some = {.rows = rows->rows + i,
                              .count = rows->count - i < CHUNK_ROWS ? rows->count - i : CHUNK_ROWS};
        wf_encoded e = {0};
        wf_outputs o = {0};
        st = wfi_job_encode(t, &some, task, &e, err);
        if (st == WF_OK) st = wfi_evaluate_outputs(t->context, &e, columns, &o, err);
        if (st == WF_OK) memcpy(scores + i * (size_t)columns, o.scores, some.count * (size_t)columns * sizeof *scores);
        wfi_outputs_clear(&o);
        wfi_encoded_clear(&e);
        if (st == WF_OK) st = wfi_study_tick(s, stage, (int64_t)some.count, err);
    }
    if (st != WF_OK) {
        wfi_free(scores);
        return st;
    }
    *out = wfi_study_judged(task, rows, truth, scores);
    return WF_OK;
}

void wfi_picked_clear(wf_predictions *p) {
    wfi_free((void *)p->scores);
    wfi_free((void *)p->label);
    wfi_free((void *)p->target);
    wfi_free((void *)p->labels);
    *p = (wf_predictions){0};
}

wf_status wfi_predictions_pick(const wf_predictions *p, const size_t *rows, size_t n, wf_predictions *out,
                               wf_err *err) {
    const size_t width = p->kind == WF_SCORE_NUMBERS ? 1 : (size_t)p->classes;
    float *scores = wfi_alloc(n * width + 1, sizeof *scores);
    int32_t *label = wfi_alloc(n, sizeof *label);
    double *target = wfi_alloc(n, sizeof *target);
    uint8_t *labels = wfi_alloc(p->kind == WF_SCORE_MULTILABEL ? n * width : 0, 1);
    wf_predictions q = *p;
    q.rows = n;
    q.scores = scores;
    q.label = label;
    q.target = target;
    q.labels = labels;
    if (!scores || !label || !target || !labels) {
        wfi_picked_clear(&q);
        return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(scores + i * width, p->scores + rows[i] * width, width * sizeof *scores);
        if (p->label) label[i] = p->label[rows[i]];
        if (p->target) target[i] = p->target[rows[i]];
        if (p->kind == WF_SCORE_MULTILABEL) memcpy(labels + i * width, p->labels + rows[i] * width, width);
    }
    *out = q;
    return WF_OK;
}

double wfi_study_score(const wf_predictions *p, const char *metric) {
    wf_scores s;
    if (wfi_metrics_compute(p, 0, 0, &s, NULL) != WF_OK) return NAN;
    const wf_metric_value *m = wfi_scores_find(&s, metric);
    return m ? m->value : NAN;
}

bool wfi_study_lower_is_better(const char *metric) {
    return wfi_metric_lower_is_better(metric);
}

int32_t wfi_study_said(const wf_predictions *p, size_t i) {
    const float *s = p->scores + i * (size_t)p->classes;
    int32_t best = 0;
    for (int32_t c = 1; c < p->classes; c++)
        if (s[c] > s[best]) best = c;
    return best;
}

bool wfi_study_wrong(const wf_predictions *p, size_t i) {
    if (p->kind == WF_SCORE_CLASSES) return wfi_study_said(p, i) != p->label[i];
    for (int32_t c = 0; c < p->classes; c++) {
        const size_t at = i * (size_t)p->classes + (size_t)c;
        if ((p->scores[at] > 0) != (p->labels[at] != 0)) return true;
    }
    return false;
}
