/* The lab end to end on a tiny base: import, train, fuse, evaluate, predict, compare, verify; determinism, resume,
 * damage. */
#include "base/alloc.h"
#include "base/json.h"
#include "in_lab.h"
#include "lab/job_parts.h"
#include "weft/weft.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static double number(const json_t *j, const char *a, const char *b) {
    return json_number_value(json_object_get(b ? json_object_get(j, a) : j, b ? b : a));
}

static wf_lab *lab_make(const char *name) {
    wf_lab *lab = NULL;
    check_ok(wf_lab_init(at(name), err));
    check_ok(wf_lab_open(at(name), &lab, err));
    check_ok(wf_base_add(lab, "tiny", at("base"), NULL, err));
    const char *tasks[] = {"reviews", "notes", "target"};
    for (int i = 0; i < 3; i++) {
        const wf_task_spec spec = {.name = tasks[i], .path = at(tasks[i])};
        check_ok(wf_task_add(lab, &spec, NULL, err));
    }
    return lab;
}

static wf_train_spec spec_make(const char *task, const char *method, const char *name) {
    return (wf_train_spec){.task = task, .method = method, .name = name, .epochs = 20, .lr = 5e-3, .base_dropout = -1};
}

static int setup(void **state) {
    (void)state;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    tiny_base(at("base"));
    tiny_task(at("reviews"), 1, 200, 40, 60);
    tiny_task(at("notes"), 2, 200, 40, 60);
    tiny_task(at("target"), 3, 120, 40, 60);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

static void test_main_job(void **state) {
    (void)state;
    wf_lab *lab = lab_make("main");
    char *text = NULL;
    wf_train_spec a = spec_make("reviews", "seq_bn[reduction_factor=4]", "reviews"),
                  b = spec_make("notes", "seq_bn[reduction_factor=4]", "notes");
    check_ok(wf_train(lab, &a, &text, err));
    json_t *j = parsed(text);
    assert_true(number(j, "test", "accuracy") > 0.8);
    assert_true(number(j, "trainable_params", NULL) > 0);
    json_decref(j);
    check_ok(wf_train(lab, &b, NULL, err));
    const char *from[] = {"reviews", "notes"};
    wf_train_spec f = spec_make("target", "fusion", "fused");
    f.from = from;
    f.from_count = 2;
    f.keep_fusion = 1;
    check_ok(wf_train(lab, &f, &text, err));
    j = parsed(text);
    assert_true(number(j, "test", "accuracy") > 0.8);
    json_decref(j);
    check_ok(wf_verify(lab, &text, err));
    j = parsed(text);
    assert_true(json_is_true(json_object_get(j, "ok")));
    assert_int_equal(7, json_integer_value(json_object_get(j, "checked")));
    json_decref(j);
    const wf_eval_spec e = {.name = "fused", .resamples = 200};
    check_ok(wf_eval(lab, &e, &text, err));
    j = parsed(text);
    const json_t *accuracy = json_object_get(json_object_get(j, "metrics"), "accuracy");
    assert_true(number(accuracy, "low", NULL) <= number(accuracy, "value", NULL) &&
                number(accuracy, "value", NULL) <= number(accuracy, "high", NULL));
    json_decref(j);
    wf_predictor *p = NULL;
    check_ok(wf_predictor_open(lab, NULL, 0, &p, err));
    const char *texts[] = {"the film was great", "the book is awful"};
    check_ok(wf_predictor_run(p, texts, NULL, 2, &text, err));
    j = parsed(text);
    const json_t *rows = json_object_get(j, "rows");
    const json_t *fused = json_object_get(json_object_get(json_array_get(rows, 0), "results"), "fused");
    assert_string_equal("positive", json_string_value(json_object_get(fused, "label")));
    assert_int_equal(3, json_object_size(json_object_get(json_array_get(rows, 1), "results")));
    json_decref(j);
    wf_predictor_close(p);
    check_ok(wf_inspect(lab, "fused", &text, err));
    j = parsed(text);
    assert_int_equal(TINY_LAYERS, json_array_size(json_object_get(j, "attention")));
    json_decref(j);
    check_ok(wf_report(lab, at("report.html"), NULL, err));
    check_status(WF_E_BUSY, wf_remove(lab, "model:reviews", NULL, err));
    check_ok(wf_remove(lab, "fused", NULL, err));
    check_ok(wf_remove(lab, "model:reviews", NULL, err));
    wf_lab_close(lab);
}

/* The same seed gives the same bits; what stands in the lab does not change when a task is added. */
static void test_same_seed_same_hash(void **state) {
    (void)state;
    char *first = NULL, *second = NULL;
    for (int k = 0; k < 2; k++) {
        wf_lab *lab = lab_make(k ? "again" : "once");
        wf_train_spec a = spec_make("reviews", "lora", "r");
        a.base_dropout = 1;
        check_ok(wf_train(lab, &a, NULL, err));
        check_ok(wf_inspect(lab, "r", k ? &second : &first, err));
        wf_lab_close(lab);
    }
    json_t *a = parsed(first), *b = parsed(second);
    assert_string_equal(json_string_value(json_object_get(a, "hash")), json_string_value(json_object_get(b, "hash")));
    json_decref(a);
    json_decref(b);
}

/* In the middle another one wants the name: refused at once, not when it has trained. */
static int cancel_at(const wf_progress *p, void *user) {
    if (p->done < *(int64_t *)user) return 0;
    wf_lab *lab = NULL;
    wf_err e = {0};
    wf_train_spec same = spec_make("notes", "seq_bn", "r");
    check_ok(wf_lab_open(at("broken"), &lab, err));
    assert_int_equal(WF_E_BUSY, wf_train(lab, &same, NULL, &e));
    assert_non_null(strstr(e.text, "\"r\" is being trained by process"));
    wf_lab_close(lab);
    return 1;
}

static int cancel(const wf_progress *p, void *user) {
    return 1;
}

static void test_cancel_and_resume_give_the_same_bits(void **state) {
    (void)state;
    char *text = NULL, *hashes[2] = {0};
    for (int k = 0; k < 2; k++) {
        wf_lab *lab = lab_make(k ? "broken" : "unbroken");
        wf_train_spec a = spec_make("reviews", "seq_bn", "r");
        int64_t stop = 9;
        if (k) {
            wf_lab_progress(lab, cancel_at, &stop);
            check_status(WF_E_CANCELLED, wf_train(lab, &a, NULL, err));
            wf_lab_progress(lab, NULL, NULL);
            check_ok(wf_resume(lab, 1, NULL, err));
            check_status(WF_E_ARG, wf_resume(lab, 1, NULL, err));
        } else {
            check_ok(wf_train(lab, &a, NULL, err));
        }
        check_ok(wf_inspect(lab, "r", &text, err));
        json_t *j = parsed(text);
        hashes[k] = strdup(json_string_value(json_object_get(j, "hash")));
        json_decref(j);
        wf_lab_close(lab);
    }
    assert_string_equal(hashes[0], hashes[1]);
    free(hashes[0]);
    free(hashes[1]);
}

static int kill_at(const wf_progress *p, void *user) {
    if (p->done >= *(int64_t *)user) kill(getpid(), SIGKILL);
    return 0;
}

/* The other program of test_killed_run_is_resumed. */
static int train_until_killed(const char *dir) {
    wf_lab *lab = NULL;
    wf_train_spec a = spec_make("reviews", "seq_bn", "r");
    int64_t stop = 12;
    if (wf_lab_open(dir, &lab, NULL) != WF_OK) return 3;
    wf_lab_progress(lab, kill_at, &stop);
    wf_train(lab, &a, NULL, NULL);
    return 4;
}

/* A process killed in the middle leaves a lab that opens, and a run that can be resumed. */
static void test_killed_run_is_resumed(void **state) {
    (void)state;
    wf_lab *lab = lab_make("killed");
    wf_lab_close(lab);
    const pid_t child = fork();
    if (child == 0) { /* a fresh program: OpenMP's threads do not survive a fork */
        execl("/proc/self/exe", "test_lab", "train-until-killed", at("killed"), (char *)NULL);
        _exit(3);
    }
    int status = 0;
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    check_ok(wf_lab_open(at("killed"), &lab, err));
    check_ok(wf_verify(lab, NULL, err));
    wf_train_spec same = spec_make("notes", "seq_bn", "r");
    wf_lab_progress(lab, cancel, NULL);
    check_status(WF_E_CANCELLED, wf_train(lab, &same, NULL, err)); /* it began: the dead hold no name */
    wf_lab_progress(lab, NULL, NULL);
    check_ok(wf_resume(lab, 1, NULL, err));
    check_ok(wf_verify(lab, NULL, err));
    wf_lab_close(lab);
}

static void test_damage_is_found(void **state) {
    (void)state;
    wf_lab *lab = lab_make("damaged");
    wf_train_spec a = spec_make("reviews", "seq_bn", "r");
    char *text = NULL, **names = NULL, path[1024];
    size_t count = 0;
    check_ok(wf_train(lab, &a, NULL, err));
    check_ok(wfi_dir_list(at("damaged/models"), &names, &count, err));
    assert_int_equal(1, count);
    snprintf(path, sizeof path, "%s/%s/adapter/adapter.safetensors", at("damaged/models"), names[0]);
    char copy[1024];
    json_t *lineage = NULL;
    snprintf(copy, sizeof copy, "%s/%s/weft.json", at("damaged/models"), names[0]);
    wfi_names_free(names, count);
    check_ok(wf_verify(lab, NULL, err));
    check_ok(
        wfi_json_read(copy, 1 << 20, &lineage, err)); /* the copy of its lineage: another, then none, then as it was */
    json_object_set_new(lineage, "seed", json_integer(77));
    check_ok(wfi_file_read(copy, 1 << 20, &text, &count, err));
    check_ok(wfi_json_write(copy, lineage, err));
    check_status(WF_E_CHECK, wf_verify(lab, NULL, err));
    assert_int_equal(0, remove(copy));
    check_status(WF_E_CHECK, wf_verify(lab, NULL, err));
    check_ok(wfi_file_write(copy, text, count, err));
    check_ok(wf_verify(lab, NULL, err));
    json_decref(lineage);
    wfi_free(text);
    text = NULL;
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, -3, SEEK_END);
    fputc(0x55, f);
    fclose(f);
    check_status(WF_E_CHECK, wf_verify(lab, &text, err));
    json_t *j = parsed(text);
    assert_false(json_is_true(json_object_get(j, "ok")));
    assert_int_equal(1, json_array_size(json_object_get(j, "failures")));
    json_decref(j);
    /* And a changed model neither answers nor is built upon. */
    const char *changed[] = {"r"};
    wf_predictor *p = NULL;
    check_status(WF_E_CHECK, wf_predictor_open(lab, changed, 1, &p, err));
    wf_train_spec fuse = spec_make("target", "fusion", "f");
    fuse.from = changed;
    fuse.from_count = 1;
    check_status(WF_E_CHECK, wf_train(lab, &fuse, NULL, err));
    check_status(WF_E_NOTFOUND, wf_inspect(lab, "target-lora", NULL, err)); /* nor was an own adapter trained first */
    wf_lab_close(lab);
}

static void test_compare_and_wrong_arguments(void **state) {
    (void)state;
    wf_lab *lab = lab_make("compared");
    char *text = NULL;
    wf_train_spec a = spec_make("reviews", "seq_bn", "r");
    check_ok(wf_train(lab, &a, NULL, err));
    const char *methods[] = {"head", "full", "double_seq_bn", "fuse:r"};
    const int64_t sizes[] = {16, 64};
    wf_compare_spec c = {.task = "target",
                         .methods = methods,
                         .method_count = 4,
                         .rows = sizes,
                         .rows_count = 2,
                         .seeds = 2,
                         .train = {.epochs = 2}};
    check_ok(wf_compare(lab, &c, &text, err));
    json_t *j = parsed(text);
    assert_int_equal(16, json_array_size(json_object_get(j, "rows")));
    assert_int_equal(8, json_array_size(json_object_get(j, "summary")));
    json_decref(j);
    methods[3] = "fuse:absent";
    check_status(WF_E_NOTFOUND, wf_compare(lab, &c, NULL, err));
    check_status(WF_E_EXISTS, wf_train(lab, &a, NULL, err));
    a.name = "other.name";
    check_status(WF_E_ARG, wf_train(lab, &a, NULL, err));
    a.name = "x";
    a.method = "sequence_bn";
    check_status(WF_E_ARG, wf_train(lab, &a, NULL, err));
    a.method = "seq_bn";
    a.task = "nothing";
    check_status(WF_E_NOTFOUND, wf_train(lab, &a, NULL, err));
    a.task = "target";
    a.rows = 100000;
    check_status(WF_E_ARG, wf_train(lab, &a, NULL, err));
    check_status(WF_E_NOTFOUND, wf_inspect(lab, "x", NULL, err));
    check_status(WF_E_EXISTS, wf_lab_init(at("compared"), err));
    wf_lab *other = NULL;
    check_status(WF_E_NOTFOUND, wf_lab_open(at("base"), &other, err));
    wf_lab_close(lab);
}

/* A training that goes on from a checkpoint tells some epochs again: the log ends before the first of them. */
static void test_log_is_rewound(void **state) {
    (void)state;
    static const char own[] = "epoch 1: loss 0.9\nepoch 2: loss 0.7\n",
                      all[] = "epoch 1: loss 0.5\nepoch 2: loss 0.4\n";
    const struct {
        const char *tail, *note;
        size_t kept;
    } cases[] = {{"", "epoch 2: loss 0.4", 18},            /* told before */
                 {"", "epoch 3: loss 0.3", 36},            /* new */
                 {"epoch 3: lo", "epoch 3: loss 0.3", 36}, /* cut in the middle of a line */
                 {"", "epoch 2: loss 0.7", 36},            /* of the training before: that one stands */
                 {"a word\n", "epoch 2: loss 0.4", 43}};
    char text[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int n = snprintf(text, sizeof text, "%s%s%s", own, all, cases[i].tail);
        check_ok(wfi_file_write(at("log.txt"), text, (size_t)n, err));
        wfi_run_log_rewind(at("log.txt"), cases[i].note);
        char *now = NULL;
        size_t size = 0;
        check_ok(wfi_file_read(at("log.txt"), 1 << 10, &now, &size, err));
        assert_int_equal(strlen(own) + cases[i].kept, size);
        assert_memory_equal(text, now, size);
        wfi_free(now);
    }
    wfi_run_log_rewind(at("no such log"), "epoch 1: loss 0.5");
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "train-until-killed") == 0) return train_until_killed(argv[2]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_log_is_rewound),
                                       cmocka_unit_test(test_main_job),
                                       cmocka_unit_test(test_same_seed_same_hash),
                                       cmocka_unit_test(test_cancel_and_resume_give_the_same_bits),
                                       cmocka_unit_test(test_killed_run_is_resumed),
                                       cmocka_unit_test(test_damage_is_found),
                                       cmocka_unit_test(test_compare_and_wrong_arguments)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
