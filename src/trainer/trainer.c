/* trainer/trainer.c - the loop over epochs. See trainer.h; the pieces are declared in loop.h. */
#include "trainer/trainer.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "trainer/loop.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static double wall_now(const wf_loop *l) {
    return l->wall_before + wfi_clock_seconds() - l->started;
}

static wf_status checkpoint_now(wf_loop *l, wf_err *err) {
    if (!l->o->checkpoint) return WF_OK;
    wf_train_state s = l->s;
    s.wall_seconds = wall_now(l);
    s.cpu_seconds = l->s.cpu_seconds + wfi_clock_cpu_seconds() - l->cpu_started;
    const double begin = wfi_clock_seconds();
    const wf_status st = wfi_checkpoint_save(l->o->checkpoint, l->o->identity, &s, l->sets, l->set_count, l->optim,
                                             l->best, l->average.mean, err);
    l->checkpoint_at = wfi_clock_seconds();
    l->checkpoint_cost = l->checkpoint_at - begin;
    return st;
}

/* Bytes, hashed and brought to the disk, by which the first checkpoint is judged; then it is measured. */
static const double WRITTEN_A_SECOND = 250e6;

/* After so many seconds; but writing takes no more than a twentieth of the time. */
static bool checkpoint_due(const wf_loop *l, double seconds) {
    const double least = 19 * l->checkpoint_cost;
    return wfi_clock_seconds() - l->checkpoint_at > (seconds > least ? seconds : least);
}

int wfi_loop_report(wf_loop *l, const char *note) {
    if (!l->event) return 0;
    const double wall = wall_now(l);
    const wf_train_event e = {
        .step = l->s.step,
        .total_steps = l->schedule.total_steps,
        .tokens = l->s.tokens,
        .loss = l->s.loss_count ? l->s.loss_sum / (double)l->s.loss_count : l->s.last_loss,
        .tokens_per_second = wall > 0 ? (double)l->s.tokens / wall : 0,
        .seconds_left = l->s.step ? wall / (double)l->s.step * (double)(l->schedule.total_steps - l->s.step) : -1,
        .note = note};
    return l->event(&e, l->user);
}

static wf_status epoch_end(wf_loop *l, bool *cancel, wf_err *err) {
    char note[800], judged[700] = "";
    l->s.last_loss = l->s.loss_count ? l->s.loss_sum / (double)l->s.loss_count : NAN;
    wf_status st = WF_OK;
    wfi_average_swap(&l->average);
    if (!wfi_loop_has_dev(l)) {
        l->s.best_epoch = l->s.epoch;
        wfi_loop_keep(l);
    } else if ((l->s.epoch + 1) % l->judge_every == 0 || l->s.epoch + 1 == l->epochs) {
        st = wfi_loop_judge(l, judged, sizeof judged, err);
    }
    wfi_average_swap(&l->average);
    WF_TRY(st);
    snprintf(note, sizeof note, "epoch %lld: loss %.4f%s", (long long)l->s.epoch + 1, l->s.last_loss, judged);
    *cancel = wfi_loop_report(l, note) != 0;
    l->s.epoch++;
    l->s.batch = 0;
    l->s.loss_sum = 0;
    l->s.loss_count = 0;
    const bool last = l->s.epoch == l->epochs || l->s.stopped; /* what follows, such as the test, may be long */
    return last || *cancel || checkpoint_due(l, 0) ? checkpoint_now(l, err) : WF_OK;
}

static const char *kept(const wf_loop *l) {
    return l->o->checkpoint ? "; its checkpoint is kept" : "";
}

static wf_status epochs_run(wf_loop *l, wf_err *err) {
    bool cancel = false;
    while (l->s.epoch < l->epochs && !l->s.stopped) {
        WF_TRY(wfi_loop_epoch(l, err));
        while (l->s.batch < l->count) {
            WF_TRY(wfi_loop_step(l, err));
            cancel = wfi_loop_report(l, NULL) != 0;
            if (cancel || checkpoint_due(l, l->o->checkpoint_seconds)) WF_TRY(checkpoint_now(l, err));
            if (cancel) return wfi_fail(err, WF_E_CANCELLED, "cancelled at step %lld%s", (long long)l->s.step, kept(l));
        }
        WF_TRY(epoch_end(l, &cancel, err));
        if (cancel)
            return wfi_fail(err, WF_E_CANCELLED, "cancelled after epoch %lld%s", (long long)l->s.epoch, kept(l));
    }
    return WF_OK;
}

static void loop_clear(wf_loop *l) {
    for (size_t i = 0; l->best && i < l->set_count; i++) wfi_free(l->best[i]);
    wfi_free(l->best);
    wfi_free(l->order);
    wfi_batch_clear(&l->batch);
    wfi_loop_step_clear(l);
    for (size_t k = 0; k < l->task_count; k++) {
        wf_loop_part *p = &l->part[k];
        wfi_batches_clear(&p->cut);
        if (p->own_train) wfi_stem_free(p->train.stem);
        if (p->own_dev) wfi_stem_free(p->dev.stem);
    }
    wfi_average_clear(&l->average);
    wfi_optim_free(l->optim);
}

static int64_t tokens_of(const wf_encoded *e) {
    return e->offsets ? e->offsets[e->sequences] : 0;
}

/* Judging dev must cost less than training. */
static int64_t judge_every(const wf_loop *l) {
    int64_t train = 0, dev = 0;
    for (size_t k = 0; k < l->task_count; k++) {
        train += tokens_of(&l->part[k].train);
        dev += l->part[k].dev.rows ? tokens_of(&l->part[k].dev) : 0;
    }
    return dev && train ? (dev + train - 1) / train : 1;
}

/* A file with a right hash may still have been made by hand. */
static bool sound(const wf_train_state *s) {
    bool good = s->step >= 0 && s->epoch >= 0 && s->batch >= 0;
    for (int k = 0; k < WF_JOINT_TASKS; k++) good = good && s->pass[k] >= 0 && s->at[k] >= 0;
    return good;
}

static wf_status loop_init(wf_loop *l, wf_err *err) {
    l->best = wfi_alloc(l->set_count, sizeof *l->best);
    if (!l->best) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < l->set_count; i++) {
        l->best[i] = wfi_alloc((size_t)l->sets[i]->total + 1, sizeof(float));
        if (!l->best[i]) return wfi_fail(err, WF_E_NOMEM, "out of memory for the best state");
    }
    WF_TRY(wfi_optim_new(l->sets, l->set_count, l->o->weight_decay, &l->optim, err));
    WF_TRY(wfi_average_init(&l->average, l->sets, l->set_count, l->o->average, err));
    WF_TRY(wfi_loop_step_init(l, err));
    int64_t steps = 0;
    WF_TRY(wfi_loop_steps(l, &steps, err));
    l->judge_every = judge_every(l);
    l->schedule.kind = l->o->schedule;
    l->schedule.total_steps = steps;
    l->schedule.warmup_steps = (int64_t)(l->o->warmup_share * (double)steps);
    l->s.best_epoch = -1;
    wfi_weigh_start(&l->o->weighing, &l->s.weigh);
    wfi_loop_keep(l);
    bool found = false;
    WF_TRY(wfi_checkpoint_load(l->o->checkpoint, l->o->identity, &l->s, l->sets, l->set_count, l->optim, l->best,
                               l->average.mean, &found, err));
    if (!sound(&l->s)) return wfi_fail(err, WF_E_DATA, "%s: checkpoint counts below 0", l->o->checkpoint);
    l->wall_before = l->s.wall_seconds;
    l->checkpoint_cost = (double)wfi_checkpoint_size(l->sets, l->set_count, l->average.mean != NULL) / WRITTEN_A_SECOND;
    WF_TRY(wfi_loop_stems(l, err));
    l->checkpoint_at = wfi_clock_seconds();
    return WF_OK;
}

static void result_make(const wf_loop *l, wf_train_result *out) {
    *out = (wf_train_result){.steps = l->s.step,
                             .tokens = l->s.tokens,
                             .best_epoch = l->s.best_epoch + 1,
                             .epochs_done = l->s.epoch,
                             .wall_seconds = wall_now(l),
                             .cpu_seconds = l->s.cpu_seconds + wfi_clock_cpu_seconds() - l->cpu_started,
                             .train_loss = l->s.last_loss,
                             .best_score = l->s.best_score,
                             .memory_bytes = wfi_loop_memory(l),
                             .stopped_early = l->s.stopped != 0};
    for (size_t k = 0; k < l->task_count; k++) {
        const wf_loop_part *p = &l->part[k];
        const struct {
            const wf_encoded *e;
            bool own;
            int64_t *rows;
        } stems[] = {{&p->train, p->own_train, &out->cache.train_rows}, {&p->dev, p->own_dev, &out->cache.dev_rows}};
        for (int i = 0; i < 2; i++) {
            if (!stems[i].own) continue;
            *stems[i].rows += (int64_t)stems[i].e->rows;
            out->cache.memory_bytes += wfi_stem_memory_bytes(stems[i].e->stem);
            out->cache.disk_bytes += wfi_stem_disk_bytes(stems[i].e->stem);
        }
        out->task[k].batches = l->s.drawn[k];
        out->task[k].factor =
            wfi_weighing_method(&l->o->weighing)->factor(&l->s.weigh, k, l->tasks[k].head->kind == WF_KIND_REGRESSION);
    }
}

static wf_status check(const wf_train_task *tasks, size_t count, const wf_train_options *o, wf_err *err) {
    if (count < 1 || count > WF_JOINT_TASKS)
        return wfi_fail(err, WF_E_ARG, "at most %d tasks can be trained together", WF_JOINT_TASKS);
    for (size_t k = 0; k < count; k++) {
        if (tasks[k].train->rows == 0) return wfi_fail(err, WF_E_DATA, "there are no training rows");
        if (count > 1 && o->sampling.method && o->sampling.method->dev && tasks[k].dev->rows == 0)
            return wfi_fail(err, WF_E_ARG, "sampling %s needs dev rows of every task; \"%s\" has none",
                            o->sampling.method->name, tasks[k].name);
    }
    if (!(o->lr > 0) || !(o->epochs > 0) || o->accumulate < 1)
        return wfi_fail(err, WF_E_ARG, "learning rate, epochs and accumulation must be positive");
    return WF_OK;
}

wf_status wfi_train_joint(wf_context *c, wf_pset *const *sets, size_t set_count, const wf_train_task *tasks,
                          size_t task_count, const wf_train_options *o, wf_train_event_fn event, void *user,
                          wf_train_result *out, wf_err *err) {
    WF_TRY(check(tasks, task_count, o, err));
    wf_loop l = {.epochs = (int64_t)ceil(o->epochs),
                 .c = c,
                 .sets = sets,
                 .set_count = set_count,
                 .tasks = tasks,
                 .task_count = task_count,
                 .o = o,
                 .event = event,
                 .user = user,
                 .started = wfi_clock_seconds(),
                 .cpu_started = wfi_clock_cpu_seconds()};
    for (size_t k = 0; k < task_count; k++) l.part[k] = (wf_loop_part){.train = *tasks[k].train, .dev = *tasks[k].dev};
    wf_status st = loop_init(&l, err);
    if (st == WF_OK) st = epochs_run(&l, err);
    if (st == WF_OK) {
        for (size_t i = 0; i < set_count; i++) memcpy(sets[i]->data, l.best[i], (size_t)sets[i]->total * sizeof(float));
        result_make(&l, out);
    }
    loop_clear(&l);
    c->head = tasks[0].head;
    return st;
}

wf_status wfi_train(wf_context *c, wf_pset *const *sets, size_t set_count, const wf_encoded *train,
                    const wf_encoded *dev, const wf_train_options *o, wf_train_event_fn event, void *user,
                    wf_train_result *out, wf_err *err) {
    const wf_train_task task = {.name = "",
                                .head = c->head,
                                .head_set = set_count, /* no head rests */
                                .train = train,
                                .dev = dev,
                                .class_weights = o->class_weights,
                                .metric = o->metric};
    return wfi_train_joint(c, sets, set_count, &task, 1, o, event, user, out, err);
}
