/* Every form of method that a comparison takes, what it costs, which of them may be called better; a mean of adapters
 * by hand; the best source is the one dev likes best; refusals. */
#include "base/alloc.h"
#include "base/json.h"
#include "in_lab.h"
#include "lab/compare_cell.h"
#include "lab/mean.h"
#include "weft/weft.h"
#include <math.h>

static wf_lab *lab;

static int setup(void **state) {
    (void)state;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    tiny_base(at("base"));
    check_ok(wf_lab_init(at("lab"), err));
    check_ok(wf_lab_open(at("lab"), &lab, err));
    wf_lab_threads(lab, 1);
    check_ok(wf_base_add(lab, "tiny", at("base"), NULL, err));
    const char *const tasks[] = {"reviews", "notes", "target"};
    for (int i = 0; i < 3; i++) {
        tiny_task(at(tasks[i]), (uint64_t)i + 1, i == 2 ? 120 : 200, 40, 80);
        check_ok(wf_task_add(lab, &(wf_task_spec){.name = tasks[i], .path = at(tasks[i])}, NULL, err));
    }
    for (int i = 0; i < 2; i++) { /* the second has learned nothing */
        const wf_train_spec spec = {.task = tasks[i],
                                    .method = "seq_bn[reduction_factor=4]",
                                    .name = i ? "poor" : "rich",
                                    .epochs = i ? 1 : 20,
                                    .lr = i ? 1e-9 : 5e-3};
        check_ok(wf_train(lab, &spec, NULL, err));
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wf_lab_close(lab);
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

static json_t *compared(const char *const *methods, size_t count, int64_t rows, int seeds) {
    char *text = NULL;
    const wf_compare_spec c = {.task = "target",
                               .methods = methods,
                               .method_count = count,
                               .rows = &rows,
                               .rows_count = 1,
                               .seeds = seeds,
                               .train = {.epochs = 6}};
    check_ok(wf_compare(lab, &c, &text, err));
    return parsed(text);
}

static json_t *row_of(const json_t *j, const char *method, int seed) {
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(j, "rows"), i,
                       row) if (strcmp(json_string_value(json_object_get(row, "method")), method) == 0 &&
                                json_integer_value(json_object_get(row, "seed")) == seed) return row;
    fail_msg("no row of %s", method);
    return NULL;
}

static double number(const json_t *row, const char *key) {
    return json_number_value(json_object_get(row, key));
}

static void test_every_form(void **state) {
    (void)state;
    static const char *const methods[] = {"head",
                                          "seq_bn[reduction_factor=4]",
                                          "average:rich,poor",
                                          "weighted:rich,poor",
                                          "best:poor,rich",
                                          "joint:reviews,notes@seq_bn[reduction_factor=4]",
                                          "multihead:reviews",
                                          "fuse:rich,poor",
                                          "fuse:own,rich,poor",
                                          "mtfuse:reviews,notes@static"};
    enum { METHODS = sizeof methods / sizeof *methods };
    json_t *j = compared(methods, METHODS, 40, 2);
    assert_int_equal(2 * METHODS, json_array_size(json_object_get(j, "rows")));
    assert_int_equal(METHODS, json_array_size(json_object_get(j, "summary")));
    for (int i = 0; i < METHODS; i++) {
        const json_t *row = row_of(j, methods[i], 1);
        assert_int_equal(40, json_integer_value(json_object_get(row, "train_rows"))); /* of the target, whoever helps */
        assert_string_equal("target", json_string_value(json_object_get(row, "task")));
        assert_true(number(json_object_get(row, "gap"), "train_rows") == 40);
        assert_true(number(json_object_get(row, "metrics"), "accuracy") > 0.3);
        assert_true(number(row, "tokens") > 0 && number(row, "wall_seconds") > 0);
        assert_null(json_object_get(row, "heads"));
    }
    const double head = number(row_of(j, "head", 0), "trainable_params"),
                 adapter = number(row_of(j, methods[1], 0), "trainable_params"),
                 fusion = number(row_of(j, "fuse:rich,poor", 0), "trainable_params");
    for (int i = 2; i < 5; i++) assert_true(number(row_of(j, methods[i], 0), "trainable_params") == head);
    assert_true(number(row_of(j, methods[8], 0), "trainable_params") ==
                fusion + adapter); /* own: a head and an adapter */
    assert_true(number(row_of(j, methods[8], 0), "tokens") > number(row_of(j, methods[7], 0), "tokens"));
    assert_true(number(row_of(j, methods[3], 0), "tokens") > 2 * number(row_of(j, methods[2], 0), "tokens"));
    assert_string_equal("rich", json_string_value(json_object_get(row_of(j, "best:poor,rich", 0), "chosen")));
    const json_t *weights = json_object_get(row_of(j, "weighted:rich,poor", 0), "weights");
    assert_true(json_number_value(json_array_get(weights, 0)) > json_number_value(json_array_get(weights, 1)));
    const json_t *tests = json_object_get(j, "tests"), *t; /* three that fuse against seven that do not */
    assert_int_equal(21, json_array_size(tests));
    size_t i;
    json_array_foreach(tests, i, t) {
        const json_t *a = row_of(j, json_string_value(json_object_get(t, "a")), 0),
                     *a1 = row_of(j, json_string_value(json_object_get(t, "a")), 1),
                     *b = row_of(j, json_string_value(json_object_get(t, "b")), 0),
                     *b1 = row_of(j, json_string_value(json_object_get(t, "b")), 1);
        const double d =
            (number(json_object_get(a, "metrics"), "accuracy") + number(json_object_get(a1, "metrics"), "accuracy") -
             number(json_object_get(b, "metrics"), "accuracy") - number(json_object_get(b1, "metrics"), "accuracy")) /
            2;
        assert_true(fabs(d - number(t, "difference")) < 1e-9); /* of the mean over the seeds */
        assert_true(number(t, "p_holm") >= number(t, "p") && number(t, "p") > 0 && number(t, "p_holm") <= 1);
    }
    json_decref(j);
}

/* A head alone against an adapter that has learned the words: they are told apart; the same thing twice is not. */
static void test_what_may_be_claimed(void **state) {
    (void)state;
    static const char *const methods[] = {"average:poor", "best:poor", "average:rich"};
    json_t *j = compared(methods, 3, 60, 3);
    const json_t *tests = json_object_get(j, "tests");
    assert_int_equal(2, json_array_size(tests)); /* no fusion: the last against the others */
    for (int i = 0; i < 2; i++)
        assert_string_equal("average:rich",
                            json_string_value(json_object_get(json_array_get(tests, (size_t)i), "better")));
    json_decref(j);
    static const char *const same[] = {"average:poor", "best:poor"};
    j = compared(same, 2, 60, 3);
    const json_t *t = json_array_get(json_object_get(j, "tests"), 0);
    assert_true(json_is_null(json_object_get(t, "better")));
    assert_true(number(t, "difference") == 0 && number(t, "p_holm") == 1);
    json_decref(j);
}

static int cancel_second(const wf_progress *p, void *user) {
    return p->note && ++*(int *)user == 3;
}

static void test_resumed(void **state) {
    (void)state;
    static const char *const methods[] = {"best:poor,rich", "fuse:own,rich"};
    const int64_t rows = 40;
    const wf_compare_spec c = {.task = "target",
                               .methods = methods,
                               .method_count = 2,
                               .rows = &rows,
                               .rows_count = 1,
                               .seeds = 2,
                               .train = {.epochs = 3}};
    char *text = NULL;
    int seen = 0;
    check_ok(wf_compare(lab, &c, &text, err));
    json_t *whole = parsed(text);
    wf_lab_progress(lab, cancel_second, &seen);
    check_status(WF_E_CANCELLED, wf_compare(lab, &c, NULL, err));
    wf_lab_progress(lab, NULL, NULL);
    check_ok(wf_resume(lab, json_integer_value(json_object_get(whole, "run")) + 1, &text, err));
    json_t *broken = parsed(text);
    assert_true(json_equal(json_object_get(whole, "tests"), json_object_get(broken, "tests")));
    json_decref(whole);
    json_decref(broken);
}

static void refused(const char *method, wf_status status, const char *what) {
    wf_err e = {0};
    const char *methods[] = {"head", method};
    const wf_compare_spec c = {.task = "target", .methods = methods, .method_count = 2, .seeds = 1};
    assert_int_equal(status, wf_compare(lab, &c, NULL, &e));
    if (!strstr(e.text, what)) fail_msg("%s: %s", method, e.text);
}

static void test_refused(void **state) {
    (void)state;
    refused("fuse:", WF_E_ARG, "a name is missing");
    refused("fuse:rich,", WF_E_ARG, "a name is missing");
    refused("fuse:rich,,poor", WF_E_ARG, "a name is missing");
    refused("average:rich,rich", WF_E_ARG, "\"rich\" stands twice");
    refused("fuse:absent", WF_E_NOTFOUND, "absent");
    refused("average:own", WF_E_NOTFOUND, "own"); /* only a fusion has one */
    refused("average:rich@linear", WF_E_ARG, "takes no @");
    refused("fuse:rich@", WF_E_ARG, "nothing stands behind the @");
    refused("joint:target", WF_E_ARG, "is compared itself");
    refused("joint:rich", WF_E_NOTFOUND, "rich");
    refused("joint:reviews@full", WF_E_ARG, "multihead:");
    refused("joint:reviews@sequence", WF_E_ARG, "is not known");
    refused("head", WF_E_ARG, "stands twice");
    const char *methods[] = {"fuse:rich", "fusion:rich@dynamic"};
    wf_err e = {0};
    const wf_compare_spec c = {.task = "target", .methods = methods, .method_count = 2, .seeds = 1};
    assert_int_equal(WF_E_ARG, wf_compare(lab, &c, NULL, &e));
    assert_non_null(strstr(e.text, "are the same"));
}

static void test_mean_of_adapters(void **state) {
    (void)state;
    const wf_base_shape shape = {.layers = 2, .hidden_size = 32, .intermediate_size = 64};
    wf_adapter *a[3] = {0}, *mean = NULL;
    for (int i = 0; i < 2; i++) check_ok(wfi_adapter_new(i ? "b" : "a", "lora[r=2]", &shape, (uint64_t)i, &a[i], err));
    check_ok(wfi_adapter_new("c", "lora[r=4]", &shape, 1, &a[2], err));
    const double weights[] = {3, 1, 1};
    check_ok(wfi_adapters_mean(a, weights, 2, "m", &mean, err));
    for (int64_t k = 0; k < mean->params.total; k++)
        assert_true(fabs((double)mean->params.data[k] -
                         (0.75 * (double)a[0]->params.data[k] + 0.25 * (double)a[1]->params.data[k])) < 1e-7);
    wfi_adapter_free(mean);
    wf_err e = {0};
    assert_int_equal(WF_E_ARG, wfi_adapters_mean(a, weights, 3, "m", &mean, &e));
    assert_non_null(strstr(e.text, "\"a\" and \"c\" have different configurations"));
    assert_int_equal(WF_E_ARG, wfi_adapters_mean(a, (double[]){0, 0}, 2, "m", &mean, &e));
    assert_int_equal(WF_E_ARG, wfi_adapters_mean(a, (double[]){-1, 2}, 2, "m", &mean, &e));
    for (int i = 0; i < 3; i++) wfi_adapter_free(a[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_form), cmocka_unit_test(test_what_may_be_claimed),
                                       cmocka_unit_test(test_resumed), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_mean_of_adapters)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
