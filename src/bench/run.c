/* bench/run.c - one round of a work: training steps by the trainer, inference as predictions are made. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "bench/bench.h"
#include "kernels/kernels.h"

enum { EPOCH_ROWS = 4096, HEAD_BATCHES = 4, LATENCY_WARM = 3, LATENCY_LEAST = 20 };
static const double FOREVER = 1e30;

typedef struct stretch { /* of training steps; the first one is not timed: the trainer makes its buffers before it */
    double slice, from, to;
    int64_t first_step, step, first_tokens, tokens;
    double epochs; /* 0: more than a round needs */
} stretch;

static int on_step(const wf_train_event *e, void *user) {
    stretch *s = user;
    if (e->to_prepare || (s->first_step && e->step == s->step)) return 0; /* no step, or the end of an epoch */
    s->to = wfi_clock_seconds();
    s->step = e->step;
    s->tokens = e->tokens;
    if (!s->first_step) {
        s->first_step = e->step;
        s->first_tokens = e->tokens;
        s->from = s->to;
        return 0;
    }
    return s->to - s->from >= s->slice;
}

static wf_status train_stretch(wf_bench_running *r, stretch *s, wf_err *err) {
    const wf_encoded none = {0};
    const wf_settings *set = &r->settings;
    wf_schedule schedule = {0};
    wf_train_result result = {0};
    wf_err stopped = {0};
    if (!wfi_schedule_parse(set->schedule, &schedule.kind)) return wfi_fail(err, WF_E_ARG, "schedule is not known");
    const int64_t epochs = 2 + EPOCH_ROWS / (int64_t)r->data->rows;
    const wf_train_options o = {.epochs = s->epochs > 0 ? s->epochs : (double)epochs,
                                .lr = set->lr,
                                .weight_decay = set->weight_decay,
                                .warmup_share = set->warmup,
                                .max_grad_norm = set->max_grad_norm,
                                .average = set->average,
                                .label_smoothing = (float)set->label_smoothing,
                                .schedule = (int)schedule.kind,
                                .batch_rows = set->batch_rows,
                                .batch_tokens = set->batch_tokens,
                                .accumulate = set->accumulate,
                                .patience = -1,
                                .metric = "accuracy",
                                .seed = (uint64_t)r->calls++};
    const wf_status st = wfi_train(r->subject.context, r->subject.sets, r->subject.set_count, r->data, &none, &o,
                                   on_step, s, &result, &stopped);
    if (st == WF_OK || st == WF_E_CANCELLED) return WF_OK; /* at the end of the data, or by on_step */
    if (err) *err = stopped;
    return st;
}

static void round_add(wf_bench_running *r, double seconds, int64_t steps, int64_t tokens) {
    r->rate[r->rounds] = (double)tokens / seconds;
    r->step[r->rounds] = seconds / (double)steps;
    r->rounds++;
    r->steps += steps;
    r->tokens += tokens;
}

static wf_status train_round(wf_bench_running *r, double slice, wf_err *err) {
    double seconds = 0;
    int64_t steps = 0, tokens = 0;
    do {
        stretch s = {.slice = slice - seconds};
        WF_TRY(train_stretch(r, &s, err));
        seconds += s.to - s.from;
        steps += s.step - s.first_step;
        tokens += s.tokens - s.first_tokens;
    } while (steps == 0 || seconds < slice);
    round_add(r, seconds, steps, tokens);
    return WF_OK;
}

static int64_t tokens_of(const wf_encoded *view, size_t first) {
    return view->offsets[first + view->rows] - view->offsets[first];
}

/* The next n rows of the work's texts, from the beginning again behind the last one. */
static wf_encoded rows_next(wf_bench_running *r, size_t n, int64_t *tokens) {
    const size_t left = r->data->rows - r->next;
    const wf_encoded view = wfi_bench_view(r->data, r->next, n < left ? n : left);
    *tokens = tokens_of(&view, r->next);
    r->next = (r->next + view.rows) % r->data->rows;
    return view;
}

/* A head alone is trained on features that the base makes once. A round is that and one pass over them, which is the
 * first epoch of a training; all later ones cost next to nothing. */
static wf_status head_round(wf_bench_running *r, double slice, wf_err *err) {
    const wf_encoded *all = r->data;
    double seconds = 0;
    int64_t steps = 0, tokens = 0, more = 0;
    do {
        wf_encoded some = rows_next(r, HEAD_BATCHES * (size_t)r->work->batch_rows, &more);
        stretch s = {.slice = FOREVER, .epochs = 1};
        const double from = wfi_clock_seconds();
        wf_status st = wfi_features_make(r->subject.context, &some, err);
        r->data = &some;
        if (st == WF_OK) st = train_stretch(r, &s, err);
        r->data = all;
        wfi_free(some.pooled);
        if (st != WF_OK) return st;
        seconds += wfi_clock_seconds() - from;
        steps += s.step;
        tokens += more;
    } while (seconds < slice);
    round_add(r, seconds, steps, tokens);
    return WF_OK;
}

static wf_status rows_infer(wf_bench_running *r, size_t n, int64_t *tokens, wf_err *err) {
    const wf_encoded some = rows_next(r, n, tokens);
    wf_outputs o = {0};
    const wf_status st = wfi_evaluate_outputs(r->subject.context, &some, r->subject.head->classes, &o, err);
    wfi_outputs_clear(&o);
    return st;
}

static wf_status infer_round(wf_bench_running *r, double slice, wf_err *err) {
    int64_t steps = 0, tokens = 0, more = 0;
    WF_TRY(rows_infer(r, (size_t)r->work->batch_rows, &more, err)); /* wakes what other works put to sleep */
    const double from = wfi_clock_seconds();
    double seconds = 0;
    do {
        WF_TRY(rows_infer(r, (size_t)r->work->batch_rows, &more, err));
        seconds = wfi_clock_seconds() - from;
        steps++;
        tokens += more;
    } while (seconds < slice);
    round_add(r, seconds, steps, tokens);
    return WF_OK;
}

static wf_status latency_add(wf_bench_running *r, double seconds, wf_err *err) {
    if (r->latency_count == r->latency_cap) {
        const size_t cap = r->latency_cap ? 2 * r->latency_cap : 256;
        double *more = wfi_realloc(r->latency, cap, sizeof *more);
        if (!more) return wfi_fail(err, WF_E_NOMEM, "out of memory");
        r->latency = more;
        r->latency_cap = cap;
    }
    r->latency[r->latency_count++] = seconds;
    return WF_OK;
}

static wf_status latency_round(wf_bench_running *r, double slice, wf_err *err) {
    int64_t tokens = 0, sum = 0;
    for (int k = 0; k < LATENCY_WARM; k++) WF_TRY(rows_infer(r, 1, &tokens, err));
    const double from = wfi_clock_seconds();
    double at = from;
    int64_t n = 0;
    for (; n < LATENCY_LEAST || at - from < slice; n++) {
        WF_TRY(rows_infer(r, 1, &tokens, err));
        const double now = wfi_clock_seconds();
        WF_TRY(latency_add(r, now - at, err));
        at = now;
        sum += tokens;
    }
    round_add(r, at - from, n, sum);
    return WF_OK;
}

wf_status wfi_bench_round(wf_bench_state *b, wf_bench_running *r, double slice, wf_err *err) {
    const wf_bench_work *w = r->work;
    if (w->threads) wfi_threads_set(w->threads);
    wf_status st = w->kind == BENCH_LATENCY ? latency_round(r, slice, err)
                   : w->kind == BENCH_INFER ? infer_round(r, slice, err)
                   : w->parts == BENCH_HEAD ? head_round(r, slice, err)
                                            : train_round(r, slice, err);
    if (w->threads) wfi_threads_set(b->lab->threads);
    return st == WF_OK ? WF_OK : wfi_fail_in(err, st, "%s", w->name);
}
