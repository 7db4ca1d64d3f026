/* tape/tape.h - recording coarse operations and running them backwards. Layer 3.
 *
 * Values live in the tape's arena and die with the step. An op computes at once; it records itself only when one of its
 * inputs or parameters needs a gradient, and then its output needs one too. Backward walks the records from the last to
 * the first; nothing is kept or computed for values that need no gradient.
 * Failure: an op returns NULL and notes the cause in the tape; every op given a NULL input returns NULL, so a chain of
 * ops is checked once, at its end, with wfi_tape_status.
 * Threads: a tape belongs to one thread at a time; ops are parallel inside. */
#ifndef WF_TAPE_TAPE_H
#define WF_TAPE_TAPE_H
#include "base/arena.h"
#include "tape/param.h"

typedef struct wf_value {
    float *data; /* [rows, cols] */
    float *grad; /* NULL until the first gradient arrives during backward */
    int64_t rows, cols;
    bool needs_grad;
} wf_value;

typedef struct wf_tape wf_tape;
typedef struct wf_node wf_node;
typedef struct wf_op { /* one static const per op, in the op's file */
    const char *name;
    wf_status (*backward)(wf_tape *t, wf_node *n,
                          wf_err *err); /* reads n->out->grad (never NULL), adds into inputs and params */
} wf_op;
struct wf_node {
    const wf_op *op;
    wf_node *prev; /* recorded before this one */
    wf_value *out;
    void *saved; /* the op's own struct in the arena: inputs, parameters, what backward needs */
};

wf_status wfi_tape_new(wf_tape **out, wf_err *err);
void wfi_tape_free(wf_tape *t);
/* Forgets all values. training: dropout is active and gradients are recorded; otherwise nothing is. */
void wfi_tape_reset(wf_tape *t, bool training);
bool wfi_tape_training(const wf_tape *t);
/* From here to the next reset gradients are recorded but nothing is dropped: gradients of what inference computes. */
void wfi_tape_calm(wf_tape *t);
bool wfi_tape_drops(const wf_tape *t);                    /* it trains and is not calm */
wf_status wfi_tape_status(const wf_tape *t, wf_err *err); /* WF_OK or the first failure since reset */
int64_t wfi_tape_peak(const wf_tape *t);                  /* bytes of arena used at most */
/* loss [1,1]; its gradient starts as `scale`. Parameter gradients are added to (callers zero them). Afterwards only
 * leaves (wfi_tape_variable) still have a gradient: the buffers of all other values are used again on the way down. A
 * loss that needs no gradient is no work. Several losses of one pass may be run one after the other. */
wf_status wfi_tape_backward(wf_tape *t, wf_value *loss, float scale, wf_err *err);

/* Inputs: a constant value (data borrowed for the step, needs no gradient), and, for tests, one that needs a gradient.
 */
wf_value *wfi_tape_constant(wf_tape *t, const float *data, int64_t rows, int64_t cols);
wf_value *wfi_tape_variable(wf_tape *t, const float *data, int64_t rows, int64_t cols);
/* Squeezes memory of a part that recorded nothing: everything since begin is freed except `keep`, which moves down.
 * When something was recorded, keep is returned as it is. Scopes nest. */
size_t wfi_tape_scope(wf_tape *t);
wf_value *wfi_tape_scope_end(wf_tape *t, size_t scope, wf_value *keep);

/* For op files. */
void *wfi_tape_get(wf_tape *t,
                   size_t bytes); /* arena memory of the step, NOT zeroed; on failure notes NOMEM and gives NULL */
wf_value *wfi_tape_value(wf_tape *t, int64_t rows, int64_t cols);                  /* data not zeroed */
wf_node *wfi_tape_record(wf_tape *t, const wf_op *op, wf_value *out, void *saved); /* sets out->needs_grad (not in a
    pass that does not train: then it only gives some node back); NULL when out of memory */
void *wfi_tape_fail(wf_tape *t, wf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* returns NULL */
wf_err *wfi_tape_err(wf_tape *t);          /* to pass to fallible calls inside ops */
/* Gradient buffer of v: *fresh tells that it is new and must be overwritten rather than added to. NULL: v needs none
 * (or no memory: the tape's status says so). */
float *wfi_tape_grad(wf_tape *t, wf_value *v, bool *fresh);
void wfi_tape_grad_add(wf_tape *t, wf_value *v,
                       const float *g); /* v->grad += g (or = g), size rows*cols; skips when not needed */
/* The same with g = from->grad (as many elements), which is given up: a value without gradient takes the buffer over.
 * An op calls it last, on its own output, which it may have changed in place before. */
void wfi_tape_grad_pass(wf_tape *t, wf_value *from, wf_value *to);
bool wfi_tape_wants(const wf_tape *t,
                    const wf_param *p); /* p (may be NULL) takes part in training and this pass trains */
float *wfi_tape_floats(wf_tape *t, int64_t rows,
                       int64_t cols); /* wfi_tape_get for rows*cols floats, overflow-checked */
/* Scratch of a backward function: taken from and given back to the buffers that backward re-uses. */
float *wfi_tape_buffer(wf_tape *t, int64_t rows, int64_t cols);
void wfi_tape_buffer_done(wf_tape *t, float *p, int64_t rows, int64_t cols); /* p may be NULL */
#endif
