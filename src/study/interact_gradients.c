/* study/interact_gradients.c - would training this fusion on one task undo another? The gradient of each task's own
 * loss (under its own head) on the fusion's matrices, of some batches of its training rows, where the fusion stands
 * now. An adapter that was trained jointly brings each of its tasks. Dropout is off. See interact.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/job.h"
#include "study/interact.h"
#include <math.h>
#include <string.h>

enum { BATCHES = 16, BATCH_ROWS = 16, SKETCH = 1 << 16 };
static const double LEAST = 0.1; /* a smaller cosine is not worth a word, however sure it is */

typedef struct work {
    size_t tasks, width;
    float *x; /* [sum of rows, width] */
    size_t *rows;
    size_t filled;
    const char **names;
} work;

/* One batch's gradient into the next row of w->x. */
static wf_status batch_add(wf_interact *x, const wf_head *head, const wf_batch *b, work *w, wf_err *err) {
    wf_context *c = x->t.context;
    wf_pset *set = &x->t.fusion->params;
    const wf_loss_options plain = {0};
    memset(set->grad, 0, (size_t)set->total * sizeof *set->grad);
    wf_value *logits = wfi_context_forward(c, b, true, 0, NULL, err);
    if (!logits) return wfi_tape_status(c->tape, NULL) != WF_OK ? wfi_tape_status(c->tape, err) : WF_E_LIBRARY;
    const wf_pass pass = {.tape = c->tape, .S = b->S, .offsets = b->offsets};
    wf_value *loss = wfi_head_loss(head, &pass, logits, b, &plain);
    WF_TRY(wfi_tape_status(c->tape, err));
    WF_TRY(wfi_tape_backward(c->tape, loss, 1.0f, err));
    wfi_sketch_add(set->grad, set->total, w->x + w->filled++ * w->width, w->width);
    return wfi_study_tick(&x->study, "gradients", b->rows, err);
}

static wf_status batches_run(wf_interact *x, const wf_trained *of, const wf_task *task, work *w, size_t k,
                             wf_err *err) {
    const size_t most = BATCHES * BATCH_ROWS, n = task->train.count < most ? task->train.count : most;
    int64_t *indices = NULL, order[BATCH_ROWS];
    wf_rows some = {0};
    wf_encoded e = {0};
    wf_batch b = {0};
    WF_TRY(wfi_rows_sample(&task->train, task, n, x->spec->seed, &indices, err));
    wf_status st = wfi_rows_pick(&task->train, indices, n, &some, err);
    if (st == WF_OK) st = wfi_job_encode(of, &some, task, &e, err);
    x->t.context->head = of->head;
    for (size_t i = 0; st == WF_OK && i < n; i += BATCH_ROWS) {
        const size_t rows = n - i < BATCH_ROWS ? n - i : BATCH_ROWS;
        for (size_t r = 0; r < rows; r++) order[r] = (int64_t)(i + r);
        st = wfi_batch_fill(&b, &e, order, (int64_t)rows, err);
        if (st == WF_OK) st = batch_add(x, of->head, &b, w, err);
        if (st == WF_OK) w->rows[k]++;
    }
    x->t.context->head = x->t.head;
    wfi_batch_clear(&b);
    wfi_encoded_clear(&e);
    wfi_rows_clear(&some);
    wfi_free(indices);
    return st;
}

/* A task that an adapter was trained for, with that model's head for it. */
static wf_status source_run(wf_interact *x, const wf_interact_head *head, work *w, size_t k, wf_err *err) {
    wf_trained of = {0};
    wf_task *task = NULL;
    const char *name = NULL;
    wf_status st = wfi_trained_open(x->study.lab, head->name, &of, err);
    if (st == WF_OK) st = wfi_json_str(of.info, "task", head->name, &name, err);
    if (st == WF_OK) st = wfi_lab_task(x->study.lab, name, &task, NULL, err);
    if (st == WF_OK) st = batches_run(x, &of, task, w, k, err);
    wfi_task_free(task);
    wfi_trained_clear(&of);
    return st;
}

/* The fusion's own task, which need not be the one of the study. */
static wf_status own_run(wf_interact *x, work *w, wf_err *err) {
    wf_task *task = NULL;
    const char *name = NULL;
    WF_TRY(wfi_json_str(x->t.info, "task", x->spec->model, &name, err));
    WF_TRY(wfi_lab_task(x->study.lab, name, &task, NULL, err));
    wf_status st = batches_run(x, &x->t, task, w, 0, err);
    wfi_task_free(task);
    return st;
}

static json_t *pair_json(const work *w, const wf_agreement *a, const double *holm, size_t g, size_t h, size_t at) {
    const wf_agreement *one = &a[g * w->tasks + h];
    const bool claimed = holm[at] < 0.05 && fabs(one->cosine) >= LEAST;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "a", w->names[h], "b", w->names[g], "cosine",
                     wfi_study_real(one->cosine), "low", wfi_study_real(one->low), "high", wfi_study_real(one->high),
                     "p", wfi_study_real(one->p), "p_holm", wfi_study_real(holm[at]), "verdict",
                     !claimed ? json_null() : json_string(one->cosine > 0 ? "agreement" : "conflict"));
}

static wf_status judge(wf_interact *x, const work *w, json_t **out, wf_err *err) {
    const size_t m = w->tasks, pairs = m * (m - 1) / 2;
    wf_agreement *a = wfi_alloc(m * m, sizeof *a);
    double *p = wfi_alloc(pairs + 1, sizeof *p);
    json_t *names = json_array(), *matrix = json_array(), *list = json_array();
    wf_status st = a && p && names && matrix && list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_mean_agreement(w->x, w->rows, m, w->width, x->resamples, x->spec->seed, a, err);
    for (size_t g = 0, at = 0; st == WF_OK && g < m; g++)
        for (size_t h = 0; h < g; h++) p[at++] = a[g * m + h].p;
    if (st == WF_OK) st = wfi_holm(p, pairs, p, err);
    for (size_t g = 0, at = 0; st == WF_OK && g < m; g++) {
        json_t *row = json_array();
        json_array_append_new(names, json_string(w->names[g]));
        for (size_t h = 0; h < m; h++) json_array_append_new(row, wfi_study_real(a[g * m + h].cosine));
        json_array_append_new(matrix, row);
        for (size_t h = 0; h < g; h++, at++) json_array_append_new(list, pair_json(w, a, p, g, h, at));
    }
    if (st == WF_OK)
        *out = json_pack("{s:O, s:i, s:O, s:O}", "tasks_of", names, "batch_rows", BATCH_ROWS, "cosine", matrix, "pairs",
                         list);
    json_decref(names);
    json_decref(matrix);
    json_decref(list);
    wfi_free(a);
    wfi_free(p);
    return st;
}

wf_status wfi_interact_gradients(wf_interact *x, json_t **out, wf_err *err) {
    wf_pset *set = &x->t.fusion->params;
    const wf_interact_head *heads[WF_INTERACT_TASKS];
    const size_t others = wfi_interact_heads_pick(x, heads);
    work w = {.tasks = others + 1};
    if (set->total == 0) { /* a fusion without matrices has nothing to share */
        *out = json_null();
        return WF_OK;
    }
    x->study.total += (int64_t)(w.tasks * BATCHES * BATCH_ROWS); /* at most: small tasks have fewer rows */
    w.width = (size_t)set->total < SKETCH ? (size_t)set->total : SKETCH;
    w.x = wfi_alloc(w.tasks * BATCHES, w.width * sizeof *w.x);
    w.rows = wfi_alloc(w.tasks, sizeof *w.rows);
    w.names = wfi_alloc(w.tasks, sizeof *w.names);
    wf_status st = w.x && w.rows && w.names ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for gradients");
    if (st == WF_OK) st = wfi_pset_trainable(set, true, err);
    x->t.context->calm = true;
    if (st == WF_OK) {
        w.names[0] = x->spec->model;
        st = own_run(x, &w, err);
    }
    for (size_t k = 0; st == WF_OK && k < others; k++) {
        w.names[k + 1] = heads[k]->name;
        st = source_run(x, heads[k], &w, k + 1, err);
    }
    x->t.context->calm = false;
    if (st == WF_OK) st = judge(x, &w, out, err);
    if (st == WF_OK) st = wfi_pset_trainable(set, false, err);
    wfi_free(w.x);
    wfi_free(w.rows);
    wfi_free(w.names);
    return st;
}
