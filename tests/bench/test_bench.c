/* wf_bench on a tiny base: what is in its result, that the works answer what the engine answers, adapters and fusions
 * written out and read back, mistakes. Speeds are not judged. */
#include "base/alloc.h"
#include "base/error.h"
#include "bench/apart.h"
#include "bench/bench.h"
#include "hub/hub.h"
#include "kernels/kernels.h"
#include "tiny.h"
#include <math.h>
#include <unistd.h>

static char top[256];
static wf_lab *lab;

static const char *at(const char *name) {
    static char path[4][480];
    static int k;
    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", top, name);
    return path[k];
}

static int setup(void **state) {
    (void)state;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    tiny_base(at("base"));
    tiny_task(at("notes"), 2, 60, 12, 12);
    tiny_write(top, "texts.txt", "the film was great\nthe book is so very dull, and bad\n\na song\n");
    check_ok(wf_lab_init(at("lab"), err));
    check_ok(wf_lab_open(at("lab"), &lab, err));
    check_ok(wf_base_add(lab, "tiny", at("base"), NULL, err));
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "notes", .path = at("notes")}, NULL, err));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wf_lab_close(lab);
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

/* ---- a process apart ---- */

static wf_status answer(void *self, void *out, wf_err *err) {
    const int what = *(int *)self;
    *(pid_t *)out = getpid();
    if (what == 1) return wfi_fail(err, WF_E_DATA, "it says why");
    if (what == 2) _exit(3);
    return WF_OK;
}

/* First in this program: there are no threads yet. */
static void test_apart(void **state) {
    (void)state;
    bool done = false;
    pid_t pid = 0;
    int what = 0;
    check_ok(wfi_apart(answer, &what, &pid, sizeof pid, &done, err));
    assert_true(done && pid > 0 && pid != getpid());
    what = 1;
    wf_err said = {0};
    assert_int_equal(WF_E_DATA, wfi_apart(answer, &what, &pid, sizeof pid, &done, &said));
    assert_string_equal("it says why", said.text);
    what = 2;
    check_status(WF_E_LIBRARY, wfi_apart(answer, &what, &pid, sizeof pid, &done, err));
}

static json_t *bench(wf_bench_spec s, const char *const *works, size_t count) {
    char *text = NULL;
    json_t *j = NULL;
    s.works = works;
    s.work_count = count;
    s.rounds = s.rounds ? s.rounds : 1;
    s.seconds = 0.001;
    check_ok(wf_bench(lab, &s, &text, err));
    check_ok(wfi_json_parse(text, strlen(text), "result", &j, err));
    wf_free(text);
    return j;
}

static const json_t *row(const json_t *j, const char *list, const char *key, const char *name) {
    size_t i;
    const json_t *w;
    json_array_foreach(json_object_get(j, list), i,
                       w) if (strcmp(name, json_string_value(json_object_get(w, key))) == 0) return w;
    fail_msg("%s has no %s", list, name);
    return NULL;
}

static double number(const json_t *j, const char *key) {
    if (!json_is_number(json_object_get(j, key))) fail_msg("%s is no number", key);
    return json_number_value(json_object_get(j, key));
}

static void test_every_kind_of_work(void **state) {
    (void)state;
    static const char *const works[] = {"train:seq_bn",     "train:lora[r=2]", "train:head",     "train:full",
                                        "train:fuse:3",     "infer:plain",     "infer:seq_bn",   "infer:lora",
                                        "infer:fuse:2",     "latency:plain",   "latency:fuse:2", "train:seq_bn@f32",
                                        "infer:plain@int8", "train:seq_bn",    "grow:threads"};
    const size_t n = sizeof works / sizeof *works - 1;
    json_t *j = bench((wf_bench_spec){.rounds = 3, .texts = at("texts.txt")}, works, n + 1), *stored = NULL;
    check_ok(wfi_json_read(at("lab/bench.json"), 1 << 20, &stored, err));
    assert_true(json_equal(j, stored));
    json_decref(stored);
    assert_int_equal(n - 1, json_array_size(json_object_get(j, "works"))); /* the last one stands there already */
    for (size_t i = 0; i < n; i++) {
        const json_t *w = row(j, "works", "work", works[i]);
        const double low = number(w, "tokens_per_second_low"), middle = number(w, "tokens_per_second"),
                     high = number(w, "tokens_per_second_high");
        assert_int_equal(3, json_array_size(json_object_get(w, "rounds")));
        assert_true(0 < low && low <= middle && middle <= high && isfinite(high));
        assert_true(number(w, "seconds_per_step") > 0 && number(w, "steps") >= 3);
        assert_true(number(w, "flop_per_token") > 0 && number(w, "share_of_peak") > 0);
        assert_true(number(w, "peak_rss_bytes") > 1 << 20); /* of a process of its own */
        assert_true((number(w, "trainable_params") > 0) == (strncmp(works[i], "train:", 6) == 0));
        if (strncmp(works[i], "latency:", 8) == 0) {
            assert_true(number(w, "runs") >= 3 && number(w, "median_ms") > 0);
            assert_true(number(w, "median_ms") <= number(w, "p90_ms"));
            assert_true(number(w, "tokens_per_step") == 32);
        }
    }
    const json_t *point = json_array_get(json_object_get(row(j, "growth", "growth", "grow:threads"), "points"), 0);
    assert_true(number(point, "peak_rss_bytes") > 1 << 20);
    assert_int_equal(3, json_array_size(json_object_get(row(j, "works", "work", "train:fuse:3"), "adapters")));
    assert_string_equal("int8",
                        json_string_value(json_object_get(row(j, "works", "work", "infer:plain@int8"), "base_dtype")));
    assert_true(number(row(j, "gemm", "dtype", "f32"), "gflops") > 0 &&
                number(row(j, "gemm", "dtype", "int8"), "gflops") > 0);
    assert_int_equal(3, number(json_object_get(j, "texts"), "rows")); /* the empty line is none */
    json_decref(j);
}

static size_t works_of(const char *name) {
    const char *const works[] = {name};
    const wf_bench_spec s = {.works = works, .work_count = 1};
    wf_lab two = {.threads = 2};
    wf_bench_state b = {.lab = &two, .spec = &s};
    check_ok(wfi_bench_works(&b, err));
    for (const char *const *m =
             (const char *const[]){"seq_bn", "double_seq_bn", "par_bn", "scaled_par_bn", "adapter_plus", "lora", NULL};
         *m && strcmp(name, "all") == 0; m++) {
        size_t i = 0;
        while (i < b.work_count && (b.works[i].kind != BENCH_TRAIN || strcmp(b.works[i].method, *m) != 0)) i++;
        if (i == b.work_count) fail_msg("no work of all trains %s", *m);
    }
    const size_t n = b.work_count;
    wfi_free(b.works);
    return n;
}

static void test_all_is_more_than_default(void **state) {
    (void)state;
    assert_int_equal(12 - 1, works_of("default")); /* products are no work */
    assert_int_equal(11 + 12 + 6 + 6 + 8 + 2, works_of("all"));
}

static void test_growth(void **state) {
    (void)state;
    static const char *const works[] = {"grow:length", "grow:threads", "grow:fuse", "grow:batch"};
    static const double lengths[] = {16, 32, 64, 128, 256, 512};
    wf_lab_threads(lab, 2);
    json_t *j = bench((wf_bench_spec){.batch_rows = 4}, works, 4);
    wf_lab_threads(lab, 0);
    assert_int_equal(0, json_array_size(json_object_get(j, "works")));
    const json_t *length = json_object_get(row(j, "growth", "growth", "grow:length"), "points"),
                 *threads = json_object_get(row(j, "growth", "growth", "grow:threads"), "points"),
                 *fuse = json_object_get(row(j, "growth", "growth", "grow:fuse"), "points");
    assert_int_equal(6, json_array_size(length));
    for (size_t i = 0; i < 6; i++) assert_true(number(json_array_get(length, i), "x") == lengths[i]);
    assert_int_equal(2, json_array_size(threads));
    assert_true(number(json_array_get(threads, 0), "scaling_efficiency") == 1);
    assert_true(number(json_array_get(threads, 1), "scaling_efficiency") > 0);
    assert_true(number(json_array_get(json_object_get(json_array_get(threads, 0), "gemm"), 0), "gflops") > 0);
    /* Not null: the point has a peak of its own, of one thread. */
    assert_true(number(json_array_get(threads, 0), "share_of_peak") > 0);
    assert_int_equal(6, json_array_size(fuse));
    assert_true(number(json_array_get(fuse, 0), "step_ratio") == 1);
    assert_true(number(json_array_get(fuse, 5), "flop_per_token") > number(json_array_get(fuse, 0), "flop_per_token"));
    json_decref(j);
}

/* ---- outputs ---- */

static wf_encoded encoded;
static float *pooled_by(const wf_context *c) { /* one text at a time, by the engine */
    float *all = calloc(encoded.rows * TINY_HIDDEN, sizeof *all);
    for (size_t i = 0; i < encoded.rows; i++) {
        wf_batch batch = {0};
        const int64_t index = (int64_t)i;
        wf_err e = {0};
        check_ok(wfi_batch_fill(&batch, &encoded, &index, 1, err));
        const wf_value *v = wfi_context_pooled((wf_context *)(uintptr_t)c, &batch, &e);
        if (!v) fail_msg("%s", e.text);
        memcpy(all + i * TINY_HIDDEN, v->data, TINY_HIDDEN * sizeof *all);
        wfi_batch_clear(&batch);
    }
    return all;
}

static double distance(const json_t *values, const float *want) {
    double most = 0;
    assert_int_equal(encoded.rows, json_array_size(values));
    for (size_t i = 0; i < encoded.rows; i++)
        for (size_t k = 0; k < TINY_HIDDEN; k++)
            most = fmax(most, fabs(json_number_value(json_array_get(json_array_get(values, i), k)) -
                                   (double)want[i * TINY_HIDDEN + k]));
    return most;
}

static void adapter_read(const char *dir, const char *name, const wf_base_shape *shape, wf_adapter **out) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    check_ok(wfi_hub_adapter_open(at(path), name, shape, out, err));
}

/* The vectors written are those that the adapters and fusions written beside them give, read back from their files; a
 * trained adapter of the lab stands first, and none of them changes nothing. */
static void test_outputs_and_parts(void **state) {
    (void)state;
    static const char *const works[] = {"infer:plain", "infer:seq_bn", "infer:fuse:2"}, *const from[] = {"mine"};
    check_ok(wf_train(lab, &(wf_train_spec){.task = "notes", .name = "mine", .epochs = 1}, NULL, err));
    json_t *j = bench((wf_bench_spec){.texts = at("texts.txt"),
                                      .outputs = at("out.json"),
                                      .parts = at("parts"),
                                      .base_dtype = "f32",
                                      .from = from,
                                      .from_count = 1},
                      works, 3),
           *file = NULL;
    const json_t *names = json_object_get(row(j, "works", "work", "infer:fuse:2"), "adapters");
    assert_string_equal("mine", json_string_value(json_array_get(names, 0)));
    assert_string_equal("bench1", json_string_value(json_array_get(names, 1)));
    json_decref(j);
    check_ok(wfi_json_read(at("out.json"), 1 << 24, &file, err));

    wf_bench_spec spec = {.texts = at("texts.txt")};
    wf_open_base *base = NULL;
    check_ok(wfi_lab_base(lab, NULL, WF_DTYPE_F32, &base, err));
    wf_bench_state b = {.lab = lab, .spec = &spec, .open = base, .models = {base->model}};
    check_ok(wfi_bench_texts(&b, err));
    encoded = b.texts;
    const wf_base_shape shape = wfi_context_shape(base->model);
    wf_adapter *pair[2];
    wf_fusion *fusion = NULL;
    wf_head *head = NULL;
    wf_context *c = NULL;
    const wf_head_spec plain = {
        .kind = WF_KIND_CLASSIFICATION, .classes = 2, .layers = 1, .pooling = WF_POOL_MEAN, .hidden_size = TINY_HIDDEN};
    adapter_read("parts/adapters", "mine", &shape, &pair[0]);
    adapter_read("parts/adapters", "bench1", &shape, &pair[1]);
    check_ok(wfi_hub_fusion_open(at("parts/fusions/2"), pair, 2, &shape, &fusion, err));
    check_ok(wfi_head_new("h", &plain, 1, &head, err));
    check_ok(wfi_context_new(base->model, &c, err));
    c->head = head;
    float *want[3];
    want[0] = pooled_by(c);
    c->adapter = pair[0];
    want[1] = pooled_by(c);
    c->adapter = NULL;
    c->fusion = fusion;
    want[2] = pooled_by(c);
    for (int i = 0; i < 3; i++) {
        const json_t *w = json_object_get(json_object_get(file, "works"), works[i]),
                     *values = json_object_get(w, "values");
        assert_string_equal("mean", json_string_value(json_object_get(w, "pooling")));
        for (int k = 0; k < 3; k++) {
            const double d = distance(values, want[k]);
            if (i == k ? !(d < 1e-5) : !(d > 1e-4)) fail_msg("%s against %s: %g", works[i], works[k], d);
        }
    }
    for (int i = 0; i < 3; i++) free(want[i]);
    wfi_context_free(c);
    wfi_head_free(head);
    wfi_fusion_free(fusion);
    wfi_adapter_free(pair[0]);
    wfi_adapter_free(pair[1]);
    wfi_encoded_clear(&b.texts);
    json_decref(file);
}

/* ---- without a lab, and what goes wrong ---- */

static int stop(const wf_progress *p, void *user) {
    (void)user;
    return strcmp(p->stage, "bench") == 0;
}

static void refuses(wf_status code, wf_bench_spec s, const char *work, const char *says) {
    wf_err e = {0};
    const char *const works[] = {work};
    s.works = works;
    s.work_count = 1;
    s.seconds = s.seconds ? s.seconds : 0.001;
    assert_int_equal(code, wf_bench(lab, &s, NULL, &e));
    if (!strstr(e.text, says)) fail_msg("\"%s\" is not in \"%s\"", says, e.text);
}

static void test_mistakes(void **state) {
    (void)state;
    static const char *const none[] = {"absent"};
    static const char *const unknown[] = {
        "train",        "train:",       "train:seq_b",   "train:plain",   "infer:head",  "infer:full", "train:fuse",
        "train:fuse:0", "train:fuse:x", "train:fuse:65", "train:fuse:2x", "grow:height", "speed",      ""};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        refuses(WF_E_ARG, (wf_bench_spec){0}, unknown[i], "works are gemm, train:METHOD");
    refuses(WF_E_ARG, (wf_bench_spec){0}, "train:lora@f16", "\"f16\" is no type of a base");
    refuses(WF_E_ARG, (wf_bench_spec){0}, "train:full@int8", "f32 or bf16");
    refuses(WF_E_ARG, (wf_bench_spec){.rounds = 101}, "gemm", "[1, 100]");
    refuses(WF_E_ARG, (wf_bench_spec){.seconds = -1}, "gemm", "seconds a work are -1");
    refuses(WF_E_ARG, (wf_bench_spec){.batch_rows = -1}, "infer:plain", "[1, 4096]");
    refuses(WF_E_ARG, (wf_bench_spec){.base_dtype = "f8"}, "gemm", "f32, bf16, int8, auto");
    refuses(WF_E_ARG, (wf_bench_spec){.size = "huge"}, "gemm", "minilm, bert-base");
    refuses(WF_E_ARG, (wf_bench_spec){.size = "minilm", .base = "tiny"}, "gemm", "not both");
    refuses(WF_E_ARG, (wf_bench_spec){.size = "minilm", .texts = "x"}, "gemm", "no tokenizer");
    refuses(WF_E_ARG, (wf_bench_spec){.size = "minilm", .from = none, .from_count = 1}, "gemm", "random");
    refuses(WF_E_NOTFOUND, (wf_bench_spec){.base = "big"}, "gemm", "no base \"big\"");
    refuses(WF_E_NOTFOUND, (wf_bench_spec){.from = none, .from_count = 1}, "infer:fuse:2", "absent");
    refuses(WF_E_NOTFOUND, (wf_bench_spec){.texts = at("no.txt")}, "infer:plain", "no.txt");
    tiny_write(top, "empty.txt", "\n\n");
    refuses(WF_E_DATA, (wf_bench_spec){.texts = at("empty.txt")}, "infer:plain", "no text");
    check_status(WF_E_ARG, wf_bench(NULL, &(wf_bench_spec){0}, NULL, err));
    wf_lab_progress(lab, stop, NULL);
    refuses(WF_E_CANCELLED, (wf_bench_spec){0}, "infer:plain", "cancelled");
    wf_lab_progress(lab, NULL, NULL);
}

static int count_calls(const wf_progress *p, void *user) {
    if (strcmp(p->stage, "bench") == 0) ++*(int *)user;
    return 0;
}

static void test_without_a_lab(void **state) {
    (void)state;
    static const char *const works[] = {"infer:plain"};
    char *text = NULL;
    json_t *j = NULL;
    int calls = 0;
    const wf_bench_spec s = {.size = "minilm",
                             .works = works,
                             .work_count = 1,
                             .seconds = 0.001,
                             .rounds = 2,
                             .batch_rows = 2,
                             .threads = 1,
                             .base_dtype = "f32",
                             .progress = count_calls,
                             .progress_user = &calls};
    check_ok(wf_bench(NULL, &s, &text, err));
    check_ok(wfi_json_parse(text, strlen(text), "result", &j, err));
    assert_int_equal(2, calls);
    assert_true(json_is_true(json_object_get(json_object_get(j, "base"), "random")));
    assert_int_equal(1, number(json_object_get(j, "machine"), "threads"));
    assert_int_equal(384, number(json_object_get(j, "base"), "hidden_size"));
    json_decref(j);
    wf_free(text);
    wf_lab_threads(lab, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_apart),
                                       cmocka_unit_test(test_every_kind_of_work),
                                       cmocka_unit_test(test_all_is_more_than_default),
                                       cmocka_unit_test(test_growth),
                                       cmocka_unit_test(test_outputs_and_parts),
                                       cmocka_unit_test(test_without_a_lab),
                                       cmocka_unit_test(test_mistakes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
