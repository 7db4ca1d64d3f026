/* study/robust_shares.c - shares of rows that are right and of cases that fail, on each set: of one model, and of two
 * held against each other. What belongs together is drawn together. See robust.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "study/robust.h"
#include <math.h>
#include <string.h>

enum { NAMED_LEAST = 10 }; /* fewer cases say nothing about a test or a group */

typedef enum topic { RIGHT, GROUP, GROUP_LABEL, TYPE, TEST, CHANGES } topic;

typedef struct question {
    topic topic;
    size_t at;     /* group, type or test */
    int32_t label; /* of GROUP_LABEL */
} question;

typedef struct answer { /* per case that the question is about */
    double *hit, *of;
    size_t n, rows, seen[WF_VERDICTS];
} answer;

static void answer_clear(answer *a) {
    wfi_free(a->hit);
    wfi_free(a->of);
}

static const wf_predictions *said(const wf_robust *r, size_t m, size_t set) {
    return &r->set_said[m * r->spec->set_count + set];
}

static bool row_counts(const wf_robust_set *s, const question *q, size_t row, int32_t label) {
    const char *group = s->rows.rows[row].group;
    return label >= 0 && (q->topic == RIGHT || (group && strcmp(group, s->groups[q->at]) == 0)) &&
           (q->topic != GROUP_LABEL || label == q->label);
}

static bool about(const wf_robust_set *s, const question *q, const wf_case *c) {
    if (q->topic < TYPE) return true;
    if (c->test == SIZE_MAX) return false;
    return q->topic == TYPE ? (size_t)s->tests[c->test].type == q->at : c->test == q->at;
}

/* Case by case, also those with of 0, so that two models' answers stand side by side. */
static wf_status ask(const wf_robust *r, size_t m, size_t set, const question *q, answer *out, wf_err *err) {
    const wf_robust_set *s = &r->sets[set];
    const wf_predictions *p = said(r, m, set);
    *out = (answer){wfi_alloc(s->case_count, sizeof *out->hit), wfi_alloc(s->case_count, sizeof *out->of), 0, 0, {0}};
    if (!out->hit || !out->of) {
        answer_clear(out);
        return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu cases", s->case_count);
    }
    for (size_t k = 0; k < s->case_count; k++) {
        const wf_case *c = &s->cases[k];
        double hit = 0, of = 0;
        if (!about(s, q, c)) continue;
        if (q->topic == TYPE || q->topic == TEST) {
            const wf_verdict v = wfi_robust_case_judge(r, s, p, c);
            out->seen[v]++;
            of = v == WF_CASE_HOLDS || v == WF_CASE_FAILS;
            hit = v == WF_CASE_FAILS;
        } else if (q->topic == CHANGES) {
            of = c->count > 1;
            hit = wfi_robust_case_changes(s, p, c);
        }
        for (size_t i = 0; q->topic < TYPE && i < c->count; i++) {
            const size_t row = s->order[c->first + i];
            if (!row_counts(s, q, row, p->label[row])) continue;
            of++;
            hit += wfi_study_said(p, row) == p->label[row];
        }
        out->rows += q->topic < TYPE ? (size_t)of : c->count;
        if (q->topic < TYPE && of == 0) continue; /* rows count alike for every model */
        out->hit[out->n] = hit;
        out->of[out->n++] = of;
    }
    return WF_OK;
}

/* {value, low, high}; only what was asked counts as a case. */
static wf_status share(const wf_robust *r, answer *a, wf_share *out, wf_err *err) {
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        if (a->of[i] > 0) {
            a->hit[n] = a->hit[i];
            a->of[n++] = a->of[i];
        }
    a->n = n;
    return wfi_share(a->hit, a->of, n, r->resamples, r->spec->seed, out, err);
}

static json_t *share_json(const wf_share *s) {
    return json_pack("{s:o, s:o, s:o}", "value", wfi_study_real(s->value), "low", wfi_study_real(s->low), "high",
                     wfi_study_real(s->high));
}

static wf_status share_add(const wf_robust *r, size_t m, size_t set, question q, const char *key, json_t *to,
                           size_t *rows, wf_err *err) {
    answer a;
    wf_share s;
    WF_TRY(ask(r, m, set, &q, &a, err));
    wf_status st = share(r, &a, &s, err);
    if (st == WF_OK) json_object_set_new(to, key, share_json(&s));
    if (rows) *rows = a.rows;
    answer_clear(&a);
    return st;
}

/* ---- by group ---- */

static wf_status group_json(const wf_robust *r, size_t m, size_t set, size_t g, json_t *list, wf_err *err) {
    const wf_robust_set *s = &r->sets[set];
    json_t *j = json_pack("{s:s}", "group", s->groups[g]), *labels = json_array();
    size_t rows = 0;
    wf_status st = j && labels ? share_add(r, m, set, (question){GROUP, g, 0}, "accuracy", j, &rows, err)
                               : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) json_object_set_new(j, "rows", json_integer((json_int_t)rows));
    for (int32_t c = 0; st == WF_OK && r->task->labels && c < r->task->label_count; c++) {
        json_t *one = json_pack("{s:s}", "label", r->task->labels[c]);
        st = share_add(r, m, set, (question){GROUP_LABEL, g, c}, "accuracy", one, &rows, err);
        json_object_set_new(one, "rows", json_integer((json_int_t)rows));
        if (st == WF_OK && rows) json_array_append(labels, one);
        json_decref(one);
    }
    if (st == WF_OK) {
        json_object_set(j, "labels", labels);
        json_array_append(list, j);
    }
    json_decref(labels);
    json_decref(j);
    return st;
}

/* ---- by case ---- */

/* In the order of wf_verdict. */
static const char *const reasons[WF_VERDICTS] = {
    NULL,
    NULL,
    "they have one variant",
    "they have no label that the model knows",
    "the rows do not say what to expect",
    "the model's first answer is another than the one that is asked about"};

static void left_add(json_t *to, const answer *a) {
    json_t *left = json_array();
    for (size_t v = WF_CASE_ALONE; v < WF_VERDICTS; v++)
        if (a->seen[v])
            json_array_append_new(left, json_pack("{s:I, s:s}", "cases", (json_int_t)a->seen[v], "why", reasons[v]));
    json_object_set_new(to, "not_judged", left);
}

static wf_status failures_json(const wf_robust *r, size_t m, size_t set, question q, json_t *j, wf_err *err) {
    answer a;
    wf_share s;
    WF_TRY(ask(r, m, set, &q, &a, err));
    wf_status st = share(r, &a, &s, err);
    if (st == WF_OK) {
        json_object_set_new(j, "rows", json_integer((json_int_t)a.rows));
        json_object_set_new(j, "cases", json_integer((json_int_t)a.n));
        json_object_set_new(j, "failed", json_integer((json_int_t)a.seen[WF_CASE_FAILS]));
        json_object_set_new(j, "rate", share_json(&s));
        left_add(j, &a);
    }
    answer_clear(&a);
    return st;
}

static wf_status test_json(const wf_robust *r, size_t m, size_t set, size_t t, json_t *list, wf_err *err) {
    const wf_case_test *test = &r->sets[set].tests[t];
    json_t *j =
        json_pack("{s:s, s:s, s:s?}", "test", test->name, "type", wfi_case_type_name(test->type), "group", test->group);
    wf_status st =
        j ? failures_json(r, m, set, (question){TEST, t, 0}, j, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = share_add(r, m, set, (question){CHANGES, t, 0}, "changed", j, NULL, err);
    double rate = json_number_value(json_object_get(json_object_get(j, "rate"), "value"));
    size_t at = 0;
    if (st == WF_OK && !json_is_number(json_object_get(json_object_get(j, "rate"), "value"))) rate = -1;
    for (; st == WF_OK && at < json_array_size(list); at++) { /* the worst first, what was not judged last */
        const json_t *v = json_object_get(json_object_get(json_array_get(list, at), "rate"), "value");
        if (rate > (json_is_number(v) ? json_number_value(v) : -1)) break;
    }
    if (st == WF_OK) json_array_insert(list, at, j);
    json_decref(j);
    return st;
}

static bool type_there(const wf_robust_set *s, size_t type) {
    for (size_t t = 0; t < s->test_count; t++)
        if ((size_t)s->tests[t].type == type) return true;
    return false;
}

wf_status wfi_robust_set_shares(const wf_robust *r, size_t m, size_t set, json_t *to, wf_err *err) {
    const wf_robust_set *s = &r->sets[set];
    json_t *groups = json_array(), *types = json_array(), *tests = json_array();
    wf_status st = groups && types && tests ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = share_add(r, m, set, (question){RIGHT, 0, 0}, "accuracy", to, NULL, err);
    for (size_t g = 0; st == WF_OK && g < s->group_count; g++) st = group_json(r, m, set, g, groups, err);
    for (size_t t = 0; st == WF_OK && t < WF_CASE_TYPES; t++) {
        json_t *j = type_there(s, t) ? json_pack("{s:s}", "type", wfi_case_type_name((wf_case_type)t)) : NULL;
        if (j) st = failures_json(r, m, set, (question){TYPE, t, 0}, j, err);
        if (j) json_array_append_new(types, j);
    }
    for (size_t t = 0; st == WF_OK && t < s->test_count; t++)
        if (s->tests[t].name) st = test_json(r, m, set, t, tests, err);
    if (st == WF_OK) {
        json_object_set(to, "groups", groups);
        json_object_set(to, "types", types);
        json_object_set(to, "tests", tests);
    }
    json_decref(groups);
    json_decref(types);
    json_decref(tests);
    return st;
}

/* ---- two models ---- */

/* Of groups and tests so many are asked that a p value must be able to be far below 0.05. */
static int draws(const wf_robust *r) {
    size_t named = 0;
    for (size_t i = 0; i < r->spec->set_count; i++) named += r->sets[i].group_count + r->sets[i].test_count;
    named *= r->spec->model_count * (r->spec->model_count - 1) / 2;
    const size_t least = named > 2000 ? 100000 : 50 * named;
    return (size_t)r->resamples > least ? r->resamples : (int)least;
}

static wf_status pair_ask(const wf_robust *r, size_t a, size_t b, size_t set, question q, const char *what,
                          const char *name, json_t *list, wf_err *err) {
    answer x = {0}, y = {0};
    wf_paired_test t;
    size_t n = 0;
    WF_TRY(ask(r, a, set, &q, &x, err));
    wf_status st = ask(r, b, set, &q, &y, err);
    for (size_t i = 0; st == WF_OK && i < x.n; i++) {
        if (x.of[i] == 0 && y.of[i] == 0) continue;
        x.hit[n] = x.hit[i];
        x.of[n] = x.of[i];
        y.hit[n] = y.hit[i];
        y.of[n++] = y.of[i];
    }
    if (st == WF_OK)
        st = wfi_share_paired((wf_shares){x.hit, x.of}, (wf_shares){y.hit, y.of}, n, name ? draws(r) : r->resamples,
                              r->spec->seed, &t, err);
    const bool few = name && n < NAMED_LEAST;
    if (st == WF_OK && n && !few && isfinite(t.difference))
        json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "set",
                                              r->sets[set].name, "what", what, "name", name, "cases", (json_int_t)n,
                                              "a", wfi_study_real(t.a), "b", wfi_study_real(t.b), "difference",
                                              wfi_study_real(t.difference), "low", wfi_study_real(t.low), "high",
                                              wfi_study_real(t.high), "p", wfi_study_real(t.p)));
    answer_clear(&x);
    answer_clear(&y);
    return st;
}

wf_status wfi_robust_set_pair(const wf_robust *r, size_t a, size_t b, json_t **out, wf_err *err) {
    json_t *list = json_array();
    wf_status st = list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t set = 0; st == WF_OK && set < r->spec->set_count; set++) {
        const wf_robust_set *s = &r->sets[set];
        if (said(r, a, set)->kind != WF_SCORE_CLASSES) continue;
        st = pair_ask(r, a, b, set, (question){RIGHT, 0, 0}, "accuracy", NULL, list, err);
        for (size_t t = 0; st == WF_OK && t < WF_CASE_TYPES; t++)
            if (type_there(s, t))
                st = pair_ask(r, a, b, set, (question){TYPE, t, 0}, wfi_case_type_name((wf_case_type)t), NULL, list,
                              err);
        for (size_t g = 0; st == WF_OK && s->group_count > 1 && g < s->group_count; g++)
            st = pair_ask(r, a, b, set, (question){GROUP, g, 0}, "group", s->groups[g], list, err);
        for (size_t t = 0; st == WF_OK && t < s->test_count; t++)
            if (s->tests[t].name)
                st = pair_ask(r, a, b, set, (question){TEST, t, 0}, "test", s->tests[t].name, list, err);
    }
    if (st != WF_OK)
        json_decref(list);
    else
        *out = list;
    return st;
}

/* Of accuracy more is better, of failures less. */
static void correct_one(const json_t *pair, json_t *q, double holm) {
    const char *what = json_string_value(json_object_get(q, "what"));
    const bool right = strcmp(what, "accuracy") == 0 || strcmp(what, "group") == 0,
               more = json_number_value(json_object_get(q, "difference")) > 0;
    json_object_set_new(q, "p_holm", wfi_study_real(holm));
    json_t *better = holm < 0.05 ? json_object_get(pair, more == right ? "a" : "b") : NULL;
    if (better)
        json_object_set(q, "better", better);
    else
        json_object_set_new(q, "better", json_null());
}

/* Two families over all pairs and sets: the sets as wholes, and their groups and tests. */
wf_status wfi_robust_sets_correct(json_t *pairs, wf_err *err) {
    json_t *pair, *q;
    size_t i, k, all = 0;
    json_array_foreach(pairs, i, pair) all += json_array_size(json_object_get(pair, "sets"));
    double *p = wfi_alloc(all + 1, sizeof *p);
    if (!p) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = WF_OK;
    for (int named = 0; st == WF_OK && named < 2; named++) {
        for (int turn = 0; st == WF_OK && turn < 2; turn++) {
            size_t n = 0;
            json_array_foreach(pairs, i, pair) json_array_foreach(json_object_get(pair, "sets"), k, q) {
                if (json_is_string(json_object_get(q, "name")) != named) continue;
                const json_t *v = json_object_get(q, "p");
                if (turn)
                    correct_one(pair, q, p[n]);
                else
                    p[n] = json_is_number(v) ? json_number_value(v) : NAN;
                n++;
            }
            if (!turn) st = wfi_holm(p, n, p, err);
        }
    }
    wfi_free(p);
    return st;
}
