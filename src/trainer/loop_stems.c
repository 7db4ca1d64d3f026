/* trainer/loop_stems.c - what lies below the lowest trained part is computed once, where that pays. See loop.h. */
#include "base/error.h"
#include "trainer/loop.h"
#include <math.h>
#include <stdio.h>

static int tick(int64_t rows, int64_t total, void *user) {
    const wf_loop *l = user;
    const wf_train_event e = {.step = l->s.step,
                              .total_steps = l->schedule.total_steps,
                              .loss = NAN,
                              .seconds_left = -1,
                              .prepared = rows,
                              .to_prepare = total};
    return l->event ? l->event(&e, l->user) : 0;
}

/* Takes what it uses from *memory. No room is no failure. */
static wf_status try_one(wf_loop *l, wf_encoded *e, const char *part, size_t *memory, bool *own, wf_err *err) {
    wf_err why = {0};
    char note[700];
    const wf_status st = wfi_stem_make(l->c, e, *memory, l->o->cache_dir, tick, l, &why);
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
    if (wfi_loop_report(l, note)) return wfi_fail(err, WF_E_CANCELLED, "cancelled while the lower layers were run");
    return WF_OK;
}

/* Pays where the cut lies above the embeddings and what is kept is read more than once. A resumed run makes what the
 * unbroken one had, however little is left of it: with some instruction sets the bits depend on it. */
wf_status wfi_loop_stems(wf_loop *l, wf_err *err) {
    size_t memory = l->o->cache_memory;
    const bool over = l->s.stopped || l->s.epoch >= l->epochs;
    if (over || memory == 0 || wfi_context_depth(l->c) == 0) return WF_OK;
    for (size_t k = 0; k < l->task_count; k++) {
        wf_loop_part *p = &l->part[k];
        l->c->head = l->tasks[k].head;
        if (p->dev.rows && !p->dev.pooled && !p->dev.stem && l->epochs > l->judge_every)
            WF_TRY(try_one(l, &p->dev, "dev", &memory, &p->own_dev, err));
        if (!p->train.pooled && !p->train.stem && l->epochs > 1 && !wfi_context_drops(l->c))
            WF_TRY(try_one(l, &p->train, "the training rows", &memory, &p->own_train, err));
    }
    return WF_OK;
}
