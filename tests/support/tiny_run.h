/* tests/support/tiny_run.h - the tiny base of tiny.h opened, with a fixed batch of ragged sequences and a head: one
 * forward pass in a line, and gradients against differences. */
#ifndef WF_TESTS_TINY_RUN_H
#define WF_TESTS_TINY_RUN_H
#include "engine/context.h"
#include "tiny.h"
#include <math.h>

enum { RUN_TOKENS = 24, RUN_SEQUENCES = 4, RUN_KEY = 31 };

typedef struct tiny_run {
    char dir[300]; /* of the base; the folder above it is the test's own */
    wf_bert *base;
    wf_base_shape shape;
    wf_head *head;
    wf_context *context;
    wf_batch batch;
    int32_t ids[RUN_TOKENS], positions[RUN_TOKENS], counts[RUN_SEQUENCES], label[RUN_SEQUENCES];
    uint8_t types[RUN_TOKENS];
    int64_t offsets[RUN_SEQUENCES + 1];
} tiny_run;

static inline void tiny_shake(wf_pset *s, uint64_t salt,
                              float scale) { /* adds normal numbers: nothing stays zero, one or the identity */
    for (size_t i = 0; i < s->count; i++) {
        const uint64_t key = wfi_random_key(salt, s->params[i]->name, 0, 0);
        for (int64_t k = 0; k < s->params[i]->count; k++)
            s->params[i]->data[k] += scale * wfi_random_normal(key, (uint64_t)k);
    }
}

static inline void tiny_run_open(tiny_run *r, const wf_head_spec *head) {
    static const int64_t ends[] = {0, 7, 8, 19, RUN_TOKENS};
    const wf_head_spec plain = {.kind = WF_KIND_CLASSIFICATION, .classes = 3, .layers = 1, .hidden_size = TINY_HIDDEN};
    *r = (tiny_run){0};
    snprintf(r->dir, sizeof r->dir, "%s/base", check_temp_dir());
    tiny_base(r->dir);
    check_ok(wfi_bert_open(r->dir, &r->base, err));
    check_ok(wfi_bert_pack(r->base, true, WF_DTYPE_F32, err));
    r->shape = wfi_context_shape(r->base);
    check_ok(wfi_head_new("h", head ? head : &plain, 1, &r->head, err));
    tiny_shake(&r->head->params, 2, 0.3f);
    check_ok(wfi_context_new(r->base, &r->context, err));
    r->context->head = r->head;
    for (int s = 0; s < RUN_SEQUENCES; s++) {
        for (int64_t t = ends[s]; t < ends[s + 1]; t++) {
            r->ids[t] = (int32_t)wfi_random_below(11, (uint64_t)t, TINY_VOCAB);
            r->positions[t] = (int32_t)(t - ends[s]);
            r->types[t] = t - ends[s] > 3;
        }
        r->counts[s] = 1;
        r->label[s] = s % 3;
    }
    memcpy(r->offsets, ends, sizeof ends);
    r->batch = (wf_batch){.T = RUN_TOKENS,
                          .S = RUN_SEQUENCES,
                          .rows = RUN_SEQUENCES,
                          .ids = r->ids,
                          .positions = r->positions,
                          .types = r->types,
                          .offsets = r->offsets,
                          .row_counts = r->counts,
                          .label = r->label};
}

static inline void tiny_run_close(tiny_run *r) {
    wfi_context_free(r->context);
    wfi_head_free(r->head);
    wfi_bert_free(r->base);
    *strrchr(r->dir, '/') = 0;
    check_ok(wfi_tree_remove(r->dir, err));
}

static inline wf_value *tiny_forward(tiny_run *r, bool training) {
    wf_err e = {0};
    wf_value *logits = wfi_context_forward(r->context, &r->batch, training, RUN_KEY, NULL, &e);
    if (!logits) fail_msg("%s", e.text);
    return logits;
}

/* A number made of the logits, in double, and the op that has it as its value. */
static inline double tiny_loss(const wf_value *logits) {
    double sum = 0;
    for (int64_t i = 0; i < logits->rows * logits->cols; i++)
        sum += (double)logits->data[i] * (double)wfi_random_normal(55, (uint64_t)i);
    return sum;
}

/* Gradients of every parameter of a set (trainable, its gradients zero) by `backward`, against differences of `loss`
 * along the gradient, along a random direction, and along the axis of the largest element. Steps of 1e-2 in float32:
 * noise near 2e-5, curvature below that. */
static inline void tiny_gradients(wf_pset *set, double (*loss)(void *), void (*backward)(void *), void *self,
                                  const char *what) {
    backward(self);
    for (size_t i = 0; i < set->count; i++) {
        wf_param *p = set->params[i];
        const size_t n = (size_t)p->count;
        float *keep = malloc(n * sizeof *keep), *d = malloc(n * sizeof *d), *g = malloc(n * sizeof *g);
        double norm = 0;
        size_t top = 0;
        memcpy(keep, p->data, n * sizeof *keep);
        memcpy(g, p->grad, n * sizeof *g);
        for (size_t k = 0; k < n; k++) {
            norm += (double)g[k] * (double)g[k];
            if (fabsf(g[k]) > fabsf(g[top])) top = k;
        }
        norm = sqrt(norm);
        if (!(norm > 3e-4)) fail_msg("%s: the gradient of %s is %g: nothing to compare", what, p->name, norm);
        for (int way = 0; way < 3; way++) {
            double length = 0, along = 0, at[2];
            for (size_t k = 0; k < n; k++) {
                d[k] = way == 0 ? g[k] : way == 1 ? wfi_random_normal(8, k) : (float)(k == top);
                length += (double)d[k] * (double)d[k];
            }
            for (size_t k = 0; k < n; k++) along += (double)g[k] * (double)d[k] / sqrt(length);
            for (int side = 0; side < 2; side++) {
                for (size_t k = 0; k < n; k++)
                    p->data[k] = keep[k] + (float)((side ? 1e-2 : -1e-2) * (double)d[k] / sqrt(length));
                at[side] = loss(self);
            }
            memcpy(p->data, keep, n * sizeof *keep);
            const double numeric = (at[1] - at[0]) / 2e-2;
            if (!(fabs(numeric - along) <= 3e-3 * norm + 3e-5))
                fail_msg("%s: gradient of %s, way %d: %g by differences, %g by weft", what, p->name, way, numeric,
                         along);
        }
        free(keep);
        free(d);
        free(g);
    }
}
#endif
