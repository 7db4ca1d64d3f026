/* tape/tape.c - the step's arena, the list of records and the walk back. See tape.h.
 *
 * A value is one arena block: the wf_value, padded to 64 bytes, then its floats. Records form a list from the newest to
 * the oldest. Gradients of inner values live only between the first consumer's backward and the producer's: the walk
 * hands their buffers to later gradients of the same size, so backward needs little more than the largest layer. This
 * room knows no operation; it must not include kernels beyond copy and add. */
#include "tape/tape.h"
#include "base/alloc.h"
#include "base/error.h"
#include "kernels/kernels.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VALUE_HEAD 64 /* bytes before a value's floats: keeps them on the arena's 64-byte grid */
_Static_assert(sizeof(wf_value) <= VALUE_HEAD, "a value's head must fit");

typedef struct spare { /* a free gradient buffer, kept in its own first bytes */
    struct spare *next;
    size_t bytes;
} spare;

struct wf_tape {
    wf_arena arena;
    wf_node *last;
    wf_node unused; /* what recording gives back in a pass that does not train */
    spare *spares;
    size_t pinned; /* arena use at the last record or backward: scopes opened before it free nothing */
    bool training, calm, walking;
    wf_err err, later; /* the first failure; a dump for those that follow */
};

wf_status wfi_tape_new(wf_tape **out, wf_err *err) {
    wf_tape *t = wfi_alloc(1, sizeof *t);
    if (!t) return wfi_fail(err, WF_E_NOMEM, "out of memory for a tape");
    wf_status st = wfi_arena_init(&t->arena, 0, err);
    if (st != WF_OK) {
        wfi_free(t);
        return st;
    }
    *out = t;
    return WF_OK;
}

void wfi_tape_free(wf_tape *t) {
    if (!t) return;
    wfi_arena_clear(&t->arena);
    wfi_free(t);
}

void wfi_tape_reset(wf_tape *t, bool training) {
    wfi_arena_release(&t->arena, 0);
    t->last = NULL;
    t->spares = NULL;
    t->pinned = 0;
    t->training = training;
    t->calm = false;
    t->walking = false;
    memset(&t->err, 0, sizeof t->err);
}

bool wfi_tape_training(const wf_tape *t) {
    return t->training;
}

void wfi_tape_calm(wf_tape *t) {
    t->calm = true;
}

bool wfi_tape_drops(const wf_tape *t) {
    return t->training && !t->calm;
}

wf_status wfi_tape_status(const wf_tape *t, wf_err *err) {
    if (t->err.code != WF_OK && err) *err = t->err;
    return t->err.code;
}

int64_t wfi_tape_peak(const wf_tape *t) {
    return (int64_t)t->arena.peak;
}

bool wfi_tape_wants(const wf_tape *t, const wf_param *p) {
    return t->training && p && p->grad;
}

/* ---- failures ---- */

wf_err *wfi_tape_err(wf_tape *t) {
    return t->err.code == WF_OK ? &t->err : &t->later;
}

void *wfi_tape_fail(wf_tape *t, wf_status code, const char *format, ...) {
    char text[sizeof t->err.text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wfi_fail(wfi_tape_err(t), code, "%s", text);
    return NULL;
}

/* ---- memory ---- */

static void *take(wf_tape *t, size_t bytes) {
    void *p = wfi_arena_get(&t->arena, bytes);
    if (!p)
        wfi_tape_fail(t, WF_E_NOMEM,
                      "the step needs more memory than the %zu bytes reserved for it; use smaller batches",
                      t->arena.reserved);
    return p;
}

/* Bytes of rows*cols floats behind a head; false (and noted) when it cannot be. */
static bool sized(wf_tape *t, int64_t rows, int64_t cols, size_t head, size_t *bytes) {
    size_t n = 0;
    if (rows < 0 || cols < 0 || __builtin_mul_overflow((size_t)rows, (size_t)cols, &n) ||
        __builtin_mul_overflow(n, sizeof(float), &n) || __builtin_add_overflow(n, head, bytes)) {
        wfi_tape_fail(t, WF_E_SHAPE, "a value of shape [%lld,%lld] is not possible", (long long)rows, (long long)cols);
        return false;
    }
    return true;
}

void *wfi_tape_get(wf_tape *t, size_t bytes) {
    return take(t, bytes);
}

float *wfi_tape_floats(wf_tape *t, int64_t rows, int64_t cols) {
    size_t bytes = 0;
    return sized(t, rows, cols, 0, &bytes) ? take(t, bytes) : NULL;
}

static wf_value *value_at(unsigned char *p, int64_t rows, int64_t cols, bool needs_grad) {
    wf_value *v = (wf_value *)(void *)p;
    *v = (wf_value){.data = (float *)(void *)(p + VALUE_HEAD), .rows = rows, .cols = cols, .needs_grad = needs_grad};
    return v;
}

wf_value *wfi_tape_value(wf_tape *t, int64_t rows, int64_t cols) {
    size_t bytes = 0;
    unsigned char *p = sized(t, rows, cols, VALUE_HEAD, &bytes) ? take(t, bytes) : NULL;
    return p ? value_at(p, rows, cols, false) : NULL;
}

static wf_value *borrowed(wf_tape *t, const float *data, int64_t rows, int64_t cols, bool needs_grad) {
    size_t bytes = 0;
    if (!data) return wfi_tape_fail(t, WF_E_ARG, "input without data");
    if (!sized(t, rows, cols, 0, &bytes)) return NULL;
    wf_value *v = take(t, sizeof *v);
    /* Ops never write into their inputs, so dropping const is safe. */
    if (v) *v = (wf_value){.data = (float *)(uintptr_t)data, .rows = rows, .cols = cols, .needs_grad = needs_grad};
    return v;
}

wf_value *wfi_tape_constant(wf_tape *t, const float *data, int64_t rows, int64_t cols) {
    return borrowed(t, data, rows, cols, false);
}

wf_value *wfi_tape_variable(wf_tape *t, const float *data, int64_t rows, int64_t cols) {
    return borrowed(t, data, rows, cols, t->training);
}

size_t wfi_tape_scope(wf_tape *t) {
    return wfi_arena_mark(&t->arena);
}

wf_value *wfi_tape_scope_end(wf_tape *t, size_t scope, wf_value *keep) {
    if (scope < t->pinned) return keep;
    const unsigned char *low = t->arena.base + scope;
    const bool head_inside = keep && (const unsigned char *)(const void *)keep >= low &&
                             (const unsigned char *)(const void *)keep < t->arena.base + t->arena.used;
    if (!head_inside) { /* nothing to keep, or made before the scope */
        wfi_arena_release(&t->arena, scope);
        return keep;
    }
    const wf_value v = *keep;
    const unsigned char *data = (const unsigned char *)(const void *)v.data;
    const bool data_inside = data >= low && data < t->arena.base + t->arena.used;
    wfi_arena_release(&t->arena, scope);
    if (!data_inside) return borrowed(t, v.data, v.rows, v.cols, v.needs_grad);
    const size_t bytes = (size_t)v.rows * (size_t)v.cols * sizeof(float);
    unsigned char *p = take(t, VALUE_HEAD + bytes);
    if (!p) return NULL;
    memmove(p + VALUE_HEAD, data, bytes); /* before the head is written: the old floats may lie there */
    return value_at(p, v.rows, v.cols, v.needs_grad);
}

/* ---- records ---- */

wf_node *wfi_tape_record(wf_tape *t, const wf_op *op, wf_value *out, void *saved) {
    if (!t->training) return &t->unused;
    wf_node *n = take(t, sizeof *n);
    if (!n) return NULL;
    *n = (wf_node){.op = op, .prev = t->last, .out = out, .saved = saved};
    out->needs_grad = true;
    t->last = n;
    t->pinned = t->arena.used;
    return n;
}

/* ---- gradients ---- */

static size_t buffer_bytes(size_t bytes) {
    return bytes < sizeof(spare) ? sizeof(spare) : bytes;
}

float *wfi_tape_buffer(wf_tape *t, int64_t rows, int64_t cols) {
    size_t bytes = 0;
    if (!sized(t, rows, cols, 0, &bytes)) return NULL;
    bytes = buffer_bytes(bytes);
    for (spare **at = &t->spares; *at; at = &(*at)->next) {
        if ((*at)->bytes != bytes) continue;
        spare *found = *at;
        *at = found->next;
        return (float *)(void *)found;
    }
    return take(t, bytes);
}

void wfi_tape_buffer_done(wf_tape *t, float *p, int64_t rows, int64_t cols) {
    if (!p || !t->walking) return; /* outside of backward a scope could free the buffer under the list */
    spare *s = (spare *)(void *)p;
    *s = (spare){.next = t->spares, .bytes = buffer_bytes((size_t)rows * (size_t)cols * sizeof(float))};
    t->spares = s;
}

float *wfi_tape_grad(wf_tape *t, wf_value *v, bool *fresh) {
    *fresh = false;
    if (!v || !v->needs_grad) return NULL;
    if (!v->grad) {
        v->grad = wfi_tape_buffer(t, v->rows, v->cols);
        *fresh = v->grad != NULL;
    }
    return v->grad;
}

void wfi_tape_grad_add(wf_tape *t, wf_value *v, const float *g) {
    bool fresh = false;
    float *grad = wfi_tape_grad(t, v, &fresh);
    if (!grad) return;
    if (fresh)
        wfi_copy(v->rows * v->cols, g, grad);
    else
        wfi_axpy(v->rows * v->cols, 1.0f, g, grad);
}

void wfi_tape_grad_pass(wf_tape *t, wf_value *from, wf_value *to) {
    if (!to || !to->needs_grad || !from->grad) return;
    if (to->grad) {
        wfi_axpy(to->rows * to->cols, 1.0f, from->grad, to->grad);
        return;
    }
    to->grad = from->grad;
    from->grad = NULL;
}

static wf_status node_backward(wf_tape *t, wf_node *n, wf_err *err) {
    wf_status st = n->op->backward(t, n, err);
    if (st == WF_OK) st = wfi_tape_status(t, err);
    if (st != WF_OK) return wfi_fail_in(err, st, "backward of %s", n->op->name);
    wfi_tape_buffer_done(t, n->out->grad, n->out->rows, n->out->cols);
    n->out->grad = NULL;
    return WF_OK;
}

wf_status wfi_tape_backward(wf_tape *t, wf_value *loss, float scale, wf_err *err) {
    wf_status st = wfi_tape_status(t, err);
    if (st != WF_OK) return st;
    if (!loss) return wfi_fail(err, WF_E_ARG, "backward without a loss");
    if (!t->training) return wfi_fail(err, WF_E_ARG, "backward after a pass that did not train");
    if (loss->rows != 1 || loss->cols != 1)
        return wfi_fail(err, WF_E_SHAPE, "backward starts from a loss of shape [1,1], not [%lld,%lld]",
                        (long long)loss->rows, (long long)loss->cols);
    if (!loss->needs_grad) return WF_OK;
    t->walking = true;
    bool fresh = false;
    float *g = wfi_tape_grad(t, loss, &fresh);
    if (g) *g = fresh ? scale : *g + scale;
    st = wfi_tape_status(t, err);
    for (wf_node *n = t->last; n && st == WF_OK; n = n->prev)
        if (n->out->grad) st = node_backward(t, n, err);
    t->walking = false;
    t->pinned = t->arena.used;
    return st;
}
