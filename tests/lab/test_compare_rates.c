/* A comparison's learning rates: one of a method's own, and those chosen on dev, where the good one is planted; an
 * unbroken and a broken comparison; what a training is counted to hold. */
#include "base/alloc.h"
#include "in_lab.h"
#include "lab/compare_cell.h"
#include <math.h>

static wf_lab *lab;
static const double ABSURD = 1e-12, GOOD = 5e-3;

static void labels_flip(const char *file) {
    char *text = NULL;
    size_t n = 0;
    check_ok(wfi_file_read(file, 1 << 20, &text, &n, err));
    for (char *at_label = text; (at_label = strstr(at_label, "\"label\": \"")) != NULL; at_label++)
        memcpy(at_label + 10, at_label[10] == 'p' ? "negative" : "positive", 8);
    check_ok(wfi_file_write(file, text, n, err));
    wfi_free(text);
}

static int setup(void **state) {
    (void)state;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    tiny_base(at("base"));
    check_ok(wf_lab_init(at("lab"), err));
    check_ok(wf_lab_open(at("lab"), &lab, err));
    wf_lab_threads(lab, 1);
    check_ok(wf_base_add(lab, "tiny", at("base"), NULL, err));
    tiny_task(at("reviews"), 1, 200, 40, 80);
    tiny_task(at("target"), 2, 120, 40, 80);
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "reviews", .path = at("reviews")}, NULL, err));
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "target", .path = at("target")}, NULL, err));
    tiny_task(at("flipped"), 4, 120, 40, 80);
    labels_flip(at("flipped/test.jsonl"));
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "flipped", .path = at("flipped")}, NULL, err));
    tiny_task(at("blind"), 3, 4, 1, 4); /* too few to take dev from train */
    check_ok(wfi_tree_remove(at("blind/dev.jsonl"), err));
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "blind", .path = at("blind")}, NULL, err));
    const wf_train_spec spec = {
        .task = "reviews", .method = "seq_bn[reduction_factor=4]", .name = "rich", .epochs = 10, .lr = GOOD};
    check_ok(wf_train(lab, &spec, NULL, err));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wf_lab_close(lab);
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

static double number(const json_t *j, const char *key) {
    return json_number_value(json_object_get(j, key));
}

static const int64_t ROWS = 60;
static wf_compare_spec spec_of(const char *const *methods, size_t count, int seeds) {
    return (wf_compare_spec){.task = "target",
                             .methods = methods,
                             .method_count = count,
                             .rows = &ROWS,
                             .rows_count = 1,
                             .seeds = seeds,
                             .train = {.epochs = 4}};
}

static json_t *compared(const wf_compare_spec *c) {
    char *text = NULL;
    check_ok(wf_compare(lab, c, &text, err));
    return parsed(text);
}

/* The absurd rate stands first, where it would win a tie. Whatever a method trains gets the good one; the scores are
 * those of a comparison that was given it. */
static void test_planted_rate_is_chosen(void **state) {
    (void)state;
    static const char *const methods[] = {"head", "seq_bn[reduction_factor=4]", "best:rich", "fuse:own,rich",
                                          "head@lr=1e-9"};
    static const double rates[] = {1e-12, 5e-3};
    wf_compare_spec c = spec_of(methods, 5, 2);
    c.tune_lr = rates;
    c.tune_lr_count = 2;
    json_t *j = compared(&c);
    const json_t *tuning = json_object_get(j, "tuning"), *one, *row;
    size_t i, own = 0;
    assert_int_equal(5, json_array_size(tuning)); /* head, seq_bn, best's source, the fusion, its own adapter */
    json_array_foreach(tuning, i, one) {
        const json_t *trials = json_object_get(one, "trials"), *bad = json_array_get(trials, 0),
                     *good = json_array_get(trials, 1);
        own += json_is_string(json_object_get(one, "part")) &&
               strcmp(json_string_value(json_object_get(one, "part")), "own") == 0;
        assert_int_equal(2, json_array_size(trials));
        assert_true(number(bad, "lr") <= ABSURD && number(good, "lr") >= GOOD);
        assert_true(number(good, "dev") > number(bad, "dev"));
        assert_true(number(one, "lr") >= GOOD && number(one, "train_rows") == 60);
        assert_true(number(one, "tokens") >= number(good, "tokens") + number(bad, "tokens"));
        assert_string_not_equal(methods[4], json_string_value(json_object_get(one, "method")));
    }
    assert_int_equal(1, own);
    json_array_foreach(json_object_get(j, "rows"), i, row) {
        const bool fixed = strcmp(json_string_value(json_object_get(row, "method")), methods[4]) == 0;
        assert_true(fixed ? number(row, "lr") < 2e-9 : number(row, "lr") >= GOOD);
    }
    json_array_foreach(json_object_get(j, "summary"), i, row) {
        assert_true(number(row, "lr") > 0);
        static const double trainings[] = {2, 2, 2, 4, 0};
        assert_true(number(json_object_get(row, "tuning"), "trainings") == trainings[i]);
    }
    c.tune_lr_count = 0;
    c.method_count = 4;
    c.train.lr = GOOD;
    json_t *given = compared(&c);
    json_array_foreach(json_object_get(given, "summary"), i, row) assert_true(json_equal(
        json_object_get(row, "mean"), json_object_get(json_array_get(json_object_get(j, "summary"), i), "mean")));
    assert_int_equal(0, json_array_size(json_object_get(given, "tuning")));
    json_decref(given);
    json_decref(j);
}

/* On a task whose test labels are all wrong, test would choose the other rate. */
static void test_dev_alone_chooses(void **state) {
    (void)state;
    static const char *const methods[] = {"fuse:rich"};
    static const double rates[] = {1e-12, 5e-3};
    wf_compare_spec c = spec_of(methods, 1, 1);
    c.task = "flipped";
    c.tune_lr = rates;
    c.tune_lr_count = 2;
    c.train.epochs = 8;
    json_t *j = compared(&c);
    const json_t *one = json_array_get(json_object_get(j, "tuning"), 0);
    assert_true(number(one, "lr") >= GOOD);
    assert_true(number(json_array_get(json_object_get(one, "trials"), 1), "dev") > 0.6);
    assert_true(number(json_object_get(json_array_get(json_object_get(j, "summary"), 0), "mean"), "accuracy") < 0.4);
    json_decref(j);
}

static double chosen_of(const char *metric, const char *trials) {
    char name[16];
    snprintf(name, sizeof name, "%s", metric);
    const wf_task task = {.metric = name, .train = {.count = 9}};
    json_t *list = NULL;
    check_ok(wfi_json_parse(trials, strlen(trials), "trials", &list, err));
    json_t *all = wfi_compare_tuning(list, &task);
    const json_t *one = json_array_get(all, 0);
    assert_int_equal(1, json_array_size(all));
    assert_true(number(one, "train_rows") == 9 && number(one, "tokens") == 12 && number(one, "wall_seconds") == 6);
    const double lr = number(one, "lr");
    json_decref(all);
    json_decref(list);
    return lr;
}

#define TRIAL(lr, dev, brier)                                                                                          \
    "{\"method\":\"head\",\"asked_rows\":0,\"part\":null,\"lr\":" lr ",\"dev\":" dev ",\"brier\":" brier               \
    ",\"tokens\":4,\"steps\":1,\"wall_seconds\":2}"

/* A rate at which the numbers burst loses; equal scores go by Brier, then to the first; of an error less is better. */
static void test_choice(void **state) {
    (void)state;
    assert_true(chosen_of("accuracy", "[" TRIAL("4", "null", "null") "," TRIAL("2", "0.5", "0.4") "," TRIAL(
                                          "1", "0.6", "0.9") "]") == 1);
    assert_true(chosen_of("accuracy", "[" TRIAL("4", "0.6", "0.5") "," TRIAL("2", "0.6", "0.4") "," TRIAL(
                                          "1", "0.6", "0.4") "]") == 2);
    assert_true(chosen_of("mse", "[" TRIAL("4", "0.7", "null") "," TRIAL("2", "0.6", "null") "," TRIAL(
                                     "1", "0.6", "null") "]") == 2);
}

static int cancel_fourth(const wf_progress *p, void *user) {
    return p->note && ++*(int *)user == 4;
}

static int count_notes(const wf_progress *p, void *user) {
    *(int *)user += p->note != NULL;
    return 0;
}

/* Broken off between two trials: those that are done stay done. */
static void test_resumed(void **state) {
    (void)state;
    static const char *const methods[] = {"head", "fuse:own,rich"};
    static const double rates[] = {1e-3, 5e-3};
    wf_compare_spec c = spec_of(methods, 2, 2);
    c.tune_lr = rates;
    c.tune_lr_count = 2;
    json_t *whole = compared(&c);
    char *text = NULL;
    int seen = 0, after = 0;
    wf_lab_progress(lab, cancel_fourth, &seen);
    check_status(WF_E_CANCELLED, wf_compare(lab, &c, NULL, err));
    wf_lab_progress(lab, count_notes, &after);
    check_ok(wf_resume(lab, json_integer_value(json_object_get(whole, "run")) + 1, &text, err));
    wf_lab_progress(lab, NULL, NULL);
    assert_int_equal(10, seen + after); /* 3 parts with 2 rates, 2 methods with 2 seeds: each told once */
    json_t *broken = parsed(text);
    assert_true(json_equal(json_object_get(whole, "tests"), json_object_get(broken, "tests")));
    const json_t *a = json_object_get(whole, "tuning"), *b = json_object_get(broken, "tuning");
    assert_int_equal(3, json_array_size(b));
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 2; k++)
            assert_true(
                json_equal(json_object_get(json_array_get(json_object_get(json_array_get(a, i), "trials"), k), "dev"),
                           json_object_get(json_array_get(json_object_get(json_array_get(b, i), "trials"), k), "dev")));
    json_decref(whole);
    json_decref(broken);
}

static double memory_of(const json_t *j, size_t method) {
    return number(json_array_get(json_object_get(j, "summary"), method), "memory_bytes");
}

static double trained_memory(const char *name, double average, double *parameters) {
    char *text = NULL;
    check_ok(wf_train(
        lab, &(wf_train_spec){.task = "target", .method = "lora[r=4]", .name = name, .epochs = 1, .average = average},
        &text, err));
    json_t *j = parsed(text);
    const double n = number(j, "memory_bytes");
    *parameters = number(j, "trainable_params");
    json_decref(j);
    return n;
}

/* It is the method's own, whatever was trained before in this process; the running mean costs a number a parameter. */
static void test_memory(void **state) {
    (void)state;
    static const char *const up[] = {"head", "seq_bn[reduction_factor=4]", "full", "fuse:rich"},
                             *const down[] = {"fuse:rich", "full", "seq_bn[reduction_factor=4]", "head"};
    wf_compare_spec c = spec_of(up, 4, 1);
    json_t *a = compared(&c);
    c.methods = down;
    json_t *b = compared(&c);
    for (size_t i = 0; i < 4; i++) assert_true(memory_of(a, i) > 0 && memory_of(a, i) == memory_of(b, 3 - i));
    assert_true(memory_of(a, 0) < memory_of(a, 1) && memory_of(a, 1) < memory_of(a, 2));
    const double full = number(json_array_get(json_object_get(a, "summary"), 2), "trainable_params");
    assert_true(memory_of(a, 2) > 20 * full); /* values, gradient, two moments, the best state */
    json_decref(a);
    json_decref(b);
    double parameters = 0;
    const double with = trained_memory("with", 0.99, &parameters), without = trained_memory("without", -1, &parameters);
    assert_true(with - without == 4 * parameters);
}

static void refused(const char *task, const char *method, const double *rates, size_t count, double lr,
                    const char *what) {
    wf_err e = {0};
    wf_compare_spec c = spec_of(&method, 1, 1);
    c.task = task;
    c.tune_lr = rates;
    c.tune_lr_count = count;
    c.train.lr = lr;
    assert_int_equal(WF_E_ARG, wf_compare(lab, &c, NULL, &e));
    if (!strstr(e.text, what)) fail_msg("%s: %s", method, e.text);
}

static void test_refused(void **state) {
    (void)state;
    refused("target", "head@lr=", NULL, 0, 0, "such as @lr=5e-4");
    refused("target", "head@lr=1e-3x", NULL, 0, 0, "such as @lr=5e-4");
    refused("target", "fuse:rich@static@lr=0", NULL, 0, 0, "must be above 0");
    refused("target", "fuse:rich@lr=11", NULL, 0, 0, "at most 10");
    refused("target", "fuse:rich@@lr=1e-3", NULL, 0, 0, "nothing stands behind the @");
    refused("target", "head", (double[]){1e-3}, 1, 0, "two or more");
    refused("target", "head", (double[]){1e-3, 1e-3}, 2, 0, "stands twice");
    refused("target", "head", (double[]){1e-3, 11}, 2, 0, "at most 10");
    refused("target", "head", (double[]){1e-3, NAN}, 2, 0, "at most 10");
    refused("target", "head", (double[]){1e-3, 1e-2}, 2, 1e-3, "exclude");
    refused("blind", "head", (double[]){1e-3, 1e-2}, 2, 0, "no dev rows");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted_rate_is_chosen),
                                       cmocka_unit_test(test_dev_alone_chooses),
                                       cmocka_unit_test(test_choice),
                                       cmocka_unit_test(test_resumed),
                                       cmocka_unit_test(test_memory),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
