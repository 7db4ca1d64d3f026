/* What eval found of a stored model's own rows is kept, once, and told by card and report; a model that gives every row
 * one class is told of wherever it is scored. */
#include "planted.h"

static wf_lab *lab;

/* The same text in every row, seven of ten positive. */
static void same_texts(const char *name) {
    static const char *const parts[] = {"train", "dev", "test"};
    check_ok(wfi_dir_make(planted_at(name), err));
    for (int p = 0; p < 3; p++) {
        char text[8000] = "", file[32];
        size_t n = 0;
        for (int i = 0; i < 60; i++)
            n += (size_t)sprintf(text + n, "{\"text\": \"the film\", \"label\": \"%s\"}\n",
                                 i % 10 < 7 ? "positive" : "negative");
        snprintf(file, sizeof file, "%s.jsonl", parts[p]);
        tiny_write(planted_at(name), file, text);
    }
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = name, .path = planted_at(name)}, NULL, err));
}

static int setup(void **state) {
    (void)state;
    lab = planted_lab();
    wf_lab_threads(lab, 1);
    wf_lab_messages(lab, planted_hear, NULL);
    planted_task(lab, "moods", 1, 80, 90, 2, 0);
    planted_train(lab, "moods", "model", 2, 0);
    same_texts("same");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static json_t *scored(const char *name, const char *split) {
    char *text = NULL;
    check_ok(wf_eval(lab, &(wf_eval_spec){.name = name, .split = split, .resamples = 200}, &text, err));
    return planted_json(text);
}

static char *written(bool card, const char *name) {
    char *bytes = NULL, path[512];
    size_t size = 0;
    snprintf(path, sizeof path, "%s", planted_at(card ? "card.md" : "page.html"));
    if (card)
        check_ok(wf_card_write(lab, name, path, NULL, err));
    else
        check_ok(wf_report(lab, path, NULL, err));
    check_ok(wfi_file_read(path, 1 << 26, &bytes, &size, err));
    return bytes;
}

static void has(bool want, char *text, const char *what) {
    if ((strstr(text, what) != NULL) != want) fail_msg("\"%s\" is %sin: %s", what, want ? "not " : "", text);
    wf_free(text);
}

static void test_kept_once(void **state) {
    (void)state;
    char want[160], *text = NULL;
    has(true, written(true, "model"), "- **Intervals from**: not measured\n");
    json_t *a = scored("model", NULL), *b = scored("model:moods", "test"); /* the same under another name */
    assert_int_equal(1, planted_runs(lab, "eval"));
    assert_true(planted_number(b, "run") > planted_number(a, "run"));
    json_decref(scored("model", "dev"));
    assert_int_equal(2, planted_runs(lab, "eval"));
    check_ok(wf_lab_base_dtype(lab, "bf16", err));
    json_decref(scored("model", NULL));
    check_ok(wf_lab_base_dtype(lab, "auto", err));
    assert_int_equal(3, planted_runs(lab, "eval"));
    /* a file's rows are not the task's */
    snprintf(want, sizeof want, "%s", planted_at("moods/test.jsonl"));
    check_ok(wf_eval(lab, &(wf_eval_spec){.name = "model", .data = want, .resamples = 200}, &text, err));
    json_t *file = planted_json(text);
    assert_null(json_object_get(file, "run"));
    assert_int_equal(3, planted_runs(lab, "eval"));
    const json_t *accuracy = json_object_get(json_object_get(b, "metrics"), "accuracy");
    snprintf(want, sizeof want, "all 90 test rows (run %.0f, ", planted_number(b, "run"));
    has(true, written(true, "model"), want);
    snprintf(want, sizeof want, "| %.1f to %.1f |", 100 * planted_number(accuracy, "low"),
             100 * planted_number(accuracy, "high"));
    has(true, written(true, "model"), want);
    snprintf(want, sizeof want, "[%.1f, %.1f]", 100 * planted_number(accuracy, "low"),
             100 * planted_number(accuracy, "high"));
    has(true, written(false, NULL), want);
    *planted_told = 0;
    check_ok(wf_log(lab, (int64_t)planted_number(b, "run"), &text, err));
    json_t *log = planted_json(text);
    assert_non_null(strstr(json_string_value(json_array_get(json_object_get(log, "lines"), 0)), "moods on test: "));
    assert_string_equal("", planted_told); /* nothing is said to be gone */
    /* a study's sample does not take its place */
    const char *models[] = {"model"}, *kinds[] = {"typo"};
    check_ok(wf_study_robust(
        lab,
        &(wf_robust_spec){
            .models = models, .model_count = 1, .kinds = kinds, .kind_count = 1, .rows = 40, .resamples = 100},
        NULL, err));
    has(true, written(true, "model"), "all 90 test rows");
    /* nor does it speak for another model of that name */
    check_ok(wf_remove(lab, "model", NULL, err));
    planted_train(lab, "moods", "model", 2, 5);
    has(true, written(true, "model"), "- **Intervals from**: not measured\n");
    json_t *all[] = {a, b, file, log};
    for (int i = 0; i < 4; i++) json_decref(all[i]);
}

static void test_one_class(void **state) {
    (void)state;
    static const char *const says = "gives positive to every one of the 60 test rows, though 18 are of other classes: "
                                    "nothing is learned beyond the commonest class";
    char *text = NULL;
    *planted_told = 0;
    check_ok(
        wf_train(lab,
                 &(wf_train_spec){
                     .task = "same", .method = "head", .name = "flat", .epochs = 8, .lr = 1e-2, .base_dtype = "f32"},
                 &text, err));
    json_t *j = planted_json(text);
    const json_t *one = json_object_get(j, "one_class");
    assert_string_equal("test", json_string_value(json_object_get(one, "part")));
    assert_string_equal("positive", json_string_value(json_object_get(one, "label")));
    assert_int_equal(0, planted_number(one, "others"));
    assert_string_equal(says, json_string_value(json_object_get(one, "verdict")));
    has(true, strdup(planted_told), says);
    json_decref(j);
    *planted_told = 0;
    j = scored("flat", NULL);
    assert_string_equal(says, json_string_value(json_object_get(json_object_get(j, "one_class"), "verdict")));
    has(true, strdup(planted_told), says);
    json_decref(j);
    has(true, written(true, "flat"), says);
    has(true, written(false, NULL), says);
    const char *head = "head"; /* a comparison's rows and its summary tell of it too */
    check_ok(wf_compare(lab,
                        &(wf_compare_spec){.task = "same",
                                           .methods = &head,
                                           .method_count = 1,
                                           .seeds = 2,
                                           .train = {.epochs = 8, .lr = 1e-2, .base_dtype = "f32"}},
                        &text, err));
    j = planted_json(text);
    json_t *row = json_array_get(json_object_get(j, "rows"), 0);
    assert_string_equal(says, json_string_value(json_object_get(json_object_get(row, "one_class"), "verdict")));
    assert_int_equal(2, planted_number(json_array_get(json_object_get(j, "summary"), 0), "one_answer"));
    json_decref(j);
    *planted_told = 0; /* what tells moods apart is not accused */
    planted_train(lab, "moods", "good", 12, 1);
    j = scored("good", NULL);
    assert_null(json_object_get(j, "one_class"));
    has(false, strdup(planted_told), "gives ");
    json_decref(j);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept_once), cmocka_unit_test(test_one_class)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
