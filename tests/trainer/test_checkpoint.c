/* Checkpoints: a run broken off at any step ends with the bits of an unbroken one; a file that is damaged, cut off or
 * of another run is refused with a text that says what to do. */
#include "base/alloc.h"
#include "training.h"

static void path_make(char path[300], const char *name) {
    snprintf(path, 300, "%s/%s", check_temp_dir(), name);
}

static void test_same_seed_same_bits(void **state) {
    (void)state;
    training a, b, c;
    training_open(&a, NULL);
    training_open(&b, NULL);
    training_open(&c, NULL);
    wf_train_options o = training_options();
    check_ok(training_run(&a, &o, err));
    check_ok(training_run(&b, &o, err));
    o.seed = 5; /* of batches and dropout: the start is the same */
    check_ok(training_run(&c, &o, err));
    training_same(&a, &b);
    assert_true(a.result.train_loss == b.result.train_loss && a.result.train_loss != c.result.train_loss);
    assert_memory_not_equal(a.sets[1]->data, c.sets[1]->data, (size_t)a.sets[1]->total * sizeof(float));
    training_close(&a);
    training_close(&b);
    training_close(&c);
}

/* Every step of a short run with dropout, warm-up, accumulation, a running mean and dev: the parts are made anew, as by
 * a new process.
 */
static void test_resumed_at_every_step(void **state) {
    (void)state;
    training whole;
    char path[300];
    training_open(&whole, NULL);
    wf_train_options o = training_options();
    o.batch_rows = 4;
    o.accumulate = 2; /* 6 batches, 3 steps an epoch */
    o.average = 0.9;
    check_ok(training_run(&whole, &o, err));
    assert_int_equal(9, whole.result.steps);
    path_make(path, "checkpoint");
    o.checkpoint = path;
    for (int64_t stop = 1; stop <= 9; stop++) {
        training t;
        training_open(&t, NULL);
        t.stop_at = stop;
        check_status(WF_E_CANCELLED, training_run(&t, &o, err));
        training_close(&t);
        training_open(&t, NULL);
        check_ok(training_run(&t, &o, err));
        training_same(&whole, &t);
        assert_int_equal(whole.result.steps, t.result.steps);
        assert_int_equal(whole.result.tokens, t.result.tokens);
        assert_int_equal(whole.result.best_epoch, t.result.best_epoch);
        assert_true(whole.result.train_loss == t.result.train_loss);
        training_close(&t);
        assert_int_equal(0, remove(path));
    }
    *strrchr(path, '/') = 0;
    check_ok(wfi_tree_remove(path, err));
    training_close(&whole);
}

/* A checkpoint after each step (as where 20 seconds pass): the last one leads on to the same end. */
static void test_checkpoint_by_time(void **state) {
    (void)state;
    training whole, t;
    char path[300];
    path_make(path, "checkpoint");
    training_open(&whole, NULL);
    wf_train_options o = training_options();
    check_ok(training_run(&whole, &o, err));
    o.checkpoint = path;
    o.checkpoint_seconds = 0;
    training_open(&t, NULL);
    check_ok(training_run(&t, &o, err));
    training_same(&whole, &t);
    training_close(&t);
    training_open(&t, NULL); /* the file of the finished run: nothing is left to do, and the result is the same */
    check_ok(training_run(&t, &o, err));
    training_same(&whole, &t);
    assert_int_equal(0, t.notes);
    training_close(&t);
    training_close(&whole);
    *strrchr(path, '/') = 0;
    check_ok(wfi_tree_remove(path, err));
}

static void refused(const wf_train_options *o, const char *what) {
    training t;
    wf_err e = {0};
    training_open(&t, NULL);
    assert_int_equal(WF_E_DATA, training_run(&t, o, &e));
    if (!strstr(e.text, what) || !strstr(e.text, o->checkpoint)) fail_msg("\"%s\" is not in: %s", what, e.text);
    training_close(&t);
}

static void test_refused_files(void **state) {
    (void)state;
    training t;
    char path[300], *bytes = NULL;
    size_t size = 0;
    path_make(path, "checkpoint");
    wf_train_options o = training_options(), other = o;
    o.checkpoint = path;
    training_open(&t, NULL);
    t.stop_at = 2;
    check_status(WF_E_CANCELLED, training_run(&t, &o, err));
    training_close(&t);
    other = o;
    snprintf(other.identity, sizeof other.identity, "another run");
    refused(&other, "other settings, data or base");
    check_ok(wfi_file_read(path, 1 << 24, &bytes, &size, err));
    static const char *const whys[] = {"cut off", "cut off", "damaged", "damaged", "damaged", "no weft checkpoint"};
    for (int k = 0; k < 6; k++) {
        char *copy = malloc(size);
        memcpy(copy, bytes, size);
        const size_t sizes[] = {0, 50, size / 2, size - 1, size, size};
        if (k == 4) copy[size / 2] ^= 4;
        if (k == 5) copy[0] ^= 1;
        check_ok(wfi_file_write(path, copy, sizes[k], err));
        free(copy);
        refused(&o, whys[k]);
    }
    check_ok(wfi_file_write(path, bytes, size, err)); /* untouched it still leads on */
    training_open(&t, NULL);
    check_ok(training_run(&t, &o, err));
    training_close(&t);
    wfi_free(bytes);
    *strrchr(path, '/') = 0;
    check_ok(wfi_tree_remove(path, err));
}

/* Of a run that trains other parts, though it claims the same identity. */
static void test_other_parts(void **state) {
    (void)state;
    training t;
    char path[300];
    path_make(path, "checkpoint");
    wf_train_options o = training_options();
    o.checkpoint = path;
    training_open(&t, NULL);
    t.stop_at = 1;
    check_status(WF_E_CANCELLED, training_run(&t, &o, err));
    training_close(&t);
    training_open(&t, &(training_sizes){.train = 24, .dev = 12, .head_only = true});
    check_status(WF_E_DATA, training_run(&t, &o, err));
    training_close(&t);
    *strrchr(path, '/') = 0;
    check_ok(wfi_tree_remove(path, err));
}

int main(void) {
    wfi_threads_set(1); /* of nothing here is there enough for two */
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_seed_same_bits),
                                       cmocka_unit_test(test_resumed_at_every_step),
                                       cmocka_unit_test(test_checkpoint_by_time), cmocka_unit_test(test_refused_files),
                                       cmocka_unit_test(test_other_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
