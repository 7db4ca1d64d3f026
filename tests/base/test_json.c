/* tests/base/test_json.c - JSON with weft's limits and messages. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "check.h"

static json_t *parse(const char *text) {
    json_t *j = NULL;
    check_ok(wfi_json_parse(text, strlen(text), "text", &j, err));
    return j;
}

/* Must be refused, with a message that names the text and holds `says`. */
static void refused(const char *text, size_t size, const char *says) {
    json_t *j = NULL;
    wf_err err = {0};
    assert_int_equal(WF_E_DATA, wfi_json_parse(text, size, "some.json", &j, &err));
    assert_null(j);
    if (!strstr(err.text, "some.json") || !strstr(err.text, says))
        fail_msg("\"%s\" does not name the file or \"%s\"", err.text, says);
}

static void test_parse(void **state) {
    json_t *j = parse("{\"b\": [1, 2.5, \"x\\u00e9\", null, true], \"a\": {}}");
    assert_int_equal(5, json_array_size(json_object_get(j, "b")));
    json_decref(j);
    j = parse(" 7 "); /* any value, not only objects */
    assert_int_equal(7, json_integer_value(j));
    json_decref(j);
}

static void test_refused(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {{"", "line 1"},
                 {"{", "line 1"},
                 {"{\"a\": 1,\n \"b\" 2}", "line 2"},
                 {"{\"a\": 1, \"a\": 2}", "duplicate"},
                 {"[1] 2", "end of file"},
                 {"\"\xff\"", "0xff"},
                 {"\"\\ud800\"", "invalid Unicode"},
                 {"\"\\u0000\"", "\\u0000"},
                 {"1e999", "overflow"},
                 {"99999999999999999999", "too big"},
                 {"nul", "token"},
                 {"{1: 2}", "string"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].text, strlen(cases[i].text), cases[i].says);
    refused("[1,\0 2]", 7, "line 1");
}

static void test_depth(void **state) {
    char text[256];
    for (int depth = 64; depth <= 65; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        json_t *j = NULL;
        wf_err err = {0};
        const wf_status st = wfi_json_parse(text, 2 * (size_t)depth, "some.json", &j, &err);
        assert_int_equal(depth == 64 ? WF_OK : WF_E_DATA, st);
        if (st != WF_OK) assert_non_null(strstr(err.text, "64"));
        json_decref(j);
    }
    char *deep = malloc(1 << 20); /* and it is not the parser's stack that ends it */
    memset(deep, '{', 1 << 20);
    refused(deep, 1 << 20, "64");
    for (size_t i = 0; i + 1 < 1 << 20; i += 2) memcpy(deep + i, "]]", 2);
    refused(deep, 1 << 20, "line 1");
    free(deep);
    json_t *j = parse(
        "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"]"); /* brackets in
                                                                                                           texts are
                                                                                                           text */
    json_decref(j);
}

static void test_text_and_files(void **state) {
    const char *dir = check_temp_dir();
    char path[512];
    snprintf(path, sizeof path, "%s/x.json", dir);
    json_t *j = parse("{\"b\": 0.1, \"a\": [1, \"\\u00e9\\n\"], \"c\": 3.0}"), *back = NULL;
    char *text = wfi_json_text(j, false);
    assert_string_equal("{\"a\":[1,\"\u00e9\\n\"],\"b\":0.10000000000000001,\"c\":3.0}",
                        text); /* sorted keys, reals exact and real */
    wfi_free(text);
    check_ok(wfi_json_write(path, j, err));
    check_ok(wfi_json_read(path, 1000, &back, err));
    assert_true(json_equal(j, back));
    json_decref(back);
    back = NULL;
    check_status(WF_E_DATA, wfi_json_read(path, 5, &back, err)); /* longer than allowed */
    wf_err wrong = {0};
    check_ok(wfi_file_write(path, "{\"a\":\n}", 7, err));
    assert_int_equal(WF_E_DATA, wfi_json_read(path, 1000, &back, &wrong));
    assert_non_null(strstr(wrong.text, path));
    assert_non_null(strstr(wrong.text, "line 2"));
    json_decref(j);
    check_ok(wfi_tree_remove(dir, err));
    check_status(WF_E_NOTFOUND, wfi_json_read(path, 1000, &back, err));
    assert_null(back);
}

/* Each getter over each kind of value: which of them it takes. */
static void test_getters(void **state) {
    static const char *const fields[] = {"text", "int", "real", "true", "null", "list", "absent"};
    static const struct {
        const char *name, *takes;
    } getters[] = {{"str", "text"},
                   {"int", "int"},
                   {"num", "int real"},
                   {"int_or", "int null absent"},
                   {"num_or", "int real null absent"},
                   {"bool_or", "true null absent"}};
    json_t *j = parse("{\"text\": \"x\", \"int\": 3, \"real\": 2.5, \"true\": true, \"null\": null, \"list\": []}");
    for (size_t g = 0; g < 6; g++)
        for (size_t f = 0; f < 7; f++) {
            wf_err err = {0};
            const char *text = "untouched";
            int64_t n = -77;
            double x = -77;
            bool b = false;
            wf_status st = WF_OK;
            switch (g) {
            case 0:
                st = wfi_json_str(j, fields[f], "here", &text, &err);
                break;
            case 1:
                st = wfi_json_int(j, fields[f], "here", 0, 9, &n, &err);
                break;
            case 2:
                st = wfi_json_num(j, fields[f], "here", &x, &err);
                break;
            case 3:
                st = wfi_json_int_or(j, fields[f], "here", 0, 9, 5, &n, &err);
                break;
            case 4:
                st = wfi_json_num_or(j, fields[f], "here", 5, &x, &err);
                break;
            default:
                st = wfi_json_bool_or(j, fields[f], "here", true, &b, &err);
                break;
            }
            const bool takes = strstr(getters[g].takes, fields[f]) != NULL;
            if ((st == WF_OK) != takes) fail_msg("%s of %s gives %d", getters[g].name, fields[f], st);
            if (!takes) {
                assert_string_equal("untouched", text);
                assert_true(n == -77 && x == -77 && !b);
                assert_string_equal(fields[f], err.subject);
                assert_non_null(strstr(err.text, "here"));
                assert_non_null(strstr(err.text, fields[f]));
            } else if (g == 3) {
                assert_int_equal(f == 1 ? 3 : 5, n);
            } else if (g == 4) {
                assert_true(x == (f == 1 ? 3 : f == 2 ? 2.5 : 5));
            }
        }
    json_decref(j);
}

static void test_bounds(void **state) {
    json_t *j = parse("{\"n\": 10, \"low\": -9223372036854775808}");
    int64_t n = 0;
    wf_err err = {0};
    assert_int_equal(WF_OK, wfi_json_int(j, "n", "here", 10, 10, &n, &err));
    assert_int_equal(WF_E_DATA, wfi_json_int(j, "n", "here", 11, 20, &n, &err));
    assert_non_null(strstr(err.text, "[11, 20]"));
    assert_int_equal(WF_E_DATA, wfi_json_int_or(j, "n", "here", 0, 9, 5, &n, &err));
    assert_int_equal(10, n);
    assert_int_equal(WF_OK, wfi_json_int(j, "low", "here", INT64_MIN, INT64_MAX, &n, &err));
    assert_true(n == INT64_MIN);
    assert_int_equal(WF_E_DATA,
                     wfi_json_int(NULL, "n", "here", 0, 9, &n, &err)); /* no object at all: the field is missing */
    json_decref(j);
}

static void *failing_alloc(size_t n) {
    return wfi_alloc(1, n);
}

/* jansson's own allocations fail too: nothing leaks or breaks. (What it says then is not always that memory ended.) */
static void test_out_of_memory(void **state) {
    static const char text[] = "{\"a\": [1, 2.5, \"x\"], \"b\": {\"c\": null}}";
    json_set_alloc_funcs(failing_alloc, wfi_free);
    for (long n = 1;; n++) {
        json_t *j = NULL;
        wf_err err = {0};
        assert_true(n < 500);
        wfi_alloc_fail_at(n);
        const wf_status st = wfi_json_parse(text, sizeof text - 1, "some.json", &j, &err);
        wfi_alloc_fail_at(0);
        json_decref(j);
        if (st == WF_OK) break;
        assert_true(n == 1 ? st == WF_E_NOMEM : st == WF_E_NOMEM || st == WF_E_DATA);
        assert_true(err.text[0]);
        assert_null(j);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_refused), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_text_and_files), cmocka_unit_test(test_getters), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
