/* study/fair_groups.c - every group of the rows against all other rows, the one with most errors first. See fair.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "metrics/gap.h"
#include "study/fair.h"
#include <math.h>
#include <string.h>

enum { ERRORS, FALSE_ALARMS, MISSES, SHARES };
static const char *const names[SHARES] = {"errors", "fpr", "fnr"};

typedef struct tally {
    int64_t hit[SHARES], of[SHARES];
} tally;

typedef struct group {
    const char *name;
    tally t;
    double p[SHARES], holm[SHARES];
    wf_gap auc, calibration;
    double ece;
} group;

typedef struct work {
    const wf_fair *f;
    const wf_predictions *p;
    size_t n, groups, judged; /* the judged ones stand in front */
    group *of;
    size_t *group; /* [n] index of the row's judged group, or `judged` */
    double *score;
    uint8_t *positive, *said, *member;
    tally all;
    wf_odds odds;
    double odds_holm;
} work;

static void tally_add(tally *t, const work *w, size_t i) {
    const bool wrong = wfi_study_wrong(w->p, i), off = w->said[i] != w->positive[i];
    const int side = w->positive[i] ? MISSES : FALSE_ALARMS;
    t->of[ERRORS]++;
    t->hit[ERRORS] += wrong;
    t->of[side]++;
    t->hit[side] += off;
}

static double rate(int64_t hit, int64_t of) {
    return of ? (double)hit / (double)of : NAN;
}

/* Groups by name with their rows; those with enough of them in front, the most errors first, by rows when alike. */
static void groups_find(work *w) {
    const wf_row *rows = w->f->rows.rows;
    for (size_t i = 0; i < w->n; i++) {
        size_t k = 0;
        tally_add(&w->all, w, i);
        if (!rows[i].group) continue;
        while (k < w->groups && strcmp(w->of[k].name, rows[i].group) != 0) k++;
        if (k == w->groups) w->of[w->groups++] = (group){.name = rows[i].group};
        tally_add(&w->of[k].t, w, i);
    }
    for (size_t turn = 0; turn < w->groups; turn++) {
        size_t best = turn;
        for (size_t k = turn + 1; k < w->groups; k++) {
            const tally *a = &w->of[k].t, *b = &w->of[best].t;
            const bool enough = a->of[ERRORS] >= WF_FAIR_LEAST, other = b->of[ERRORS] >= WF_FAIR_LEAST;
            const double x = rate(a->hit[ERRORS], a->of[ERRORS]), y = rate(b->hit[ERRORS], b->of[ERRORS]);
            if (enough != other ? enough : x != y ? x > y : a->of[ERRORS] > b->of[ERRORS]) best = k;
        }
        const group g = w->of[best];
        memmove(&w->of[turn + 1], &w->of[turn], (best - turn) * sizeof g);
        w->of[turn] = g;
        w->judged += g.t.of[ERRORS] >= WF_FAIR_LEAST;
    }
    for (size_t i = 0; i < w->n; i++) {
        size_t k = 0;
        while (k < w->judged && !(rows[i].group && strcmp(w->of[k].name, rows[i].group) == 0)) k++;
        w->group[i] = k;
    }
}

static wf_status group_judge(work *w, size_t k, wf_err *err) {
    group *g = &w->of[k];
    wf_predictions some = {0};
    size_t *rows = wfi_alloc(w->n, sizeof *rows), n = 0;
    if (!rows) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < w->n; i++) {
        w->member[i] = w->group[i] == k;
        if (w->member[i]) rows[n++] = i;
    }
    for (int s = 0; s < SHARES; s++) {
        const int64_t hit = g->t.hit[s], of = g->t.of[s], rest_hit = w->all.hit[s] - hit, rest = w->all.of[s] - of;
        g->p[s] = of && rest ? wfi_fisher_two_sided(hit, of - hit, rest_hit, rest - rest_hit) : NAN;
    }
    wf_status st = wfi_group_gaps(w->score, w->positive, w->member, w->n, w->f->resamples, w->f->spec->seed, &g->auc,
                                  &g->calibration, err);
    if (st == WF_OK) st = wfi_predictions_pick(w->p, rows, n, &some, err);
    if (st == WF_OK) g->ece = wfi_study_score(&some, "ece");
    wfi_picked_clear(&some);
    wfi_free(rows);
    return st;
}

/* One family: three questions a group, and whether the odds are equal. Of two groups that are all rows the second asks
 * what the first does. */
static wf_status correct(work *w, wf_err *err) {
    const size_t n = w->judged * SHARES + 1;
    const bool twice =
        w->judged == 2 && w->groups == 2 && w->of[0].t.of[ERRORS] + w->of[1].t.of[ERRORS] == (int64_t)w->n;
    double *p = wfi_alloc(n, sizeof *p);
    if (!p) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i + 1 < n; i++) p[i] = twice && i >= SHARES ? NAN : w->of[i / SHARES].p[i % SHARES];
    p[n - 1] = w->odds.p;
    wf_status st = wfi_holm(p, n, p, err);
    for (size_t i = 0; i + 1 < n; i++) w->of[i / SHARES].holm[i % SHARES] = p[twice ? i % SHARES : i];
    w->odds_holm = p[n - 1];
    wfi_free(p);
    return st;
}

static json_t *gap_json(const wf_gap *g) {
    json_t *j = wfi_fair_interval(g->in, g->in_low, g->in_high);
    json_object_set_new(j, "rest", wfi_study_real(g->rest));
    json_object_set_new(j, "difference", wfi_fair_interval(g->difference, g->low, g->high));
    return j;
}

static json_t *group_json(const work *w, const group *g) {
    const tally *t = &g->t, *all = &w->all;
    json_t *j =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "group", g->name, "rows", (json_int_t)t->of[ERRORS], "positives",
                  (json_int_t)t->of[MISSES], "accuracy", wfi_study_real(1 - rate(t->hit[ERRORS], t->of[ERRORS])), "auc",
                  gap_json(&g->auc), "calibration", gap_json(&g->calibration));
    if (!j) return NULL;
    json_object_set_new(j, "ece", wfi_study_real(g->ece));
    for (int s = 0; s < SHARES; s++) {
        const double own = rate(t->hit[s], t->of[s]), rest = rate(all->hit[s] - t->hit[s], all->of[s] - t->of[s]);
        const char *verdict = g->holm[s] < 0.05 ? own > rest ? "more" : "fewer" : NULL;
        json_t *one = json_pack("{s:I, s:o, s:o, s:o, s:o}", "count", (json_int_t)t->hit[s], "rate",
                                wfi_study_real(own), "rest_rate", wfi_study_real(rest), "p", wfi_study_real(g->p[s]),
                                "p_holm", wfi_study_real(g->holm[s]));
        json_object_set_new(one, "differs", verdict ? json_string(verdict) : json_null());
        json_object_set_new(j, names[s], one);
    }
    return j;
}

/* Both sides must be measurable: half of the odds being equal says nothing of equalised odds. NULL: they are. */
static const char *odds_missing(const work *w) {
    if (w->all.of[FALSE_ALARMS] == 0) return "false alarms cannot be measured: no row of another label";
    if (w->all.of[MISSES] == 0) return "misses cannot be measured: no row of the label";
    if (w->judged < 2) return "there are not two groups of at least 10 rows";
    if (isnan(w->odds.fpr)) return "false alarms cannot be compared: not two groups have 10 rows of another label";
    if (isnan(w->odds.fnr)) return "misses cannot be compared: not two groups have 10 rows of the label";
    return NULL;
}

static json_t *result_json(const work *w) {
    json_t *list = json_array(), *left = json_array();
    for (size_t k = 0; k < w->groups; k++)
        if (k < w->judged)
            json_array_append_new(list, group_json(w, &w->of[k]));
        else
            json_array_append_new(
                left, json_pack("{s:s, s:I}", "group", w->of[k].name, "rows", (json_int_t)w->of[k].t.of[ERRORS]));
    json_t *odds =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "gap", wfi_study_real(w->odds.gap), "fpr_gap",
                  wfi_study_real(w->odds.fpr), "fnr_gap", wfi_study_real(w->odds.fnr), "p", wfi_study_real(w->odds.p),
                  "p_holm", wfi_study_real(w->odds_holm), "unequal", w->odds_holm < 0.05);
    const char *missing = odds_missing(w);
    json_object_set_new(odds, "not_measured", missing ? json_string(missing) : json_null());
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "accuracy",
                     wfi_study_real(1 - rate(w->all.hit[ERRORS], w->all.of[ERRORS])), "fpr",
                     wfi_study_real(rate(w->all.hit[FALSE_ALARMS], w->all.of[FALSE_ALARMS])), "fnr",
                     wfi_study_real(rate(w->all.hit[MISSES], w->all.of[MISSES])), "groups", list, "left_out", left,
                     "worst_group", w->judged ? json_string(w->of[0].name) : json_null(), "equalised_odds", odds);
}

static wf_status judge(work *w, json_t **out, wf_err *err) {
    for (size_t i = 0; i < w->n; i++) {
        w->score[i] = w->p->scores[i * (size_t)w->p->classes + (size_t)w->f->positive];
        w->positive[i] = w->p->label[i] == w->f->positive;
        w->said[i] = wfi_study_said(w->p, i) == w->f->positive;
    }
    groups_find(w);
    for (size_t k = 0; k < w->judged; k++) WF_TRY(group_judge(w, k, err));
    WF_TRY(wfi_equalised_odds(w->said, w->positive, w->group, w->n, w->judged, WF_FAIR_LEAST,
                              wfi_fair_draws(w->f, w->judged * SHARES + 1), w->f->spec->seed, &w->odds, err));
    if (odds_missing(w)) w->odds.gap = w->odds.p = NAN;
    WF_TRY(correct(w, err));
    *out = result_json(w);
    return *out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for the groups");
}

wf_status wfi_fair_groups(const wf_fair *f, const wf_predictions *p, json_t **out, wf_err *err) {
    const size_t n = p->rows;
    work w = {.f = f,
              .p = p,
              .n = n,
              .of = wfi_alloc(n, sizeof *w.of),
              .group = wfi_alloc(n, sizeof *w.group),
              .score = wfi_alloc(n, sizeof *w.score),
              .positive = wfi_alloc(n, 1),
              .said = wfi_alloc(n, 1),
              .member = wfi_alloc(n, 1)};
    wf_status st = w.of && w.group && w.score && w.positive && w.said && w.member
                       ? judge(&w, out, err)
                       : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    wfi_free(w.of);
    wfi_free(w.group);
    wfi_free(w.score);
    wfi_free(w.positive);
    wfi_free(w.said);
    wfi_free(w.member);
    return st;
}
