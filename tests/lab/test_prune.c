/* Pruning: planted adapters that learned nothing go first and are not missed; the ones that matter stay; the new model
 * is what was measured. */
#include "planted.h"
#include <math.h>

static wf_lab *lab;

static int setup(void **state) {
    lab = planted_lab();
    planted_task(lab, "target", 3, 160, 80, 2, 0);
    planted_train(lab, "target", "good", 10, 1);
    planted_train(lab, "target", "idle", 0.5, 2);
    planted_train(lab, "target", "lazy", 0.5, 3);
    const char *from[] = {"idle", "good", "lazy"};
    check_ok(wf_train(lab,
                      &(wf_train_spec){.task = "target",
                                       .method = "fusion",
                                       .name = "whole",
                                       .from = from,
                                       .from_count = 3,
                                       .epochs = 6,
                                       .lr = 5e-3,
                                       .keep_fusion = 1,
                                       .base_dtype = "f32"},
                      NULL, err));
    return 0;
}

static int teardown(void **state) {
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static json_t *pruned(const wf_prune_spec *s) {
    char *text = NULL;
    check_ok(wf_prune(lab, s, &text, err));
    return planted_json(text);
}

static double accuracy(const char *name, const char *split) {
    char *text = NULL;
    check_ok(wf_eval(lab, &(wf_eval_spec){.name = name, .split = split, .resamples = 100}, &text, err));
    json_t *j = planted_json(text);
    const double v = planted_number(json_object_get(json_object_get(j, "metrics"), "accuracy"), "value");
    json_decref(j);
    return v;
}

static void test_idle_ones_go(void **state) {
    static const char *const by[] = {"leave-one-out", "attention"};
    json_t *j = pruned(&(wf_prune_spec){.name = "whole", .keep = 1, .by = by[0]});
    const json_t *p = json_object_get(j, "pruned"), *test = json_object_get(json_object_get(p, "change"), "test");
    assert_string_equal("whole-pruned", json_string_value(json_object_get(j, "name")));
    assert_int_equal(1, json_array_size(json_object_get(j, "from")));
    assert_string_equal("good", json_string_value(json_array_get(json_object_get(j, "from"), 0)));
    assert_int_equal(2, json_array_size(json_object_get(p, "removed")));
    /* What is stored is what was measured. */
    assert_true(fabs(planted_number(test, "after") - accuracy("whole-pruned", "test")) < 1e-12);
    assert_true(fabs(planted_number(test, "before") - accuracy("whole", "test")) < 1e-12);
    assert_true(fabs(planted_number(test, "value") - (planted_number(test, "after") - planted_number(test, "before"))) <
                1e-12);
    assert_true(planted_number(test, "low") <= planted_number(test, "value") &&
                planted_number(test, "high") >= planted_number(test, "value"));
    assert_true(planted_number(test, "p") > 0.05); /* nothing is missed */
    json_decref(j);
    char *text = NULL;
    check_ok(wf_inspect(lab, "whole-pruned", &text, err));
    j = planted_json(text);
    planted_find(json_object_get(j, "parents"), "name", "whole");
    planted_find(json_object_get(j, "parents"), "name", "good");
    json_decref(j);
    check_ok(wf_verify(lab, NULL, err));
    j = pruned(&(wf_prune_spec){.name = "whole", .new_name = "looked", .keep = 2, .by = by[1]});
    const json_t *gone = json_array_get(json_object_get(json_object_get(j, "pruned"), "removed"), 0);
    assert_true(planted_number(gone, "attention") > 0 && planted_number(gone, "attention") <= 1.0 / 3);
    assert_int_equal(2, json_array_size(json_object_get(j, "from")));
    json_decref(j);
}

static void test_loss_is_kept_to(void **state) {
    json_t *j = pruned(&(wf_prune_spec){.name = "whole", .new_name = "cheap", .loss = -1});
    const json_t *p = json_object_get(j, "pruned"), *one;
    size_t i;
    json_array_foreach(json_object_get(p, "removed"), i, one) assert_true(planted_number(one, "fall") <= 1e-9);
    assert_true(i >= 1);
    size_t k;
    bool good = false;
    json_array_foreach(json_object_get(j, "from"), k, one) good |= strcmp(json_string_value(one), "good") == 0;
    assert_true(good);
    assert_int_equal(3, i + k);
    json_decref(j);
    /* A fusion of two that are both the same good adapter would lose nothing; of one that matters nothing may go. */
    j = pruned(&(wf_prune_spec){.name = "looked", .new_name = "less", .loss = 100});
    assert_int_equal(1, json_array_size(json_object_get(j, "from")));
    json_decref(j);
}

static void test_mistakes(void **state) {
    const struct {
        wf_status want;
        wf_prune_spec spec;
    } cases[] = {{WF_E_ARG, {.name = "whole"}},
                 {WF_E_ARG, {.name = "whole", .keep = 1, .loss = 1}},
                 {WF_E_ARG, {.name = "whole", .keep = 3}},
                 {WF_E_ARG, {.name = "whole", .keep = -1}},
                 {WF_E_ARG, {.name = "whole", .loss = 101}},
                 {WF_E_ARG, {.name = "whole", .loss = NAN}},
                 {WF_E_ARG, {.name = "whole", .keep = 1, .by = "luck"}},
                 {WF_E_ARG, {.name = "whole", .keep = 1, .new_name = "a b"}},
                 {WF_E_EXISTS, {.name = "whole", .keep = 1, .new_name = "good"}},
                 {WF_E_ARG, {.name = "good", .keep = 1}},
                 {WF_E_NOTFOUND, {.name = "nobody", .keep = 1}},
                 {WF_E_ARG, {.keep = 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_status(cases[i].want, wf_prune(lab, &cases[i].spec, NULL, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_idle_ones_go), cmocka_unit_test(test_loss_is_kept_to),
                                       cmocka_unit_test(test_mistakes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
