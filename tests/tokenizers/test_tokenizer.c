/* tests/tokenizers/test_tokenizer.c - what a reader can check by eye: text preparation, WordPiece, pairs, special
 * tokens, places. */
#include "base/alloc.h"
#include "check.h"
#include "small.h"

static void check_tokens(const wf_tokenizer *t, const char *text, const char *pair, size_t length, const char *want) {
    wf_encoding e = {0};
    char got[4096] = "";
    check_ok(wfi_tokenizer_encode(t, text, strlen(text), pair, pair ? strlen(pair) : 0, length, &e, err));
    for (size_t i = 0; i < e.count; i++) {
        if (i) strcat(got, " ");
        strcat(got, wfi_tokenizer_token(t, e.ids[i]));
    }
    assert_string_equal(want, got);
    wfi_encoding_clear(&e);
}

static void test_text_preparation(void **state) {
    wf_tokenizer *t = small_tokenizer(NULL, NULL);
    check_tokens(t, "Hello, WORLD!", NULL, 0, "[CLS] hello , world ! [SEP]");
    check_tokens(t, "  hello\t\nworld\r\n", NULL, 0, "[CLS] hello world [SEP]");
    check_tokens(t, "h\u00e9ll\u00d3", NULL, 0, "[CLS] hello [SEP]"); /* accents go */
    check_tokens(t, "he\u0301llo", NULL, 0, "[CLS] hello [SEP]");     /* combining ones too */
    check_tokens(t, "hel\u200blo\a", NULL, 0, "[CLS] hello [SEP]");   /* format and control characters go */
    check_tokens(t, "hello\u00a0world\u3000!", NULL, 0, "[CLS] hello world ! [SEP]"); /* every kind of space */
    check_tokens(t, "hello\u4e2d\u6587world", NULL, 0, "[CLS] hello \u4e2d \u6587 world [SEP]");
    check_tokens(t, "hello\u2014world", NULL, 0, "[CLS] hello [UNK] world [SEP]"); /* punctuation beyond ASCII cuts */
    check_tokens(t, "hello$world", NULL, 0, "[CLS] hello $ world [SEP]"); /* ASCII symbols count as punctuation */
    check_tokens(t, "", NULL, 0, "[CLS] [SEP]");
    check_tokens(t, "\u0130", NULL, 0, "[CLS] i [SEP]"); /* I with a dot: the dot is a mark */
    wfi_tokenizer_free(t);
    t = small_tokenizer("normalizer.lowercase", "false");
    check_tokens(t, "Hello hello h\u00e9llo", NULL, 0,
                 "[CLS] [UNK] hello [UNK] [SEP]"); /* accents stay where case stays */
    wfi_tokenizer_free(t);
    t = small_tokenizer("normalizer.strip_accents", "false");
    check_tokens(t, "H\u00c9LLO hello", NULL, 0, "[CLS] [UNK] hello [SEP]");
    wfi_tokenizer_free(t);
    t = small_tokenizer("normalizer.handle_chinese_chars", "false");
    check_tokens(t, "\u4e2d\u6587", NULL, 0, "[CLS] [UNK] [SEP]");
    wfi_tokenizer_free(t);
    t = small_tokenizer("normalizer.clean_text", "false");
    check_tokens(t, "hello\u200b", NULL, 0, "[CLS] [UNK] [SEP]");
    wfi_tokenizer_free(t);
}

static void test_word_pieces(void **state) {
    wf_tokenizer *t = small_tokenizer(NULL, NULL);
    check_tokens(t, "unaffable", NULL, 0, "[CLS] un ##aff ##able [SEP]");
    check_tokens(t, "unaffables", NULL, 0, "[CLS] un ##aff ##able ##s [SEP]");
    check_tokens(t, "unaffablex", NULL, 0, "[CLS] [UNK] [SEP]"); /* one piece is missing: the whole word is unknown */
    check_tokens(t, "worlds", NULL, 0, "[CLS] world ##s [SEP]");
    check_tokens(t, "s", NULL, 0, "[CLS] [UNK] [SEP]");       /* a continuation does not begin a word */
    check_tokens(t, "##s", NULL, 0, "[CLS] # # [UNK] [SEP]"); /* nor is its prefix special in a text */
    check_tokens(t, "abab", NULL, 0, "[CLS] aba ##b [SEP]");  /* the longest first, not the fewest */
    wfi_tokenizer_free(t);
}

static void test_word_length(void **state) {
    wf_tokenizer *t = small_tokenizer(NULL, NULL);
    wf_encoding e = {0};
    char text[512];
    for (size_t n = 99; n <= 102; n++) { /* in characters, not bytes; accents count where they stay */
        memset(text, 'a', n);
        check_ok(wfi_tokenizer_encode(t, text, n, NULL, 0, 0, &e, err));
        assert_int_equal(n <= 100 ? n + 2 : 3, e.count);
    }
    for (size_t i = 0; i < 100; i++) memcpy(text + 2 * i, "\u00e4", 2);
    check_ok(wfi_tokenizer_encode(t, text, 200, NULL, 0, 0, &e, err));
    assert_int_equal(102, e.count);
    wfi_tokenizer_free(t);
    t = small_tokenizer("model.max_input_chars_per_word", "3");
    check_tokens(t, "aaa aaaa", NULL, 0, "[CLS] a ##a ##a [UNK] [SEP]");
    wfi_tokenizer_free(t);
    wfi_encoding_clear(&e);
}

static void test_pairs_and_cuts(void **state) {
    wf_tokenizer *t = small_tokenizer(NULL, NULL);
    wf_encoding e = {0};
    check_tokens(t, "hello world", "world", 0, "[CLS] hello world [SEP] world [SEP]");
    check_tokens(t, "hello world", "", 0, "[CLS] hello world [SEP] [SEP]");
    check_tokens(t, "hello world", NULL, 3, "[CLS] hello [SEP]");
    check_tokens(t, "unaffable", NULL, 4, "[CLS] un ##aff [SEP]"); /* cuts go through words */
    check_tokens(t, "hello world hello", "world", 6, "[CLS] hello world [SEP] world [SEP]");
    check_tokens(t, "hello", "world hello world", 6, "[CLS] hello [SEP] world hello [SEP]");
    check_tokens(t, "hello world hello", "world hello world", 7, "[CLS] hello world [SEP] world hello [SEP]");
    check_tokens(t, "hello", "world", 3, "[CLS] [SEP] [SEP]");
    check_ok(wfi_tokenizer_encode(t, "hello world", 11, "hello", 5, 0, &e, err));
    const uint8_t types[] = {0, 0, 0, 0, 1, 1};
    assert_memory_equal(types, e.type_ids, sizeof types);
    wf_err wrong = {0};
    assert_int_equal(WF_E_ARG, wfi_tokenizer_encode(t, "hello", 5, "world", 5, 2, &e, &wrong));
    assert_non_null(strstr(wrong.text, "3 special tokens"));
    check_status(WF_E_ARG, wfi_tokenizer_encode(t, "hello", 5, NULL, 0, 1, &e, err));
    wfi_encoding_clear(&e);
    wfi_tokenizer_free(t);
}

static void test_special_tokens_in_text(void **state) {
    wf_tokenizer *t = small_tokenizer(NULL, NULL);
    check_tokens(t, "hello [MASK]world", NULL, 0, "[CLS] hello [MASK] world [SEP]");
    check_tokens(t, "[SEP][CLS]", NULL, 0, "[CLS] [SEP] [CLS] [SEP]");
    check_tokens(t, "[mask]", NULL, 0, "[CLS] [UNK] [UNK] [UNK] [SEP]"); /* as they stand, before lower case */
    wfi_tokenizer_free(t);
    t = small_tokenizer(
        "added_tokens",
        "[{\"id\": 23, \"content\": \"New One\", \"normalized\": true, \"special\": false, \"lstrip\": true},"
        " {\"id\": 24, \"content\": \"<x>\", \"normalized\": false, \"single_word\": true}]");
    assert_int_equal(25, wfi_tokenizer_vocab_size(t));
    check_tokens(t, "hello NEW one <x>!", NULL, 0, "[CLS] hello New One <x> ! [SEP]");
    check_tokens(t, "a<x>", NULL, 0, "[CLS] a [UNK] [UNK] [UNK] [SEP]"); /* single_word: not next to a letter */
    wfi_tokenizer_free(t);
}

static void test_places(void **state) {
    wf_tokenizer *t = small_tokenizer(NULL, NULL);
    wf_encoding e = {0};
    const char *text = "H\u00e9llo unaffable!";
    check_ok(wfi_tokenizer_encode(t, text, strlen(text), "\u4e2d world", 9, 0, &e, err));
    const int32_t starts[] = {0, 0, 7, 9, 12, 16, 0, 0, 4, 0}, ends[] = {0, 6, 9, 12, 16, 17, 0, 3, 9, 0};
    assert_int_equal(10, e.count);
    assert_memory_equal(starts, e.starts, sizeof starts);
    assert_memory_equal(ends, e.ends, sizeof ends);
    wfi_encoding_clear(&e);
    wfi_tokenizer_free(t);
}

static void test_bytes_that_are_no_text(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        int64_t at;
    } cases[] = {{"hello \xff", 7, 6},           {"\xc3", 1, 0},
                 {"ok\xc0\x80", 4, 2},           {"\xed\xa0\x80", 3, 0},
                 {"\xf4\x90\x80\x80", 4, 0},     {"0123456789\xe4\xb8", 12, 10},
                 {"\xf8\x88\x80\x80\x80", 5, 0}, {"\xe0\x80\xaf", 3, 0}};
    wf_tokenizer *t = small_tokenizer(NULL, NULL);
    wf_encoding e = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int second = 0; second < 2; second++) {
            wf_err err = {0};
            const wf_status st = second
                                     ? wfi_tokenizer_encode(t, "hello", 5, cases[i].bytes, cases[i].size, 0, &e, &err)
                                     : wfi_tokenizer_encode(t, cases[i].bytes, cases[i].size, NULL, 0, 0, &e, &err);
            assert_int_equal(WF_E_DATA, st);
            assert_int_equal(cases[i].at, err.offset);
            assert_non_null(strstr(err.text, second ? "second text" : "text"));
            assert_int_equal(0, e.count);
        }
    check_ok(wfi_tokenizer_encode(t, "a\0b", 3, NULL, 0, 0, &e, err)); /* NUL is a control character: it goes */
    assert_int_equal(3, e.count);
    wfi_encoding_clear(&e);
    wfi_tokenizer_free(t);
}

static void test_long_texts(void **state) {
    wf_tokenizer *t = small_tokenizer(NULL, NULL);
    wf_encoding e = {0};
    const size_t n = 3 << 20;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i += 6) memcpy(text + i, "hello ", 6);
    check_ok(wfi_tokenizer_encode(t, text, n, NULL, 0, 0, &e, err));
    assert_int_equal(n / 6 + 2, e.count);
    check_ok(wfi_tokenizer_encode(t, text, n, text, n, 128, &e, err));
    assert_int_equal(128, e.count);
    memset(text, 'x', n); /* one word of three million letters */
    check_ok(wfi_tokenizer_encode(t, text, n, NULL, 0, 0, &e, err));
    assert_int_equal(3, e.count);
    for (size_t i = 0; i < n; i += 2) memcpy(text + i, "\u0301", 2); /* and nothing but marks */
    check_ok(wfi_tokenizer_encode(t, text, n, NULL, 0, 0, &e, err));
    assert_int_equal(2, e.count);
    free(text);
    wfi_encoding_clear(&e);
    wfi_tokenizer_free(t);
}

static void test_getters(void **state) {
    wf_tokenizer *t = small_tokenizer(NULL, NULL);
    assert_int_equal(23, wfi_tokenizer_vocab_size(t));
    assert_string_equal("[PAD]", wfi_tokenizer_token(t, 0));
    assert_null(wfi_tokenizer_token(t, -1));
    assert_null(wfi_tokenizer_token(t, 23));
    assert_int_equal(64, strlen(wfi_tokenizer_hash(t)));
    wfi_tokenizer_free(t);
    wfi_tokenizer_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_preparation),
        cmocka_unit_test(test_word_pieces),
        cmocka_unit_test(test_word_length),
        cmocka_unit_test(test_pairs_and_cuts),
        cmocka_unit_test(test_special_tokens_in_text),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_getters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
