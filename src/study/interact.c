/* study/interact.c - wf_study_interact: settles what is asked, lets the fusion answer with parts of its adapters, and
 * gathers what the other files of this study make of it. See interact.h. */
#include "study/interact.h"
#include "base/alloc.h"
#include "base/error.h"
#include "lab/job.h"

enum { RESAMPLES_EACH = 40 }; /* a question: fewer, and p cannot get below 0.05 after correction */

static wf_status settle(wf_interact *x, wf_err *err) {
    const wf_interact_spec *s = x->spec;
    WF_TRY(wfi_trained_open(x->study.lab, s->model, &x->t, err));
    if (!x->t.fusion)
        return wfi_fail(err, WF_E_ARG, "\"%s\" is no fusion; this study is about the adapters of one (weft fuse)",
                        s->model);
    x->n = x->t.fused_count;
    WF_TRY(wfi_interact_heads(x, err));
    x->metric = x->task->metric;
    x->sign = wfi_study_lower_is_better(x->metric) ? -1 : 1;
    x->margin = s->margin > 0 ? s->margin : 0.01;
    if (s->margin < 0) return wfi_fail(err, WF_E_ARG, "the margin must be positive, such as 0.01");
    if (s->rows < -1) return wfi_fail(err, WF_E_ARG, "rows must be -1 (all) or more");
    const size_t paired = x->n < WF_INTERACT_PAIRED ? x->n : WF_INTERACT_PAIRED,
                 tasks = x->head_count + 1 < WF_INTERACT_TASKS ? x->head_count + 1 : WF_INTERACT_TASKS,
                 pairs = paired * (paired + 1) / 2 > tasks * (tasks - 1) / 2 ? paired * (paired + 1) / 2
                                                                             : tasks * (tasks - 1) / 2,
                 questions = RESAMPLES_EACH * (pairs > x->n ? pairs : x->n);
    const int enough = questions > (size_t)WF_STUDY_RESAMPLES ? (int)questions : WF_STUDY_RESAMPLES;
    WF_TRY(wfi_study_resamples(s->resamples, enough, &x->resamples, err));
    if ((size_t)x->resamples < questions / 2)
        wfi_lab_message(x->study.lab, "note",
                        "with %d resamples and so many questions nothing can be claimed; %zu are enough", x->resamples,
                        questions);
    if (x->n > WF_INTERACT_PAIRED)
        wfi_lab_message(x->study.lab, "note",
                        "pairs and gradients are those of the %d adapters that are most looked at", WF_INTERACT_PAIRED);
    WF_TRY(wfi_study_rows(x->task, s->rows == 0 ? WF_STUDY_ROWS : s->rows, s->seed, &x->rows, &x->part, err));
    WF_TRY(wfi_truth_make(x->task, &x->rows, &x->truth, err));
    WF_TRY(wfi_job_encode(&x->t, &x->rows, x->task, &x->e, err));
    x->alike = x->e.sequences < WF_INTERACT_ALIKE ? x->e.sequences : WF_INTERACT_ALIKE;
    const size_t passes = 2 + 2 * x->n + paired * (paired - 1);
    x->study.total = (int64_t)(passes * x->rows.count);
    return WF_OK;
}

static json_t *head_json(const wf_interact *x) {
    json_t *names = json_array();
    for (size_t i = 0; i < x->n; i++) json_array_append_new(names, json_string(x->t.fused[i]->name));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:f, s:o}", "study", "interact", "model", x->spec->model,
                     "task", x->task->name, "metric", x->metric, "part", x->part, "rows", (json_int_t)x->rows.count,
                     "seed", (json_int_t)x->spec->seed, "resamples", x->resamples, "margin", x->margin, "adapters",
                     names);
}

static wf_status look(wf_interact *x, json_t **out, wf_err *err) {
    json_t *each = NULL, *pairs = NULL, *gradients = NULL, *alike = NULL;
    wf_status st = wfi_interact_singles(x, err);
    if (st == WF_OK) st = wfi_interact_ask(x, err);
    if (st == WF_OK) st = wfi_interact_each(x, &each, err);
    if (st == WF_OK) st = wfi_interact_pairs(x, &pairs, err);
    if (st == WF_OK) st = wfi_interact_gradients(x, &gradients, err);
    if (st == WF_OK) st = wfi_interact_alike(x, &alike, err);
    json_t *j = st == WF_OK ? head_json(x) : NULL;
    if (st == WF_OK && !j) st = wfi_fail(err, WF_E_NOMEM, "out of memory for the result");
    if (j) {
        json_object_set_new(j, "score", wfi_study_real(wfi_study_score(&x->subsets[x->all].said, x->metric)));
        json_object_set_new(j, "score_of_none", wfi_study_real(wfi_study_score(&x->subsets[x->none].said, x->metric)));
        json_object_set(j, "each", each);
        json_object_set(j, "pairs", pairs);
        json_object_set(j, "attention", x->attention);
        json_object_set_new(j, "relative_entropy", json_real(x->entropy));
        json_object_set(j, "gradients", gradients);
        json_object_set(j, "likeness", alike);
    }
    json_decref(each);
    json_decref(pairs);
    json_decref(gradients);
    json_decref(alike);
    if (st == WF_OK) *out = j;
    return st;
}

wf_status wf_study_interact(wf_lab *lab, const wf_interact_spec *spec, char **json, wf_err *err) {
    wf_interact x = {.study = {.lab = lab}, .spec = spec};
    json_t *result = NULL;
    if (!spec->model) return wfi_fail(err, WF_E_ARG, "which fusion? see: weft list");
    wf_status st = wfi_study_task(lab, &spec->model, 1, spec->task, &x.task, err);
    if (st == WF_OK) st = settle(&x, err);
    if (st == WF_OK) {
        const int64_t total = x.study.total;
        st = wfi_study_begin(lab, "study interact", spec->model, head_json(&x), &x.study, err);
        x.study.total = total;
        if (st == WF_OK) {
            st = look(&x, &result, err);
            st = wfi_study_end(&x.study, st, result, json, err);
        }
    }
    wfi_interact_clear(&x);
    return st;
}
