/* lab/lab_rank.c - the ranking of sources for a task, and how it agrees with what they really give. See weft/guard.h.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "lab/compare.h"
#include "lab/job.h"
#include "lab/precision.h"
#include "lab/rank.h"
#include "metrics/significance.h"
#include "weft/guard.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double CLAIM = 0.05;

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *sources_json(const wf_ranking *r) {
    json_t *all = json_array();
    for (size_t i = 0; i < r->count; i++) {
        const wf_rank_source *s = &r->source[i];
        json_t *j = json_pack("{s:I, s:s, s:s, s:s, s:f, s:b}", "rank", (json_int_t)i + 1, "name", s->name, "task",
                              s->task, "method", s->method, "score", s->score, "fusable", s->fusable);
        for (int k = 0; k < WF_RANK_ESTIMATES; k++) json_object_set_new(j, wfi_rank_names[k], number(s->by[k]));
        if (s->heads) json_object_set(j, "heads", s->heads);
        json_array_append_new(all, j);
    }
    return all;
}

/* ---- the check ---- */

typedef struct check {
    wf_lab *lab;
    const wf_rank_spec *spec;
    const wf_ranking *r;
    wf_task *task;
    wf_record record;
    const char *base, *dtype, *folder, *log;
    double head;
} check;

/* Score of one training on test, or dev where there are no test rows: a head alone, or a fusion of one source. */
static wf_status train_one(const check *c, const char *source, const char *stage, double *out, wf_err *err) {
    json_t *j = NULL, *result = NULL;
    wf_settings s;
    wf_trained t = {0};
    wf_train_spec spec = c->spec->train;
    spec.task = c->task->name;
    spec.base = c->base;
    spec.base_dtype = c->dtype;
    spec.method = source ? "fusion" : "head";
    spec.from = &source;
    spec.from_count = source ? 1 : 0;
    spec.config = source ? spec.config : NULL;
    spec.seed = c->spec->seed;
    WF_TRY(wfi_settings_resolve(&spec, &j, err));
    wf_status st = wfi_settings_read(j, &s, err);
    const wf_job job = {.lab = c->lab,
                        .settings = &s,
                        .name = "ranked",
                        .task = c->task,
                        .task_record = &c->record,
                        .folder = c->folder,
                        .log = c->log,
                        .stage = stage,
                        .part = true};
    if (st == WF_OK) st = wfi_job_run(&job, &t, &result, err);
    const json_t *score =
        json_object_get(json_object_get(result, c->task->test.count ? "test" : "dev"), c->task->metric);
    if (st == WF_OK) *out = json_is_number(score) ? json_number_value(score) : NAN;
    wfi_trained_clear(&t);
    json_decref(result);
    json_decref(j);
    return st;
}

/* {"rho","p","agrees"} of one estimate with the gains, over the sources that have both. */
static wf_status agreement(const wf_ranking *r, int by, const double *gain, uint64_t seed, json_t **out, wf_err *err) {
    double *x = wfi_alloc(r->count, sizeof *x), *y = wfi_alloc(r->count, sizeof *y), rho = NAN, p = NAN;
    size_t n = 0;
    wf_status st = x && y ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < r->count; i++) {
        const double v = by < WF_RANK_ESTIMATES ? r->source[i].by[by] : r->source[i].score;
        if (isnan(v) || isnan(gain[i])) continue;
        x[n] = v;
        y[n++] = gain[i];
    }
    if (st == WF_OK) st = wfi_spearman_test(x, y, n, seed, &rho, &p, err);
    if (st == WF_OK)
        *out = json_pack("{s:I, s:o, s:o, s:b}", "sources", (json_int_t)n, "rho", number(rho), "p", number(p), "agrees",
                         rho > 0 && p < CLAIM);
    wfi_free(x);
    wfi_free(y);
    return st;
}

static wf_status gains_make(check *c, double *gain, json_t *all, wf_err *err) {
    const double sign = wfi_metric_lower_is_better(c->task->metric) ? -1 : 1;
    WF_TRY(train_one(c, NULL, "check: head alone", &c->head, err));
    for (size_t i = 0; i < c->r->count; i++) {
        char stage[96];
        double score = NAN;
        gain[i] = NAN;
        if (!c->r->source[i].fusable) continue;
        snprintf(stage, sizeof stage, "check %zu/%zu: %.40s", i + 1, c->r->count, c->r->source[i].name);
        WF_TRY(train_one(c, c->r->source[i].name, stage, &score, err));
        gain[i] = sign * (score - c->head);
        json_array_append_new(all, json_pack("{s:s, s:o, s:o}", "name", c->r->source[i].name, "score", number(score),
                                             "gain", number(gain[i])));
    }
    return WF_OK;
}

static wf_status check_run(check *c, json_t **out, wf_err *err) {
    double *gain = wfi_alloc(c->r->count + 1, sizeof *gain);
    json_t *all = json_array(), *correlation = json_object();
    wf_status st =
        gain && all && correlation ? gains_make(c, gain, all, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (int by = 0; st == WF_OK && by <= WF_RANK_ESTIMATES; by++) {
        json_t *one = NULL;
        st = agreement(c->r, by, gain, c->spec->seed, &one, err);
        json_object_set_new(correlation, by < WF_RANK_ESTIMATES ? wfi_rank_names[by] : "score", one);
    }
    if (st == WF_OK)
        *out = json_pack("{s:s, s:s, s:o, s:O, s:O}", "part", c->task->test.count ? "test" : "dev", "metric",
                         c->task->metric, "head", number(c->head), "sources", all, "correlation", correlation);
    json_decref(all);
    json_decref(correlation);
    wfi_free(gain);
    return st;
}

static wf_status check_all(wf_lab *lab, const wf_rank_spec *spec, const wf_ranking *r, int64_t run, json_t **out,
                           wf_err *err) {
    check c = {.lab = lab, .spec = spec, .r = r};
    wf_open_base *base = NULL;
    wf_dtype type = WF_DTYPE_F32;
    char *folder = wfi_run_path(lab, run, ""), *log = wfi_run_path(lab, run, "log.txt");
    wf_status st = folder && log ? wfi_run_folder(lab, run, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_lab_task(lab, spec->task, &c.task, &c.record, err);
    if (st == WF_OK) st = wfi_lab_base(lab, spec->base, WF_DTYPE_F32, &base, err);
    if (st == WF_OK) st = wfi_precision_settle(lab, base, spec->train.base_dtype, false, &type, err);
    if (st == WF_OK) {
        c.base = base->name;
        c.dtype = wfi_precision_name(type);
        c.folder = folder;
        c.log = log;
        st = check_run(&c, out, err);
    }
    wfi_record_clear(&c.record);
    wfi_task_free(c.task);
    wfi_free(folder);
    wfi_free(log);
    return st;
}

static wf_status result_make(wf_lab *lab, const wf_rank_spec *s, const wf_ranking *r, int64_t run, char **text,
                             wf_err *err) {
    json_t *agrees = NULL;
    if (run) WF_TRY(check_all(lab, s, r, run, &agrees, err));
    json_t *j =
        json_pack("{s:s, s:I, s:s, s:o, s:o}", "task", s->task, "rows", (json_int_t)r->rows, "by",
                  s->by ? s->by : "all", "base_neighbours", number(r->base_neighbours), "sources", sources_json(r));
    char caution[200];
    json_object_set_new(j, "caution", wfi_rank_caution(r, caution) ? json_string(caution) : json_null());
    json_object_set(j, "left_out", r->left_out);
    json_object_set_new(j, "check", agrees ? agrees : json_null());
    if (run) json_object_set_new(j, "run", json_integer(run));
    return wfi_lab_give(j, text, err);
}

wf_status wf_rank(wf_lab *lab, const wf_rank_spec *s, char **json, wf_err *err) {
    const wf_rank_wish wish = {.task = s->task, .base = s->base, .by = s->by, .rows = s->rows, .seed = s->seed};
    wf_ranking r = {0};
    int64_t run = 0;
    char *text = NULL;
    WF_TRY(wfi_precision_check(s->train.base_dtype, err));
    WF_TRY(wfi_rank(lab, &wish, &r, err));
    wf_status st = WF_OK;
    if (s->check) {
        json_t *spec = json_pack("{s:s, s:I}", "task", s->task, "seed", (json_int_t)s->seed);
        char *kept = spec ? wfi_json_text(spec, false) : NULL;
        st = kept ? wfi_run_begin(lab->registry, "rank", s->task, kept, &run, err)
                  : wfi_fail(err, WF_E_NOMEM, "out of memory");
        wfi_free(kept);
        json_decref(spec);
    }
    if (st == WF_OK) st = result_make(lab, s, &r, run, &text, err);
    if (run && st == WF_OK) st = wfi_run_end(lab->registry, run, "done", text, err);
    if (run && st != WF_OK)
        wfi_run_end(lab->registry, run, st == WF_E_CANCELLED ? "cancelled" : "failed", err ? err->text : "", NULL);
    wfi_ranking_clear(&r);
    if (st == WF_OK && json)
        *json = text;
    else
        wfi_free(text);
    return st;
}
