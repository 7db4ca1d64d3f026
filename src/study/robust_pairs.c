/* study/robust_pairs.c - is one model more robust than another? Three questions of every two models: the score as the
 * texts stand, the score disturbed, and the loss from one to the other. Each is corrected for the number of pairs; the
 * loss by kind for pairs and kinds. See robust.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "study/robust.h"
#include <math.h>
#include <stdio.h>

enum question { CLEAN, DISTURBED, LOSS, QUESTIONS };

typedef struct pair {
    size_t a, b;
    wf_paired_test tests[QUESTIONS + WF_KINDS_MAX];
    double holm[QUESTIONS + WF_KINDS_MAX];
} pair;

/* weight of the text as it stands, and in all of variants [first, first + n). */
static wf_status ask(const wf_robust *r, pair *p, size_t question, double stands, size_t first, size_t n,
                     double disturbed, wf_err *err) {
    const size_t count = first + n;
    double *weight = wfi_alloc(count, sizeof *weight);
    wf_predictions *a = wfi_alloc(count, sizeof *a), *b = wfi_alloc(count, sizeof *b);
    wf_status st = weight && a && b ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    size_t used = 0;
    for (size_t v = 0; st == WF_OK && v < count; v++) {
        const double w = v == 0 ? stands : v >= first ? disturbed / (double)n : 0;
        if (w == 0) continue;
        a[used] = r->said[p->a * r->count + v];
        b[used] = r->said[p->b * r->count + v];
        weight[used++] = r->sign * w;
    }
    const wf_paired_sets sets = {.a = a, .b = b, .weight = weight, .count = used, .seeds = 1};
    if (st == WF_OK) st = wfi_paired_bootstrap(&sets, r->metric, r->resamples, r->spec->seed, &p->tests[question], err);
    wfi_free(weight);
    wfi_free(a);
    wfi_free(b);
    return st;
}

static wf_status pair_ask(wf_robust *r, pair *p, wf_err *err) {
    WF_TRY(ask(r, p, CLEAN, 1, 1, 0, 0, err));
    WF_TRY(ask(r, p, DISTURBED, 0, 1, r->count - 1, 1, err));
    WF_TRY(ask(r, p, LOSS, 1, 1, r->count - 1, -1, err));
    for (size_t k = 0; k < r->kind_count; k++) {
        WF_TRY(ask(r, p, QUESTIONS + k, 1, wfi_robust_at(r, k, 0), r->strength_count, -1, err));
        WF_TRY(wfi_study_tick(&r->study, "compare", 0, err));
    }
    return WF_OK;
}

/* Each of the first three over the pairs; the kinds over pairs and kinds. */
static wf_status correct(pair *pairs, size_t n, size_t kinds, wf_err *err) {
    double *p = wfi_alloc(n * (kinds + 1), sizeof *p);
    wf_status st = p ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t q = 0; st == WF_OK && q < QUESTIONS; q++) {
        for (size_t i = 0; i < n; i++) p[i] = pairs[i].tests[q].p;
        st = wfi_holm(p, n, p, err);
        for (size_t i = 0; i < n; i++) pairs[i].holm[q] = p[i];
    }
    for (size_t i = 0; st == WF_OK && i < n * kinds; i++) p[i] = pairs[i / kinds].tests[QUESTIONS + i % kinds].p;
    if (st == WF_OK) st = wfi_holm(p, n * kinds, p, err);
    for (size_t i = 0; st == WF_OK && i < n * kinds; i++) pairs[i / kinds].holm[QUESTIONS + i % kinds] = p[i];
    wfi_free(p);
    return st;
}

/* Scores are given as they are, differences so that more is better (of a loss: less). winner: NULL when the two are not
 * told apart. */
static json_t *answer(const wf_robust *r, const pair *p, size_t question) {
    const wf_paired_test *t = &p->tests[question];
    const double sign = question == CLEAN || question == DISTURBED ? r->sign : 1, holm = p->holm[question];
    const bool less = question >= LOSS, a_wins = less ? t->difference < 0 : t->difference > 0;
    json_t *j = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "a", wfi_study_real(sign * t->a), "b",
                          wfi_study_real(sign * t->b), "difference", wfi_study_real(t->difference), "low",
                          wfi_study_real(t->low), "high", wfi_study_real(t->high), "p", wfi_study_real(t->p), "p_holm",
                          wfi_study_real(holm));
    json_object_set_new(j, "better", holm < 0.05 ? json_string(r->spec->models[a_wins ? p->a : p->b]) : json_null());
    return j;
}

static json_t *pair_json(const wf_robust *r, const pair *p) {
    json_t *kinds = json_array();
    for (size_t k = 0; k < r->kind_count; k++) {
        json_t *j = answer(r, p, QUESTIONS + k);
        json_object_set_new(j, "kind", json_string(wfi_perturbation_name(r->kinds[k])));
        json_array_append_new(kinds, j);
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "a", r->spec->models[p->a], "b", r->spec->models[p->b], "clean",
                     answer(r, p, CLEAN), "disturbed", answer(r, p, DISTURBED), "drop", answer(r, p, LOSS), "kinds",
                     kinds);
}

wf_status wfi_robust_pairs(wf_robust *r, json_t **out, wf_err *err) {
    const size_t models = r->spec->model_count, n = models * (models - 1) / 2;
    pair *pairs = wfi_alloc(n, sizeof *pairs);
    json_t *list = json_array();
    size_t at = 0;
    wf_status st = pairs && list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t a = 0; st == WF_OK && a < models; a++)
        for (size_t b = a + 1; st == WF_OK && b < models; b++) {
            pairs[at] = (pair){.a = a, .b = b};
            st = pair_ask(r, &pairs[at++], err);
        }
    if (st == WF_OK) st = correct(pairs, n, r->kind_count, err);
    for (size_t i = 0; st == WF_OK && i < n; i++) {
        json_t *sets = NULL, *one = pair_json(r, &pairs[i]);
        st = wfi_robust_set_pair(r, pairs[i].a, pairs[i].b, &sets, err);
        if (st == WF_OK) json_object_set_new(one, "sets", sets);
        json_array_append_new(list, one);
    }
    if (st == WF_OK) st = wfi_robust_sets_correct(list, err);
    wfi_free(pairs);
    if (st != WF_OK)
        json_decref(list);
    else
        *out = list;
    return st;
}
