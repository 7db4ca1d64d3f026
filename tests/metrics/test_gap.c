/* Areas by counting every pair, signs by all of them, gaps where there are some and where there are none. */
#include "base/random.h"
#include "check.h"
#include "metrics/gap.h"
#include <math.h>

enum { N = 400 };
static double score[N];
static uint8_t positive[N], member[N], said[N];
static size_t group[N];

/* lower: by how much less the positive rows of the group score; missed: chance that one is missed, in percent. */
static void rows_make(uint64_t salt, double lower, uint32_t missed) {
    const uint64_t key = wfi_random_key(salt, "rows", 0, 0);
    for (uint64_t i = 0; i < N; i++) {
        positive[i] = i % 2;
        member[i] = i % 8 < 2;
        group[i] = i / 2 % 4;
        score[i] = floor(40 * (0.3 + 0.3 * positive[i] + 0.4 * ((double)wfi_random_uniform(key, i) - 0.5))) / 40;
        if (member[i] && positive[i]) score[i] -= lower;
        said[i] = positive[i];
        if (wfi_random_below(key, N + i, 100) < (member[i] ? missed : 10)) said[i] = !positive[i];
    }
}

static double auc_slow(int in) {
    double won = 0, pairs = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            if (member[i] == in && member[k] == in && positive[i] && !positive[k]) {
                won += score[i] > score[k] ? 1 : score[i] == score[k] ? 0.5 : 0;
                pairs++;
            }
    return won / pairs;
}

static void test_auc(void **state) {
    (void)state;
    wf_gap auc, calibration;
    double all = 0, mean = 0, rows = 0;
    rows_make(1, 0.3, 10);
    check_ok(wfi_group_gaps(score, positive, member, N, 500, 3, &auc, &calibration, err));
    assert_true(fabs(auc.in - auc_slow(1)) < 1e-12 && fabs(auc.rest - auc_slow(0)) < 1e-12);
    assert_true(auc.in_low < auc.in && auc.in < auc.in_high && auc.difference == auc.in - auc.rest);
    assert_true(auc.high < 0 && calibration.high < 0); /* the group's positive rows score too low */
    for (int i = 0; i < N; i++)
        if (member[i]) mean += score[i] - positive[i], rows++;
    assert_true(fabs(calibration.in - mean / rows) < 1e-12);
    for (int i = 0; i < N; i++) member[i] = 1;
    check_ok(wfi_auc(score, positive, N, &all, err));
    assert_true(fabs(all - auc_slow(1)) < 1e-12);
    check_ok(wfi_group_gaps(score, positive, member, N, 100, 3, &auc, &calibration, err));
    assert_true(auc.in == all && isnan(auc.rest) && isnan(auc.low)); /* no rest */
    memset(positive, 1, sizeof positive);
    check_ok(wfi_auc(score, positive, N, &all, err));
    assert_true(isnan(all));
}

/* Without a gap 0 is inside the interval about 19 times of 20. */
static void test_no_gap(void **state) {
    (void)state;
    int outside = 0;
    for (uint64_t k = 0; k < 100; k++) {
        wf_gap auc, calibration;
        rows_make(100 + k, 0, 10);
        check_ok(wfi_group_gaps(score, positive, member, N, 200, k, &auc, &calibration, err));
        outside += auc.low > 0 || auc.high < 0;
    }
    assert_in_range(outside, 0, 14);
}

static void test_odds(void **state) {
    (void)state;
    wf_odds o;
    int claimed = 0;
    rows_make(1, 0, 45);
    check_ok(wfi_equalised_odds(said, positive, group, N, 4, 10, 500, 1, &o, err));
    assert_true(o.gap > 0.2 && o.p < 0.01 && o.gap == fmax(o.fnr, o.fpr));
    double rate[4] = {0}, low = 1, high = 0;
    for (int i = 0; i < N; i++) rate[group[i]] += positive[i] && !said[i] ? 1 / (N / 8.0) : 0;
    for (int g = 0; g < 4; g++) low = fmin(low, rate[g]), high = fmax(high, rate[g]);
    assert_true(fabs(o.fnr - (high - low)) < 1e-12);
    for (uint64_t k = 0; k < 100; k++) {
        rows_make(500 + k, 0, 10);
        check_ok(wfi_equalised_odds(said, positive, group, N, 4, 10, 200, k, &o, err));
        claimed += o.p < 0.05;
    }
    assert_in_range(claimed, 0, 12);
    check_ok(wfi_equalised_odds(said, positive, group, N, 4, 51, 200, 1, &o, err)); /* 50 rows of a class each */
    assert_true(isnan(o.gap) && isnan(o.p));
    for (int i = 0; i < N; i++) group[i] = group[i] ? 4 : 0; /* one group, and rows of none */
    check_ok(wfi_equalised_odds(said, positive, group, N, 4, 10, 200, 1, &o, err));
    assert_true(isnan(o.fnr) && isnan(o.fpr) && isnan(o.p));
}

/* p against that of all 2^10 signs. */
static void test_mean(void **state) {
    (void)state;
    const double x[10] = {0.5, -0.2, 0.4, 0.9, -0.1, 0.3, 0.2, -0.3, 0.6, 0.1}, zero[10] = {0};
    wf_mean m;
    int far = 0;
    for (int signs = 0; signs < 1024; signs++) {
        double sum = 0;
        for (int i = 0; i < 10; i++) sum += signs >> i & 1 ? x[i] : -x[i];
        far += fabs(sum) >= 2.4 - 1e-12;
    }
    check_ok(wfi_mean_test(x, 10, 20000, 5, &m, err));
    assert_true(fabs(m.value - 0.24) < 1e-12 && m.low < 0.24 && m.high > 0.24 && m.low > -0.05 && m.high < 0.55);
    assert_true(fabs(m.p - far / 1024.0) < 0.01);
    check_ok(wfi_mean_test(zero, 10, 100, 5, &m, err));
    assert_true(m.p == 1 && m.low == 0 && m.high == 0);
    check_ok(wfi_mean_test(x, 0, 100, 5, &m, err));
    assert_true(isnan(m.value) && isnan(m.p));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_auc), cmocka_unit_test(test_no_gap),
                                       cmocka_unit_test(test_odds), cmocka_unit_test(test_mean)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
