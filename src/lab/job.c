/* lab/job.c - see job.h. */
#include "lab/job.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "lab/gap.h"
#include "lab/job_parts.h"
#include "lab/one_class.h"
#include "lab/precision.h"
#include "lab/tokens.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PROBE_ROWS = 16 };

void wfi_job_parts_clear(wf_job_parts *p) {
    wfi_encoded_clear(&p->train);
    wfi_encoded_clear(&p->dev);
    wfi_encoded_clear(&p->test);
    wfi_free(p->weights);
}

wf_status wfi_job_length_check(wf_lab *lab, const wf_open_base *base, const wf_record *task, int64_t max_length,
                               wf_err *err) {
    json_t *info = NULL;
    WF_TRY(wfi_lab_record_json(task, &info, err));
    const char *kind = json_string_value(json_object_get(info, "kind"));
    const bool pair = json_is_true(json_object_get(info, "pair")) ||
                      (kind && strcmp(kind, wfi_kind_name(WF_KIND_MULTIPLE_CHOICE)) == 0);
    json_decref(info);
    const int64_t specials = (int64_t)wfi_tokenizer_specials(base->tokenizer, pair), least = specials + (pair ? 2 : 1),
                  most = base->model->config.max_positions;
    if (max_length > 0 && max_length < least)
        return wfi_fail(err, WF_E_ARG,
                        "max length is %lld; it must be at least %lld: %lld special tokens and one of %s",
                        (long long)max_length, (long long)least, (long long)specials, pair ? "each text" : "the text");
    if (max_length > most)
        wfi_lab_message(lab, "note", "base \"%s\" takes %lld tokens at most; texts are cut there, not at %lld",
                        base->name, (long long)most, (long long)max_length);
    return WF_OK;
}

wf_status wfi_job_encode(const wf_trained *t, const wf_rows *rows, const wf_task *task, wf_encoded *out, wf_err *err) {
    return wfi_tokens_encode(t->base->cache, t->base->tokenizer, rows, task, (size_t)t->max_length, out, err);
}

static wf_status train_rows_encode(const wf_job *job, const wf_trained *t, wf_encoded *out, wf_err *err) {
    const wf_rows *all = &job->task->train;
    const int64_t n = job->settings->rows;
    if (n == 0) return wfi_job_encode(t, all, job->task, out, err);
    if ((size_t)n > all->count)
        return wfi_fail(err, WF_E_ARG, "task \"%s\" has %zu training rows, fewer than the %lld asked for",
                        job->task->name, all->count, (long long)n);
    int64_t *indices = NULL;
    wf_rows some = {0};
    WF_TRY(wfi_rows_sample(all, job->task, (size_t)n, job->settings->seed, &indices, err));
    wf_status st = wfi_rows_pick(all, indices, (size_t)n, &some, err);
    if (st == WF_OK) st = wfi_job_encode(t, &some, job->task, out, err);
    wfi_rows_clear(&some);
    wfi_free(indices);
    return st;
}

/* Below this many times the smallest class's rows the largest is not spoken of. */
static const double WORTH_A_NOTE = 1.5;

/* "balanced": n / (classes * count), as scikit-learn has it. "sqrt": the square roots of these, which help rare classes
 * without giving up as much on the common ones. "auto": sqrt where the largest class has over 3 times the smallest's
 * rows, else none. Absent classes weigh 1. */
static wf_status weights_make(const wf_job *job, const wf_encoded *train, float **out, wf_err *err) {
    const char *mode = job->settings->class_weights;
    *out = NULL;
    if (job->task->kind != WF_KIND_CLASSIFICATION || strcmp(mode, "none") == 0) return WF_OK;
    const int32_t C = job->task->label_count;
    int64_t *count = wfi_alloc((size_t)C, sizeof *count), present = 0, least = INT64_MAX, most = 0;
    float *w = wfi_alloc((size_t)C, sizeof *w);
    if (!count || !w) {
        wfi_free(count);
        wfi_free(w);
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < train->rows; i++)
        if (train->label[i] >= 0) count[train->label[i]]++;
    for (int32_t c = 0; c < C; c++) {
        if (!count[c]) continue;
        present++;
        if (count[c] < least) least = count[c];
        if (count[c] > most) most = count[c];
    }
    /* Rows drawn by class even them out already. */
    const bool drawn = strcmp(job->settings->class_sampling, "natural") != 0;
    const bool use = strcmp(mode, "auto") != 0 || (most > WF_UNEVEN * least && !drawn),
               whole = strcmp(mode, "balanced") == 0;
    for (int32_t c = 0; c < C; c++) {
        const double balanced = count[c] ? (double)train->rows / ((double)present * (double)count[c]) : 1;
        w[c] = (float)(whole ? balanced : sqrt(balanced));
    }
    if (present && (double)most >= WORTH_A_NOTE * (double)least && !job->part)
        wfi_lab_message(
            job->lab, "note",
            use ? "%s: the largest class has %.3g times the training rows of the smallest (%lld, %lld), so "
                  "the loss weighs them (--class-weights none switches it off)"
                : "%s: the largest class has %.3g times the training rows of the smallest (%lld, %lld); the "
                  "loss counts every row the same (--class-weights balanced weighs classes)",
            job->task->name, (double)most / (double)least, (long long)most, (long long)least);
    wfi_free(count);
    if (use)
        *out = w;
    else
        wfi_free(w);
    return WF_OK;
}

/* What is for classes is refused elsewhere before anything is computed. */
static wf_status kind_check(const wf_job *job, wf_err *err) {
    const wf_settings *s = job->settings;
    const wf_kind kind = job->task->kind;
    const bool one_of = kind == WF_KIND_CLASSIFICATION || kind == WF_KIND_MULTIPLE_CHOICE;
    const bool by_class = strcmp(s->class_sampling, "natural") != 0;
    const char *what = s->focal > 0 && !one_of                      ? "focal loss is for classes"
                       : s->rdrop > 0 && !one_of                    ? "R-Drop is for classes"
                       : by_class && kind != WF_KIND_CLASSIFICATION ? "class sampling is for classes"
                                                                    : NULL;
    if (what) return wfi_fail(err, WF_E_ARG, "%s; task \"%s\" is %s", what, job->task->name, wfi_kind_name(kind));
    if (s->rdrop > 0 && s->head_dropout == 0 && s->base_dropout == 0 && s->stochastic_depth == 0 && !job->part)
        wfi_lab_message(job->lab, "warning",
                        "R-Drop compares two draws of dropout, and there is none; give --head-dropout");
    return WF_OK;
}

/* Those of test cost nothing in training. */
static wf_status features_make(const wf_job *job, const wf_trained *t, wf_job_parts *p, wf_err *err) {
    const double wall = wfi_clock_seconds(), cpu = wfi_clock_cpu_seconds();
    if (!wfi_context_drops(t->context)) WF_TRY(wfi_features_make(t->context, &p->train, err));
    WF_TRY(wfi_features_make(t->context, &p->dev, err));
    p->wall_seconds = wfi_clock_seconds() - wall;
    p->cpu_seconds = wfi_clock_cpu_seconds() - cpu;
    return job->no_test ? WF_OK : wfi_features_make(t->context, &p->test, err);
}

wf_status wfi_job_parts_make(const wf_job *job, const wf_trained *t, wf_job_parts *p, wf_err *err) {
    WF_TRY(kind_check(job, err));
    WF_TRY(train_rows_encode(job, t, &p->train, err));
    WF_TRY(wfi_job_encode(t, &job->task->dev, job->task, &p->dev, err));
    if (!job->no_test) WF_TRY(wfi_job_encode(t, &job->task->test, job->task, &p->test, err));
    if (wfi_settings_frozen(job->settings)) WF_TRY(features_make(job, t, p, err));
    return weights_make(job, &p->train, &p->weights, err);
}

void wfi_job_watch_open(const wf_job *job, wf_job_watch *out) {
    *out = (wf_job_watch){.job = job, .log = job->log ? fopen(job->log, "a") : NULL};
}

void wfi_job_watch_close(wf_job_watch *w) {
    if (w->log) fclose(w->log);
}

int wfi_job_event(const wf_train_event *e, void *user) {
    wf_job_watch *w = user;
    if (e->to_prepare) {
        const wf_progress rows = {.stage = "prepare",
                                  .name = w->job->name,
                                  .done = e->prepared,
                                  .total = e->to_prepare,
                                  .loss = e->loss,
                                  .rate_unit = "",
                                  .seconds_left = e->seconds_left};
        return wfi_lab_tick(w->job->lab, &rows, false);
    }
    const wf_progress p = {.stage = w->job->stage,
                           .name = w->job->name,
                           .done = e->step,
                           .total = e->total_steps,
                           .loss = e->loss,
                           .rate = e->tokens_per_second,
                           .rate_unit = "tokens/s",
                           .seconds_left = e->seconds_left,
                           .note = w->job->part ? NULL : e->note};
    if (e->note && w->log && !w->begun && !w->job->part) wfi_run_log_rewind(w->job->log, e->note);
    if (e->note && w->log) {
        w->begun = true;
        fprintf(w->log, "%s\n", e->note);
        fflush(w->log);
    }
    return wfi_lab_tick(w->job->lab, &p, p.note != NULL);
}

/* Everything that fixes the numbers of a run; a checkpoint of another identity is refused. */
static wf_status identity_make(const wf_job *job, const wf_trained *t, const wf_train_options *o, char hex[65],
                               wf_err *err) {
    const wf_settings *s = job->settings;
    wf_buffer b = {0};
    wfi_buffer_printf(&b, "%s|%s|%s|%s|%s|%lld|%.17g|%.17g|%.17g|%.17g|%.17g|%.17g|%d|%lld|%lld|%lld|%d|%llu|%d|%lld",
                      t->base->hash, job->task_record->hash, s->method, s->config ? s->config : "", job->name,
                      (long long)s->rows, o->epochs, o->lr, o->weight_decay, o->warmup_share, o->max_grad_norm,
                      (double)o->label_smoothing, o->schedule, (long long)o->batch_rows, (long long)o->batch_tokens,
                      (long long)o->accumulate, o->patience, (unsigned long long)o->seed, job->lab->threads,
                      (long long)t->max_length);
    wfi_buffer_printf(&b, "|%s|%.17g|%.17g|%s|%s|%d|%d", wfi_precision_name(t->base->dtype), s->head_dropout,
                      s->base_dropout, s->class_weights, s->pooling ? s->pooling : "", s->head_layers,
                      s->train_adapters);
    if (s->stochastic_depth > 0 || o->mixout > 0 || o->agreement > 0 || o->focal > 0 || o->class_evenness > 0)
        wfi_buffer_printf(&b, "|against overfitting %.17g %.17g %.17g %.17g %.17g", s->stochastic_depth, o->mixout,
                          o->agreement, (double)o->focal, o->class_evenness);
    if (o->average > 0) wfi_buffer_printf(&b, "|mean %.17g", o->average); /* else as before it was known */
    /* By content: another adapter may have the name by now. Without a checkpoint nothing is told apart by it. */
    for (size_t i = 0; job->checkpoint && i < t->fused_count; i++) {
        wf_record r = {0};
        wf_status found = wfi_registry_get(job->lab->registry, "model", t->fused[i]->name, &r, err);
        if (found == WF_OK) wfi_buffer_printf(&b, "|%s", r.hash);
        wfi_record_clear(&r);
        if (found != WF_OK) {
            wfi_buffer_clear(&b);
            return found;
        }
    }
    wf_status st = b.failed ? wfi_fail(err, WF_E_NOMEM, "out of memory") : wfi_hash_bytes(b.data, b.len, hex, err);
    wfi_buffer_clear(&b);
    return st;
}

wf_status wfi_job_options(const wf_job *job, const wf_trained *t, int64_t rows, const float *weights,
                          wf_train_options *o, wf_err *err) {
    const wf_settings *s = job->settings;
    *o = (wf_train_options){.epochs = wfi_settings_epochs(s, rows),
                            .lr = s->lr,
                            .weight_decay = s->weight_decay,
                            .warmup_share = s->warmup,
                            .max_grad_norm = s->max_grad_norm,
                            .average = s->average,
                            .label_smoothing = (float)s->label_smoothing,
                            .focal = (float)s->focal,
                            .agreement = s->rdrop,
                            .mixout = s->mixout,
                            .class_evenness = strcmp(s->class_sampling, "balanced") == 0 ? 1
                                              : strcmp(s->class_sampling, "sqrt") == 0   ? 0.5
                                                                                         : 0,
                            .class_weights = weights,
                            .batch_rows = s->batch_rows,
                            .batch_tokens = s->batch_tokens,
                            .accumulate = s->accumulate,
                            .patience = s->patience,
                            .metric = job->task->metric,
                            .seed = s->seed,
                            .cache_memory = wfi_settings_cache(s),
                            .cache_dir = job->folder,
                            .checkpoint = job->checkpoint,
                            .checkpoint_seconds = 20};
    wf_schedule schedule = {0};
    if (!wfi_schedule_parse(s->schedule, &schedule.kind))
        return wfi_fail(err, WF_E_ARG, "schedule \"%s\" is not known", s->schedule);
    o->schedule = (int)schedule.kind;
    return identity_make(job, t, o, o->identity, err);
}

wf_status wfi_job_probe(wf_trained *t, const wf_job *job, json_t **out, wf_err *err) {
    const wf_rows *from = job->task->dev.count ? &job->task->dev : &job->task->train;
    wf_rows some = {0};
    wf_encoded e = {0};
    wf_outputs o = {0};
    wf_buffer bits = {0};
    int64_t indices[PROBE_ROWS];
    const size_t n = from->count < PROBE_ROWS ? from->count : PROBE_ROWS;
    for (size_t i = 0; i < n; i++) indices[i] = (int64_t)i;
    wf_status st = wfi_rows_pick(from, indices, n, &some, err);
    if (st == WF_OK) st = wfi_job_encode(t, &some, job->task, &e, err);
    if (st == WF_OK) st = wfi_evaluate_outputs(t->context, &e, t->classes, &o, err);
    for (size_t i = 0; st == WF_OK && i < n * (size_t)t->classes; i++) {
        uint32_t u;
        memcpy(&u, &o.scores[i], sizeof u);
        wfi_buffer_printf(&bits, "%08x", u);
    }
    if (st == WF_OK && bits.failed) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK)
        *out = json_pack("{s:s, s:I, s:s, s:i, s:s, s:s}", "part", from == &job->task->dev ? "dev" : "train", "rows",
                         (json_int_t)n, "bits", bits.data ? bits.data : "", "threads", job->lab->threads, "isa",
                         wfi_isa_name(wfi_cpu_get()->isa), "cpu", wfi_cpu_get()->name);
    wfi_buffer_clear(&bits);
    wfi_outputs_clear(&o);
    wfi_encoded_clear(&e);
    wfi_rows_clear(&some);
    return st;
}

wf_status wfi_job_score(wf_trained *t, const wf_encoded *e, const char *file, json_t *into, const char *key,
                        wf_err *err) {
    wf_scores s = {0};
    wf_outputs o = {0};
    wf_predictions p;
    double *target = NULL;
    wf_status st = WF_OK;
    if (e->rows) {
        st = wfi_evaluate_outputs(t->context, e, t->classes, &o, err);
        if (st == WF_OK) st = wfi_outputs_judged(t->context, e, &o, &p, &target, err);
        if (st == WF_OK) st = wfi_metrics_compute(&p, 0, 0, &s, err);
        if (st == WF_OK) wfi_one_class_set(into, &p, t->head->labels, key); /* test's replaces dev's */
        if (st == WF_OK && file)
            st = wfi_file_write(file, (const char *)o.scores, o.rows * (size_t)o.classes * sizeof *o.scores, err);
    }
    if (st == WF_OK) json_object_set_new(into, key, wfi_lab_scores_json(&s, false));
    wfi_free(target);
    wfi_outputs_clear(&o);
    return st;
}

json_t *wfi_job_result(const wf_job *job, const wf_trained *t, const wf_train_options *o, const wf_train_result *r,
                       int64_t train_rows) {
    const wf_settings *s = job->settings;
    json_t *j =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I}", "name", job->name,
                  "task", job->task->name, "method", s->method, "kind", wfi_kind_name(job->task->kind), "metric",
                  job->task->metric, "base", t->base->name, "base_hash", t->base->hash, "seed", (json_int_t)s->seed,
                  "train_rows", (json_int_t)train_rows, "trainable_params", (json_int_t)wfi_trained_size(t), "steps",
                  (json_int_t)r->steps, "tokens", (json_int_t)r->tokens, "tokens_per_second",
                  r->wall_seconds > 0 ? (double)r->tokens / r->wall_seconds : 0.0, "wall_seconds", r->wall_seconds,
                  "cpu_seconds", r->cpu_seconds, "peak_rss_bytes", (json_int_t)wfi_clock_peak_rss());
    if (!j) return NULL;
    json_object_set_new(j, "memory_bytes", json_integer(r->memory_bytes));
    json_object_set_new(j, "task_hash", json_string(job->task_record->hash));
    json_object_set_new(j, "base_dtype", json_string(wfi_precision_name(t->base->dtype)));
    json_object_set_new(j, "classes", json_integer(t->classes));
    json_object_set_new(j, "max_length", json_integer(t->max_length));
    json_object_set_new(j, "epochs", json_integer(r->epochs_done));
    json_object_set_new(j, "best_epoch", json_integer(r->best_epoch));
    json_object_set_new(j, "stopped_early", json_boolean(r->stopped_early));
    json_object_set_new(j, "train_loss", isfinite(r->train_loss) ? json_real(r->train_loss) : json_null());
    json_object_set_new(j, "lr", json_real(o->lr));
    json_object_set_new(j, "threads", json_integer(job->lab->threads));
    json_object_set_new(j, "version", json_string(wf_version()));
    json_object_set(j, "from", (json_t *)s->from);
    json_object_set_new(j, "cache",
                        json_pack("{s:I, s:I, s:I, s:I}", "train_rows", (json_int_t)r->cache.train_rows, "dev_rows",
                                  (json_int_t)r->cache.dev_rows, "memory_bytes", (json_int_t)r->cache.memory_bytes,
                                  "disk_bytes", (json_int_t)r->cache.disk_bytes));
    return j;
}

wf_status wfi_job_run(const wf_job *job, wf_trained *t, json_t **result, wf_err *err) {
    wf_pset *sets[WF_TRAINED_SETS];
    size_t set_count = 0;
    wf_job_parts parts = {0};
    wf_train_options o;
    wf_train_result r = {0};
    json_t *j = NULL, *probe = NULL, *gap = NULL;
    wf_job_watch w;
    WF_TRY(wfi_trained_new(job->lab, job->settings, job->name, job->task, t, err));
    wf_status st = wfi_trained_sets(t, job->settings, sets, &set_count, err);
    if (st == WF_OK) st = wfi_job_parts_make(job, t, &parts, err);
    if (st == WF_OK) st = wfi_job_options(job, t, (int64_t)parts.train.rows, parts.weights, &o, err);
    if (st == WF_OK) {
        wfi_job_watch_open(job, &w);
        st = wfi_train(t->context, sets, set_count, &parts.train, &parts.dev, &o, wfi_job_event, &w, &r, err);
        wfi_job_watch_close(&w);
        r.wall_seconds += parts.wall_seconds;
        r.cpu_seconds += parts.cpu_seconds;
    }
    if (st == WF_OK) st = wfi_trained_freeze(t, err);
    if (st == WF_OK && !(j = wfi_job_result(job, t, &o, &r, (int64_t)parts.train.rows)))
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_job_score(t, &parts.dev, NULL, j, "dev", err);
    if (st == WF_OK) st = wfi_job_score(t, &parts.test, job->outputs, j, "test", err);
    if (st == WF_OK && (!job->part || job->gap))
        st = wfi_gap_measure(job, t, &parts.dev, (int64_t)parts.train.rows, &gap, err);
    if (gap) json_object_set_new(j, "gap", gap);
    if (st == WF_OK && !job->part) st = wfi_job_probe(t, job, &probe, err);
    if (probe) json_object_set_new(j, "probe", probe);
    wfi_job_parts_clear(&parts);
    if (st != WF_OK) {
        json_decref(j);
        wfi_trained_clear(t);
        return st;
    }
    *result = j;
    return WF_OK;
}
