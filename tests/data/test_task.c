/* tests/data/test_task.c - from files to tasks: kinds, labels, metrics, splits, samples, what the user is told, the
 * stored form. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "check.h"
#include "data/task.h"

static char dir[256];

static int setup(void **state) {
    strcpy(dir, check_temp_dir());
    return 0;
}

static int teardown(void **state) {
    check_ok(wfi_tree_remove(dir, err));
    return 0;
}

static const char *in(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* Writes n rows; {i}, {2}, {3} and {30} stand for the row's number, and that modulo 2, 3, 30. */
static void put(const char *name, const char *form, int n) {
    wf_buffer b = {0};
    for (int i = 0; i < n; i++) {
        for (const char *c = form; *c; c++) {
            int modulo = 0, length = 0;
            if (strncmp(c, "{i}", 3) == 0) {
                wfi_buffer_printf(&b, "%d", i);
                c += 2;
            } else if (sscanf(c, "{%d}%n", &modulo, &length) == 1 && length) {
                wfi_buffer_printf(&b, "%d", i % modulo);
                c += length - 1;
            } else {
                wfi_buffer_add(&b, c, 1);
            }
        }
        wfi_buffer_adds(&b, "\n");
    }
    check_ok(wfi_file_write(in(name), b.data ? b.data : "", b.len, err));
    wfi_buffer_clear(&b);
}

static wf_task *task_of(const char *name, const wf_task_options *o) {
    wf_task *t = NULL;
    check_ok(wfi_task_read("task", in(name), o, &t, err));
    return t;
}

/* ---- kinds ---- */

static void test_kinds_are_detected(void **state) {
    static const struct {
        const char *row;
        wf_kind kind;
        bool pair;
        int32_t labels;
        const char *metric;
    } cases[] = {
        {"{\"text\": \"t {i}\", \"label\": \"c{3}\"}", WF_KIND_CLASSIFICATION, false, 3, "accuracy"},
        {"{\"sentence\": \"t {i}\", \"label\": {3}}", WF_KIND_CLASSIFICATION, false, 3, "accuracy"},
        {"{\"text\": \"t {i}\", \"label\": {20}}", WF_KIND_CLASSIFICATION, false, 20,
         "accuracy"}, /* few whole numbers are classes */
        {"{\"text\": \"t {i}\", \"label\": {21}}", WF_KIND_REGRESSION, false, 1, "pearson"},
        {"{\"text\": \"t {i}\", \"label\": {3}.5}", WF_KIND_REGRESSION, false, 1, "pearson"},
        {"{\"text\": \"t {i}\", \"score\": \"{3}.25\"}", WF_KIND_REGRESSION, false, 1,
         "pearson"}, /* as tables give numbers */
        {"{\"premise\": \"p {i}\", \"hypothesis\": \"h\", \"label\": \"c{2}\"}", WF_KIND_CLASSIFICATION, true, 2,
         "accuracy"},
        {"{\"sentence1\": \"p {i}\", \"sentence2\": \"h\", \"score\": {3}.5}", WF_KIND_REGRESSION, true, 1, "pearson"},
        {"{\"question\": \"q {i}\", \"choices\": [\"a\", \"b\", \"c{i}\"], \"label\": \"{3}\"}",
         WF_KIND_MULTIPLE_CHOICE, false, 3, "accuracy"},
        {"{\"question\": \"q {i}\", \"choices\": [\"a{i}\", \"b\"], \"answer\": \"b\"}", WF_KIND_MULTIPLE_CHOICE, false,
         2, "accuracy"},
        {"{\"text\": \"t {i}\", \"labels\": [\"a\", \"c{3}\"]}", WF_KIND_MULTILABEL, false, 4, "macro_f1"},
        {"{\"text\": \"t {i}\", \"label\": true}\n{\"text\": \"f {i}\", \"label\": false}", WF_KIND_CLASSIFICATION,
         false, 2, "accuracy"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("d.jsonl", cases[i].row, 120);
        wf_task *t = task_of("d.jsonl", NULL);
        if (t->kind != cases[i].kind || t->has_pair != cases[i].pair || t->label_count != cases[i].labels ||
            strcmp(t->metric, cases[i].metric) != 0)
            fail_msg("%s is %s, pair %d, %d labels, %s", cases[i].row, wfi_kind_name(t->kind), t->has_pair,
                     t->label_count, t->metric);
        wfi_task_free(t);
    }
}

static void put_table(const char *name, const char *header, const char *form, int n);

/* A column of amounts with something odd in it is no classification: it is refused by line, unless one insists. The
 * kind says what it was read from. */
static void test_kind_says_why(void **state) {
    static const struct {
        const char *header, *row; /* of a table, line 2 its first row; then the rows */
        const char *says;         /* "!": an error that says it */
    } cases[] = {
        {"text,label\nodd,nan", "t {i},{3}.5", "!d.csv:2: label \"nan\" is no number, and 60 of 61 labels are"},
        {"text,label\nodd,7\nodd,n/a", "t {i},{30}", "!d.csv:3: label \"n/a\""},
        {"text,label\na,1.5\nb,2", "t {i},", "!d.csv:4: the label is missing"},
        {"text,label\nodd,1.5\nodd,2", "t {i},word {3}", "labels are 5 different texts"},
        {"text,label\nodd,7", "t {i},{3}.5", "labels are numbers with fractions ("},
        {"text,label\nodd,7", "t {i},{30}", "labels are 30 different numbers"},
        {"text,label\nodd,1", "t {i},{3}", "labels are only 3 different whole numbers"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool wrong = cases[i].says[0] == '!';
        wf_task *t = NULL;
        wf_err e = {0};
        put_table("d.csv", cases[i].header, cases[i].row, 60);
        const wf_status st = wfi_task_read("task", in("d.csv"), NULL, &t, &e);
        const char *said = wrong ? e.text : t ? t->kind_why : "";
        if (st != (wrong ? WF_E_DATA : WF_OK) || !strstr(said, cases[i].says + wrong))
            fail_msg("case %zu: status %d, said \"%s\"", i, (int)st, st == WF_OK ? said : e.text);
        wfi_task_free(t);
    }
    put_table("d.csv", cases[0].header, cases[0].row, 60);
    wf_task *t = task_of("d.csv", &(wf_task_options){.kind = "classification"});
    char *text = NULL;
    assert_null(t->kind_why);
    assert_int_equal(4, t->label_count);
    check_ok(wfi_task_describe(t, &text, err));
    assert_non_null(strstr(text, "\\\"nan\\\" looks like a missing value"));
    wfi_free(text);
    wfi_task_free(t);
}

static void test_kind_may_be_asked_for(void **state) {
    put("d.jsonl", "{\"text\": \"t {i}\", \"label\": {3}}", 60);
    wf_task *t = task_of("d.jsonl", &(wf_task_options){.kind = "regression"});
    assert_int_equal(WF_KIND_REGRESSION, t->kind);
    wfi_task_free(t);
    put("d.csv", "t {i},a|b{2}", 60);
    wf_buffer b = {0};
    char *text = NULL;
    check_ok(wfi_file_read(in("d.csv"), 1 << 20, &text, NULL, err));
    wfi_buffer_printf(&b, "text,label\n%s", text);
    check_ok(wfi_file_write(in("d.csv"), b.data, b.len, err));
    t = task_of("d.csv", &(wf_task_options){.kind = "multilabel"});
    assert_int_equal(3, t->label_count);
    assert_string_equal("b0", t->labels[1]);
    wfi_task_free(t);
    wfi_buffer_clear(&b);
    wfi_free(text);
    t = NULL;
    check_status(WF_E_DATA, wfi_task_read("task", in("d.jsonl"), &(wf_task_options){.kind = "pair"}, &t, err));
    check_status(WF_E_ARG, wfi_task_read("task", in("d.jsonl"), &(wf_task_options){.kind = "poem"}, &t, err));
    check_status(WF_E_ARG, wfi_task_read("task", in("d.jsonl"), &(wf_task_options){.metric = "pearson"}, &t, err));
    check_status(WF_E_ARG, wfi_task_read("task", in("d.jsonl"), &(wf_task_options){.metric = "f1"}, &t,
                                         err)); /* of three classes */
    assert_null(t);
}

/* Writes a table: its header and n rows. */
static void put_table(const char *name, const char *header, const char *form, int n) {
    char *text = NULL;
    wf_buffer b = {0};
    put(name, form, n);
    check_ok(wfi_file_read(in(name), 1 << 20, &text, NULL, err));
    wfi_buffer_printf(&b, "%s\n%s", header, text);
    check_ok(wfi_file_write(in(name), b.data, b.len, err));
    wfi_buffer_clear(&b);
    wfi_free(text);
}

static void test_fields_are_found_by_content(void **state) {
    static const struct {
        const char *header, *row, *text, *label;
    } cases[] = {
        {"subject,team", "printer {i} is on fire,team {3}", "subject", "team"},
        {"subject,team", "oh {i},the team of number {3}", "subject", "team"}, /* few values: no text, though longer */
        {"code,words", "{i}x,yet another text {i}", "words", "code"},
        {"ticket_no,opened,subject line,team", "T-{i},2024-05-{28} 10:{59},the door of room {i} is stuck,team {4}",
         "subject line", "team"},
        {"ticket_no,opened,subject line,team", "{i},{28}.5.2024,room {i},front desk {4}", "subject line", "team"},
        {"id,note,status", "{i},called back about offer {i},status {3}", "note", "status"},
        {"id,note,priority", "{i},called back about offer {i},{3}", "note", "priority"},
        {"review,stars", "film {i} was long,{5}", "review", "stars"},
        {"remark,label", "remark {i},c{2}", "remark", "label"},
        {"id,remark,label", "{i},remark {i},c{2}", "remark", "label"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wf_task *t = NULL;
        wf_err err = {0};
        put_table("d.csv", cases[i].header, cases[i].row, 120);
        const bool classes = strcmp(cases[i].label, "code") != 0;
        const wf_status st = wfi_task_read("task", in("d.csv"), NULL, &t, &err);
        if (!classes) { /* the role is right, the values are not */
            assert_non_null(strstr(err.text, "hardly classes"));
            continue;
        }
        if (st != WF_OK) fail_msg("%s: %s", cases[i].header, err.text);
        assert_string_equal(cases[i].text, t->text_field);
        assert_string_equal(cases[i].label, t->label_field);
        assert_null(t->pair_field);
        assert_int_equal(WF_KIND_CLASSIFICATION, t->kind);
        wfi_task_free(t);
    }
    wf_task *t = NULL; /* a named field must be there, whatever the others hold */
    check_status(WF_E_DATA, wfi_task_read("task", in("d.csv"), &(wf_task_options){.label = "team"}, &t, err));
    assert_null(t);
    t = task_of("d.csv", &(wf_task_options){.text = "id"});
    assert_string_equal("id", t->text_field);
    wfi_task_free(t);
}

static void test_labels_are_sorted(void **state) {
    put("d.jsonl", "{\"text\": \"t {i}\", \"label\": {12}}", 60);
    wf_task *t = task_of("d.jsonl", NULL);
    assert_string_equal("2", t->labels[2]); /* numbers by value: 2 before 10 */
    assert_string_equal("10", t->labels[10]);
    wfi_task_free(t);
    put("d.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{12}\"}", 60);
    t = task_of("d.jsonl", NULL);
    assert_string_equal("c10", t->labels[2]); /* texts bytewise */
    wfi_task_free(t);
}

static void test_refused_files(void **state) {
    static const struct {
        const char *row;
        wf_status want;
        const char *says;
    } cases[] = {
        {"{\"text\": \"t {i}\", \"label\": \"same\"}", WF_E_DATA, "same label \"same\""},
        {"{\"text\": \"t {i}\"}", WF_E_DATA, "--label"},
        {"{\"a\": \"t {i}\", \"b\": \"u {i}\", \"label\": \"c{2}\"}", WF_E_DATA,
         "--text; the file has \"a\", \"b\", \"label\""},
        {"{\"a\": {i}, \"label\": \"c{2}\"}", WF_E_DATA, "--text"},
        {"{\"text\": \"t {i}\", \"id\": {i}}", WF_E_DATA, "--label"}, /* no regression on row numbers */
        {"{\"text\": \"t {i}\", \"a\": \"c{2}\", \"b\": \"c{3}\"}", WF_E_DATA,
         "--label; the file has \"text\", \"a\", \"b\""},
        {"{\"source\": \"t {i}\", \"target\": \"u {i}\"}", WF_E_DATA, "generated"},
        {"{\"source\": \"t {i}\", \"target\": \"u {i}\", \"title\": \"{i}\"}", WF_E_DATA, "generated"},
        {"{\"image\": \"{i}.png\", \"label\": \"c{2}\"}", WF_E_DATA, "images"},
        {"{\"text\": \"t {i}\", \"label\": \"{i} of many\"}", WF_E_DATA, "hardly classes"},
        {"{\"text\": {i}, \"label\": \"c{2}\"}", WF_E_DATA, ":1: field \"text\" must be a text"},
        {"{\"text\": \"t\", \"label\": {\"a\": 1}}", WF_E_DATA, ":1: field \"label\""},
        {"{\"text\": \"t\", \"choices\": [\"a\"], \"label\": 0}", WF_E_DATA, ":1: field \"choices\""},
        {"{\"text\": \"t\", \"choices\": [\"a\", {}], \"label\": 0}", WF_E_DATA, ":1: field \"choices\""},
        {"{\"text\": \"t\", \"choices\": [\"a\", \"b\"], \"label\": 2}", WF_E_DATA, ":1: label \"2\""},
        {"{\"text\": \"t\", \"choices\": [\"a\", \"b\"], \"label\": \"c\"}", WF_E_DATA, ":1: label \"c\""},
        {"{\"text\": \"a {i}\", \"label\": \"c{2}\", \"text_pair\": \"p\"}\n{\"text\": \"b\", \"label\": \"c\"}",
         WF_E_DATA, ":2: field \"text_pair\""},
        {"{\"text\": \"a {i}\", \"label\": \"c{2}\"}\n{\"text\": \"b {i}\"}", WF_E_DATA, ":2: the label is missing"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wf_task *t = NULL;
        wf_err err = {0};
        put("d.jsonl", cases[i].row, 50);
        const wf_status st = wfi_task_read("task", in("d.jsonl"), NULL, &t, &err);
        if (st != cases[i].want || !strstr(err.text, cases[i].says))
            fail_msg("%s gives %d: \"%s\", wanted \"%s\"", cases[i].row, st, err.text, cases[i].says);
        assert_null(t);
    }
    wf_task *t = NULL;
    put("d.jsonl", "", 0);
    check_status(WF_E_DATA, wfi_task_read("task", in("d.jsonl"), NULL, &t, err));
    put("d.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{2}\"}", 50);
    check_status(WF_E_DATA, wfi_task_read("task", in("d.jsonl"), &(wf_task_options){.text = "words"}, &t, err));
    check_status(WF_E_NOTFOUND, wfi_task_read("task", in("nothing"), NULL, &t, err));
    check_ok(wfi_dir_make(in("folder"), err));
    check_status(WF_E_NOTFOUND, wfi_task_read("task", in("folder"), NULL, &t, err));
    put("folder/test.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{2}\"}", 5);
    wf_err wrong = {0};
    assert_int_equal(WF_E_NOTFOUND, wfi_task_read("task", in("folder"), NULL, &t, &wrong));
    assert_non_null(strstr(wrong.text, "test.jsonl alone"));
    put("folder/train.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{2}\"}", 5);
    put("folder/train.csv", "text,label", 1);
    check_status(WF_E_DATA, wfi_task_read("task", in("folder"), NULL, &t, err)); /* which of the two? */
}

/* ---- splits ---- */

static void test_one_file_is_split(void **state) {
    put("d.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{4}\"}", 400);
    wf_task *t = task_of("d.jsonl", &(wf_task_options){.seed = 1}),
            *same = task_of("d.jsonl", &(wf_task_options){.seed = 1}),
            *other = task_of("d.jsonl", &(wf_task_options){.seed = 2});
    assert_int_equal(280, t->train.count);
    assert_int_equal(40, t->dev.count);
    assert_int_equal(80, t->test.count);
    int counts[4] = {0}, differing = 0;
    for (size_t i = 0; i < 80; i++) {
        counts[t->test.rows[i].label]++;
        assert_string_equal(t->test.rows[i].text, same->test.rows[i].text);
        differing += strcmp(t->test.rows[i].text, other->test.rows[i].text) != 0;
    }
    for (int c = 0; c < 4; c++) assert_int_equal(20, counts[c]); /* each label by its share */
    assert_true(differing > 40);
    uint8_t seen[400] = {0};
    const wf_rows *parts[] = {&t->train, &t->dev, &t->test};
    for (int p = 0; p < 3; p++)
        for (size_t i = 0; i < parts[p]->count; i++) seen[atoi(parts[p]->rows[i].text + 2)]++;
    for (int i = 0; i < 400; i++) assert_int_equal(1, seen[i]); /* every row once */
    wfi_task_free(t);
    wfi_task_free(same);
    wfi_task_free(other);
    t = task_of("d.jsonl", &(wf_task_options){.dev_share = 0.25, .test_share = 0.25});
    assert_int_equal(200, t->train.count);
    assert_int_equal(100, t->dev.count);
    wfi_task_free(t);
    t = NULL;
    check_status(WF_E_ARG, wfi_task_read("task", in("d.jsonl"), &(wf_task_options){.dev_share = 0.5, .test_share = 0.5},
                                         &t, err));
}

static void test_groups_and_texts_stay_together(void **state) {
    int part_of[40], text_part[50];
    put("d.jsonl", "{\"text\": \"t {50}\", \"label\": \"c{2}\", \"user\": \"u{40}\", \"id\": {i}}", 400);
    wf_task *t = task_of("d.jsonl", &(wf_task_options){.split_group = "user", .group = "user"});
    const wf_rows *parts[] = {&t->train, &t->dev, &t->test};
    for (int i = 0; i < 40; i++) part_of[i] = -1;
    for (int p = 0; p < 3; p++)
        for (size_t i = 0; i < parts[p]->count; i++) {
            int *part = &part_of[atoi(parts[p]->rows[i].group + 1)];
            assert_true(*part == -1 || *part == p);
            *part = p;
        }
    wfi_task_free(t);
    t = task_of("d.jsonl", NULL); /* without groups: equal texts */
    const wf_rows *again[] = {&t->train, &t->dev, &t->test};
    for (int i = 0; i < 50; i++) text_part[i] = -1;
    for (int p = 0; p < 3; p++) {
        assert_true(again[p]->count > 0);
        for (size_t i = 0; i < again[p]->count; i++) {
            int *part = &text_part[atoi(again[p]->rows[i].text + 2)];
            assert_true(*part == -1 || *part == p);
            *part = p;
        }
    }
    wfi_task_free(t);
}

static void test_folders(void **state) {
    check_ok(wfi_dir_make(in("f"), err));
    put("f/train.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{2}\"}", 100);
    put("f/test.jsonl", "{\"text\": \"u {i}\", \"label\": \"c{3}\"}", 30);
    wf_task *t = task_of("f", NULL);
    assert_int_equal(90, t->train.count); /* dev comes out of train, test stays */
    assert_int_equal(10, t->dev.count);
    assert_int_equal(30, t->test.count);
    assert_int_equal(3, t->label_count); /* labels of every part */
    assert_int_equal(1, t->test.rows[0].line);
    wfi_task_free(t);
    check_ok(wfi_file_write(in("f/validation.tsv"), "text\tlabel\na\tc0\nb\tc1\n", 21, err));
    t = task_of("f", NULL);
    assert_int_equal(100, t->train.count);
    assert_int_equal(2, t->dev.count);
    assert_int_equal(2, t->dev.rows[0].line);
    wfi_task_free(t);
}

/* ---- samples ---- */

static void test_samples_are_nested_and_stratified(void **state) {
    put("d.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{3}\"}", 600);
    wf_task *t = task_of("d.jsonl", NULL);
    int64_t *large = NULL, *small = NULL, *other = NULL;
    check_ok(wfi_rows_sample(&t->train, t, 300, 5, &large, err));
    check_ok(wfi_rows_sample(&t->train, t, 90, 5, &small, err));
    check_ok(wfi_rows_sample(&t->train, t, 90, 6, &other, err));
    assert_memory_equal(large, small, 90 * sizeof *small); /* the first 90 of 300 are the 90 */
    assert_memory_not_equal(small, other, 90 * sizeof *small);
    int counts[3] = {0};
    uint8_t *seen = calloc(t->train.count, 1);
    for (int i = 0; i < 300; i++) assert_int_equal(1, ++seen[large[i]]);
    for (int i = 0; i < 90; i++) counts[t->train.rows[small[i]].label]++;
    for (int c = 0; c < 3; c++) assert_in_range(counts[c], 29, 31);
    wf_rows view = {0};
    check_ok(wfi_rows_pick(&t->train, small, 90, &view, err));
    assert_int_equal(90, view.count);
    assert_ptr_equal(t->train.rows[small[7]].text, view.rows[7].text);
    wfi_rows_clear(&view);
    int64_t *none = NULL;
    check_status(WF_E_ARG, wfi_rows_sample(&t->train, t, 10000, 5, &none, err));
    free(seen);
    wfi_free(large);
    wfi_free(small);
    wfi_free(other);
    wfi_task_free(t);
}

/* ---- what the user is told ---- */

static json_t *described(const wf_task *t) {
    char *text = NULL;
    json_t *j = NULL;
    check_ok(wfi_task_describe(t, &text, err));
    check_ok(wfi_json_parse(text, strlen(text), "described", &j, err));
    wfi_free(text);
    return j;
}

static bool warned(const json_t *j, const char *words) {
    size_t i;
    json_t *w;
    json_array_foreach(json_object_get(j, "warnings"), i, w) if (strstr(json_string_value(w), words)) return true;
    return false;
}

static json_int_t at(const json_t *j, const char *a, const char *b) {
    return json_integer_value(json_object_get(json_object_get(j, a), b));
}

static void test_describe(void **state) {
    check_ok(wfi_dir_make(in("f"), err));
    put("f/train.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{2}\", \"group\": \"g{2}\"}", 40);
    put("f/dev.jsonl", "{\"text\": \"d {i}\", \"label\": \"c{2}\"}", 40);
    put("f/test.jsonl", "{\"text\": \"u {i}\", \"label\": \"c{2}\"}", 10);
    wf_task *t = task_of("f", NULL);
    json_t *j = described(t);
    const json_t *fields = json_object_get(j, "fields");
    assert_string_equal("text", json_string_value(json_object_get(fields, "text")));
    assert_string_equal("label", json_string_value(json_object_get(fields, "label")));
    assert_true(json_is_null(json_object_get(fields, "pair")));
    assert_int_equal(0, json_array_size(json_object_get(j, "warnings")));
    assert_int_equal(40, at(j, "rows", "train"));
    assert_int_equal(5, at(json_object_get(j, "balance"), "c1", "test"));
    assert_int_equal(20, at(j, "groups", "g1"));
    assert_true(json_number_value(json_object_get(j, "majority_share")) == 0.5);
    assert_true(json_number_value(json_object_get(j, "mean_words")) == 2);
    json_decref(j);
    wfi_task_free(t);
    put("f/train.jsonl",
        "{\"text\": \"t {20}\", \"label\": \"c0\"}\n{\"text\": \"t {10}\", \"label\": \"c0\"}\n{\"text\": \"t 0\", "
        "\"label\": \"c1\"}\n{\"text\": \"u {i}\", \"label\": \"c0\"}",
        10);
    put("f/dev.jsonl", "{\"text\": \"t {i}\", \"label\": \"c0\"}", 12);
    put("f/test.jsonl", "{\"text\": \"t {i}\", \"label\": \"c7\"}", 4);
    t = task_of("f", NULL);
    j = described(t);
    assert_int_equal(10 + 10, at(j, "duplicates", "train")); /* t 0 to t 9 twice, and t 0 ten times more */
    assert_int_equal(10, at(j, "shared", "train_dev"));
    assert_int_equal(4, at(j, "shared", "train_test"));
    assert_int_equal(4, at(j, "shared", "dev_test"));
    assert_true(warned(j, "20 training rows are repeated"));
    assert_true(warned(j, "12 training rows have the same text but different labels"));
    assert_true(warned(j, "\"c7\" has no training rows"));
    assert_true(warned(j, "10 dev rows are also in train"));
    assert_true(warned(j, "4 test rows are also in train"));
    assert_true(warned(j, "12 dev rows are few"));
    json_decref(j);
    wfi_task_free(t);
}

static void test_labels_missing_outside_train(void **state) {
    check_ok(wfi_dir_make(in("f"), err));
    put("f/train.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{8}\"}", 80);
    put("f/dev.jsonl", "{\"text\": \"d {i}\", \"label\": \"c{7}\"}", 70);
    put("f/test.jsonl", "{\"text\": \"u {i}\", \"label\": \"c{2}\"}", 70);
    wf_task *t = task_of("f", NULL);
    json_t *j = described(t);
    assert_true(warned(j, "label \"c7\" has no dev rows"));
    assert_false(warned(j, "label \"c6\" has no dev rows"));
    assert_true(warned(j, "label \"c2\" has no test rows"));
    assert_true(warned(j, "3 more labels have no test rows"));
    assert_false(warned(j, "no training rows"));
    assert_false(warned(j, "empty"));
    json_decref(j);
    wfi_task_free(t);
    put("f/dev.jsonl", "{\"text\": \"\", \"label\": \"c{8}\"}\n{\"text\": \"u\", \"label\": \"c{8}\"}", 40);
    put("f/test.jsonl", "{\"text\": \" \\t\", \"label\": \"c{8}\"}", 8);
    t = task_of("f", NULL);
    j = described(t);
    assert_true(warned(j, "48 rows have an empty text"));
    assert_false(warned(j, "has no dev rows"));
    json_decref(j);
    wfi_task_free(t);
    put("f/test.jsonl", "", 0); /* no rows of any label: nothing is missing */
    check_ok(wfi_tree_remove(in("f/test.jsonl"), err));
    t = task_of("f", NULL);
    j = described(t);
    assert_false(warned(j, "has no test rows"));
    json_decref(j);
    wfi_task_free(t);
}

static void test_uneven_classes(void **state) {
    put("d.jsonl",
        "{\"text\": \"t {i}\", \"label\": \"a\"}\n{\"text\": \"u {i}\", \"label\": \"a\"}\n{\"text\": \"v {i}\", "
        "\"label\": \"a\"}\n{\"text\": \"w {i}\", \"label\": \"a\"}\n{\"text\": \"x {i}\", \"label\": \"b\"}",
        50);
    wf_task *t = task_of("d.jsonl", NULL);
    assert_string_equal("macro_f1", t->metric);
    json_t *j = described(t);
    assert_true(warned(j, "uneven"));
    assert_true(json_number_value(json_object_get(j, "imbalance")) > 3);
    json_decref(j);
    wfi_task_free(t);
}

static void test_many_unseen_labels_are_counted(void **state) {
    check_ok(wfi_dir_make(in("f"), err));
    put("f/train.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{2}\"}", 100);
    put("f/test.jsonl", "{\"text\": \"u {i}\", \"label\": \"d{15}\"}", 60);
    wf_task *t = task_of("f", NULL);
    json_t *j = described(t);
    assert_true(warned(j, "12 more labels have no training rows"));
    assert_true(json_array_size(json_object_get(j, "warnings")) < 8);
    json_decref(j);
    wfi_task_free(t);
}

/* ---- the stored form ---- */

static void rows_same(const wf_task *t, const wf_rows *a, const wf_rows *b) {
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const wf_row *x = &a->rows[i], *y = &b->rows[i];
        assert_string_equal(x->text, y->text);
        assert_string_equal(x->pair ? x->pair : "", y->pair ? y->pair : "");
        assert_string_equal(x->group ? x->group : "", y->group ? y->group : "");
        assert_int_equal(x->label, y->label);
        assert_memory_equal(&x->target, &y->target, sizeof x->target); /* to the bit */
        assert_int_equal(x->choice_count, y->choice_count);
        for (int32_t c = 0; c < x->choice_count; c++) assert_string_equal(x->choices[c], y->choices[c]);
        if (x->labels) assert_memory_equal(x->labels, y->labels, (size_t)t->label_count);
    }
}

static void test_store_round_trip(void **state) {
    static const char *const rows[] = {
        "{\"text\": \"t\\n\\\"{i}\\u00e9\", \"label\": \"c {2}\", \"group\": {3}}",
        "{\"text\": \"t {i}\", \"text_pair\": \"p {3}\", \"label\": \"c{2}\"}",
        "{\"text\": \"t {i}\", \"text_pair\": \"p {3}\", \"label\": {7}.1}",
        "{\"text\": \"t {i}\", \"text_pair\": \"q\", \"choices\": [\"a\", \"b {i}\"], \"label\": {2}}",
        "{\"text\": \"t {i}\", \"labels\": [\"a,b\", \"c{3}\"]}\n{\"text\": \"n {i}\", \"labels\": []}"};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        put("d.jsonl", rows[k], 60);
        wf_task *t = task_of("d.jsonl", NULL), *back = NULL;
        check_ok(wfi_task_save(t, in("stored"), err));
        check_ok(wfi_task_open(in("stored"), &back, err));
        assert_string_equal(t->name, back->name);
        assert_string_equal(t->metric, back->metric);
        assert_int_equal(t->kind, back->kind);
        assert_int_equal(t->label_count, back->label_count);
        assert_true(t->has_pair == back->has_pair);
        for (int32_t c = 0; t->labels && c < t->label_count; c++) assert_string_equal(t->labels[c], back->labels[c]);
        rows_same(t, &t->train, &back->train);
        rows_same(t, &t->dev, &back->dev);
        rows_same(t, &t->test, &back->test);
        wfi_task_free(t);
        wfi_task_free(back);
    }
    wf_task *t = NULL;
    check_status(WF_E_NOTFOUND, wfi_task_open(in("nowhere"), &t, err));
    put("stored/task.json", "{\"name\": \"x\", \"kind\": \"poem\", \"metric\": \"m\", \"label_count\": 2}", 1);
    check_status(WF_E_DATA, wfi_task_open(in("stored"), &t, err));
    put("stored/task.json",
        "{\"name\": \"x\", \"kind\": \"classification\", \"metric\": \"m\", \"label_count\": 2, \"labels\": [1, 2]}",
        1);
    check_status(WF_E_DATA, wfi_task_open(in("stored"), &t, err));
    assert_null(t);
}

static void test_more_rows_of_a_known_task(void **state) {
    put("d.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{2}\"}", 60);
    wf_task *t = task_of("d.jsonl", NULL);
    wf_rows rows = {0};
    put("more.jsonl", "{\"text\": \"new {i}\"}", 3);
    check_ok(wfi_rows_read(in("more.jsonl"), t, NULL, false, &rows, err));
    assert_int_equal(3, rows.count);
    assert_int_equal(-1, rows.rows[0].label);
    wfi_rows_clear(&rows);
    wf_err wrong = {0};
    assert_int_equal(WF_E_DATA, wfi_rows_read(in("more.jsonl"), t, NULL, true, &rows, &wrong));
    assert_non_null(strstr(wrong.text, "there is no field \"label\", the task's label; the file has \"text\""));
    put("more.jsonl", "{\"who\": \"me {i}\", \"remark\": \"lamp {i} in the hall\"}", 3);
    assert_int_equal(WF_E_DATA, wfi_rows_read(in("more.jsonl"), t, NULL, false, &rows, &wrong));
    assert_non_null(strstr(wrong.text, "there is no field \"text\", the task's text"));
    put("more.jsonl", "{\"text\": \"new {i}\", \"label\": \"c{3}\"}", 3);
    assert_int_equal(WF_E_DATA, wfi_rows_read(in("more.jsonl"), t, NULL, true, &rows, &wrong));
    assert_non_null(strstr(wrong.text, "more.jsonl:3: label \"c2\" is unknown"));
    check_ok(wfi_rows_read(in("more.jsonl"), t, NULL, false, &rows, err));
    assert_int_equal(1, rows.rows[1].label);
    assert_int_equal(-1, rows.rows[2].label);
    wfi_rows_clear(&rows);
    wfi_task_free(t);
}

/* A task with names of its own for the fields: another of its files is read by these, also from the stored task. */
static void test_more_rows_with_own_names(void **state) {
    wf_task *t = NULL;
    wf_rows rows = {0};
    put_table("d.csv", "text,subject,said,team,label", "{i},printer {i} is on fire,or so they say,team {2},x", 60);
    t = task_of("d.csv", &(wf_task_options){.text = "subject", .pair = "said", .label = "team"});
    check_ok(wfi_task_save(t, in("stored"), err));
    wfi_task_free(t);
    check_ok(wfi_task_open(in("stored"), &t, err));
    assert_string_equal("subject", t->text_field);
    assert_string_equal("said", t->pair_field);
    assert_string_equal("team", t->label_field);
    put_table("more.csv", "text,said,team,subject", "n,they say,team {2},the lamp {i}", 4);
    check_ok(wfi_rows_read(in("more.csv"), t, NULL, true, &rows, err));
    assert_string_equal("the lamp 3", rows.rows[3].text);
    assert_string_equal("they say", rows.rows[3].pair);
    assert_int_equal(1, rows.rows[3].label);
    wfi_rows_clear(&rows);
    check_ok(wfi_rows_read(in("more.csv"), t, &(wf_task_options){.text = "text"}, true, &rows, err)); /* asked for */
    assert_string_equal("n", rows.rows[3].text);
    wfi_rows_clear(&rows);
    put("more.jsonl", "{\"sentence\": \"s {i}\", \"text_pair\": \"p\", \"class\": \"team {2}\"}",
        4); /* customary names still do */
    check_ok(wfi_rows_read(in("more.jsonl"), t, NULL, true, &rows, err));
    assert_string_equal("s 2", rows.rows[2].text);
    wfi_rows_clear(&rows);
    wfi_task_free(t);
    put("d.jsonl", "{\"text\": \"t {i}\", \"label\": \"c{2}\"}", 60);
    t = task_of("d.jsonl", NULL);
    put_table("more.csv", "number,remark", "{i},the lamp {i}", 4); /* nothing but one text */
    check_ok(wfi_rows_read(in("more.csv"), t, NULL, false, &rows, err));
    assert_string_equal("the lamp 3", rows.rows[3].text);
    wfi_rows_clear(&rows);
    put_table("more.csv", "who,remark", "me {i},the lamp in the hall is broken {i}", 4);
    check_status(WF_E_DATA, wfi_rows_read(in("more.csv"), t, NULL, false, &rows, err));
    check_ok(wfi_dir_make(in("stored"), err)); /* stored before names were kept */
    put("stored/task.json",
        "{\"name\": \"x\", \"kind\": \"classification\", \"metric\": \"accuracy\", \"label_count\": 2, "
        "\"labels\": [\"team 0\", \"team 1\"]}",
        1);
    for (int p = 0; p < 3; p++)
        put((const char *[]){"stored/train.jsonl", "stored/dev.jsonl", "stored/test.jsonl"}[p],
            "{\"text\": \"t {i}\", \"label\": \"team {2}\"}", 4);
    wfi_task_free(t);
    check_ok(wfi_task_open(in("stored"), &t, err));
    assert_null(t->text_field);
    assert_null(t->label_field);
    wfi_task_free(t);
}

static void test_parts_share_the_names_of_train(void **state) {
    check_ok(wfi_dir_make(in("f"), err));
    put_table("f/train.csv", "subject,team", "printer {i} is on fire,team {2}", 60);
    put_table("f/test.csv", "team,text,subject", "team {2},x,the lamp", 3);
    wf_task *t = task_of("f", NULL);
    assert_string_equal("the lamp", t->test.rows[0].text);
    wfi_task_free(t);
}

/* ---- memory ---- */

static void test_every_allocation_may_fail(void **state) {
    static const char *const rows[] = {
        "{\"text\": \"t {i}\", \"text_pair\": \"p\", \"label\": \"c{2}\", \"group\": \"g\"}",
        "{\"text\": \"t {i}\", \"choices\": [\"a\", \"b\"], \"label\": {2}}",
        "{\"text\": \"t {i}\", \"labels\": [\"a\", \"c{3}\"]}",
        "{\"subject\": \"t {i}\", \"number\": {i}, \"team\": \"c{3}\"}"};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        put("d.jsonl", rows[k], 30);
        wf_status st = WF_E_NOMEM;
        for (long n = 1; st != WF_OK; n++) {
            wf_task *t = NULL, *back = NULL;
            char *text = NULL;
            int64_t *sample = NULL;
            wf_rows more = {0}, view = {0};
            wf_err wrong = {0};
            assert_true(n < 3000);
            wfi_alloc_fail_at(n);
            st = wfi_task_read("task", in("d.jsonl"), NULL, &t, &wrong);
            if (st == WF_OK) st = wfi_task_describe(t, &text, &wrong);
            if (st == WF_OK) st = wfi_rows_sample(&t->train, t, 5, 1, &sample, &wrong);
            if (st == WF_OK) st = wfi_rows_pick(&t->train, sample, 5, &view, &wrong);
            if (st == WF_OK) st = wfi_task_save(t, in("stored"), &wrong);
            if (st == WF_OK) st = wfi_task_open(in("stored"), &back, &wrong);
            if (st == WF_OK) st = wfi_rows_read(in("d.jsonl"), t, NULL, true, &more, &wrong);
            wfi_alloc_fail_at(0);
            wfi_task_free(t);
            wfi_task_free(back);
            wfi_rows_clear(&more);
            wfi_rows_clear(&view);
            wfi_free(sample);
            wfi_free(text);
            if (st != WF_OK) {
                if (st != WF_E_NOMEM) fail_msg("allocation %ld: %d %s", n, st, wrong.text);
                assert_true(wrong.text[0]);
            }
        }
    }
}

int main(void) {
#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(test_kinds_are_detected),
        WITH_DIR(test_kind_says_why),
        WITH_DIR(test_kind_may_be_asked_for),
        WITH_DIR(test_fields_are_found_by_content),
        WITH_DIR(test_labels_are_sorted),
        WITH_DIR(test_refused_files),
        WITH_DIR(test_one_file_is_split),
        WITH_DIR(test_groups_and_texts_stay_together),
        WITH_DIR(test_folders),
        WITH_DIR(test_samples_are_nested_and_stratified),
        WITH_DIR(test_describe),
        WITH_DIR(test_labels_missing_outside_train),
        WITH_DIR(test_uneven_classes),
        WITH_DIR(test_many_unseen_labels_are_counted),
        WITH_DIR(test_store_round_trip),
        WITH_DIR(test_more_rows_of_a_known_task),
        WITH_DIR(test_more_rows_with_own_names),
        WITH_DIR(test_parts_share_the_names_of_train),
        WITH_DIR(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
