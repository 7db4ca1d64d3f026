/* bench/bench.c - wf_bench: the order of things. See bench.h. */
#include "bench/bench.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "hub/hub.h"
#include "kernels/kernels.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_ROUNDS = 5 };
static const double DEFAULT_SECONDS = 3, SECONDS_MOST = 3600;

static wf_status spec_check(wf_bench_state *b, wf_err *err) {
    const wf_bench_spec *s = b->spec;
    if (s->rounds < 0 || s->rounds > BENCH_ROUNDS)
        return wfi_fail(err, WF_E_ARG, "rounds are %d; they must lie in [1, %d]", s->rounds, BENCH_ROUNDS);
    if (!(s->seconds >= 0 && s->seconds <= SECONDS_MOST))
        return wfi_fail(err, WF_E_ARG, "seconds a work are %g; they must lie in (0, %g]", s->seconds, SECONDS_MOST);
    if (s->texts && s->size)
        return wfi_fail(err, WF_E_ARG, "a random base has no tokenizer for texts; it reads random tokens");
    if (s->from_count > BENCH_POOL) return wfi_fail(err, WF_E_ARG, "at most %d adapters can be fused", BENCH_POOL);
    if (s->from_count && s->size)
        return wfi_fail(err, WF_E_ARG, "trained adapters need the base they were trained on, not a random one");
    b->rounds = s->rounds ? s->rounds : DEFAULT_ROUNDS;
    b->slice = (s->seconds > 0 ? s->seconds : DEFAULT_SECONDS) / b->rounds;
    return WF_OK;
}

/* The lab's own trained adapters stand first in the pool. */
static wf_status from_open(wf_bench_state *b, wf_err *err) {
    for (size_t i = 0; i < b->spec->from_count; i++) {
        wf_adapter *a = NULL;
        WF_TRY(wfi_fused_open(b->lab, b->open, b->spec->from[i], &a, err));
        b->pool[b->pool_count++] = a;
        b->from_count++;
    }
    return WF_OK;
}

static wf_status rounds_run(wf_bench_state *b, wf_err *err) {
    const double begin = wfi_clock_seconds();
    const int64_t total = (int64_t)b->work_count * b->rounds;
    for (int k = 0; k < b->rounds; k++) {
        WF_TRY(wfi_bench_peaks(b, err));
        for (size_t i = 0; i < b->work_count; i++) {
            const int64_t done = (int64_t)b->work_count * k + (int64_t)i;
            const double spent = wfi_clock_seconds() - begin;
            const wf_bench_running *r = &b->running[i];
            const wf_progress p = {.stage = "bench",
                                   .name = r->work->name,
                                   .done = done,
                                   .total = total,
                                   .loss = NAN,
                                   .rate = k ? r->rate[k - 1] : 0,
                                   .rate_unit = "tokens/s",
                                   .seconds_left = done ? spent / (double)done * (double)(total - done) : -1};
            if (wfi_lab_tick(b->lab, &p, true)) return wfi_fail(err, WF_E_CANCELLED, "cancelled");
            WF_TRY(wfi_bench_round(b, &b->running[i], b->slice, err));
        }
    }
    return WF_OK;
}

/* A result that cannot be kept is still a result. */
static void result_keep(wf_bench_state *b, const json_t *j) {
    wf_err err = {0};
    char *path = b->lab->dir ? wfi_lab_path(b->lab, "bench.json") : NULL;
    if (path && wfi_json_write(path, j, &err) != WF_OK)
        wfi_lab_message(b->lab, "warning", "the result is not kept for the report: %s", err.text);
    wfi_free(path);
}

static wf_status works_measure(wf_bench_state *b, char **json, wf_err *err) {
    const wf_bench_spec *s = b->spec;
    WF_TRY(wfi_bench_memory(b, err)); /* first: this process has no threads yet */
    WF_TRY(wfi_bench_texts(b, err));
    for (size_t i = 0; i < b->work_count; i++) {
        const int64_t peak = b->running[i].peak_rss;
        WF_TRY(wfi_bench_open(b, &b->works[i], &b->running[i], err));
        b->running[i].peak_rss = peak;
    }
    WF_TRY(rounds_run(b, err));
    if (s->outputs) WF_TRY(wfi_bench_outputs(b, s->outputs, err));
    if (s->parts) WF_TRY(wfi_bench_parts(b, s->parts, err));
    json_t *j = wfi_bench_json(b);
    if (j) result_keep(b, j);
    return wfi_lab_give(j, json, err);
}

static void bench_clear(wf_bench_state *b) {
    for (size_t i = 0; b->running && i < b->work_count; i++) wfi_bench_close(&b->running[i]);
    for (size_t i = 0; i < b->pool_count; i++) wfi_adapter_free(b->pool[i]);
    wfi_encoded_clear(&b->texts);
    wfi_bench_base_close(b);
    wfi_free(b->running);
    wfi_free(b->works);
}

wf_status wf_bench(wf_lab *lab, const wf_bench_spec *spec, char **json, wf_err *err) {
    wf_lab none = {.progress = spec->progress, .progress_user = spec->progress_user};
    wf_bench_state b = {.lab = lab ? lab : &none, .spec = spec, .began = wfi_clock_seconds()};
    if (!lab) wf_lab_threads(&none, spec->threads);
    wf_status st = spec_check(&b, err);
    if (st == WF_OK) st = wfi_bench_works(&b, err);
    if (st == WF_OK) st = wfi_bench_base_open(&b, err);
    if (st == WF_OK) st = wfi_bench_base_types(&b, err);
    if (st == WF_OK) st = from_open(&b, err);
    if (st == WF_OK && !(b.running = wfi_alloc(b.work_count + 1, sizeof *b.running)))
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = works_measure(&b, json, err);
    bench_clear(&b);
    return st;
}
