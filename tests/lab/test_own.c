/* Does a fusion help? The better of it and the task's own adapter gets the name, and the uncertainty is told. */
#include "planted.h"

static wf_lab *lab;
static const char *const from[] = {"one", "two"};

static int setup(void **state) {
    lab = planted_lab();
    planted_task(lab, "first", 1, 160, 40, 2, 0);
    planted_task(lab, "second", 2, 160, 40, 2, 0);
    planted_train(lab, "first", "one", 10, 1);
    planted_train(lab, "second", "two", 10, 2);
    return 0;
}

static int teardown(void **state) {
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static wf_train_spec fusion_of(const char *task, const char *name, double epochs, double lr) {
    return (wf_train_spec){.task = task,
                           .method = "fusion",
                           .name = name,
                           .from = from,
                           .from_count = 2,
                           .epochs = epochs,
                           .lr = lr,
                           .base_dtype = "f32"};
}

static json_t *fuse(const wf_train_spec *s) {
    char *text = NULL;
    check_ok(wf_train(lab, s, &text, err));
    return planted_json(text);
}

static const char *text_of(const json_t *j, const char *key) {
    const char *text = json_string_value(json_object_get(j, key));
    return text ? text : "";
}

static json_t *answers(const char *name) {
    wf_predictor *p = NULL;
    char *text = NULL;
    static const char *const texts[] = {"the film was good", "the book is awful", "a dull song"};
    check_ok(wf_predictor_open(lab, &name, 1, &p, err));
    check_ok(wf_predictor_run(p, texts, NULL, 3, &text, err));
    wf_predictor_close(p);
    json_t *j = planted_json(text), *all = json_array();
    for (size_t i = 0; i < 3; i++)
        json_array_append(
            all, json_object_get(json_object_get(json_array_get(json_object_get(j, "rows"), i), "results"), name));
    json_decref(j);
    return all;
}

/* Planted: the fusion learns nothing (a rate of 1e-7), the own adapter is good. */
static void test_own_is_kept(void **state) {
    planted_task(lab, "target", 3, 120, 40, 2, 0);
    planted_train(lab, "target", "mine", 10, 3);
    const wf_train_spec s = fusion_of("target", "fused", 1, 1e-7);
    json_t *j = fuse(&s), *same, *own, *inspected;
    const json_t *benefit = json_object_get(j, "benefit"), *d = json_object_get(benefit, "difference");
    assert_string_equal("own", text_of(benefit, "kept"));
    assert_string_equal("mine", text_of(json_object_get(benefit, "own"), "name"));
    assert_true(json_is_true(json_object_get(json_object_get(benefit, "own"), "reused")));
    assert_true(json_is_true(json_object_get(benefit, "certain")) && planted_number(d, "high") < 0);
    assert_non_null(strstr(text_of(benefit, "verdict"), "fusion does not help here"));
    assert_string_equal("fused", text_of(j, "name"));
    assert_memory_equal("seq_bn", text_of(j, "method"), 6);
    assert_true(planted_number(json_object_get(j, "dev"), "accuracy") > 0.8);
    same = answers("fused");
    own = answers("mine");
    assert_true(json_equal(own, same)); /* what answers under the name is what was kept */
    char *text = NULL;
    check_ok(wf_inspect(lab, "fused", &text, err));
    inspected = planted_json(text);
    planted_find(json_object_get(inspected, "parents"), "name", "mine");
    assert_string_equal("own", text_of(json_object_get(inspected, "benefit"), "kept"));
    check_ok(wf_log(lab, (int64_t)planted_number(j, "run"), &text, err));
    json_t *log = planted_json(text);
    assert_non_null(json_object_get(json_object_get(log, "result"), "benefit"));
    check_ok(wf_verify(lab, NULL, err));
    check_status(WF_E_BUSY, wf_remove(lab, "mine", NULL, err));
    json_decref(log);
    json_decref(inspected);
    json_decref(own);
    json_decref(same);
    json_decref(j);
}

/* Planted the other way: the own adapter learned nothing. */
static void test_fusion_is_kept(void **state) {
    planted_task(lab, "other", 4, 120, 40, 2, 0);
    planted_train(lab, "other", "idle", 0.5, 3);
    const wf_train_spec s = fusion_of("other", "helped", 15, 5e-3);
    json_t *j = fuse(&s);
    const json_t *benefit = json_object_get(j, "benefit");
    assert_string_equal("fusion", text_of(benefit, "kept"));
    assert_true(json_is_true(json_object_get(benefit, "certain")));
    assert_true(planted_number(json_object_get(benefit, "difference"), "low") > 0);
    assert_string_equal("fusion", text_of(j, "method"));
    json_decref(j);
}

/* Nothing planted: labels that no text explains. Whatever is kept, nothing is certain; and the lab that had no own
 * adapter of the task has one now. */
static void test_no_effect_no_claim(void **state) {
    static const char *const parts[] = {"train", "dev"};
    char path[32];
    check_ok(wfi_dir_make(planted_at("noise"), err));
    for (int p = 0; p < 2; p++) {
        char rows[8000] = "";
        for (int i = 0; i < 80; i++)
            sprintf(rows + strlen(rows), "{\"text\": \"the film %d\", \"label\": \"%s\"}\n", i,
                    wfi_random_below(wfi_random_key(5, parts[p], 0, 0), (uint64_t)i, 2) ? "up" : "down");
        snprintf(path, sizeof path, "%s.jsonl", parts[p]);
        tiny_write(planted_at("noise"), path, rows);
    }
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "noise", .path = planted_at("noise")}, NULL, err));
    const wf_train_spec s = fusion_of("noise", "guess", 2, 1e-3);
    json_t *j = fuse(&s);
    const json_t *benefit = json_object_get(j, "benefit"), *own = json_object_get(benefit, "own"),
                 *d = json_object_get(benefit, "difference");
    assert_true(json_is_false(json_object_get(benefit, "certain")));
    assert_true(planted_number(d, "low") <= 0 && planted_number(d, "high") >= 0);
    assert_non_null(strstr(text_of(benefit, "verdict"), "within what chance gives"));
    assert_string_equal("noise-seq_bn", text_of(own, "name"));
    assert_true(json_is_false(json_object_get(own, "reused")));
    check_ok(wf_eval(lab, &(wf_eval_spec){.name = "noise-seq_bn", .split = "dev", .resamples = 100}, NULL, err));
    json_decref(j);
    /* An own adapter trained on other rows is no fair peer: another one is trained, under another name. */
    wf_train_spec few = fusion_of("noise", "few", 1, 1e-3);
    few.rows = 40;
    j = fuse(&few);
    assert_string_equal("few-own", text_of(json_object_get(json_object_get(j, "benefit"), "own"), "name"));
    json_decref(j);
    few.name = "asked";
    few.keep_fusion = 1; /* switched off */
    j = fuse(&few);
    assert_null(json_object_get(j, "benefit"));
    assert_string_equal("fusion", text_of(j, "method"));
    json_decref(j);
}

static const char *stop_stage;
static int stopping(const wf_progress *p, void *user) {
    (void)user;
    return stop_stage && strcmp(p->stage, stop_stage) == 0 && p->note != NULL;
}

/* Broken off while the own adapter is trained, then while the fusion is: the same bits in the end. */
static void test_resume(void **state) {
    char *text = NULL;
    planted_task(lab, "late", 6, 80, 20, 2, 0);
    const wf_train_spec s = fusion_of("late", "whole", 2, 1e-3);
    json_t *whole = fuse(&s), *broken;
    const char *own = text_of(json_object_get(json_object_get(whole, "benefit"), "own"), "name");
    assert_string_equal("late-seq_bn", own);
    check_ok(wf_remove(lab, "whole", NULL, err));
    check_ok(wf_remove(lab, own, NULL, err));
    wf_lab_progress(lab, stopping, NULL);
    stop_stage = "train own adapter";
    check_status(WF_E_CANCELLED, wf_train(lab, &s, NULL, err));
    const int64_t run = (int64_t)planted_number(whole, "run") + 1;
    stop_stage = "fuse";
    check_status(WF_E_CANCELLED, wf_resume(lab, run, NULL, err));
    stop_stage = NULL;
    check_ok(wf_resume(lab, run, &text, err));
    broken = planted_json(text);
    wf_lab_progress(lab, NULL, NULL);
    static const char *const keys[] = {"dev", "test", "method"};
    for (int i = 0; i < 3; i++)
        assert_true(json_equal(json_object_get(whole, keys[i]), json_object_get(broken, keys[i])));
    assert_true(json_equal(json_object_get(json_object_get(whole, "benefit"), "difference"),
                           json_object_get(json_object_get(broken, "benefit"), "difference")));
    assert_string_equal("late-seq_bn", text_of(json_object_get(json_object_get(broken, "benefit"), "own"), "name"));
    json_decref(whole);
    json_decref(broken);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_own_is_kept), cmocka_unit_test(test_fusion_is_kept),
                                       cmocka_unit_test(test_no_effect_no_claim), cmocka_unit_test(test_resume)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
