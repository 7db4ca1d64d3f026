/* Gates: a planted fall is found, an unchanged model holds with no tolerance at all, and the tolerance is where it was
 * set. */
#include "planted.h"
#include <math.h>

static wf_lab *lab;

static int setup(void **state) {
    lab = planted_lab();
    planted_task(lab, "first", 1, 160, 60, 2, 0);
    planted_task(lab, "second", 2, 160, 60, 2, 0);
    planted_train(lab, "first", "good", 10, 1);
    planted_train(lab, "first", "raw", 0.5, 1);
    planted_train(lab, "second", "other", 10, 1);
    return 0;
}

static int teardown(void **state) {
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static json_t *set(const wf_gate_spec *s) {
    char *text = NULL;
    check_ok(wf_gate_set(lab, s, &text, err));
    return planted_json(text);
}

/* The check's JSON, which is there whether it holds or not. */
static json_t *checked(wf_status want, const char *task, const char *model) {
    char *text = NULL;
    wf_err err = {0};
    assert_int_equal(want, wf_gate_check(lab, &task, &model, task ? 1 : 0, &text, &err));
    json_t *j = planted_json(text);
    assert_int_equal(want == WF_OK, json_is_true(json_object_get(j, "ok")));
    return j;
}

static const json_t *row(const json_t *j, const char *task) {
    return planted_find(json_object_get(j, "gates"), "task", task);
}

static void test_falls_are_found(void **state) {
    json_t *none = checked(WF_OK, NULL, NULL);
    assert_int_equal(0, planted_number(none, "checked"));
    json_decref(none);
    check_status(WF_E_NOTFOUND, wf_gate_check(lab, &(const char *){"first"}, NULL, 1, NULL, err));
    check_status(WF_E_ARG, wf_gate_set(lab, &(wf_gate_spec){.task = "first"}, NULL, err)); /* two models */
    json_t *j = set(&(wf_gate_spec){.task = "first", .model = "good", .tolerance = -1});
    const double recorded = planted_number(j, "recorded");
    assert_true(recorded > 0.9);
    json_decref(j);
    json_decref(set(&(wf_gate_spec){.task = "second"})); /* its only model */
    j = checked(WF_OK, NULL, NULL);                      /* nothing changed: no fall at all */
    assert_int_equal(2, planted_number(j, "checked"));
    assert_true(planted_number(row(j, "first"), "fall") == 0);
    assert_true(json_is_null(json_object_get(row(j, "first"), "why")));
    json_decref(j);
    /* The same two models as candidates. */
    json_decref(checked(WF_OK, "first", "good"));
    j = checked(WF_E_CHECK, "first", "raw");
    const double fall = planted_number(row(j, "first"), "fall"), now = planted_number(row(j, "first"), "score");
    assert_true(fabs(fall - 100 * (recorded - now)) < 1e-9 && fall > 5);
    json_decref(j);
    json_decref(set(&(wf_gate_spec){.task = "first", .tolerance = fall + 0.01}));
    json_decref(checked(WF_OK, "first", "raw"));
    json_decref(set(&(wf_gate_spec){.task = "first", .tolerance = fall - 0.01}));
    json_decref(checked(WF_E_CHECK, "first", "raw"));
    json_decref(set(&(wf_gate_spec){.task = "first", .tolerance = 1}));
    /* Another model takes the name: judged by what the old one reached. */
    check_ok(wf_remove(lab, "good", NULL, err));
    j = checked(WF_E_CHECK, NULL, NULL);
    assert_true(json_is_false(json_object_get(row(j, "first"), "holds")));
    assert_true(json_is_null(json_object_get(row(j, "first"), "score")));
    assert_true(json_is_true(json_object_get(row(j, "second"), "holds")));
    json_decref(j);
    planted_train(lab, "first", "good", 0.5, 1);
    j = checked(WF_E_CHECK, NULL, NULL);
    assert_true(planted_number(row(j, "first"), "recorded") == recorded);
    json_decref(j);
    j = set(&(wf_gate_spec){.task = "first", .record = 1}); /* so be it */
    assert_true(planted_number(j, "recorded") < recorded && planted_number(j, "was") == recorded);
    json_decref(j);
    json_decref(checked(WF_OK, NULL, NULL));
}

static void test_mistakes(void **state) {
    check_status(WF_E_NOTFOUND, wf_gate_set(lab, &(wf_gate_spec){.task = "nothing"}, NULL, err));
    check_status(WF_E_NOTFOUND, wf_gate_set(lab, &(wf_gate_spec){.task = "first", .model = "nobody"}, NULL, err));
    check_status(WF_E_ARG, wf_gate_set(lab, &(wf_gate_spec){.task = "first", .model = "other"}, NULL, err));
    check_status(WF_E_ARG, wf_gate_set(lab, &(wf_gate_spec){.task = "first"}, NULL, err)); /* nothing to set */
    check_status(WF_E_ARG, wf_gate_set(lab, &(wf_gate_spec){.task = "first", .tolerance = 101}, NULL, err));
    check_status(WF_E_ARG, wf_gate_set(lab, &(wf_gate_spec){.task = "first", .tolerance = NAN}, NULL, err));
    check_status(WF_E_ARG, wf_gate_set(lab, &(wf_gate_spec){.task = "first", .split = "train"}, NULL, err));
    check_ok(wf_verify(lab, NULL, err)); /* gates have no files */
    check_ok(wf_remove(lab, "other", NULL, err));
    check_status(WF_E_BUSY, wf_remove(lab, "second", NULL, err)); /* its gate stands on it */
    check_ok(wf_gate_remove(lab, "second", NULL, err));
    check_status(WF_E_NOTFOUND, wf_gate_remove(lab, "second", NULL, err));
    check_ok(wf_remove(lab, "second", NULL, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_falls_are_found), cmocka_unit_test(test_mistakes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
