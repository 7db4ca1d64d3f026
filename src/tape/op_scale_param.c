/* tape/op_scale_param.c - out[t,h] = x[t,h] * s[h], or * s[0] when s has one element. ds[h] += sum_t dy x. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x; /* [T,H] */
    wf_param *s; /* [1] or [H] */
} saved;

#define COLUMNS 16 /* columns summed together: a cache line, and independent of the thread count */

/* out = x * s; out may be x. */
static void apply(const wf_param *s, int64_t T, int64_t H, const float *x, float *out) {
    const bool one = s->count == 1;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(T *H))
    for (int64_t r = 0; r < T; r++)
        for (int64_t h = 0; h < H; h++) out[r * H + h] = x[r * H + h] * s->data[one ? 0 : h];
}

/* sums[h] = sum_t dy[t,h] x[t,h], each column in row order. */
static void column_products(int64_t T, int64_t H, const float *dy, const float *x, float *sums) {
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(T *H))
    for (int64_t low = 0; low < H; low += COLUMNS) {
        const int64_t width = H - low < COLUMNS ? H - low : COLUMNS;
        double sum[COLUMNS] = {0};
        for (int64_t r = 0; r < T; r++)
            for (int64_t c = 0; c < width; c++) sum[c] += (double)dy[r * H + low + c] * (double)x[r * H + low + c];
        for (int64_t c = 0; c < width; c++) sums[low + c] = (float)sum[c];
    }
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = n->out->rows, H = n->out->cols;
    float *dy = n->out->grad;
    if (s->s->grad) {
        float *sums = wfi_tape_buffer(t, 1, H);
        if (!sums) return WF_OK; /* noted in the tape */
        column_products(T, H, dy, s->x->data, sums);
        if (s->s->count == H) {
            for (int64_t h = 0; h < H; h++) s->s->grad[h] += sums[h];
        } else {
            double all = 0;
            for (int64_t h = 0; h < H; h++) all += (double)sums[h];
            s->s->grad[0] += (float)all;
        }
        wfi_tape_buffer_done(t, sums, 1, H);
    }
    if (!s->x->needs_grad) return WF_OK;
    apply(s->s, T, H, dy, dy);
    wfi_tape_grad_pass(t, n->out, s->x);
    return WF_OK;
}

static const wf_op op = {"scale_param", backward};

wf_value *wfi_op_scale_param(wf_tape *t, wf_value *x, wf_param *p) {
    if (!x) return NULL;
    if (p->count != 1 && p->count != x->cols)
        return wfi_tape_fail(t, WF_E_SHAPE,
                             "scale_param: input [%lld,%lld] does not fit %s [%lld]; it must have 1 or %lld elements",
                             (long long)x->rows, (long long)x->cols, p->name, (long long)p->count, (long long)x->cols);
    wf_value *out = wfi_tape_value(t, x->rows, x->cols);
    if (!out) return NULL;
    apply(p, x->rows, x->cols, x->data, out->data);
    if (!x->needs_grad && !wfi_tape_wants(t, p)) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    if (!s) return NULL;
    *s = (saved){.x = x, .s = p};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
