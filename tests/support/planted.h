/* tests/study/planted.h - a lab with the tiny base, and tasks in which something was planted. */
#ifndef WF_TESTS_PLANTED_H
#define WF_TESTS_PLANTED_H
#include "base/alloc.h"
#include "base/json.h"
#include "tiny.h"
#include "weft/weft.h"

static char planted_top[256];

static inline const char *planted_at(const char *name) {
    static char path[4][512];
    static int k;
    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", planted_top, name);
    return path[k];
}

/* What the lab said to people since planted_told was emptied (wf_lab_messages). */
static char planted_told[8192];

static inline void planted_hear(const char *level, const char *text, void *user) {
    (void)user;
    const size_t n = strlen(planted_told);
    snprintf(planted_told + n, sizeof planted_told - n, "%s: %s\n", level, text);
}

/* Writes FILE: `rows` reviews whose label is the mood of their adjective, with a group of `groups` by turns ("g0",
 * ...). wrong: chance that a row of the last group has the other label (percent). */
static inline void planted_rows(const char *file, uint64_t salt, int rows, int groups, int wrong) {
    static const char *const words[2][4] = {{"bad", "awful", "poor", "dull"}, {"good", "great", "fine", "lovely"}},
                             *const nouns[] = {"film", "book", "song"};
    const uint64_t key = wfi_random_key(salt, "planted", 0, 0);
    char *text = calloc((size_t)rows + 1, 160);
    size_t n = 0;
    for (int i = 0; i < rows; i++) {
        const int mood = i % 2, group = (i / 2) % groups,
                  turned = group == groups - 1 && (int)wfi_random_below(key, 4 * (uint64_t)i, 100) < wrong;
        n +=
            (size_t)sprintf(text + n, "{\"text\": \"the %s %s %s and %s %d\", \"label\": \"%s\", \"group\": \"g%d\"}\n",
                            nouns[wfi_random_below(key, 4 * (uint64_t)i + 1, 3)], i % 3 ? "was" : "is very",
                            words[mood][wfi_random_below(key, 4 * (uint64_t)i + 2, 4)],
                            words[mood][wfi_random_below(key, 4 * (uint64_t)i + 3, 4)], i,
                            mood != turned ? "positive" : "negative", group);
    }
    check_ok(wfi_file_write(file, text, n, err));
    free(text);
}

/* Folder NAME with train, dev and test; only test has wrong labels. */
static inline void planted_task(wf_lab *lab, const char *name, uint64_t salt, int train, int test, int groups,
                                int wrong) {
    char path[600];
    check_ok(wfi_dir_make(planted_at(name), err));
    const char *const parts[] = {"train", "dev", "test"};
    const int counts[] = {train, 40, test};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s.jsonl", planted_at(name), parts[i]);
        planted_rows(path, salt * 10 + (uint64_t)i, counts[i], groups, i == 2 ? wrong : 0);
    }
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = name, .path = planted_at(name)}, NULL, err));
}

static inline wf_lab *planted_lab(void) {
    wf_lab *lab = NULL;
    snprintf(planted_top, sizeof planted_top, "%s", check_temp_dir());
    tiny_base(planted_at("base"));
    check_ok(wf_lab_init(planted_at("lab"), err));
    check_ok(wf_lab_open(planted_at("lab"), &lab, err));
    check_ok(wf_base_add(lab, "tiny", planted_at("base"), NULL, err));
    return lab;
}

static inline void planted_train(wf_lab *lab, const char *task, const char *name, double epochs, uint64_t seed) {
    check_ok(wf_train(lab,
                      &(wf_train_spec){.task = task,
                                       .method = "seq_bn[reduction_factor=4]",
                                       .name = name,
                                       .epochs = epochs,
                                       .lr = epochs < 1 ? 1e-7 : 5e-3,
                                       .seed = seed,
                                       .base_dtype = "f32",
                                       .base_dropout = -1},
                      NULL, err));
}

static inline json_t *planted_json(char *text) {
    json_t *j = NULL;
    assert_non_null(text);
    check_ok(wfi_json_parse(text, strlen(text), "result", &j, err));
    wf_free(text);
    return j;
}

/* Runs of a command that the lab lists. */
static inline size_t planted_runs(wf_lab *lab, const char *command) {
    char *text = NULL;
    size_t i, n = 0;
    const json_t *run;
    check_ok(wf_list(lab, &text, err));
    json_t *j = planted_json(text);
    json_array_foreach(json_object_get(j, "runs"), i, run) n +=
        strcmp(json_string_value(json_object_get(run, "command")), command) == 0;
    json_decref(j);
    return n;
}

static inline const json_t *planted_find(const json_t *list, const char *key, const char *value) {
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one) {
        const char *is = json_string_value(json_object_get(one, key));
        if (is && strcmp(is, value) == 0) return one;
    }
    fail_msg("nothing has %s \"%s\"", key, value);
    return NULL;
}

static inline double planted_number(const json_t *j, const char *key) {
    const json_t *v = json_object_get(j, key);
    if (!json_is_number(v)) fail_msg("\"%s\" is no number", key);
    return json_number_value(v);
}
#endif
