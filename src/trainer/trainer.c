/* trainer/trainer.c - the loop. See trainer.h. */
#include "trainer/trainer.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "trainer/average.h"
#include "trainer/checkpoint.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct loop { /* one run; freed by loop_clear */
    wf_context *c;
    wf_pset *const *sets;
    size_t set_count;
    wf_encoded train, dev; /* the caller's but for stems made here */
    bool own_train, own_dev;
    const wf_train_options *o;
    wf_optim *optim;
    wf_schedule schedule;
    float **best; /* [set_count] best values so far */
    wf_average average;
    wf_batches cut; /* batches of the current epoch */
    wf_batch batch;
    wf_train_state s;
    wf_train_event_fn event;
    void *user;
    double started, cpu_started, checkpoint_at, wall_before;
    int64_t epochs, judge_every; /* epochs between evaluations on dev */
} loop;

static wf_status epoch_cut(loop *l, int64_t epoch, wf_err *err) {
    wfi_batches_clear(&l->cut);
    return wfi_batches_make(&l->train, l->o->batch_rows, l->o->batch_tokens, true,
                            wfi_random_key(l->o->seed, "batches", (uint64_t)epoch, 0), &l->cut, err);
}

/* Optimiser steps of the whole run: the cut of every epoch is known beforehand. */
static wf_status steps_count(loop *l, int64_t *steps, wf_err *err) {
    *steps = 0;
    for (int64_t e = 0; e < l->epochs; e++) {
        WF_TRY(epoch_cut(l, e, err));
        *steps += (l->cut.count + l->o->accumulate - 1) / l->o->accumulate;
    }
    return WF_OK;
}

static void best_keep(loop *l) {
    for (size_t i = 0; i < l->set_count; i++)
        memcpy(l->best[i], l->sets[i]->data, (size_t)l->sets[i]->total * sizeof(float));
}

static double wall_now(const loop *l) {
    return l->wall_before + wfi_clock_seconds() - l->started;
}

static wf_status checkpoint_now(loop *l, wf_err *err) {
    if (!l->o->checkpoint) return WF_OK;
    wf_train_state s = l->s;
    s.wall_seconds = wall_now(l);
    s.cpu_seconds = l->s.cpu_seconds + wfi_clock_cpu_seconds() - l->cpu_started;
    l->checkpoint_at = wfi_clock_seconds();
    return wfi_checkpoint_save(l->o->checkpoint, l->o->identity, &s, l->sets, l->set_count, l->optim, l->best,
                               l->average.mean, err);
}

/* Forward and backward of one batch; its share of the step's gradient is 1/parts. */
static wf_status batch_run(loop *l, int64_t index, int64_t parts, double *loss, wf_err *err) {
    WF_TRY(wfi_batch_fill(&l->batch, &l->train, l->cut.order + l->cut.first[index],
                          l->cut.first[index + 1] - l->cut.first[index], err));
    const uint64_t key = wfi_random_key(l->o->seed, "step", (uint64_t)l->s.step, (uint64_t)index);
    wf_value *logits = wfi_context_forward(l->c, &l->batch, true, key, NULL, err);
    if (!logits) return wfi_tape_status(l->c->tape, err) != WF_OK ? wfi_tape_status(l->c->tape, err) : WF_E_LIBRARY;
    const wf_pass pass = {.tape = l->c->tape, .S = l->batch.S, .offsets = l->batch.offsets, .key = key};
    const wf_loss_options lo = {.class_weights = l->o->class_weights, .label_smoothing = l->o->label_smoothing};
    wf_value *value = wfi_head_loss(l->c->head, &pass, logits, &l->batch, &lo);
    if (value) *loss = value->data[0];
    wf_value *penalty = l->c->fusion ? wfi_fusion_penalty(l->c->fusion, l->c->tape) : NULL;
    if (penalty) value = wfi_op_add(l->c->tape, 2, (wf_value *[]){value, penalty});
    WF_TRY(wfi_tape_status(l->c->tape, err));
    l->s.tokens += l->batch.T;
    return wfi_tape_backward(l->c->tape, value, 1.0f / (float)parts, err);
}

static wf_status step_run(loop *l, wf_err *err) {
    int64_t end = l->s.batch + l->o->accumulate;
    if (end > l->cut.count) end = l->cut.count;
    const int64_t parts = end - l->s.batch;
    double loss = 0, sum = 0;
    wfi_optim_zero_grad(l->optim);
    for (int64_t b = l->s.batch; b < end; b++) {
        wf_status st = batch_run(l, b, parts, &loss, err);
        if (st != WF_OK) return wfi_fail_in(err, st, "step %lld", (long long)l->s.step + 1);
        sum += loss;
    }
    /* Without clipping it measures only: numbers that are not finite end the run either way. */
    wf_status clipped = wfi_clip_grad_norm(l->sets, l->set_count, l->o->max_grad_norm, NULL, err);
    if (clipped != WF_OK)
        return wfi_fail_in(err, clipped, "step %lld (a lower --lr may help)", (long long)l->s.step + 1);
    wfi_optim_step(l->optim, l->o->lr * wfi_schedule_factor(&l->schedule, l->s.step));
    l->s.step++;
    wfi_average_update(&l->average, l->s.step);
    l->s.batch = end;
    l->s.loss_sum += sum / (double)parts;
    l->s.loss_count++;
    return WF_OK;
}

static int report(loop *l, const char *note) {
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

/* ---- stems ---- */

static int stem_tick(int64_t rows, int64_t total, void *user) {
    const loop *l = user;
    const wf_train_event e = {.step = l->s.step,
                              .total_steps = l->schedule.total_steps,
                              .loss = NAN,
                              .seconds_left = -1,
                              .prepared = rows,
                              .to_prepare = total};
    return l->event ? l->event(&e, l->user) : 0;
}

/* Takes what it uses from *memory. No room is no failure. */
static wf_status stem_try(loop *l, wf_encoded *e, const char *part, size_t *memory, bool *own, wf_err *err) {
    wf_err why = {0};
    char note[700];
    const wf_status st = wfi_stem_make(l->c, e, *memory, l->o->cache_dir, stem_tick, l, &why);
    if (st == WF_OK) {
        *own = true;
        *memory -= wfi_stem_memory_bytes(e->stem);
        return WF_OK;
    }
    if (st != WF_E_NOMEM && st != WF_E_IO) {
        if (err) *err = why;
        return st;
    }
    snprintf(note, sizeof note, "the lower layers run anew in every epoch on %s: %s", part, why.text);
    if (report(l, note)) return wfi_fail(err, WF_E_CANCELLED, "cancelled while the lower layers were run");
    return WF_OK;
}

/* Pays where the cut lies above the embeddings and what is kept is read more than once. A resumed run makes what the
 * unbroken one had, however little is left of it: with some instruction sets the bits depend on it. */
static wf_status stems_make(loop *l, wf_err *err) {
    size_t memory = l->o->cache_memory;
    const bool over = l->s.stopped || l->s.epoch >= l->epochs;
    if (over || memory == 0 || wfi_context_depth(l->c) == 0) return WF_OK;
    if (l->dev.rows && !l->dev.pooled && !l->dev.stem && l->epochs > l->judge_every)
        WF_TRY(stem_try(l, &l->dev, "dev", &memory, &l->own_dev, err));
    if (!l->train.pooled && !l->train.stem && l->epochs > 1 && !wfi_context_drops(l->c))
        WF_TRY(stem_try(l, &l->train, "the training rows", &memory, &l->own_train, err));
    return WF_OK;
}

static void stem_count(const wf_encoded *e, bool own, int64_t *rows, wf_train_result *r) {
    if (!own) return;
    *rows = (int64_t)e->rows;
    r->cache.memory_bytes += wfi_stem_memory_bytes(e->stem);
    r->cache.disk_bytes += wfi_stem_disk_bytes(e->stem);
}

/* ---- epochs ---- */

/* Scores dev, keeps the best state, counts evaluations without progress. */
static wf_status dev_judge(loop *l, char *note, size_t size, wf_err *err) {
    wf_scores scores = {0};
    const int32_t classes = l->c->head->kind == WF_KIND_MULTIPLE_CHOICE ? l->dev.label_count : l->c->head->classes;
    wf_status st = wfi_evaluate(l->c, &l->dev, classes, 0, 0, &scores, err);
    if (st != WF_OK) return wfi_fail_in(err, st, "dev after epoch %lld", (long long)l->s.epoch + 1);
    const wf_metric_value *m = wfi_scores_find(&scores, l->o->metric), *brier = wfi_scores_find(&scores, "brier");
    if (!m) return wfi_fail(err, WF_E_ARG, "metric \"%s\" does not exist for this kind of task", l->o->metric);
    const bool lower_is_better = wfi_metric_lower_is_better(l->o->metric);
    double score = lower_is_better ? -m->value : m->value;
    if (isnan(score)) score = -INFINITY; /* e.g. a correlation of constant predictions */
    const double tie = brier ? -brier->value : 0;
    const bool better = l->s.best_epoch < 0 || score > l->s.best_score;
    /* Few dev rows give many equal scores: then the better probabilities decide, without counting as progress. */
    const bool sharper = !better && score == l->s.best_score && tie > l->s.best_tie;
    if (better || sharper) {
        l->s.best_score = score;
        l->s.best_tie = tie;
        l->s.best_epoch = l->s.epoch;
        best_keep(l);
    }
    l->s.stale = better ? 0 : l->s.stale + 1;
    if (l->o->patience >= 0 && l->s.stale > l->o->patience) l->s.stopped = 1;
    snprintf(note, size, ", dev %s %.4f%s", l->o->metric, fabs(score),
             better    ? " (best)"
             : sharper ? " (as good, with better probabilities)"
                       : "");
    return WF_OK;
}

static wf_status epoch_end(loop *l, bool *cancel, wf_err *err) {
    char note[200], judged[120] = "";
    l->s.last_loss = l->s.loss_count ? l->s.loss_sum / (double)l->s.loss_count : NAN;
    wfi_average_swap(&l->average);
    wf_status st = WF_OK;
    if (l->dev.rows == 0) {
        l->s.best_epoch = l->s.epoch;
        best_keep(l);
    } else if ((l->s.epoch + 1) % l->judge_every == 0 || l->s.epoch + 1 == l->epochs) {
        st = dev_judge(l, judged, sizeof judged, err);
    }
    wfi_average_swap(&l->average);
    WF_TRY(st);
    snprintf(note, sizeof note, "epoch %lld: loss %.4f%s", (long long)l->s.epoch + 1, l->s.last_loss, judged);
    *cancel = report(l, note) != 0;
    l->s.epoch++;
    l->s.batch = 0;
    l->s.loss_sum = 0;
    l->s.loss_count = 0;
    return checkpoint_now(l, err);
}

static const char *kept(const loop *l) {
    return l->o->checkpoint ? "; its checkpoint is kept" : "";
}

static wf_status epochs_run(loop *l, wf_err *err) {
    bool cancel = false;
    while (l->s.epoch < l->epochs && !l->s.stopped) {
        WF_TRY(epoch_cut(l, l->s.epoch, err));
        while (l->s.batch < l->cut.count) {
            WF_TRY(step_run(l, err));
            cancel = report(l, NULL) != 0;
            if (cancel || wfi_clock_seconds() - l->checkpoint_at > l->o->checkpoint_seconds)
                WF_TRY(checkpoint_now(l, err));
            if (cancel) return wfi_fail(err, WF_E_CANCELLED, "cancelled at step %lld%s", (long long)l->s.step, kept(l));
        }
        WF_TRY(epoch_end(l, &cancel, err));
        if (cancel)
            return wfi_fail(err, WF_E_CANCELLED, "cancelled after epoch %lld%s", (long long)l->s.epoch, kept(l));
    }
    return WF_OK;
}

static void loop_clear(loop *l) {
    for (size_t i = 0; l->best && i < l->set_count; i++) wfi_free(l->best[i]);
    wfi_free(l->best);
    wfi_batches_clear(&l->cut);
    wfi_batch_clear(&l->batch);
    if (l->own_train) wfi_stem_free(l->train.stem);
    if (l->own_dev) wfi_stem_free(l->dev.stem);
    wfi_average_clear(&l->average);
    wfi_optim_free(l->optim);
}

static int64_t tokens_of(const wf_encoded *e) {
    return e->offsets[e->sequences];
}

static wf_status loop_init(loop *l, wf_err *err) {
    l->best = wfi_alloc(l->set_count, sizeof *l->best);
    if (!l->best) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < l->set_count; i++) {
        l->best[i] = wfi_alloc((size_t)l->sets[i]->total + 1, sizeof(float));
        if (!l->best[i]) return wfi_fail(err, WF_E_NOMEM, "out of memory for the best state");
    }
    WF_TRY(wfi_optim_new(l->sets, l->set_count, l->o->weight_decay, &l->optim, err));
    WF_TRY(wfi_average_init(&l->average, l->sets, l->set_count, l->o->average, err));
    int64_t steps = 0;
    WF_TRY(steps_count(l, &steps, err));
    l->judge_every = l->dev.rows ? (tokens_of(&l->dev) + tokens_of(&l->train) - 1) / tokens_of(&l->train)
                                 : 1; /* judging costs less than training */
    l->schedule.kind = l->o->schedule;
    l->schedule.total_steps = steps;
    l->schedule.warmup_steps = (int64_t)(l->o->warmup_share * (double)steps);
    l->s.best_epoch = -1;
    best_keep(l);
    bool found = false;
    WF_TRY(wfi_checkpoint_load(l->o->checkpoint, l->o->identity, &l->s, l->sets, l->set_count, l->optim, l->best,
                               l->average.mean, &found, err));
    l->wall_before = l->s.wall_seconds;
    WF_TRY(stems_make(l, err));
    l->checkpoint_at = wfi_clock_seconds();
    return WF_OK;
}

wf_status wfi_train(wf_context *c, wf_pset *const *sets, size_t set_count, const wf_encoded *train,
                    const wf_encoded *dev, const wf_train_options *o, wf_train_event_fn event, void *user,
                    wf_train_result *out, wf_err *err) {
    if (train->rows == 0) return wfi_fail(err, WF_E_DATA, "there are no training rows");
    if (!(o->lr > 0) || !(o->epochs > 0) || o->accumulate < 1)
        return wfi_fail(err, WF_E_ARG, "learning rate, epochs and accumulation must be positive");
    loop l = {.epochs = (int64_t)ceil(o->epochs),
              .c = c,
              .sets = sets,
              .set_count = set_count,
              .train = *train,
              .dev = *dev,
              .o = o,
              .event = event,
              .user = user,
              .started = wfi_clock_seconds(),
              .cpu_started = wfi_clock_cpu_seconds()};
    wf_status st = loop_init(&l, err);
    if (st == WF_OK) st = epochs_run(&l, err);
    if (st == WF_OK) {
        for (size_t i = 0; i < set_count; i++) memcpy(sets[i]->data, l.best[i], (size_t)sets[i]->total * sizeof(float));
        *out = (wf_train_result){.steps = l.s.step,
                                 .tokens = l.s.tokens,
                                 .best_epoch = l.s.best_epoch + 1,
                                 .epochs_done = l.s.epoch,
                                 .wall_seconds = wall_now(&l),
                                 .cpu_seconds = l.s.cpu_seconds + wfi_clock_cpu_seconds() - l.cpu_started,
                                 .train_loss = l.s.last_loss,
                                 .best_score = l.s.best_score,
                                 .stopped_early = l.s.stopped != 0};
        stem_count(&l.train, l.own_train, &out->cache.train_rows, out);
        stem_count(&l.dev, l.own_dev, &out->cache.dev_rows, out);
    }
    loop_clear(&l);
    return st;
}
