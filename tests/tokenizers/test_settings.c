/* tests/tokenizers/test_settings.c - every field of tokenizer.json, vocab.txt and tokenizer_config.json is honoured or
 * refused by name. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "small.h"

/* One field changed: the status, and a word of the message. */
static const struct {
    const char *path, *value;
    wf_status want;
    const char *says;
} EDITS[] = {
    {"version", "\"2.0\"", WF_E_UNSUPPORTED, "version"},
    {"version", NULL, WF_E_DATA, "version"},
    {"surprise", "1", WF_E_UNSUPPORTED, "surprise"},
    {"truncation", "{\"max_length\": 12, \"strategy\": \"LongestFirst\", \"stride\": 0}", WF_OK, NULL},
    {"truncation", "{\"max_length\": 12, \"strategy\": \"OnlyFirst\"}", WF_E_UNSUPPORTED, "OnlyFirst"},
    {"truncation", "{\"max_length\": 12, \"direction\": \"Left\"}", WF_E_UNSUPPORTED, "Left"},
    {"truncation", "{\"max_width\": 12}", WF_E_UNSUPPORTED, "max_width"},
    {"truncation", "3", WF_E_DATA, "truncation"},
    {"padding", "{\"strategy\": \"BatchLongest\"}", WF_OK, NULL},
    {"decoder", "null", WF_OK, NULL},
    {"normalizer", "null", WF_E_UNSUPPORTED, "BertNormalizer"},
    {"normalizer", "[]", WF_E_DATA, "normalizer"},
    {"normalizer.type", "\"Lowercase\"", WF_E_UNSUPPORTED, "Lowercase"},
    {"normalizer.lowercase", "\"yes\"", WF_E_DATA, "lowercase"},
    {"normalizer.surprise", "1", WF_E_UNSUPPORTED, "surprise"},
    {"pre_tokenizer.type", "\"Whitespace\"", WF_E_UNSUPPORTED, "Whitespace"},
    {"pre_tokenizer", NULL, WF_E_UNSUPPORTED, "pre_tokenizer"},
    {"model.type", "\"BPE\"", WF_E_UNSUPPORTED, "BPE"},
    {"model.unk_token", "\"nothing\"", WF_E_DATA, "nothing"},
    {"model.unk_token", NULL, WF_E_DATA, "unk_token"},
    {"model.continuing_subword_prefix", "\"01234567890123456\"", WF_E_UNSUPPORTED, "prefix"},
    {"model.continuing_subword_prefix", "7", WF_E_DATA, "continuing_subword_prefix"},
    {"model.max_input_chars_per_word", "0", WF_E_UNSUPPORTED, "max_input_chars_per_word"},
    {"model.max_input_chars_per_word", "1000", WF_OK, NULL},
    {"model.max_input_chars_per_word", "1001", WF_E_UNSUPPORTED, "max_input_chars_per_word"},
    {"model.max_input_chars_per_word", "-1", WF_E_DATA, "max_input_chars_per_word"},
    {"model.vocab", "{}", WF_E_DATA, "vocabulary"},
    {"model.vocab", "[]", WF_E_DATA, "vocab"},
    {"model.vocab.hello", "99", WF_E_DATA, "hello"},
    {"model.vocab.hello", "6", WF_E_DATA, "world"},
    {"model.vocab.hello", "1.5", WF_E_DATA, "hello"},
    {"model.vocab.", "23", WF_E_DATA, "empty"},
    {"model.dropout", "0.1", WF_E_UNSUPPORTED, "dropout"},
    {"added_tokens", "null", WF_OK, NULL},
    {"added_tokens", "{}", WF_E_DATA, "added_tokens"},
    {"added_tokens.0", "3", WF_E_DATA, "added_tokens"},
    {"added_tokens.0.content", "\"\"", WF_E_DATA, "empty"},
    {"added_tokens.0.content", "\"elsewhere\"", WF_E_DATA, "elsewhere"},
    {"added_tokens.0.id", "7", WF_E_DATA, "[PAD]"},
    {"added_tokens.0.id", "-7", WF_E_DATA, "id"},
    {"added_tokens.0.surprise", "7", WF_E_UNSUPPORTED, "surprise"},
    {"added_tokens.1", "{\"id\": 0, \"content\": \"[PAD]\"}", WF_E_DATA, "twice"},
    {"added_tokens.0", "{\"id\": 23, \"content\": \"\\u0301\", \"normalized\": true}", WF_E_UNSUPPORTED,
     "empty after normalisation"},
    {"post_processor", "null", WF_E_UNSUPPORTED, "post_processor"},
    {"post_processor", "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 2]}", WF_OK, NULL},
    {"post_processor", "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\"]}", WF_E_DATA,
     "cls"},
    {"post_processor", "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 300], \"cls\": [\"[CLS]\", 2]}", WF_E_DATA,
     "300"},
    {"post_processor.type", "\"RobertaProcessing\"", WF_E_UNSUPPORTED, "RobertaProcessing"},
    {"post_processor.single", "[]", WF_E_UNSUPPORTED, "single"},
    {"post_processor.single", "7", WF_E_DATA, "single"},
    {"post_processor.single.1", "{\"Sequence\": {\"id\": \"C\", \"type_id\": 0}}", WF_E_UNSUPPORTED, "C"},
    {"post_processor.single.1", "{\"Sequence\": {\"id\": \"B\", \"type_id\": 0}}", WF_E_UNSUPPORTED, "single"},
    {"post_processor.single.1", "{\"Sequence\": {\"id\": \"A\", \"type_id\": 2}}", WF_E_UNSUPPORTED, "type_id"},
    {"post_processor.single.0", "{\"SpecialToken\": {\"id\": \"[NONE]\", \"type_id\": 0}}", WF_E_DATA, "[NONE]"},
    {"post_processor.single.0", "{}", WF_E_DATA, "piece"},
    {"post_processor.special_tokens.[CLS].ids", "[99]", WF_E_DATA, "99"},
    {"post_processor.special_tokens.[CLS].ids", "[2, 2, 2, 2, 2, 2, 2, 2]", WF_E_UNSUPPORTED, "8 pieces"},
    {"post_processor.special_tokens.[CLS].ids", "[\"x\"]", WF_E_DATA, "integers"},
    {"post_processor.special_tokens", "[]", WF_E_DATA, "special_tokens"},
};

static void test_fields_of_tokenizer_json(void **state) {
    for (size_t i = 0; i < sizeof EDITS / sizeof *EDITS; i++) {
        json_t *top = small_object();
        wf_tokenizer *t = NULL;
        wf_err err = {0};
        small_edit(top, EDITS[i].path, EDITS[i].value);
        const wf_status st = small_build(top, &t, &err);
        json_decref(top);
        if (st != EDITS[i].want)
            fail_msg("%s = %s gives %d (%s), wanted %d", EDITS[i].path, EDITS[i].value ? EDITS[i].value : "absent", st,
                     err.text, EDITS[i].want);
        if (EDITS[i].says && !strstr(err.text, EDITS[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", EDITS[i].path, err.text, EDITS[i].says);
        if (st != WF_OK) assert_null(t);
        if (st != WF_OK) assert_non_null(strstr(err.text, "tokenizer.json")); /* names the file */
        wfi_tokenizer_free(t);
    }
}

/* ---- vocab.txt ---- */

static wf_buffer lines(void) {
    wf_buffer b = {0};
    for (int i = 0; i < SMALL_COUNT; i++) wfi_buffer_printf(&b, "%s\n", SMALL_TOKENS[i]);
    return b;
}

static void test_both_forms_agree(void **state) {
    wf_buffer b = lines();
    wf_tokenizer *json = small_tokenizer(NULL, NULL), *vocab = NULL, *cased = NULL, *windows = NULL;
    check_ok(wfi_tokenizer_parse_vocab(b.data, b.len, "vocab.txt", 1, &vocab, err));
    assert_string_equal(wfi_tokenizer_hash(json), wfi_tokenizer_hash(vocab));
    check_ok(wfi_tokenizer_parse_vocab(b.data, b.len - 1, "vocab.txt", 0, &cased,
                                       err)); /* no line end at the end of the file */
    assert_int_equal(SMALL_COUNT, wfi_tokenizer_vocab_size(cased));
    assert_string_not_equal(wfi_tokenizer_hash(json), wfi_tokenizer_hash(cased));
    wf_buffer crlf = {0};
    for (int i = 0; i < SMALL_COUNT; i++) wfi_buffer_printf(&crlf, "%s\r\n", SMALL_TOKENS[i]);
    check_ok(wfi_tokenizer_parse_vocab(crlf.data, crlf.len, "vocab.txt", 1, &windows, err));
    assert_string_equal(wfi_tokenizer_hash(json), wfi_tokenizer_hash(windows));
    wf_tokenizer *t[] = {json, vocab, cased, windows};
    for (int i = 0; i < 4; i++) wfi_tokenizer_free(t[i]);
    wfi_buffer_clear(&b);
    wfi_buffer_clear(&crlf);
}

static void test_hash_covers_every_setting(void **state) {
    static const struct {
        const char *path, *value;
        bool changes;
    } edits[] = {{"normalizer.clean_text", "false", true},
                 {"normalizer.handle_chinese_chars", "false", true},
                 {"normalizer.strip_accents", "false", true},
                 {"normalizer.strip_accents", "true", false},
                 {"normalizer.lowercase", "false", true},
                 {"model.max_input_chars_per_word", "99", true},
                 {"model.continuing_subword_prefix", "\"#\"", true},
                 {"model.unk_token", "\"a\"", true},
                 {"model.vocab.more", "23", true},
                 {"added_tokens", "null", true},
                 {"added_tokens.4.lstrip", "true", true},
                 {"added_tokens.4.normalized", "true", true},
                 {"padding", "{}", false},
                 {"decoder", "null", false},
                 {"post_processor.special_tokens.[SEP].ids", "[4]", true},
                 {"post_processor.pair.3.Sequence.type_id", "0", true}};
    wf_tokenizer *plain = small_tokenizer(NULL, NULL);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        wf_tokenizer *t = small_tokenizer(edits[i].path, edits[i].value);
        if ((strcmp(wfi_tokenizer_hash(plain), wfi_tokenizer_hash(t)) != 0) != edits[i].changes)
            fail_msg("%s = %s: the hash %s", edits[i].path, edits[i].value, edits[i].changes ? "stays" : "changes");
        wfi_tokenizer_free(t);
    }
    wfi_tokenizer_free(plain);
}

static void test_bad_vocab_files(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {{"", "0 tokens"},
                 {"[PAD]\n", "unk_token"},
                 {"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\na\n", "twice"},
                 {"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\nb\n", "empty"},
                 {"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\xff\n", "line 6"},
                 {"[PAD]\n[UNK]\n[CLS]\n[SEP]\n", "mask_token"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wf_tokenizer *t = NULL;
        wf_err err = {0};
        assert_int_equal(WF_E_DATA,
                         wfi_tokenizer_parse_vocab(cases[i].text, strlen(cases[i].text), "vocab.txt", 1, &t, &err));
        if (!strstr(err.text, cases[i].says)) fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
    }
    wf_tokenizer *t = NULL;
    check_status(WF_E_DATA, wfi_tokenizer_parse_vocab("[PAD]\n\0\n", 8, "vocab.txt", 1, &t, err));
}

/* ---- folders ---- */

static char dir[256];

static void put(const char *name, const char *text, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (text)
        check_ok(wfi_file_write(path, text, size, err));
    else
        check_ok(wfi_tree_remove(path, err));
}

static void config(const char *text) {
    put("tokenizer_config.json", text, text ? strlen(text) : 0);
}

static int folder_setup(void **state) {
    strcpy(dir, check_temp_dir());
    wf_buffer b = lines();
    put("vocab.txt", b.data, b.len);
    wfi_buffer_clear(&b);
    return 0;
}

static int folder_teardown(void **state) {
    check_ok(wfi_tree_remove(dir, err));
    return 0;
}

static void test_fields_of_tokenizer_config(void **state) {
    static const struct {
        const char *text;
        wf_status want;
        const char *says;
    } cases[] = {
        {"{}", WF_OK, NULL},
        {"{\"do_lower_case\": true, \"model_max_length\": 512, \"name_or_path\": \"x\", \"padding_side\": \"left\"}",
         WF_OK, NULL},
        {"{\"never_split\": null, \"strip_accents\": null, \"clean_text\": true, \"wordpieces_prefix\": \"##\", "
         "\"truncation_side\": \"right\"}",
         WF_OK, NULL},
        {"{\"mask_token\": {\"content\": \"[MASK]\", \"lstrip\": false}, \"added_tokens_decoder\": {\"0\": "
         "{\"content\": \"[PAD]\", \"special\": true}}}",
         WF_OK, NULL},
        {"{\"mask_token\": {\"content\": \"[MASK]\", \"lstrip\": true}}", WF_E_UNSUPPORTED, "mask_token"},
        {"{\"mask_token\": {\"lstrip\": false}}", WF_E_DATA, "content"},
        {"{\"mask_token\": 7}", WF_E_DATA, "mask_token"},
        {"{\"cls_token\": \"<s>\"}", WF_E_DATA, "<s>"},
        {"{\"do_lower_case\": \"yes\"}", WF_E_DATA, "do_lower_case"},
        {"{\"do_basic_tokenize\": false}", WF_E_UNSUPPORTED, "do_basic_tokenize"},
        {"{\"clean_text\": false}", WF_E_UNSUPPORTED, "clean_text"},
        {"{\"never_split\": [\"x\"]}", WF_E_UNSUPPORTED, "never_split"},
        {"{\"additional_special_tokens\": [\"<x>\"]}", WF_E_UNSUPPORTED, "additional_special_tokens"},
        {"{\"wordpieces_prefix\": \"@@\"}", WF_E_UNSUPPORTED, "wordpieces_prefix"},
        {"{\"truncation_side\": \"left\"}", WF_E_UNSUPPORTED, "truncation_side"},
        {"{\"added_tokens_decoder\": {\"9\": {\"content\": \"<x>\"}}}", WF_E_UNSUPPORTED, "<x>"},
        {"{\"added_tokens_decoder\": [3]}", WF_E_DATA, "added_tokens_decoder"},
        {"{\"tokenizer_class\": \"BertTokenizerFast\"}", WF_OK, NULL},
        {"{\"tokenizer_class\": \"RobertaTokenizer\"}", WF_E_UNSUPPORTED, "RobertaTokenizer"},
        {"[]", WF_E_DATA, "object"},
        {"{", WF_E_DATA, "line 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wf_tokenizer *t = NULL;
        wf_err err = {0};
        config(cases[i].text);
        const wf_status st = wfi_tokenizer_open(dir, &t, &err);
        if (st != cases[i].want) fail_msg("%s gives %d (%s), wanted %d", cases[i].text, st, err.text, cases[i].want);
        if (cases[i].says && !strstr(err.text, cases[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, err.text, cases[i].says);
        wfi_tokenizer_free(t);
    }
}

static void check_folder(const char *settings, const char *path, const char *value) {
    wf_tokenizer *t = NULL, *want = small_tokenizer(path, value);
    config(settings);
    check_ok(wfi_tokenizer_open(dir, &t, err));
    assert_string_equal(wfi_tokenizer_hash(want), wfi_tokenizer_hash(t));
    wfi_tokenizer_free(t);
    wfi_tokenizer_free(want);
}

static void test_settings_of_tokenizer_config_work(void **state) {
    check_folder("{\"do_lower_case\": true}", NULL, NULL);
    check_folder("{\"do_lower_case\": false}", "normalizer.lowercase", "false");
    check_folder("{\"strip_accents\": false}", "normalizer.strip_accents", "false");
    check_folder("{\"tokenize_chinese_chars\": false}", "normalizer.handle_chinese_chars", "false");
}

static void test_folders(void **state) {
    wf_tokenizer *t = NULL, *small = small_tokenizer(NULL, NULL);
    wf_err wrong = {0};
    config(NULL); /* a vocabulary alone is an uncased model's */
    check_ok(wfi_tokenizer_open(dir, &t, err));
    assert_string_equal(wfi_tokenizer_hash(small), wfi_tokenizer_hash(t));
    wfi_tokenizer_free(t);
    t = NULL;
    put("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##aB\n", 39);
    assert_int_equal(WF_E_DATA, wfi_tokenizer_open(dir, &t, &wrong));
    assert_non_null(strstr(wrong.text, "vocab.txt:7: \"##aB\" has a capital letter"));
    assert_non_null(strstr(wrong.text, "tokenizer_config.json"));
    assert_null(t);
    json_t *top = small_object();
    char *text = wfi_json_text(top, false);
    put("tokenizer.json", text, strlen(text));
    put("vocab.txt", "other\n", 6); /* not looked at */
    check_ok(wfi_tokenizer_open(dir, &t, err));
    assert_string_equal(wfi_tokenizer_hash(small), wfi_tokenizer_hash(t));
    wfi_tokenizer_free(t);
    t = NULL;
    config("{\"do_lower_case\": true, \"strip_accents\": null}");
    check_ok(wfi_tokenizer_open(dir, &t, err));
    wfi_tokenizer_free(t);
    t = NULL;
    config("{\"do_lower_case\": false}"); /* the two files disagree */
    assert_int_equal(WF_E_DATA, wfi_tokenizer_open(dir, &t, &wrong));
    assert_string_equal("do_lower_case", wrong.subject);
    put("tokenizer.json", NULL, 0);
    put("vocab.txt", NULL, 0);
    assert_int_equal(WF_E_NOTFOUND, wfi_tokenizer_open(dir, &t, &wrong));
    assert_null(t);
    wfi_free(text);
    json_decref(top);
    wfi_tokenizer_free(small);
}

/* ---- memory ---- */

static void test_every_allocation_may_fail(void **state) {
    json_t *top = small_object();
    small_edit(top, "added_tokens.4.normalized", "true"); /* the way with the most allocations */
    char *text = wfi_json_text(top, false);
    wf_status st = WF_E_NOMEM;
    wf_encoding e = {0};
    long n = 0;
    while (st != WF_OK) {
        wf_tokenizer *t = NULL;
        wf_err err = {0};
        wfi_alloc_fail_at(++n);
        st = wfi_tokenizer_parse_json(text, strlen(text), "tokenizer.json", &t, &err);
        if (st == WF_OK) st = wfi_tokenizer_encode(t, "Hello [MASK] world", 18, "un \u00e9", 5, 0, &e, &err);
        wfi_alloc_fail_at(0);
        wfi_tokenizer_free(t);
        wfi_encoding_clear(&e);
        if (st != WF_OK) assert_int_equal(WF_E_NOMEM, st);
        if (st != WF_OK) assert_true(err.text[0]);
    }
    assert_in_range(n, 10, 1000);
    wfi_free(text);
    json_decref(top);
    put("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n", 33);
    config("{\"do_lower_case\": true}");
    for (st = WF_E_NOMEM, n = 0; st != WF_OK;) {
        wf_tokenizer *t = NULL;
        wf_err err = {0};
        wfi_alloc_fail_at(++n);
        st = wfi_tokenizer_open(dir, &t, &err);
        wfi_alloc_fail_at(0);
        wfi_tokenizer_free(t);
        if (st != WF_OK) assert_int_equal(WF_E_NOMEM, st);
    }
    assert_in_range(n, 10, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_of_tokenizer_json),
        cmocka_unit_test(test_both_forms_agree),
        cmocka_unit_test(test_hash_covers_every_setting),
        cmocka_unit_test(test_bad_vocab_files),
        cmocka_unit_test_setup_teardown(test_fields_of_tokenizer_config, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_settings_of_tokenizer_config_work, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_folders, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_every_allocation_may_fail, folder_setup, folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
