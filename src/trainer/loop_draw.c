/* trainer/loop_draw.c - which batch of which task comes next. See loop.h.
 * Each task's rows are an endless row of passes, each cut anew; where a task stands in it is kept from epoch to epoch.
 * All but the order of tasks under dynamic sampling is known beforehand. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "trainer/loop.h"

static wf_status cut(wf_loop *l, size_t task, int64_t pass, wf_err *err) {
    wf_loop_part *p = &l->part[task];
    if (p->cut.order && p->cut_pass == pass) return WF_OK;
    wfi_batches_clear(&p->cut);
    p->cut_pass = pass;
    const uint64_t key = wfi_random_key(l->o->seed, "batches", (uint64_t)pass, task);
    return l->o->class_evenness > 0
               ? wfi_batches_by_class(&p->train, l->o->batch_rows, l->o->batch_tokens, l->o->class_evenness, key,
                                      &p->cut, err)
               : wfi_batches_make(&p->train, l->o->batch_rows, l->o->batch_tokens, true, key, &p->cut, err);
}

static wf_status passes(wf_loop *l, int64_t epoch, int64_t *batches, int64_t *total, wf_err *err) {
    *total = 0;
    for (size_t k = 0; k < l->task_count; k++) {
        WF_TRY(cut(l, k, epoch, err));
        *total += batches[k] = l->part[k].cut.count;
    }
    return WF_OK;
}

wf_status wfi_loop_steps(wf_loop *l, int64_t *steps, wf_err *err) {
    int64_t batches[WF_JOINT_TASKS], total;
    *steps = 0;
    for (int64_t e = 0; e < l->epochs; e++) {
        WF_TRY(passes(l, e, batches, &total, err));
        *steps += (total + l->o->accumulate - 1) / l->o->accumulate;
    }
    return WF_OK;
}

wf_status wfi_loop_epoch(wf_loop *l, wf_err *err) {
    int64_t batches[WF_JOINT_TASKS], counts[WF_JOINT_TASKS];
    double gap[WF_JOINT_TASKS];
    WF_TRY(passes(l, l->s.epoch, batches, &l->count, err));
    for (size_t k = 0; k < l->task_count; k++) gap[k] = l->s.first_gap[k] > 0 ? l->s.gap[k] / l->s.first_gap[k] : 1;
    const wf_sampling_state state = {
        .tasks = l->task_count, .batches = batches, .epoch = l->s.epoch, .epochs = l->epochs, .gap = gap};
    wfi_sampling_counts(&l->o->sampling, &state, counts);
    wfi_free(l->order);
    l->order = wfi_alloc((size_t)l->count + 1, sizeof *l->order);
    if (!l->order) return wfi_fail(err, WF_E_NOMEM, "out of memory for the order of an epoch");
    return wfi_sampling_order(counts, l->task_count, wfi_random_key(l->o->seed, "tasks", (uint64_t)l->s.epoch, 0),
                              l->order, err);
}

wf_status wfi_loop_draw(wf_loop *l, size_t task, wf_err *err) {
    const wf_loop_part *p = &l->part[task];
    WF_TRY(cut(l, task, l->s.pass[task], err));
    if (l->s.at[task] >= p->cut.count) {
        l->s.at[task] = 0;
        WF_TRY(cut(l, task, ++l->s.pass[task], err));
    }
    const int64_t b = l->s.at[task]++;
    l->s.drawn[task]++;
    const int64_t *rows = p->cut.order + p->cut.first[b], n = p->cut.first[b + 1] - p->cut.first[b];
    if (!(l->o->agreement > 0)) return wfi_batch_fill(&l->batch, &p->train, rows, n, err);
    if (!l->twice && !(l->twice = wfi_alloc(2 * (size_t)l->o->batch_rows, sizeof *l->twice)))
        return wfi_fail(err, WF_E_NOMEM, "out of memory for a batch");
    for (int64_t r = 0; r < 2 * n; r++) l->twice[r] = rows[r % n];
    return wfi_batch_fill(&l->batch, &p->train, l->twice, 2 * n, err);
}
