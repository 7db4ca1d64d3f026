/* tape/op_embed.c - word[ids] + type[types] + position[positions], added in the order of transformers' BertEmbeddings.
 * Backward scatters dy into the tables' gradients: threads share out columns, each walks all tokens in order, so that
 * rows that occur twice are summed in the same order on any number of threads. */
#include "base/error.h"
#include "tape/linear.h"
#include "tape/ops.h"

typedef struct saved {
    wf_param *word, *position, *type;
    const int32_t *ids, *positions;
    const uint8_t *types;
} saved;

#define COLUMNS 16

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = n->out->rows, H = n->out->cols;
    float *word = s->word->grad, *position = s->position->grad, *type = s->type->grad;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(T *H))
    for (int64_t low = 0; low < H; low += COLUMNS) {
        const int64_t high = low + COLUMNS < H ? low + COLUMNS : H;
        for (int64_t r = 0; r < T; r++) {
            const float *dy = n->out->grad + r * H;
            for (int64_t h = low; word && h < high; h++) word[(int64_t)s->ids[r] * H + h] += dy[h];
            for (int64_t h = low; position && h < high; h++) position[(int64_t)s->positions[r] * H + h] += dy[h];
            for (int64_t h = low; type && h < high; h++) type[(int64_t)s->types[r] * H + h] += dy[h];
        }
    }
    return WF_OK;
}

static const wf_op op = {"embed", backward};

static bool in_table(wf_tape *t, const wf_param *p, int64_t row, int64_t index) {
    if (index >= 0 && index < p->shape[0]) return true;
    wfi_tape_fail(t, WF_E_DATA, "embed: token %lld asks for row %lld of %s [%lld,%lld]", (long long)row,
                  (long long)index, p->name, (long long)p->shape[0], (long long)p->shape[1]);
    return false;
}

static bool fits(wf_tape *t, const wf_param *a, const wf_param *b) {
    if (a->rank == 2 && b->rank == 2 && a->shape[1] == b->shape[1]) return true;
    wfi_tape_fail(t, WF_E_SHAPE, "embed: tables %s [%lld,%lld] and %s [%lld,%lld] differ in width", a->name,
                  (long long)a->shape[0], (long long)a->shape[1], b->name, (long long)b->shape[0],
                  (long long)b->shape[1]);
    return false;
}

wf_value *wfi_op_embed(wf_tape *t, wf_param *word, wf_param *position, wf_param *type, int64_t T, const int32_t *ids,
                       const int32_t *positions, const uint8_t *types) {
    if (!fits(t, word, position) || !fits(t, word, type)) return NULL;
    const int64_t H = word->shape[1];
    for (int64_t r = 0; r < T; r++)
        if (!in_table(t, word, r, ids[r]) || !in_table(t, position, r, positions[r]) || !in_table(t, type, r, types[r]))
            return NULL;
    wf_value *out = wfi_tape_value(t, T, H);
    if (!out) return NULL;
#pragma omp parallel for schedule(static) num_threads(wfi_op_threads(T *H))
    for (int64_t r = 0; r < T; r++) {
        const float *w = word->data + (int64_t)ids[r] * H, *p = position->data + (int64_t)positions[r] * H;
        const float *y = type->data + (int64_t)types[r] * H;
        for (int64_t h = 0; h < H; h++) out->data[r * H + h] = (w[h] + y[h]) + p[h];
    }
    if (!wfi_tape_wants(t, word) && !wfi_tape_wants(t, position) && !wfi_tape_wants(t, type)) return out;
    saved *s = wfi_tape_get(t, sizeof *s);
    const int32_t *kept_ids = wfi_op_copy(t, ids, (size_t)T, sizeof *ids);
    const int32_t *kept_positions = wfi_op_copy(t, positions, (size_t)T, sizeof *positions);
    const uint8_t *kept_types = wfi_op_copy(t, types, (size_t)T, sizeof *types);
    if (!s || !kept_ids || !kept_positions || !kept_types) return NULL;
    *s = (saved){.word = word,
                 .position = position,
                 .type = type,
                 .ids = kept_ids,
                 .positions = kept_positions,
                 .types = kept_types};
    return wfi_tape_record(t, &op, out, s) ? out : NULL;
}
