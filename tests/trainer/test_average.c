/* The running mean of the trained values: its formula against double precision, and what a training keeps with it. */
#include "base/alloc.h"
#include "trainer/average.h"
#include "training.h"

typedef struct oracle { /* the mean of the adapter's values, in double */
    double *mean;
    double decay;
    int64_t steps;
} oracle;

static oracle own;

static int oracle_update(const wf_train_event *e, training *t) {
    if (e->note) return 0; /* the end of an epoch, not a step */
    own.steps = e->step;
    const double early = (double)e->step / (double)(e->step + 9), d = early < own.decay ? early : own.decay;
    for (int64_t k = 0; k < t->sets[0]->total; k++) own.mean[k] = d * own.mean[k] + (1 - d) * t->sets[0]->data[k];
    return 0;
}

static int average_event(const wf_train_event *e, void *user) {
    return oracle_update(e, user);
}

/* Without dev the last mean is kept, with it the mean at the best epoch: here the last as well. Steps 1 to 9 weigh by
 * the warm-up, the rest by the decay. */
static void test_kept_is_the_mean(void **state) {
    (void)state;
    training t, plain;
    training_open(&t, NULL);
    training_open(&plain, NULL);
    t.dev.rows = plain.dev.rows = 0;
    wf_train_options o = training_options();
    o.epochs = 5;
    check_ok(training_run(&plain, &o, err));
    own = (oracle){.mean = wfi_alloc((size_t)t.sets[0]->total, sizeof(double)), .decay = 0.5};
    for (int64_t k = 0; k < t.sets[0]->total; k++) own.mean[k] = t.sets[0]->data[k];
    o.average = own.decay;
    check_ok(wfi_train(t.run.context, t.sets, t.set_count, &t.train, &t.dev, &o, average_event, &t, &t.result, err));
    assert_int_equal(15, own.steps);
    double most = 0, apart = 0;
    for (int64_t k = 0; k < t.sets[0]->total; k++) {
        most = fmax(most, fabs(own.mean[k] - (double)t.sets[0]->data[k]));
        apart = fmax(apart, fabs((double)plain.sets[0]->data[k] - (double)t.sets[0]->data[k]));
    }
    assert_true(most < 1e-6);
    assert_true(apart > 1e-4);
    assert_true(plain.result.train_loss == t.result.train_loss); /* the steps themselves are the same */
    wfi_free(own.mean);
    training_close(&t);
    training_close(&plain);
}

static void test_swapped_twice(void **state) {
    (void)state;
    training t;
    training_open(&t, NULL);
    wf_average a;
    check_ok(wfi_average_init(&a, t.sets, t.set_count, 0.9, err));
    const float before = t.sets[1]->data[3];
    t.sets[1]->data[3] = before + 2;
    wfi_average_update(&a, 1); /* a tenth stays */
    wfi_average_swap(&a);
    assert_true(fabsf(t.sets[1]->data[3] - (before + 1.8f)) < 1e-6f);
    wfi_average_swap(&a);
    assert_true(t.sets[1]->data[3] == before + 2);
    wfi_average_clear(&a);
    training_close(&t);
}

static void test_off_and_out_of_memory(void **state) {
    (void)state;
    training t;
    training_open(&t, NULL);
    wf_average a;
    const float value = t.sets[0]->data[0];
    check_ok(wfi_average_init(&a, t.sets, t.set_count, 0, err));
    assert_null(a.mean);
    wfi_average_update(&a, 1);
    wfi_average_swap(&a);
    assert_true(t.sets[0]->data[0] == value);
    wfi_average_clear(&a);
    for (int n = 1; n <= 3; n++) {
        wfi_alloc_fail_at(n);
        check_status(WF_E_NOMEM, wfi_average_init(&a, t.sets, t.set_count, 0.9, err));
        assert_null(a.mean);
    }
    wfi_alloc_fail_at(0);
    training_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept_is_the_mean), cmocka_unit_test(test_swapped_twice),
                                       cmocka_unit_test(test_off_and_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
