/* tape/param.c - flat sets of parameters. See param.h.
 * Owned parameters are packed without gaps in the order they were added: files and checkpoints rely on it. */
#include "tape/param.h"
#include "base/alloc.h"
#include "base/error.h"
#include "kernels/kernels.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static wf_param *set_grow(wf_pset *s) {
    if (s->count == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 16;
        wf_param **more = wfi_realloc(s->params, cap, sizeof *more);
        if (!more) return NULL;
        s->params = more;
        s->cap = cap;
    }
    return wfi_alloc(1, sizeof(wf_param));
}

static wf_param *param_make(wf_pset *s, const char *name, int rank, const int64_t *shape) {
    if (rank < 0 || rank > 4) WF_BUG("parameters have rank 0 to 4");
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        if (shape[i] < 0 || __builtin_mul_overflow(count, shape[i], &count)) return NULL;
    wf_param *p = set_grow(s);
    if (!p) return NULL;
    p->name = wfi_strdup(name);
    if (!p->name) {
        wfi_free(p);
        return NULL;
    }
    p->rank = rank;
    for (int i = 0; i < rank; i++) p->shape[i] = shape[i];
    p->count = count;
    s->params[s->count++] = p;
    return p;
}

wf_param *wfi_pset_add(wf_pset *s, const char *name, int rank, const int64_t *shape, bool decay) {
    if (s->data) WF_BUG("a committed set takes no more parameters");
    wf_param *p = param_make(s, name, rank, shape);
    if (p) p->decay = decay;
    return p;
}

wf_param *wfi_pset_borrow(wf_pset *s, const char *name, int rank, const int64_t *shape, const float *data) {
    wf_param *p = param_make(s, name, rank, shape);
    if (p) p->data = (float *)(uintptr_t)data; /* never written: it has no gradient and is in no flat buffer */
    return p;
}

/* Owned values lie inside the flat buffer; everything else is borrowed. */
bool wfi_pset_owns(const wf_pset *s, const wf_param *p) {
    const uintptr_t at = (uintptr_t)p->data, low = (uintptr_t)s->data;
    return p->data && s->data && at >= low && at <= low + (size_t)s->total * sizeof(float) &&
           (size_t)p->count * sizeof(float) <= (size_t)s->total * sizeof(float) - (at - low);
}

static wf_status flat_new(int64_t total, float **out, const char *what, wf_err *err) {
    size_t bytes = 0;
    float *p =
        __builtin_mul_overflow((size_t)total, sizeof(float), &bytes) ? NULL : wfi_alloc_unset(bytes ? bytes : 64);
    if (!p) return wfi_fail(err, WF_E_NOMEM, "out of memory for %s of %lld parameters", what, (long long)total);
    wfi_zero(total, p);
    *out = p;
    return WF_OK;
}

wf_status wfi_pset_commit(wf_pset *s, wf_err *err) {
    if (s->data) return wfi_fail(err, WF_E_ARG, "parameter set was committed before");
    int64_t total = 0;
    for (size_t i = 0; i < s->count; i++)
        if (!s->params[i]->data && __builtin_add_overflow(total, s->params[i]->count, &total))
            return wfi_fail(err, WF_E_NOMEM, "too many parameters");
    WF_TRY(flat_new(total, &s->data, "values", err));
    s->total = total;
    float *next = s->data;
    for (size_t i = 0; i < s->count; i++) {
        wf_param *p = s->params[i];
        if (p->data) continue;
        p->data = next;
        next += p->count;
    }
    return WF_OK;
}

wf_status wfi_pset_trainable(wf_pset *s, bool on, wf_err *err) {
    if (!s->data) return wfi_fail(err, WF_E_ARG, "parameter set is not committed yet");
    if (on && !s->grad) WF_TRY(flat_new(s->total, &s->grad, "gradients", err));
    if (!on) {
        wfi_free(s->grad);
        s->grad = NULL;
    }
    for (size_t i = 0; i < s->count; i++) {
        wf_param *p = s->params[i];
        if (wfi_pset_owns(s, p)) p->grad = on ? s->grad + (p->data - s->data) : NULL;
    }
    return WF_OK;
}

void wfi_pset_clear(wf_pset *s) {
    for (size_t i = 0; i < s->count; i++) {
        wfi_free(s->params[i]->name);
        wfi_free(s->params[i]);
    }
    wfi_free(s->params);
    wfi_free(s->data);
    wfi_free(s->grad);
    memset(s, 0, sizeof *s);
}

wf_param *wfi_pset_find(const wf_pset *s, const char *name) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->params[i]->name, name) == 0) return s->params[i];
    return NULL;
}

enum { BLOCK = 1024, SIGN = 0x80000000, EXPONENT_ONE = 0x00800000 };

/* By bits: only an exponent of ones carries into the sign when one is added to it. A loop that compilers make wide. */
static bool block_finite(const float x[BLOCK]) {
    uint32_t carried = 0;
    for (int i = 0; i < BLOCK; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        carried |= (bits & ~(uint32_t)SIGN) + EXPONENT_ONE;
    }
    return !(carried & SIGN);
}

static wf_status place_refuse(const wf_param *p, int64_t at, const char *what, wf_err *err) {
    char place[112] = "";
    int64_t rest = at, size = p->count;
    for (int i = 0, n = 0; i < p->rank; i++) {
        size /= p->shape[i];
        n += snprintf(place + n, sizeof place - (size_t)n, "%s%lld", i ? ", " : "", (long long)(rest / size));
        rest %= size;
    }
    return wfi_fail_at(err, WF_E_DATA, p->name, -1, "%s: tensor \"%.120s\" has %s at [%s]; it is damaged", what,
                       p->name, isnan(p->data[at]) ? "NaN" : "an infinite value", place);
}

wf_status wfi_pset_finite(const wf_pset *s, const char *what, wf_err *err) {
    for (size_t k = 0; k < s->count; k++) {
        const wf_param *p = s->params[k];
        for (int64_t i = 0; i < p->count; i++) {
            while (p->count - i >= BLOCK && block_finite(p->data + i)) i += BLOCK;
            if (i < p->count && !isfinite(p->data[i])) return place_refuse(p, i, what, err);
        }
    }
    return WF_OK;
}
