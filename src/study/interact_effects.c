/* study/interact_effects.c - what each adapter of a fusion gives, and what every two give beyond that. See interact.h.
 * With v(S) the score when only the adapters S are left: i gives v(all) - v(all but i), alone v(i) - v(none); i and j
 * together v(i,j) - v(none) less what each gives alone, and inside the fusion what is lost when both go less what is
 * lost when each goes, turned so that more than the sum is positive in both. */
#include "base/alloc.h"
#include "base/error.h"
#include "metrics/significance.h"
#include "study/interact.h"
#include <math.h>

typedef struct effect {
    wf_paired_test t;
    double holm;
} effect;

/* sum of a's scores less the sum of b's, in the direction that is better. */
static wf_status effect_test(wf_interact *x, const size_t *a, const size_t *b, size_t count, effect *out, wf_err *err) {
    wf_predictions of[2][2];
    const double weight[] = {x->sign, x->sign};
    for (size_t k = 0; k < count; k++) {
        of[0][k] = x->subsets[a[k]].said;
        of[1][k] = x->subsets[b[k]].said;
    }
    const wf_paired_sets sets = {.a = of[0], .b = of[1], .weight = weight, .count = count, .seeds = 1};
    WF_TRY(wfi_paired_bootstrap(&sets, x->metric, x->resamples, x->spec->seed, &out->t, err));
    return wfi_study_tick(&x->study, "judge", 0, err);
}

static wf_status holm_set(effect *e, size_t n, wf_err *err) {
    double *p = wfi_alloc(n + 1, sizeof *p);
    if (!p) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) p[i] = e[i].t.p;
    wf_status st = wfi_holm(p, n, p, err);
    for (size_t i = 0; st == WF_OK && i < n; i++) e[i].holm = p[i];
    wfi_free(p);
    return st;
}

static json_t *effect_json(const effect *e, json_t *verdict) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "value", wfi_study_real(e->t.difference), "low",
                     wfi_study_real(e->t.low), "high", wfi_study_real(e->t.high), "p", wfi_study_real(e->t.p), "p_holm",
                     wfi_study_real(e->holm), "verdict", verdict);
}

/* Useless is claimed too: what it gives is known to be next to nothing. Where no answer changes the bootstrap's
 * interval has no width, however few the rows; up to three in their number may then change all the same (95 %, the rule
 * of three). */
static json_t *gives(const wf_interact *x, const effect *e) {
    if (e->holm < 0.05) return json_string(e->t.difference > 0 ? "helps" : "harms");
    if (3.0 > x->margin * (double)x->subsets[x->all].said.rows) return json_null();
    return e->t.low >= -x->margin && e->t.high <= x->margin ? json_string("useless") : json_null();
}

static double score(const wf_interact *x, size_t subset) {
    return wfi_study_score(&x->subsets[subset].said, x->metric);
}

wf_status wfi_interact_each(wf_interact *x, json_t **out, wf_err *err) {
    effect *in = wfi_alloc(x->n, sizeof *in), *alone = wfi_alloc(x->n, sizeof *alone);
    json_t *list = json_array();
    wf_status st = in && alone && list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < x->n; i++) {
        st = effect_test(x, &x->all, &x->without[i], 1, &in[i], err);
        if (st == WF_OK) st = effect_test(x, &x->alone[i], &x->none, 1, &alone[i], err);
    }
    if (st == WF_OK) st = holm_set(in, x->n, err);
    if (st == WF_OK) st = holm_set(alone, x->n, err);
    for (size_t i = 0; st == WF_OK && i < x->n; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:f, s:o, s:o, s:o, s:o}", "adapter", x->t.fused[i]->name, "attention", x->looked[i],
                            "without", wfi_study_real(score(x, x->without[i])), "gives",
                            effect_json(&in[i], gives(x, &in[i])), "alone", wfi_study_real(score(x, x->alone[i])),
                            "gives_alone", effect_json(&alone[i], gives(x, &alone[i]))));
    wfi_free(in);
    wfi_free(alone);
    if (st != WF_OK)
        json_decref(list);
    else
        *out = list;
    return st;
}

static json_t *together(const effect *e) {
    return !(e->holm < 0.05) ? json_null() : json_string(e->t.difference > 0 ? "synergy" : "interference");
}

typedef struct pair_of {
    size_t i, j, joint, rest; /* adapters; subsets of the two alone, and of all but the two */
} pair_of;

static wf_status pairs_list(wf_interact *x, pair_of *pairs, wf_err *err) {
    bool *in = wfi_alloc(x->n, sizeof *in);
    wf_status st = in ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    size_t at = 0;
    for (size_t a = 0; a < x->chosen_count; a++)
        for (size_t b = a + 1; st == WF_OK && b < x->chosen_count; b++) {
            pair_of *p = &pairs[at++];
            *p = (pair_of){.i = x->chosen[a], .j = x->chosen[b]};
            for (size_t k = 0; k < x->n; k++) in[k] = k == p->i || k == p->j;
            st = wfi_interact_subset(x, in, &p->joint, err);
            for (size_t k = 0; k < x->n; k++) in[k] = !in[k];
            if (st == WF_OK) st = wfi_interact_subset(x, in, &p->rest, err);
        }
    wfi_free(in);
    return st;
}

static wf_status pairs_judge(wf_interact *x, const pair_of *pairs, size_t n, effect *alone, effect *inside,
                             wf_err *err) {
    for (size_t k = 0; k < n; k++) {
        const pair_of *p = &pairs[k];
        WF_TRY(effect_test(x, (size_t[]){p->joint, x->none}, (size_t[]){x->alone[p->i], x->alone[p->j]}, 2, &alone[k],
                           err));
        WF_TRY(effect_test(x, (size_t[]){x->all, p->rest}, (size_t[]){x->without[p->i], x->without[p->j]}, 2,
                           &inside[k], err));
    }
    WF_TRY(holm_set(alone, n, err));
    return holm_set(inside, n, err);
}

wf_status wfi_interact_pairs(wf_interact *x, json_t **out, wf_err *err) {
    const size_t n = x->chosen_count * (x->chosen_count - 1) / 2;
    pair_of *pairs = wfi_alloc(n + 1, sizeof *pairs);
    effect *alone = wfi_alloc(n + 1, sizeof *alone), *inside = wfi_alloc(n + 1, sizeof *inside);
    json_t *list = json_array();
    wf_status st = pairs && alone && inside && list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = pairs_list(x, pairs, err);
    if (st == WF_OK) st = wfi_interact_ask(x, err);
    if (st == WF_OK) st = pairs_judge(x, pairs, n, alone, inside, err);
    for (size_t k = 0; st == WF_OK && k < n; k++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:o, s:o}", "a", x->t.fused[pairs[k].i]->name, "b",
                                        x->t.fused[pairs[k].j]->name, "score", wfi_study_real(score(x, pairs[k].joint)),
                                        "alone", effect_json(&alone[k], together(&alone[k])), "inside",
                                        effect_json(&inside[k], together(&inside[k]))));
    wfi_free(pairs);
    wfi_free(alone);
    wfi_free(inside);
    if (st != WF_OK)
        json_decref(list);
    else
        *out = list;
    return st;
}
