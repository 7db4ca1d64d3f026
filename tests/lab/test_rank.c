/* Ranking of sources: a planted useless one comes last and is not chosen by auto; without an effect nothing is claimed.
 */
#include "planted.h"
#include <math.h>

static wf_lab *lab;

/* NAME: `rows` rows whose labels nothing explains. */
static void noise_task(const char *name, uint64_t salt, int rows) {
    static const char *const parts[] = {"train", "dev", "test"}, *const words[] = {"good", "bad", "dull", "fine"};
    char file[32];
    const uint64_t key = wfi_random_key(salt, "noise", 0, 0);
    check_ok(wfi_dir_make(planted_at(name), err));
    for (int p = 0; p < 3; p++) {
        char text[20000] = "";
        size_t n = 0;
        for (int i = 0; i < rows; i++)
            n += (size_t)sprintf(text + n, "{\"text\": \"the film was %s and %s %d\", \"label\": \"%s\"}\n",
                                 words[wfi_random_below(key, (uint64_t)(4 * i + p), 4)],
                                 words[wfi_random_below(key, (uint64_t)(4 * i + p) + 100000, 4)], i,
                                 wfi_random_below(key, (uint64_t)(4 * i + p) + 200000, 2) ? "up" : "down");
        snprintf(file, sizeof file, "%s.jsonl", parts[p]);
        tiny_write(planted_at(name), file, text);
    }
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = name, .path = planted_at(name)}, NULL, err));
}

static int setup(void **state) {
    lab = planted_lab();
    planted_task(lab, "first", 1, 160, 40, 2, 0);
    planted_task(lab, "second", 2, 160, 40, 2, 0);
    planted_task(lab, "target", 3, 160, 60, 2, 0);
    noise_task("nonsense", 4, 160);
    noise_task("empty", 5, 120);
    planted_train(lab, "first", "one", 10, 1);
    planted_train(lab, "second", "two", 10, 2);
    planted_train(lab, "nonsense", "useless", 15, 3);
    planted_train(lab, "target", "mine", 1, 4);
    check_ok(wf_train(lab, &(wf_train_spec){.task = "first", .method = "lora", .name = "low", .epochs = 1}, NULL, err));
    return 0;
}

static int teardown(void **state) {
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static json_t *ranked(const wf_rank_spec *s) {
    char *text = NULL;
    check_ok(wf_rank(lab, s, &text, err));
    return planted_json(text);
}

static const json_t *source(const json_t *j, const char *name) {
    return planted_find(json_object_get(j, "sources"), "name", name);
}

static void test_useless_is_last(void **state) {
    static const char *const by[] = {"all", "leep", "neighbours"};
    for (int i = 0; i < 3; i++) {
        json_t *j = ranked(&(wf_rank_spec){.task = "target", .by = by[i]});
        assert_int_equal(4, json_array_size(json_object_get(j, "sources"))); /* the target's own is no source */
        const json_t *useless = source(j, "useless");
        static const char *const good[] = {"one", "two"};
        for (int k = 0; k < 2; k++)
            if (planted_number(source(j, good[k]), "rank") > planted_number(useless, "rank"))
                fail_msg("by %s the useless source stands before %s", by[i], good[k]);
        assert_true(json_is_false(json_object_get(source(j, "low"), "fusable")));
        assert_true(json_is_null(json_object_get(j, "check")));
        json_decref(j);
    }
    json_t *a = ranked(&(wf_rank_spec){.task = "target"}), *b = ranked(&(wf_rank_spec){.task = "target"});
    const double likeness = planted_number(source(a, "one"), "fisher");
    assert_true(likeness > 0 && likeness <= 1);
    assert_true(likeness > planted_number(source(a, "useless"), "fisher"));
    assert_true(json_equal(a, b)); /* the second one out of the cache */
    json_decref(a);
    json_decref(b);
}

static void test_auto(void **state) {
    const char *two[] = {"auto:2"}, *mixed[] = {"useless", "auto:1"}, *wrong[] = {"auto:0"},
               *twice[] = {"auto", "auto"}, *nobody[] = {"auto:2", "nobody"};
    wf_train_spec s = {.task = "target",
                       .method = "fusion",
                       .name = "chosen",
                       .from = two,
                       .from_count = 1,
                       .epochs = 1,
                       .keep_fusion = 1,
                       .base_dtype = "f32"};
    char *text = NULL;
    check_ok(wf_train(lab, &s, &text, err));
    json_t *j = planted_json(text);
    const json_t *from = json_object_get(j, "from");
    assert_int_equal(2, json_array_size(from));
    for (size_t i = 0; i < 2; i++) {
        const char *name = json_string_value(json_array_get(from, i));
        assert_true(strcmp(name, "one") == 0 || strcmp(name, "two") == 0);
    }
    assert_string_equal(
        "auto:2", json_string_value(json_array_get(json_object_get(json_object_get(j, "settings"), "from_asked"), 0)));
    json_decref(j);
    s.name = "mixed";
    s.from = mixed;
    s.from_count = 2;
    check_ok(wf_train(lab, &s, &text, err));
    j = planted_json(text);
    assert_int_equal(2, json_array_size(json_object_get(j, "from")));
    assert_string_equal("useless", json_string_value(json_array_get(json_object_get(j, "from"), 0)));
    json_decref(j);
    s.name = "never";
    s.from = wrong;
    s.from_count = 1;
    check_status(WF_E_ARG, wf_train(lab, &s, NULL, err));
    s.from = twice;
    s.from_count = 2;
    check_status(WF_E_ARG, wf_train(lab, &s, NULL, err));
    s.from = nobody;
    check_status(WF_E_NOTFOUND, wf_train(lab, &s, NULL, err));
    check_status(WF_E_ARG, wf_rank(lab, &(wf_rank_spec){.task = "target", .by = "luck"}, NULL, err));
    check_status(WF_E_ARG, wf_rank(lab, &(wf_rank_spec){.task = "target", .rows = -1}, NULL, err));
    check_status(WF_E_NOTFOUND, wf_rank(lab, &(wf_rank_spec){.task = "nothing"}, NULL, err));
}

static json_t *compared(const char *task, const char *method, int64_t rows) {
    const char *methods[] = {"head", method};
    char *text = NULL;
    check_ok(wf_compare(lab,
                        &(wf_compare_spec){.task = task,
                                           .methods = methods,
                                           .method_count = 2,
                                           .rows = &rows,
                                           .rows_count = 1,
                                           .seeds = 2,
                                           .train = {.epochs = 1, .base_dtype = "f32"}},
                        &text, err));
    return planted_json(text);
}

static const json_t *chosen_of(const json_t *j) {
    return json_object_get(planted_find(json_object_get(j, "summary"), "method", "fuse:auto:2"), "chosen");
}

/* Within a comparison auto takes the useful ones at every seed, from few rows, whatever the test rows say; what comes
 * into the lab after the comparison has begun is no candidate. */
static void test_auto_in_compare(void **state) {
    char path[600], *bytes = NULL;
    size_t size = 0;
    json_t *j = compared("target", "fuse:auto:2", 60);
    const json_t *chosen = chosen_of(j);
    assert_int_equal(2, planted_number(chosen, "one"));
    assert_int_equal(2, planted_number(chosen, "two"));
    assert_null(json_object_get(chosen, "useless"));
    const json_t *row = planted_find(json_object_get(j, "rows"), "method", "fuse:auto:2");
    assert_int_equal(2, json_array_size(json_object_get(row, "from")));
    assert_true(json_equal(json_object_get(row, "from"), json_object_get(row, "chosen")));
    assert_null(json_object_get(planted_find(json_object_get(j, "rows"), "method", "head"), "chosen"));
    json_t *log = NULL;
    char *text = NULL;
    check_ok(wf_log(lab, (int64_t)planted_number(j, "run"), &text, err));
    log = planted_json(text);
    const json_t *candidates = json_object_get(json_object_get(log, "settings"), "candidates");
    assert_int_equal(4, json_array_size(candidates)); /* of other tasks; what cannot be fused is left out later */
    json_decref(log);
    /* the same training and dev rows, and test rows whose labels are turned */
    check_ok(wfi_dir_make(planted_at("turned"), err));
    static const char *const parts[] = {"train", "dev"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s.jsonl", planted_at("target"), parts[i]);
        check_ok(wfi_file_read(path, 1 << 20, &bytes, &size, err));
        snprintf(path, sizeof path, "%s/%s.jsonl", planted_at("turned"), parts[i]);
        check_ok(wfi_file_write(path, bytes, size, err));
        wf_free(bytes);
    }
    snprintf(path, sizeof path, "%s/test.jsonl", planted_at("turned"));
    planted_rows(path, 99, 60, 1, 100);
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "turned", .path = planted_at("turned")}, NULL, err));
    check_ok(wf_remove(lab, "mine", NULL, err)); /* else a source for the other task */
    json_t *other = compared("turned", "fuse:auto:2", 60);
    assert_true(json_equal(chosen, chosen_of(other)));
    json_decref(other);
    json_decref(j);
    j = compared("target", "fuse:own,auto:1", 16);
    row = planted_find(json_object_get(j, "rows"), "method", "fuse:own,auto:1");
    assert_string_equal("own", json_string_value(json_array_get(json_object_get(row, "from"), 0)));
    assert_int_equal(2, json_array_size(json_object_get(row, "from")));
    json_decref(j);
    const char *wrong[][2] = {
        {"fuse:auto,auto:2", NULL}, {"fuse:auto:0", NULL}, {"fuse:auto", "fuse:auto:3"}, {"average:auto", NULL}};
    for (size_t i = 0; i < 4; i++)
        check_status(
            i < 3 ? WF_E_ARG : WF_E_NOTFOUND,
            wf_compare(lab,
                       &(wf_compare_spec){.task = "target", .methods = wrong[i], .method_count = wrong[i][1] ? 2 : 1},
                       NULL, err));
}

/* The gains of sources for a task that nothing explains are noise: no estimate is said to agree. */
static void test_check(void **state) {
    json_t *j = ranked(&(wf_rank_spec){.task = "target", .check = 1, .train = {.epochs = 4, .base_dtype = "f32"}});
    const json_t *check = json_object_get(j, "check"), *all = json_object_get(check, "correlation"), *one;
    const char *key;
    assert_int_equal(3, json_array_size(json_object_get(check, "sources"))); /* those that can be fused */
    assert_string_equal("test", json_string_value(json_object_get(check, "part")));
    const double head = planted_number(check, "head"), gain = planted_number(source(check, "one"), "gain");
    assert_true(fabs(gain - (planted_number(source(check, "one"), "score") - head)) < 1e-12);
    assert_true(gain > planted_number(source(check, "useless"), "gain"));
    assert_true(planted_number(json_object_get(all, "score"), "rho") > 0);
    json_object_foreach((json_t *)all, key, one) assert_true(json_is_false(json_object_get(one, "agrees"))); /* of 3 */
    json_decref(j);
    j = ranked(&(wf_rank_spec){.task = "empty", .rows = 60, .check = 1, .train = {.epochs = 1, .base_dtype = "f32"}});
    json_object_foreach(json_object_get(json_object_get(j, "check"), "correlation"), key, one)
        assert_true(json_is_false(json_object_get(one, "agrees")));
    check_ok(wf_log(lab, (int64_t)planted_number(j, "run"), NULL, err));
    check_status(WF_E_ARG, wf_resume(lab, (int64_t)planted_number(j, "run"), NULL, err));
    json_decref(j);
}

/* Targets of every kind have classes to be told. */
static void test_kinds(void **state) {
    static const struct {
        const char *name, *kind, *rows;
    } tasks[] = {{"amount", "regression", "{\"text\": \"the film was %s %d\", \"label\": %d.5}\n"},
                 {"marks", "multilabel", "{\"text\": \"the film was %s %d\", \"labels\": [\"m%d\"]}\n"},
                 {"choose", "multiple_choice",
                  "{\"text\": \"the film was %s %d\", \"choices\": [\"a\", \"good\"], \"label\": %d}\n"}};
    for (size_t k = 0; k < 3; k++) {
        char text[8000] = "";
        for (int i = 0; i < 60; i++)
            sprintf(text + strlen(text), tasks[k].rows, i % 2 ? "good" : "bad", i, i % 2); /* NOLINT */
        check_ok(wfi_dir_make(planted_at(tasks[k].name), err));
        tiny_write(planted_at(tasks[k].name), "train.jsonl", text);
        check_ok(wf_task_add(
            lab, &(wf_task_spec){.name = tasks[k].name, .path = planted_at(tasks[k].name), .kind = tasks[k].kind}, NULL,
            err));
        json_t *j = ranked(&(wf_rank_spec){.task = tasks[k].name});
        assert_true(planted_number(source(j, "one"), "neighbours") >= 0);
        assert_true(planted_number(source(j, "one"), "leep") <= 0);
        json_decref(j);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_useless_is_last), cmocka_unit_test(test_auto),
                                       cmocka_unit_test(test_auto_in_compare), cmocka_unit_test(test_check),
                                       cmocka_unit_test(test_kinds)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
