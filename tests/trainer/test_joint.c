/* Several tasks trained together: one alone is plain training bit by bit; broken off at any step and resumed the run
 * ends with the bits of an unbroken one, whatever the sampling and weighing; heads rest when their task does. */
#include "base/alloc.h"
#include "training.h"
#include <math.h>

typedef struct pair { /* the tasks of two trainings, over the first one's base and adapter */
    training a, b;
    wf_head *second;
    wf_train_task tasks[2];
    wf_pset *sets[3];
} pair;

static void pair_open(pair *p) {
    const wf_head_spec spec = {.kind = WF_KIND_CLASSIFICATION,
                               .classes = 2,
                               .layers = 1,
                               .hidden_size = TINY_HIDDEN,
                               .pooling = WF_POOL_MEAN,
                               .dropout = 0.1f};
    training_open(&p->a, &(training_sizes){.train = 24, .dev = 12});
    training_open(&p->b, &(training_sizes){.train = 70, .dev = 12, .head_only = true});
    check_ok(wfi_head_new("second", &spec, 1, &p->second, err));
    check_ok(wfi_pset_trainable(&p->second->params, true, err));
    p->sets[0] = p->a.sets[0];
    p->sets[1] = p->a.sets[1];
    p->sets[2] = &p->second->params;
    p->tasks[0] = (wf_train_task){"first", p->a.run.head, 1, &p->a.train, &p->a.dev, NULL, "accuracy"};
    p->tasks[1] = (wf_train_task){"second", p->second, 2, &p->b.train, &p->b.dev, NULL, "accuracy"};
}

static void pair_close(pair *p) {
    wfi_head_free(p->second);
    training_close(&p->a);
    training_close(&p->b);
}

static wf_status pair_run(pair *p, const wf_train_options *o, wf_err *err) {
    return wfi_train_joint(p->a.run.context, p->sets, 3, p->tasks, 2, o, training_event, &p->a, &p->a.result, err);
}

static void words(wf_train_options *o, const char *sampling, const char *weights) {
    check_ok(wfi_sampling_parse(sampling, &o->sampling, err));
    check_ok(wfi_weighing_parse(weights, &o->weighing, err));
}

/* Sampling has nothing to choose, PCGrad nothing to project; GradNorm has one weight of 1. */
static void test_one_task(void **state) {
    (void)state;
    static const char *const ways[][2] = {
        {"proportional", "uniform"}, {"equal", "pcgrad"}, {"dynamic", "gradnorm"}, {"annealed", "uniform"}};
    training plain, joint;
    training_open(&plain, NULL);
    wf_train_options o = training_options();
    o.accumulate = 2;
    check_ok(training_run(&plain, &o, err));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        training_open(&joint, NULL);
        words(&o, ways[i][0], ways[i][1]);
        const wf_train_task task = {"t", joint.run.head, 1, &joint.train, &joint.dev, NULL, "accuracy"};
        check_ok(wfi_train_joint(joint.run.context, joint.sets, 2, &task, 1, &o, training_event, &joint, &joint.result,
                                 err));
        training_same(&plain, &joint);
        assert_int_equal(plain.result.steps, joint.result.steps);
        assert_string_equal(plain.note[plain.notes - 1], joint.note[joint.notes - 1]);
        training_close(&joint);
    }
    training_close(&plain);
}

static void test_resumed(void **state) {
    (void)state;
    static const char *const ways[][2] = {
        {"sqrt", "uniform"}, {"dynamic", "gradnorm"}, {"equal", "pcgrad"}, {"temperature:2", "uncertainty"}};
    char path[300];
    snprintf(path, sizeof path, "%s/checkpoint", check_temp_dir());
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        pair whole, broken;
        wf_train_options o = training_options();
        words(&o, ways[i][0], ways[i][1]);
        o.accumulate = 2;
        pair_open(&whole);
        check_ok(pair_run(&whole, &o, err));
        assert_int_equal(18, whole.a.result.steps); /* 3 + 9 batches, 6 steps an epoch */
        o.checkpoint = path;
        for (int64_t stop = 1; stop <= 18; stop += 7) {
            for (int part = 0; part < 2; part++) { /* the parts are made anew, as by a new process */
                pair_open(&broken);
                broken.a.stop_at = part ? 0 : stop;
                assert_int_equal(part ? WF_OK : WF_E_CANCELLED, pair_run(&broken, &o, NULL));
                if (part == 0) pair_close(&broken);
            }
            for (int k = 0; k < 3; k++)
                assert_memory_equal(whole.sets[k]->data, broken.sets[k]->data,
                                    (size_t)whole.sets[k]->total * sizeof(float));
            for (int k = 0; k < 2; k++) {
                assert_int_equal(whole.a.result.task[k].batches, broken.a.result.task[k].batches);
                assert_true(whole.a.result.task[k].factor == broken.a.result.task[k].factor);
            }
            pair_close(&broken);
            assert_int_equal(0, remove(path));
        }
        pair_close(&whole);
    }
    *strrchr(path, '/') = 0;
    check_ok(wfi_tree_remove(path, err));
}

/* Batches of each task over 3 epochs of 3 + 9. */
static void test_batches(void **state) {
    (void)state;
    static const struct {
        const char *sampling;
        int64_t first;
    } ways[] = {{"proportional", 9}, {"equal", 18}, {"temperature:1000", 18}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        pair p;
        wf_train_options o = training_options();
        words(&o, ways[i].sampling, "uniform");
        pair_open(&p);
        check_ok(pair_run(&p, &o, err));
        assert_int_equal(36, p.a.result.steps);
        assert_int_equal(ways[i].first, p.a.result.task[0].batches);
        assert_int_equal(36 - ways[i].first, p.a.result.task[1].batches);
        if (!strstr(p.a.note[0], "dev mean ") || !strstr(p.a.note[0], "second accuracy ")) fail_msg("%s", p.a.note[0]);
        pair_close(&p);
    }
}

static float before[4096]; /* the head whose task rests */
static int rest_check(const wf_train_event *e, void *user) {
    pair *p = user;
    int64_t now[2] = {0};
    (void)e;
    for (int k = 0; k < 2; k++) now[k] = p->sets[k + 1]->total;
    assert_true(now[0] + now[1] <= 4096);
    const bool same[2] = {memcmp(before, p->sets[1]->data, (size_t)now[0] * sizeof(float)) == 0,
                          memcmp(before + now[0], p->sets[2]->data, (size_t)now[1] * sizeof(float)) == 0};
    if (!e->note) assert_int_equal(1, same[0] + same[1]); /* of two heads one learns, the other stays bit by bit */
    for (int k = 0; k < 2; k++) memcpy(before + (k ? now[0] : 0), p->sets[k + 1]->data, (size_t)now[k] * sizeof(float));
    return 0;
}

static void test_heads_rest(void **state) {
    (void)state;
    pair p;
    wf_train_options o = training_options();
    o.warmup_share = 0;
    pair_open(&p);
    memcpy(before, p.sets[1]->data, (size_t)p.sets[1]->total * sizeof(float));
    memcpy(before + p.sets[1]->total, p.sets[2]->data, (size_t)p.sets[2]->total * sizeof(float));
    check_ok(wfi_train_joint(p.a.run.context, p.sets, 3, p.tasks, 2, &o, rest_check, &p, &p.a.result, err));
    pair_close(&p);
}

static void test_refused(void **state) {
    (void)state;
    pair p;
    wf_encoded none = {0};
    wf_train_options o = training_options();
    words(&o, "dynamic", "uniform");
    pair_open(&p);
    p.tasks[1].dev = &none;
    wf_err e = {0};
    assert_int_equal(WF_E_ARG, pair_run(&p, &o, &e));
    assert_non_null(strstr(e.text, "sampling dynamic needs dev rows of every task; \"second\" has none"));
    words(&o, "equal", "uniform"); /* without: the mean is of those that have some */
    check_ok(pair_run(&p, &o, err));
    pair_close(&p);
}

int main(void) {
    wfi_threads_set(1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_task), cmocka_unit_test(test_resumed),
                                       cmocka_unit_test(test_batches), cmocka_unit_test(test_heads_rest),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
