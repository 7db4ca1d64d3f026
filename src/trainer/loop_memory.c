/* trainer/loop_memory.c - what a training holds, counted. See loop.h.
 * A process's peak says nothing about one of several trainings in it: memory that an earlier one was given back is used
 * again. Counted bytes depend on the training alone. */
#include "trainer/loop.h"

static int64_t floats(int64_t n) {
    return n * (int64_t)sizeof(float);
}

static int64_t set_bytes(const wf_loop *l, size_t i) {
    const wf_pset *s = l->sets[i];
    int64_t copies = 2;       /* values, best values */
    if (s->grad) copies += 3; /* gradient, two moments */
    if (l->average.decay > 0) copies++;
    if (l->mixout.p > 0 && l->mixout.start && l->mixout.start[i]) copies += 2;
    return copies * floats(s->total);
}

/* What stays as it is but is this setup's alone: fused adapters, a mean of adapters. */
static int64_t frozen_bytes(const wf_context *c) {
    int64_t n = 0;
    if (c->adapter && !c->adapter->params.grad) n += floats(c->adapter->params.total);
    for (size_t i = 0; c->fusion && i < c->fusion->count; i++)
        if (!c->fusion->adapters[i]->params.grad) n += floats(c->fusion->adapters[i]->params.total);
    return n;
}

static int64_t kept_bytes(const wf_encoded *e) {
    int64_t n = e->pooled ? floats((int64_t)e->sequences * e->pooled_width) : 0;
    if (e->stem) n += (int64_t)wfi_stem_memory_bytes(e->stem);
    return n;
}

int64_t wfi_loop_memory(const wf_loop *l) {
    int64_t n = wfi_tape_peak(l->c->tape) + frozen_bytes(l->c), shared = 0;
    for (size_t i = 0; i < l->set_count; i++) {
        bool head = false;
        for (size_t k = 0; k < l->task_count; k++) head = head || l->tasks[k].head_set == i;
        if (!head && l->sets[i]->grad) shared += l->sets[i]->total;
        n += set_bytes(l, i);
    }
    if (l->joined) n += floats(shared * ((int64_t)l->task_count + 1)); /* gradients by task, and joined */
    for (size_t k = 0; k < l->task_count; k++) n += kept_bytes(&l->part[k].train) + kept_bytes(&l->part[k].dev);
    return n;
}
