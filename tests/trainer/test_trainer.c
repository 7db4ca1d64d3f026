/* The loop: early stopping and the best state, when dev is judged, accumulation, class weights, clipping, numbers that
 * are not finite, and the features of a frozen base. */
#include "training.h"
#include <math.h>

/* Dev with its labels turned round: the more is learned the worse it gets. Training stops, and the best state comes
 * back: that of a run that ends there. */
static void test_early_stop_restores_the_best(void **state) {
    (void)state;
    training a, b;
    training_open(&a, NULL);
    training_open(&b, NULL);
    for (size_t i = 0; i < a.dev.rows; i++) a.dev.label[i] = b.dev.label[i] = 1 - a.dev.label[i];
    wf_train_options o = training_options();
    o.schedule = WF_SCHEDULE_CONSTANT;
    o.warmup_share = 0;
    o.lr = 5e-3;
    o.epochs = 40;
    o.patience = 2;
    check_ok(training_run(&a, &o, err));
    assert_true(a.result.stopped_early);
    assert_true(a.result.epochs_done < 40);
    assert_true(a.result.epochs_done >= a.result.best_epoch + 3 || a.result.best_epoch == a.result.epochs_done);
    assert_int_equal(a.result.epochs_done, a.notes);
    o.epochs = (double)a.result.best_epoch;
    o.patience = -1;
    check_ok(training_run(&b, &o, err));
    assert_int_equal(a.result.best_epoch, b.result.best_epoch);
    assert_false(b.result.stopped_early);
    training_same(&a, &b);
    training_close(&a);
    training_close(&b);
}

/* Patience 3, a dev score that never changes (one label only in dev, never predicted otherwise): 1 + 3 + 1 evaluations.
 */
static void test_patience_counts(void **state) {
    (void)state;
    static const int patience[] = {1, 3};
    for (int k = 0; k < 2; k++) {
        training t;
        training_open(&t, NULL);
        wf_train_options o = training_options();
        o.lr = 1e-12; /* nothing is learned, so the first score stays */
        o.epochs = 20;
        o.patience = patience[k];
        check_ok(training_run(&t, &o, err));
        assert_true(t.result.stopped_early);
        assert_int_equal(patience[k] + 2, t.result.epochs_done);
        training_close(&t);
    }
}

/* A dev part with more tokens than the training part is judged every few epochs, and at the end. */
static void test_large_dev_is_judged_in_proportion(void **state) {
    (void)state;
    training t;
    training_open(&t, &(training_sizes){.train = 8, .dev = 20});
    const int64_t train = t.train.offsets[t.train.sequences], dev = t.dev.offsets[t.dev.sequences],
                  every = (dev + train - 1) / train;
    assert_int_equal(3, every);
    wf_train_options o = training_options();
    o.epochs = 7;
    check_ok(training_run(&t, &o, err));
    assert_int_equal(7, t.notes);
    for (int i = 0; i < 7; i++)
        assert_int_equal((i + 1) % every == 0 || i == 6, strstr(t.note[i], ", dev accuracy") != NULL);
    training_close(&t);
}

/* Without dev the last state stays. */
static void test_no_dev(void **state) {
    (void)state;
    training t;
    training_open(&t, &(training_sizes){.train = 16, .dev = 1});
    t.dev.rows = 0;
    wf_train_options o = training_options();
    check_ok(training_run(&t, &o, err));
    assert_int_equal(t.result.epochs_done, t.result.best_epoch);
    assert_int_equal((int)o.epochs, t.result.epochs_done);
    training_close(&t);
}

static float farthest(const wf_pset *a, const wf_pset *b) {
    float most = 0;
    for (int64_t i = 0; i < a->total; i++) most = fmaxf(most, fabsf(a->data[i] - b->data[i]));
    return most;
}

/* Two batches of 4 a step against one of 8: the same rows. Not the same bits: sums are cut in two, about 1e-7 of a
 * gradient, which AdamW divides by its own size. An element whose gradient nearly cancels may so move by a share of the
 * learning rate, hence 2 % of it a step. */
static void test_accumulation_is_a_larger_batch(void **state) {
    (void)state;
    training a, b, c;
    const training_sizes sizes = {.train = 32, .dev = 8, .still = true};
    training_open(&a, &sizes);
    training_open(&b, &sizes);
    training_open(&c, &sizes);
    wf_train_options o = training_options();
    o.epochs = 2;
    o.batch_rows = 8;
    check_ok(training_run(&a, &o, err));
    o.batch_rows = 4;
    check_ok(training_run(&c, &o, err));
    o.accumulate = 2;
    check_ok(training_run(&b, &o, err));
    assert_int_equal(8, a.result.steps);
    assert_int_equal(8, b.result.steps);
    assert_int_equal(16, c.result.steps);
    assert_true(farthest(a.sets[1], b.sets[1]) < 0.02f * 8 * (float)o.lr);
    assert_true(farthest(a.sets[1], c.sets[1]) > 0.1f * (float)o.lr); /* the measure can tell */
    training_close(&a);
    training_close(&b);
    training_close(&c);
}

/* A class of weight zero is not learned: everything becomes the other one. */
static void test_class_weights(void **state) {
    (void)state;
    static const float weights[3][2] = {{1, 0}, {0, 1}, {1, 1}};
    double first_class[3];
    for (int k = 0; k < 3; k++) {
        training t;
        training_open(&t, NULL);
        wf_train_options o = training_options();
        o.lr = 1e-2;
        o.epochs = 25;
        o.class_weights = weights[k];
        t.dev.rows = 0;
        check_ok(training_run(&t, &o, err));
        wf_outputs out = {0};
        check_ok(wfi_evaluate_outputs(t.run.context, &t.train, 2, &out, err));
        first_class[k] = 0;
        for (size_t i = 0; i < out.rows; i++) first_class[k] += out.scores[2 * i] > out.scores[2 * i + 1];
        first_class[k] /= (double)out.rows;
        wfi_outputs_clear(&out);
        training_close(&t);
    }
    assert_true(first_class[0] == 1.0 && first_class[1] == 0.0);
    assert_true(first_class[2] > 0.1 && first_class[2] < 0.9);
}

/* Gradients clipped to far below AdamW's epsilon of 1e-8 move nothing; AdamW would undo any milder scaling. */
static void test_clipping(void **state) {
    (void)state;
    training clipped, before, free_run;
    training_open(&clipped, NULL);
    training_open(&before, NULL);
    training_open(&free_run, NULL);
    wf_train_options o = training_options();
    clipped.dev.rows = free_run.dev.rows = 0;
    o.max_grad_norm = 1e-12;
    check_ok(training_run(&clipped, &o, err));
    o.max_grad_norm = 0;
    check_ok(training_run(&free_run, &o, err));
    const float steps = (float)clipped.result.steps;
    assert_true(farthest(clipped.sets[1], before.sets[1]) < 1e-3f * steps * (float)o.lr);
    assert_true(farthest(free_run.sets[1], before.sets[1]) > 0.5f * (float)o.lr);
    training_close(&clipped);
    training_close(&before);
    training_close(&free_run);
}

/* Numbers that are not finite end the run, naming the step, with and without clipping, in the middle as at the start.
 */
static int spoil_at_fourth(const wf_train_event *e, void *user) {
    training *t = user;
    if (e->step == 4) t->run.head->out.bias->data[0] = NAN;
    return 0;
}

static void test_not_finite(void **state) {
    (void)state;
    static const double norms[] = {1, 0};
    for (int k = 0; k < 4; k++) {
        training t;
        wf_err e = {0};
        training_open(&t, NULL);
        wf_train_options o = training_options();
        o.max_grad_norm = norms[k % 2];
        if (k < 2) t.run.head->out.bias->data[0] = INFINITY;
        t.event = k < 2 ? NULL : spoil_at_fourth;
        assert_int_equal(WF_E_NONFINITE, training_run(&t, &o, &e));
        if (!strstr(e.text, k < 2 ? "step 1" : "step 5")) fail_msg("%s", e.text);
        training_close(&t);
    }
}

/* A head trained on features made beforehand, against the base run each time: the same but for the cut of the packed
 * batches, which changes the rounding of products by about 1e-7, and AdamW's division (see accumulation). */
static void test_features(void **state) {
    (void)state;
    training a, b;
    const training_sizes sizes = {.train = 32, .dev = 8, .still = true, .head_only = true};
    training_open(&a, &sizes);
    training_open(&b, &sizes);
    check_ok(wfi_features_make(a.run.context, &a.train, err));
    check_ok(wfi_features_make(a.run.context, &a.dev, err));
    assert_int_equal(TINY_HIDDEN, a.train.pooled_width);
    wf_train_options o = training_options();
    o.epochs = 6;
    check_ok(training_run(&a, &o, err));
    check_ok(training_run(&b, &o, err));
    assert_int_equal(a.result.tokens, b.result.tokens);
    assert_int_equal(a.result.best_epoch, b.result.best_epoch);
    assert_true(farthest(a.sets[0], b.sets[0]) < 0.02f * (float)a.result.steps * (float)o.lr);
    wf_scores x = {0}, y = {0};
    check_ok(wfi_evaluate(a.run.context, &a.dev, 2, 0, 0, &x, err));
    check_ok(wfi_evaluate(b.run.context, &b.dev, 2, 0, 0, &y, err));
    for (int i = 0; i < x.count; i++)
        if (!(fabs(x.metric[i].value - y.metric[i].value) < 1e-3))
            fail_msg("%s: %g, %g", x.metric[i].name, x.metric[i].value, y.metric[i].value);
    training_close(&a);
    training_close(&b);
}

static void test_refusals(void **state) {
    (void)state;
    training t;
    training_open(&t, NULL);
    wf_train_options o = training_options();
    o.lr = 0;
    check_status(WF_E_ARG, training_run(&t, &o, err));
    o = training_options();
    o.epochs = 0;
    check_status(WF_E_ARG, training_run(&t, &o, err));
    o = training_options();
    o.metric = "pearson";
    check_status(WF_E_ARG, training_run(&t, &o, err));
    o = training_options();
    t.train.rows = 0;
    check_status(WF_E_DATA, training_run(&t, &o, err));
    training_close(&t);
}

int main(void) {
    wfi_threads_set(1); /* of nothing here is there enough for two */
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_early_stop_restores_the_best),
                                       cmocka_unit_test(test_patience_counts),
                                       cmocka_unit_test(test_large_dev_is_judged_in_proportion),
                                       cmocka_unit_test(test_no_dev),
                                       cmocka_unit_test(test_accumulation_is_a_larger_batch),
                                       cmocka_unit_test(test_class_weights),
                                       cmocka_unit_test(test_clipping),
                                       cmocka_unit_test(test_not_finite),
                                       cmocka_unit_test(test_features),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
