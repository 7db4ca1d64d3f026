/* study/failures.c - wf_study_failures: the models answer the test rows, the other files of this study look at what was
 * wrong. See failures.h. */
#include "study/failures.h"
#include "base/alloc.h"
#include "base/error.h"
#include "lab/heads.h"
#include <string.h>

enum { SUSPECT_ROWS = 4000 };

static wf_status settle(wf_failures *f, json_t **info, wf_err *err) {
    const wf_failures_spec *s = f->spec;
    if (f->task->kind == WF_KIND_REGRESSION)
        return wfi_fail(err, WF_E_UNSUPPORTED, "task \"%s\" is a regression: no answer is simply wrong", f->task->name);
    if (s->rows < -1) return wfi_fail(err, WF_E_ARG, "rows must be -1 (all) or more");
    f->said = wfi_alloc(s->model_count, sizeof *f->said);
    f->sources = wfi_alloc(s->model_count, sizeof *f->sources);
    if (!f->said || !f->sources) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_model_find(f->study.lab, s->models[0], NULL, info, NULL, err);
    if (st == WF_OK) st = wfi_json_str(*info, "base", s->models[0], &f->base, err);
    if (st == WF_OK)
        st = wfi_study_rows(f->task, s->rows == 0 ? WF_STUDY_ROWS : s->rows, s->seed, &f->rows, &f->part, err);
    if (st == WF_OK) st = wfi_truth_make(f->task, &f->rows, &f->truth, err);
    return st;
}

static json_t *head_json(const wf_failures *f) {
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "study", "failures", "task", f->task->name, "metric",
                     f->task->metric, "part", f->part, "rows", (json_int_t)f->rows.count, "seed",
                     (json_int_t)f->spec->seed);
}

static wf_status models_ask(wf_failures *f, wf_err *err) {
    const size_t train = f->task->train.count < SUSPECT_ROWS ? f->task->train.count : SUSPECT_ROWS;
    f->study.total =
        (int64_t)(f->rows.count * (f->spec->model_count + 1) + (f->task->kind == WF_KIND_CLASSIFICATION ? train : 0));
    for (size_t m = 0; m < f->spec->model_count; m++) {
        wf_trained t = {0};
        WF_TRY(wfi_trained_open(f->study.lab, f->spec->models[m], &t, err));
        wf_status st =
            wfi_study_predict(&f->study, &t, f->task, &f->rows, &f->truth, f->spec->models[m], &f->said[m], err);
        if (st == WF_OK) st = wfi_failures_sources(f, &t, &f->said[m], &f->sources[m], err);
        wfi_trained_clear(&t);
        WF_TRY(st);
    }
    return WF_OK;
}

static wf_status model_json(const wf_failures *f, size_t m, json_t **out, wf_err *err) {
    const wf_predictions *p = &f->said[m];
    json_t *confusions = NULL, *slices = NULL, *clusters = NULL;
    size_t wrong = 0;
    for (size_t i = 0; i < p->rows; i++) wrong += wfi_study_wrong(p, i);
    wf_status st = wfi_failures_confusions(f, p, &confusions, err);
    if (st == WF_OK) st = wfi_failures_slices(f, p, &slices, err);
    if (st == WF_OK) st = wfi_failures_clusters(f, p, &clusters, err);
    json_t *j = st == WF_OK ? json_pack("{s:s, s:I, s:f, s:O, s:O, s:O}", "name", f->spec->models[m], "errors",
                                        (json_int_t)wrong, "error_rate", (double)wrong / (double)p->rows, "confusions",
                                        confusions, "slices", slices, "clusters", clusters)
                            : NULL;
    if (st == WF_OK && !j) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (j && f->sources[m]) json_object_set(j, "sources", f->sources[m]);
    json_decref(confusions);
    json_decref(slices);
    json_decref(clusters);
    if (st == WF_OK) *out = j;
    return st;
}

static wf_status look(wf_failures *f, json_t **out, wf_err *err) {
    json_t *models = json_array(), *suspects = NULL;
    wf_status st = models ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_failures_features(f, &f->rows, "features", &f->features, &f->width, err);
    for (size_t m = 0; st == WF_OK && m < f->spec->model_count; m++) {
        json_t *one = NULL;
        st = model_json(f, m, &one, err);
        if (st == WF_OK) json_array_append_new(models, one);
    }
    if (st == WF_OK) st = wfi_failures_suspects(f, &suspects, err);
    json_t *j = st == WF_OK ? head_json(f) : NULL;
    if (st == WF_OK && !j) st = wfi_fail(err, WF_E_NOMEM, "out of memory for the result");
    if (j) json_object_set(j, "models", models);
    if (j) json_object_set_new(j, "suspects", suspects ? json_incref(suspects) : json_null());
    json_decref(models);
    json_decref(suspects);
    if (st == WF_OK) *out = j;
    return st;
}

wf_status wf_study_failures(wf_lab *lab, const wf_failures_spec *spec, char **json, wf_err *err) {
    wf_failures f = {.study = {.lab = lab}, .spec = spec};
    json_t *info = NULL, *result = NULL, *names = json_array();
    wf_status st = wfi_study_task(lab, spec->models, spec->model_count, spec->task, &f.task, err);
    if (st == WF_OK) st = settle(&f, &info, err);
    if (st == WF_OK) {
        json_t *asked = head_json(&f);
        for (size_t i = 0; i < spec->model_count; i++) json_array_append_new(names, json_string(spec->models[i]));
        if (asked) json_object_set(asked, "models", names);
        st = wfi_study_begin(lab, "study failures", f.task->name, asked, &f.study, err);
        if (st == WF_OK) {
            st = models_ask(&f, err);
            if (st == WF_OK) st = look(&f, &result, err);
            st = wfi_study_end(&f.study, st, result, json, err);
        }
    }
    for (size_t m = 0; f.said && m < spec->model_count; m++) wfi_free((void *)f.said[m].scores);
    for (size_t m = 0; f.sources && m < spec->model_count; m++) json_decref(f.sources[m]);
    wfi_free(f.sources);
    wfi_free(f.said);
    wfi_free(f.features);
    wfi_rows_clear(&f.rows);
    wfi_truth_clear(&f.truth);
    wfi_task_free(f.task);
    json_decref(info);
    json_decref(names);
    return st;
}
