/* optim/optim.c - AdamW and gradient clipping. See optim.h.
 * Neighbouring parameters with the same decay flag form one run, so that a set of hundreds of small tensors takes few
 * kernel calls. */
#include "optim/optim.h"
#include "base/alloc.h"
#include "base/error.h"
#include "kernels/kernels.h"
#include <math.h>
#include <string.h>

typedef struct run { /* elements [first, first + count) of the set's flat buffers */
    int64_t first, count;
    bool decay;
} run;

typedef struct part {
    wf_pset *set;
    float *m, *v; /* [set->total]; NULL: frozen */
    run *runs;
    size_t count;
    int64_t steps;
    bool skip;
} part;

struct wf_optim {
    part *parts;
    size_t count;
    double weight_decay;
    wf_adamw_config config;
};

static wf_status part_init(part *p, wf_pset *set, wf_err *err) {
    p->set = set;
    if (!set->grad) return WF_OK;
    const size_t bytes = (size_t)set->total * sizeof(float); /* the set holds as much already: no overflow */
    p->m = wfi_alloc_unset(bytes ? bytes : 64);
    p->v = wfi_alloc_unset(bytes ? bytes : 64);
    p->runs = wfi_alloc(set->count ? set->count : 1, sizeof *p->runs);
    if (!p->m || !p->v || !p->runs)
        return wfi_fail(err, WF_E_NOMEM, "out of memory for the optimiser state of %lld parameters",
                        (long long)set->total);
    wfi_zero(set->total, p->m);
    wfi_zero(set->total, p->v);
    for (size_t i = 0; i < set->count; i++) {
        const wf_param *q = set->params[i];
        if (!q->grad || q->count == 0) continue; /* borrowed: not in the flat buffers */
        const int64_t first = q->grad - set->grad;
        run *last = p->count ? &p->runs[p->count - 1] : NULL;
        if (last && last->decay == q->decay && last->first + last->count == first)
            last->count += q->count;
        else
            p->runs[p->count++] = (run){.first = first, .count = q->count, .decay = q->decay};
    }
    return WF_OK;
}

wf_status wfi_optim_new(wf_pset *const *sets, size_t n, double weight_decay, wf_optim **out, wf_err *err) {
    if (!(weight_decay >= 0) || !isfinite(weight_decay))
        return wfi_fail(err, WF_E_ARG, "weight decay %g is not a number from 0 upwards", weight_decay);
    wf_optim *o = wfi_alloc(1, sizeof *o);
    if (!o) return wfi_fail(err, WF_E_NOMEM, "out of memory for an optimiser");
    o->weight_decay = weight_decay;
    o->config = WF_ADAMW_DEFAULTS;
    o->parts = wfi_alloc(n ? n : 1, sizeof *o->parts);
    wf_status st = o->parts ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for an optimiser of %zu sets", n);
    for (size_t i = 0; i < n && st == WF_OK; i++) {
        o->count = i + 1;
        st = part_init(&o->parts[i], sets[i], err);
    }
    if (st != WF_OK) {
        wfi_optim_free(o);
        return st;
    }
    *out = o;
    return WF_OK;
}

void wfi_optim_free(wf_optim *o) {
    if (!o) return;
    for (size_t i = 0; i < o->count; i++) {
        wfi_free(o->parts[i].m); /* NOLINT(clang-analyzer-core.NullDereference): count > 0 only with parts */
        wfi_free(o->parts[i].v);
        wfi_free(o->parts[i].runs);
    }
    wfi_free(o->parts);
    wfi_free(o);
}

wf_status wfi_optim_configure(wf_optim *o, const wf_adamw_config *c, wf_err *err) {
    if (!(c->beta1 >= 0 && c->beta1 < 1) || !(c->beta2 >= 0 && c->beta2 < 1) || !(c->eps >= 0) || !isfinite(c->eps))
        return wfi_fail(err, WF_E_ARG, "AdamW: betas (%g, %g) must lie in [0,1) and eps (%g) must not be negative",
                        c->beta1, c->beta2, c->eps);
    o->config = *c;
    return WF_OK;
}

void wfi_optim_zero_grad(wf_optim *o) {
    for (size_t i = 0; i < o->count; i++) {
        wf_pset *s = o->parts[i].set;
        if (s->grad) memset(s->grad, 0, (size_t)s->total * sizeof *s->grad);
    }
}

void wfi_optim_step(wf_optim *o, double lr) {
    const wf_adamw_config *c = &o->config;
    for (size_t i = 0; i < o->count; i++) {
        part *p = &o->parts[i];
        if (!p->m || !p->set->grad || p->skip) continue;
        p->steps++;
        for (size_t k = 0; k < p->count; k++) {
            const run *r = &p->runs[k];
            const int64_t at = r->first;
            wfi_adamw(r->count, p->set->data + at, p->set->grad + at, p->m + at, p->v + at, lr, c->beta1, c->beta2,
                      c->eps, r->decay ? o->weight_decay : 0.0, p->steps);
        }
    }
}

static part *part_at(wf_optim *o, size_t index) {
    if (index >= o->count) WF_BUG("optimiser has no such set");
    return &o->parts[index];
}

void wfi_optim_skip(wf_optim *o, size_t index, bool skip) {
    part_at(o, index)->skip = skip;
}

void wfi_optim_state(wf_optim *o, size_t index, float **m, float **v) {
    const part *p = part_at(o, index);
    *m = p->m;
    *v = p->v;
}

int64_t *wfi_optim_steps(wf_optim *o, size_t index) {
    return &part_at(o, index)->steps;
}

static const char *to_blame(wf_pset *const *sets, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; sets[i]->grad && k < sets[i]->count; k++) {
            const wf_param *p = sets[i]->params[k];
            for (int64_t j = 0; p->grad && j < p->count; j++)
                if (!isfinite(p->grad[j])) return p->name;
        }
    return "all parameters together";
}

wf_status wfi_clip_grad_norm(wf_pset *const *sets, size_t n, double max_norm, double *norm, wf_err *err) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (sets[i]->grad) sum += wfi_sum_squares(sets[i]->total, sets[i]->grad);
    const double length = sqrt(sum);
    if (!isfinite(length)) {
        const char *name = to_blame(sets, n);
        return wfi_fail_at(
            err, WF_E_NONFINITE, name, -1,
            "the gradient of %s is not finite; lower the learning rate or look at the inputs of this step", name);
    }
    const double factor = max_norm / (length + 1e-6);
    for (size_t i = 0; i < n && max_norm > 0 && factor < 1.0; i++)
        if (sets[i]->grad) wfi_scale(sets[i]->total, (float)factor, sets[i]->grad);
    if (norm) *norm = length;
    return WF_OK;
}
