/* A planted group with wrong labels and a planted word that moves the answer are found; without them nothing is
 * claimed. Terms change places as people would write them; small groups are named, wrong questions refused. */
#include "planted.h"
#include <math.h>
#include <unistd.h>

static wf_lab *lab;
static const char NOUNS[] = "{\"noun\": {\"film\": [\"film\"], \"song\": [\"song\"]}}";

static json_t *fair(const wf_fair_spec *spec) {
    char *text = NULL;
    check_ok(wf_study_fair(lab, spec, &text, err));
    return planted_json(text);
}

/* Rows about a film are called positive and those about a song negative, whatever they say. */
static void leaning_task(const char *name) {
    static const char *const words[2][4] = {{"bad", "awful", "poor", "dull"}, {"good", "great", "fine", "lovely"}},
                             *const parts[] = {"train", "dev", "test"};
    check_ok(wfi_dir_make(planted_at(name), err));
    for (uint64_t part = 0; part < 3; part++) {
        const uint64_t key = wfi_random_key(part, name, 0, 0);
        char *text = calloc(201, 128), file[32];
        size_t n = 0;
        for (uint64_t i = 0; i < 200; i++) {
            const int mood = i % 2, film = i / 2 % 2;
            const char *word = words[mood][wfi_random_below(key, i, 4)];
            n += (size_t)sprintf(text + n, "{\"text\": \"the %s was %s and %s %d\", \"label\": \"%s\"}\n",
                                 film ? "film" : "song", word, word, (int)i, film ? "positive" : "negative");
        }
        snprintf(file, sizeof file, "%s.jsonl", parts[part]);
        tiny_write(planted_at(name), file, text);
        free(text);
    }
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = name, .path = planted_at(name)}, NULL, err));
}

static int setup(void **state) {
    (void)state;
    lab = planted_lab();
    planted_task(lab, "biased", 1, 160, 160, 4, 60);
    planted_task(lab, "even", 2, 40, 160, 4, 0);
    planted_train(lab, "biased", "model", 12, 0);
    planted_train(lab, "biased", "twin", 12, 1);
    leaning_task("leaning");
    planted_train(lab, "leaning", "leans", 12, 0);
    tiny_write(planted_top, "nouns.json", NOUNS);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

static const json_t *model_of(const json_t *j, size_t i) {
    return json_array_get(json_object_get(j, "models"), i);
}

static size_t claims(const json_t *model) {
    static const char *const keys[] = {"errors", "fpr", "fnr"};
    const json_t *g, *s, *one;
    size_t i, k, n = json_is_true(json_object_get(json_object_get(model, "equalised_odds"), "unequal"));
    json_array_foreach(json_object_get(model, "groups"), i, g) for (int q = 0; q < 3; q++) n +=
        json_is_string(json_object_get(json_object_get(g, keys[q]), "differs"));
    json_array_foreach(json_object_get(model, "swaps"), i, s)
        json_array_foreach(json_object_get(s, "identities"), k, one) n +=
        json_is_string(json_object_get(one, "changes"));
    return n;
}

static void test_biased_group(void **state) {
    (void)state;
    const char *models[] = {"model"};
    json_t *j = fair(&(wf_fair_spec){.models = models, .model_count = 1, .resamples = 300});
    const json_t *m = model_of(j, 0), *groups = json_object_get(m, "groups"), *first = json_array_get(groups, 0),
                 *errors = json_object_get(first, "errors"), *auc = json_object_get(first, "auc"),
                 *odds = json_object_get(m, "equalised_odds");
    assert_string_equal("positive", json_string_value(json_object_get(j, "positive")));
    assert_string_equal("g3", json_string_value(json_object_get(m, "worst_group")));
    assert_string_equal("g3", json_string_value(json_object_get(first, "group")));
    assert_string_equal("more", json_string_value(json_object_get(errors, "differs")));
    assert_string_equal("more", json_string_value(json_object_get(json_object_get(first, "fpr"), "differs")));
    assert_string_equal("more", json_string_value(json_object_get(json_object_get(first, "fnr"), "differs")));
    assert_true(planted_number(json_object_get(auc, "difference"), "high") < -0.1);
    assert_true(json_is_true(json_object_get(odds, "unequal")));
    assert_int_equal(4, json_array_size(groups));
    /* Counts add up, and the rates come from them. */
    size_t i;
    const json_t *g;
    double wrong = 0, rows = 0;
    json_array_foreach(groups, i, g) {
        const json_t *e = json_object_get(g, "errors"), *fpr = json_object_get(g, "fpr"),
                     *fnr = json_object_get(g, "fnr");
        const double n = planted_number(g, "rows"), up = planted_number(g, "positives");
        assert_true(planted_number(e, "count") == planted_number(fpr, "count") + planted_number(fnr, "count"));
        assert_true(fabs(planted_number(fnr, "rate") * up - planted_number(fnr, "count")) < 1e-9);
        assert_true(fabs(planted_number(fpr, "rate") * (n - up) - planted_number(fpr, "count")) < 1e-9);
        assert_true(fabs(planted_number(g, "accuracy") - (1 - planted_number(e, "count") / n)) < 1e-9);
        if (i > 0) assert_true(!json_is_string(json_object_get(e, "differs")) || planted_number(e, "rate") < 0.2);
        wrong += planted_number(e, "count");
        rows += n;
    }
    assert_true(rows == 160 && fabs(planted_number(m, "accuracy") - (1 - wrong / rows)) < 1e-9);
    json_decref(j);
}

static void test_nothing_to_claim(void **state) {
    (void)state;
    const char *models[] = {"model", "twin"};
    wf_fair_spec spec = {.models = models, .model_count = 2, .task = "even", .resamples = 300};
    json_t *j = fair(&spec), *again = fair(&spec);
    for (size_t i = 0; i < 2; i++) assert_int_equal(0, claims(model_of(j, i)));
    assert_true(json_equal(json_object_get(j, "models"), json_object_get(again, "models")));
    json_decref(j);
    json_decref(again);
}

/* Rows of one class, or groups of one class each: one side of the odds cannot be measured, and no verdict is given. */
static void test_one_class(void **state) {
    (void)state;
    static const struct {
        const char *labels[2], *groups[2], *why;
        bool fpr, fnr; /* a gap of it can be told */
    } cases[] = {{{"positive", "positive"}, {"a", "b"}, "no row of another label", false, true},
                 {{"negative", "negative"}, {"a", "b"}, "no row of the label", true, false},
                 {{"positive", "negative"}, {"a", "b"}, "not two groups have 10 rows of another label", false, false},
                 {{"positive", "negative"}, {"a", "a"}, "not two groups of at least 10 rows", false, false}};
    const char *models[] = {"model"};
    char file[512];
    snprintf(file, sizeof file, "%s", planted_at("class.jsonl"));
    for (size_t c = 0; c < 4; c++) {
        FILE *f = fopen(file, "w");
        for (int i = 0; i < 60; i++)
            fprintf(f, "{\"text\": \"the film was %s %d\", \"label\": \"%s\", \"group\": \"%s\"}\n",
                    i % 3 ? "good" : "bad", i, cases[c].labels[i % 2], cases[c].groups[i % 2]);
        fclose(f);
        json_t *j = fair(&(wf_fair_spec){.models = models, .model_count = 1, .data = file, .resamples = 100});
        const json_t *odds = json_object_get(model_of(j, 0), "equalised_odds");
        const char *why = json_string_value(json_object_get(odds, "not_measured"));
        if (!why || !strstr(why, cases[c].why)) fail_msg("case %zu says: %s", c, why ? why : "nothing");
        assert_true(json_is_null(json_object_get(odds, "gap")) && json_is_null(json_object_get(odds, "p_holm")));
        assert_true(json_is_false(json_object_get(odds, "unequal")));
        assert_true(json_is_number(json_object_get(odds, "fpr_gap")) == cases[c].fpr);
        assert_true(json_is_number(json_object_get(odds, "fnr_gap")) == cases[c].fnr);
        json_decref(j);
        char *text = NULL;
        size_t size = 0;
        check_ok(wf_report(lab, planted_at("one.html"), NULL, err));
        check_ok(wfi_file_read(planted_at("one.html"), 1 << 26, &text, &size, err));
        if (!strstr(text, cases[c].why)) fail_msg("the report does not say: %s", cases[c].why);
        assert_null(strstr(text, "nan"));
        wf_free(text);
        check_ok(wf_card_write(lab, "model", planted_at("card.md"), NULL, err));
        check_ok(wfi_file_read(planted_at("card.md"), 1 << 26, &text, &size, err));
        if (!strstr(text, cases[c].why)) fail_msg("the card does not say: %s", cases[c].why);
        assert_null(strstr(text, "nan"));
        wf_free(text);
    }
}

static const json_t *swap_of(const json_t *model, const char *of) {
    return planted_find(json_object_get(model, "swaps"), "texts_of", of);
}

/* The leaning model, and one that read as many films of either kind. */
static void test_identity(void **state) {
    (void)state;
    const char *models[] = {"leans"};
    char terms[512];
    snprintf(terms, sizeof terms, "%s", planted_at("nouns.json"));
    wf_fair_spec spec = {.models = models, .model_count = 1, .terms = terms, .resamples = 500};
    json_t *j = fair(&spec);
    const json_t *rows = swap_of(model_of(j, 0), "rows"), *all = json_object_get(rows, "identities"),
                 *film = planted_find(all, "identity", "film"), *song = planted_find(all, "identity", "song");
    assert_int_equal(200, planted_number(rows, "texts"));
    assert_string_equal("up", json_string_value(json_object_get(film, "changes")));
    assert_string_equal("down", json_string_value(json_object_get(song, "changes")));
    assert_true(planted_number(film, "low") > 0.02 && planted_number(rows, "flipped") > 0.02);
    assert_true(fabs(planted_number(film, "value") + planted_number(song, "value")) < 1e-9);
    assert_true(fabs(planted_number(rows, "spread")) >= fabs(planted_number(film, "value")) - 1e-9);
    assert_int_equal(12, planted_number(swap_of(model_of(j, 0), "templates"), "texts"));
    assert_int_equal(0, json_array_size(json_object_get(model_of(j, 0), "groups")));
    assert_true(json_is_null(json_object_get(model_of(j, 0), "worst_group")));
    json_decref(j);
    models[0] = "model";
    spec.task = "even";
    j = fair(&spec);
    film = planted_find(json_object_get(swap_of(model_of(j, 0), "rows"), "identities"), "identity", "film");
    assert_true(json_is_null(json_object_get(film, "changes")));
    json_decref(j);
}

/* What stands in the texts, seen through what is found in them. */
static void test_terms_in_texts(void **state) {
    (void)state;
    const char *models[] = {"model"};
    char file[512];
    snprintf(file, sizeof file, "%s", planted_at("people.jsonl"));
    tiny_write(planted_top, "people.jsonl",
               "{\"text\": \"a Man was good\", \"label\": \"positive\", \"group\": \"big\"}\n"
               "{\"text\": \"HE was bad\", \"label\": \"negative\", \"group\": \"small\"}\n"
               "{\"text\": \"he and she\", \"label\": \"positive\", \"group\": \"big\"}\n"
               "{\"text\": \"the film was her\", \"label\": \"negative\"}\n"
               "{\"text\": \"the romance of manhood\", \"label\": \"negative\"}\n"
               "{\"text\": \"the film was his\", \"label\": \"negative\", \"group\": \"big\"}\n");
    json_t *j = fair(&(wf_fair_spec){.models = models, .model_count = 1, .data = file, .resamples = 100});
    const json_t *left = json_object_get(j, "swaps_left_out"), *m = model_of(j, 0),
                 *gender = json_array_get(json_object_get(m, "swaps"), 0), *small = json_object_get(m, "left_out");
    assert_string_equal("gender", json_string_value(json_object_get(gender, "set")));
    assert_int_equal(3, planted_number(gender, "texts")); /* Man, HE, his */
    assert_int_equal(1, planted_number(left, "several_identities"));
    assert_int_equal(1, planted_number(left, "ambiguous"));
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(gender, "identities"), 0), "p")));
    assert_int_equal(0, json_array_size(json_object_get(m, "groups")));
    assert_int_equal(2, json_array_size(small)); /* named, not judged */
    assert_int_equal(3, planted_number(planted_find(small, "group", "big"), "rows"));
    assert_string_equal(file, json_string_value(json_object_get(j, "part")));
    json_decref(j);
}

static void test_mistakes(void **state) {
    (void)state;
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "{\"a\": [\"one\"]}",
                                      "{\"a\": [\"one\", \"one\"]}",
                                      "{\"a\": [\"one\", 2]}",
                                      "{\"a\": \"one\"}",
                                      "{\"a\": {\"x\": [\"one\", \"ones\"], \"y\": [\"two\"]}}",
                                      "{\"a\": {\"x\": [\"one\"], \"y\": [\"One\"]}}",
                                      "{\"a\": {\"x\": [\"one\"], \"y\": [\"\"]}}",
                                      "{\"a\": {\"x\": [\"one\"], \"y\": [\"{}\"]}}",
                                      "{\"a\": {\"x\": \"one\", \"y\": \"two\"}}",
                                      "{\"a\": [\"one\", \"two\"]"};
    const char *models[] = {"model", "model"};
    char path[512];
    snprintf(path, sizeof path, "%s", planted_at("bad.json"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tiny_write(planted_top, "bad.json", bad[i]);
        check_status(WF_E_DATA,
                     wf_study_fair(lab, &(wf_fair_spec){.models = models, .model_count = 1, .terms = path}, NULL, err));
    }
    const wf_fair_spec wrong[] = {{.models = models},
                                  {.models = models, .model_count = 2},
                                  {.models = models, .model_count = 1, .positive = "no such label"},
                                  {.models = models, .model_count = 1, .rows = -2},
                                  {.models = models, .model_count = 1, .resamples = 5}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_status(WF_E_ARG, wf_study_fair(lab, &wrong[i], NULL, err));
    check_status(
        WF_E_NOTFOUND,
        wf_study_fair(lab, &(wf_fair_spec){.models = models, .model_count = 1, .data = "/none.jsonl"}, NULL, err));
}

static int stop(const wf_progress *p, void *user) {
    (void)user;
    assert_true(p->total > 0 && p->done <= p->total);
    return 1;
}

static void test_cancel_and_report(void **state) {
    (void)state;
    const char *models[] = {"model", "twin"};
    const wf_fair_spec spec = {.models = models, .model_count = 2, .resamples = 100};
    wf_lab_progress(lab, stop, NULL);
    usleep(120000); /* progress is told ten times a second at most */
    check_status(WF_E_CANCELLED, wf_study_fair(lab, &spec, NULL, err));
    wf_lab_progress(lab, NULL, NULL);
    json_decref(fair(&spec));
    char *text = NULL;
    size_t size = 0;
    check_ok(wf_report(lab, planted_at("page.html"), NULL, err));
    check_ok(wfi_file_read(planted_at("page.html"), 1 << 26, &text, &size, err));
    static const char *const wants[] = {"Fairness: biased",
                                        "Worst group: <strong>g3</strong>",
                                        "errors by group",
                                        "g3 has more errors, more false alarms, more misses than the rest",
                                        "under every identity of a set",
                                        "<td>muslim</td>"};
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        if (!strstr(text, wants[i])) fail_msg("\"%s\" is not in the report", wants[i]);
    assert_null(strstr(text, "nan"));
    wf_free(text);
}

/* Sets of others, where they lie beside this checkout: read, grouped, answered. */
static void test_known_sets(void **state) {
    (void)state;
    static const struct {
        const char *name, *label, *group;
    } sets[] = {{"toxicity_madlibs", "toxic", "gay"},
                {"equity_evaluation", "joy", "female/European"},
                {"winobias", "pro", "type1"}};
    for (size_t i = 0; i < 3; i++) {
        char path[512], model[64];
        const char *top = getenv("WEFT_SHARED_DATA");
        snprintf(path, sizeof path, "%s/%s/test.jsonl", top ? top : "../shared/data", sets[i].name);
        if (!wfi_file_exists(path)) skip();
        check_ok(wf_task_add(lab, &(wf_task_spec){.name = sets[i].name, .path = path, .group = "group"}, NULL, err));
        snprintf(model, sizeof model, "m-%s", sets[i].name);
        check_ok(wf_train(
            lab,
            &(wf_train_spec){
                .task = sets[i].name, .name = model, .method = "head", .rows = 100, .epochs = 1, .base_dtype = "f32"},
            NULL, err));
        const char *models[] = {model};
        json_t *j = fair(&(wf_fair_spec){
            .models = models, .model_count = 1, .positive = sets[i].label, .rows = 600, .resamples = 100});
        const json_t *m = model_of(j, 0), *groups = json_object_get(m, "groups");
        planted_find(groups, "group", sets[i].group);
        assert_true(json_is_string(json_object_get(m, "worst_group")));
        assert_true(planted_number(json_array_get(json_object_get(m, "swaps"), 0), "texts") > 0);
        json_decref(j);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_biased_group),      cmocka_unit_test(test_nothing_to_claim),
        cmocka_unit_test(test_one_class),         cmocka_unit_test(test_identity),
        cmocka_unit_test(test_terms_in_texts),    cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_cancel_and_report), cmocka_unit_test(test_known_sets)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
