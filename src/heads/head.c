/* heads/head.c - what all prediction heads share: parameters, the forward pass, the loss of each kind. See head.h.
 * Names and layout follow AdapterHub's flexible heads: dropout, (linear, tanh, dropout,) linear. */
#include "heads/head.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "nn/init.h"
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128, CLASSES_MAX = 1 << 20 };

static wf_status spec_check(const char *name, const wf_head_spec *s, wf_err *err) {
    if (!name || !*name || strlen(name) > NAME_MAX_BYTES || strchr(name, '.'))
        return wfi_fail(err, WF_E_ARG, "a head's name must have 1 to %d bytes and no dot", NAME_MAX_BYTES);
    if (s->classes < 1 || s->classes > CLASSES_MAX)
        return wfi_fail(err, WF_E_ARG, "head \"%s\": %d classes are not possible", name, s->classes);
    if ((s->kind == WF_KIND_REGRESSION || s->kind == WF_KIND_MULTIPLE_CHOICE) && s->classes != 1)
        return wfi_fail(err, WF_E_ARG, "head \"%s\": %s has one output, not %d", name, wfi_kind_name(s->kind),
                        s->classes);
    if (s->layers != 1 && s->layers != 2)
        return wfi_fail(err, WF_E_ARG, "head \"%s\": head layers must be 1 or 2, not %d", name, s->layers);
    if (s->hidden_size < 1 || s->hidden_size > 1 << 20)
        return wfi_fail(err, WF_E_ARG, "head \"%s\": hidden size %lld is not possible", name,
                        (long long)s->hidden_size);
    if (!(s->dropout >= 0.0f && s->dropout < 1.0f))
        return wfi_fail(err, WF_E_ARG, "head \"%s\": dropout must be at least 0 and below 1", name);
    return WF_OK;
}

static wf_status linear_add(wf_head *h, wf_linear *l, int index, int64_t out, wf_err *err) {
    char name[NAME_MAX_BYTES + 64];
    *l = (wf_linear){.in = h->hidden_size, .out = out};
    snprintf(name, sizeof name, "heads.%s.%d.weight", h->name, index);
    l->weight = wfi_pset_add(&h->params, name, 2, (int64_t[]){out, h->hidden_size}, true);
    snprintf(name, sizeof name, "heads.%s.%d.bias", h->name, index);
    l->bias = wfi_pset_add(&h->params, name, 1, (int64_t[]){out}, false);
    return l->weight && l->bias ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for a head");
}

static wf_status labels_copy(wf_head *h, char *const *labels, wf_err *err) {
    if (!labels) return WF_OK;
    h->labels = wfi_alloc((size_t)h->classes, sizeof *h->labels);
    for (int32_t c = 0; h->labels && c < h->classes; c++)
        if (!(h->labels[c] = wfi_strdup(labels[c]))) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    return h->labels ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

/* As BERT: weights N(0, 0.02), biases 0. */
static void init(wf_head *h, uint64_t seed) {
    for (size_t i = 0; i < h->params.count; i++) {
        wf_param *p = h->params.params[i];
        if (p->rank == 2)
            wfi_init_normal(p, wfi_random_key(seed, p->name, 0, 0), 0.02f);
        else
            wfi_init_constant(p, 0.0f);
    }
}

wf_status wfi_head_make(const char *name, const wf_head_spec *s, wf_head **out, wf_err *err) {
    WF_TRY(spec_check(name, s, err));
    wf_head *h = wfi_alloc(1, sizeof *h);
    if (!h) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    *h = (wf_head){.kind = s->kind,
                   .classes = s->classes,
                   .layers = s->layers,
                   .pooling = s->pooling,
                   .pooler = s->pooler,
                   .dropout = s->dropout,
                   .hidden_size = s->hidden_size,
                   .target_std = 1.0f};
    h->name = wfi_strdup(name);
    wf_status st = h->name ? labels_copy(h, s->labels, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && s->layers == 2) st = linear_add(h, &h->dense, 1, s->hidden_size, err);
    if (st == WF_OK) st = linear_add(h, &h->out, s->layers == 2 ? 4 : 1, s->classes, err);
    if (st == WF_OK) st = wfi_pset_commit(&h->params, err);
    if (st != WF_OK) {
        wfi_head_free(h);
        return st;
    }
    *out = h;
    return WF_OK;
}

wf_status wfi_head_new(const char *name, const wf_head_spec *s, uint64_t seed, wf_head **out, wf_err *err) {
    WF_TRY(wfi_head_make(name, s, out, err));
    init(*out, seed);
    return WF_OK;
}

void wfi_head_free(wf_head *h) {
    if (!h) return;
    for (int32_t c = 0; h->labels && c < h->classes; c++) wfi_free(h->labels[c]);
    wfi_free(h->labels);
    wfi_pset_clear(&h->params);
    wfi_free(h->name);
    wfi_free(h);
}

wf_value *wfi_head_pool(const wf_head *h, const wf_pass *pass, wf_value *rows, const wf_linear *pooler) {
    wf_tape *t = pass->tape;
    if (h->pooler && !pooler)
        return wfi_tape_fail(t, WF_E_ARG, "head \"%s\" needs the base's pooler, which this base does not have",
                             h->name);
    wf_value *x = wfi_op_pool(t, rows, h->pooler ? WF_POOL_CLS : h->pooling, pass->S, pass->offsets);
    return h->pooler ? wfi_op_act(t, wfi_op_linear(t, x, pooler), WF_ACT_TANH) : x;
}

wf_value *wfi_head_forward(const wf_head *h, const wf_pass *pass, wf_value *pooled) {
    wf_tape *t = pass->tape;
    wf_value *x = wfi_op_dropout(t, pooled, h->dropout, wfi_random_key(pass->key, "head.dropout", 0, 0));
    if (h->layers == 2) {
        x = wfi_op_act(t, wfi_op_linear(t, x, &h->dense), WF_ACT_TANH);
        x = wfi_op_dropout(t, x, h->dropout, wfi_random_key(pass->key, "head.dropout", 1, 0));
    }
    return wfi_op_linear(t, x, &h->out);
}

/* Targets in units of the training part's spread, so that the learning rate fits any scale. */
static wf_value *regression_loss(const wf_head *h, wf_tape *t, wf_value *logits, const wf_batch *b) {
    float *target = wfi_tape_floats(t, b->rows, 1);
    if (!target) return NULL;
    for (int64_t r = 0; r < b->rows; r++) target[r] = (b->target[r] - h->target_mean) / h->target_std;
    return wfi_op_mse(t, logits, target);
}

static wf_value *no_classes(const wf_head *h, wf_tape *t, const char *what) {
    return wfi_tape_fail(t, WF_E_UNSUPPORTED, "%s is for classes and multiple choice; head \"%s\" is for %s", what,
                         h->name, wfi_kind_name(h->kind));
}

static wf_value *focal_loss(const wf_head *h, wf_tape *t, wf_value *logits, const wf_batch *b,
                            const wf_loss_options *o) {
    if (h->kind == WF_KIND_CLASSIFICATION) return wfi_op_focal(t, logits, b->label, o->class_weights, o->focal, NULL);
    if (h->kind == WF_KIND_MULTIPLE_CHOICE)
        return wfi_op_focal(t, wfi_op_spread(t, logits, b->rows, b->row_counts), b->label, NULL, o->focal,
                            b->row_counts);
    return no_classes(h, t, "focal loss");
}

wf_value *wfi_head_agreement(const wf_head *h, const wf_pass *pass, wf_value *logits, const wf_batch *b) {
    if (h->kind == WF_KIND_CLASSIFICATION) return wfi_op_agree(pass->tape, logits, NULL);
    if (h->kind == WF_KIND_MULTIPLE_CHOICE)
        return wfi_op_agree(pass->tape, wfi_op_spread(pass->tape, logits, b->rows, b->row_counts), b->row_counts);
    return no_classes(h, pass->tape, "R-Drop");
}

wf_value *wfi_head_loss(const wf_head *h, const wf_pass *pass, wf_value *logits, const wf_batch *b,
                        const wf_loss_options *o) {
    wf_tape *t = pass->tape;
    if (o->focal > 0) return focal_loss(h, t, logits, b, o);
    switch (h->kind) {
    case WF_KIND_CLASSIFICATION:
        return wfi_op_cross_entropy(t, logits, b->label, o->class_weights, o->label_smoothing, NULL);
    case WF_KIND_MULTIPLE_CHOICE:
        return wfi_op_cross_entropy(t, wfi_op_spread(t, logits, b->rows, b->row_counts), b->label, NULL,
                                    o->label_smoothing, b->row_counts);
    case WF_KIND_REGRESSION:
        return regression_loss(h, t, logits, b);
    case WF_KIND_MULTILABEL:
        return wfi_op_bce(t, logits, b->labels, o->class_weights);
    }
    return wfi_tape_fail(t, WF_E_ARG, "head \"%s\" is of an unknown kind", h->name);
}
