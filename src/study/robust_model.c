/* study/robust_model.c - one model: as the texts stand, disturbed, on other sets, by group. See robust.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "study/robust.h"
#include <math.h>
#include <string.h>

static const wf_predictions *said(const wf_robust *r, size_t m, size_t variant) {
    return &r->said[m * r->count + variant];
}

static void metric_add(json_t *to, const char *key, const wf_predictions *p) {
    json_object_set_new(to, key, wfi_study_real(wfi_study_score(p, key)));
}

/* Share of rows whose answer is another one than on the text as it stands. */
static json_t *flipped(const wf_predictions *clean, const wf_predictions *p) {
    size_t n = 0;
    if (p->kind != WF_SCORE_CLASSES) return json_null();
    for (size_t i = 0; i < p->rows; i++) n += wfi_study_said(clean, i) != wfi_study_said(p, i);
    return json_real((double)n / (double)p->rows);
}

static json_t *strength_json(const wf_robust *r, size_t m, size_t at, double clean) {
    const wf_predictions *p = said(r, m, at);
    const wf_variant *v = &r->variants[at];
    const double score = wfi_study_score(p, r->metric), drop = r->sign * (clean - score);
    json_t *j =
        json_pack("{s:i, s:o, s:o, s:o, s:f, s:o}", "strength", v->strength, "score", wfi_study_real(score), "drop",
                  wfi_study_real(drop), "relative_drop", wfi_study_real(clean != 0 ? drop / fabs(clean) : NAN),
                  "changed", (double)v->changed / (double)v->rows.count, "flipped", flipped(said(r, m, 0), p));
    if (j && p->kind == WF_SCORE_CLASSES) {
        metric_add(j, "ece", p);
        metric_add(j, "brier", p);
    }
    return j;
}

/* Mean height of the curve from strength 0 to the last. */
static double area(const wf_robust *r, size_t m, size_t kind, double clean) {
    double sum = 0, x = 0, y = clean;
    for (size_t s = 0; s < r->strength_count; s++) {
        const double next = wfi_study_score(said(r, m, wfi_robust_at(r, kind, s)), r->metric);
        sum += (r->strengths[s] - x) * (y + next) / 2;
        x = r->strengths[s];
        y = next;
    }
    return sum / x;
}

/* Mean loss over some variants, held against no loss by resampling the rows. */
static wf_status drop_test(const wf_robust *r, size_t m, size_t first, size_t n, wf_paired_test *out, wf_err *err) {
    wf_predictions *clean = wfi_alloc(n, sizeof *clean);
    double *weight = wfi_alloc(n, sizeof *weight);
    wf_status st = clean && weight ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < n; i++) {
        clean[i] = *said(r, m, 0);
        weight[i] = r->sign / (double)n;
    }
    const wf_paired_sets sets = {.a = clean, .b = said(r, m, first), .weight = weight, .count = n, .seeds = 1};
    if (st == WF_OK) st = wfi_paired_bootstrap(&sets, r->metric, r->resamples, r->spec->seed, out, err);
    wfi_free(clean);
    wfi_free(weight);
    return st;
}

static json_t *drop_json(const wf_paired_test *t, double p_holm) {
    json_t *j = json_pack("{s:o, s:o, s:o, s:o}", "value", wfi_study_real(t->difference), "low", wfi_study_real(t->low),
                          "high", wfi_study_real(t->high), "p", wfi_study_real(t->p));
    json_object_set_new(j, "p_holm", wfi_study_real(p_holm));
    json_object_set_new(j, "breaks", json_boolean(p_holm < 0.05 && t->difference > 0));
    return j;
}

/* One object a kind; whether a kind breaks the model is asked of all kinds together. */
static wf_status kinds_add(const wf_robust *r, size_t m, double clean, json_t *to, wf_err *err) {
    wf_paired_test tests[WF_KINDS_MAX];
    double p[WF_KINDS_MAX];
    for (size_t k = 0; k < r->kind_count; k++) {
        WF_TRY(drop_test(r, m, wfi_robust_at(r, k, 0), r->strength_count, &tests[k], err));
        p[k] = tests[k].p;
    }
    WF_TRY(wfi_holm(p, r->kind_count, p, err));
    for (size_t k = 0; k < r->kind_count; k++) {
        json_t *curve = json_array();
        for (size_t s = 0; s < r->strength_count; s++)
            json_array_append_new(curve, strength_json(r, m, wfi_robust_at(r, k, s), clean));
        json_array_append_new(to, json_pack("{s:s, s:o, s:o, s:o}", "kind", wfi_perturbation_name(r->kinds[k]), "area",
                                            wfi_study_real(area(r, m, k, clean)), "drop", drop_json(&tests[k], p[k]),
                                            "strengths", curve));
    }
    return WF_OK;
}

/* All disturbed rows as if they were one set: calibration needs many rows. */
static wf_status pooled_add(const wf_robust *r, size_t m, json_t *to, wf_err *err) {
    const wf_predictions *first = said(r, m, 1);
    const size_t n = first->rows, sets = r->count - 1;
    if (first->kind != WF_SCORE_CLASSES) return WF_OK;
    const size_t width = (size_t)first->classes;
    float *scores = wfi_alloc(sets * n, width * sizeof *scores);
    int32_t *label = wfi_alloc(sets * n, sizeof *label);
    wf_status st = scores && label ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", sets * n);
    for (size_t v = 0; st == WF_OK && v < sets; v++) {
        memcpy(scores + v * n * width, said(r, m, 1 + v)->scores, n * width * sizeof *scores);
        memcpy(label + v * n, first->label, n * sizeof *label);
    }
    wf_predictions all = *first;
    all.rows = sets * n;
    all.scores = scores;
    all.label = label;
    json_t *calibration = st == WF_OK ? wfi_study_calibration(&all) : NULL,
           *selective = st == WF_OK ? wfi_study_selective(&all) : NULL;
    if (calibration) json_object_set_new(to, "calibration", calibration);
    if (selective) json_object_set_new(to, "selective", selective);
    wfi_free(scores);
    wfi_free(label);
    return st;
}

static wf_status disturbed_json(const wf_robust *r, size_t m, double clean, json_t **out, wf_err *err) {
    wf_paired_test t;
    WF_TRY(drop_test(r, m, 1, r->count - 1, &t, err));
    json_t *j =
        json_pack("{s:o, s:o, s:o}", "score", wfi_study_real(clean - r->sign * t.difference), "drop",
                  drop_json(&t, t.p), "relative_drop", wfi_study_real(clean != 0 ? t.difference / fabs(clean) : NAN));
    if (!j) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = pooled_add(r, m, j, err);
    if (st != WF_OK)
        json_decref(j);
    else
        *out = j;
    return st;
}

/* The score is that of the rows with a label; cases ask of the others too. */
static wf_status set_json(const wf_robust *r, size_t m, size_t i, double clean, json_t *to, wf_err *err) {
    const wf_robust_set *set = &r->sets[i];
    const wf_predictions *all = &r->set_said[m * r->spec->set_count + i];
    wf_predictions p = {0};
    WF_TRY(wfi_predictions_pick(all, set->scored, set->scored_count, &p, err));
    const double score = set->scored_count ? wfi_study_score(&p, r->metric) : NAN;
    json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "name", set->name, "rows", (json_int_t)p.rows,
                          "unlabelled", (json_int_t)(all->rows - p.rows), "left_out", (json_int_t)set->left_out,
                          "score", wfi_study_real(score), "drop", wfi_study_real(r->sign * (clean - score)), "metrics",
                          set->scored_count ? wfi_study_metrics(&p, r->resamples) : json_object());
    wf_status st = j ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && all->kind == WF_SCORE_CLASSES) st = wfi_robust_set_shares(r, m, i, j, err);
    if (j) json_array_append_new(to, j);
    wfi_picked_clear(&p);
    return st;
}

wf_status wfi_robust_model(wf_robust *r, size_t m, json_t **out, wf_err *err) {
    const wf_predictions *p = said(r, m, 0);
    const double clean = wfi_study_score(p, r->metric);
    json_t *kinds = json_array(), *sets = json_array(), *groups = NULL, *disturbed = NULL,
           *stands =
               json_pack("{s:o, s:o}", "score", wfi_study_real(clean), "metrics", wfi_study_metrics(p, r->resamples)),
           *calibration = wfi_study_calibration(p), *selective = wfi_study_selective(p);
    wf_status st = kinds && sets && stands ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (calibration) json_object_set_new(stands, "calibration", calibration);
    if (selective) json_object_set_new(stands, "selective", selective);
    if (st == WF_OK) st = kinds_add(r, m, clean, kinds, err);
    if (st == WF_OK) st = disturbed_json(r, m, clean, &disturbed, err);
    if (st == WF_OK) st = wfi_robust_groups(r, p, &groups, err);
    for (size_t i = 0; st == WF_OK && i < r->spec->set_count; i++) st = set_json(r, m, i, clean, sets, err);
    json_t *j = st == WF_OK ? json_pack("{s:s, s:O, s:O, s:O, s:O}", "name", r->spec->models[m], "clean", stands,
                                        "disturbed", disturbed, "kinds", kinds, "sets", sets)
                            : NULL;
    if (st == WF_OK && !j) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (j && groups) json_object_update(j, groups);
    json_decref(stands);
    json_decref(disturbed);
    json_decref(kinds);
    json_decref(sets);
    json_decref(groups);
    if (st == WF_OK) *out = j;
    return st;
}
