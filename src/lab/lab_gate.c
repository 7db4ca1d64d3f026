/* lab/lab_gate.c - gates: each task's model and the score it must not fall below. See weft/guard.h.
 * A gate is an object of the registry without files: kind "gate", named by its task, whose child it is, so that a task
 * with a gate cannot be taken away from under it. Its model is known by name only: another model may take that name,
 * and is then judged by the old one's score. */
#include "base/error.h"
#include "base/hash.h"
#include "lab/heads.h"
#include "lab/job.h"
#include "weft/guard.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RESAMPLES = 1000 };
static const double TOLERANCE = 0.5, POINT = 0.01, ROUNDING = 1e-9;

typedef struct gate { /* strings borrowed from j */
    json_t *j;
    const char *model, *metric, *split;
    double recorded, tolerance;
} gate;

/* False: there is none (not an error), or *st says why not. */
static bool gate_read(wf_lab *lab, const char *task, gate *g, wf_status *st, wf_err *err) {
    wf_record r = {0};
    *g = (gate){0};
    *st = wfi_registry_get(lab->registry, "gate", task, &r, NULL);
    if (*st == WF_E_NOTFOUND) return *st = WF_OK, false;
    if (*st == WF_OK) *st = wfi_lab_record_json(&r, &g->j, err);
    if (*st == WF_OK) *st = wfi_json_str(g->j, "model", "gate", &g->model, err);
    if (*st == WF_OK) *st = wfi_json_str(g->j, "metric", "gate", &g->metric, err);
    if (*st == WF_OK) *st = wfi_json_str(g->j, "split", "gate", &g->split, err);
    if (*st == WF_OK) *st = wfi_json_num(g->j, "recorded", "gate", &g->recorded, err);
    if (*st == WF_OK) *st = wfi_json_num(g->j, "tolerance", "gate", &g->tolerance, err);
    wfi_record_clear(&r);
    return *st == WF_OK;
}

/* ---- scores ---- */

static wf_status task_of(const json_t *info, const char *model, const char *task, wf_err *err) {
    const char *own = NULL;
    WF_TRY(wfi_json_str(info, "task", model, &own, err));
    return strcmp(own, task) == 0
               ? WF_OK
               : wfi_fail(err, WF_E_ARG, "model \"%s\" answers task \"%s\", not \"%s\"", model, own, task);
}

/* What `model` reaches on the part, by the task's metric. */
static wf_status score(wf_lab *lab, const char *model, const wf_task *task, const char *split, int resamples,
                       wf_metric_value *out, wf_err *err) {
    const wf_rows *rows = strcmp(split, "dev") == 0 ? &task->dev : &task->test;
    wf_trained t = {0};
    wf_encoded e = {0};
    wf_scores s;
    if (rows->count == 0) return wfi_fail(err, WF_E_NOTFOUND, "task \"%s\" has no %s rows", task->name, split);
    WF_TRY(wfi_trained_open(lab, model, &t, err));
    wf_status st = task_of(t.info, model, task->name, err);
    if (st == WF_OK) st = wfi_job_encode(&t, rows, task, &e, err);
    if (st == WF_OK) st = wfi_evaluate(t.context, &e, t.classes, resamples, 0, &s, err);
    const wf_metric_value *m = st == WF_OK ? wfi_scores_find(&s, task->metric) : NULL;
    if (st == WF_OK && !m) st = wfi_fail(err, WF_E_DATA, "task \"%s\" has no metric \"%s\"", task->name, task->metric);
    if (m) *out = *m;
    wfi_encoded_clear(&e);
    wfi_trained_clear(&t);
    return st;
}

/* ---- setting ---- */

static wf_status only_model(wf_lab *lab, const char *task, char out[160], wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0, found = 0;
    WF_TRY(wfi_registry_list(lab->registry, "model", &records, &count, err));
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        json_t *info = NULL;
        st = wfi_lab_record_json(&records[i], &info, err);
        const char *own = json_string_value(json_object_get(info, "task"));
        if (own && strcmp(own, task) == 0 && found++ == 0) snprintf(out, 160, "%.64s", records[i].name);
        json_decref(info);
    }
    wfi_records_free(records, count);
    if (st == WF_OK && found == 0)
        st = wfi_fail(err, WF_E_NOTFOUND, "no model answers task \"%s\" yet; train one: weft train %s", task, task);
    if (st == WF_OK && found > 1)
        st = wfi_fail(err, WF_E_ARG, "%zu models answer task \"%s\"; say which one with --model (see: weft list)",
                      found, task);
    return st;
}

static wf_status gate_store(wf_lab *lab, const wf_record *task, const json_t *j, bool there, wf_err *err) {
    char hex[WF_HASH_HEX];
    char *text = wfi_json_text(j, false);
    int64_t id = 0;
    if (!text) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_record record = {.kind = (char *)"gate", .name = task->name, .hash = hex, .path = (char *)"", .json = text};
    wf_status st = wfi_hash_bytes(text, strlen(text), hex, err);
    if (st == WF_OK) st = wfi_registry_begin(lab->registry, err);
    if (st == WF_OK) {
        if (there) st = wfi_registry_remove(lab->registry, "gate", task->name, err);
        if (st == WF_OK) st = wfi_registry_put(lab->registry, &record, &id, err);
        if (st == WF_OK) st = wfi_registry_link(lab->registry, id, task->id, err);
        if (st == WF_OK)
            st = wfi_registry_commit(lab->registry, err);
        else
            wfi_registry_rollback(lab->registry);
    }
    wf_free(text);
    return st;
}

static wf_status spec_check(const wf_gate_spec *s, bool there, wf_err *err) {
    if (!(s->tolerance >= 0 || s->tolerance == -1) || !(s->tolerance <= 100))
        return wfi_fail(err, WF_E_ARG, "tolerance is %g points; it must lie in [0, 100]", s->tolerance);
    if (s->split && strcmp(s->split, "test") != 0 && strcmp(s->split, "dev") != 0)
        return wfi_fail(err, WF_E_ARG, "split \"%.40s\": a gate stands on test or dev", s->split);
    if (there && !s->model && !s->split && s->tolerance == 0 && !s->record)
        return wfi_fail(err, WF_E_ARG,
                        "task \"%s\" has a gate already; change it with --tolerance, --model or --split, or record the "
                        "present score with --record",
                        s->task);
    return WF_OK;
}

wf_status wf_gate_set(wf_lab *lab, const wf_gate_spec *s, char **json, wf_err *err) {
    wf_task *task = NULL;
    wf_record record = {0};
    wf_metric_value m = {0};
    char model[160] = ""; /* NAME, or NAME:TASK of a joint training */
    gate old;
    json_t *j = NULL;
    WF_TRY(wfi_lab_task(lab, s->task, &task, &record, err));
    wf_status st = WF_OK;
    const bool there = gate_read(lab, s->task, &old, &st, err);
    if (st == WF_OK) st = spec_check(s, there, err);
    if (st == WF_OK && (s->model || there))
        snprintf(model, sizeof model, "%.159s", s->model ? s->model : old.model);
    else if (st == WF_OK)
        st = only_model(lab, s->task, model, err);
    const char *split = s->split ? s->split : there ? old.split : task->test.count ? "test" : "dev";
    const bool anew = !there || s->model || s->split || s->record;
    if (st == WF_OK && anew) st = score(lab, model, task, split, 0, &m, err);
    if (st == WF_OK && anew && isnan(m.value))
        st = wfi_fail(err, WF_E_DATA, "%s of \"%s\" is not defined on %s; a gate needs a score", task->metric, model,
                      split);
    const double tolerance = s->tolerance > 0 ? s->tolerance : s->tolerance < 0 ? 0 : there ? old.tolerance : TOLERANCE;
    const wf_rows *rows = strcmp(split, "dev") == 0 ? &task->dev : &task->test;
    if (st == WF_OK && !(j = json_pack("{s:s, s:s, s:s, s:s, s:I, s:f, s:f}", "task", s->task, "model", model, "metric",
                                       task->metric, "split", split, "rows", (json_int_t)rows->count, "recorded",
                                       anew ? m.value : old.recorded, "tolerance", tolerance)))
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = gate_store(lab, &record, j, there, err);
    if (st == WF_OK) {
        json_object_set_new(j, "was", there ? json_real(old.recorded) : json_null());
        st = wfi_lab_give(json_incref(j), json, err);
    }
    json_decref(j);
    json_decref(old.j);
    wfi_record_clear(&record);
    wfi_task_free(task);
    return st;
}

wf_status wf_gate_remove(wf_lab *lab, const char *task, char **json, wf_err *err) {
    if (!task) return wfi_fail(err, WF_E_ARG, "the gate of which task? see: weft gate");
    WF_TRY(wfi_registry_remove(lab->registry, "gate", task, err));
    return wfi_lab_give(json_pack("{s:s, s:s}", "removed", task, "kind", "gate"), json, err);
}

/* ---- checking ---- */

static json_t *finite_json(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static wf_status gate_need(wf_lab *lab, const char *task, gate *g, wf_err *err) {
    wf_record r = {0};
    wf_status st = WF_OK;
    if (gate_read(lab, task, g, &st, err) || st != WF_OK) return st;
    WF_TRY(wfi_registry_get(lab->registry, "task", task, &r, err));
    wfi_record_clear(&r);
    return wfi_fail(err, WF_E_NOTFOUND, "task \"%.64s\" has no gate; make one: weft gate set %.64s", task, task);
}

/* A mistyped word is no score that fell, and is said before others are scored. */
static wf_status words_check(wf_lab *lab, const char *task, const char *model, wf_err *err) {
    gate g;
    json_t *info = NULL;
    wf_status st = gate_need(lab, task, &g, err);
    if (st == WF_OK && model) st = wfi_model_find(lab, model, NULL, &info, NULL, err);
    if (info) st = task_of(info, model, task, err);
    json_decref(info);
    json_decref(g.j);
    return st;
}

/* One gate's row; what keeps a model from being scored is a gate that does not hold. */
static wf_status gate_judge(wf_lab *lab, const char *name, const char *asked, json_t **out, wf_err *err) {
    gate g;
    wf_task *task = NULL;
    wf_metric_value m = {.value = NAN, .low = NAN, .high = NAN};
    wf_err why = {0};
    const wf_status st = gate_need(lab, name, &g, err);
    if (st != WF_OK) {
        json_decref(g.j);
        return st;
    }
    const char *model = asked ? asked : g.model;
    wf_status scored = wfi_lab_task(lab, name, &task, NULL, &why);
    if (scored == WF_OK) scored = score(lab, model, task, g.split, RESAMPLES, &m, &why);
    const double sign = wfi_metric_lower_is_better(g.metric) ? -1 : 1, fall = sign * (g.recorded - m.value) / POINT;
    const bool holds = scored == WF_OK && fall <= g.tolerance + ROUNDING; /* a NaN does not */
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:b}", "task", name, "model", model, "metric", g.metric,
                          "split", g.split, "recorded", g.recorded, "tolerance", g.tolerance, "holds", holds);
    json_object_set(j, "rows", json_object_get(g.j, "rows"));
    json_object_set_new(j, "score", finite_json(m.value));
    json_object_set_new(j, "low", finite_json(m.low));
    json_object_set_new(j, "high", finite_json(m.high));
    json_object_set_new(j, "fall", finite_json(fall));
    json_object_set_new(j, "why",
                        scored != WF_OK ? json_string(why.text)
                        : holds
                            ? json_null()
                            : json_sprintf("%s fell by %.2f points; %.2f are tolerated", g.metric, fall, g.tolerance));
    *out = j;
    json_decref(g.j);
    wfi_task_free(task);
    return j ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

static wf_status all_judge(wf_lab *lab, const char *const *tasks, const char *const *models, size_t count, json_t *all,
                           wf_err *err) {
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < count; i++) st = words_check(lab, tasks[i], models ? models[i] : NULL, err);
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        json_t *one = NULL;
        const wf_progress p = {.stage = "gate",
                               .name = tasks[i],
                               .done = (int64_t)i,
                               .total = (int64_t)count,
                               .loss = NAN,
                               .seconds_left = -1,
                               .rate_unit = ""};
        if (wfi_lab_tick(lab, &p, false)) return wfi_fail(err, WF_E_CANCELLED, "cancelled");
        st = gate_judge(lab, tasks[i], models ? models[i] : NULL, &one, err);
        if (st == WF_OK) json_array_append_new(all, one);
    }
    return st;
}

static wf_status every_judge(wf_lab *lab, json_t *all, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0;
    WF_TRY(wfi_registry_list(lab->registry, "gate", &records, &count, err));
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        const char *name = records[i].name;
        st = all_judge(lab, &name, NULL, 1, all, err);
    }
    wfi_records_free(records, count);
    return st;
}

wf_status wf_gate_check(wf_lab *lab, const char *const *tasks, const char *const *models, size_t count, char **json,
                        wf_err *err) {
    json_t *all = json_array();
    if (!all) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_lab_check_once(lab, true);
    wf_status st = count ? all_judge(lab, tasks, models, count, all, err) : every_judge(lab, all, err);
    wfi_lab_check_once(lab, false);
    size_t i, bad = 0;
    const size_t checked = json_array_size(all);
    const json_t *one;
    json_array_foreach(all, i, one) bad += !json_is_true(json_object_get(one, "holds"));
    if (st != WF_OK) {
        json_decref(all);
        return st;
    }
    WF_TRY(wfi_lab_give(json_pack("{s:b, s:I, s:o}", "ok", bad == 0, "checked", (json_int_t)checked, "gates", all),
                        json, err));
    return bad ? wfi_fail(err, WF_E_CHECK, "%zu of %zu gate%s did not hold", bad, checked, checked == 1 ? "" : "s")
               : WF_OK;
}
