/* Estimates of transfer: LEEP and Spearman's test against numpy and scipy, neighbours and likeness by hand. */
#include "check.h"
#include "metrics/significance.h"
#include "metrics/transfer.h"
#include <math.h>

static void near(double want, double is) {
    if (!(fabs(want - is) < 1e-7)) fail_msg("%.12g, not %.12g", is, want);
}

/* numpy: P(y,z) summed by hand, mean log of (P(y|z) z). */
static void test_leep(void **state) {
    const float z[] = {0.9f, 0.1f, 0.8f, 0.2f, 0.3f, 0.7f, 0.4f, 0.6f, 0.2f, 0.8f};
    const int32_t label[] = {0, 0, 1, 1, 2}, pure[] = {0, 0, 1, 1, 1};
    const float sure[] = {1, 0, 1, 0, 0, 1, 0, 1, 0, 1}, blind[] = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
    double leep = 1;
    check_ok(wfi_leep(z, 5, 2, label, 3, &leep, err));
    near(-0.7981253818035949, leep);
    check_ok(wfi_leep(sure, 5, 2, pure, 2, &leep, err)); /* tells every label */
    near(0, leep);
    check_ok(wfi_leep(blind, 5, 2, pure, 2, &leep, err)); /* always the same: the entropy of the labels */
    near(0.4 * log(0.4) + 0.6 * log(0.6), leep);
    check_status(WF_E_ARG, wfi_leep(z, 0, 2, label, 3, &leep, err));
}

static void test_neighbours(void **state) {
    /* Two bundles of three, and one row of class 1 that lies in class 0's. */
    const float x[] = {1, 0.1f, 1, 0.2f, 1, 0.15f, -1, 0.1f, -1, 0.2f, -1, 0.15f, 1, 0.17f};
    const int32_t label[] = {0, 0, 0, 1, 1, 1, 1}, one[] = {0, 0, 0, 0, 0, 0, 0};
    double share = 0;
    check_ok(wfi_neighbours(x, 6, 2, label, 2, 2, &share, err));
    near(1, share);
    check_ok(wfi_neighbours(x, 7, 2, label, 2, 3, &share, err)); /* right: 3 of 3, 3 of 4; the classes count the same */
    near((1.0 + 0.75) / 2, share);
    check_ok(wfi_neighbours(x, 7, 2, one, 3, 3, &share, err)); /* classes without rows do not count */
    near(1, share);
    check_status(WF_E_ARG, wfi_neighbours(x, 1, 2, label, 2, 1, &share, err));
    check_status(WF_E_ARG, wfi_neighbours(x, 5, 2, label, 2, 65, &share, err));
}

static void test_likeness(void **state) {
    const float a[] = {1, 2, 3, 0}, same[] = {10, 20, 30, 0}, apart[] = {0, 0, 0, 6}, none[] = {0, 0, 0, 0};
    near(1, wfi_fisher_likeness(a, same, 4)); /* their scale says nothing */
    near(0, wfi_fisher_likeness(a, apart, 4));
    assert_true(isnan(wfi_fisher_likeness(a, none, 4)));
    const float b[] = {3, 2, 1, 0};
    const double x[] = {0.25, 0.5, 0.75}, y[] = {0.75, 0.5, 0.25};
    double xx = 0, xy = 0;
    for (int i = 0; i < 3; i++) {
        xx += x[i] * x[i];
        xy += x[i] * y[i];
    }
    near(xy / xx, wfi_fisher_likeness(a, b, 4));
}

/* scipy's spearmanr; p over all 720 orders counted by itertools.permutations. */
static void test_spearman(void **state) {
    const double x[] = {0.3, 0.1, 0.9, 0.5, 0.5, 0.2}, y[] = {2, 1, 3, 5, 4, 1.5}, flat[] = {1, 1, 1, 1, 1, 1};
    double rho = 0, p = 0, up[12];
    check_ok(wfi_spearman_test(x, y, 6, 0, &rho, &p, err));
    near(0.8116794499134278, rho);
    near(52.0 / 720, p);
    check_ok(wfi_spearman_test(x, flat, 6, 0, &rho, &p, err));
    assert_true(isnan(rho) && isnan(p));
    check_ok(wfi_spearman_test(x, y, 1, 0, &rho, &p, err));
    assert_true(isnan(rho) && isnan(p));
    for (int i = 0; i < 12; i++) up[i] = i * i;
    check_ok(wfi_spearman_test(up, up, 12, 0, &rho, &p, err)); /* drawn orders: none is as good as 1 in 12! */
    near(1, rho);
    assert_true(p > 0 && p < 1e-3);
    /* Without an effect p is spread evenly: of 200 draws about 10 are below 0.05. */
    int below = 0;
    for (uint64_t k = 0; k < 200; k++) {
        double u[7], v[7];
        for (uint64_t i = 0; i < 7; i++) {
            u[i] = (double)((k * 7919 + i * 104729 + i * i * 31 * (k + 3)) % 1009);
            v[i] = (double)((k * 6007 + i * 15485863 + i * i * 17 * (k + 11)) % 997);
        }
        check_ok(wfi_spearman_test(u, v, 7, 0, &rho, &p, err));
        below += p < 0.05;
    }
    if (below > 22) fail_msg("%d of 200 null cases claimed", below);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_leep), cmocka_unit_test(test_neighbours),
                                       cmocka_unit_test(test_likeness), cmocka_unit_test(test_spearman)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
