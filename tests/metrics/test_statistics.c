/* Bootstrap, Fisher, Holm, reliability, selective answers and alignment against scipy, scikit-learn and statsmodels;
 * how often something is claimed where there is nothing. */
#include "../golden/statistics_scipy.h"
#include "base/random.h"
#include "check.h"
#include "metrics/agreement.h"
#include "metrics/cluster.h"
#include "metrics/probe.h"
#include "metrics/reliability.h"
#include "metrics/significance.h"
#include "metrics/similarity.h"
#include <math.h>

static void near(double got, double want, double tolerance, const char *what) {
    if (!(fabs(got - want) <= tolerance)) fail_msg("%s is %.9g, not %.9g", what, got, want);
}

static wf_predictions classes(const float *scores, const int32_t *label, size_t rows, int32_t n) {
    return (wf_predictions){.kind = WF_SCORE_CLASSES, .rows = rows, .classes = n, .scores = scores, .label = label};
}

static void pair_check(const float *a, const float *b, const int32_t *label, const double *want, bool differ) {
    const wf_predictions x = classes(a, label, 300, 3), y = classes(b, label, 300, 3);
    const double one = 1;
    const wf_paired_sets s = {.a = &x, .b = &y, .weight = &one, .count = 1, .seeds = 1};
    wf_paired_test t;
    check_ok(wfi_paired_bootstrap(&s, "accuracy", 20000, 3, &t, err));
    near(t.a, want[0], 1e-12, "a");
    near(t.b, want[1], 1e-12, "b");
    near(t.difference, want[2], 1e-12, "difference");
    near(t.low, want[3], 0.004, "low"); /* one row is 0.0033; both are drawn 20,000 times */
    near(t.high, want[4], 0.004, "high");
    near(t.p, want[5], 0.015, "p against scipy's distribution");
    near(t.p, want[6], 0.05, "p against a permutation test");
    assert_true((t.p < 0.05) == differ && (t.low > 0 || t.high < 0) == differ);
}

/* Shares of cases: the width that the binomial and the number of cases say, not the number of rows. */
static void test_shares(void **state) {
    enum { N = 400 };
    double hit[N], of[N], other[N];
    wf_share s;
    for (int i = 0; i < N; i++) {
        of[i] = 1;
        hit[i] = i % 10 < 3;
        other[i] = i % 10 < 3;
    }
    check_ok(wfi_share(hit, of, N, 20000, 1, &s, err));
    near(s.value, 0.3, 1e-12, "share");
    near(s.low, 0.3 - 1.96 * sqrt(0.3 * 0.7 / N), 0.004, "low");
    near(s.high, 0.3 + 1.96 * sqrt(0.3 * 0.7 / N), 0.004, "high");
    for (int i = 0; i < 40; i++) { /* as many rows, ten to a case, all alike in it */
        of[i] = 10;
        hit[i] = i % 10 < 3 ? 10 : 0;
    }
    check_ok(wfi_share(hit, of, 40, 20000, 1, &s, err));
    near(s.value, 0.3, 1e-12, "share by case");
    near(s.low, 0.3 - 1.96 * sqrt(0.3 * 0.7 / 40), 0.03, "low by case");
    near(s.high, 0.3 + 1.96 * sqrt(0.3 * 0.7 / 40), 0.03, "high by case");
    for (int i = 0; i < 60; i++) {
        of[i] = 1;
        hit[i] = 0;
    }
    check_ok(wfi_share(hit, of, 60, 100, 1, &s, err)); /* scipy: binomtest(0, 60).proportion_ci() = [0, 0.0596] */
    assert_true(s.value == 0 && s.low == 0);
    near(s.high, 0.0596, 1e-4, "high of none");
    for (int i = 0; i < 60; i++) hit[i] = 1;
    check_ok(wfi_share(hit, of, 60, 100, 1, &s, err));
    assert_true(s.value == 1 && s.high == 1);
    near(s.low, 1 - 0.0596, 1e-4, "low of all");
    check_ok(wfi_share(hit, of, 0, 100, 1, &s, err));
    assert_true(isnan(s.value) && isnan(s.low) && isnan(s.high));
    wf_paired_test t;
    for (int i = 0; i < N; i++) {
        of[i] = 1;
        hit[i] = i % 10 < 3 || i % 20 == 19; /* 5 points more, on the same rows */
    }
    check_ok(wfi_share_paired((wf_shares){hit, of}, (wf_shares){other, of}, N, 20000, 1, &t, err));
    near(t.difference, 0.05, 1e-12, "difference");
    near(t.low, 0.05 - 1.96 * sqrt(0.05 * 0.95 / N), 0.004,
         "low of the difference"); /* what is hard for both cancels */
    near(t.high, 0.05 + 1.96 * sqrt(0.05 * 0.95 / N), 0.004, "high of the difference");
    assert_true(t.p < 0.001);
    check_ok(wfi_share_paired((wf_shares){hit, of}, (wf_shares){hit, of}, N, 200, 1, &t, err));
    assert_true(t.p == 1 && t.difference == 0);
}

static void test_paired(void **state) {
    pair_check(near_a, near_b, near_label, near_want, false);
    pair_check(far_a, far_b, far_label, far_want, true);
}

/* Weights: a drop is the clean score less the disturbed one. Two seeds: their mean. Both are sums of known figures. */
static void test_sets_and_seeds(void **state) {
    const wf_predictions a = classes(far_a, far_label, 300, 3), b = classes(far_b, far_label, 300, 3);
    const wf_predictions first[] = {a, b}, second[] = {b, b}, seeds_a[] = {a, b}, seeds_b[] = {b, b};
    const double drop[] = {1, -1}, one[] = {1};
    wf_paired_test t, again;
    check_ok(wfi_paired_bootstrap(&(wf_paired_sets){first, second, drop, 2, 1}, "accuracy", 500, 0, &t, err));
    near(t.a, far_want[0] - far_want[1], 1e-12, "drop of the first");
    near(t.b, 0, 1e-12, "drop of the second");
    check_ok(wfi_paired_bootstrap(&(wf_paired_sets){seeds_a, seeds_b, one, 1, 2}, "accuracy", 500, 0, &t, err));
    near(t.difference, (far_want[0] - far_want[1]) / 2, 1e-12, "mean over seeds");
    assert_true(t.low <= 0); /* a resample of the second seed alone has no difference */
    check_ok(wfi_paired_bootstrap(&(wf_paired_sets){seeds_a, seeds_b, one, 1, 2}, "accuracy", 500, 0, &again, err));
    assert_memory_equal(&t, &again, sizeof t);
    check_ok(wfi_paired_bootstrap(&(wf_paired_sets){&a, &a, one, 1, 1}, "macro_f1", 200, 0, &t, err));
    assert_true(t.p == 1 && t.difference == 0 && t.low == 0 && t.high == 0);
}

static void test_paired_errors(void **state) {
    const wf_predictions a = classes(far_a, far_label, 300, 3), fewer = classes(far_b, far_label, 299, 3),
                         other = classes(far_b, near_label, 300, 3);
    const double one = 1;
    wf_paired_test t;
    check_status(WF_E_ARG, wfi_paired_bootstrap(&(wf_paired_sets){&a, &fewer, &one, 1, 1}, "accuracy", 10, 0, &t, err));
    check_status(WF_E_ARG, wfi_paired_bootstrap(&(wf_paired_sets){&a, &other, &one, 1, 1}, "accuracy", 10, 0, &t, err));
    check_status(WF_E_ARG, wfi_paired_bootstrap(&(wf_paired_sets){&a, &a, &one, 1, 1}, "pearson", 10, 0, &t, err));
    check_status(WF_E_ARG, wfi_paired_bootstrap(&(wf_paired_sets){&a, &a, &one, 1, 1}, "f1", 10, 0, &t, err));
    check_status(WF_E_ARG, wfi_paired_bootstrap(&(wf_paired_sets){&a, &a, &one, 1, 1}, "accuracy", 0, 0, &t, err));
    check_status(WF_E_ARG, wfi_paired_bootstrap(&(wf_paired_sets){&a, &a, &one, 0, 1}, "accuracy", 10, 0, &t, err));
}

/* Two models that are right on 4 of 5 rows each, by chance: whoever claims a difference is wrong. Alone about 1 run in
 * 20; ten questions at once with Holm together no more. */
static void test_nothing_is_claimed_of_equal_models(void **state) {
    enum { N = 200, RUNS = 60, FAMILIES = 50, QUESTIONS = 10 };
    static float scores[2][2 * N];
    static int32_t label[N];
    int claimed = 0, families = 0, with_holm = 0, without = 0;
    for (int run = 0; run < RUNS + FAMILIES * QUESTIONS; run++) {
        static double p[QUESTIONS], adjusted[QUESTIONS];
        for (int m = 0; m < 2; m++)
            for (int i = 0; i < N; i++) {
                const float x = wfi_random_uniform(wfi_random_key(5, "null", (uint64_t)run, (uint64_t)m), (uint64_t)i);
                scores[m][2 * i] = x < 0.8f ? 0.9f : 0.1f;
                scores[m][2 * i + 1] = 1 - scores[m][2 * i];
            }
        const wf_predictions a = classes(scores[0], label, N, 2), b = classes(scores[1], label, N, 2);
        const double one = 1;
        wf_paired_test t;
        check_ok(wfi_paired_bootstrap(&(wf_paired_sets){&a, &b, &one, 1, 1}, "accuracy", 400, (uint64_t)run, &t, err));
        if (run < RUNS) {
            claimed += t.p < 0.05;
            continue;
        }
        p[(run - RUNS) % QUESTIONS] = t.p;
        if ((run - RUNS) % QUESTIONS != QUESTIONS - 1) continue;
        bool any = false, raw = false;
        check_ok(wfi_holm(p, QUESTIONS, adjusted, err));
        for (int k = 0; k < QUESTIONS; k++) any |= adjusted[k] < 0.05, raw |= p[k] < 0.05;
        families++;
        with_holm += any;
        without += raw;
    }
    if (claimed > 8) fail_msg("%d of %d equal pairs told apart", claimed, RUNS); /* more than 8: 1 chance in 250 */
    if (with_holm > 7) fail_msg("%d of %d families with a false claim", with_holm, families); /* 1 in 120 */
    assert_true(without > 10); /* the correction is needed: 1 - 0.95^10 = 40 % of 50 */
}

static void test_holm(void **state) {
    enum { N = sizeof holm_p / sizeof *holm_p };
    double got[N], with_nan[] = {0.01, NAN, 0.04};
    check_ok(wfi_holm(holm_p, N, got, err));
    for (int i = 0; i < N; i++) near(got[i], holm_want[i], 1e-12, "Holm");
    check_ok(wfi_holm(with_nan, 3, with_nan, err));
    assert_true(with_nan[0] == 0.02 && isnan(with_nan[1]) && with_nan[2] == 0.04);
    check_ok(wfi_holm(NULL, 0, NULL, err));
}

static void test_fisher(void **state) {
    for (size_t i = 0; i < sizeof fisher_tables / sizeof *fisher_tables / 4; i++) {
        const int64_t *t = fisher_tables + 4 * i;
        near(wfi_fisher_greater(t[0], t[1], t[2], t[3]), fisher_want[2 * i], 1e-9, "Fisher, greater");
        near(wfi_fisher_two_sided(t[0], t[1], t[2], t[3]), fisher_want[2 * i + 1], 1e-9, "Fisher, two-sided");
    }
}

static void reliable_check(bool adaptive, int bins, const double *confidence, const double *accuracy,
                           const double *rows, size_t count, const double *ece) {
    const wf_predictions p = classes(reliable_scores, reliable_label, 400, 4);
    wf_reliability r;
    check_ok(wfi_reliability(&p, bins, adaptive, &r, err));
    assert_int_equal(count, r.count);
    for (int b = 0; b < r.count; b++) {
        near(r.bin[b].confidence, confidence[b], 1e-9, "confidence");
        near(r.bin[b].accuracy, accuracy[b], 1e-9, "accuracy");
        assert_int_equal(rows[b], r.bin[b].rows);
        assert_true(r.bin[b].low <= r.bin[b].confidence + 1e-12 && r.bin[b].confidence <= r.bin[b].high + 1e-12);
    }
    near(r.ece, ece[0], 1e-9, "ece");
    near(r.worst, ece[1], 1e-9, "worst bin");
    if (adaptive) return;
    wf_scores s;
    check_ok(wfi_metrics_compute(&p, 0, 0, &s, err));
    near(wfi_scores_find(&s, "ece")->value, r.ece, 1e-9, "the metric of that name");
}

static void test_reliability(void **state) {
    reliable_check(false, 15, uniform_confidence, uniform_accuracy, uniform_rows,
                   sizeof uniform_rows / sizeof *uniform_rows, uniform_ece);
    reliable_check(true, 10, quantile_confidence, quantile_accuracy, quantile_rows,
                   sizeof quantile_rows / sizeof *quantile_rows, quantile_ece);
    const float logits[] = {3, -1};
    const int32_t label[] = {0};
    const wf_predictions p = classes(reliable_scores, reliable_label, 400, 4), bad = classes(logits, label, 1, 2);
    wf_reliability r;
    wf_selective s;
    check_status(WF_E_ARG, wfi_reliability(&p, 0, false, &r, err));
    check_status(WF_E_ARG, wfi_reliability(&p, WF_RELIABILITY_MAX + 1, false, &r, err));
    check_status(WF_E_ARG, wfi_reliability(&bad, 10, false, &r, err));
    check_status(WF_E_ARG, wfi_selective(&bad, &s, err));
}

static void test_selective(void **state) {
    const wf_predictions p = classes(selective_scores, selective_label, 250, 3);
    wf_selective s;
    check_ok(wfi_selective(&p, &s, err));
    for (int k = 0; k < WF_COVERAGES; k++) near(s.risk[k], selective_want[k], 1e-9, "risk");
    near(s.area, selective_want[10], 1e-9, "area");
    near(s.best_area, selective_want[11], 1e-9, "best area");
    near(s.auroc, selective_want[12], 1e-9, "auroc");
    /* All equally sure: every coverage has the risk of the whole, and sureness tells nothing. */
    const float flat[] = {0.6f, 0.4f, 0.6f, 0.4f, 0.6f, 0.4f, 0.6f, 0.4f};
    const int32_t label[] = {0, 1, 0, 0}, right[] = {0, 0, 0, 0};
    const wf_predictions even = classes(flat, label, 4, 2), all = classes(flat, right, 4, 2);
    check_ok(wfi_selective(&even, &s, err));
    for (int k = 0; k < WF_COVERAGES; k++) near(s.risk[k], 0.25, 1e-12, "risk of equals");
    near(s.auroc, 0.5, 1e-12, "auroc of equals");
    check_ok(wfi_selective(&all, &s, err));
    assert_true(s.area == 0 && s.best_area == 0 && isnan(s.auroc));
}

static void test_alignment(void **state) {
    double got, back;
    float turned[40 * 7], flat[40] = {0};
    check_ok(wfi_cka(cka_x, 7, cka_z, 9, 40, &got, err));
    near(got, cka_want[0], 1e-9, "alignment");
    check_ok(wfi_cka(cka_z, 9, cka_x, 7, 40, &back, err));
    near(back, got, 1e-12, "the other way round");
    for (int i = 0; i < 40; i++) /* a rotation of two columns, scaled, shifted */
        for (int k = 0; k < 7; k++) {
            const float *r = cka_x + 7 * i;
            turned[7 * i + k] = 3 * (k == 0   ? 0.6f * r[0] + 0.8f * r[1]
                                     : k == 1 ? -0.8f * r[0] + 0.6f * r[1]
                                              : r[k]) +
                                5;
        }
    check_ok(wfi_cka(cka_x, 7, turned, 7, 40, &got, err));
    near(got, 1, 1e-5, "a rotated copy");
    check_ok(wfi_cka(cka_x, 7, flat, 1, 40, &got, err));
    assert_true(isnan(got));
    check_status(WF_E_ARG, wfi_cka(cka_x, 7, flat, 1, 0, &got, err));
}

/* Errors that fall on every kind of row alike: twelve kinds are asked about at once, in 50 sets of rows. */
static void test_nothing_is_claimed_of_even_slices(void **state) {
    enum { N = 300, RUNS = 50, SLICES = 12 };
    int families = 0;
    for (uint64_t run = 0; run < RUNS; run++) {
        double p[SLICES];
        bool any = false;
        for (uint64_t k = 0; k < SLICES; k++) {
            int64_t table[2][2] = {{0}};
            for (uint64_t i = 0; i < N; i++) {
                const bool wrong = wfi_random_uniform(wfi_random_key(1, "wrong", run, 0), i) < 0.2f,
                           in = wfi_random_uniform(wfi_random_key(1, "slice", run, k), i) < 0.05f + 0.05f * (float)k;
                table[!in][!wrong]++;
            }
            p[k] = wfi_fisher_greater(table[0][0], table[0][1], table[1][0], table[1][1]);
        }
        check_ok(wfi_holm(p, SLICES, p, err));
        for (int k = 0; k < SLICES; k++) any |= p[k] < 0.05;
        families += any;
    }
    if (families > 7) fail_msg("%d of %d sets with a false claim", families, RUNS); /* 1 in 120 */
}

static void test_kmeans(void **state) {
    double centres[9], spread, again;
    int32_t member[60], other[60];
    for (int i = 0; i < 9; i++) centres[i] = (double)kmeans_x[i]; /* starts from the first three rows */
    check_ok(wfi_kmeans(kmeans_x, 60, 3, 3, true, 0, centres, member, &spread, err));
    assert_memory_equal(kmeans_member, member, sizeof member);
    near(spread, kmeans_spread[0], 1e-4, "spread");
    check_ok(wfi_kmeans(kmeans_x, 60, 3, 3, false, 5, centres, member, &spread, err));
    check_ok(wfi_kmeans(kmeans_x, 60, 3, 3, false, 5, centres, other, &again, err));
    assert_memory_equal(member, other, sizeof member);
    assert_true(spread == again && spread < 1.3 * kmeans_spread[0]);
    float same[10] = {0};
    check_ok(wfi_kmeans(same, 5, 2, 4, false, 0, centres, member, &spread, err)); /* equal rows: fewer groups */
    assert_true(spread == 0);
    check_status(WF_E_ARG, wfi_kmeans(same, 5, 2, 6, false, 0, centres, member, &spread, err));
    check_status(WF_E_ARG, wfi_kmeans(same, 5, 2, 0, false, 0, centres, member, &spread, err));
}

static void test_probe(void **state) {
    double w[3 * 5];
    float probs[90 * 3];
    check_ok(wfi_probe_fit(probe_x, 90, 4, probe_label, 3, 0.5, w, err));
    wfi_probe_predict(w, probe_x, 90, 4, 3, probs);
    for (int i = 0; i < 270; i++) near((double)probs[i], probe_want[i], 2e-4, "probability");
    const int32_t outside[] = {0, 3};
    check_status(WF_E_DATA, wfi_probe_fit(probe_x, 2, 4, outside, 3, 0.5, w, err));
    check_status(WF_E_ARG, wfi_probe_fit(probe_x, 0, 4, outside, 3, 0.5, w, err));
    check_status(WF_E_ARG, wfi_probe_fit(probe_x, 2, 4, outside, 1, 0.5, w, err));
}

/* By hand: class 0 is believed 0.6 on average, class 1 0.7. */
static void test_suspects(void **state) {
    const float probs[] = {0.9f, 0.1f, 0.8f, 0.2f, 0.1f, 0.9f, 0.2f, 0.8f, 0.1f, 0.9f, 0.6f, 0.4f};
    const int32_t label[] = {0, 0, 0, 1, 1, 1}, right[] = {0, 0, 1, 1, 1, 0};
    size_t out[6], n = 9;
    check_ok(wfi_suspects(probs, label, 6, 2, out, &n, err));
    assert_int_equal(2, n);
    assert_int_equal(2, out[0]); /* its label is the least believed: 0.1 */
    assert_int_equal(5, out[1]); /* 0.6 is the mean of class 0, just enough */
    check_ok(wfi_suspects(probs, right, 6, 2, out, &n, err));
    assert_int_equal(0, n);
    check_ok(wfi_suspects(NULL, NULL, 0, 2, out, &n, err));
    assert_int_equal(0, n);
}

/* Groups of 12 vectors around means with known directions; claims where the means have none in common are rare. */
static void test_agreement(void **state) {
    enum { GROUPS = 3, EACH = 12, WIDTH = 40, TRIALS = 60 };
    static const size_t rows[GROUPS] = {EACH, EACH, EACH};
    float x[GROUPS * EACH * WIDTH];
    wf_agreement a[GROUPS * GROUPS];
    int conflicts = 0, agreements = 0, null = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        for (uint64_t v = 0; v < GROUPS * EACH; v++)
            for (uint64_t k = 0; k < WIDTH; k++) { /* 0 and 1 against each other, 2 with nobody */
                const float noise = wfi_random_normal(500 + trial, v * WIDTH + k),
                            mean = v / EACH == 2 ? 0 : (v / EACH ? -0.4f : 0.4f) * wfi_random_normal(900 + trial, k);
                x[v * WIDTH + k] = mean + noise;
            }
        check_ok(wfi_mean_agreement(x, rows, GROUPS, WIDTH, 400, trial, a, err));
        double mean[GROUPS][WIDTH] = {0}, dot = 0, aa = 0, bb = 0;
        for (int v = 0; v < GROUPS * EACH; v++)
            for (int k = 0; k < WIDTH; k++) mean[v / EACH][k] += (double)x[v * WIDTH + k] / EACH;
        for (int k = 0; k < WIDTH; k++)
            dot += mean[0][k] * mean[1][k], aa += mean[0][k] * mean[0][k], bb += mean[1][k] * mean[1][k];
        near(a[1].cosine, dot / sqrt(aa * bb), 1e-9, "cosine of means");
        assert_true(a[1].cosine == a[GROUPS].cosine && a[0].cosine == 1 && a[1].low <= a[1].cosine &&
                    a[1].cosine <= a[1].high);
        conflicts += a[1].p < 0.05 && a[1].cosine < 0;
        agreements += a[1].p < 0.05 && a[1].cosine > 0;
        null += a[2].p < 0.05;
    }
    if (conflicts < 58 || agreements > 0 || null > 9) /* of 60, at 5 % about 3 */
        fail_msg("%d conflicts, %d agreements, %d false claims", conflicts, agreements, null);
    memset(x, 0, sizeof x);
    check_ok(wfi_mean_agreement(x, rows, 2, WIDTH, 100, 0, a, err));
    assert_true(isnan(a[1].cosine) && isnan(a[1].p));
    check_status(WF_E_ARG, wfi_mean_agreement(x, (size_t[]){3, 0}, 2, WIDTH, 100, 0, a, err));
}

/* Inner products survive; a short vector is kept as it is. */
static void test_sketch(void **state) {
    enum { N = 20000, WIDTH = 1 << 13 };
    float *x = calloc(N, sizeof *x), *y = calloc(N, sizeof *y), *a = calloc(WIDTH, sizeof *a),
          *b = calloc(WIDTH, sizeof *b);
    double xy = 0, xx = 0, yy = 0, ab = 0, aa = 0, bb = 0;
    for (uint64_t i = 0; i < N; i++) {
        x[i] = wfi_random_normal(1, i);
        y[i] = 0.5f * x[i] + wfi_random_normal(2, i);
        xy += (double)x[i] * (double)y[i], xx += (double)x[i] * (double)x[i], yy += (double)y[i] * (double)y[i];
    }
    wfi_sketch_add(x, N, a, WIDTH);
    wfi_sketch_add(y, N, b, WIDTH);
    for (int k = 0; k < WIDTH; k++)
        ab += (double)a[k] * (double)b[k], aa += (double)a[k] * (double)a[k], bb += (double)b[k] * (double)b[k];
    near(ab / sqrt(aa * bb), xy / sqrt(xx * yy), 3.0 / sqrt(WIDTH), "cosine of sketches");
    near(aa / xx, 1, 6.0 / sqrt(WIDTH), "length of a sketch");
    memset(a, 0, WIDTH * sizeof *a);
    wfi_sketch_add(x, WIDTH, a, WIDTH);
    assert_memory_equal(a, x, WIDTH * sizeof *a);
    free(x), free(y), free(a), free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares),
                                       cmocka_unit_test(test_paired),
                                       cmocka_unit_test(test_agreement),
                                       cmocka_unit_test(test_sketch),
                                       cmocka_unit_test(test_sets_and_seeds),
                                       cmocka_unit_test(test_paired_errors),
                                       cmocka_unit_test(test_nothing_is_claimed_of_equal_models),
                                       cmocka_unit_test(test_holm),
                                       cmocka_unit_test(test_fisher),
                                       cmocka_unit_test(test_reliability),
                                       cmocka_unit_test(test_selective),
                                       cmocka_unit_test(test_alignment),
                                       cmocka_unit_test(test_nothing_is_claimed_of_even_slices),
                                       cmocka_unit_test(test_kmeans),
                                       cmocka_unit_test(test_probe),
                                       cmocka_unit_test(test_suspects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
