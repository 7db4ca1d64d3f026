/* tests/heads/test_heads.c - every kind of head on the tiny base: logits and loss against plain loops in double,
 * gradients against differences of the loss, and what is refused. */
#include "tiny_run.h"

typedef struct head_case {
    const char *name;
    wf_head_spec spec;
    bool weights;
    float smoothing;
} head_case;

#define SPEC(k, c, l, ...)                                                                                             \
    { .kind = k, .classes = c, .layers = l, .hidden_size = TINY_HIDDEN, __VA_ARGS__ }
static const head_case cases[] = {
    {"classification_1", SPEC(WF_KIND_CLASSIFICATION, 3, 1, .pooling = WF_POOL_CLS), false, 0},
    {"classification_2", SPEC(WF_KIND_CLASSIFICATION, 3, 2, .pooling = WF_POOL_CLS), false, 0},
    {"classification_mean", SPEC(WF_KIND_CLASSIFICATION, 3, 2, .pooling = WF_POOL_MEAN), false, 0},
    {"classification_pooler", SPEC(WF_KIND_CLASSIFICATION, 3, 1, .pooler = true), false, 0},
    {"classification_pooler_2", SPEC(WF_KIND_CLASSIFICATION, 3, 2, .pooler = true), false, 0},
    {"classification_weights", SPEC(WF_KIND_CLASSIFICATION, 3, 1, .pooling = WF_POOL_MEAN), true, 0},
    {"classification_smoothing", SPEC(WF_KIND_CLASSIFICATION, 3, 1, .pooling = WF_POOL_MEAN), true, 0.2f},
    {"regression_1", SPEC(WF_KIND_REGRESSION, 1, 1, .pooling = WF_POOL_CLS), false, 0},
    {"regression_2", SPEC(WF_KIND_REGRESSION, 1, 2, .pooling = WF_POOL_MEAN), false, 0},
    {"multiple_choice_1", SPEC(WF_KIND_MULTIPLE_CHOICE, 1, 1, .pooling = WF_POOL_CLS), false, 0},
    {"multiple_choice_2", SPEC(WF_KIND_MULTIPLE_CHOICE, 1, 2, .pooling = WF_POOL_MEAN), false, 0},
    {"multilabel_1", SPEC(WF_KIND_MULTILABEL, 4, 1, .pooling = WF_POOL_CLS), false, 0},
    {"multilabel_2", SPEC(WF_KIND_MULTILABEL, 4, 2, .pooling = WF_POOL_MEAN), false, 0},
};
static const float class_weights[] = {0.5f, 2.0f, 1.25f};
static const uint8_t many[] = {1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0};

typedef struct world {
    tiny_run run;
    const head_case *c;
    float target[RUN_SEQUENCES];
    wf_value *each[TINY_LAYERS + 1];
} world;

static void world_open(world *w, const head_case *c) {
    *w = (world){.c = c, .target = {0.75f, -1.5f, 0.25f, 2.0f}};
    tiny_run_open(&w->run, &c->spec);
    wf_batch *b = &w->run.batch;
    if (c->spec.kind == WF_KIND_MULTIPLE_CHOICE) { /* rows of 3 and 1 sequences */
        b->rows = 2;
        w->run.counts[0] = 3;
        w->run.counts[1] = 1;
        w->run.label[0] = 2;
        w->run.label[1] = 0;
    }
    if (c->spec.kind == WF_KIND_REGRESSION) {
        b->target = w->target;
        w->run.head->target_mean = 0.5f;
        w->run.head->target_std = 2.0f;
    }
    if (c->spec.kind == WF_KIND_MULTILABEL) b->labels = (uint8_t *)(uintptr_t)many;
}

static wf_value *loss_value(world *w, wf_value *logits) {
    const wf_pass pass = {.tape = w->run.context->tape, .S = w->run.batch.S, .offsets = w->run.batch.offsets};
    const wf_loss_options options = {.class_weights = w->c->weights ? class_weights : NULL,
                                     .label_smoothing = w->c->smoothing};
    wf_value *loss = wfi_head_loss(w->run.head, &pass, logits, &w->run.batch, &options);
    wf_err e = {0};
    if (wfi_tape_status(pass.tape, &e) != WF_OK) fail_msg("%s", e.text);
    return loss;
}

static double loss(void *self) {
    world *w = self;
    return (double)loss_value(w, tiny_forward(&w->run, true))->data[0];
}

static void backward(void *self) {
    world *w = self;
    check_ok(wfi_tape_backward(w->run.context->tape, loss_value(w, tiny_forward(&w->run, true)), 1.0f, err));
}

/* ---- the same in double ---- */

static void linear(const wf_linear *l, const double *x, double *y) {
    for (int64_t o = 0; o < l->out; o++) {
        y[o] = (double)l->bias->data[o];
        for (int64_t i = 0; i < l->in; i++) y[o] += (double)l->weight->data[o * l->in + i] * x[i];
    }
}

static void squash(double *x) {
    for (int i = 0; i < TINY_HIDDEN; i++) x[i] = tanh(x[i]);
}

static void reference_logits(const world *w, const float *rows, int s, double *out) {
    const wf_head *h = w->run.head;
    const int64_t first = w->run.offsets[s], end = w->run.offsets[s + 1];
    double x[TINY_HIDDEN] = {0}, y[TINY_HIDDEN];
    const bool mean = h->pooling == WF_POOL_MEAN && !h->pooler;
    for (int64_t t = first; t < (mean ? end : first + 1); t++)
        for (int i = 0; i < TINY_HIDDEN; i++)
            x[i] += (double)rows[t * TINY_HIDDEN + i] / (mean ? (double)(end - first) : 1);
    if (h->pooler) linear(&w->run.base->pooler, x, y), squash(y), memcpy(x, y, sizeof x);
    if (h->layers == 2) linear(&h->dense, x, y), squash(y), memcpy(x, y, sizeof x);
    linear(&h->out, x, out);
}

static double log_softmax(const double *x, int n, int at) {
    double top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) top = fmax(top, x[i]);
    for (int i = 0; i < n; i++) sum += exp(x[i] - top);
    return x[at] - top - log(sum);
}

static double reference_loss(const world *w, const double *x) {
    const head_case *c = w->c;
    const tiny_run *r = &w->run;
    double sum = 0, weight = 0, smooth = 0;
    switch (c->spec.kind) {
    case WF_KIND_CLASSIFICATION: /* torch: (1 - e) of the label's and e / C of all classes', each with its weight */
        for (int s = 0; s < RUN_SEQUENCES; s++) {
            for (int k = 0; k < 3; k++)
                smooth -= (c->weights ? (double)class_weights[k] : 1) * log_softmax(x + 3 * s, 3, k) / 3;
            const double own = c->weights ? (double)class_weights[r->label[s]] : 1;
            sum -= own * log_softmax(x + 3 * s, 3, r->label[s]);
            weight += own;
        }
        return ((1 - (double)c->smoothing) * sum + (double)c->smoothing * smooth) / weight;
    case WF_KIND_MULTIPLE_CHOICE:
        return -(log_softmax(x, 3, 2) + log_softmax(x + 3, 1, 0)) / 2;
    case WF_KIND_REGRESSION:
        for (int s = 0; s < RUN_SEQUENCES; s++)
            sum += pow(x[s] - ((double)w->target[s] - 0.5) / 2.0, 2) / RUN_SEQUENCES;
        return sum;
    case WF_KIND_MULTILABEL:
        for (int i = 0; i < 16; i++) sum += (fmax(x[i], 0) - x[i] * many[i] + log1p(exp(-fabs(x[i])))) / 16;
        return sum;
    }
    return NAN;
}

static void test_case(void **state) {
    world w;
    double want[RUN_SEQUENCES * 4];
    wf_err e = {0};
    world_open(&w, *state);
    wf_pset *set = &w.run.head->params;
    const int classes = w.run.head->classes;
    const wf_value *logits = wfi_context_forward(w.run.context, &w.run.batch, true, 1, w.each, &e);
    assert_non_null(logits);
    assert_true(logits->rows == RUN_SEQUENCES && logits->cols == classes);
    for (int s = 0; s < RUN_SEQUENCES; s++) reference_logits(&w, w.each[TINY_LAYERS]->data, s, want + s * classes);
    for (int i = 0; i < RUN_SEQUENCES * classes; i++)
        if (!(fabs((double)logits->data[i] - want[i]) < 1e-5))
            fail_msg("logit %d is %g, not %g", i, (double)logits->data[i], want[i]);
    const double value = loss(&w);
    if (!(fabs(value - reference_loss(&w, want)) < 2e-6 * fmax(1, value)))
        fail_msg("loss %g, not %g", value, reference_loss(&w, want));
    check_ok(wfi_pset_trainable(set, true, err));
    for (size_t i = 0; i < set->count; i++)
        assert_int_equal(set->params[i]->decay, set->params[i]->rank == 2); /* biases are not pulled */
    if (w.c->spec.kind == WF_KIND_MULTIPLE_CHOICE) { /* a common constant is no choice: the last bias has no gradient */
        backward(&w);
        assert_true(fabsf(w.run.head->out.bias->grad[0]) < 1e-6f);
        memset(set->grad, 0, (size_t)set->total * sizeof *set->grad);
        set->count--;
    }
    tiny_gradients(set, loss, backward, &w, w.c->name);
    if (w.c->spec.kind == WF_KIND_MULTIPLE_CHOICE) set->count++;
    tiny_run_close(&w.run);
}

/* ---- other ---- */

/* label -1: the row does not count. */
static void test_unlabelled(void **state) {
    world w;
    world_open(&w, &cases[0]);
    const wf_value *logits = tiny_forward(&w.run, true);
    double x[RUN_SEQUENCES * 3];
    for (int i = 0; i < RUN_SEQUENCES * 3; i++) x[i] = (double)logits->data[i];
    w.run.label[1] = -1;
    const double want = -(log_softmax(x, 3, w.run.label[0]) + log_softmax(x + 6, 3, w.run.label[2]) +
                          log_softmax(x + 9, 3, w.run.label[3])) /
                        3;
    assert_true(fabs(loss(&w) - want) < 2e-6);
    tiny_run_close(&w.run);
}

static void test_dropout(void **state) {
    const head_case c = {"dropout", SPEC(WF_KIND_CLASSIFICATION, 3, 2, .dropout = 0.5f), false, 0};
    enum { BYTES = RUN_SEQUENCES * 3 * sizeof(float) };
    float got[4][RUN_SEQUENCES * 3];
    world w;
    wf_err e = {0};
    world_open(&w, &c);
    memcpy(got[0], tiny_forward(&w.run, false)->data, BYTES);
    memcpy(got[1], tiny_forward(&w.run, true)->data, BYTES);
    memcpy(got[2], tiny_forward(&w.run, true)->data, BYTES);
    memcpy(got[3], wfi_context_forward(w.run.context, &w.run.batch, true, RUN_KEY + 1, NULL, &e)->data, BYTES);
    assert_memory_not_equal(got[0], got[1], BYTES);
    assert_memory_equal(got[1], got[2], BYTES); /* the step's key decides */
    assert_memory_not_equal(got[1], got[3], BYTES);
    w.run.head->dropout = 0;
    assert_memory_equal(got[0], tiny_forward(&w.run, true)->data, BYTES);
    tiny_run_close(&w.run);
}

static void test_first_values(void **state) {
    const wf_head_spec spec = SPEC(WF_KIND_CLASSIFICATION, 3, 2, .dropout = 0.1f);
    wf_head *a = NULL, *b = NULL, *again = NULL, *other = NULL;
    double sum = 0;
    check_ok(wfi_head_new("a", &spec, 1, &a, err));
    check_ok(wfi_head_new("b", &spec, 1, &b, err));
    check_ok(wfi_head_new("a", &spec, 1, &again, err));
    check_ok(wfi_head_new("a", &spec, 2, &other, err));
    const size_t bytes = (size_t)a->params.total * sizeof(float);
    assert_string_equal(a->params.params[0]->name, "heads.a.1.weight");
    assert_string_equal(a->params.params[3]->name, "heads.a.4.bias");
    assert_memory_equal(a->params.data, again->params.data, bytes);
    assert_memory_not_equal(a->params.data, b->params.data, bytes);
    assert_memory_not_equal(a->params.data, other->params.data, bytes);
    for (int i = 0; i < TINY_HIDDEN; i++) assert_true(a->dense.bias->data[i] == 0);
    for (int i = 0; i < TINY_HIDDEN * TINY_HIDDEN; i++)
        sum += (double)a->dense.weight->data[i] * (double)a->dense.weight->data[i];
    assert_true(fabs(sqrt(sum / (TINY_HIDDEN * TINY_HIDDEN)) - 0.02) < 0.002); /* 1024 draws: four standard errors */
    wf_head *all[] = {a, b, again, other};
    for (int i = 0; i < 4; i++) wfi_head_free(all[i]);
    wfi_head_free(NULL);
}

static void test_refusals(void **state) {
    static const struct {
        const char *name;
        wf_head_spec spec;
        const char *says;
    } rows[] = {{"", SPEC(WF_KIND_CLASSIFICATION, 3, 1, .dropout = 0), "name"},
                {"a.b", SPEC(WF_KIND_CLASSIFICATION, 3, 1, .dropout = 0), "dot"},
                {"h", SPEC(WF_KIND_CLASSIFICATION, 0, 1, .dropout = 0), "0 classes"},
                {"h", SPEC(WF_KIND_REGRESSION, 2, 1, .dropout = 0), "one output"},
                {"h", SPEC(WF_KIND_MULTIPLE_CHOICE, 4, 1, .dropout = 0), "one output"},
                {"h", SPEC(WF_KIND_CLASSIFICATION, 3, 0, .dropout = 0), "layers"},
                {"h", SPEC(WF_KIND_CLASSIFICATION, 3, 3, .dropout = 0), "layers"},
                {"h", SPEC(WF_KIND_CLASSIFICATION, 3, 1, .dropout = 1), "dropout"},
                {"h", {.kind = WF_KIND_CLASSIFICATION, .classes = 3, .layers = 1}, "hidden size"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wf_head *h = NULL;
        wf_err e = {0};
        assert_int_equal(WF_E_ARG, wfi_head_new(rows[i].name, &rows[i].spec, 1, &h, &e));
        if (!strstr(e.text, rows[i].says)) fail_msg("the message \"%s\" does not say \"%s\"", e.text, rows[i].says);
        assert_null(h);
    }
}

/* A head that wants the pooler on a base without one. */
static void test_no_pooler(void **state) {
    world w;
    wf_err e = {0};
    world_open(&w, &cases[3]);
    wf_param *keep = w.run.base->pooler.weight;
    w.run.base->pooler.weight = NULL;
    assert_null(wfi_context_forward(w.run.context, &w.run.batch, false, 1, NULL, &e));
    assert_non_null(strstr(e.text, "pooler"));
    w.run.base->pooler.weight = keep;
    tiny_run_close(&w.run);
}

int main(void) {
    enum { COUNT = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[COUNT + 5] = {
        [COUNT] = cmocka_unit_test(test_unlabelled),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_first_values),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_pooler),
    };
    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = (void *)(uintptr_t)&cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
