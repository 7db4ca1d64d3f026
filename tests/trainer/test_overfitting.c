/* What works against overfitting: Mixout's values and gradient by hand, rows drawn by class, R-Drop, focal loss, and
 * stochastic depth in the loop. */
#include "base/random.h"
#include "trainer/mixout.h"
#include "training.h"
#include <math.h>

enum { VALUES = 4000 };

static wf_pset *pair_of_sets(wf_pset sets[2]) {
    for (int i = 0; i < 2; i++) {
        assert_non_null(wfi_pset_add(&sets[i], "w", 1, (int64_t[]){VALUES}, true));
        check_ok(wfi_pset_commit(&sets[i], err));
        check_ok(wfi_pset_trainable(&sets[i], true, err));
        for (int k = 0; k < VALUES; k++) sets[i].data[k] = 1.0f;
    }
    return sets;
}

/* Start 1, now 3, p 0.25: values are (1 - 0.25) / 0.75 = 1 or (3 - 0.25) / 0.75, whose mean is 3; the gradient by the
 * mixed value 6 becomes 0 or 8. */
static void test_mixout(void **state) {
    wf_pset sets[2] = {0};
    wf_pset *all[] = {&pair_of_sets(sets)[0], &sets[1]};
    const bool pulled[] = {true, false};
    wf_mixout m = {0};
    check_ok(wfi_mixout_init(&m, all, pulled, 2, 0.25, err));
    double sum = 0;
    int starts = 0;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < VALUES; k++) sets[i].data[k] = 3.0f, sets[i].grad[k] = 6.0f;
    wfi_mixout_begin(&m, 77);
    float mixed[VALUES];
    memcpy(mixed, sets[0].data, sizeof mixed);
    for (int k = 0; k < VALUES; k++) {
        const bool start = fabsf(mixed[k] - 1.0f) < 1e-6f;
        assert_true(start || fabsf(mixed[k] - 2.75f / 0.75f) < 1e-5f);
        assert_true(sets[1].data[k] == 3.0f); /* a head is not pulled */
        starts += start;
        sum += (double)mixed[k] / VALUES;
    }
    assert_true(fabs(starts / (double)VALUES - 0.25) < 0.03 && fabs(sum - 3) < 0.08);
    wfi_mixout_end(&m, 77);
    for (int k = 0; k < VALUES; k++) {
        assert_true(sets[0].data[k] == 3.0f && sets[1].data[k] == 3.0f && sets[1].grad[k] == 6.0f);
        assert_true(sets[0].grad[k] == (fabsf(mixed[k] - 1.0f) < 1e-6f ? 0.0f : 8.0f));
    }
    /* The gradient is that of L(mix(w)) by w: L = sum c_k mix(w)_k^2, by differences. */
    double along = 0, at[2] = {0};
    for (int side = 0; side < 2; side++) {
        for (int k = 0; k < VALUES; k++) sets[0].data[k] = (float)(3 + (side ? 1e-2 : -1e-2) * (k % 5));
        wfi_mixout_begin(&m, 78);
        for (int k = 0; k < VALUES; k++) at[side] += (k % 3) * (double)sets[0].data[k] * (double)sets[0].data[k];
        wfi_mixout_end(&m, 78);
    }
    for (int k = 0; k < VALUES; k++) sets[0].data[k] = 3.0f;
    wfi_mixout_begin(&m, 78);
    for (int k = 0; k < VALUES; k++) sets[0].grad[k] = 2.0f * (float)(k % 3) * sets[0].data[k];
    wfi_mixout_end(&m, 78);
    for (int k = 0; k < VALUES; k++) along += (double)sets[0].grad[k] * (k % 5);
    assert_true(fabs((at[1] - at[0]) / 2e-2 - along) < 1e-4 * fabs(along));
    wfi_mixout_clear(&m);
    for (int i = 0; i < 2; i++) wfi_pset_clear(&sets[i]);
}

/* 90, 9 and 1 rows. */
static void test_rows_by_class(void **state) {
    int32_t label[100];
    for (int i = 0; i < 100; i++) label[i] = i < 90 ? 0 : i < 99 ? 1 : 2;
    const wf_encoded e = {.rows = 100, .label = label};
    static const struct {
        double evenness;
        int want[3];
    } cases[] = {{0, {90, 9, 1}}, {0.5, {70, 22, 8}}, {1, {34, 33, 33}}}; /* 9.49, 3, 1 of 13.49: 70.3, 22.2, 7.4 */
    for (int k = 0; k < 3; k++) {
        int64_t order[100], again[100];
        int drawn[100] = {0}, count[3] = {0};
        check_ok(wfi_rows_by_class(&e, cases[k].evenness, 5, order, err));
        check_ok(wfi_rows_by_class(&e, cases[k].evenness, 5, again, err));
        assert_memory_equal(order, again, sizeof order);
        for (int i = 0; i < 100; i++) {
            drawn[order[i]]++;
            count[label[order[i]]]++;
        }
        assert_int_equal(100, count[0] + count[1] + count[2]);
        for (int c = 0; c < 3; c++)
            if (abs(count[c] - cases[k].want[c]) > 1)
                fail_msg("evenness %g: %d rows of class %d", cases[k].evenness, count[c], c);
        for (int i = 1; i < 90; i++) assert_true(abs(drawn[i] - drawn[0]) <= 1); /* none far oftener than another */
        for (int i = 91; i < 99; i++) assert_true(abs(drawn[i] - drawn[90]) <= 1);
    }
    label[3] = -1;
    int64_t order[100];
    check_status(WF_E_DATA, wfi_rows_by_class(&e, 1, 5, order, err));
}

static double first_loss(const wf_train_options *o, const training_sizes *s) {
    training t;
    training_open(&t, s);
    check_ok(training_run(&t, o, err));
    const double loss = t.result.train_loss;
    training_close(&t);
    return loss;
}

/* Each option trains, makes the same bits twice, and other ones than without it. */
static void test_in_the_loop(void **state) {
    training plain;
    training_open(&plain, NULL);
    wf_train_options base = training_options();
    check_ok(training_run(&plain, &base, err));
    for (int k = 0; k < 4; k++) {
        wf_train_options o = training_options();
        if (k == 0) o.mixout = 0.3;
        if (k == 1) o.agreement = 2;
        if (k == 2) o.focal = 2;
        if (k == 3) o.class_evenness = 1;
        training a, b;
        training_open(&a, NULL);
        training_open(&b, NULL);
        check_ok(training_run(&a, &o, err));
        check_ok(training_run(&b, &o, err));
        training_same(&a, &b);
        assert_true(memcmp(a.sets[0]->data, plain.sets[0]->data, (size_t)a.sets[0]->total * sizeof(float)) != 0);
        assert_true(isfinite(a.result.train_loss));
        if (k == 1) assert_int_equal(2 * plain.result.tokens, a.result.tokens); /* every row twice */
        training_close(&a);
        training_close(&b);
    }
    training_close(&plain);
    /* Without any dropout both passes agree: R-Drop changes nothing but the cost. */
    const training_sizes still = {.train = 24, .dev = 12, .still = true};
    wf_train_options o = training_options();
    const double without = first_loss(&o, &still);
    o.agreement = 5;
    assert_true(fabs(first_loss(&o, &still) - without) < 1e-4);
}

/* Broken off and resumed, Mixout still knows the start. */
static void test_resume(void **state) {
    training whole, broken;
    char file[400];
    wf_train_options o = training_options();
    o.mixout = 0.3;
    o.agreement = 1;
    o.class_evenness = 0.5;
    training_open(&whole, NULL);
    check_ok(training_run(&whole, &o, err));
    training_open(&broken, NULL);
    snprintf(file, sizeof file, "%s/checkpoint", broken.run.dir);
    o.checkpoint = file;
    broken.stop_at = 4;
    check_status(WF_E_CANCELLED, training_run(&broken, &o, err));
    training again;
    training_open(&again, NULL);
    check_ok(training_run(&again, &o, err));
    training_same(&whole, &again);
    training_close(&again);
    training_close(&broken);
    training_close(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mixout), cmocka_unit_test(test_rows_by_class),
                                       cmocka_unit_test(test_in_the_loop), cmocka_unit_test(test_resume)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
