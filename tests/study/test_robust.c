/* Planted effects are found: a model that typos break, a group with wrong labels, a set with turned labels, a model
 * that never learned. Without the effect nothing is claimed. Wrong questions are refused, and the report draws the
 * study. */
#include "planted.h"
#include <math.h>
#include <unistd.h>

static wf_lab *lab;

static json_t *robust(const wf_robust_spec *spec) {
    char *text = NULL;
    check_ok(wf_study_robust(lab, spec, &text, err));
    return planted_json(text);
}

static int setup(void **state) {
    lab = planted_lab();
    planted_task(lab, "biased", 1, 160, 160, 4, 60);
    planted_task(lab, "fair", 2, 40, 160, 4, 0);
    planted_train(lab, "biased", "model", 12, 0);
    planted_train(lab, "biased", "twin", 12, 1);
    planted_train(lab, "biased", "raw", 0.2, 2);
    return 0;
}

static int teardown(void **state) {
    wf_lab_close(lab);
    return wfi_tree_remove(planted_top, NULL) == WF_OK ? 0 : 1;
}

/* Words with a wrong letter are unknown to the tiny vocabulary; the tokenizer does not see case. */
static void test_typos_break_and_case_does_not(void **state) {
    const char *models[] = {"model"}, *kinds[] = {"typo", "case"};
    json_t *j = robust(&(wf_robust_spec){
        .models = models, .model_count = 1, .task = "fair", .kinds = kinds, .kind_count = 2, .resamples = 300});
    const json_t *m = json_array_get(json_object_get(j, "models"), 0), *all = json_object_get(m, "kinds"),
                 *typo = planted_find(all, "kind", "typo"), *same = planted_find(all, "kind", "case");
    const double clean = planted_number(json_object_get(m, "clean"), "score");
    assert_true(clean > 0.9);
    assert_true(json_is_true(json_object_get(json_object_get(typo, "drop"), "breaks")));
    assert_true(planted_number(json_object_get(typo, "drop"), "low") > 0.02);
    assert_true(json_is_false(json_object_get(json_object_get(same, "drop"), "breaks")));
    assert_true(planted_number(json_object_get(same, "drop"), "p") == 1);
    size_t i;
    const json_t *at;
    double area = 0, before = clean;
    json_array_foreach(json_object_get(same, "strengths"), i, at) {
        assert_true(planted_number(at, "score") == clean && planted_number(at, "flipped") == 0);
        assert_true(planted_number(at, "changed") == 1); /* the text is another one all the same */
    }
    json_array_foreach(json_object_get(typo, "strengths"), i, at) {
        const double score = planted_number(at, "score");
        assert_true(fabs(planted_number(at, "drop") - (clean - score)) < 1e-12);
        assert_true(fabs(planted_number(at, "relative_drop") - (clean - score) / clean) < 1e-12);
        area += (before + score) / 2 / 5;
        before = score;
    }
    assert_int_equal(5, i);
    assert_true(before < clean - 0.05);
    assert_true(fabs(planted_number(typo, "area") - area) < 1e-9 && planted_number(same, "area") == clean);
    const json_t *calibration = json_object_get(json_object_get(m, "clean"), "calibration"),
                 *metrics = json_object_get(json_object_get(m, "clean"), "metrics");
    assert_true(fabs(planted_number(calibration, "ece") - planted_number(json_object_get(metrics, "ece"), "value")) <
                1e-9);
    assert_int_equal(
        10, json_array_size(json_object_get(json_object_get(json_object_get(m, "clean"), "selective"), "risk")));
    assert_int_equal(0, json_array_size(json_object_get(j, "pairs")));
    json_decref(j);
}

static size_t worse_count(const json_t *j) {
    size_t i, n = 0;
    const json_t *g;
    json_array_foreach(json_object_get(json_array_get(json_object_get(j, "models"), 0), "groups"), i, g) n +=
        json_is_true(json_object_get(g, "worse"));
    return n;
}

static void test_biased_group(void **state) {
    const char *models[] = {"model"}, *kinds[] = {"case"};
    const int one = 1;
    wf_robust_spec spec = {.models = models,
                           .model_count = 1,
                           .kinds = kinds,
                           .kind_count = 1,
                           .strengths = &one,
                           .strength_count = 1,
                           .resamples = 100};
    json_t *j = robust(&spec);
    const json_t *m = json_array_get(json_object_get(j, "models"), 0),
                 *first = json_array_get(json_object_get(m, "groups"), 0);
    assert_string_equal("g3", json_string_value(json_object_get(m, "worst_group")));
    assert_string_equal("g3", json_string_value(json_object_get(first, "group")));
    assert_true(json_is_true(json_object_get(first, "worse")) && planted_number(first, "rows") == 40);
    assert_int_equal(1, worse_count(j)); /* it and no other */
    json_decref(j);
    spec.task = "fair";
    j = robust(&spec);
    assert_int_equal(0, worse_count(j));
    json_decref(j);
}

static void test_pairs(void **state) {
    const char *models[] = {"model", "raw", "twin"}, *kinds[] = {"typo"};
    const int strengths[] = {1, 4};
    const wf_robust_spec spec = {.models = models,
                                 .model_count = 3,
                                 .task = "fair",
                                 .kinds = kinds,
                                 .kind_count = 1,
                                 .strengths = strengths,
                                 .strength_count = 2,
                                 .resamples = 300};
    json_t *j = robust(&spec), *again = robust(&spec);
    const json_t *pairs = json_object_get(j, "pairs"), *p = json_array_get(pairs, 0), *twin = json_array_get(pairs, 1),
                 *clean = json_object_get(p, "clean");
    assert_int_equal(3, json_array_size(pairs));
    assert_true(json_equal(pairs, json_object_get(again, "pairs")));
    assert_string_equal("model", json_string_value(json_object_get(clean, "better")));
    assert_true(planted_number(clean, "low") > 0.2);
    /* What never learned has little to lose: said plainly. */
    const json_t *drop = json_object_get(p, "drop");
    assert_string_equal("raw", json_string_value(json_object_get(drop, "better")));
    assert_true(planted_number(drop, "a") > planted_number(drop, "b"));
    assert_true(fabs(planted_number(drop, "a") -
                     (planted_number(clean, "a") - planted_number(json_object_get(p, "disturbed"), "a"))) < 1e-9);
    assert_string_equal("twin", json_string_value(json_object_get(twin, "b")));
    assert_true(json_is_null(json_object_get(json_object_get(twin, "clean"), "better")));
    json_decref(j);
    json_decref(again);
}

static void test_sets(void **state) {
    const char *models[] = {"model"}, *kinds[] = {"case"}, *sets[] = {"fair", planted_at("turned.jsonl")};
    const int one = 1;
    char turned[512];
    snprintf(turned, sizeof turned, "%s", sets[1]);
    sets[1] = turned;
    planted_rows(turned, 9, 60, 1, 100);
    FILE *f = fopen(turned, "a"); /* a label that the models do not know */
    fputs("{\"text\": \"the film was so so\", \"label\": \"neutral\", \"group\": \"g0\"}\n", f);
    fclose(f);
    json_t *j = robust(&(wf_robust_spec){.models = models,
                                         .model_count = 1,
                                         .kinds = kinds,
                                         .kind_count = 1,
                                         .strengths = &one,
                                         .strength_count = 1,
                                         .sets = sets,
                                         .set_count = 2,
                                         .resamples = 100});
    const json_t *m = json_array_get(json_object_get(j, "models"), 0), *list = json_object_get(m, "sets");
    assert_true(planted_number(json_array_get(list, 0), "score") > 0.9);
    assert_true(planted_number(json_array_get(list, 0), "rows") == 240); /* train, dev and test */
    assert_true(planted_number(json_array_get(list, 1), "score") < 0.1);
    assert_true(planted_number(json_array_get(list, 1), "rows") == 60);
    assert_true(planted_number(json_array_get(list, 1), "left_out") == 1);
    json_decref(j);
}

/* ---- contrast sets and behavioural tests ---- */

enum { CASES = 20 };

/* One row; label and the keys behind it may be NULL. */
static void row_put(FILE *f, const char *noun, const char *word, const char *label, const char *more, int id,
                    int variant) {
    fprintf(f, "{\"text\": \"the %s was %s and %s %d\"", noun, word, word, id);
    if (label) fprintf(f, ", \"label\": \"%s\"", label);
    fprintf(f, ", \"case\": %d, \"variant\": %d%s}\n", id, variant, more);
}

/* Words change the answer, nouns do not: what was planted is known case by case. */
static const char *cases_write(void) {
    static char path[512];
    snprintf(path, sizeof path, "%s", planted_at("cases.jsonl"));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < CASES; i++) {
        const char *const inv = ", \"type\": \"INV\", \"test\": ";
        char more[200];
        snprintf(more, sizeof more, "%s\"nouns\"", inv);
        row_put(f, "film", "good", NULL, more, i, 0);
        row_put(f, "book", "good", NULL, more, i, 1);
        snprintf(more, sizeof more, "%s\"words\"", inv);
        row_put(f, "film", i < 15 ? "bad" : "good", NULL, more, i,
                1); /* 15 of 20 flip; the file's order is not theirs */
        row_put(f, "film", "good", NULL, more, i, 0);
        row_put(f, "song", i % 2 ? "great" : "awful", i % 2 ? "positive" : "negative",
                ", \"type\": \"MFT\", \"test\": \"plain\"", i, 0);
        /* a contrast set: in 5 cases a label is wrong */
        row_put(f, "film", "lovely", "positive", ", \"group\": \"original\"", i, 0);
        row_put(f, "film", "dull", i < 5 ? "positive" : "negative", ", \"group\": \"perturbed\"", i, 1);
        static const char *const said[] = {"up positive", "down", "from positive", "is negative", "up"};
        for (int t = 0; t < 5; t++) { /* from good to bad */
            snprintf(more, sizeof more, ", \"type\": \"DIR\", \"test\": \"%s\", \"expect\": \"%s\"", said[t], said[t]);
            row_put(f, "film", "good", NULL, more, i, 0);
            row_put(f, "film", "bad", NULL, more, i, 1);
        }
        row_put(f, "film", "good", NULL, ", \"type\": \"DIR\", \"test\": \"unsaid\"", i, 0);
        row_put(f, "film", "bad", NULL, ", \"type\": \"DIR\", \"test\": \"unsaid\"", i, 1);
    }
    row_put(f, "film", "good", NULL, ", \"type\": \"INV\", \"test\": \"nouns\"", 900, 0);      /* alone */
    row_put(f, "film", "good", "neutral", ", \"type\": \"MFT\", \"test\": \"plain\"", 901, 0); /* not known */
    fclose(f);
    return path;
}

static void rate_is(const json_t *of, double cases, double rate) {
    const json_t *share = json_object_get(of, "rate");
    assert_true(planted_number(of, "cases") == cases && planted_number(of, "failed") == rate * cases);
    assert_true(fabs(planted_number(share, "value") - rate) < 1e-9);
    assert_true(planted_number(share, "low") <= rate && planted_number(share, "high") >= rate);
    assert_true(planted_number(share, "high") - planted_number(share, "low") > 0.02);
}

static json_t *cases_ask(const char *const *models, size_t n, const char *path) {
    const char *kinds[] = {"case"}, *sets[] = {path};
    const int one = 1;
    return robust(&(wf_robust_spec){.models = models,
                                    .model_count = n,
                                    .kinds = kinds,
                                    .kind_count = 1,
                                    .strengths = &one,
                                    .strength_count = 1,
                                    .sets = sets,
                                    .set_count = 1,
                                    .rows = 40,
                                    .resamples = 300});
}

static const json_t *set_of(const json_t *j, size_t model) {
    return json_array_get(json_object_get(json_array_get(json_object_get(j, "models"), model), "sets"), 0);
}

static void test_cases(void **state) {
    const char *models[] = {"model"};
    json_t *j = cases_ask(models, 1, cases_write());
    const json_t *set = set_of(j, 0), *types = json_object_get(set, "types"), *tests = json_object_get(set, "tests"),
                 *nouns = planted_find(tests, "test", "nouns"), *unsaid = planted_find(tests, "test", "unsaid");
    assert_true(planted_number(set, "rows") == 3 * CASES && planted_number(set, "left_out") == 1);
    assert_true(planted_number(set, "unlabelled") == 16 * CASES + 1);
    rate_is(planted_find(tests, "test", "words"), CASES, 0.75);
    rate_is(nouns, CASES, 0);
    assert_string_equal("they have one variant", json_string_value(json_object_get(
                                                     json_array_get(json_object_get(nouns, "not_judged"), 0), "why")));
    rate_is(planted_find(types, "type", "INV"), 2 * CASES, 0.375);
    rate_is(planted_find(types, "type", "MFT"), CASES, 0);
    rate_is(planted_find(types, "type", "contrast"), CASES, 0.25);
    rate_is(planted_find(tests, "test", "up positive"), CASES, 1);
    rate_is(planted_find(tests, "test", "up"), CASES, 1);
    rate_is(planted_find(tests, "test", "down"), CASES, 0);
    rate_is(planted_find(tests, "test", "from positive"), CASES, 0);
    rate_is(planted_find(tests, "test", "is negative"), CASES, 0);
    assert_true(planted_number(unsaid, "cases") == 0 &&
                json_is_null(json_object_get(json_object_get(unsaid, "rate"), "value")));
    assert_true(planted_number(json_object_get(unsaid, "changed"), "value") == 1);
    /* the worst first, what was not judged last */
    assert_true(planted_number(json_object_get(json_array_get(tests, 0), "rate"), "value") == 1);
    assert_ptr_equal(unsaid, json_array_get(tests, json_array_size(tests) - 1));
    const json_t *groups = json_object_get(set, "groups"), *perturbed = planted_find(groups, "group", "perturbed"),
                 *original = planted_find(groups, "group", "original");
    assert_true(planted_number(json_object_get(original, "accuracy"), "value") == 1);
    assert_true(planted_number(json_object_get(perturbed, "accuracy"), "value") == 0.75);
    assert_true(planted_number(json_object_get(planted_find(json_object_get(perturbed, "labels"), "label", "negative"),
                                               "accuracy"),
                               "value") == 1);
    json_decref(j);
}

static const json_t *asked(const json_t *pair, const char *what, const char *name) {
    size_t i;
    const json_t *q;
    json_array_foreach(json_object_get(pair, "sets"), i, q) {
        const char *is = json_string_value(json_object_get(q, "name"));
        if (strcmp(json_string_value(json_object_get(q, "what")), what) == 0 &&
            (name ? is && strcmp(is, name) == 0 : !is))
            return q;
    }
    fail_msg("nothing asks %s %s", what, name ? name : "");
    return NULL;
}

/* What never learned does not flip, and is wrong about the labels; two that learned the same are not told apart. */
static void test_cases_of_pairs(void **state) {
    const char *models[] = {"model", "raw", "twin"};
    json_t *j = cases_ask(models, 3, cases_write());
    const json_t *pairs = json_object_get(j, "pairs"), *raw = json_array_get(pairs, 0),
                 *twin = json_array_get(pairs, 1), *flips = asked(raw, "test", "words"),
                 *right = asked(raw, "accuracy", NULL);
    size_t i;
    const json_t *q;
    assert_string_equal("model", json_string_value(json_object_get(right, "better")));
    assert_true(planted_number(right, "low") > 0 && planted_number(right, "p_holm") < 0.05);
    assert_string_equal("raw", json_string_value(json_object_get(flips, "better")));
    assert_true(planted_number(flips, "a") == 0.75 && planted_number(flips, "b") < 0.2 &&
                planted_number(flips, "low") > 0.2);
    assert_string_equal("twin", json_string_value(json_object_get(twin, "b")));
    json_array_foreach(json_object_get(twin, "sets"), i, q) assert_true(json_is_null(json_object_get(q, "better")));
    json_t *again = cases_ask(models, 3, cases_write());
    assert_true(json_equal(pairs, json_object_get(again, "pairs")));
    json_decref(again);
    json_decref(j);
    char *text = NULL;
    size_t size = 0;
    check_ok(wf_report(lab, planted_at("cases.html"), NULL, err));
    check_ok(wfi_file_read(planted_at("cases.html"), 1 << 26, &text, &size, err));
    static const char *const wants[] = {"Cases that fail, by type", "tests, the worst first",
                                        "Other sets by group and label", "Two models on the same cases",
                                        "they have one variant"};
    for (size_t k = 0; k < sizeof wants / sizeof *wants; k++)
        if (!strstr(text, wants[k])) fail_msg("\"%s\" is not in the report", wants[k]);
    assert_null(strstr(text, "nan"));
    wf_free(text);
}

/* Nothing but invariances: no score, and still an answer. */
static void test_cases_without_labels(void **state) {
    const char *models[] = {"model"};
    char path[512];
    snprintf(path, sizeof path, "%s", planted_at("bare.jsonl"));
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 12; i++)
        for (int v = 0; v < 3; v++) row_put(f, v ? "book" : "film", "good", NULL, ", \"type\": \"INV\"", i, v);
    fclose(f);
    json_t *j = cases_ask(models, 1, path);
    const json_t *set = set_of(j, 0);
    assert_true(planted_number(set, "rows") == 0 && json_is_null(json_object_get(set, "score")));
    rate_is(planted_find(json_object_get(set, "types"), "type", "INV"), 12, 0);
    json_decref(j);
    f = fopen(path, "a");
    row_put(f, "film", "good", NULL, ", \"type\": \"DIR\", \"expect\": \"sideways\"", 99, 0);
    fclose(f);
    const char *sets[] = {path};
    wf_err said = {0};
    const wf_robust_spec wrong = {.models = models, .model_count = 1, .sets = sets, .set_count = 1};
    assert_int_equal(WF_E_DATA, wf_study_robust(lab, &wrong, NULL, &said));
    if (!strstr(said.text, "bare.jsonl:37") || !strstr(said.text, "up LABEL")) fail_msg("%s", said.text);
}

/* The published checklist, where it lies beside this checkout: every row is asked for something. */
static void test_known_checklist(void **state) {
    const char *models[] = {"model"}, *top = getenv("WEFT_SHARED_DATA");
    char path[512], some[512];
    char *text = NULL;
    size_t size = 0, at = 0;
    snprintf(path, sizeof path, "%s/checklist_sentiment/test.jsonl", top ? top : "../shared/data");
    if (!wfi_file_exists(path)) skip();
    check_ok(wfi_file_read(path, 1 << 26, &text, &size, err));
    snprintf(some, sizeof some, "%s", planted_at("some.jsonl"));
    FILE *f = fopen(some, "w"); /* every test, a few of its cases */
    int all = 0, neutral = 0;
    while (at < size) {
        const size_t n = strcspn(text + at, "\n") + 1;
        json_t *row = json_loadb(text + at, n - 1, 0, NULL);
        if (json_integer_value(json_object_get(row, "case")) % 8 == 1) {
            fwrite(text + at, 1, n, f);
            const char *label = json_string_value(json_object_get(row, "label"));
            neutral += label && strcmp(label, "neutral") == 0;
            all++;
        }
        json_decref(row);
        at += n;
    }
    fclose(f);
    wf_free(text);
    json_t *j = cases_ask(models, 1, some);
    const json_t *set = set_of(j, 0), *dir = planted_find(json_object_get(set, "types"), "type", "DIR");
    assert_true(planted_number(set, "left_out") == neutral);
    assert_true(planted_number(set, "rows") + planted_number(set, "unlabelled") == all - neutral);
    assert_true(planted_number(dir, "cases") > 10 && json_array_size(json_object_get(dir, "not_judged")) == 0);
    assert_true(planted_number(planted_find(json_object_get(set, "types"), "type", "INV"), "cases") > 50);
    json_decref(j);
}

/* A set of several tasks, some of pairs: a model of pairs answers those, and rows of one text are counted as left out.
 */
static void test_mixed_set(void **state) {
    const char *models[] = {"paired"};
    char path[512];
    char *text = calloc(80, 120);
    size_t n = 0;
    for (int i = 0; i < 40; i++)
        n += (size_t)sprintf(text + n, "{\"text\": \"the film %d\", \"text_pair\": \"was %s\", \"label\": \"%s\"}\n", i,
                             i % 2 ? "good" : "bad", i % 2 ? "positive" : "negative");
    check_ok(wfi_dir_make(planted_at("pairs"), err));
    tiny_write(planted_at("pairs"), "train.jsonl", text);
    tiny_write(planted_at("pairs"), "test.jsonl", text);
    n += (size_t)sprintf(text + n, "{\"text\": \"alone\", \"label\": \"positive\"}\n");
    snprintf(path, sizeof path, "%s", planted_at("mixed.jsonl"));
    check_ok(wfi_file_write(path, text, n, err));
    free(text);
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "pairs", .path = planted_at("pairs")}, NULL, err));
    check_ok(wf_train(
        lab, &(wf_train_spec){.task = "pairs", .name = "paired", .method = "head", .epochs = 1, .base_dtype = "f32"},
        NULL, err));
    json_t *j = cases_ask(models, 1, path);
    assert_true(planted_number(set_of(j, 0), "rows") == 40 && planted_number(set_of(j, 0), "left_out") == 1);
    json_decref(j);
}

static void test_mistakes(void **state) {
    const char *models[] = {"model", "model"}, *none[] = {"no such model"}, *kinds[] = {"typo", "typo"},
               *odd[] = {"magic"}, *synonym[] = {"synonym"}, *sets[] = {"no such set"}, *own[] = {"biased"};
    const int six[] = {6};
    const wf_robust_spec wrong[] = {{.models = models},
                                    {.models = models, .model_count = 2},
                                    {.models = models, .model_count = 1, .kinds = odd, .kind_count = 1},
                                    {.models = models, .model_count = 1, .kinds = kinds, .kind_count = 2},
                                    {.models = models, .model_count = 1, .kinds = synonym, .kind_count = 1},
                                    {.models = models, .model_count = 1, .strengths = six, .strength_count = 1},
                                    {.models = models, .model_count = 1, .resamples = 5},
                                    {.models = models, .model_count = 1, .rows = -2},
                                    {.models = models, .model_count = 1, .sets = own, .set_count = 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_status(WF_E_ARG, wf_study_robust(lab, &wrong[i], NULL, err));
    check_status(WF_E_NOTFOUND, wf_study_robust(lab, &(wf_robust_spec){.models = none, .model_count = 1}, NULL, err));
    check_status(WF_E_NOTFOUND,
                 wf_study_robust(lab, &(wf_robust_spec){.models = models, .model_count = 1, .task = "no"}, NULL, err));
    check_status(
        WF_E_NOTFOUND,
        wf_study_robust(lab, &(wf_robust_spec){.models = models, .model_count = 1, .wordnet = "/nowhere"}, NULL, err));
    check_status(WF_E_NOTFOUND,
                 wf_study_robust(lab,
                                 &(wf_robust_spec){.models = models, .model_count = 1, .sets = sets, .set_count = 1},
                                 NULL, err));
    tiny_task(planted_at("other"), 5, 20, 10, 10);
    tiny_write(planted_at("other"), "train.jsonl",
               "{\"text\": \"good\", \"label\": \"a\"}\n{\"text\": \"bad\", \"label\": \"b\"}\n"
               "{\"text\": \"fine\", \"label\": \"positive\"}\n{\"text\": \"poor\", \"label\": \"negative\"}\n");
    check_ok(wf_task_add(lab, &(wf_task_spec){.name = "other", .path = planted_at("other")}, NULL, err));
    check_status(WF_E_ARG, wf_study_robust(lab, &(wf_robust_spec){.models = models, .model_count = 1, .task = "other"},
                                           NULL, err));
}

static int stop(const wf_progress *p, void *user) {
    assert_true(p->total > 0 && p->done <= p->total);
    return 1;
}

static void test_cancel_and_report(void **state) {
    const char *models[] = {"model", "twin"};
    const int strengths[] = {5, 2};
    const wf_robust_spec spec = {
        .models = models, .model_count = 2, .strengths = strengths, .strength_count = 2, .rows = 40, .resamples = 100};
    wf_lab_progress(lab, stop, NULL);
    usleep(120000); /* progress is told ten times a second at most */
    check_status(WF_E_CANCELLED, wf_study_robust(lab, &spec, NULL, err));
    wf_lab_progress(lab, NULL, NULL);
    json_t *j = robust(&spec);
    const int64_t run = (int64_t)planted_number(j, "run");
    assert_int_equal(40, planted_number(j, "rows"));
    assert_int_equal(9, json_array_size(json_object_get(j, "disturbances"))); /* no WordNet, no synonyms */
    json_decref(j);
    check_status(WF_E_ARG, wf_resume(lab, run - 1, NULL, err)); /* cancelled; a study starts again */
    char *text = NULL;
    check_ok(wf_log(lab, run, &text, err));
    j = planted_json(text);
    assert_string_equal("study robust", json_string_value(json_object_get(j, "command")));
    assert_non_null(json_object_get(json_object_get(j, "result"), "models"));
    json_decref(j);
    size_t size = 0;
    check_ok(wf_report(lab, planted_at("page.html"), NULL, err));
    check_ok(wfi_file_read(planted_at("page.html"), 1 << 26, &text, &size, err));
    static const char *const wants[] = {"id=\"studies\"",
                                        "Robustness: biased",
                                        "by strength of the disturbance",
                                        "model: accuracy by strength and kind",
                                        "how often answers of a confidence",
                                        "By group, the worst first",
                                        "punctuation",
                                        "they lose"};
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        if (!strstr(text, wants[i])) fail_msg("\"%s\" is not in the report", wants[i]);
    assert_null(strstr(text, "nan"));
    wf_free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_typos_break_and_case_does_not),
                                       cmocka_unit_test(test_biased_group),
                                       cmocka_unit_test(test_pairs),
                                       cmocka_unit_test(test_sets),
                                       cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_cases_of_pairs),
                                       cmocka_unit_test(test_cases_without_labels),
                                       cmocka_unit_test(test_known_checklist),
                                       cmocka_unit_test(test_mixed_set),
                                       cmocka_unit_test(test_mistakes),
                                       cmocka_unit_test(test_cancel_and_report)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
