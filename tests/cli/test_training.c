/* Settings of a training as they are typed: what is kept of them, and what help shows of them. */
#include "program.h"
#include <ctype.h>

static json_int_t whole(const json_t *j, const char *object, const char *key) {
    const json_t *v = json_object_get(json_object_get(j, object), key);
    assert_true(json_is_integer(v));
    return json_integer_value(v);
}

/* What is kept between epochs: what was asked for, and what was kept. */
static void test_cache(void **state) {
    (void)state;
    lab_make("k");
    static const struct {
        const char *options;
        int asked, train_rows, dev_rows;
    } rows[] = {{"", 0, 200, 40},
                {"--cache-memory 3", 3, 200, 40},
                {"--base-dropout -1 --cache-memory 0", -1, 0, 0},
                {"--base-dropout 1 --cache-memory 3", 3, 0, 40},
                {"--method head", 0, 0, 0}};
    for (int i = 0; i < 5; i++) {
        json_t *j = weft_json("-C k train reviews --epochs 2 --name m%d %s", i, rows[i].options);
        assert_int_equal(rows[i].asked, whole(j, "settings", "cache_memory"));
        assert_int_equal(rows[i].train_rows, whole(j, "cache", "train_rows"));
        assert_int_equal(rows[i].dev_rows, whole(j, "cache", "dev_rows"));
        assert_int_equal(rows[i].dev_rows > 0, whole(j, "cache", "memory_bytes") > 0);
        assert_int_equal(0, whole(j, "cache", "disk_bytes"));
        json_decref(j);
    }
    free(weft_ok("-C k verify"));
    weft_says(2, "-C k train reviews --cache-memory -5 --name x", "--cache-memory needs a whole number from 0",
              (char *)NULL);
}

static double setting(const json_t *trained, const char *key) {
    const json_t *v = json_object_get(json_object_get(trained, "settings"), key);
    if (!json_is_number(v)) fail_msg("no setting %s", key);
    return json_number_value(v);
}

/* A 0 that is typed is no default. */
static void test_zero(void **state) {
    (void)state;
    static const struct {
        const char *option, *key;
        double otherwise, none; /* with method full */
    } rows[] = {{"warmup", "warmup", 0.1, 0},
                {"max-grad-norm", "max_grad_norm", 1, 0},
                {"head-dropout", "head_dropout", 0.1, 0},
                {"average", "average", 0, 0},
                {"base-dropout", "base_dropout", 1, 0},
                {"cache-memory", "cache_memory", 0, -1}};
    static const char *const trainings[] = {"train reviews --method full", "joint reviews,notes",
                                            "fuse target --from m1 --keep-fusion", "train reviews --method lora"};
    enum { ROWS = sizeof rows / sizeof *rows, TRAININGS = sizeof trainings / sizeof *trainings };
    char zeros[400] = "";
    lab_make("z");
    json_t *j = weft_json("-C z %s --epochs 1 --name plain", trainings[0]);
    for (int i = 0; i < ROWS; i++) {
        assert_true(setting(j, rows[i].key) == rows[i].otherwise);
        snprintf(zeros + strlen(zeros), sizeof zeros - strlen(zeros), " --%s 0", rows[i].option);
    }
    json_decref(j);
    for (int k = 0; k < TRAININGS; k++) {
        j = weft_json("-C z %s --epochs 1 --name m%d %s", trainings[k], k, zeros);
        for (int i = 0; i < ROWS; i++)
            if (setting(j, rows[i].key) != rows[i].none)
                fail_msg("%s: %s is %g", trainings[k], rows[i].key, setting(j, rows[i].key));
        json_decref(j);
    }
    free(weft_ok("-C z compare reviews --methods head --seeds 1 --epochs 1 %s", zeros));
}

/* Every method[settings] that a help text writes out is one that a training takes. */
static void test_brackets(void **state) {
    (void)state;
    static const char *const helps[] = {"train", "fuse", "joint", "compare", "rank", "bench", "gate"};
    size_t tried = 0;
    lab_make("v");
    free(weft_ok("-C v train reviews --steps 1 --name rev"));
    for (int i = 0; i < 7; i++) {
        char *help = weft_ok("%s --help", helps[i]);
        for (char *open = help; (open = strchr(open, '[')); open++) {
            char *start = open, *end = strchr(open, ']');
            while (start > help && (islower((unsigned char)start[-1]) || start[-1] == '_')) start--;
            if (start == open || !end || !memchr(open, '=', (size_t)(end - open))) continue;
            const bool fusion = strncmp(start, "dynamic", 7) == 0 || strncmp(start, "static", 6) == 0;
            free(weft_ok("-C v %s %.*s --steps 1 --name tried-%zu",
                         fusion ? "fuse target --from rev --keep-fusion --config" : "train target --method",
                         (int)(end - start) + 1, start, tried++));
        }
        free(help);
    }
    assert_true(tried >= 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cache), cmocka_unit_test(test_zero),
                                       cmocka_unit_test(test_brackets)};
    return cmocka_run_group_tests(tests, top_make, top_remove);
}
