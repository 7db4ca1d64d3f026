/* Writes into a folder every kind of page that weft makes, from a lab in which each section has something to show: a
 * task of many classes with long names, groups, an uneven one, a regression; fusions, comparisons, every study, a
 * bench. check_pages.py looks at them in a browser. */
#include "planted.h"
#include <unistd.h>

static wf_lab *lab;
static const char *out;

static const char *page_at(const char *name) {
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", out, name);
    return path;
}

/* `classes` topics with long names, the first far more common than the last, and mistakes that repeat. */
static void topics_make(int classes, int rows) {
    char *text = calloc((size_t)rows + 2, 160);
    size_t n = (size_t)sprintf(text, "text,label\n");
    const uint64_t key = wfi_random_key(5, "topics", 0, 0);
    for (int i = 0; i < rows; i++) {
        const int topic = (int)(wfi_random_below(key, 2 * (uint64_t)i, (uint64_t)classes) *
                                wfi_random_below(key, 2 * (uint64_t)i + 1, (uint64_t)classes)) /
                          classes;
        n += (size_t)sprintf(text + n, "the %s was %s and %s %d,%s %02d — Überraschung <&>\n",
                             TINY_WORDS[13 + topic % 3], TINY_WORDS[5 + topic % 8], TINY_WORDS[5 + (topic + i % 2) % 8],
                             i, "a topic with a long name", topic);
    }
    tiny_write(planted_top, "topics.csv", text);
    free(text);
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "topics", .path = planted_at("topics.csv")}, NULL, err));
}

static void ratings_make(int rows) {
    char *text = calloc((size_t)rows + 2, 100);
    size_t n = (size_t)sprintf(text, "text,label\n");
    for (int i = 0; i < rows; i++)
        n += (size_t)sprintf(text + n, "the %s is %s %d,%.2f\n", TINY_WORDS[13 + i % 3], TINY_WORDS[5 + i % 8], i,
                             1.5 - 0.25 * (i % 8) + 0.05 * (i % 5));
    tiny_write(planted_top, "ratings.csv", text);
    free(text);
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "ratings", .path = planted_at("ratings.csv")}, NULL, err));
}

static void models_make(void) {
    static const char *const from[] = {"reviews_adapter", "a_second_adapter_of_reviews_with_a_long_name", "raw",
                                       "of_topics"},
                             *const tasks[] = {"reviews", "more_reviews_from_elsewhere"};
    planted_train(lab, "reviews", from[0], 12, 0);
    planted_train(lab, "more_reviews_from_elsewhere", from[1], 6, 1);
    planted_train(lab, "reviews", from[2], 0.2, 2);
    planted_train(lab, "topics", from[3], 3, 3);
    planted_train(lab, "ratings", "of_ratings", 2, 4);
    check_ok(wf_train(lab,
                      &(wf_train_spec){.task = "reviews",
                                       .method = "fusion",
                                       .name = "fusion_of_four",
                                       .from = from,
                                       .from_count = 4,
                                       .epochs = 2,
                                       .lr = 5e-3,
                                       .keep_fusion = 1},
                      NULL, err));
    check_ok(wf_train(
        lab,
        &(wf_train_spec){.task = "topics", .method = "fusion", .from = from, .from_count = 4, .epochs = 1, .rows = 40},
        NULL, err)); /* the task's own adapter beside it */
    check_ok(wf_train_joint(
        lab, &(wf_joint_spec){.tasks = tasks, .task_count = 2, .train = {.name = "both", .epochs = 2}}, NULL, err));
}

static void compare(const char *task, const char *const *methods, size_t count, const int64_t *rows,
                    size_t rows_count) {
    check_ok(wf_compare(lab,
                        &(wf_compare_spec){.task = task,
                                           .methods = methods,
                                           .method_count = count,
                                           .rows = rows,
                                           .rows_count = rows_count,
                                           .seeds = 3,
                                           .train = {.epochs = 2, .lr = 5e-3}},
                        NULL, err));
}

static void comparisons_make(void) {
    static const char *const methods[] = {
        "head",
        "seq_bn",
        "lora",
        "full",
        "fuse:reviews_adapter,a_second_adapter_of_reviews_with_a_long_name,raw,of_topics",
        "fuse:raw,of_topics",
        "fuse:auto:2"};
    static const int64_t sizes[] = {16, 32, 64, 150};
    compare("reviews", methods, 7, sizes, 4);
    static const char *const own_rate[] = {"head", "seq_bn@lr=5e-3"};
    check_ok(wf_compare(lab,
                        &(wf_compare_spec){.task = "ratings",
                                           .methods = own_rate,
                                           .method_count = 2,
                                           .rows = sizes,
                                           .rows_count = 2,
                                           .seeds = 3,
                                           .tune_lr = (const double[]){1e-9, 5e-3},
                                           .tune_lr_count = 2,
                                           .train = {.epochs = 2}},
                        NULL, err));
}

/* Behavioural tests of every type, with long names, groups and what cannot be judged. */
static const char *checklist_write(void) {
    static const char *const types[] = {"MFT", "INV", "DIR"};
    static char path[600];
    snprintf(path, sizeof path, "%s", planted_at("checklist.jsonl"));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 72; i++)
        for (int v = 0; v < 2; v++)
            fprintf(f,
                    "{\"text\": \"the film was %s %d\", \"case\": %d, \"variant\": %d, \"type\": \"%s\", \"group\": "
                    "\"%s\", "
                    "\"test\": \"what a long name of a test should be (and is) %d\"%s}\n",
                    (i + v) % 3 ? "good" : "bad", i, i, v, types[i % 3], i % 2 ? "Negation" : "Vocabulary", i % 6,
                    i % 3 == 0   ? (i + v) % 3 ? ", \"label\": \"positive\"" : ", \"label\": \"negative\""
                    : i % 6 == 2 ? ", \"expect\": \"down positive\""
                                 : "");
    fclose(f);
    return path;
}

static void studies_make(void) {
    const char *both[] = {"fusion_of_four", "a_second_adapter_of_reviews_with_a_long_name"}, *topics[] = {"of_topics"},
               *sets[] = {"more_reviews_from_elsewhere", checklist_write()};
    check_ok(wf_study_robust(
        lab, &(wf_robust_spec){.models = both, .model_count = 2, .sets = sets, .set_count = 2, .resamples = 100}, NULL,
        err));
    check_ok(wf_study_failures(lab, &(wf_failures_spec){.models = both, .model_count = 2}, NULL, err));
    check_ok(wf_study_failures(lab, &(wf_failures_spec){.models = topics, .model_count = 1}, NULL, err));
    check_ok(wf_study_interact(lab, &(wf_interact_spec){.model = both[0], .resamples = 200}, NULL, err));
    check_ok(wf_study_fair(lab, &(wf_fair_spec){.models = both, .model_count = 2, .resamples = 100}, NULL, err));
}

/* A bench as it is kept, with figures that no tiny base gives. */
static void bench_make(void) {
    static const char *const works[] = {"train:seq_bn", "train:fuse:16", "infer:a_work_with_a_long_name:16"},
                             *const growths[] = {"grow:fuse", "grow:length", "grow:batch", "grow:threads"};
    json_t *list = json_array(), *growth = json_array();
    for (int i = 0; i < 4; i++) {
        json_t *w = json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:i}", "work", i < 3 ? works[i] : "latency:plain",
                              "base_dtype", i % 2 ? "bf16" : "f32", "tokens_per_second", 123456.0 / (i + 1),
                              "tokens_per_second_low", 110000.0 / (i + 1), "tokens_per_second_high", 125000.0 / (i + 1),
                              "seconds_per_step", 0.25, "share_of_peak", 0.5, "peak_rss_bytes", 123456789);
        if (i == 3)
            json_object_set_new(w, "median_ms", json_real(4.3)), json_object_set_new(w, "p90_ms", json_real(7.6));
        json_array_append_new(list, w);
        json_array_append_new(growth, json_pack("{s:s, s:[{s:i, s:f}, {s:i, s:f}, {s:i, s:f}]}", "growth", growths[i],
                                                "points", "x", 1, "tokens_per_second", 9000.0, "x", 4,
                                                "tokens_per_second", 7000.0, "x", 16, "tokens_per_second", 4000.0));
    }
    json_t *all =
        json_pack("{s:s, s:{s:s, s:i}, s:{s:s, s:b, s:i, s:i}, s:{s:f}, s:[{s:s, s:f}, {s:s, s:f}], s:o, s:o}",
                  "finished", "2026-01-31T12:00:00Z", "machine", "cpu", "A processor", "threads", 2, "base", "name",
                  "tiny", "random", 0, "layers", 2, "hidden_size", 32, "texts", "mean_tokens", 12.4, "gemm", "dtype",
                  "f32", "gflops", 222.3, "dtype", "bf16", "gflops", 455.1, "works", list, "growth", growth);
    char *text = json_dumps(all, 0);
    tiny_write(planted_at("lab"), "bench.json", text);
    free(text);
    json_decref(all);
}

static void explain(const char *model, const char *text, const char *page) {
    char *json = NULL;
    check_ok(wf_explain_text(lab, &(wf_explain_spec){.model = model, .text = text, .tolerance = 10}, &json, err));
    check_ok(wf_explain_page(json, page_at(page), err));
    wf_free(json);
}

static void test_pages(void **state) {
    (void)state;
    lab = planted_lab();
    wf_lab_threads(lab, 1);
    check_ok(wf_report(lab, page_at("report-empty.html"), NULL, err));
    planted_task(lab, "reviews", 1, 160, 160, 4, 60);
    planted_task(lab, "more_reviews_from_elsewhere", 2, 60, 60, 4, 0);
    topics_make(14, 400);
    ratings_make(120);
    models_make();
    comparisons_make();
    studies_make();
    bench_make();
    check_ok(wf_report(lab, page_at("report.html"), NULL, err));
    check_ok(wf_card_write(lab, "fusion_of_four", page_at("card.html"), NULL, err));
    check_ok(wf_card_write(lab, "of_topics", page_at("card-topics.html"), NULL, err));
    explain("fusion_of_four",
            "the film was very good and so lovely but the book was not great and the song is awful, "
            "averyveryveryveryveryveryverylongwordthatdoesnotendforaverylongtimeindeed . the film is fine",
            "explain.html");
    explain("of_ratings", "the song is dull", "explain-rating.html");
    wf_lab_close(lab);
    check_ok(wfi_tree_remove(planted_top, err));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pages)};
    if (argc != 2) return fprintf(stderr, "usage: %s FOLDER\n", argv[0]), 2;
    out = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
