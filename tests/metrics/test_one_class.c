/* A model that tells nothing apart is recognised, and no other is. */
#include "check.h"
#include "metrics/one_class.h"

enum { ROWS = 400 };
static float scores[ROWS * 2];
static int32_t label[ROWS];

/* The first `others` rows are called 1, the rest 0; every `every`th row is of class 1 in truth. */
static wf_predictions said(int rows, int others, int every) {
    for (int i = 0; i < rows; i++) {
        scores[2 * i] = i < others ? 0.2f : 0.8f;
        scores[2 * i + 1] = 1 - scores[2 * i];
        label[i] = every && i % every == 0;
    }
    return (wf_predictions){
        .kind = WF_SCORE_CLASSES, .rows = (size_t)rows, .classes = 2, .scores = scores, .label = label};
}

static void test_classes(void **state) {
    (void)state;
    static const struct {
        int rows, others, every;
        bool is;
    } cases[] = {{400, 0, 4, true},    {400, 4, 4, true},  {400, 5, 4, false}, /* more than one in a hundred */
                 {400, 4, 100, false},                                         /* rare in truth as well */
                 {400, 0, 100, true},  {400, 0, 0, false},                     /* nothing to tell apart */
                 {10, 0, 2, true},     {10, 1, 2, false},  {1, 0, 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wf_one_class one = {0};
        const wf_predictions p = said(cases[i].rows, cases[i].others, cases[i].every);
        if (wfi_one_class(&p, &one) != cases[i].is) fail_msg("case %zu", i);
        if (!cases[i].is) continue;
        assert_int_equal(0, one.said);
        assert_int_equal(cases[i].others, one.others);
        assert_int_equal((cases[i].rows + cases[i].every - 1) / cases[i].every, one.elsewise);
        assert_true(one.commonest);
    }
    wf_one_class one;
    wf_predictions p = said(400, 0, 4);
    for (int i = 0; i < 400; i++) label[i] = !label[i]; /* the rarer one is said */
    assert_true(wfi_one_class(&p, &one));
    assert_false(one.commonest);
}

static void test_sets_and_numbers(void **state) {
    (void)state;
    static float logits[] = {1, -1, 1, -1, 1, -1};
    static const uint8_t labels[] = {1, 0, 1, 1, 1, 0}, alike[] = {1, 0, 1, 0, 1, 0};
    static const double target[] = {1, 2, 3};
    wf_predictions p = {.kind = WF_SCORE_MULTILABEL, .rows = 3, .classes = 2, .scores = logits, .labels = labels};
    wf_one_class one;
    assert_true(wfi_one_class(&p, &one));
    assert_int_equal(-1, one.said);
    assert_int_equal(1, one.elsewise);
    p.labels = alike;
    assert_false(wfi_one_class(&p, &one));
    p.labels = labels;
    logits[3] = 1;
    assert_false(wfi_one_class(&p, &one));
    p = (wf_predictions){.kind = WF_SCORE_NUMBERS, .rows = 3, .classes = 1, .scores = logits, .target = target};
    assert_false(wfi_one_class(&p, &one));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_classes), cmocka_unit_test(test_sets_and_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
