/* The gap between training rows and dev: planted (of dev's labels 30 % are not what training rows teach) it is warned
 * of with a remedy; where nothing was planted nothing is claimed. The options against it train, and mistakes are
 * refused. */
#include "planted.h"
#include <math.h>

static wf_lab *lab;
static char warned[2000];
static int warnings;

static void on_message(const char *level, const char *text, void *user) {
    (void)user;
    if (strcmp(level, "warning") != 0) return;
    snprintf(warned, sizeof warned, "%s", text);
    warnings++;
}

static int setup(void **state) {
    char path[600];
    lab = planted_lab();
    wf_lab_messages(lab, on_message, NULL);
    planted_task(lab, "sound", 1, 160, 40, 2, 0);
    check_ok(wfi_dir_make(planted_at("noise"), err));
    snprintf(path, sizeof path, "%s/train.jsonl", planted_at("noise"));
    planted_rows(path, 21, 160, 1, 0);
    snprintf(path, sizeof path, "%s/dev.jsonl", planted_at("noise"));
    planted_rows(path, 22, 200, 1, 30);
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "noise", .path = planted_at("noise")}, NULL, err));
    return 0;
}

static int teardown(void **state) {
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static json_t *trained(const wf_train_spec *s) {
    char *text = NULL;
    *warned = 0;
    check_ok(wf_train(lab, s, &text, err));
    return planted_json(text);
}

static void test_planted(void **state) {
    json_t *j = trained(&(wf_train_spec){
        .task = "noise", .method = "seq_bn[reduction_factor=4]", .name = "by-heart", .epochs = 10, .lr = 5e-3});
    const json_t *gap = json_object_get(j, "gap");
    assert_int_equal(160, planted_number(gap, "train_rows"));
    assert_true(fabs(planted_number(gap, "gap") - (planted_number(gap, "train") - planted_number(gap, "dev"))) < 1e-12);
    if (!json_is_true(json_object_get(gap, "warns")))
        fail_msg("a gap of %g, low %g, is not warned of", planted_number(gap, "gap"), planted_number(gap, "low"));
    assert_non_null(strstr(json_string_value(json_object_get(gap, "remedy")), "--stochastic-depth 0.2"));
    assert_non_null(strstr(warned, "fits what it has seen too closely; try "));
    json_decref(j);
    char *page = NULL;
    size_t size = 0;
    check_ok(wf_report(lab, planted_at("page.html"), NULL, err));
    check_ok(wfi_file_read(planted_at("page.html"), 1 << 26, &page, &size, err));
    assert_non_null(strstr(page, "fit their training rows too closely"));
    wf_free(page);
}

/* In a comparison: every training has its gap, the table their means, and a method one line however many sizes and
 * seeds it has; a head alone, which cannot learn noise by heart in one step, has none. */
static void test_compared(void **state) {
    const char *methods[] = {"head", "seq_bn[reduction_factor=4]"};
    const int64_t sizes[] = {120, 160};
    char *text = NULL;
    size_t i;
    const json_t *row;
    warnings = 0;
    check_ok(wf_compare(lab,
                        &(wf_compare_spec){.task = "noise",
                                           .methods = methods,
                                           .method_count = 2,
                                           .rows = sizes,
                                           .rows_count = 2,
                                           .seeds = 2,
                                           .train = {.epochs = 10, .lr = 5e-3}},
                        &text, err));
    json_t *j = planted_json(text);
    double sum = 0;
    bool blamed[2] = {false, false};
    json_array_foreach(json_object_get(j, "rows"), i, row) {
        const json_t *gap = json_object_get(row, "gap");
        assert_true(fabs(planted_number(gap, "gap") - planted_number(gap, "train") + planted_number(gap, "dev")) <
                    1e-9);
        assert_true(planted_number(gap, "train_rows") == planted_number(row, "asked_rows"));
        if (planted_number(row, "asked_rows") == 160 &&
            strcmp(json_string_value(json_object_get(row, "method")), methods[1]) == 0)
            sum += planted_number(gap, "gap");
    }
    json_array_foreach(json_object_get(j, "summary"), i, row) {
        const json_t *gap = json_object_get(row, "gap");
        const bool learns = strcmp(json_string_value(json_object_get(row, "method")), methods[1]) == 0;
        assert_int_equal(2, planted_number(gap, "seeds"));
        if (learns) assert_true(planted_number(gap, "warns") == 2);
        blamed[learns] = blamed[learns] || planted_number(gap, "warns") == 2;
        if (learns && planted_number(row, "train_rows") == 160)
            assert_true(fabs(planted_number(gap, "gap") - sum / 2) < 1e-9);
    }
    assert_non_null(strstr(warned, "seq_bn[reduction_factor=4] with 120, 160 rows: fits what it has seen too closely"));
    assert_int_equal(blamed[0] + blamed[1], warnings);
    json_decref(j);
}

/* Trained jointly each task has its own gap; the sound one is not blamed for the other. */
static void test_joint(void **state) {
    const char *tasks[] = {"noise", "sound"};
    char *text = NULL;
    warnings = 0;
    check_ok(wf_train_joint(lab,
                            &(wf_joint_spec){.tasks = tasks,
                                             .task_count = 2,
                                             .method = "seq_bn[reduction_factor=4]",
                                             .train = {.name = "both", .epochs = 10, .lr = 5e-3}},
                            &text, err));
    json_t *j = planted_json(text);
    const json_t *heads = json_object_get(j, "heads"), *noise = json_object_get(json_object_get(heads, "noise"), "gap"),
                 *sound = json_object_get(json_object_get(heads, "sound"), "gap");
    assert_true(json_is_true(json_object_get(noise, "warns")));
    assert_true(json_is_false(json_object_get(sound, "warns")));
    assert_int_equal(160, planted_number(noise, "train_rows"));
    assert_int_equal(1, warnings);
    assert_non_null(strstr(warned, "both:noise: accuracy is "));
    json_decref(j);
}

static void test_sound(void **state) {
    json_t *j = trained(&(wf_train_spec){.task = "sound", .name = "s", .epochs = 8, .lr = 5e-3});
    const json_t *gap = json_object_get(j, "gap");
    assert_true(json_is_false(json_object_get(gap, "warns")) && json_is_null(json_object_get(gap, "remedy")));
    assert_true(planted_number(gap, "low") <= planted_number(gap, "gap"));
    assert_int_equal(0, strlen(warned));
    json_decref(j);
}

static void test_options(void **state) {
    json_t *j = trained(&(wf_train_spec){.task = "sound",
                                         .name = "guarded",
                                         .method = "seq_bn[reduction_factor=4]",
                                         .epochs = 8,
                                         .lr = 5e-3,
                                         .stochastic_depth = 0.2,
                                         .mixout = 0.1,
                                         .rdrop = 0.5,
                                         .focal = 1,
                                         .class_sampling = "balanced"});
    assert_true(planted_number(json_object_get(j, "dev"), "accuracy") > 0.8); /* it still learns */
    json_decref(j);
    char *text = NULL;
    check_ok(wf_inspect(lab, "guarded", &text, err));
    j = planted_json(text);
    assert_true(planted_number(json_object_get(j, "config"), "stochastic_depth") == 0.2);
    assert_true(planted_number(json_object_get(j, "config"), "reduction_factor") == 4);
    json_decref(j);
    const char *from[] = {"guarded"};
    j = trained(&(wf_train_spec){.task = "noise",
                                 .name = "f",
                                 .method = "fusion",
                                 .from = from,
                                 .from_count = 1,
                                 .epochs = 1,
                                 .keep_fusion = 1,
                                 .stochastic_depth = 0.5});
    json_decref(j);
    check_ok(wf_verify(lab, NULL, err));
    const wf_train_spec wrong[] = {{.task = "sound", .method = "head", .stochastic_depth = 0.1},
                                   {.task = "sound", .method = "lora", .stochastic_depth = 0.1},
                                   {.task = "sound", .method = "par_bn", .stochastic_depth = 0.1},
                                   {.task = "sound", .mixout = 1},
                                   {.task = "sound", .rdrop = -1},
                                   {.task = "sound", .focal = 2, .label_smoothing = 0.1},
                                   {.task = "sound", .class_sampling = "fair"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        wf_train_spec s = wrong[i];
        s.name = "wrong";
        check_status(WF_E_ARG, wf_train(lab, &s, NULL, err));
    }
}

/* What is for classes is refused where there are none. */
static void test_regression(void **state) {
    char rows[8000] = "";
    for (int i = 0; i < 60; i++)
        sprintf(rows + strlen(rows), "{\"text\": \"the film %d\", \"label\": %d.5}\n", i, i % 7); /* NOLINT */
    check_ok(wfi_dir_make(planted_at("amount"), err));
    tiny_write(planted_at("amount"), "train.jsonl", rows);
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "amount", .path = planted_at("amount"), .kind = "regression"},
                         NULL, err));
    const wf_train_spec wrong[] = {{.rdrop = 1}, {.focal = 1}, {.class_sampling = "sqrt"}};
    for (int i = 0; i < 3; i++) {
        wf_train_spec s = wrong[i];
        s.task = "amount";
        s.epochs = 1;
        check_status(WF_E_ARG, wf_train(lab, &s, NULL, err));
    }
    json_t *j = trained(&(wf_train_spec){.task = "amount", .name = "line", .epochs = 1, .mixout = 0.2});
    assert_true(json_is_object(json_object_get(j, "gap")));
    json_decref(j);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted),  cmocka_unit_test(test_sound),
                                       cmocka_unit_test(test_compared), cmocka_unit_test(test_joint),
                                       cmocka_unit_test(test_options),  cmocka_unit_test(test_regression)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
