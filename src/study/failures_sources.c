/* study/failures_sources.c - a fusion's errors and its adapters: which of them, alone under the fusion's head, would
 * have been right, and where the fusion looked instead. Adapters are taken out of the attention, exactly. See
 * failures.h.
 *
 * A source that differs is often right by chance (of two classes always, where the fusion is wrong), so the number of
 * such rows says little. Whether a source knows better is asked of its disagreement: does it differ from the fusion
 * more often where that is wrong than where it is right (Fisher's exact test)? */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/job.h"
#include "study/failures.h"
#include <math.h>

enum { WATCHED = 100, EXAMPLES = 10 };

typedef struct work {
    wf_failures *f;
    wf_trained *t;
    const wf_predictions *whole;
    wf_predictions *alone; /* [n] */
    size_t n;
} work;

static bool differs(const wf_predictions *a, const wf_predictions *b, size_t row) {
    if (a->kind == WF_SCORE_CLASSES) return wfi_study_said(a, row) != wfi_study_said(b, row);
    for (int32_t c = 0; c < a->classes; c++) {
        const size_t at = row * (size_t)a->classes + (size_t)c;
        if ((a->scores[at] > 0) != (b->scores[at] > 0)) return true;
    }
    return false;
}

static bool some_right(const work *w, size_t row) {
    for (size_t i = 0; i < w->n; i++)
        if (!wfi_study_wrong(&w->alone[i], row)) return true;
    return false;
}

static wf_status alone_ask(work *w, wf_err *err) {
    wf_failures *f = w->f;
    bool *out = wfi_alloc(w->n, sizeof *out);
    if (!out) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = WF_OK;
    f->study.total += (int64_t)(w->n * f->rows.count);
    for (size_t i = 0; st == WF_OK && i < w->n; i++) {
        for (size_t k = 0; k < w->n; k++) out[k] = k != i;
        wfi_fusion_leave_out(w->t->fusion, out);
        st = wfi_study_predict(&f->study, w->t, f->task, &f->rows, &f->truth, w->t->fused[i]->name, &w->alone[i], err);
    }
    wfi_fusion_leave_out(w->t->fusion, NULL);
    wfi_free(out);
    return st;
}

/* How much each adapter is looked at on one row, over its tokens and all places; look [n]. */
static wf_status row_watch(const work *w, size_t row, double *look, wf_err *err) {
    const wf_rows one = {.rows = w->f->rows.rows + row, .count = 1};
    const int32_t columns = wfi_study_columns(w->f->task, &one);
    wf_encoded e = {0};
    wf_outputs o = {0};
    WF_TRY(wfi_fusion_watch_on(w->t->fusion, err));
    wf_status st = wfi_job_encode(w->t, &one, w->f->task, &e, err);
    if (st == WF_OK) st = wfi_evaluate_outputs(w->t->context, &e, columns, &o, err);
    const wf_fusion_watch *watch = w->t->fusion->watch;
    for (size_t i = 0; st == WF_OK && i < w->n; i++) {
        look[i] = 0;
        for (size_t b = 0; b < watch->blocks; b++)
            look[i] += watch->sum[b * w->n + i] / ((double)watch->tokens * (double)watch->blocks);
    }
    wfi_fusion_watch_off(w->t->fusion);
    wfi_outputs_clear(&o);
    wfi_encoded_clear(&e);
    return st;
}

static json_t *example_json(const work *w, size_t row, const double *look) {
    json_t *right = json_array(), *attention = json_object(), *j = wfi_failures_example(w->f, w->whole, row);
    for (size_t i = 0; i < w->n; i++) {
        json_object_set_new(attention, w->t->fused[i]->name, json_real(look[i]));
        if (!wfi_study_wrong(&w->alone[i], row)) json_array_append_new(right, json_string(w->t->fused[i]->name));
    }
    if (j) json_object_set(j, "right", right);
    if (j) json_object_set(j, "attention", attention);
    json_decref(right);
    json_decref(attention);
    return j;
}

/* Errors with a right source: how often the adapter that is looked at most is a wrong one; the first as examples. */
static wf_status overridden(const work *w, json_t *into, wf_err *err) {
    double *look = wfi_alloc(w->n, sizeof *look);
    json_t *examples = json_array();
    size_t watched = 0, elsewhere = 0;
    wf_status st = look && examples ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t r = 0; st == WF_OK && r < w->whole->rows && watched < WATCHED; r++) {
        if (!wfi_study_wrong(w->whole, r) || !some_right(w, r)) continue;
        size_t top = 0;
        st = row_watch(w, r, look, err);
        if (st == WF_OK) st = wfi_study_tick(&w->f->study, "attention on errors", 0, err);
        for (size_t i = 1; st == WF_OK && i < w->n; i++)
            if (look[i] > look[top]) top = i;
        if (st != WF_OK) break;
        const bool away = wfi_study_wrong(&w->alone[top], r);
        watched++;
        elsewhere += away;
        if (away && json_array_size(examples) < EXAMPLES) json_array_append_new(examples, example_json(w, r, look));
    }
    wfi_free(look);
    json_object_set_new(into, "watched", json_integer((json_int_t)watched));
    json_object_set_new(into, "looked_elsewhere", json_integer((json_int_t)elsewhere));
    json_object_set_new(into, "examples", examples);
    return st;
}

typedef struct source {
    int64_t errors, rescues, spoils, cell[2][2]; /* cell: [fusion is right][source agrees] */
    double p;
} source;

static source source_count(const work *w, size_t i) {
    source s = {0};
    for (size_t r = 0; r < w->whole->rows; r++) {
        const bool wrong = wfi_study_wrong(w->whole, r), own = wfi_study_wrong(&w->alone[i], r);
        s.errors += own;
        s.rescues += wrong && !own;
        s.spoils += !wrong && own;
        s.cell[!wrong][!differs(w->whole, &w->alone[i], r)]++;
    }
    s.p = wfi_fisher_greater(s.cell[0][0], s.cell[0][1], s.cell[1][0], s.cell[1][1]);
    return s;
}

static json_t *share(int64_t part, int64_t rest) {
    return part + rest ? json_real((double)part / (double)(part + rest)) : json_null();
}

static wf_status sources_list(const work *w, json_t *into, wf_err *err) {
    source *s = wfi_alloc(w->n, sizeof *s);
    double *holm = wfi_alloc(w->n, sizeof *holm);
    json_t *list = json_array();
    const double rows = (double)w->whole->rows;
    wf_status st = s && holm && list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < w->n; i++) {
        s[i] = source_count(w, i);
        holm[i] = s[i].p;
    }
    if (st == WF_OK) st = wfi_holm(holm, w->n, holm, err);
    for (size_t i = 0; st == WF_OK && i < w->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:I, s:I, s:o, s:o, s:f, s:f, s:b}", "adapter",
                                              w->t->fused[i]->name, "error_rate", (double)s[i].errors / rows,
                                              "right_where_wrong", (json_int_t)s[i].rescues, "wrong_where_right",
                                              (json_int_t)s[i].spoils, "differs_where_wrong",
                                              share(s[i].cell[0][0], s[i].cell[0][1]), "differs_where_right",
                                              share(s[i].cell[1][0], s[i].cell[1][1]), "p", s[i].p, "p_holm", holm[i],
                                              "knows_better", holm[i] < 0.05));
    json_object_set_new(into, "list", list);
    wfi_free(s);
    wfi_free(holm);
    return st;
}

static wf_status look(const work *w, json_t **out, wf_err *err) {
    json_t *j = json_object();
    size_t wrong = 0, rescued = 0;
    for (size_t r = 0; r < w->whole->rows; r++) {
        const bool bad = wfi_study_wrong(w->whole, r);
        wrong += bad;
        rescued += bad && some_right(w, r);
    }
    json_object_set_new(j, "errors_with_right_source", json_integer((json_int_t)rescued));
    json_object_set_new(j, "oracle_error_rate", json_real((double)(wrong - rescued) / (double)w->whole->rows));
    wf_status st = sources_list(w, j, err);
    if (st == WF_OK) st = overridden(w, j, err);
    if (st != WF_OK)
        json_decref(j);
    else
        *out = j;
    return st;
}

wf_status wfi_failures_sources(wf_failures *f, wf_trained *t, const wf_predictions *p, json_t **out, wf_err *err) {
    work w = {.f = f, .t = t, .whole = p, .n = t->fused_count};
    if (!t->fusion) return WF_OK;
    w.alone = wfi_alloc(w.n, sizeof *w.alone);
    wf_status st = w.alone ? alone_ask(&w, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = look(&w, out, err);
    for (size_t i = 0; w.alone && i < w.n; i++) wfi_free((void *)w.alone[i].scores);
    wfi_free(w.alone);
    return st;
}
