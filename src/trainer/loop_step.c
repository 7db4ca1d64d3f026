/* trainer/loop_step.c - one step of the optimiser: its batches forward and backward, their losses or gradients joined,
 * clipped, applied. See loop.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "trainer/loop.h"
#include <string.h>

typedef struct step { /* what its batches gave, by task */
    int64_t first, end, parts;
    int64_t batches[WF_JOINT_TASKS];
    double loss[WF_JOINT_TASKS]; /* sums */
} step;

/* Forward and backward of one batch; its share of the step's gradient is scale. */
static wf_status batch_run(wf_loop *l, int64_t index, float scale, double *loss, wf_err *err) {
    const size_t task = (size_t)l->order[index];
    const wf_head *head = l->tasks[task].head;
    WF_TRY(wfi_loop_draw(l, task, err));
    l->c->head = head;
    const uint64_t key = wfi_random_key(l->o->seed, "step", (uint64_t)l->s.step, (uint64_t)index);
    wf_value *logits = wfi_context_forward(l->c, &l->batch, true, key, NULL, err);
    if (!logits) return wfi_tape_status(l->c->tape, err) != WF_OK ? wfi_tape_status(l->c->tape, err) : WF_E_LIBRARY;
    const wf_pass pass = {.tape = l->c->tape, .S = l->batch.S, .offsets = l->batch.offsets, .key = key};
    const wf_loss_options lo = {
        .class_weights = l->tasks[task].class_weights, .label_smoothing = l->o->label_smoothing, .focal = l->o->focal};
    wf_value *value = wfi_head_loss(head, &pass, logits, &l->batch, &lo);
    if (value) *loss += value->data[0];
    if (l->o->agreement > 0) {
        wf_value *apart =
            wfi_op_scale(l->c->tape, wfi_head_agreement(head, &pass, logits, &l->batch), (float)l->o->agreement);
        value = wfi_op_add(l->c->tape, 2, (wf_value *[]){value, apart});
    }
    wf_value *penalty = l->c->fusion ? wfi_fusion_penalty(l->c->fusion, l->c->tape) : NULL;
    if (penalty) value = wfi_op_add(l->c->tape, 2, (wf_value *[]){value, penalty});
    WF_TRY(wfi_tape_status(l->c->tape, err));
    l->s.tokens += l->batch.T;
    return wfi_tape_backward(l->c->tape, value, scale, err);
}

static bool squared(const wf_loop *l, size_t task) {
    return l->tasks[task].head->kind == WF_KIND_REGRESSION;
}

static wf_status batches_run(wf_loop *l, step *s, size_t only, wf_err *err) {
    const wf_weighing_method *m = wfi_weighing_method(&l->o->weighing);
    for (int64_t b = s->first; b < s->end; b++) {
        const size_t task = (size_t)l->order[b];
        if (only < l->task_count && task != only) continue;
        const float factor = (float)m->factor(&l->s.weigh, task, squared(l, task));
        WF_TRY(batch_run(l, b, factor / (float)s->parts, &s->loss[task], err));
    }
    return WF_OK;
}

/* ---- gradients by task ---- */

static bool shared(const wf_loop *l, size_t set) {
    for (size_t k = 0; k < l->task_count; k++)
        if (l->tasks[k].head_set == set) return false;
    return l->sets[set]->grad != NULL;
}

static int64_t shared_total(const wf_loop *l) {
    int64_t n = 0;
    for (size_t i = 0; i < l->set_count; i++)
        if (shared(l, i)) n += l->sets[i]->total;
    return n;
}

/* Takes the gradient by the shared parts out of the sets, or puts one into them. */
static void shared_take(wf_loop *l, float *flat) {
    for (size_t i = 0; i < l->set_count; i++) {
        if (!shared(l, i)) continue;
        const size_t bytes = (size_t)l->sets[i]->total * sizeof(float);
        memcpy(flat, l->sets[i]->grad, bytes);
        memset(l->sets[i]->grad, 0, bytes);
        flat += l->sets[i]->total;
    }
}

static void shared_put(wf_loop *l, const float *flat) {
    for (size_t i = 0; i < l->set_count; i++) {
        if (!shared(l, i)) continue;
        memcpy(l->sets[i]->grad, flat, (size_t)l->sets[i]->total * sizeof(float));
        flat += l->sets[i]->total;
    }
}

wf_status wfi_loop_step_init(wf_loop *l, wf_err *err) {
    bool pulled[WF_LOOP_SETS] = {false};
    if (l->o->mixout > 0 && l->set_count > WF_LOOP_SETS)
        return wfi_fail(err, WF_E_ARG, "mixout takes at most %d parts that are trained", WF_LOOP_SETS);
    for (size_t i = 0; i < l->set_count && i < WF_LOOP_SETS; i++) pulled[i] = shared(l, i);
    WF_TRY(wfi_mixout_init(&l->mixout, l->sets, pulled, l->set_count, l->o->mixout, err));
    if (!wfi_weighing_method(&l->o->weighing)->separate) return WF_OK;
    const size_t n = (size_t)shared_total(l) + 1;
    bool good = (l->joined = wfi_alloc(n, sizeof *l->joined)) != NULL;
    for (size_t k = 0; k < l->task_count && good; k++) good = (l->flat[k] = wfi_alloc(n, sizeof *l->flat[k])) != NULL;
    return good ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for the gradients of %zu tasks", l->task_count);
}

void wfi_loop_step_clear(wf_loop *l) {
    wfi_mixout_clear(&l->mixout);
    wfi_free(l->twice);
    wfi_free(l->joined);
    for (size_t k = 0; k < l->task_count; k++) wfi_free(l->flat[k]);
}

/* What the method learns from the step, and the gradient it makes of the tasks' own. */
static wf_status losses_join(wf_loop *l, const step *s, wf_err *err) {
    const wf_weighing_method *m = wfi_weighing_method(&l->o->weighing);
    bool present[WF_JOINT_TASKS], square[WF_JOINT_TASKS];
    double loss[WF_JOINT_TASKS], share[WF_JOINT_TASKS];
    if (!m->step) return WF_OK;
    for (size_t k = 0; k < l->task_count; k++) {
        present[k] = s->batches[k] > 0;
        square[k] = squared(l, k);
        loss[k] = present[k] ? s->loss[k] / (double)s->batches[k] : 0;
        share[k] = (double)s->batches[k] / (double)s->parts;
    }
    const wf_weigh_step w = {.tasks = l->task_count,
                             .present = present,
                             .squared = square,
                             .loss = loss,
                             .share = share,
                             .grad = l->flat,
                             .total = m->separate ? shared_total(l) : 0,
                             .key = wfi_random_key(l->o->seed, "weigh", (uint64_t)l->s.step, 0),
                             .out = l->joined};
    WF_TRY(m->step(&l->s.weigh, l->o->weighing.number, &w, err));
    if (m->separate) shared_put(l, l->joined);
    return WF_OK;
}

/* ---- the step ---- */

static wf_status gradient_make(wf_loop *l, step *s, wf_err *err) {
    wfi_optim_zero_grad(l->optim);
    if (!l->joined) {
        WF_TRY(batches_run(l, s, l->task_count, err));
    } else {
        for (size_t k = 0; k < l->task_count; k++) {
            if (!s->batches[k]) continue;
            WF_TRY(batches_run(l, s, k, err));
            shared_take(l, l->flat[k]);
        }
    }
    return losses_join(l, s, err);
}

wf_status wfi_loop_step(wf_loop *l, wf_err *err) {
    step s = {.first = l->s.batch, .end = l->s.batch + l->o->accumulate};
    if (s.end > l->count) s.end = l->count;
    s.parts = s.end - s.first;
    for (int64_t b = s.first; b < s.end; b++) s.batches[l->order[b]]++;
    const uint64_t mix = wfi_random_key(l->o->seed, "mixout", (uint64_t)l->s.step, 0);
    wfi_mixout_begin(&l->mixout, mix);
    wf_status st = gradient_make(l, &s, err);
    wfi_mixout_end(&l->mixout, mix);
    if (st != WF_OK) return wfi_fail_in(err, st, "step %lld", (long long)l->s.step + 1);
    /* Without clipping it measures only: numbers that are not finite end the run either way. */
    st = wfi_clip_grad_norm(l->sets, l->set_count, l->o->max_grad_norm, NULL, err);
    if (st != WF_OK) return wfi_fail_in(err, st, "step %lld (a lower --lr may help)", (long long)l->s.step + 1);
    double sum = 0;
    for (size_t k = 0; k < l->task_count; k++) {
        if (l->tasks[k].head_set < l->set_count) wfi_optim_skip(l->optim, l->tasks[k].head_set, s.batches[k] == 0);
        sum += s.loss[k];
    }
    wfi_optim_step(l->optim, l->o->lr * wfi_schedule_factor(&l->schedule, l->s.step));
    l->s.step++;
    wfi_average_update(&l->average, l->s.step);
    l->s.batch = s.end;
    l->s.loss_sum += sum / (double)s.parts;
    l->s.loss_count++;
    return WF_OK;
}
