/* Tokens add up to what they explain, and each is what many small steps along the path give; words that decide are
 * found; an adapter that does nothing gives nothing. */
#include "planted.h"
#include "study/explain.h"
#include <math.h>

static wf_lab *lab;

static void train(const char *task, const char *method, const char *name, double epochs, double lr,
                  const char *const *from, size_t n) {
    check_ok(wf_train(lab,
                      &(wf_train_spec){.task = task,
                                       .method = method,
                                       .name = name,
                                       .epochs = epochs,
                                       .lr = lr,
                                       .from = from,
                                       .from_count = n,
                                       .keep_fusion = 1,
                                       .base_dtype = "f32",
                                       .base_dropout = -1},
                      NULL, err));
}

static int setup(void **state) {
    static const char *const from[] = {"mood", "raw"};
    lab = planted_lab();
    planted_task(lab, "moods", 1, 160, 20, 1, 0);
    check_ok(wfi_dir_make(planted_at("numbers"), err));
    char text[4000] = "text,label\n";
    for (int i = 0; i < 60; i++)
        sprintf(text + strlen(text), "the %s was %s %d,%d.5\n", i % 3 ? "film" : "book", i % 2 ? "good" : "bad", i,
                i % 2 ? 30 + i : i);
    tiny_write(planted_at("numbers"), "train.csv", text);
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "numbers", .path = planted_at("numbers"), .kind = "regression"},
                         NULL, err));
    planted_train(lab, "moods", "mood", 12, 0);
    planted_train(lab, "moods", "raw", 0.2, 1);
    train("moods", "fusion", "both", 6, 5e-3, from, 2);
    train("moods", "lora", "low", 4, 5e-3, NULL, 0);
    train("moods", "head", "head", 4, 5e-3, NULL, 0);
    train("numbers", "par_bn", "par", 2, 5e-3, NULL, 0);
    return 0;
}

static int teardown(void **state) {
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static json_t *explain(const char *model, const char *text, const char *label) {
    char *out = NULL;
    check_ok(wf_explain_text(lab, &(wf_explain_spec){.model = model, .text = text, .label = label}, &out, err));
    return planted_json(out);
}

static double attribution(const json_t *j, const char *token) {
    return planted_number(planted_find(json_object_get(j, "tokens"), "token", token), "attribution");
}

static void test_words_that_decide(void **state) {
    json_t *j = explain("mood", "the film was good and great 7", NULL), *other;
    assert_string_equal("positive", json_string_value(json_object_get(j, "label")));
    static const char *const rest[] = {"film", "was", "and", "the"};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        assert_true(attribution(j, "good") > fabs(attribution(j, rest[i])));
    assert_true(attribution(j, "[CLS]") == 0 && attribution(j, "[SEP]") == 0);
    other = explain("mood", "the film was good and great 7", "negative"); /* the other side of the same */
    assert_true(fabs(attribution(other, "good") + attribution(j, "good")) < 1e-4);
    assert_true(fabs(planted_number(other, "probability") + planted_number(j, "probability") - 1) < 1e-5);
    json_decref(other);
    json_decref(j);
    j = explain("mood", "the book was awful", NULL);
    assert_string_equal("negative", json_string_value(json_object_get(j, "label")));
    assert_true(attribution(j, "awful") > fabs(attribution(j, "book")));
    json_decref(j);
}

static void test_complete(void **state) {
    static const char *const models[] = {"mood", "both", "low", "head", "par"},
                             *const texts[] = {"the film was good", "a very bad , awful book and so is the fine song .",
                                               "good", ""};
    for (size_t m = 0; m < 5; m++)
        for (size_t k = 0; k < 4; k++) {
            json_t *j = explain(models[m], texts[k], NULL);
            double sum = 0;
            size_t i;
            const json_t *t;
            json_array_foreach(json_object_get(j, "tokens"), i, t) sum += planted_number(t, "attribution");
            assert_true(json_is_true(json_object_get(j, "complete")));
            assert_true(fabs(sum - planted_number(j, "sum")) < 1e-9);
            const double difference = planted_number(j, "value") - planted_number(j, "value_of_blank");
            assert_true(fabs(sum - difference) <= planted_number(j, "allowed") + 1e-9);
            assert_true(planted_number(j, "allowed") <= 0.01 * fmax(60, fabs(difference)));
            json_decref(j);
        }
}

/* The integral by 400 central differences along each token's part of the way. */
static void test_against_differences(void **state) {
    enum { STEPS = 400 };
    wf_explain e;
    float logits[2];
    double got[16];
    int points = 0;
    check_ok(wfi_explain_open(lab, &(wf_explain_spec){.model = "both", .text = "the film was good"}, &e, err));
    check_ok(wfi_explain_label(&e, NULL, logits, err));
    check_ok(wfi_explain_tokens(&e, 0, -1, got, &points, err)); /* never satisfied: as many points as there can be */
    float *x = malloc((size_t)(e.T * e.H) * sizeof *x);
    for (int64_t t = 1; t + 1 < e.T; t++) {
        double sum = 0;
        for (int k = 0; k < STEPS; k++) {
            double side[2];
            for (int s = 0; s < 2; s++) {
                const double a = (k + 0.5) / STEPS;
                for (int64_t i = 0; i < e.T * e.H; i++) {
                    const double way = (double)e.x[i] - (double)e.blank[i];
                    x[i] = (float)((double)e.blank[i] + (a + (i / e.H == t ? s ? 0.01 : -0.01 : 0)) * way);
                }
                check_ok(wfi_explain_value(&e, x, NULL, &side[s], err));
            }
            sum += (side[1] - side[0]) / 0.02 / STEPS;
        }
        if (!(fabs(sum - got[t]) < 2e-3 * (1 + fabs(sum)))) fail_msg("token %d: %g, not %g", (int)t, got[t], sum);
    }
    free(x);
    wfi_explain_clear(&e);
}

static void test_adapters(void **state) {
    json_t *j = explain("both", "the film was good", NULL);
    const json_t *list = json_object_get(j, "adapters"), *mood = planted_find(list, "adapter", "mood"),
                 *raw = planted_find(list, "adapter", "raw");
    assert_true(planted_number(mood, "gives") > 3 * fabs(planted_number(raw, "gives")));
    assert_true(fabs(planted_number(j, "value") - planted_number(mood, "gives") -
                     planted_number(mood, "value_without")) < 1e-6);
    assert_true(planted_number(mood, "probability_without") < planted_number(j, "probability"));
    json_decref(j);
    j = explain("head", "the film was good", NULL);
    assert_int_equal(0, json_array_size(json_object_get(j, "adapters")));
    json_decref(j);
    j = explain("low", "the film was good", NULL);
    assert_int_equal(1, json_array_size(json_object_get(j, "adapters")));
    json_decref(j);
}

static void test_mistakes_and_page(void **state) {
    check_status(WF_E_ARG, wf_explain_text(lab, &(wf_explain_spec){.model = "mood"}, NULL, err));
    check_status(WF_E_NOTFOUND, wf_explain_text(lab, &(wf_explain_spec){.model = "absent", .text = "x"}, NULL, err));
    check_status(WF_E_ARG,
                 wf_explain_text(lab, &(wf_explain_spec){.model = "mood", .text = "x", .label = "neither"}, NULL, err));
    check_status(WF_E_ARG,
                 wf_explain_text(lab, &(wf_explain_spec){.model = "mood", .text = "x", .tolerance = -1}, NULL, err));
    char *text = NULL, *page = NULL;
    size_t size = 0;
    check_ok(
        wf_explain_text(lab, &(wf_explain_spec){.model = "both", .text = "<script>good</script> & fine"}, &text, err));
    check_ok(wf_explain_page(text, planted_at("why.html"), err));
    check_status(WF_E_DATA, wf_explain_page("{", planted_at("why.html"), err));
    wf_free(text);
    check_ok(wfi_file_read(planted_at("why.html"), 1 << 20, &page, &size, err));
    assert_non_null(strstr(page, "&lt;"));
    assert_null(strstr(page, "<script"));
    assert_non_null(strstr(page, "color-mix"));
    assert_non_null(strstr(page, "each taken out exactly"));
    wf_free(page);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words_that_decide), cmocka_unit_test(test_complete),
                                       cmocka_unit_test(test_against_differences), cmocka_unit_test(test_adapters),
                                       cmocka_unit_test(test_mistakes_and_page)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
