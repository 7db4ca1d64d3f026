/* tape/op_act.c - a non-linearity, element by element. dx = dy * a'(x). */
#include "base/error.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x; /* [T,H], what the derivative is taken at */
    wf_act act;
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t count = s->x->rows * s->x->cols;
    if (s->x->grad) {
        wfi_act_backward(s->act, count, s->x->data, n->out->grad, s->x->grad, true);
        return WF_OK;
    }
    wfi_act_backward(s->act, count, s->x->data, n->out->grad, n->out->grad, false);
    wfi_tape_grad_pass(t, n->out, s->x);
    return WF_OK;
}

static const wf_op op = {"act", backward};

wf_value *wfi_op_act(wf_tape *t, wf_value *x, wf_act act) {
    if (!x) return NULL;
    if ((int)act < 0 || act >= WF_ACT_COUNT)
        return wfi_tape_fail(t, WF_E_ARG, "act: no non-linearity has number %d", (int)act);
    if (act == WF_ACT_LINEAR) return x;
    wf_value *out = wfi_tape_value(t, x->rows, x->cols);
    if (!out) return NULL;
    wfi_act_forward(act, x->rows * x->cols, x->data, out->data);
    if (!x->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.x = x, .act = act};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
