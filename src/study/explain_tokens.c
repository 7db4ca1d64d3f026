/* study/explain_tokens.c - integrated gradients over the embeddings. See explain.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "study/explain.h"
#include "tape/ops.h"
#include <math.h>
#include <string.h>

enum { POINTS_LEAST = 16, POINTS_MOST = 1024, PASS_TOKENS = 2048 };

/* Nodes and weights of n points on [0, 1]: zeros of the Legendre polynomial, by Newton's method. */
static void quadrature(int n, double *at, double *weight) {
    const double pi = acos(-1);
    for (int i = 0; i < n; i++) {
        double x = cos(pi * (i + 0.75) / (n + 0.5)), slope = 1;
        for (int turn = 0; turn < 100; turn++) {
            double p = 1, before = 0;
            for (int k = 1; k <= n; k++) {
                const double last = before;
                before = p;
                p = ((2 * k - 1) * x * before - (k - 1) * last) / k;
            }
            slope = n * (x * p - before) / (x * x - 1);
            const double step = p / slope;
            x -= step;
            if (fabs(step) < 1e-15) break;
        }
        at[i] = (1 - x) / 2;
        weight[i] = 1 / ((1 - x * x) * slope * slope);
    }
}

typedef struct work { /* m copies of the text in one pass */
    float *x, *readout;
    int64_t *offsets;
    double *at, *weight, *sum; /* sum [T,H] */
} work;

static void work_clear(work *w) {
    wfi_free(w->x);
    wfi_free(w->readout);
    wfi_free(w->offsets);
    wfi_free(w->at);
    wfi_free(w->weight);
    wfi_free(w->sum);
}

static wf_status pass(wf_explain *e, const float *x, int64_t copies, const int64_t *offsets, wf_value **input,
                      wf_value **logits, wf_err *err) {
    const wf_batch b = {.T = copies * e->T, .S = copies, .rows = copies, .offsets = (int64_t *)(uintptr_t)offsets};
    *logits = wfi_context_forward_from(e->t.context, &b, x, input, err);
    if (*logits) return WF_OK;
    return wfi_tape_status(e->t.context->tape, NULL) != WF_OK ? wfi_tape_status(e->t.context->tape, err) : WF_E_LIBRARY;
}

wf_status wfi_explain_value(wf_explain *e, const float *x, float *logits, double *value, wf_err *err) {
    const int64_t offsets[] = {0, e->T};
    wf_value *input, *out;
    WF_TRY(pass(e, x, 1, offsets, &input, &out, err));
    *value = 0;
    for (int64_t c = 0; c < e->classes; c++) *value += (double)e->readout[c] * (double)out->data[c];
    if (logits) memcpy(logits, out->data, (size_t)e->classes * sizeof *logits);
    return WF_OK;
}

/* Points k..k+m-1 in one pass; their weighted gradients into w->sum. */
static wf_status some_add(wf_explain *e, work *w, int k, int64_t m, wf_err *err) {
    const int64_t N = e->T * e->H;
    wf_tape *tape = e->t.context->tape;
    wf_value *input, *logits;
    for (int64_t i = 0; i < m; i++) {
        const double a = w->at[k + i];
        for (int64_t j = 0; j < N; j++)
            w->x[i * N + j] = (float)((double)e->blank[j] + a * ((double)e->x[j] - (double)e->blank[j]));
        for (int64_t c = 0; c < e->classes; c++)
            w->readout[i * e->classes + c] = (float)(w->weight[k + i] * (double)e->readout[c]);
        w->offsets[i + 1] = (i + 1) * e->T;
    }
    WF_TRY(pass(e, w->x, m, w->offsets, &input, &logits, err));
    WF_TRY(wfi_tape_backward(tape, wfi_op_dot(tape, logits, w->readout), 1.0f, err));
    WF_TRY(wfi_tape_status(tape, err));
    for (int64_t i = 0; input->grad && i < m * N; i++) w->sum[i % N] += (double)input->grad[i];
    return WF_OK;
}

static wf_status tokens_sum(wf_explain *e, work *w, int points, int64_t most, double *out, wf_err *err) {
    const int64_t N = e->T * e->H;
    quadrature(points, w->at, w->weight);
    memset(w->sum, 0, (size_t)N * sizeof *w->sum);
    for (int k = 0; k < points; k += (int)most) WF_TRY(some_add(e, w, k, points - k < most ? points - k : most, err));
    for (int64_t t = 0; t < e->T; t++) {
        out[t] = 0;
        for (int64_t h = t * e->H; h < (t + 1) * e->H; h++)
            out[t] += ((double)e->x[h] - (double)e->blank[h]) * w->sum[h];
    }
    return WF_OK;
}

wf_status wfi_explain_tokens(wf_explain *e, double difference, double allowed, double *out, int *points, wf_err *err) {
    const int64_t most = PASS_TOKENS / e->T > 1 ? PASS_TOKENS / e->T : 1;
    work w = {.x = wfi_alloc((size_t)(most * e->T), (size_t)e->H * sizeof *w.x),
              .readout = wfi_alloc((size_t)(most * e->classes), sizeof *w.readout),
              .offsets = wfi_alloc((size_t)most + 1, sizeof *w.offsets),
              .at = wfi_alloc(POINTS_MOST, sizeof *w.at),
              .weight = wfi_alloc(POINTS_MOST, sizeof *w.weight),
              .sum = wfi_alloc((size_t)(e->T * e->H), sizeof *w.sum)};
    wf_status st = w.x && w.readout && w.offsets && w.at && w.weight && w.sum
                       ? WF_OK
                       : wfi_fail(err, WF_E_NOMEM, "out of memory for %lld tokens", (long long)e->T);
    for (*points = POINTS_LEAST; st == WF_OK; *points *= 2) {
        double sum = 0;
        st = tokens_sum(e, &w, *points, most, out, err);
        for (int64_t t = 0; st == WF_OK && t < e->T; t++) sum += out[t];
        if (fabs(sum - difference) <= allowed || *points == POINTS_MOST) break;
    }
    work_clear(&w);
    return st;
}
