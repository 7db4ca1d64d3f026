/* Several tasks trained together, through the lab: one task is plain training bit by bit; heads answer one by one;
 * broken off and resumed, the same bits; lineage, verify, fusing what was shared, refusals. */
#include "base/alloc.h"
#include "base/json.h"
#include "in_lab.h"
#include "weft/study.h"
#include "weft/weft.h"

static wf_lab *lab;

/* The value at keys a, b and c (NULL: no more). */
static json_t *deep(const json_t *j, const char *a, const char *b, const char *c) {
    json_t *v = json_object_get(json_object_get(j, a), b);
    return c ? json_object_get(v, c) : v;
}

static int setup(void **state) {
    (void)state;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    tiny_base(at("base"));
    tiny_task(at("reviews"), 1, 160, 40, 60);
    tiny_task(at("notes"), 2, 60, 40, 60);
    tiny_task(at("target"), 3, 60, 40, 60);
    check_ok(wf_lab_init(at("lab"), err));
    check_ok(wf_lab_open(at("lab"), &lab, err));
    wf_lab_threads(lab, 1);
    check_ok(wf_base_add(lab, "tiny", at("base"), NULL, err));
    const char *tasks[] = {"reviews", "notes", "target"};
    for (int i = 0; i < 3; i++) {
        const wf_task_spec spec = {.name = tasks[i], .path = at(tasks[i])};
        check_ok(wf_task_add(lab, &spec, NULL, err));
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wf_lab_close(lab);
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

static const char *const BOTH[] = {"reviews", "notes"};

static wf_joint_spec joint_of(size_t count, const char *method, const char *name) {
    return (wf_joint_spec){.tasks = BOTH,
                           .task_count = count,
                           .method = method,
                           .train = {.name = name, .epochs = 8, .lr = 5e-3, .base_dropout = -1}};
}

static char *hash_of(const char *name) {
    char *text = NULL;
    check_ok(wf_inspect(lab, name, &text, err));
    json_t *j = parsed(text);
    char *hash = strdup(json_string_value(json_object_get(j, "hash")));
    json_decref(j);
    return hash;
}

/* The adapter's file of a model. */
static json_t *adapter_hash(const char *name) {
    char *text = NULL;
    check_ok(wf_inspect(lab, name, &text, err));
    json_t *j = parsed(text), *hash = json_incref(deep(j, "files", "adapter/adapter.safetensors", NULL));
    json_decref(j);
    assert_non_null(hash);
    return hash;
}

static void test_one_task_is_plain_training(void **state) {
    (void)state;
    char *text = NULL;
    wf_train_spec plain = joint_of(1, NULL, "reviews").train;
    plain.task = "reviews";
    plain.method = "seq_bn";
    check_ok(wf_train(lab, &plain, &text, err));
    json_t *a = parsed(text), *first = adapter_hash("reviews");
    check_ok(wf_remove(lab, "model:reviews", NULL, err));
    wf_joint_spec joint = joint_of(1, "adapter", "reviews");
    joint.sampling = "equal";
    joint.loss_weights = "pcgrad";
    check_ok(wf_train_joint(lab, &joint, &text, err));
    json_t *b = parsed(text), *second = adapter_hash("reviews");
    assert_true(json_equal(first, second));
    assert_true(json_equal(json_object_get(a, "test"), deep(b, "heads", "reviews", "test")));
    assert_true(json_equal(json_object_get(a, "steps"), json_object_get(b, "steps")));
    assert_true(json_equal(json_object_get(a, "trainable_params"), json_object_get(b, "trainable_params")));
    check_ok(wf_eval(lab, &(wf_eval_spec){.name = "reviews", .resamples = 100}, &text, err)); /* its only head */
    json_t *scores = parsed(text);
    assert_string_equal("reviews", json_string_value(json_object_get(scores, "task")));
    check_ok(wf_remove(lab, "model:reviews", NULL, err));
    json_t *all[] = {a, b, first, second, scores};
    for (int i = 0; i < 5; i++) json_decref(all[i]);
}

static void test_heads_answer(void **state) {
    (void)state;
    static const char *const methods[] = {"multihead", "lora[r=4]"};
    for (int i = 0; i < 2; i++) {
        char *text = NULL;
        wf_joint_spec spec = joint_of(2, methods[i], "both");
        spec.sampling = "temperature:2";
        spec.train.lr = i ? 1e-2 : 1e-3;
        check_ok(wf_train_joint(lab, &spec, &text, err));
        json_t *j = parsed(text);
        assert_string_equal("reviews,notes", json_string_value(json_object_get(j, "task")));
        assert_string_equal(i ? "lora[r=4]" : "multihead", json_string_value(json_object_get(j, "method")));
        if (json_number_value(deep(j, "dev", "mean", NULL)) < 0.8)
            fail_msg("%s: %g", methods[i], json_number_value(deep(j, "dev", "mean", NULL)));
        assert_null(deep(j, "heads", "notes", "probe"));
        assert_int_equal(160, json_integer_value(deep(j, "heads", "reviews", "train_rows")));
        json_decref(j);
        for (int k = 0; k < 2; k++) { /* each head's recorded score is what it scores */
            char name[32];
            snprintf(name, sizeof name, "both:%s", BOTH[k]);
            check_ok(wf_eval(lab, &(wf_eval_spec){.name = name, .resamples = 100}, &text, err));
            json_t *one = parsed(text);
            check_ok(wf_inspect(lab, "both", &text, err));
            json_t *info = parsed(text);
            assert_true(json_equal(deep(one, "metrics", "accuracy", "value"),
                                   json_object_get(deep(info, "heads", BOTH[k], "test"), "accuracy")));
            assert_int_equal(3, json_array_size(json_object_get(info, "parents")));
            json_decref(one);
            json_decref(info);
        }
        check_ok(wf_eval(lab, &(wf_eval_spec){.name = "both", .resamples = 100}, &text, err));
        j = parsed(text);
        assert_int_equal(2, json_array_size(json_object_get(j, "heads")));
        json_decref(j);
        wf_predictor *p = NULL;
        const char *names[] = {"both"}, *texts[] = {"the film was great"};
        check_ok(wf_predictor_open(lab, names, 1, &p, err));
        check_ok(wf_predictor_run(p, texts, NULL, 1, &text, err));
        wf_predictor_close(p);
        j = parsed(text);
        const json_t *results = json_object_get(json_array_get(json_object_get(j, "rows"), 0), "results");
        assert_int_equal(2, json_object_size(results));
        assert_string_equal("positive", json_string_value(deep(results, "both:notes", "label", NULL)));
        json_decref(j);
        check_ok(wf_verify(lab, &text, err));
        json_decref(parsed(text));
        check_status(WF_E_BUSY, wf_remove(lab, "notes", NULL, err)); /* a head needs its task */
        check_ok(wf_report(lab, at("report.html"), NULL, err));
        check_ok(wf_remove(lab, "both", NULL, err));
    }
}

static void test_shared_adapter_is_fused(void **state) {
    (void)state;
    wf_joint_spec spec = joint_of(2, NULL, "shared");
    check_ok(wf_train_joint(lab, &spec, NULL, err));
    const char *from[] = {"shared"};
    const wf_train_spec fuse = {.task = "target",
                                .method = "fusion",
                                .name = "fused",
                                .from = from,
                                .from_count = 1,
                                .epochs = 3,
                                .keep_fusion = 1};
    check_ok(wf_train(lab, &fuse, NULL, err));
    check_ok(wf_verify(lab, NULL, err));
    const char *models[] = {"shared:reviews", "shared:notes"};
    char *text = NULL;
    const wf_robust_spec robust = {
        .models = models, .model_count = 2, .kinds = (const char *[]){"typo"}, .kind_count = 1, .resamples = 100};
    check_ok(wf_study_robust(lab, &robust, &text, err)); /* heads are models to the studies */
    json_decref(parsed(text));
    const wf_failures_spec failures = {.models = models, .model_count = 1};
    check_ok(wf_study_failures(lab, &failures, &text, err));
    json_decref(parsed(text));
    check_ok(wf_remove(lab, "fused", NULL, err));
    check_ok(wf_remove(lab, "shared", NULL, err));
}

static int cancel_at(const wf_progress *p, void *user) {
    return p->done >= *(int64_t *)user && strcmp(p->stage, "joint") == 0;
}

static int64_t last_run(void) {
    char *text = NULL;
    check_ok(wf_list(lab, &text, err));
    json_t *j = parsed(text), *runs = json_object_get(j, "runs");
    const int64_t id = json_integer_value(json_object_get(json_array_get(runs, json_array_size(runs) - 1), "run"));
    json_decref(j);
    return id;
}

static void test_resumed(void **state) {
    (void)state;
    char *hash[2];
    for (int k = 0; k < 2; k++) {
        wf_joint_spec spec = joint_of(2, "adapter", "r");
        int64_t stop = 9;
        spec.sampling = "dynamic";
        spec.loss_weights = "gradnorm:1";
        if (k) {
            wf_lab_progress(lab, cancel_at, &stop);
            check_status(WF_E_CANCELLED, wf_train_joint(lab, &spec, NULL, err));
            wf_lab_progress(lab, NULL, NULL);
            check_ok(wf_resume(lab, last_run(), NULL, err));
        } else {
            check_ok(wf_train_joint(lab, &spec, NULL, err));
        }
        hash[k] = hash_of("r");
        check_ok(wf_remove(lab, "r", NULL, err));
    }
    assert_string_equal(hash[0], hash[1]);
    free(hash[0]);
    free(hash[1]);
}

static void refused(wf_joint_spec spec, wf_status status, const char *what) {
    wf_err e = {0};
    assert_int_equal(status, wf_train_joint(lab, &spec, NULL, &e));
    if (!strstr(e.text, what)) fail_msg("%s", e.text);
}

static void test_refused(void **state) {
    (void)state;
    static const char *const same[] = {"reviews", "reviews"}, *const absent[] = {"reviews", "nothing"};
    wf_joint_spec spec = joint_of(2, "full", "x");
    refused(spec, WF_E_ARG, "use multihead (the whole base)");
    spec.method = "sequence_bn";
    refused(spec, WF_E_ARG, "is not known");
    spec = joint_of(0, NULL, "x");
    refused(spec, WF_E_ARG, "which tasks?");
    spec = joint_of(2, NULL, "x");
    spec.tasks = same;
    refused(spec, WF_E_ARG, "task \"reviews\" stands twice");
    spec.tasks = absent;
    refused(spec, WF_E_NOTFOUND, "nothing");
    spec = joint_of(2, NULL, "x");
    spec.sampling = "temperature";
    refused(spec, WF_E_ARG, "write temperature:T");
    spec.sampling = NULL;
    spec.loss_weights = "fair";
    refused(spec, WF_E_ARG, "use one of uniform");
    spec = joint_of(2, NULL, "x");
    spec.train.epochs = 1;
    check_ok(wf_train_joint(lab, &spec, NULL, err));
    refused(spec, WF_E_EXISTS, "in this lab already");
    wf_err e = {0};
    wf_predictor *p = NULL;
    const char *names[] = {"x:target"};
    assert_int_equal(WF_E_NOTFOUND, wf_predictor_open(lab, names, 1, &p, &e));
    if (!strstr(e.text, "has no head")) fail_msg("%s", e.text);
    assert_non_null(strstr(e.text, "\"x\" has no head for \"target\"; it has heads for reviews, notes"));
    assert_int_equal(WF_E_ARG, wf_eval(lab, &(wf_eval_spec){.name = "x", .data = at("notes/test.jsonl")}, NULL, &e));
    assert_non_null(strstr(e.text, "--task"));
    const wf_robust_spec robust = {.models = (const char *[]){"x"}, .model_count = 1};
    assert_int_equal(WF_E_ARG, wf_study_robust(lab, &robust, NULL, &e));
    assert_non_null(strstr(e.text, "say which: x:reviews"));
    check_ok(wf_remove(lab, "x", NULL, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_task_is_plain_training), cmocka_unit_test(test_heads_answer),
        cmocka_unit_test(test_shared_adapter_is_fused), cmocka_unit_test(test_resumed), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
