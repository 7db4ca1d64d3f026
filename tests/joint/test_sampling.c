/* How batches are dealt out to tasks: shares by hand, sums, exactness, an order without clumps, refusals. */
#include "check.h"
#include "joint/sampling.h"
#include <math.h>
#include <string.h>

enum { TASKS = 3 };
static const int64_t SIZES[TASKS] = {1000, 90, 10};
static const double EVEN[TASKS] = {1, 1, 1};

static wf_sampling parsed(const char *text) {
    wf_sampling s;
    check_ok(wfi_sampling_parse(text, &s, err));
    return s;
}

static void counts_of(const char *text, int64_t epoch, const double *gap, int64_t *counts) {
    const wf_sampling s = parsed(text);
    const wf_sampling_state state = {.tasks = TASKS, .batches = SIZES, .epoch = epoch, .epochs = 5, .gap = gap};
    wfi_sampling_counts(&s, &state, counts);
    int64_t sum = 0;
    for (int k = 0; k < TASKS; k++) sum += counts[k];
    assert_int_equal(1100, sum);
}

/* Shares worked out by hand: size^(1/T) over its sum; at most one batch is lost to rounding. */
static void expect(const char *text, int64_t epoch, const double *gap, double a, double b, double c) {
    const double share[TASKS] = {a, b, c};
    int64_t counts[TASKS];
    counts_of(text, epoch, gap, counts);
    for (int k = 0; k < TASKS; k++)
        if (fabs((double)counts[k] - 1100 * share[k] / (a + b + c)) > 1)
            fail_msg("%s, epoch %d: task %d has %d batches of %g", text, (int)epoch, k, (int)counts[k],
                     1100 * share[k] / (a + b + c));
}

static void test_shares(void **state) {
    (void)state;
    int64_t counts[TASKS];
    for (int epoch = 0; epoch < 5; epoch++) { /* proportional: each row once */
        counts_of("proportional", epoch, EVEN, counts);
        assert_memory_equal(SIZES, counts, sizeof counts);
        counts_of("temperature:1", epoch, EVEN, counts);
        assert_memory_equal(SIZES, counts, sizeof counts);
        expect("equal", epoch, EVEN, 1, 1, 1);
        expect("sqrt", epoch, EVEN, 31.6227766, 9.48683298, 3.16227766);
        expect("temperature:5", epoch, EVEN, 3.98107171, 2.45951, 1.58489319);
    }
    expect("temperature:1000", 0, EVEN, 1, 1, 1);
    expect("annealed", 0, EVEN, 1000, 90, 10);
    expect("annealed", 2, EVEN, 63.0957344, 14.8760, 3.98107171); /* exponent 0.6 */
    expect("annealed", 4, EVEN, 3.98107171, 2.45951, 1.58489319); /* 0.2 */
    expect("dynamic", 0, EVEN, 1, 1, 1);
    expect("dynamic", 3, (double[]){0.1, 0.5, 0.4}, 1, 5, 4);
    expect("dynamic", 3, (double[]){0, 1, 1}, 1.0 / 30, 0.5, 0.5); /* a solved task is not dropped */
    expect("dynamic", 3, (double[]){0, 0, 0}, 1, 1, 1);
}

/* Everywhere in the epoch a task has come about as often as its share says; the order depends on the key. */
static void test_order(void **state) {
    (void)state;
    const int64_t counts[TASKS] = {60, 30, 10};
    int32_t order[100], again[100];
    for (uint64_t key = 1; key < 20; key++) {
        int64_t seen[TASKS] = {0};
        check_ok(wfi_sampling_order(counts, TASKS, key, order, err));
        for (int i = 0; i < 100; i++) {
            seen[order[i]]++;
            for (int k = 0; k < TASKS; k++) assert_true(fabs((double)seen[k] - (i + 1) / 100.0 * counts[k]) <= 2);
        }
        for (int k = 0; k < TASKS; k++) assert_int_equal(counts[k], seen[k]);
    }
    check_ok(wfi_sampling_order(counts, TASKS, 19, again, err));
    assert_memory_equal(order, again, sizeof order);
    check_ok(wfi_sampling_order(counts, TASKS, 20, again, err));
    assert_memory_not_equal(order, again, sizeof order);
    const int64_t even[TASKS] = {20, 20, 20}; /* steps of three batches hold each task once */
    check_ok(wfi_sampling_order(even, TASKS, 7, order, err));
    for (int i = 0; i < 60; i += 3) assert_int_equal(7, 1 << order[i] | 1 << order[i + 1] | 1 << order[i + 2]);
}

static void refused(const char *text, const char *what) {
    wf_sampling s;
    wf_err e = {0};
    assert_int_equal(WF_E_ARG, wfi_sampling_parse(text, &s, &e));
    if (!strstr(e.text, what)) fail_msg("%s: %s", text, e.text);
}

static void test_words(void **state) {
    (void)state;
    assert_string_equal("proportional", parsed(NULL).method->name);
    assert_true(parsed("temperature:2.5").number == 2.5);
    assert_true(parsed("dynamic").method->dev && !parsed("annealed").method->dev);
    refused("fair", "use one of proportional, equal, sqrt, temperature:T, annealed, dynamic");
    refused("", "not known");
    refused("temperature", "write temperature:T with T from 1 to 1000");
    refused("temperature:", "from 1 to 1000");
    refused("temperature:0.5", "from 1 to 1000");
    refused("temperature:nan", "from 1 to 1000");
    refused("temperature:2x", "from 1 to 1000");
    refused("equal:2", "takes no number");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares), cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
