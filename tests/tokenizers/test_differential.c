/* tests/tokenizers/test_differential.c - against the `tokenizers` library: tests/golden/tokenizer_digests.json holds
 * digests of what it gave (tools/tokenizer_digests.py). The last two tests need all-MiniLM-L6-v2's tokenizer.json and
 * vocab.txt (WEFT_MINILM, or where tools/demo.sh puts them), the last one the data sets too (WEFT_SHARED_DATA, or
 * ../shared/data beside the project's folder). */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cases.h"
#include "check.h"
#include "tokenizers/internal.h"

static json_t *golden;

static const char *golden_path(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/golden/%s", getenv("WEFT_TEST_DATA") ? getenv("WEFT_TEST_DATA") : "tests", name);
    return path;
}

static int setup(void **state) {
    check_ok(wfi_json_read(golden_path("tokenizer_digests.json"), 16 << 20, &golden, err));
    return 0;
}

static int teardown(void **state) {
    json_decref(golden);
    return 0;
}

/* ---- the artificial vocabulary under the settings of tools/tokenizer_digests.py ---- */

static const struct {
    const char *name;
    int clean, chinese, strip, lower; /* -1: null */
} NORMALIZERS[] = {{"uncased", 1, 1, -1, 1}, {"cased", 1, 1, -1, 0}, {"accents", 1, 0, 0, 1}, {"bare", 0, 0, 1, 0}};
enum { NORMALIZER_COUNT = sizeof NORMALIZERS / sizeof *NORMALIZERS };

static json_t *truth(int v) {
    return v < 0 ? json_null() : json_boolean(v);
}

static void add_token(json_t *top, const char *content, int single_word, int lstrip, int rstrip, int normalized) {
    json_t *list = json_object_get(top, "added_tokens");
    const json_int_t words = (json_int_t)json_object_size(json_object_get(json_object_get(top, "model"), "vocab"));
    const json_int_t id = words + (json_int_t)json_array_size(list) - 5; /* behind the five special tokens */
    json_array_append_new(list, json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content", content,
                                          "single_word", single_word, "lstrip", lstrip, "rstrip", rstrip, "normalized",
                                          normalized, "special", 0));
}

static wf_tokenizer *small(int normalizer, bool added) {
    wf_tokenizer *t = NULL;
    json_t *top = NULL;
    check_ok(wfi_json_read(golden_path("tokenizer_small/tokenizer.json"), 16 << 20, &top, err));
    json_t *n = json_object_get(top, "normalizer");
    json_object_set_new(n, "clean_text", truth(NORMALIZERS[normalizer].clean));
    json_object_set_new(n, "handle_chinese_chars", truth(NORMALIZERS[normalizer].chinese));
    json_object_set_new(n, "strip_accents", truth(NORMALIZERS[normalizer].strip));
    json_object_set_new(n, "lowercase", truth(NORMALIZERS[normalizer].lower));
    if (added) {
        add_token(top, "Ab C", 0, 1, 0, 1);
        add_token(top, "\u00c9e", 1, 0, 0, 1);
        add_token(top, "xy", 1, 0, 1, 0);
    }
    char *text = wfi_json_text(top, false);
    check_ok(wfi_tokenizer_parse_json(text, strlen(text), "small", &t, err));
    wfi_free(text);
    json_decref(top);
    return t;
}

/* ---- every code point ---- */

typedef struct words {
    wf_buffer b;
    const wf_tokenizer *t;
    bool inside;
} words;

static void put_word(void *to, uint32_t cp, int32_t from, int32_t end) {
    words *w = to;
    const unsigned flags = wfi_unicode_flags(&w->t->chars, cp);
    char utf8[4];
    if (flags & WFI_CH_SPACE) {
        w->inside = false;
        return;
    }
    if (w->b.len && (!w->inside || flags & WFI_CH_PUNCT)) wfi_buffer_adds(&w->b, "\n");
    wfi_buffer_add(&w->b, utf8, wfi_utf8_put(cp, utf8));
    w->inside = !(flags & WFI_CH_PUNCT);
}

static void test_every_code_point(void **state) {
    static wf_normal normal;
    for (int k = 0; k < NORMALIZER_COUNT; k++) {
        const json_t *want = json_object_get(json_object_get(golden, "sweep"), NORMALIZERS[k].name);
        wf_tokenizer *t = small(k, false);
        words w = {.t = t};
        assert_int_equal(0x110, json_array_size(want));
        for (uint32_t block = 0; block < 0x110; block++) {
            wf_hash *h = NULL;
            char hex[WF_HASH_HEX];
            check_ok(wfi_hash_new(&h, err));
            for (uint32_t cp = block << 12; cp < (block + 1) << 12; cp++) {
                if (cp >= 0xD800 && cp < 0xE000) continue;
                w.b.len = 0;
                w.inside = false;
                wfi_normal_begin(&normal, t, put_word, &w);
                wfi_normal_char(&normal, 'a', 0, 1);
                wfi_normal_char(&normal, cp, 1, 2);
                wfi_normal_char(&normal, 'b', 2, 3);
                wfi_normal_end(&normal);
                wfi_hash_add(h, w.b.data, w.b.len);
                wfi_hash_add(h, "\n\n", 2);
            }
            wfi_hash_hex(h, hex);
            wfi_hash_free(h);
            hex[16] = 0;
            if (strcmp(hex, json_string_value(json_array_get(want, block))) != 0)
                fail_msg("%s: a code point in U+%X000..U+%XFFF differs", NORMALIZERS[k].name, block, block);
        }
        wfi_buffer_clear(&w.b);
        wfi_tokenizer_free(t);
    }
}

/* ---- lengths ---- */

static void test_truncation(void **state) {
    const char *want = json_string_value(json_object_get(golden, "truncation"));
    wf_tokenizer *t = small(0, false);
    wf_encoding e = {0};
    assert_int_equal(10 * 7 * 7 * 2, strlen(want));
    for (size_t length = 3; length < 13; length++)
        for (size_t a = 0; a < 7; a++)
            for (size_t b = 0; b < 7; b++, want += 2) {
                check_ok(wfi_tokenizer_encode(t, "x x x x x x ", 2 * a, "y y y y y y ", 2 * b, length, &e, err));
                size_t first = 0, second = 0;
                for (size_t i = 0; i < e.count; i++)
                    if (e.ends[i]) (e.type_ids[i] ? second++ : first++);
                if ((size_t)(want[0] - '0') != first || (size_t)(want[1] - '0') != second)
                    fail_msg("%zu and %zu words in %zu places: %zu and %zu are left, the library leaves %.2s", a, b,
                             length, first, second, want);
            }
    wfi_encoding_clear(&e);
    wfi_tokenizer_free(t);
}

/* ---- random texts ---- */

static void random_check(const wf_tokenizer *t, const json_t *want, const char *name) {
    const json_int_t count = json_integer_value(json_object_get(golden, "count")),
                     block = json_integer_value(json_object_get(golden, "block"));
    cases_case c = {0};
    wf_encoding e = {0};
    wf_hash *h = NULL;
    assert_int_equal(count / block, json_array_size(want));
    for (json_int_t i = 0; i < count; i++) {
        if (i % block == 0) check_ok(wfi_hash_new(&h, err));
        cases_make(&c, (uint64_t)i);
        check_ok(wfi_tokenizer_encode(t, c.first.data, c.first.len, c.has_pair ? c.second.data : NULL, c.second.len,
                                      c.length, &e, err));
        cases_digest(h, &e, !c.odd);
        if (i % block < block - 1) continue;
        char hex[WF_HASH_HEX];
        wfi_hash_hex(h, hex);
        wfi_hash_free(h);
        hex[16] = 0;
        if (strcmp(hex, json_string_value(json_array_get(want, (size_t)(i / block)))) != 0)
            fail_msg("%s: a random text among %lld..%lld differs", name, (long long)(i - block + 1), (long long)i);
    }
    cases_clear(&c);
    wfi_encoding_clear(&e);
}

static void test_random_texts(void **state) {
    for (int k = 0; k < NORMALIZER_COUNT; k++) {
        wf_tokenizer *t = small(k, false);
        random_check(t, json_object_get(json_object_get(golden, "random"), NORMALIZERS[k].name), NORMALIZERS[k].name);
        wfi_tokenizer_free(t);
    }
}

static void test_random_texts_with_added_tokens(void **state) {
    wf_tokenizer *t = small(0, true);
    random_check(t, json_object_get(json_object_get(golden, "random"), "added"), "added");
    wfi_tokenizer_free(t);
}

/* ---- real vocabulary, real texts ---- */

/* The folder of variable `name`, or `otherwise` seen from the project's folder; skips the test when it does not exist.
 */
static const char *folder(const char *name, const char *otherwise) {
    static char path[1024];
    const char *data = getenv("WEFT_TEST_DATA"), *said = getenv(name);
    if (said)
        snprintf(path, sizeof path, "%s", said);
    else
        snprintf(path, sizeof path, "%s/../%s", data ? data : "tests", otherwise);
    if (!wfi_dir_exists(path)) {
        print_message("skipped: %s does not exist (set %s)\n", path, name);
        skip();
    }
    return path;
}

/* Opens the real vocabulary when it is there and checks that it is the one of the digests; else skips the test. */
static wf_tokenizer *minilm(void) {
    char path[2048], hex[WF_HASH_HEX];
    wf_tokenizer *t = NULL;
    const char *from = folder("WEFT_MINILM", "demo/base");
    snprintf(path, sizeof path, "%s/vocab.txt", from);
    check_ok(wfi_hash_file(path, hex, err));
    assert_string_equal(json_string_value(json_object_get(json_object_get(golden, "data"), "vocab_sha256")), hex);
    check_ok(wfi_tokenizer_open(from, &t, err));
    return t;
}

static void test_random_texts_with_real_vocabulary(void **state) {
    wf_tokenizer *t = minilm();
    random_check(t, json_object_get(json_object_get(golden, "data"), "random"), "all-MiniLM-L6-v2");
    wfi_tokenizer_free(t);
}

typedef struct digesting {
    const wf_tokenizer *t;
    wf_encoding e;
    wf_hash *h;
    size_t texts;
} digesting;

static void text_digest(digesting *d, const json_t *text, const json_t *pair) {
    check_ok(wfi_tokenizer_encode(d->t, json_string_value(text), json_string_length(text), json_string_value(pair),
                                  json_string_length(pair), pair ? 128 : 0, &d->e, err));
    cases_digest(d->h, &d->e, true);
    d->texts++;
}

static void strings_digest(digesting *d, const json_t *value) {
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_string(value)) text_digest(d, value, NULL);
    json_array_foreach((json_t *)(uintptr_t)value, i, v) strings_digest(d, v);
    json_object_foreach((json_t *)(uintptr_t)value, key, v) strings_digest(d, v);
}

static void file_digest(digesting *d, const char *path, char hex[WF_HASH_HEX]) {
    wf_map map = {0};
    check_ok(wfi_file_map(path, &map, err));
    check_ok(wfi_hash_new(&d->h, err));
    for (const char *at = (const char *)map.data, *end = at + map.size, *stop; at < end; at = stop + 1) {
        json_t *row = NULL;
        stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        check_ok(wfi_json_parse(at, (size_t)(stop - at), path, &row, err));
        strings_digest(d, row);
        if (json_object_get(row, "text_pair"))
            text_digest(d, json_object_get(row, "text"), json_object_get(row, "text_pair"));
        json_decref(row);
    }
    wfi_hash_hex(d->h, hex);
    wfi_hash_free(d->h);
    hex[32] = 0;
    wfi_file_unmap(&map);
}

static void test_every_text_of_the_data_sets(void **state) {
    const json_t *files = json_object_get(json_object_get(golden, "data"), "files"), *want;
    const char *name;
    char path[2048], dir[1024];
    snprintf(dir, sizeof dir, "%s", folder("WEFT_SHARED_DATA", "../shared/data"));
    digesting d = {.t = minilm()};
    size_t compared = 0, differing = 0;
    json_object_foreach((json_t *)(uintptr_t)files, name, want) {
        char hex[WF_HASH_HEX];
        snprintf(path, sizeof path, "%s/%s", dir, name);
        file_digest(&d, path, hex);
        compared++;
        if (strcmp(hex, json_string_value(want)) == 0) continue;
        print_error("%s: the ids of some text differ\n", name);
        differing++;
    }
    print_message("%zu texts in %zu files compared\n", d.texts, compared);
    assert_int_equal(0, differing);
    assert_true(compared >= 200);
    wfi_encoding_clear(&d.e);
    wfi_tokenizer_free((wf_tokenizer *)(uintptr_t)d.t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_random_texts_with_added_tokens),
        cmocka_unit_test(test_random_texts_with_real_vocabulary),
        cmocka_unit_test(test_every_text_of_the_data_sets),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
