/* Whole trainings on several threads: the same bits each time, for one thread count. Each side is a process of its own
 * (this program again, with the folder, a lab's name and a thread count) with a lab of its own; batches are long enough
 * that the kernels and oneDNN take all threads. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "in_lab.h"
#include <stdlib.h>
#include <unistd.h>

enum { ROWS = 96, WORDS = 44 };

/* DIR/{train,dev}.jsonl: long texts; the label is the mood of most words. */
static void long_task(const char *dir) {
    static const char *const words[] = {"good", "great", "bad", "awful", "film", "was", "very", "so"};
    const uint64_t key = wfi_random_key(3, "long task", 0, 0);
    check_ok(wfi_dir_make(dir, err));
    for (int part = 0; part < 2; part++) {
        wf_buffer b = {0};
        for (int i = 0; i < (part ? 12 : ROWS); i++) {
            wfi_buffer_adds(&b, "{\"text\": \"the");
            for (int k = 0; k < WORDS - i % 5; k++) {
                const uint32_t w = wfi_random_below(key, (uint64_t)(WORDS * (2 * i + part) + k), 8);
                wfi_buffer_adds(&b, " ");
                wfi_buffer_adds(&b, words[w < 4 ? (w + 2 * (uint32_t)i) % 4 : w]);
            }
            wfi_buffer_adds(&b, i % 2 ? "\", \"label\": \"b\"}\n" : "\", \"label\": \"a\"}\n");
        }
        tiny_write(dir, part ? "dev.jsonl" : "train.jsonl", b.data);
        wfi_buffer_clear(&b);
    }
}

static void train_and_tell(wf_lab *lab, const char *method, const char *dtype) {
    static const char *const from[] = {"seq_bn-f32", "seq_bn-bf16"};
    const bool fusion = strcmp(method, "fusion") == 0;
    char name[64], *text = NULL;
    snprintf(name, sizeof name, "%s-%s", method, dtype);
    const wf_train_spec spec = {.task = "long",
                                .method = method,
                                .name = name,
                                .from = from,
                                .from_count = fusion ? 2 : 0,
                                .keep_fusion = fusion,
                                .base_dtype = dtype,
                                .epochs = 2,
                                .lr = 5e-3,
                                .batch_rows = 48,
                                .base_dropout = 1};
    check_ok(wf_train(lab, &spec, NULL, err));
    check_ok(wf_inspect(lab, name, &text, err));
    json_t *j = parsed(text);
    printf("%s %s\n", name, json_string_value(json_object_get(j, "hash")));
    json_decref(j);
}

/* What the child does: a line "NAME HASH" for each training. */
static int trainings(const char *name, int threads) {
    static const char *const types[] = {"f32", "bf16", "int8"};
    wf_lab *lab = NULL;
    check_ok(wf_lab_init(at(name), err));
    check_ok(wf_lab_open(at(name), &lab, err));
    wf_lab_threads(lab, threads);
    check_ok(wf_base_add(lab, "tiny", at("base"), NULL, err));
    const wf_task_spec task = {.name = "long", .path = at("long")};
    check_ok(wf_task_add(lab, &task, NULL, err));
    for (int i = 0; i < 3; i++) train_and_tell(lab, "seq_bn", types[i]);
    for (int i = 0; i < 3; i++) train_and_tell(lab, "fusion", types[i]);
    for (int i = 0; i < 2; i++) train_and_tell(lab, "full", types[i]);
    wf_lab_close(lab);
    return 0;
}

static char self[512];

static void child_read(int threads, int time, char *out, size_t size) {
    char command[1024];
    snprintf(command, sizeof command, "'%s' '%s' lab-%d-%d %d", self, top, threads, time, threads);
    FILE *f = popen(command, "r"); /* NOLINT: the words are this test's own */
    assert_non_null(f);
    out[fread(out, 1, size - 1, f)] = 0;
    if (pclose(f) != 0) fail_msg("%s failed, having said: %s", command, out);
}

static void same_twice(int threads) {
    char once[4096], twice[4096];
    int lines = 0;
    child_read(threads, 1, once, sizeof once);
    child_read(threads, 2, twice, sizeof twice);
    for (const char *p = once; *p; p++) lines += *p == '\n';
    assert_int_equal(8, lines);
    assert_string_equal(once, twice);
}

static void test_two_threads(void **state) {
    (void)state;
    same_twice(2);
}

static void test_three_threads(void **state) { /* as many as divide nothing evenly, and more than some machines have */
    (void)state;
    same_twice(3);
}

static int setup(void **state) {
    (void)state;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    tiny_base(at("base"));
    long_task(at("long"));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 4) {
        snprintf(top, sizeof top, "%s", argv[1]);
        return trainings(argv[2], (int)strtol(argv[3], NULL, 10));
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_threads), cmocka_unit_test(test_three_threads)};
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return 1;
    return cmocka_run_group_tests_name("lab threads", tests, setup, teardown);
}
