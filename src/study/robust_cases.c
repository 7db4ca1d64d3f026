/* study/robust_cases.c - contrast sets and behavioural tests: rows that belong together, and whether a model does with
 * all of them what is expected. A case fails when one of its rows does (CheckList, Ribeiro et al. 2020; consistency of
 * contrast sets, Gardner et al. 2020). See robust.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "study/robust.h"
#include <stdlib.h>
#include <string.h>

/* ---- which rows are one case ---- */

typedef struct place {
    const wf_case_mark *mark;
    size_t row;
} place;

static int texts_compare(const char *a, const char *b) {
    return !a || !b ? (a != NULL) - (b != NULL) : strcmp(a, b);
}

static int mark_compare(const wf_case_mark *a, const wf_case_mark *b) {
    const int by_test = texts_compare(a->test, b->test), by_type = (a->type > b->type) - (a->type < b->type);
    return by_test ? by_test : by_type ? by_type : texts_compare(a->id, b->id);
}

/* Rows without a mark last; of one case in the order of their variants. */
static int by_case(const void *x, const void *y) {
    const place *a = x, *b = y;
    int order = (a->mark == NULL) - (b->mark == NULL);
    if (!order && a->mark) order = mark_compare(a->mark, b->mark);
    if (!order && a->mark) order = (a->mark->variant > b->mark->variant) - (a->mark->variant < b->mark->variant);
    return order ? order : (a->row > b->row) - (a->row < b->row);
}

static bool same_test(const wf_case_test *t, const wf_case_mark *m) {
    return texts_compare(t->name, m->test) == 0 && t->type == m->type;
}

static void tests_find(wf_robust_set *set, const place *places) {
    for (size_t k = 0; k < set->rows.count; k++) {
        const wf_case_mark *m = places[k].mark, *before = k ? places[k - 1].mark : NULL;
        set->order[k] = places[k].row;
        if (m && !(set->test_count && same_test(&set->tests[set->test_count - 1], m)))
            set->tests[set->test_count++] =
                (wf_case_test){m->test, set->rows.rows[places[k].row].group, m->type, m->expect};
        if (m && before && m->id && mark_compare(m, before) == 0)
            set->cases[set->case_count - 1].count++;
        else
            set->cases[set->case_count++] = (wf_case){k, 1, m ? set->test_count - 1 : SIZE_MAX};
    }
    for (size_t t = 0; t < set->test_count; t++) /* a test without a type asks for its labels */
        if (set->tests[t].type == WF_CASE_NONE && set->tests[t].expect.move)
            set->tests[t].type = WF_CASE_DIR;
        else if (set->tests[t].type == WF_CASE_NONE && set->tests[t].name)
            set->tests[t].type = WF_CASE_MFT;
}

static void groups_find(wf_robust_set *set) {
    for (size_t i = 0; i < set->scored_count; i++) {
        const char *name = set->rows.rows[set->scored[i]].group;
        size_t g = 0;
        while (name && g < set->group_count && strcmp(set->groups[g], name) != 0) g++;
        if (name && g == set->group_count) set->groups[set->group_count++] = name;
    }
}

wf_status wfi_robust_cases(wf_robust_set *set, wf_err *err) {
    const size_t n = set->rows.count;
    place *places = wfi_alloc(n, sizeof *places);
    set->order = wfi_alloc(n, sizeof *set->order);
    set->cases = wfi_alloc(n, sizeof *set->cases);
    set->tests = wfi_alloc(n, sizeof *set->tests);
    set->groups = wfi_alloc(n, sizeof *set->groups);
    const bool room = places && set->order && set->cases && set->tests && set->groups;
    for (size_t i = 0; room && i < n; i++) places[i] = (place){set->mark[i], i};
    if (room) {
        qsort(places, n, sizeof *places, by_case);
        tests_find(set, places);
        groups_find(set);
    }
    wfi_free(places);
    return room ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
}

/* ---- what becomes of a case ---- */

static int32_t label_find(const wf_task *task, const char *name) {
    for (int32_t c = 0; name && c < task->label_count; c++)
        if (strcmp(task->labels[c], name) == 0) return c;
    return -1;
}

bool wfi_robust_case_changes(const wf_robust_set *set, const wf_predictions *p, const wf_case *c) {
    for (size_t i = 1; i < c->count; i++)
        if (wfi_study_said(p, set->order[c->first + i]) != wfi_study_said(p, set->order[c->first])) return true;
    return false;
}

/* Every row with a label must get it, every other one what `expect` says (may be nothing for a contrast set). */
static wf_verdict labels_judge(const wf_robust *r, const wf_robust_set *set, const wf_predictions *p,
                               const wf_case *c) {
    const wf_case_test *t = &set->tests[c->test];
    const int32_t named = label_find(r->task, t->expect.label);
    size_t asked = 0, wrong = 0;
    if (t->type == WF_CASE_NONE && c->count < 2) return WF_CASE_ALONE;
    for (size_t i = 0; i < c->count; i++) {
        const size_t row = set->order[c->first + i];
        const int32_t said = wfi_study_said(p, row);
        if (p->label[row] >= 0) {
            asked++;
            wrong += said != p->label[row];
        } else if (named >= 0 && (t->expect.move == WF_MOVE_IS || t->expect.move == WF_MOVE_NOT)) {
            asked++;
            wrong += (said == named) == (t->expect.move == WF_MOVE_NOT);
        } else if (t->type == WF_CASE_NONE) {
            return WF_CASE_UNLABELLED;
        }
    }
    return asked == 0 ? WF_CASE_UNLABELLED : wrong ? WF_CASE_FAILS : WF_CASE_HOLDS;
}

/* A row's height on the way that a case is to go. */
static double height(const wf_predictions *p, size_t row, int32_t of, int32_t less) {
    const float *s = p->scores + row * (size_t)p->classes;
    return (double)s[of] - (less >= 0 ? (double)s[less] : 0);
}

static wf_verdict moves_judge(const wf_robust *r, const wf_robust_set *set, const wf_predictions *p, const wf_case *c) {
    const wf_expect *e = &set->tests[c->test].expect;
    const size_t *rows = set->order + c->first;
    const int32_t first = wfi_study_said(p, rows[0]), named = label_find(r->task, e->label),
                  less = label_find(r->task, e->against);
    const double sign = e->move == WF_MOVE_DOWN ? -1 : 1;
    if (e->move == WF_MOVE_NONE) return WF_CASE_UNSAID;
    if ((e->label && named < 0) || (e->against && less < 0)) return WF_CASE_UNLABELLED;
    if (e->move == WF_MOVE_NOT) return labels_judge(r, set, p, c);
    if (c->count < 2) return WF_CASE_ALONE;
    if (e->move == WF_MOVE_FROM && first != named) return WF_CASE_ELSEWHERE;
    if (!e->label && strcmp(r->task->labels[first], "neutral") == 0) return WF_CASE_ELSEWHERE; /* it has no way to go */
    for (size_t i = 1; i < c->count; i++) {
        const int32_t said = wfi_study_said(p, rows[i]), of = e->label ? named : first;
        const bool holds =
            e->move == WF_MOVE_IS ? said == named
            : e->move == WF_MOVE_FROM
                ? said != named
                : sign * (height(p, rows[i], of, less) - height(p, rows[0], of, less)) >= -WF_MOVE_TOLERANCE;
        if (!holds) return WF_CASE_FAILS;
    }
    return WF_CASE_HOLDS;
}

wf_verdict wfi_robust_case_judge(const wf_robust *r, const wf_robust_set *set, const wf_predictions *p,
                                 const wf_case *c) {
    switch (set->tests[c->test].type) {
    case WF_CASE_INV:
        return c->count < 2 ? WF_CASE_ALONE : wfi_robust_case_changes(set, p, c) ? WF_CASE_FAILS : WF_CASE_HOLDS;
    case WF_CASE_DIR:
        return moves_judge(r, set, p, c);
    default:
        return labels_judge(r, set, p, c);
    }
}
