/* tests/tokenizers/test_scan.c - the vocabulary read by scanning against the same file read as JSON. The oracle is the
 * same text with the key "vocab" spelled with an escape: JSON to a reader of JSON, and nothing the scanner knows. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/random.h"
#include "small.h"
#include "tokenizers/internal.h"
#include <ctype.h>

static bool scanned(const char *text, size_t size, wf_plan *plan, wf_vocab_place *place) {
    bool found = false;
    assert_int_equal(WF_OK, wfi_vocab_scan(text, size, plan, place, &found));
    return found;
}

static bool found_in(const char *text) {
    wf_plan plan = {0};
    wf_vocab_place place;
    const bool found = scanned(text, strlen(text), &plan, &place);
    if (found) wfi_vocab_scan_clear(&plan, &place);
    assert_null(plan.texts);
    return found;
}

static void test_what_is_read(void **state) {
    const char *text =
        " {\"a\": [1, \"}\\\"\", {\"model\": {\"vocab\": 1}}], \"model\" : { \"type\":\"\\\\\", \"vocab\" :\n"
        "{ \"b\" : 1,\"\\\"\\u00e9\\n\": 0 , \"\u4e2d\\/x\":2\t} , \"z\": {}}}";
    static const char *const want[] = {"\"\u00e9\n", "b", "\u4e2d/x"};
    wf_plan plan = {0};
    wf_vocab_place place;
    assert_true(scanned(text, strlen(text), &plan, &place));
    assert_int_equal(3, plan.count);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(strlen(want[i]), plan.sizes[i]);
        assert_memory_equal(want[i], plan.texts[i], plan.sizes[i]);
    }
    assert_int_equal('{', text[place.from]);
    assert_int_equal('}', text[place.to - 1]);
    assert_string_equal(", \"z\": {}}}", text + place.to + 1);
    wfi_vocab_scan_clear(&plan, &place);
}

static void test_what_is_left_to_json(void **state) {
    static const char *const plain[] = {"{\"a\":0}", "{\"a\":1,\"b\":0}", "{\"\":0}", "{\"\\u0041\":0}"};
    static const char *const not_plain[] = {"{}",
                                            "[]",
                                            "{\"a\":1}",
                                            "{\"a\":0,}",
                                            "{\"a\":0,\"b\":0}",
                                            "{\"a\":0.0}",
                                            "{\"a\":00}",
                                            "{\"a\":-0}",
                                            "{\"a\":\"0\"}",
                                            "{\"a\":1000000000}",
                                            "{\"a\" 0}",
                                            "{a:0}",
                                            "{\"\\x\":0}",
                                            "{\"\\u00",
                                            "{\"\\u0000\":0}",
                                            "{\"\\ud83d\\ude00\":0}",
                                            "{\"\x01\":0}",
                                            "{\"\xC0\x80\":0}",
                                            "{\"\xE4\":0}",
                                            "{\"a\":0]",
                                            "{\"a\":0,\"b\":2}",
                                            "{\"a",
                                            "{"};
    char text[256];
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        snprintf(text, sizeof text, "{\"model\":{\"vocab\":%s}}", plain[i]);
        assert_true(found_in(text));
    }
    for (size_t i = 0; i < sizeof not_plain / sizeof *not_plain; i++) {
        snprintf(text, sizeof text, "{\"model\":{\"vocab\":%s}}", not_plain[i]);
        if (found_in(text)) fail_msg("%s was read", not_plain[i]);
    }
    assert_false(found_in(""));
    assert_false(found_in("{\"model\":1}"));
    assert_false(found_in("{\"model\":{}}"));
    assert_false(found_in("{\"vocab\":{\"a\":0}}"));
    assert_false(found_in("{\"model\":{\"voc\\u0061b\":{\"a\":0}}}"));
}

/* What opening a text gives: the tokenizer's hash, or status and message without numbers (lines and columns differ). */
static void outcome(const char *text, size_t size, char out[512]) {
    wf_tokenizer *t = NULL;
    wf_err err = {0};
    const wf_status st = wfi_tokenizer_parse_json(text, size, "x", &t, &err);
    size_t n = (size_t)snprintf(out, 512, "%d ", (int)st);
    for (const char *p = st == WF_OK ? wfi_tokenizer_hash(t) : err.text; *p && n < 500; p++)
        if (st == WF_OK || !isdigit((unsigned char)*p)) out[n++] = *p;
    out[n] = 0;
    wfi_tokenizer_free(t);
}

static void compare(const char *text, size_t size, size_t key) {
    char *other = wfi_alloc(size + 6, 1), fast[512], slow[512];
    assert_non_null(other);
    memcpy(other, text, key);
    memcpy(other + key, "\\u0076", 6); /* for the v of vocab */
    memcpy(other + key + 6, text + key + 1, size - key - 1);
    outcome(text, size, fast);
    outcome(other, size + 5, slow);
    /* a parser's message may quote the file near the mistake */
    if (fast[0] != slow[0] || (strcmp(fast, slow) != 0 && !strstr(slow, "vocab") && !strstr(fast, "vocab")))
        fail_msg("%s\ninstead of\n%s\nfor\n%.*s", fast, slow, (int)size, text);
    wfi_free(other);
}

static void test_same_as_json(void **state) {
    static const char *const parts[] = {"\"",    "\\",         "\\u00e9",    "\\u0061", "{",         "}",  "[",
                                        ",",     ":",          "0",          "1",       "22",        " ",  "\n",
                                        "\"a\"", "\"hello\"",  "\xC3\xA9",   "\xC3",    "\x01",      "e1", "-",
                                        ".5",    "\"vocab\":", "\"model\":", "true",    "\"zz\":23,"};
    json_t *top = small_object();
    char *text = wfi_json_text(top, false), *place = strstr(text, "\"vocab\":");
    const size_t size = strlen(text), key = (size_t)(place - text) + 1;
    assert_non_null(place);
    assert_true(found_in(text));
    compare(text, size, key);
    for (uint64_t i = 0; i < 3000; i++) {
        wf_buffer b = {0};
        /* from the vocabulary's key on, twice in three times; else anywhere */
        const size_t low = wfi_random_below(1, 4 * i, 3) ? key + 6 : 0;
        size_t at = low + wfi_random_below(2, i, (uint32_t)(size - low)), cut = wfi_random_below(3, i, 3);
        if (at < key + 6 && at + cut > key) continue; /* the key itself stays */
        if (at + cut > size) cut = size - at;
        const char *part = parts[wfi_random_below(4, i, sizeof parts / sizeof *parts)];
        const bool insert = wfi_random_below(5, i, 4) != 0;
        wfi_buffer_add(&b, text, at);
        if (insert) wfi_buffer_adds(&b, part);
        wfi_buffer_add(&b, text + at + cut, size - at - cut);
        const size_t shift = at < key ? b.len - size : 0; /* of the key */
        compare(b.data, b.len, key + shift);
        wfi_buffer_clear(&b);
    }
    wfi_free(text);
    json_decref(top);
}

static void test_no_memory(void **state) {
    json_t *top = small_object();
    wf_tokenizer *t = NULL;
    char *text = wfi_json_text(top, false);
    wf_status st = WF_E_NOMEM;
    int failures = 0;
    for (long n = 1; st != WF_OK; n++, failures++) {
        wf_err err = {0};
        wfi_alloc_fail_at(n);
        st = wfi_tokenizer_parse_json(text, strlen(text), "x", &t, &err);
        wfi_alloc_fail_at(0);
        if (st != WF_OK) {
            assert_int_equal(WF_E_NOMEM, st);
            assert_int_not_equal(0, err.text[0]);
        }
    }
    assert_true(failures > 8);
    wfi_tokenizer_free(t);
    wfi_free(text);
    json_decref(top);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_what_is_left_to_json),
        cmocka_unit_test(test_same_as_json),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
