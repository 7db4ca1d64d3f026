/* tests/tokenizers/small.h - a tokenizer of 23 tokens, with one setting changed on demand. */
#ifndef WF_TESTS_TOKENIZER_SMALL_H
#define WF_TESTS_TOKENIZER_SMALL_H
#include "base/alloc.h"
#include "base/json.h"
#include "check.h"
#include "tokenizers/tokenizer.h"

static const char *const SMALL_TOKENS[] = {"[PAD]",  "[UNK]", "[CLS]",  "[SEP]", "[MASK]", "hello", "world", "##s",
                                           "un",     "##aff", "##able", ",",     "!",      "#",     "$",     "\u4e2d",
                                           "\u6587", "a",     "##a",    "##b",   "aba",    "i",     "ab"};
enum { SMALL_COUNT = sizeof SMALL_TOKENS / sizeof *SMALL_TOKENS };

static inline json_t *small_special(const char *name, int type) {
    return json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", name, "type_id", type);
}
static inline json_t *small_sequence(const char *name, int type) {
    return json_pack("{s:{s:s, s:i}}", "Sequence", "id", name, "type_id", type);
}

/* tokenizer.json as an object. */
static inline json_t *small_object(void) {
    json_t *vocab = json_object(), *added = json_array();
    for (int i = 0; i < SMALL_COUNT; i++) json_object_set_new(vocab, SMALL_TOKENS[i], json_integer(i));
    for (int i = 0; i < 5; i++)
        json_array_append_new(added,
                              json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", i, "content", SMALL_TOKENS[i],
                                        "special", 1, "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0));
    json_t *single =
        json_pack("[o, o, o]", small_special("[CLS]", 0), small_sequence("A", 0), small_special("[SEP]", 0));
    json_t *pair = json_pack("[o, o, o, o, o]", small_special("[CLS]", 0), small_sequence("A", 0),
                             small_special("[SEP]", 0), small_sequence("B", 1), small_special("[SEP]", 1));
    json_t *specials = json_pack("{s:{s:s, s:[i], s:[s]}, s:{s:s, s:[i], s:[s]}}", "[CLS]", "id", "[CLS]", "ids", 2,
                                 "tokens", "[CLS]", "[SEP]", "id", "[SEP]", "ids", 3, "tokens", "[SEP]");
    json_t *post = json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair", pair,
                             "special_tokens", specials);
    json_t *model = json_pack("{s:s, s:s, s:s, s:i, s:o}", "type", "WordPiece", "unk_token", "[UNK]",
                              "continuing_subword_prefix", "##", "max_input_chars_per_word", 100, "vocab", vocab);
    json_t *normalizer = json_pack("{s:s, s:b, s:b, s:n, s:b}", "type", "BertNormalizer", "clean_text", 1,
                                   "handle_chinese_chars", 1, "strip_accents", "lowercase", 1);
    json_t *top = json_pack("{s:s, s:n, s:n, s:o, s:o, s:{s:s}, s:o, s:{s:s}, s:o}", "version", "1.0", "truncation",
                            "padding", "added_tokens", added, "normalizer", normalizer, "pre_tokenizer", "type",
                            "BertPreTokenizer", "post_processor", post, "decoder", "type", "WordPiece", "model", model);
    assert_non_null(top);
    return top;
}

/* path: "field.field" of objects (or list indices); text: JSON, NULL takes the field away. */
static inline void small_edit(json_t *top, const char *path, const char *text) {
    char name[64];
    json_t *at = top;
    const char *dot;
    for (; (dot = strchr(path, '.')); path = dot + 1) {
        snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
        at = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10)) : json_object_get(at, name);
        assert_non_null(at);
    }
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    if (text) assert_non_null(value);
    if (!text)
        assert_int_equal(0, json_object_del(at, path));
    else if (json_is_array(at))
        assert_int_equal(0, json_array_set_new(at, strtoul(path, NULL, 10), value));
    else
        assert_int_equal(0, json_object_set_new(at, path, value));
}

static inline wf_status small_build(json_t *top, wf_tokenizer **out, wf_err *err) {
    char *text = wfi_json_text(top, false);
    const wf_status st = wfi_tokenizer_parse_json(text, strlen(text), "tokenizer.json", out, err);
    wfi_free(text);
    return st;
}

static inline wf_tokenizer *small_tokenizer(const char *path, const char *text) {
    wf_tokenizer *t = NULL;
    json_t *top = small_object();
    if (path) small_edit(top, path, text);
    check_ok(small_build(top, &t, err));
    json_decref(top);
    return t;
}
#endif
