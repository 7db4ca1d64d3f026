/* tests/base/test_random.c - Philox4x32-10 against known answers, and the statistics of what is made of it. */
#include "base/random.h"
#include "check.h"
#include <math.h>

/* The first answer is Random123's own (kat_vectors); the others come from a separate implementation that gives all
 * three of Random123's answers (weft's counter has two words, theirs four). */
static void test_known_answers(void **state) {
    static const struct {
        uint64_t key, counter;
        uint32_t want[4];
    } cases[] = {
        {0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {0x0, 0x1, {0xf8e4cca4, 0x5cb200db, 0xb1a574eb, 0x097eff67}},
        {0x299f31d0a4093822, 0x85a308d3243f6a88, {0xe69c9c31, 0xb5a3d762, 0xe733bfc1, 0x341a787c}},
        {0xffffffffffffffff, 0xffffffffffffffff, {0x4d18d7d2, 0x430ac65a, 0xbd2fa22a, 0x0afae10d}},
        {0x123456789abcdef0, 0x4d, {0x6aa2bb8a, 0x8893708e, 0x4c7f96f6, 0xd8134311}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t got[4];
        wfi_random_block(cases[i].key, cases[i].counter, got);
        assert_memory_equal(cases[i].want, got, sizeof got);
        for (uint64_t k = 0; k < 4 && cases[i].counter < 1 << 20; k++)
            assert_int_equal(got[k], wfi_random_u32(cases[i].key, 4 * cases[i].counter + k));
    }
}

static void test_keys_differ(void **state) {
    uint64_t keys[] = {wfi_random_key(1, "a", 0, 0),  wfi_random_key(2, "a", 0, 0), wfi_random_key(1, "b", 0, 0),
                       wfi_random_key(1, "a", 1, 0),  wfi_random_key(1, "a", 0, 1), wfi_random_key(1, "", 0, 0),
                       wfi_random_key(1, "aa", 0, 0), wfi_random_key(0, "a", 0, 0)};
    const size_t n = sizeof keys / sizeof *keys;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) assert_true(keys[i] != keys[j]);
    assert_true(keys[0] == wfi_random_key(1, "a", 0, 0));
}

/* 5 standard deviations of a chi-square with 255 degrees of freedom: 255 + 5 sqrt(510). */
static void test_uniform(void **state) {
    enum { N = 1 << 18, BINS = 256 };
    for (uint64_t purpose = 0; purpose < 4; purpose++) {
        const uint64_t key = wfi_random_key(9, "test", purpose, 0);
        int bins[BINS] = {0};
        double sum = 0, lag = 0, last = 0.5;
        for (uint64_t i = 0; i < N; i++) {
            const float u = wfi_random_uniform(key, i);
            assert_true(u >= 0.0f && u < 1.0f);
            bins[(int)(u * BINS)]++;
            sum += (double)u;
            lag += ((double)u - 0.5) * (last - 0.5);
            last = (double)u;
        }
        double chi = 0;
        for (int b = 0; b < BINS; b++) chi += pow(bins[b] - (double)N / BINS, 2) / ((double)N / BINS);
        assert_true(fabs(chi - 255) < 5 * sqrt(510));
        assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
        assert_true(fabs(lag / N) < 5.0 / 12 / sqrt(N)); /* neighbours are not related */
    }
}

static void test_normal(void **state) {
    enum { N = 1 << 18 };
    const uint64_t key = wfi_random_key(3, "normal", 0, 0);
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    int inside = 0;
    for (uint64_t i = 0; i < N; i++) {
        const double x = (double)wfi_random_normal(key, i);
        assert_true(isfinite(x));
        m1 += x;
        m2 += x * x;
        m3 += x * x * x;
        m4 += x * x * x * x;
        inside += fabs(x) < 1;
    }
    const double s = 1 / sqrt(N);
    assert_true(fabs(m1 / N) < 5 * s);
    assert_true(fabs(m2 / N - 1) < 5 * sqrt(2) * s);
    assert_true(fabs(m3 / N) < 5 * sqrt(15) * s);
    assert_true(fabs(m4 / N - 3) < 5 * sqrt(96) * s);
    assert_true(fabs(inside / (double)N - 0.6826894921370859) < 5 * sqrt(0.2166) * s);
}

static void test_below(void **state) {
    enum { N = 70000 };
    const uint64_t key = wfi_random_key(5, "below", 0, 0);
    int bins[7] = {0};
    for (uint64_t i = 0; i < N; i++) {
        assert_int_equal(0, wfi_random_below(key, i, 1));
        const uint32_t x = wfi_random_below(key, i, 7);
        assert_true(x < 7);
        bins[x]++;
        assert_true(wfi_random_below(key, i, UINT32_MAX) < UINT32_MAX);
    }
    for (int b = 0; b < 7; b++) assert_true(abs(bins[b] - N / 7) < 5 * sqrt(N / 7.0));
}

static void test_shuffle(void **state) {
    enum { N = 6, TIMES = 24000 };
    int place[N][N] = {{0}};
    int64_t again[N], items[N];
    for (uint64_t t = 0; t < TIMES; t++) {
        int seen = 0;
        for (int i = 0; i < N; i++) items[i] = again[i] = i;
        wfi_random_shuffle(wfi_random_key(t, "shuffle", 0, 0), items, N);
        wfi_random_shuffle(wfi_random_key(t, "shuffle", 0, 0), again, N);
        assert_memory_equal(items, again, sizeof items);
        for (int i = 0; i < N; i++) {
            seen |= 1 << items[i];
            place[i][items[i]]++;
        }
        assert_int_equal((1 << N) - 1, seen);
    }
    for (int i = 0; i < N; i++) /* each item is at each place equally often */
        for (int j = 0; j < N; j++) assert_true(abs(place[i][j] - TIMES / N) < 5 * sqrt(TIMES / (double)N));
    wfi_random_shuffle(1, NULL, 0);
    items[0] = 7;
    wfi_random_shuffle(1, items, 1);
    assert_int_equal(7, items[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_keys_differ), cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_normal),        cmocka_unit_test(test_below),       cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
