/* trainer/loop_judge.c - dev after an epoch: the best state, and when to stop. See loop.h.
 * Of several tasks it is the mean of their scores that counts. */
#include "base/error.h"
#include "trainer/loop.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void wfi_loop_keep(wf_loop *l) {
    for (size_t i = 0; i < l->set_count; i++)
        memcpy(l->best[i], l->sets[i]->data, (size_t)l->sets[i]->total * sizeof(float));
}

bool wfi_loop_has_dev(const wf_loop *l) {
    for (size_t k = 0; k < l->task_count; k++)
        if (l->part[k].dev.rows) return true;
    return false;
}

typedef struct judged {
    double score, tie; /* larger is better; tie: of the probabilities */
    bool lower;        /* the metric itself: smaller is better */
} judged;

static wf_status task_judge(wf_loop *l, size_t task, judged *out, wf_err *err) {
    const wf_train_task *t = &l->tasks[task];
    const wf_encoded *dev = &l->part[task].dev;
    wf_scores scores = {0};
    l->c->head = t->head;
    const int32_t classes = t->head->kind == WF_KIND_MULTIPLE_CHOICE ? dev->label_count : t->head->classes;
    wf_status st = wfi_evaluate(l->c, dev, classes, 0, 0, &scores, err);
    if (st != WF_OK) return wfi_fail_in(err, st, "dev after epoch %lld", (long long)l->s.epoch + 1);
    const wf_metric_value *m = wfi_scores_find(&scores, t->metric), *brier = wfi_scores_find(&scores, "brier");
    if (!m) return wfi_fail(err, WF_E_ARG, "metric \"%s\" does not exist for this kind of task", t->metric);
    out->lower = wfi_metric_lower_is_better(t->metric);
    out->score = out->lower ? -m->value : m->value;
    if (isnan(out->score)) out->score = -INFINITY; /* e.g. a correlation of constant predictions */
    out->tie = brier ? -brier->value : 0;
    const double gap = out->lower ? m->value : 1 - m->value;
    l->s.gap[task] = isfinite(gap) ? fmax(gap, 0) : 1;
    if (l->s.first_gap[task] == 0) l->s.first_gap[task] = fmax(l->s.gap[task], 1e-6);
    return WF_OK;
}

/* The mean over the tasks with dev rows, and in words: "mean 0.8120 (a accuracy 0.8000, ...)". */
static wf_status all_judge(wf_loop *l, judged *out, char *words, size_t size, wf_err *err) {
    size_t n = 0, at = 0;
    char each[600] = "";
    *out = (judged){0};
    for (size_t k = 0; k < l->task_count; k++) {
        judged j = {0};
        if (!l->part[k].dev.rows) continue;
        WF_TRY(task_judge(l, k, &j, err));
        out->score += j.score;
        out->tie += j.tie;
        n++;
        if (at < sizeof each)
            at += (size_t)snprintf(each + at, sizeof each - at, "%s%s %s %.4f", at ? ", " : "", l->tasks[k].name,
                                   l->tasks[k].metric, fabs(j.score));
    }
    out->score /= (double)n;
    out->tie /= (double)n;
    if (l->task_count == 1)
        snprintf(words, size, "%s %.4f", l->tasks[0].metric, fabs(out->score));
    else
        snprintf(words, size, "mean %.4f (%s)", out->score, each);
    return WF_OK;
}

wf_status wfi_loop_judge(wf_loop *l, char *note, size_t size, wf_err *err) {
    judged j;
    char words[640];
    WF_TRY(all_judge(l, &j, words, sizeof words, err));
    const bool better = l->s.best_epoch < 0 || j.score > l->s.best_score;
    /* Few dev rows give many equal scores: then the better probabilities decide, without counting as progress. */
    const bool sharper = !better && j.score == l->s.best_score && j.tie > l->s.best_tie;
    if (better || sharper) {
        l->s.best_score = j.score;
        l->s.best_tie = j.tie;
        l->s.best_epoch = l->s.epoch;
        wfi_loop_keep(l);
    }
    l->s.stale = better ? 0 : l->s.stale + 1;
    if (l->o->patience >= 0 && l->s.stale > l->o->patience) l->s.stopped = 1;
    snprintf(note, size, ", dev %s%s", words,
             better    ? " (best)"
             : sharper ? " (as good, with better probabilities)"
                       : "");
    return WF_OK;
}
