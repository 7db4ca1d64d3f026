/* study/robust_groups.c - scores by the rows' group (domain, source, population), the worst first. See robust.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "study/robust.h"
#include <math.h>
#include <string.h>

enum { GROUP_ROWS_LEAST = 10 }; /* fewer say nothing about a group */

typedef struct group {
    const char *name;
    size_t count, wrong;
    double score, p;
} group;

static wf_status groups_find(const wf_rows *rows, group **out, size_t *count, size_t *member, wf_err *err) {
    group *g = wfi_alloc(rows->count, sizeof *g);
    size_t n = 0;
    if (!g) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < rows->count; i++) {
        size_t k = 0;
        member[i] = SIZE_MAX;
        if (!rows->rows[i].group) continue;
        while (k < n && strcmp(g[k].name, rows->rows[i].group) != 0) k++;
        if (k == n) g[n++] = (group){.name = rows->rows[i].group, .p = NAN};
        g[k].count++;
        member[i] = k;
    }
    *out = g;
    *count = n;
    return WF_OK;
}

/* Score of one group; whether it errs more than all other rows together. */
static wf_status group_judge(const wf_robust *r, const wf_predictions *p, group *g, size_t k, const size_t *member,
                             size_t *rows, size_t all_wrong, wf_err *err) {
    wf_predictions some = {0};
    size_t n = 0;
    for (size_t i = 0; i < p->rows; i++)
        if (member[i] == k) rows[n++] = i;
    WF_TRY(wfi_predictions_pick(p, rows, n, &some, err));
    g->score = wfi_study_score(&some, r->metric);
    for (size_t i = 0; p->kind != WF_SCORE_NUMBERS && i < n; i++) g->wrong += wfi_study_wrong(&some, i);
    wfi_picked_clear(&some);
    if (p->kind == WF_SCORE_NUMBERS || n < GROUP_ROWS_LEAST || n == p->rows) return WF_OK;
    const size_t rest_wrong = all_wrong - g->wrong;
    g->p = wfi_fisher_greater((int64_t)g->wrong, (int64_t)(n - g->wrong), (int64_t)rest_wrong,
                              (int64_t)(p->rows - n - rest_wrong));
    return WF_OK;
}

static json_t *groups_json(const wf_robust *r, const wf_predictions *p, const group *g, const double *holm, size_t n) {
    json_t *list = json_array();
    bool *given = wfi_alloc(n, sizeof *given);
    const char *worst = NULL;
    for (size_t turn = 0; given && turn < n; turn++) { /* the worst score first, small groups last */
        size_t at = SIZE_MAX;
        for (size_t k = 0; k < n; k++) {
            if (given[k]) continue;
            const bool small = g[k].count < GROUP_ROWS_LEAST;
            if (at == SIZE_MAX) {
                at = k;
                continue;
            }
            const bool other_small = g[at].count < GROUP_ROWS_LEAST;
            if (small != other_small ? other_small : r->sign * g[k].score < r->sign * g[at].score) at = k;
        }
        given[at] = true;
        if (!worst && g[at].count >= GROUP_ROWS_LEAST) worst = g[at].name;
        json_t *j = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:b}", "group", g[at].name, "rows",
                              (json_int_t)g[at].count, "score", wfi_study_real(g[at].score), "errors",
                              p->kind == WF_SCORE_NUMBERS ? json_null() : json_integer((json_int_t)g[at].wrong), "p",
                              wfi_study_real(g[at].p), "p_holm", wfi_study_real(holm[at]), "worse", holm[at] < 0.05);
        json_array_append_new(list, j);
    }
    wfi_free(given);
    return json_pack("{s:o, s:o}", "groups", list, "worst_group", worst ? json_string(worst) : json_null());
}

wf_status wfi_robust_groups(wf_robust *r, const wf_predictions *p, json_t **out, wf_err *err) {
    size_t *member = wfi_alloc(p->rows, sizeof *member), *rows = wfi_alloc(p->rows, sizeof *rows), n = 0, wrong = 0;
    group *g = NULL;
    double *holm = NULL;
    wf_status st = member && rows ? groups_find(&r->variants[0].rows, &g, &n, member, err)
                                  : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && p->kind != WF_SCORE_NUMBERS && i < p->rows; i++) wrong += wfi_study_wrong(p, i);
    if (st == WF_OK && n > 0 && !(holm = wfi_alloc(n, sizeof *holm))) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t k = 0; st == WF_OK && k < n; k++) {
        st = group_judge(r, p, &g[k], k, member, rows, wrong, err);
        holm[k] = g[k].p; /* NOLINT(clang-analyzer-core.NullDereference): there for n > 0 */
    }
    if (st == WF_OK && n > 0) st = wfi_holm(holm, n, holm, err);
    if (st == WF_OK && n > 0) *out = groups_json(r, p, g, holm, n);
    wfi_free(member);
    wfi_free(rows);
    wfi_free(g);
    wfi_free(holm);
    return st;
}
