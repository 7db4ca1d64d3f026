/* Scores against scikit-learn and scipy, the bootstrap against its definition, and every documented error. */
#include "../golden/metrics_sklearn.h"
#include "check.h"
#include "metrics/by_class.h"
#include <math.h>

static void expect(const wf_predictions *p, const char *const *names, const double *want, int count) {
    wf_scores s = {0};
    check_ok(wfi_metrics_compute(p, 0, 0, &s, err));
    assert_int_equal(count, s.count);
    for (int i = 0; i < count; i++) {
        const wf_metric_value *m = wfi_scores_find(&s, names[i]);
        assert_non_null(m);
        assert_true(wfi_metric_known(names[i]));
        if (fabs(m->value - want[i]) > 1e-6) fail_msg("%s is %.9g, not %.9g", names[i], m->value, want[i]);
        assert_true(m->low == m->value && m->high == m->value); /* no resamples: no interval */
    }
}

static const char *const class_names[] = {"accuracy", "macro_f1", "mcc", "ece", "brier"},
                         *const two_names[] = {"accuracy", "macro_f1", "f1", "mcc", "ece", "brier"},
                         *const number_names[] = {"pearson", "spearman", "mae", "mse"},
                         *const many_names[] = {"micro_f1", "macro_f1", "accuracy"};

static void test_classes(void **state) {
    const wf_predictions
        three = {.kind = WF_SCORE_CLASSES, .rows = 60, .classes = 3, .scores = three_scores, .label = three_label},
        two = {.kind = WF_SCORE_CLASSES, .rows = 50, .classes = 2, .scores = two_scores, .label = two_label},
        wide = {.kind = WF_SCORE_CLASSES, .rows = 40, .classes = 12, .scores = wide_scores, .label = wide_label};
    expect(&three, class_names, three_want, 5);
    expect(&two, two_names, two_want, 6);
    expect(&wide, class_names, wide_want, 5);
}

static void test_numbers_and_labels(void **state) {
    const wf_predictions
        numbers = {.kind = WF_SCORE_NUMBERS, .rows = 40, .scores = numbers_scores, .target = numbers_target},
        many = {.kind = WF_SCORE_MULTILABEL, .rows = 30, .classes = 5, .scores = many_scores, .labels = many_labels};
    expect(&numbers, number_names, numbers_want, 4);
    expect(&many, many_names, many_want, 3);
}

/* want: precision, recall, F1, support a class, -1 where not defined; confusion NULL: multi-label. */
static void by_class_check(const wf_predictions *p, const double *want, const int32_t *confusion) {
    wf_by_class b = {0};
    check_ok(wfi_by_class(p, &b, err));
    assert_int_equal(p->classes, b.classes);
    for (int32_t c = 0; c < b.classes; c++) {
        const double got[] = {wfi_precision(&b.of[c]), wfi_recall(&b.of[c]), wfi_f1(&b.of[c]), (double)b.of[c].support};
        for (int k = 0; k < 4; k++)
            if (want[4 * c + k] < 0 ? !isnan(got[k]) : !(fabs(got[k] - want[4 * c + k]) < 1e-12))
                fail_msg("class %d, value %d is %.9g, not %.9g", (int)c, k, got[k], want[4 * c + k]);
    }
    assert_true((b.cells != NULL) == (confusion != NULL));
    size_t at = 0;
    for (int32_t i = 0; confusion && i < b.classes * b.classes; i++) {
        if (!confusion[i]) continue;
        assert_true(at < b.cell_count);
        assert_int_equal(i, b.cells[at].is * b.classes + b.cells[at].said);
        assert_int_equal(confusion[i], b.cells[at++].rows);
    }
    assert_int_equal(at, b.cell_count);
    wfi_by_class_clear(&b);
}

static void test_by_class(void **state) {
    const wf_predictions
        three = {.kind = WF_SCORE_CLASSES, .rows = 60, .classes = 3, .scores = three_scores, .label = three_label},
        wide = {.kind = WF_SCORE_CLASSES, .rows = 40, .classes = 12, .scores = wide_scores, .label = wide_label},
        many = {.kind = WF_SCORE_MULTILABEL, .rows = 30, .classes = 5, .scores = many_scores, .labels = many_labels},
        numbers = {.kind = WF_SCORE_NUMBERS, .rows = 40, .scores = numbers_scores, .target = numbers_target};
    wf_by_class b = {0};
    by_class_check(&three, three_by_class, three_confusion);
    by_class_check(&wide, wide_by_class, wide_confusion);
    by_class_check(&many, many_by_class, NULL);
    check_status(WF_E_ARG, wfi_by_class(&numbers, &b, err));
}

/* Logits are no probabilities: calibration is not defined for them. Ragged rows end in -INFINITY. */
static void test_logits_and_ragged_rows(void **state) {
    const float logits[] = {2.0f, -1.0f, -3.0f, 4.0f}, ragged[] = {0.2f, 0.8f, -INFINITY, 0.1f, 0.2f, 0.7f};
    const int32_t label[] = {0, 1};
    wf_scores s = {0};
    const wf_predictions a = {.kind = WF_SCORE_CLASSES, .rows = 2, .classes = 2, .scores = logits, .label = label};
    check_ok(wfi_metrics_compute(&a, 0, 0, &s, err));
    assert_null(wfi_scores_find(&s, "ece"));
    assert_null(wfi_scores_find(&s, "brier"));
    const int32_t right[] = {1, 2};
    const wf_predictions b = {.kind = WF_SCORE_CLASSES, .rows = 2, .classes = 3, .scores = ragged, .label = right};
    check_ok(wfi_metrics_compute(&b, 0, 0, &s, err));
    assert_true(wfi_scores_find(&s, "accuracy")->value == 1.0);
    assert_true(fabs(wfi_scores_find(&s, "brier")->value - (0.08 + 0.14) / 2) < 1e-6);
}

/* The accuracy of k right of n: its interval must be near the binomial's, the same for the same seed, another for
 * another. */
static void test_bootstrap(void **state) {
    enum { N = 400 };
    float scores[2 * N];
    int32_t label[N];
    for (int i = 0; i < N; i++) {
        scores[2 * i] = 0.25f;
        scores[2 * i + 1] = 0.75f;
        label[i] = i % 5 != 0; /* 80 % right */
    }
    const wf_predictions p = {.kind = WF_SCORE_CLASSES, .rows = N, .classes = 2, .scores = scores, .label = label};
    wf_scores a, b;
    check_ok(wfi_metrics_compute(&p, 2000, 1, &a, err));
    check_ok(wfi_metrics_compute(&p, 2000, 1, &b, err));
    const wf_metric_value *m = wfi_scores_find(&a, "accuracy");
    assert_true(fabs(m->low - (0.8 - 1.96 * 0.02)) < 0.008 && fabs(m->high - (0.8 + 1.96 * 0.02)) < 0.008);
    assert_memory_equal(&a, &b, sizeof a);
    const wf_predictions numbers = {
        .kind = WF_SCORE_NUMBERS, .rows = 40, .scores = numbers_scores, .target = numbers_target};
    check_ok(wfi_metrics_compute(&numbers, 200, 1, &a, err));
    check_ok(wfi_metrics_compute(&numbers, 200, 2, &b, err));
    assert_memory_not_equal(&a, &b, sizeof a);
}

static void test_one_value_has_no_correlation(void **state) {
    const float same[] = {1, 1, 1};
    const double target[] = {1, 2, 3};
    const wf_predictions p = {.kind = WF_SCORE_NUMBERS, .rows = 3, .scores = same, .target = target};
    wf_scores s;
    check_ok(wfi_metrics_compute(&p, 50, 0, &s, err));
    assert_true(isnan(wfi_scores_find(&s, "pearson")->value) && isnan(wfi_scores_find(&s, "spearman")->value));
}

static void test_errors(void **state) {
    const float scores[] = {0.5f, 0.5f}, bad[] = {NAN, 0.5f};
    const int32_t label[] = {0}, outside[] = {2}, absent[] = {-1};
    wf_scores s;
    wf_predictions p = {.kind = WF_SCORE_CLASSES, .rows = 1, .classes = 2, .scores = scores, .label = label};
    check_ok(wfi_metrics_compute(&p, 0, 0, &s, err));
    check_status(WF_E_ARG, wfi_metrics_compute(&p, -1, 0, &s, err));
    p.label = outside;
    check_status(WF_E_DATA, wfi_metrics_compute(&p, 0, 0, &s, err));
    p.label = absent;
    check_status(WF_E_DATA, wfi_metrics_compute(&p, 0, 0, &s, err));
    p.label = NULL;
    check_status(WF_E_ARG, wfi_metrics_compute(&p, 0, 0, &s, err));
    p.label = label;
    p.scores = bad;
    check_status(WF_E_NONFINITE, wfi_metrics_compute(&p, 0, 0, &s, err));
    p.scores = NULL;
    check_status(WF_E_ARG, wfi_metrics_compute(&p, 0, 0, &s, err));
    p.rows = 0;
    check_status(WF_E_DATA, wfi_metrics_compute(&p, 0, 0, &s, err));
    const wf_predictions numbers = {.kind = WF_SCORE_NUMBERS, .rows = 1, .scores = scores},
                         many = {.kind = WF_SCORE_MULTILABEL, .rows = 1, .classes = 2, .scores = scores};
    check_status(WF_E_ARG, wfi_metrics_compute(&numbers, 0, 0, &s, err));
    check_status(WF_E_ARG, wfi_metrics_compute(&many, 0, 0, &s, err));
    assert_false(wfi_metric_known("no such metric"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),   cmocka_unit_test(test_numbers_and_labels),
        cmocka_unit_test(test_by_class),  cmocka_unit_test(test_logits_and_ragged_rows),
        cmocka_unit_test(test_bootstrap), cmocka_unit_test(test_one_value_has_no_correlation),
        cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
