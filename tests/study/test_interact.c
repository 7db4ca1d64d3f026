/* A source that misleads is found harmful, one that knows nothing useless, one that knows the answer helpful; where
 * labels are drawn by lot nothing is claimed. What leaving out changes is what a fusion without it says. */
#include "planted.h"
#include <math.h>

static wf_lab *lab;

/* Mood and noun each are a sign; the label is one of them, both (they agree, or the noun is turned, always or in half
 * of the rows), or drawn by lot.
 */
typedef enum rule { MOOD, NOUN, BOTH, TURNED, MIXED, LOT } rule;

static void rows_write(const char *file, uint64_t salt, int rows, rule r) {
    static const char *const words[2][4] = {{"bad", "awful", "poor", "dull"}, {"good", "great", "fine", "lovely"}},
                             *const nouns[2] = {"book", "film"};
    const uint64_t key = wfi_random_key(salt, "signs", 0, 0);
    char *text = calloc((size_t)rows + 1, 160);
    size_t n = 0;
    for (int i = 0; i < rows; i++) {
        const uint64_t at = 8 * (uint64_t)i;
        const int sign = i % 2, mood = r == NOUN || r == LOT ? (int)wfi_random_below(key, at, 2) : sign,
                  noun = r == MOOD || r == LOT                      ? (int)wfi_random_below(key, at + 1, 2)
                         : r == TURNED || (r == MIXED && i % 4 < 2) ? !sign
                                                                    : sign;
        n += (size_t)sprintf(text + n, "{\"text\": \"the %s %s %s and %s %d\", \"label\": \"%s\"}\n", nouns[noun],
                             i % 3 ? "was" : "is very", words[mood][wfi_random_below(key, at + 2, 4)],
                             words[mood][wfi_random_below(key, at + 3, 4)], i, sign ? "positive" : "negative");
    }
    check_ok(wfi_file_write(file, text, n, err));
    free(text);
}

static void task_make(const char *name, uint64_t salt, int test, rule r) {
    static const char *const parts[] = {"train", "dev", "test"};
    char path[600];
    const int counts[] = {120, 40, test};
    check_ok(wfi_dir_make(planted_at(name), err));
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s.jsonl", planted_at(name), parts[i]);
        rows_write(path, salt * 10 + (uint64_t)i, counts[i], r);
    }
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = name, .path = planted_at(name)}, NULL, err));
}

static void fuse(const char *task, const char *name, const char *const *from, size_t n, double lr) {
    check_ok(wf_train(lab,
                      &(wf_train_spec){.task = task,
                                       .method = "fusion",
                                       .name = name,
                                       .from = from,
                                       .from_count = n,
                                       .keep_fusion = 1,
                                       .epochs = 8,
                                       .lr = lr,
                                       .base_dtype = "f32",
                                       .base_dropout = -1},
                      NULL, err));
}

static json_t *interact(const char *model, const char *task, double margin) {
    char *text = NULL;
    check_ok(wf_study_interact(lab, &(wf_interact_spec){.model = model, .task = task, .margin = margin}, &text, err));
    return planted_json(text);
}

static int setup(void **state) {
    static const char *const signs[] = {"mood", "noun", "raw"}, *const raws[] = {"raw", "raw2", "raw3"};
    lab = planted_lab();
    task_make("moods", 1, 20, MOOD);
    task_make("nouns", 2, 20, NOUN);
    task_make("both", 3, 160, BOTH);
    task_make("turned", 4, 160, TURNED);
    task_make("mixed", 6, 160, MIXED);
    task_make("lots", 5, 200, LOT);
    planted_train(lab, "moods", "mood", 12, 0);
    planted_train(lab, "nouns", "noun", 12, 0);
    planted_train(lab, "moods", "raw", 0.2, 1);
    planted_train(lab, "moods", "raw2", 0.2, 2);
    planted_train(lab, "nouns", "raw3", 0.2, 3);
    fuse("both", "signs", signs, 3, 5e-3);
    fuse("lots", "blind", raws, 3, 1e-4);
    return 0;
}

static int teardown(void **state) {
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static const json_t *effect(const json_t *j, const char *adapter, const char *which) {
    return json_object_get(planted_find(json_object_get(j, "each"), "adapter", adapter), which);
}

static void verdict_is(const json_t *effect, const char *want) {
    const char *is = json_string_value(json_object_get(effect, "verdict"));
    if (!is || strcmp(is, want) != 0) {
        char *text = json_dumps(effect, 0);
        fail_msg("verdict %s, not %s: %s", is ? is : "none", want, text);
    }
}

static void test_too_few_rows_for_useless(void **state) {
    json_t *j = interact("signs", NULL, 0.001);
    const json_t *gives = effect(j, "raw", "gives");
    assert_true(fabs(json_number_value(json_object_get(gives, "value"))) < 1e-9); /* no answer changes */
    assert_true(json_is_null(json_object_get(gives, "verdict")));
    json_decref(j);
}

static void test_planted(void **state) {
    json_t *j = interact("signs", "turned", 0.02);
    size_t i, k;
    double sum = 0;
    const json_t *pair, *one, *cka = json_object_get(json_object_get(j, "likeness"), "cka"), *v;
    verdict_is(effect(j, "noun", "gives"), "harms"); /* it looks at the noun, which is turned here */
    verdict_is(effect(j, "noun", "gives_alone"), "harms");
    verdict_is(effect(j, "mood", "gives_alone"), "helps");
    verdict_is(effect(j, "raw", "gives"), "useless");
    pair = planted_find(json_object_get(j, "pairs"), "b", "noun"); /* together with mood: the noun wins */
    verdict_is(json_object_get(pair, "alone"), "interference");
    verdict_is(json_object_get(pair, "inside"), "interference");
    json_array_foreach(json_object_get(j, "each"), i, one) sum += planted_number(one, "attention");
    assert_true(fabs(sum - 1) < 1e-6);
    /* An untrained adapter does next to nothing: the head sees what it sees without any. */
    assert_true(json_number_value(json_array_get(json_array_get(cka, 2), 3)) > 0.99);
    assert_true(json_number_value(json_array_get(json_array_get(cka, 0), 1)) < 0.97);
    json_array_foreach(json_object_get(json_object_get(j, "gradients"), "cosine"), i, one) json_array_foreach(one, k, v)
        assert_true(fabs(json_number_value(v)) <= 1 + 1e-9 && (i != k || json_number_value(v) == 1));
    assert_int_equal(4, i);
    json_decref(j);
    j = interact("signs", NULL, 0.02);
    verdict_is(effect(j, "raw", "gives"), "useless");
    json_array_foreach(json_object_get(j, "each"), i, one) {
        const char *in = json_string_value(json_object_get(json_object_get(one, "gives"), "verdict"));
        assert_true(!in || strcmp(in, "harms") != 0);
    }
    json_decref(j);
}

/* Where the noun misleads the fusion, mood alone is right; what knows nothing differs no more on errors. */
static void test_failures_name_the_source(void **state) {
    static const char *const fusions[] = {"signs", "blind"};
    char *text = NULL;
    check_ok(
        wf_study_failures(lab, &(wf_failures_spec){.models = fusions, .model_count = 1, .task = "mixed"}, &text, err));
    json_t *j = planted_json(text);
    const json_t *model = json_array_get(json_object_get(j, "models"), 0), *sources = json_object_get(model, "sources"),
                 *list = json_object_get(sources, "list"), *mood = planted_find(list, "adapter", "mood"),
                 *one = json_array_get(json_object_get(sources, "examples"), 0);
    const double errors = planted_number(model, "errors");
    assert_true(errors > 40 && json_is_true(json_object_get(mood, "knows_better")));
    assert_false(json_is_true(json_object_get(planted_find(list, "adapter", "noun"), "knows_better")));
    assert_true(planted_number(mood, "right_where_wrong") > 0.6 * errors);
    assert_true(planted_number(sources, "errors_with_right_source") >= planted_number(mood, "right_where_wrong"));
    assert_true(planted_number(sources, "oracle_error_rate") < 0.4 * planted_number(model, "error_rate"));
    assert_true(planted_number(sources, "looked_elsewhere") > 0.5 * planted_number(sources, "watched"));
    assert_true(json_array_size(json_object_get(one, "right")) > 0);
    assert_true(fabs(planted_number(json_object_get(one, "attention"), "mood") +
                     planted_number(json_object_get(one, "attention"), "noun") +
                     planted_number(json_object_get(one, "attention"), "raw") - 1) < 1e-6);
    json_decref(j);
    check_ok(wf_study_failures(lab, &(wf_failures_spec){.models = fusions + 1, .model_count = 1}, &text, err));
    j = planted_json(text);
    size_t i;
    model = json_array_get(json_object_get(j, "models"), 0);
    json_array_foreach(json_object_get(json_object_get(model, "sources"), "list"), i, one)
        assert_false(json_is_true(json_object_get(one, "knows_better")));
    assert_int_equal(3, i);
    json_decref(j);
}

static void test_mistakes_and_report(void **state) {
    static const wf_interact_spec wrong[] = {{.model = NULL},
                                             {.model = "mood"},
                                             {.model = "signs", .margin = -1},
                                             {.model = "signs", .resamples = 5},
                                             {.model = "signs", .rows = -2}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_status(WF_E_ARG, wf_study_interact(lab, &wrong[i], NULL, err));
    check_status(WF_E_NOTFOUND, wf_study_interact(lab, &(wf_interact_spec){.model = "absent"}, NULL, err));
    char *text = NULL;
    size_t size = 0;
    check_ok(wf_report(lab, planted_at("page.html"), NULL, err));
    check_ok(wfi_file_read(planted_at("page.html"), 1 << 26, &text, &size, err));
    static const char *const wants[] = {"Interaction: signs", "noun harms", "raw is useless",
                                        "more than the sum",  "gradients",  "how alike"};
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        if (!strstr(text, wants[i])) fail_msg("\"%s\" is not in the report", wants[i]);
    wf_free(text);
}

static void test_nothing_to_claim(void **state) {
    json_t *j = interact("blind", NULL, 0);
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(j, "each"), i, one) {
        const char *in = json_string_value(json_object_get(json_object_get(one, "gives"), "verdict")),
                   *alone = json_string_value(json_object_get(json_object_get(one, "gives_alone"), "verdict"));
        assert_true((!in || strcmp(in, "useless") == 0) && (!alone || strcmp(alone, "useless") == 0));
    }
    assert_int_equal(3, i);
    json_array_foreach(json_object_get(j, "pairs"), i, one) {
        assert_true(json_is_null(json_object_get(json_object_get(one, "alone"), "verdict")));
        assert_true(json_is_null(json_object_get(json_object_get(one, "inside"), "verdict")));
    }
    assert_int_equal(3, i);
    json_decref(j);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_too_few_rows_for_useless), cmocka_unit_test(test_planted),
                                       cmocka_unit_test(test_nothing_to_claim),
                                       cmocka_unit_test(test_failures_name_the_source),
                                       cmocka_unit_test(test_mistakes_and_report)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
