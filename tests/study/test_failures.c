/* Planted effects are found: a group with wrong labels among the kinds of rows, turned labels among the suspects.
 * Without them nothing is claimed. Clusters and confusions account for every error. */
#include "planted.h"
#include <math.h>

static wf_lab *lab;

static json_t *failures(const char *model, const char *task) {
    char *text = NULL;
    check_ok(wf_study_failures(lab, &(wf_failures_spec){.models = &model, .model_count = 1, .task = task}, &text, err));
    return planted_json(text);
}

/* Test rows of the last group are wrong in "biased"; training rows, whichever, in "shuffled". */
static int setup(void **state) {
    char path[600];
    lab = planted_lab();
    planted_task(lab, "biased", 1, 160, 160, 4, 60);
    planted_task(lab, "fair", 2, 160, 160, 4, 0);
    planted_task(lab, "even", 3, 60, 20, 1, 0);
    snprintf(path, sizeof path, "%s/train.jsonl", planted_at("even"));
    planted_rows(path, 77, 160, 1, 8);
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "shuffled", .path = planted_at("even")}, NULL, err));
    planted_train(lab, "biased", "model", 12, 0);
    planted_train(lab, "biased", "raw", 0.2, 2);
    return 0;
}

static int teardown(void **state) {
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static const json_t *model_of(const json_t *j) {
    return json_array_get(json_object_get(j, "models"), 0);
}

static size_t high_count(const json_t *model) {
    size_t i, n = 0;
    const json_t *s;
    json_array_foreach(json_object_get(model, "slices"), i, s) n += json_is_true(json_object_get(s, "high"));
    return n;
}

static void test_biased_group(void **state) {
    json_t *j = failures("model", NULL);
    const json_t *first = json_array_get(json_object_get(model_of(j), "slices"), 0), *one;
    assert_string_equal("group: g3", json_string_value(json_object_get(first, "slice")));
    assert_true(json_is_true(json_object_get(first, "high")));
    assert_true(planted_number(first, "rate") > 0.3 && planted_number(first, "rest_rate") < 0.1);
    assert_int_equal(1, high_count(model_of(j)));
    /* Every error is in one cluster and in one confusion. */
    double clustered = 0, confused = 0;
    size_t i, k;
    const double errors = planted_number(model_of(j), "errors");
    json_array_foreach(json_object_get(model_of(j), "clusters"), i, one) {
        const json_t *example, *examples = json_object_get(one, "examples");
        clustered += planted_number(one, "errors");
        assert_true(planted_number(one, "rate") > 0 && planted_number(one, "rate") <= 1);
        assert_true(json_array_size(examples) >= 1 && json_array_size(examples) <= 3);
        json_array_foreach(examples, k, example) {
            const char *label = json_string_value(json_object_get(example, "label")),
                       *said = json_string_value(json_object_get(example, "predicted"));
            assert_true(label && said && strcmp(label, said) != 0);
            assert_true(planted_number(example, "confidence") >= 0.5);
        }
    }
    assert_true(i >= 2);
    json_array_foreach(json_object_get(model_of(j), "confusions"), i, one) confused += planted_number(one, "rows");
    assert_true(errors > 15 && clustered == errors && confused == errors);
    json_t *again = failures("model", NULL);
    assert_true(json_equal(json_object_get(j, "models"), json_object_get(again, "models")));
    json_decref(again);
    json_decref(j);
}

static void test_no_effect_no_claim(void **state) {
    json_t *j = failures("model", "fair");
    assert_int_equal(0, high_count(model_of(j)));
    assert_true(planted_number(json_object_get(j, "suspects"), "found") <= 2); /* of 160 right labels */
    json_decref(j);
    j = failures("raw", "fair"); /* errs on half of all rows, of one class: that is found, and nothing else */
    assert_true(planted_number(model_of(j), "error_rate") > 0.3);
    size_t i;
    const json_t *s;
    json_array_foreach(json_object_get(model_of(j), "slices"), i, s) if (json_is_true(json_object_get(s, "high")))
        assert_memory_equal("label: ", json_string_value(json_object_get(s, "slice")), 7);
    json_decref(j);
}

/* The mood of a row stands in its words. */
static bool turned(const json_t *suspect) {
    static const char *const bad[] = {"bad", "awful", "poor", "dull"};
    const char *text = json_string_value(json_object_get(suspect, "text"));
    bool negative = false;
    for (int i = 0; i < 4; i++) negative |= strstr(text, bad[i]) != NULL;
    return negative != (strcmp(json_string_value(json_object_get(suspect, "label")), "negative") == 0);
}

static void test_turned_labels_are_suspects(void **state) {
    json_t *j = failures("model", "shuffled");
    const json_t *suspects = json_object_get(j, "suspects"), *s;
    size_t i, right = 0, planted = 0;
    char *text = NULL, path[600];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/train.jsonl", planted_at("even"));
    check_ok(wfi_file_read(path, 1 << 20, &text, &size, err));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *row = json_loads(line, 0, NULL);
        planted += turned(row);
        json_decref(row);
    }
    wf_free(text);
    json_array_foreach(json_object_get(suspects, "list"), i, s) {
        right += turned(s);
        assert_string_not_equal(json_string_value(json_object_get(s, "label")),
                                json_string_value(json_object_get(s, "suggested")));
        assert_true(planted_number(s, "confidence") > planted_number(s, "label_confidence"));
    }
    assert_true(planted >= 5);
    assert_int_equal(160, planted_number(suspects, "rows"));
    if (right < planted - 1) fail_msg("%zu of %zu turned labels are suspects", right, planted);
    if (i > planted + 3) fail_msg("%zu suspects, %zu were planted", i, planted);
    json_decref(j);
}

static void test_mistakes_and_report(void **state) {
    const char *models[] = {"model", "raw"}, *none[] = {"nobody"};
    check_status(WF_E_ARG, wf_study_failures(lab, &(wf_failures_spec){0}, NULL, err));
    check_status(WF_E_NOTFOUND,
                 wf_study_failures(lab, &(wf_failures_spec){.models = none, .model_count = 1}, NULL, err));
    check_status(WF_E_ARG, wf_study_failures(lab, &(wf_failures_spec){.models = models, .model_count = 1, .rows = -5},
                                             NULL, err));
    check_ok(wfi_dir_make(planted_at("numbers"), err));
    tiny_write(planted_at("numbers"), "train.jsonl",
               "{\"text\": \"good film\", \"label\": 1.5}\n{\"text\": \"bad film\", \"label\": 0.25}\n"
               "{\"text\": \"fine film\", \"label\": 1.25}\n{\"text\": \"dull book\", \"label\": 0.5}\n");
    tiny_write(planted_at("numbers"), "test.jsonl", "{\"text\": \"good song\", \"label\": 1.5}\n");
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "numbers", .path = planted_at("numbers"), .kind = "regression"},
                         NULL, err));
    check_ok(
        wf_train(lab, &(wf_train_spec){.task = "numbers", .method = "head", .name = "line", .epochs = 1}, NULL, err));
    const char *line = "line";
    check_status(WF_E_UNSUPPORTED,
                 wf_study_failures(lab, &(wf_failures_spec){.models = &line, .model_count = 1}, NULL, err));
    char *text = NULL;
    size_t size = 0;
    check_ok(wf_study_failures(lab, &(wf_failures_spec){.models = models, .model_count = 2, .rows = 60}, NULL, err));
    check_ok(wf_report(lab, planted_at("page.html"), NULL, err));
    check_ok(wfi_file_read(planted_at("page.html"), 1 << 26, &text, &size, err));
    static const char *const wants[] = {"Failures: biased",  "kinds of rows by Fisher", "group: g3",
                                        "taken for another", "Errors that look alike",  "did not see them"};
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        if (!strstr(text, wants[i])) fail_msg("\"%s\" is not in the report", wants[i]);
    wf_free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_biased_group), cmocka_unit_test(test_no_effect_no_claim),
                                       cmocka_unit_test(test_turned_labels_are_suspects),
                                       cmocka_unit_test(test_mistakes_and_report)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
