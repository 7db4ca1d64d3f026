/* bench/memory.c - the largest memory of each work: a copy of this process does some of it and tells its own peak. */
#include "base/clock.h"
#include "base/error.h"
#include "bench/apart.h"
#include "bench/bench.h"
#include <math.h>

enum { ROUNDS = 3, POINT_ROUNDS = 1 }; /* two steps at least; a curve has many points */

typedef struct trial {
    wf_bench_state *bench;
    const wf_bench_work *work;
} trial;

static wf_status trial_run(void *self, void *out, wf_err *err) {
    const trial *t = self;
    wf_bench_running r;
    t->bench->lab->progress = NULL;
    WF_TRY(wfi_bench_texts(t->bench, err));
    WF_TRY(wfi_bench_open(t->bench, t->work, &r, err));
    for (int i = 0; i < (t->work->growth[0] ? POINT_ROUNDS : ROUNDS); i++)
        WF_TRY(wfi_bench_round(t->bench, &r, 0, err));
    *(int64_t *)out = wfi_clock_peak_rss();
    return WF_OK; /* this process ends: nothing is freed */
}

wf_status wfi_bench_memory(wf_bench_state *b, wf_err *err) {
    for (size_t i = 0; i < b->work_count; i++) {
        trial t = {.bench = b, .work = &b->works[i]};
        const wf_progress p = {.stage = "memory",
                               .name = t.work->name,
                               .done = (int64_t)i,
                               .total = (int64_t)b->work_count,
                               .loss = NAN,
                               .seconds_left = -1};
        bool done = false;
        if (wfi_lab_tick(b->lab, &p, false)) return wfi_fail(err, WF_E_CANCELLED, "cancelled");
        WF_TRY(wfi_apart(trial_run, &t, &b->running[i].peak_rss, sizeof(int64_t), &done, err));
        if (!done) return WF_OK;
    }
    return WF_OK;
}
