/* tests/data/test_records.c - JSONL, JSON, CSV and TSV files: what they hold, and what is refused with file, line and
 * field. */
#include "base/alloc.h"
#include "check.h"
#include "data/records.h"

typedef struct got {
    char text[2048];
    size_t rows;
} got;

static wf_status note(void *user, const json_t *row, const char *place, int64_t line, wf_err *err) {
    got *g = user;
    char *text = wfi_json_text(row, false);
    const size_t n = strlen(g->text);
    snprintf(g->text + n, sizeof g->text - n, "%lld%s;", (long long)line, text);
    wfi_free(text);
    g->rows++;
    return WF_OK;
}

static void gives(const char *format, const char *data, size_t size, const char *want) {
    got g = {0};
    char *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    check_ok(wfi_records_parse(exact, size, format, "data", 0, note, &g, err));
    free(exact);
    assert_string_equal(want, g.text);
}

static void refused(const char *format, const char *data, size_t size, int64_t line, const char *says) {
    got g = {0};
    wf_err err = {0};
    assert_int_equal(WF_E_DATA, wfi_records_parse(data, size, format, "some.file", 0, note, &g, &err));
    if (!strstr(err.text, "some.file") || !strstr(err.text, says))
        fail_msg("\"%s\" does not name the file or \"%s\"", err.text, says);
    char place[32];
    snprintf(place, sizeof place, "some.file:%lld:", (long long)line);
    if (line && !strstr(err.text, place)) fail_msg("\"%s\" does not name line %lld", err.text, (long long)line);
    if (line) assert_int_equal(line, err.offset);
}

#define GIVES(format, data, want)         gives(format, data, sizeof(data) - 1, want)
#define REFUSED(format, data, line, says) refused(format, data, sizeof(data) - 1, line, says)

static void test_jsonl(void **state) {
    GIVES("jsonl", "{\"a\":1}\n\n  \r\n{\"b\":\"\\u00e9\"}\r\n{\"c\":[]}",
          "1{\"a\":1};4{\"b\":\"\u00e9\"};5{\"c\":[]};");
    GIVES("jsonl", "\xef\xbb\xbf{\"a\":1}", "1{\"a\":1};");
    GIVES("jsonl", "", "");
    GIVES("json", " [{\"a\":1},\n\n{\"a\":2}]", "1{\"a\":1};2{\"a\":2};"); /* one array: rows are counted */
    GIVES("json", "{\"a\":1}\n{\"a\":2}", "1{\"a\":1};2{\"a\":2};");
    REFUSED("jsonl", "{\"a\":1}\n{\"a\":", 2, "not valid JSON");
    REFUSED("jsonl", "{\"a\":1}\n\n[1]\n", 3, "must be a JSON object");
    REFUSED("jsonl", "{\"a\":1,\"a\":2}\n", 1, "duplicate");
    REFUSED("jsonl", "{\"a\":\"\xff\"}\n", 1, "0xff");
    REFUSED("jsonl", "{\"a\":1}\n\0", 0, "NUL");
    REFUSED("json", "[{\"a\":1}, 7]", 2, "must be a JSON object");
    char deep[300] = "{\"a\":";
    memset(deep + 5, '[', 100);
    refused("jsonl", deep, strlen(deep), 1, "64");
}

static void test_csv(void **state) {
    GIVES("csv", "a,b\n1,2\n", "2{\"a\":\"1\",\"b\":\"2\"};");
    GIVES("csv",
          "\xef\xbb\xbf"
          "a,b\r\n\"x, \"\"y\"\"\nz\",\r\n\r\n3,4",
          "2{\"a\":\"x, \\\"y\\\"\\nz\",\"b\":\"\"};5{\"a\":\"3\",\"b\":\"4\"};");
    GIVES("csv", "a\n\"\"\"\"\nb\"c\n",
          "2{\"a\":\"\\\"\"};3{\"a\":\"b\\\"c\"};"); /* a quote inside an unquoted cell is a quote */
    GIVES("csv", "a,b\n", "");
    GIVES("csv", "a,b", "");
    GIVES("csv", "", "");
    GIVES("csv", "\"a,b\",c\n1,2\n", "2{\"a,b\":\"1\",\"c\":\"2\"};");
    GIVES("csv", "a;b,c\n1,2\n", "2{\"a;b\":\"1\",\"c\":\"2\"};");
    REFUSED("csv", "text;label\ngood;1\n", 1, "columns seem to be separated by ';'; use ',' or a .tsv file");
    REFUSED("csv", "text;label\ngood, but long;1\n", 1, "separated by ';'"); /* before its rows are looked at */
    REFUSED("csv", "text\tlabel\ngood\t1\n", 1, "separated by a tab");
    REFUSED("csv", "text|label\n", 1, "separated by '|'");
    REFUSED("csv", "a,b\n1\n", 2, "1 cells, but the header has 2");
    REFUSED("csv", "a,b\n1,2\n1,2,3\n", 3, "3 cells, but the header has 2");
    REFUSED("csv", "a,b\n\"1,2\n", 2, "never closed");
    REFUSED("csv", "a,b\n\"x\ny\",1\n\"1\"x,2\n", 4, "closing quote"); /* lines inside quotes count */
    REFUSED("csv", "a,a\n1,2\n", 1, "\"a\" stands twice");
    REFUSED("csv", "a,b\n1,\xc3\n", 2, "column \"b\" is not valid UTF-8");
    REFUSED("csv", "a,\xc3\n", 1, "not valid UTF-8");
    REFUSED("csv", "a,b\n1,\0\n", 0, "NUL");
}

static void test_tsv(void **state) {
    GIVES("tsv", "a\tb\n\"1\t2,3\n", "2{\"a\":\"\\\"1\",\"b\":\"2,3\"};"); /* quotes mean nothing */
    GIVES("tsv", "a\tb\r\n1\t2\r\n\r\n", "2{\"a\":\"1\",\"b\":\"2\"};");
    REFUSED("tsv", "a\tb\n1\n", 2, "1 cells");
    REFUSED("tsv", "a,b\n1,2\n", 1, "separated by ','; use tabs");
    REFUSED("tsv", "a\tb\n1\t2\n\xed\xa0\x80\t2\n", 3, "column \"a\"");
}

static void test_limits(void **state) {
    got g = {0};
    check_ok(
        wfi_records_parse("{}\n{}\n{}\nbroken", 15, "jsonl", "x", 2, note, &g, err)); /* the rest is not looked at */
    assert_int_equal(2, g.rows);
    const size_t n = ((size_t)64 << 20) + 16;
    char *text = malloc(n); /* 64 MB in a line is enough */
    memset(text, 'x', n);
    memcpy(text, "{\"a\": \"", 7);
    memcpy(text + n - 2, "\"}", 2);
    refused("jsonl", text, n, 1, "too long");
    memcpy(text, "a\n", 2);
    refused("csv", text, n, 2, "too long");
    free(text);
    text = malloc(3 << 20); /* three megabytes are not much */
    memset(text, 'y', 3 << 20);
    memcpy(text, "{\"a\": \"", 7);
    memcpy(text + (3 << 20) - 2, "\"}", 2);
    memset(&g, 0, sizeof g);
    check_ok(wfi_records_parse(text, 3 << 20, "jsonl", "x", 0, note, &g, err));
    assert_int_equal(1, g.rows);
    memset(text, ',', 5000); /* more columns than anyone needs; names are doubled too, but the first fault counts */
    wf_err err = {0};
    assert_int_equal(WF_E_DATA, wfi_records_parse(text, 5000, "csv", "x", 0, note, &g, &err));
    free(text);
}

static wf_status stop(void *user, const json_t *row, const char *place, int64_t line, wf_err *err) {
    (*(int *)user)++;
    return WF_E_CANCELLED;
}

static void test_callback_stops(void **state) {
    static const char *const formats[] = {"jsonl", "json", "csv", "tsv"}, *const data[] = {"{}\n{}\n", "[{},{}]",
                                                                                           "a\n1\n2\n", "a\n1\n2\n"};
    for (int i = 0; i < 4; i++) {
        int calls = 0;
        assert_int_equal(WF_E_CANCELLED,
                         wfi_records_parse(data[i], strlen(data[i]), formats[i], "x", 0, stop, &calls, NULL));
        assert_int_equal(1, calls);
    }
}

static void test_paths(void **state) {
    got g = {0};
    assert_true(wfi_records_extension("a/b.jsonl") && wfi_records_extension("b.csv") &&
                wfi_records_extension("x.y.tsv") && wfi_records_extension(".json"));
    assert_false(wfi_records_extension("a.csv/b") || wfi_records_extension("csv") || wfi_records_extension("a.txt"));
    check_status(WF_E_ARG, wfi_records_each("a.txt", 0, note, &g, err));
    check_status(WF_E_NOTFOUND, wfi_records_each("/nowhere/a.csv", 0, note, &g, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_tsv),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_callback_stops),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
