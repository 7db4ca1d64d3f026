/* tape/op_spread.c - a column of ragged groups as rows: x [sum counts,1] -> [rows, max counts], the rest 0. Multiple
 * choice: one score a choice becomes one row a question, which cross_entropy takes with the same counts. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_value *x;
    const int32_t *counts; /* [rows] */
} saved;

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t rows = n->out->rows, C = n->out->cols;
    bool fresh = false;
    float *dx = wfi_tape_grad(t, s->x, &fresh);
    for (int64_t r = 0; dx && r < rows; r++)
        for (int32_t c = 0; c < s->counts[r]; c++, dx++) *dx = (fresh ? 0.0f : *dx) + n->out->grad[r * C + c];
    return WF_OK;
}

static const wf_op op = {"spread", backward};

wf_value *wfi_op_spread(wf_tape *t, wf_value *x, int64_t rows, const int32_t *counts) {
    if (!x) return NULL;
    int64_t sum = 0, C = 0;
    for (int64_t r = 0; r < rows; r++) {
        if (counts[r] < 0)
            return wfi_tape_fail(t, WF_E_SHAPE, "spread: row %lld has %d elements", (long long)r, (int)counts[r]);
        sum += counts[r];
        if (counts[r] > C) C = counts[r];
    }
    if (rows < 0 || x->cols != 1 || sum != x->rows)
        return wfi_tape_fail(t, WF_E_SHAPE,
                             "spread: input [%lld,%lld] is not a column of the %lld elements of %lld rows",
                             (long long)x->rows, (long long)x->cols, (long long)sum, (long long)rows);
    wf_value *out = wfi_tape_value(t, rows, C);
    if (!out) return NULL;
    const float *from = x->data;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < C; c++) out->data[r * C + c] = c < counts[r] ? *from++ : 0.0f;
    if (!x->needs_grad) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    const int32_t *kept = wfi_op_copy(t, counts, (size_t)rows, sizeof *counts);
    if (!s || !kept) return NULL;
    *s = (saved){.x = x, .counts = kept};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
