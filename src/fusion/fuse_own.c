/* fusion/fuse_own.c - see fuse_own.h. */
#include "fusion/fuse_own.h"
#include "base/alloc.h"
#include "base/error.h"
#include <string.h>

static void compact_drop(wf_fuse_own *o) {
    wfi_packed_free(o->compact.score);
    wfi_packed_free(o->compact.mix);
    wfi_free(o->memory);
    o->compact = (wf_fuse_compact){0};
    o->memory = NULL;
}

void wfi_fuse_own_unpack(wf_fuse_own *o) {
    wf_linear *all[] = {&o->query, &o->key, &o->value};
    for (int i = 0; i < 3; i++) {
        wfi_packed_free(all[i]->forward);
        wfi_packed_free(all[i]->backward);
        all[i]->forward = all[i]->backward = NULL;
    }
    compact_drop(o);
}

bool wfi_fuse_own_trained(const wf_fuse_own *o) {
    const wf_linear *all[] = {&o->query, &o->key, &o->value};
    for (int i = 0; i < 3; i++)
        if (all[i]->weight && all[i]->weight->grad) return true;
    return false;
}

static uint64_t stamp_of(const wf_fuse_own *o) {
    const wf_linear *all[] = {&o->query, &o->key, &o->value};
    uint64_t stamp = 1;
    for (int i = 0; i < 3; i++) {
        const wf_param *w = all[i]->weight;
        for (int64_t c = 0; w && c < w->count; c += w->count / 16 + 1) {
            uint32_t bits;
            memcpy(&bits, &w->data[c], sizeof bits);
            stamp = (stamp ^ bits) * 0x9e3779b97f4a7c15u;
        }
    }
    return stamp;
}

bool wfi_fuse_own_frozen(wf_fuse_own *o) {
    const uint64_t stamp = stamp_of(o);
    const bool trained = wfi_fuse_own_trained(o);
    if (trained || stamp != o->stamp) wfi_fuse_own_unpack(o);
    o->stamp = stamp;
    return !trained;
}

wf_status wfi_fuse_own_pack(wf_fuse_own *o, wf_err *err) {
    wf_linear *all[] = {&o->query, &o->key, &o->value};
    for (int i = 0; i < 3; i++) {
        wf_linear *l = all[i];
        if (!l->weight || l->forward || l->backward) continue;
        const bool back = l == &o->key; /* t = Q W_k */
        WF_TRY(wfi_packed_new(!back, l->in, l->out, l->weight->data, l->in, WF_DTYPE_F32,
                              back ? &l->backward : &l->forward, err));
    }
    return WF_OK;
}

static const wf_linear *used(const wf_linear *w) {
    return w->weight ? w : NULL;
}

wf_status wfi_fuse_own_compact(wf_fuse_own *o, const wf_fuse_stack *stack, uint64_t filling, wf_err *err) {
    wf_fuse_compact c = {.K = stack->M + stack->N, .d = stack->d, .U = stack->up};
    c.query = used(&o->query);
    c.key = used(&o->key);
    c.value = used(&o->value);
    if (!c.query && !c.key && !c.value) return WF_OK; /* nothing to multiply in */
    if (o->compact.G && o->made_of == filling) return WF_OK;
    compact_drop(o);
    o->memory = wfi_alloc(wfi_fuse_compact_floats(&c), sizeof *o->memory);
    if (!o->memory) return wfi_fail(err, WF_E_NOMEM, "out of memory for a fusion");
    wf_status st = wfi_fuse_compact_make(&c, o->memory, err);
    if (st == WF_OK) st = wfi_packed_new(true, c.d, c.K, c.G, c.d, WF_DTYPE_F32, &c.score, err);
    if (st == WF_OK) st = wfi_packed_new(false, c.K, c.d, c.V, c.d, WF_DTYPE_F32, &c.mix, err);
    o->compact = c;
    o->made_of = filling;
    if (st != WF_OK) compact_drop(o);
    return st;
}
