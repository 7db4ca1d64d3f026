/* A model card says what the lab has recorded and nothing else, and no name or label becomes markup. */
#include "planted.h"
#include <unistd.h>

static wf_lab *lab;

static char *card(const char *name, const char *file) {
    char *bytes = NULL, *text, path[512];
    size_t size = 0;
    snprintf(path, sizeof path, "%s", planted_at(file));
    check_ok(wf_card_write(lab, name, path, &text, err));
    json_t *j = planted_json(text);
    assert_string_equal(path, json_string_value(json_object_get(j, "card")));
    check_ok(wfi_file_read(path, 1 << 24, &bytes, &size, err));
    assert_int_equal(size, planted_number(j, "bytes"));
    json_decref(j);
    return bytes;
}

static void has(const char *text, const char *want) {
    if (!strstr(text, want)) fail_msg("\"%s\" is not in: %s", want, text);
}

static void lacks(const char *text, const char *never) {
    if (strstr(text, never)) fail_msg("\"%s\" is in: %s", never, text);
}

static int setup(void **state) {
    (void)state;
    lab = planted_lab();
    planted_task(lab, "biased", 1, 160, 160, 4, 60);
    planted_train(lab, "biased", "model", 12, 0);
    tiny_write(planted_top, "evil.csv",
               "text,label\ngood film,<b>|x|\nbad film,[a](b)`*_\na film,<b>|x|\nthe film,[a](b)`*_\n"
               "fine film,<b>|x|\nawful film,[a](b)`*_\nsong,<b>|x|\nbook,[a](b)`*_\n");
    check_ok(wf_task_add(
        lab, &(wf_task_spec){.name = "evil", .path = planted_at("evil.csv"), .dev_share = 0.25, .test_share = 0.25},
        NULL, err));
    planted_train(lab, "evil", "evil_model", 1, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static void test_nothing_measured(void **state) {
    (void)state;
    static const char *const fields[] = {"Uses outside of this task",
                                         "Intervals from",
                                         "Loss when texts are disturbed",
                                         "Calibration error",
                                         "Worst group",
                                         "Largest gap of false alarms or misses between groups",
                                         "Texts in which identities changed places",
                                         "Kinds of rows with more errors"};
    char *text = card("model", "bare.md");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char want[128];
        snprintf(want, sizeof want, "- **%s**: not measured\n", fields[i]);
        has(text, want);
    }
    has(text, "# model\n");
    has(text, "- **Train rows**: 160\n");
    has(text, "- **Run**: 1\n");
    has(text, "- **Labels it can give**: negative, positive\n");
    has(text, "| negative | 80 | 20 | ");
    has(text, "| accuracy | ");
    lacks(text, "told apart from chance");
    lacks(text, "nan");
    lacks(text, planted_top); /* where the data lies is nobody's business */
    wf_free(text);
}

/* What stands in the card stands in the records. */
static void test_records(void **state) {
    (void)state;
    const char *models[] = {"model"}, *kinds[] = {"typo"};
    char *text = NULL, want[256], *page;
    check_ok(wf_study_robust(
        lab, &(wf_robust_spec){.models = models, .model_count = 1, .kinds = kinds, .kind_count = 1, .resamples = 100},
        &text, err));
    json_t *robust = planted_json(text);
    check_ok(wf_study_fair(lab, &(wf_fair_spec){.models = models, .model_count = 1, .resamples = 100}, &text, err));
    json_t *fair = planted_json(text);
    check_ok(wf_study_failures(lab, &(wf_failures_spec){.models = models, .model_count = 1}, &text, err));
    json_decref(planted_json(text));
    check_ok(wf_inspect(lab, "model", &text, err));
    json_t *info = planted_json(text);
    text = card("model", "full.md");
    page = card("model", "full.html");
    const json_t *m = json_array_get(json_object_get(robust, "models"), 0),
                 *accuracy = json_object_get(json_object_get(json_object_get(m, "clean"), "metrics"), "accuracy"),
                 *first =
                     json_array_get(json_object_get(json_array_get(json_object_get(fair, "models"), 0), "groups"), 0),
                 *errors = json_object_get(first, "errors");
    snprintf(want, sizeof want, "| accuracy | %.1f | %.1f | %.1f to %.1f |",
             100 * planted_number(json_object_get(info, "dev"), "accuracy"),
             100 * planted_number(json_object_get(info, "test"), "accuracy"), 100 * planted_number(accuracy, "low"),
             100 * planted_number(accuracy, "high"));
    has(text, want);
    has(text, json_string_value(json_object_get(info, "hash")));
    has(text, json_string_value(json_object_get(info, "base_hash")));
    has(text, json_string_value(json_object_get(info, "task_hash")));
    snprintf(want, sizeof want, "- **Loss when texts are disturbed**: %.1f of accuracy",
             100 * planted_number(json_object_get(json_object_get(m, "disturbed"), "drop"), "value"));
    has(text, want);
    has(text, "- **Disturbances that cost more than chance explains**: typo\n");
    has(text, "- **Worst group**: g3\n");
    snprintf(want, sizeof want, "- g3 has more errors than the rest: %.1f against %.1f percent",
             100 * planted_number(errors, "rate"), 100 * planted_number(errors, "rest_rate"));
    has(text, want);
    has(text, "- More errors than the rest in group: g3");
    has(page, "<li><strong>Worst group</strong>: g3</li>");
    has(page, "<!doctype html>");
    lacks(page, "nan");
    wf_free(text);
    wf_free(page);
    json_decref(robust);
    json_decref(fair);
    json_decref(info);
}

/* A model of another day by the same name has not been studied. */
static void test_same_name(void **state) {
    (void)state;
    check_ok(wf_remove(lab, "model", NULL, err));
    planted_train(lab, "biased", "model", 1, 3);
    char *text = card("model", "again.md");
    has(text, "- **Worst group**: not measured\n");
    has(text, "- **Loss when texts are disturbed**: not measured\n");
    wf_free(text);
}

static void test_escapes(void **state) {
    (void)state;
    char *text = card("evil_model", "evil.md"), *page = card("evil_model", "evil.HTML");
    has(text, "# evil\\_model\n");
    has(text, "\\<b\\>\\|x\\|");
    has(text, "\\[a\\](b)\\`\\*\\_");
    lacks(text, "<b>");
    lacks(text, "[a](b)");
    has(page, "&lt;b&gt;|x|");
    lacks(page, "<b>");
    wf_free(text);
    wf_free(page);
}

static void test_mistakes(void **state) {
    (void)state;
    check_status(WF_E_NOTFOUND, wf_card_write(lab, "nobody", planted_at("x.md"), NULL, err));
    check_status(WF_E_ARG, wf_card_write(lab, NULL, planted_at("x.md"), NULL, err));
    check_status(WF_E_ARG, wf_card_write(lab, "model", planted_top, NULL, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_measured), cmocka_unit_test(test_records),
                                       cmocka_unit_test(test_same_name), cmocka_unit_test(test_escapes),
                                       cmocka_unit_test(test_mistakes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
