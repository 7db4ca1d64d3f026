/* study/robust.c - wf_study_robust: settles what is asked, lets every model answer every variant, and gathers what the
 * other files of this study make of it. See robust.h. */
#include "study/robust.h"
#include "base/alloc.h"
#include "base/error.h"
#include <stdio.h>
#include <string.h>

static void kinds_list(char out[200]) {
    const wf_perturbation *p;
    for (size_t i = 0, n = 0; (p = wfi_perturbation_at(i)) && n < 200; i++)
        n += (size_t)snprintf(out + n, 200 - n, "%s%s", i ? ", " : "", wfi_perturbation_name(p));
}

static wf_status kinds_settle(wf_robust *r, wf_err *err) {
    const wf_robust_spec *s = r->spec;
    char known[200];
    for (size_t i = 0; s->kind_count == 0 && wfi_perturbation_at(i); i++)
        if (s->wordnet || !wfi_perturbation_needs_wordnet(wfi_perturbation_at(i)))
            r->kinds[r->kind_count++] = wfi_perturbation_at(i);
    for (size_t i = 0; i < s->kind_count; i++) {
        const wf_perturbation *p = wfi_perturbation_find(s->kinds[i]);
        kinds_list(known);
        if (!p) return wfi_fail(err, WF_E_ARG, "there is no disturbance \"%.40s\"; there are %s", s->kinds[i], known);
        for (size_t k = 0; k < r->kind_count; k++)
            if (r->kinds[k] == p) return wfi_fail(err, WF_E_ARG, "disturbance \"%s\" is named twice", s->kinds[i]);
        if (wfi_perturbation_needs_wordnet(p) && !s->wordnet)
            return wfi_fail(err, WF_E_ARG,
                            "\"%s\" needs the files of WordNet: give their folder with --wordnet (Debian: package "
                            "wordnet-base, /usr/share/wordnet)",
                            s->kinds[i]);
        r->kinds[r->kind_count++] = p;
    }
    return WF_OK;
}

static wf_status settle(wf_robust *r, wf_err *err) {
    const wf_robust_spec *s = r->spec;
    WF_TRY(kinds_settle(r, err));
    for (int x = 1; x <= WF_STRENGTHS; x++) {
        bool asked = s->strength_count == 0;
        for (size_t i = 0; i < s->strength_count; i++) {
            if (s->strengths[i] < 1 || s->strengths[i] > WF_STRENGTHS)
                return wfi_fail(err, WF_E_ARG, "strength %d does not exist; use 1 to %d", s->strengths[i],
                                WF_STRENGTHS);
            asked = asked || s->strengths[i] == x;
        }
        if (asked) r->strengths[r->strength_count++] = x;
    }
    WF_TRY(wfi_study_resamples(s->resamples, WF_STUDY_RESAMPLES, &r->resamples, err));
    if (s->rows < -1) return wfi_fail(err, WF_E_ARG, "rows must be -1 (all) or more");
    r->metric = r->task->metric;
    r->sign = wfi_study_lower_is_better(r->metric) ? -1 : 1;
    r->count = 1 + r->kind_count * r->strength_count;
    r->variants = wfi_alloc(r->count, sizeof *r->variants);
    r->said = wfi_alloc(s->model_count * r->count, sizeof *r->said);
    r->set_said = wfi_alloc(s->model_count * s->set_count, sizeof *r->set_said);
    if (!r->variants || !r->said || !r->set_said) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    WF_TRY(
        wfi_study_rows(r->task, s->rows == 0 ? WF_STUDY_ROWS : s->rows, s->seed, &r->variants[0].rows, &r->part, err));
    return wfi_truth_make(r->task, &r->variants[0].rows, &r->truth, err);
}

static json_t *names_json(const char *const *names, size_t n) {
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_string(names[i]));
    return list;
}

/* What was asked, settled: the run's record and the head of the result. */
static json_t *head_json(const wf_robust *r) {
    json_t *kinds = json_array(), *strengths = json_array();
    for (size_t k = 0; k < r->kind_count; k++)
        json_array_append_new(kinds, json_string(wfi_perturbation_name(r->kinds[k])));
    for (size_t i = 0; i < r->strength_count; i++) json_array_append_new(strengths, json_integer(r->strengths[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:o, s:o, s:o}", "study", "robust", "task", r->task->name,
                     "metric", r->metric, "part", r->part, "rows", (json_int_t)r->variants[0].rows.count, "seed",
                     (json_int_t)r->spec->seed, "resamples", r->resamples, "disturbances", kinds, "strengths",
                     strengths, "set_names", names_json(r->spec->sets, r->spec->set_count));
}

/* One model at a time is in memory. */
static wf_status models_ask(wf_robust *r, wf_err *err) {
    const size_t sets = r->spec->set_count;
    r->study.total = (int64_t)(r->count * r->variants[0].rows.count);
    for (size_t i = 0; i < sets; i++) r->study.total += (int64_t)r->sets[i].rows.count;
    r->study.total *= (int64_t)r->spec->model_count;
    for (size_t m = 0; m < r->spec->model_count; m++) {
        wf_trained t = {0};
        char stage[96];
        wf_status st = wfi_trained_open(r->study.lab, r->spec->models[m], &t, err);
        for (size_t v = 0; st == WF_OK && v < r->count; v++) {
            const wf_perturbation *kind = r->variants[v].kind;
            snprintf(stage, sizeof stage, "%.64s %s", r->spec->models[m], kind ? wfi_perturbation_name(kind) : "test");
            st = wfi_study_predict(&r->study, &t, r->task, &r->variants[v].rows, &r->truth, stage,
                                   &r->said[m * r->count + v], err);
        }
        for (size_t i = 0; st == WF_OK && i < sets; i++)
            st = wfi_study_predict(&r->study, &t, r->task, &r->sets[i].rows, &r->sets[i].truth, r->sets[i].name,
                                   &r->set_said[m * sets + i], err);
        wfi_trained_clear(&t);
        WF_TRY(st);
    }
    return WF_OK;
}

static wf_status judge(wf_robust *r, json_t **out, wf_err *err) {
    json_t *models = json_array(), *pairs = NULL;
    wf_status st = models ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t m = 0; st == WF_OK && m < r->spec->model_count; m++) {
        json_t *one = NULL;
        st = wfi_robust_model(r, m, &one, err);
        if (st == WF_OK) json_array_append_new(models, one);
        if (st == WF_OK) st = wfi_study_tick(&r->study, "judge", 0, err);
    }
    if (st == WF_OK) st = wfi_robust_pairs(r, &pairs, err);
    json_t *j = st == WF_OK ? head_json(r) : NULL;
    if (j) {
        json_object_set(j, "models", models);
        json_object_set(j, "pairs", pairs);
    }
    json_decref(models);
    json_decref(pairs);
    if (st == WF_OK && !j) return wfi_fail(err, WF_E_NOMEM, "out of memory for the result");
    *out = j;
    return st;
}

static void clear(wf_robust *r) {
    for (size_t i = 0; r->said && i < r->spec->model_count * r->count; i++) wfi_free((void *)r->said[i].scores);
    for (size_t i = 0; r->set_said && i < r->spec->model_count * r->spec->set_count; i++)
        wfi_free((void *)r->set_said[i].scores);
    wfi_free(r->said);
    wfi_free(r->set_said);
    wfi_robust_texts_clear(r);
    wfi_robust_sets_clear(r);
    wfi_truth_clear(&r->truth);
    wfi_task_free(r->task);
}

wf_status wf_study_robust(wf_lab *lab, const wf_robust_spec *spec, char **json, wf_err *err) {
    wf_robust r = {.study = {.lab = lab}, .spec = spec};
    wf_wordnet *wordnet = NULL;
    json_t *result = NULL;
    wf_status st = wfi_study_task(lab, spec->models, spec->model_count, spec->task, &r.task, err);
    if (st == WF_OK) st = settle(&r, err);
    if (st == WF_OK && spec->wordnet) st = wfi_wordnet_open(spec->wordnet, &wordnet, err);
    if (st == WF_OK) st = wfi_robust_sets(&r, err);
    if (st == WF_OK) st = wfi_robust_texts(&r, wordnet, err);
    if (st == WF_OK) {
        json_t *asked = head_json(&r);
        if (asked) json_object_set_new(asked, "models", names_json(spec->models, spec->model_count));
        st = wfi_study_begin(lab, "study robust", r.task->name, asked, &r.study, err);
        if (st == WF_OK) {
            st = models_ask(&r, err);
            if (st == WF_OK) st = judge(&r, &result, err);
            st = wfi_study_end(&r.study, st, result, json, err);
        }
    }
    wfi_wordnet_free(wordnet);
    clear(&r);
    return st;
}
