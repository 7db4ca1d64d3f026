/* tape/op_gate.c - one gate a sequence: g = mean_t sigmoid(z_t . w + b), out_t = g * o_t (maths.md 1.0 step 5,
 * UniPELT). With a_t = sigmoid(..): do = g dy, dg = sum_{t,h} dy o, da_t = dg/n * a_t (1 - a_t), dw += da_t z_t, db +=
 * da_t, dz_t = da_t w. Sums over a sequence run in row order, over sequences in order. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"
#include <math.h>

typedef struct saved {
    wf_value *o, *z; /* [T,H], [T,in] */
    wf_linear w;     /* (1,in) */
    float *a;        /* [T] sigmoids */
    float *g;        /* [S] */
    int64_t S;
    const int64_t *offsets;
} saved;

static double dot(int64_t n, const float *x, const float *y) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

static void gates(const saved *s) {
    const int64_t in = s->w.in;
    const double b = s->w.bias ? (double)s->w.bias->data[0] : 0.0;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(s->o->rows * s->o->cols))
    for (int64_t q = 0; q < s->S; q++) {
        double sum = 0;
        for (int64_t r = s->offsets[q]; r < s->offsets[q + 1]; r++) {
            const double a = 1.0 / (1.0 + exp(-(dot(in, s->z->data + r * in, s->w.weight->data) + b)));
            s->a[r] = (float)a;
            sum += a;
        }
        s->g[q] = (float)(sum / (double)(s->offsets[q + 1] - s->offsets[q]));
    }
}

/* out = g x by sequence; out may be x. */
static void apply(const saved *s, const float *x, float *out) {
    const int64_t H = s->o->cols;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(s->o->rows * s->o->cols))
    for (int64_t q = 0; q < s->S; q++)
        for (int64_t i = s->offsets[q] * H; i < s->offsets[q + 1] * H; i++) out[i] = s->g[q] * x[i];
}

/* da [T], and dz_t (+)= da_t w. */
static void gate_rows(const saved *s, const float *dy, float *da, float *dz, bool fresh) {
    const int64_t H = s->o->cols, in = s->w.in;
    const float *w = s->w.weight->data;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(s->o->rows * s->o->cols))
    for (int64_t q = 0; q < s->S; q++) {
        const int64_t low = s->offsets[q], high = s->offsets[q + 1];
        const double dg = dot((high - low) * H, dy + low * H, s->o->data + low * H) / (double)(high - low);
        for (int64_t r = low; r < high; r++) {
            const double a = (double)s->a[r];
            da[r] = (float)(dg * a * (1.0 - a));
            for (int64_t i = 0; dz && i < in; i++) dz[r * in + i] = (fresh ? 0.0f : dz[r * in + i]) + da[r] * w[i];
        }
    }
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = n->out->rows;
    if (s->z->needs_grad || s->w.weight->grad || (s->w.bias && s->w.bias->grad)) {
        float *da = wfi_tape_buffer(t, T, 1);
        bool fresh = false;
        float *dz = wfi_tape_grad(t, s->z, &fresh);
        if (!da || (s->z->needs_grad && !dz)) return WF_OK; /* noted in the tape */
        gate_rows(s, n->out->grad, da, dz, fresh);
        WF_TRY(wfi_linear_param_grad(&s->w, T, s->z->data, da, err));
        wfi_tape_buffer_done(t, da, T, 1);
    }
    if (!s->o->needs_grad) return WF_OK;
    apply(s, n->out->grad, n->out->grad);
    wfi_tape_grad_pass(t, n->out, s->o);
    return WF_OK;
}

static const wf_op op = {"gate", backward};

wf_value *wfi_op_gate(wf_tape *t, wf_value *o, wf_value *z, const wf_linear *gate, int64_t S, const int64_t *offsets) {
    if (!o || !z || !wfi_op_fits_linear(t, op.name, z, gate) || !wfi_op_offsets(t, op.name, o, S, offsets, false))
        return NULL;
    if (gate->out != 1 || o->rows != z->rows)
        return wfi_tape_fail(t, WF_E_SHAPE, "gate: values [%lld,%lld] and [%lld,%lld] do not fit %s [%lld,%lld]",
                             (long long)o->rows, (long long)o->cols, (long long)z->rows, (long long)z->cols,
                             gate->weight->name, (long long)gate->out, (long long)gate->in);
    wf_value *out = wfi_tape_value(t, o->rows, o->cols);
    saved from = {.o = o, .z = z, .w = *gate, .S = S, .offsets = offsets};
    from.a = wfi_tape_floats(t, o->rows, 1);
    from.g = wfi_tape_floats(t, S, 1);
    if (!out || !from.a || !from.g) return NULL;
    gates(&from);
    apply(&from, o->data, out->data);
    if (!o->needs_grad && !z->needs_grad && !wfi_linear_wants(t, gate)) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = from;
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
