/* An adapter that was trained jointly is a source like any other: ranked, fused, and looked at in every study, with
 * each of its tasks. */
#include "planted.h"
#include <math.h>

static wf_lab *lab;

static void join(const char *a, const char *b, const char *name, double epochs) {
    const char *tasks[] = {a, b};
    check_ok(wf_train_joint(
        lab,
        &(wf_joint_spec){
            .tasks = tasks,
            .task_count = b ? 2 : 1,
            .method = "seq_bn[reduction_factor=4]",
            .train = {.name = name, .epochs = epochs, .lr = 5e-3, .base_dtype = "f32", .base_dropout = -1}},
        NULL, err));
}

static void fuse(const char *name, int train_adapters) {
    static const char *const from[] = {"one", "shared"};
    check_ok(wf_train(lab,
                      &(wf_train_spec){.task = "target",
                                       .method = "fusion",
                                       .name = name,
                                       .from = from,
                                       .from_count = 2,
                                       .keep_fusion = 1,
                                       .train_adapters = train_adapters,
                                       .epochs = 1,
                                       .base_dtype = "f32"},
                      NULL, err));
}

static int setup(void **state) {
    (void)state;
    lab = planted_lab();
    wf_lab_threads(lab, 1);
    wf_lab_messages(lab, planted_hear, NULL);
    planted_task(lab, "first", 1, 80, 40, 2, 0);
    planted_task(lab, "second", 2, 80, 40, 2, 0);
    planted_task(lab, "target", 3, 80, 60, 2, 0);
    planted_train(lab, "first", "one", 4, 1);
    join("first", "second", "shared", 4);
    fuse("fused", 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static void test_every_task_has_gradients(void **state) {
    (void)state;
    static const char *const want[] = {"fused", "one", "shared:first", "shared:second"};
    char *text = NULL;
    check_ok(wf_study_interact(lab, &(wf_interact_spec){.model = "fused", .resamples = 300}, &text, err));
    json_t *j = planted_json(text);
    const json_t *g = json_object_get(j, "gradients"), *names = json_object_get(g, "tasks_of");
    assert_int_equal(4, json_array_size(names));
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(want[i], json_string_value(json_array_get(names, i)));
        assert_int_equal(4, json_array_size(json_array_get(json_object_get(g, "cosine"), i)));
    }
    assert_int_equal(6, json_array_size(json_object_get(g, "pairs")));
    /* two heads are two losses: their gradients are not one and the same */
    assert_true(fabs(json_number_value(json_array_get(json_array_get(json_object_get(g, "cosine"), 2), 3))) < 0.9999);
    assert_int_equal(2, json_array_size(json_object_get(j, "adapters")));
    json_decref(j);
}

/* What could not be asked in the end is refused in the beginning. */
static void test_refused_before(void **state) {
    (void)state;
    fuse("along", 1); /* has copies of its adapters, so that it opens */
    const size_t before = planted_runs(lab, "study interact");
    char *text = NULL, file[700], *bytes = NULL;
    size_t size = 0;
    check_ok(wf_inspect(lab, "shared", &text, err));
    json_t *info = planted_json(text);
    snprintf(file, sizeof file, "%s/models/shared-%.12s/heads/second/head_config.json", planted_at("lab"),
             json_string_value(json_object_get(info, "hash")));
    json_decref(info);
    check_ok(wfi_file_read(file, 1 << 20, &bytes, &size, err));
    check_ok(wfi_file_write(file, "{}", 2, err));
    wf_err e = {0};
    const wf_status st = wf_study_interact(lab, &(wf_interact_spec){.model = "along"}, NULL, &e);
    check_ok(wfi_file_write(file, bytes, size, err));
    wf_free(bytes);
    if (st == WF_OK || !strstr(e.text, "shared")) fail_msg("%d: %s", st, e.text);
    assert_int_equal(before, planted_runs(lab, "study interact"));
    check_ok(wf_remove(lab, "along", NULL, err));
}

static void test_other_studies(void **state) {
    (void)state;
    const char *models[] = {"fused", "shared:first"}, *heads[] = {"shared:first", "one"}, *kinds[] = {"typo"};
    check_ok(wf_study_failures(lab, &(wf_failures_spec){.models = models, .model_count = 1}, NULL, err));
    check_ok(wf_study_failures(lab, &(wf_failures_spec){.models = heads, .model_count = 2}, NULL, err));
    check_ok(wf_study_fair(lab, &(wf_fair_spec){.models = models + 1, .model_count = 1, .resamples = 100}, NULL, err));
    check_ok(wf_study_robust(
        lab, &(wf_robust_spec){.models = heads, .model_count = 2, .kinds = kinds, .kind_count = 1, .resamples = 100},
        NULL, err));
    check_ok(wf_explain_text(lab, &(wf_explain_spec){.model = "fused", .text = "a good film"}, NULL, err));
    check_ok(wf_explain_text(lab, &(wf_explain_spec){.model = "shared:second", .text = "a good film"}, NULL, err));
    check_ok(wf_prune(lab, &(wf_prune_spec){.name = "fused", .keep = 1, .new_name = "pruned"}, NULL, err));
    check_ok(wf_card_write(lab, "fused", planted_at("f.md"), NULL, err));
    check_ok(wf_card_write(lab, "shared:first", planted_at("s.md"), NULL, err));
    check_ok(wf_gate_set(lab, &(wf_gate_spec){.task = "first", .model = "shared:first"}, NULL, err));
    check_ok(wf_gate_check(lab, NULL, NULL, 0, NULL, err));
    check_ok(wf_verify(lab, NULL, err));
    check_ok(wf_report(lab, planted_at("r.html"), NULL, err));
}

static json_t *ranked(int64_t rows) {
    char *text = NULL;
    check_ok(wf_rank(lab, &(wf_rank_spec){.task = "target", .rows = rows}, &text, err));
    return planted_json(text);
}

static void test_ranked(void **state) {
    (void)state;
    join("target", "first", "partly", 1);
    json_t *j = ranked(0);
    const json_t *all = json_object_get(j, "sources"), *shared = planted_find(all, "name", "shared"),
                 *heads = json_object_get(shared, "heads"), *first = json_object_get(heads, "first"),
                 *second = json_object_get(heads, "second"), *one = planted_find(all, "name", "one");
    assert_int_equal(2, json_array_size(all));
    assert_true(planted_number(first, "fisher") == planted_number(one, "fisher")); /* of the same task */
    assert_true(planted_number(shared, "fisher") ==
                fmax(planted_number(first, "fisher"), planted_number(second, "fisher")));
    assert_true(planted_number(shared, "leep") == fmax(planted_number(first, "leep"), planted_number(second, "leep")));
    assert_true(planted_number(first, "leep") != planted_number(second, "leep"));
    assert_true(json_is_true(json_object_get(shared, "fusable")));
    assert_null(json_object_get(one, "heads"));
    assert_int_equal(1, json_array_size(json_object_get(j, "left_out")));
    assert_string_equal("partly", json_string_value(json_array_get(json_object_get(j, "left_out"), 0)));
    assert_true(json_is_null(json_object_get(j, "caution")));
    json_decref(j);
    j = ranked(8);
    assert_non_null(strstr(json_string_value(json_object_get(j, "caution")), "8 training rows"));
    json_decref(j);
    const char *from[] = {"auto:2"};
    char *text = NULL;
    check_ok(wf_train(lab,
                      &(wf_train_spec){.task = "target",
                                       .method = "fusion",
                                       .name = "chosen",
                                       .from = from,
                                       .from_count = 1,
                                       .keep_fusion = 1,
                                       .epochs = 1,
                                       .base_dtype = "f32"},
                      &text, err));
    j = planted_json(text);
    assert_int_equal(2, json_array_size(json_object_get(j, "from")));
    json_decref(j);
    check_ok(wf_remove(lab, "chosen", NULL, err));
    check_ok(wf_remove(lab, "partly", NULL, err));
}

static void test_notes(void **state) {
    (void)state;
    char *text = NULL;
    *planted_told = 0;
    join("first", NULL, "alone", 1);
    assert_non_null(strstr(planted_told, "note: one task alone: this is what weft train first does"));
    *planted_told = 0;
    join("first", "second", "again", 1);
    assert_null(strstr(planted_told, "one task alone"));
    static const char *const texts[] = {"", "  ", "good"};
    for (int i = 0; i < 3; i++) {
        *planted_told = 0;
        check_ok(wf_explain_text(lab, &(wf_explain_spec){.model = "one", .text = texts[i]}, &text, err));
        json_t *j = planted_json(text);
        assert_true(json_is_true(json_object_get(j, "empty")) == (i < 2));
        assert_true((strstr(planted_told, "note: the text is empty") != NULL) == (i < 2));
        json_decref(j);
    }
    check_ok(wf_remove(lab, "alone", NULL, err));
    check_ok(wf_remove(lab, "again", NULL, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_task_has_gradients),
                                       cmocka_unit_test(test_refused_before), cmocka_unit_test(test_ranked),
                                       cmocka_unit_test(test_notes), cmocka_unit_test(test_other_studies)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
