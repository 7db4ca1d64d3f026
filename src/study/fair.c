/* study/fair.c - wf_study_fair: the models answer the rows and the texts with swapped identities; the other files of
 * this study judge. See fair.h. */
#include "study/fair.h"
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include <stdio.h>
#include <string.h>

json_t *wfi_fair_interval(double value, double low, double high) {
    return json_pack("{s:o, s:o, s:o}", "value", wfi_study_real(value), "low", wfi_study_real(low), "high",
                     wfi_study_real(high));
}

int wfi_fair_draws(const wf_fair *f, size_t questions) {
    enum { EACH = 100, MOST = 100000 };
    const size_t least = questions < MOST / EACH ? questions * EACH : MOST;
    return (size_t)f->resamples > least ? f->resamples : (int)least;
}

/* The class whose false alarms and misses are counted: the named one, of two the second. */
static wf_status positive_settle(wf_fair *f, wf_err *err) {
    const wf_task *task = f->task;
    wf_buffer known = {0};
    if (task->kind != WF_KIND_CLASSIFICATION)
        return wfi_fail(err, WF_E_UNSUPPORTED,
                        "task \"%s\" is of kind %s; fairness is studied where rows have one class", task->name,
                        wfi_kind_name(task->kind));
    f->positive = f->spec->positive ? -1 : 1;
    for (int32_t c = 0; c < task->label_count; c++) {
        if (f->spec->positive && strcmp(task->labels[c], f->spec->positive) == 0) f->positive = c;
        if (c < 12) wfi_buffer_printf(&known, "%s%.40s", c ? ", " : "", task->labels[c]);
    }
    wf_status st = WF_OK;
    if (!f->spec->positive && task->label_count != 2)
        st = wfi_fail(err, WF_E_ARG,
                      "task \"%s\" has %d labels; say whose false alarms and misses count: --positive (%s)", task->name,
                      task->label_count, known.data ? known.data : "");
    else if (f->positive < 0)
        st = wfi_fail(err, WF_E_ARG, "task \"%s\" has no label \"%.40s\"; there are %s", task->name, f->spec->positive,
                      known.data ? known.data : "");
    wfi_buffer_clear(&known);
    return st;
}

static wf_status rows_settle(wf_fair *f, wf_err *err) {
    const wf_fair_spec *s = f->spec;
    const int64_t most = s->rows == 0 ? WF_STUDY_ROWS : s->rows;
    if (!s->data) return wfi_study_rows(f->task, most, s->seed, &f->rows, &f->part, err);
    WF_TRY(wfi_rows_read(s->data, f->task, NULL, true, &f->file, err));
    if (f->file.count == 0) return wfi_fail(err, WF_E_DATA, "%s has no rows", s->data);
    const wf_task view = {.name = f->task->name,
                          .kind = f->task->kind,
                          .label_count = f->task->label_count,
                          .labels = f->task->labels,
                          .test = f->file};
    const char *part;
    WF_TRY(wfi_study_rows(&view, most, s->seed, &f->rows, &part, err));
    f->part = s->data;
    return WF_OK;
}

static wf_status settle(wf_fair *f, wf_err *err) {
    const wf_fair_spec *s = f->spec;
    WF_TRY(positive_settle(f, err));
    if (s->rows < -1) return wfi_fail(err, WF_E_ARG, "rows must be -1 (all) or more");
    WF_TRY(wfi_study_resamples(s->resamples, WF_STUDY_RESAMPLES, &f->resamples, err));
    f->said = wfi_alloc(s->model_count, sizeof *f->said);
    f->swapped = wfi_alloc(s->model_count, sizeof *f->swapped);
    if (!f->said || !f->swapped) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    WF_TRY(wfi_fair_terms(s->terms, &f->terms, err));
    WF_TRY(rows_settle(f, err));
    WF_TRY(wfi_truth_make(f->task, &f->rows, &f->truth, err));
    return wfi_fair_texts(f, err);
}

static json_t *head_json(const wf_fair *f) {
    json_t *sets = json_object();
    const char *name, *identity;
    json_t *set, *forms;
    json_object_foreach(f->terms, name, set) {
        json_t *list = json_array();
        json_object_foreach(set, identity, forms) json_array_append_new(list, json_string(identity));
        json_object_set_new(sets, name, list);
    }
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:o}", "study", "fair", "task", f->task->name, "part",
                          f->part, "positive", f->task->labels[f->positive], "rows", (json_int_t)f->rows.count, "seed",
                          (json_int_t)f->spec->seed, "resamples", f->resamples, "sets", sets);
    if (!j) return NULL;
    json_object_set_new(
        j, "swaps_left_out",
        json_pack("{s:I, s:I}", "several_identities", (json_int_t)f->mixed, "ambiguous", (json_int_t)f->ambiguous));
    return j;
}

static wf_status models_ask(wf_fair *f, wf_err *err) {
    f->study.total = (int64_t)((f->rows.count + f->variants.count) * f->spec->model_count);
    for (size_t m = 0; m < f->spec->model_count; m++) {
        wf_trained t = {0};
        char stage[96];
        WF_TRY(wfi_trained_open(f->study.lab, f->spec->models[m], &t, err));
        wf_status st =
            wfi_study_predict(&f->study, &t, f->task, &f->rows, &f->truth, f->spec->models[m], &f->said[m], err);
        snprintf(stage, sizeof stage, "%.64s swaps", f->spec->models[m]);
        if (st == WF_OK && f->variants.count)
            st = wfi_study_predict(&f->study, &t, f->task, &f->variants, &f->variant_truth, stage, &f->swapped[m], err);
        wfi_trained_clear(&t);
        WF_TRY(st);
    }
    return WF_OK;
}

static wf_status judge(wf_fair *f, json_t **out, wf_err *err) {
    json_t *models = json_array();
    wf_status st = models ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t m = 0; st == WF_OK && m < f->spec->model_count; m++) {
        json_t *groups = NULL, *swaps = NULL, *one = json_pack("{s:s}", "name", f->spec->models[m]);
        st = wfi_fair_groups(f, &f->said[m], &groups, err);
        if (st == WF_OK) st = wfi_fair_swaps(f, &f->swapped[m], &swaps, err);
        if (st == WF_OK) {
            json_object_update(one, groups);
            json_object_set(one, "swaps", swaps);
            json_array_append(models, one);
            st = wfi_study_tick(&f->study, "judge", 0, err);
        }
        json_decref(groups);
        json_decref(swaps);
        json_decref(one);
    }
    json_t *j = st == WF_OK ? head_json(f) : NULL;
    if (j) json_object_set(j, "models", models);
    if (st == WF_OK && !j) st = wfi_fail(err, WF_E_NOMEM, "out of memory for the result");
    json_decref(models);
    if (st == WF_OK) *out = j;
    return st;
}

wf_status wf_study_fair(wf_lab *lab, const wf_fair_spec *spec, char **json, wf_err *err) {
    wf_fair f = {.study = {.lab = lab}, .spec = spec};
    json_t *result = NULL, *names = json_array();
    wf_status st = wfi_study_task(lab, spec->models, spec->model_count, spec->task, &f.task, err);
    if (st == WF_OK) st = settle(&f, err);
    if (st == WF_OK) {
        json_t *asked = head_json(&f);
        for (size_t i = 0; i < spec->model_count; i++) json_array_append_new(names, json_string(spec->models[i]));
        if (asked) json_object_set(asked, "models", names);
        st = wfi_study_begin(lab, "study fair", f.task->name, asked, &f.study, err);
        if (st == WF_OK) {
            st = models_ask(&f, err);
            if (st == WF_OK) st = judge(&f, &result, err);
            st = wfi_study_end(&f.study, st, result, json, err);
        }
    }
    for (size_t m = 0; f.said && f.swapped && m < spec->model_count; m++) {
        wfi_free((void *)f.said[m].scores);
        wfi_free((void *)f.swapped[m].scores);
    }
    wfi_free(f.said);
    wfi_free(f.swapped);
    wfi_fair_texts_clear(&f);
    wfi_rows_clear(&f.rows);
    wfi_rows_clear(&f.file);
    wfi_truth_clear(&f.truth);
    wfi_task_free(f.task);
    json_decref(f.terms);
    json_decref(names);
    return st;
}
