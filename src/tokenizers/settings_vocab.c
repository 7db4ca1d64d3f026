/* tokenizers/settings_vocab.c - the older form of a tokenizer: vocab.txt (one token a line, the line number is the id)
 * with tokenizer_config.json beside it, or alone for an uncased model; and opening a folder in either form. The result
 * is what transformers makes of them (BertTokenizerFast): the five special tokens are searched in the raw text, [CLS]
 * and [SEP] put around. Where both forms are there, tokenizer.json counts, and a tokenizer_config.json that says
 * otherwise is refused (transformers would let it overrule). */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tokenizers/internal.h"
#include <string.h>

enum { FILE_MAX = 256 << 20, SPECIALS = 5 };

/* Fills plan->texts and sizes from lines; a last line without line end counts. */
static wf_status read_lines(const char *vocab, size_t size, wf_plan *plan, wf_err *err) {
    size_t lines = size && vocab[size - 1] != '\n';
    for (size_t i = 0; i < size; i++) {
        lines += vocab[i] == '\n';
        if (!vocab[i])
            return wfi_fail_at(err, WF_E_DATA, plan->name, (int64_t)i, "%s: a NUL byte at offset %zu", plan->name, i);
    }
    if (!lines || lines > WFI_VOCAB_MAX)
        return wfi_fail_at(err, WF_E_DATA, plan->name, -1, "%s: the vocabulary has %zu tokens; 1 to %d are possible",
                           plan->name, lines, WFI_VOCAB_MAX);
    plan->texts = wfi_alloc(lines, sizeof *plan->texts);
    plan->sizes = wfi_alloc(lines, sizeof *plan->sizes);
    if (!plan->texts || !plan->sizes) return wfi_fail(err, WF_E_NOMEM, "out of memory for the vocabulary");
    plan->count = lines;
    for (size_t line = 0, at = 0; line < lines; line++) {
        const char *end = memchr(vocab + at, '\n', size - at);
        const size_t stop = end ? (size_t)(end - vocab) : size;
        plan->texts[line] = vocab + at;
        plan->sizes[line] = stop - at - (stop > at && vocab[stop - 1] == '\r');
        for (size_t i = at; i < stop;) {
            uint32_t cp;
            const size_t n = wfi_utf8_get((const unsigned char *)vocab + i, stop - i, &cp);
            if (!n)
                return wfi_fail_at(err, WF_E_DATA, plan->name, (int64_t)line + 1, "%s: line %zu is not UTF-8",
                                   plan->name, line + 1);
            i += n;
        }
        at = stop + 1;
    }
    return WF_OK;
}

static int64_t find_line(const wf_plan *plan, const char *text) {
    const size_t n = strlen(text);
    for (size_t i = 0; i < plan->count; i++)
        if (plan->sizes[i] == n && !memcmp(plan->texts[i], text, n)) return (int64_t)i;
    return -1;
}

/* The five special tokens; those that must be in the vocabulary are the ones the ids need. */
static wf_status plan_specials(wf_plan *plan, const wf_vocab_settings *s, wf_plan_added added[SPECIALS], wf_err *err) {
    const char *const texts[SPECIALS] = {s->pad, s->unk, s->cls, s->sep, s->mask};
    static const char *const names[SPECIALS] = {"pad_token", "unk_token", "cls_token", "sep_token", "mask_token"};
    plan->added = added;
    for (int i = 0; i < SPECIALS; i++) {
        const int64_t id = find_line(plan, texts[i]);
        if (id < 0)
            return wfi_fail_at(err, WF_E_DATA, names[i], -1, "%s: the %s \"%.80s\" is not in the vocabulary",
                               plan->name, names[i], texts[i]);
        bool twice = false;
        for (size_t k = 0; k < plan->added_count; k++) twice = twice || added[k].id == id;
        if (!twice) added[plan->added_count++] = (wf_plan_added){.text = texts[i], .id = id, .special = true};
    }
    wfi_bert_templates(plan, (int32_t)find_line(plan, s->cls), (int32_t)find_line(plan, s->sep));
    return WF_OK;
}

wf_status wfi_settings_vocab(const char *vocab, size_t size, const char *name, const wf_vocab_settings *s,
                             wf_tokenizer **out, wf_err *err) {
    wf_plan_added added[SPECIALS];
    wf_plan plan = {.name = name,
                    .clean_text = true,
                    .handle_chinese = s->handle_chinese,
                    .strip_accents = s->strip_accents,
                    .lowercase = s->lowercase,
                    .prefix = "##",
                    .unk = s->unk,
                    .max_chars = 100};
    wf_status st = read_lines(vocab, size, &plan, err);
    if (st == WF_OK) st = plan_specials(&plan, s, added, err);
    if (st == WF_OK) st = wfi_tokenizer_build(&plan, out, err);
    wfi_free(plan.texts);
    wfi_free(plan.sizes);
    return st;
}

static wf_status unsupported(wf_err *err, const char *name, const char *field) {
    return wfi_fail_at(err, WF_E_UNSUPPORTED, field, -1,
                       "%s: this setting of %s is not supported; a tokenizer.json may say it", name, field);
}

/* Special tokens are taken from the text as they stand: no flag that widens or narrows the search. */
static wf_status plain_token(const json_t *token, const char *field, const char *name, wf_err *err) {
    static const char *const flags[] = {"lstrip", "rstrip", "single_word", "normalized", NULL};
    for (size_t i = 0; flags[i]; i++) {
        bool on = false;
        WF_TRY(wfi_json_bool_or(token, flags[i], name, false, &on, err));
        if (on)
            return wfi_fail_at(err, WF_E_UNSUPPORTED, field, -1,
                               "%s: %s with %s is not supported; a tokenizer.json may say it", name, field, flags[i]);
    }
    return WF_OK;
}

/* A special token of tokenizer_config.json: a text, or an object with "content". */
static wf_status read_special(const json_t *config, const char *field, const char *name, const char **out,
                              wf_err *err) {
    const json_t *v = json_object_get(config, field);
    if (!v || json_is_null(v)) return WF_OK;
    if (!json_is_object(v)) return wfi_json_str(config, field, name, out, err);
    WF_TRY(plain_token(v, field, name, err));
    return wfi_json_str(v, "content", name, out, err);
}

/* {"0": {"content": "[PAD]", ...}, ...}: may repeat the five special tokens, add none. */
static wf_status check_decoder(const json_t *config, const char *name, const wf_vocab_settings *s, wf_err *err) {
    const char *const ours[SPECIALS] = {s->pad, s->unk, s->cls, s->sep, s->mask}, *field = "added_tokens_decoder", *id;
    json_t *token, *all = json_object_get(config, field);
    if (all && !json_is_null(all) && !json_is_object(all))
        return wfi_fail_at(err, WF_E_DATA, field, -1, "%s: %s must be an object", name, field);
    json_object_foreach(all, id, token) {
        const char *content = NULL;
        bool known = false;
        WF_TRY(wfi_json_str(token, "content", name, &content, err));
        WF_TRY(plain_token(token, field, name, err));
        for (int i = 0; i < SPECIALS; i++) known = known || !strcmp(content, ours[i]);
        if (!known)
            return wfi_fail_at(err, WF_E_UNSUPPORTED, field, -1,
                               "%s: the added token \"%.80s\" is not supported; a tokenizer.json may have it", name,
                               content);
    }
    return WF_OK;
}

/* Settings that change ids and that only a tokenizer.json can have here. */
static wf_status check_others(const json_t *config, const char *name, const wf_vocab_settings *s, wf_err *err) {
    const char *prefix = json_string_value(json_object_get(config, "wordpieces_prefix")),
               *side = json_string_value(json_object_get(config, "truncation_side"));
    bool on = true;
    WF_TRY(wfi_json_bool_or(config, "do_basic_tokenize", name, true, &on, err));
    if (!on) return unsupported(err, name, "do_basic_tokenize");
    WF_TRY(wfi_json_bool_or(config, "clean_text", name, true, &on, err));
    if (!on) return unsupported(err, name, "clean_text");
    if (json_array_size(json_object_get(config, "never_split"))) return unsupported(err, name, "never_split");
    if (json_array_size(json_object_get(config, "additional_special_tokens")))
        return unsupported(err, name, "additional_special_tokens");
    if (prefix && strcmp(prefix, "##")) return unsupported(err, name, "wordpieces_prefix");
    if (side && strcmp(side, "right")) return unsupported(err, name, "truncation_side");
    return check_decoder(config, name, s, err);
}

static wf_status read_config(const json_t *config, const char *name, wf_vocab_settings *s, wf_err *err) {
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    if (!json_is_object(config)) return wfi_fail_at(err, WF_E_DATA, name, -1, "%s: must be a JSON object", name);
    if (class && strcmp(class, "BertTokenizer") && strcmp(class, "BertTokenizerFast"))
        return wfi_fail_at(err, WF_E_UNSUPPORTED, "tokenizer_class", -1,
                           "%s: tokenizer_class \"%.80s\" is not supported; BertTokenizer is", name, class);
    WF_TRY(wfi_json_bool_or(config, "do_lower_case", name, true, &s->lowercase, err));
    WF_TRY(wfi_json_bool_or(config, "strip_accents", name, s->lowercase, &s->strip_accents, err));
    WF_TRY(wfi_json_bool_or(config, "tokenize_chinese_chars", name, true, &s->handle_chinese, err));
    WF_TRY(read_special(config, "unk_token", name, &s->unk, err));
    WF_TRY(read_special(config, "cls_token", name, &s->cls, err));
    WF_TRY(read_special(config, "sep_token", name, &s->sep, err));
    WF_TRY(read_special(config, "pad_token", name, &s->pad, err));
    WF_TRY(read_special(config, "mask_token", name, &s->mask, err));
    return check_others(config, name, s, err);
}

static wf_vocab_settings settings_default(bool lower_case) {
    return (wf_vocab_settings){lower_case, lower_case, true, "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};
}

wf_status wfi_tokenizer_parse_json(const char *json, size_t size, const char *name, wf_tokenizer **out, wf_err *err) {
    return wfi_settings_json(json, size, name, out, err);
}

wf_status wfi_tokenizer_parse_vocab(const char *vocab, size_t size, const char *name, int lower_case,
                                    wf_tokenizer **out, wf_err *err) {
    const wf_vocab_settings s = settings_default(lower_case != 0);
    return wfi_settings_vocab(vocab, size, name, &s, out, err);
}

/* A vocabulary alone: transformers takes the settings of an uncased model then, under which a token with a capital
 * letter (but the special ones) would never be met. */
static wf_status check_uncased(const char *vocab, size_t size, const char *path, wf_err *err) {
    int64_t line = 1;
    for (size_t i = 0, n; i < size; i += n + 1, line++) {
        const char *end = memchr(vocab + i, '\n', size - i);
        n = end ? (size_t)(end - vocab) - i : size - i;
        for (size_t k = 0; vocab[i] != '[' && k < n; k++)
            if (vocab[i + k] >= 'A' && vocab[i + k] <= 'Z')
                return wfi_fail_at(err, WF_E_DATA, path, line,
                                   "%s:%lld: \"%.*s\" has a capital letter, so it is not of an uncased model; put a "
                                   "tokenizer_config.json with \"do_lower_case\": false beside it",
                                   path, (long long)line, (int)(n > 60 ? 60 : n), vocab + i);
    }
    return WF_OK;
}

/* config_path may be absent. */
static wf_status open_vocab(const char *path, const char *config_path, wf_tokenizer **out, wf_err *err) {
    wf_vocab_settings s = settings_default(true);
    json_t *config = NULL;
    wf_map map = {0};
    const bool alone = !wfi_file_exists(config_path);
    wf_status st = alone ? WF_OK : wfi_json_read(config_path, FILE_MAX, &config, err);
    if (config) st = read_config(config, config_path, &s, err);
    if (st == WF_OK) st = wfi_file_map(path, &map, err);
    if (st == WF_OK && alone) st = check_uncased((const char *)map.data, map.size, path, err);
    if (st == WF_OK) st = wfi_settings_vocab((const char *)map.data, map.size, path, &s, out, err);
    wfi_file_unmap(&map);
    json_decref(config);
    return st;
}

/* tokenizer_config.json beside tokenizer.json: what it says about the text's preparation must be the same. */
static wf_status config_agrees(const wf_tokenizer *t, const char *path, wf_err *err) {
    const struct {
        const char *field;
        bool has;
    } said[] = {{"do_lower_case", t->lowercase},
                {"strip_accents", t->strip_accents},
                {"tokenize_chinese_chars", t->handle_chinese}};
    json_t *config = NULL;
    if (!wfi_file_exists(path)) return WF_OK;
    WF_TRY(wfi_json_read(path, FILE_MAX, &config, err));
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < sizeof said / sizeof *said; i++) {
        bool wants = said[i].has;
        st = wfi_json_bool_or(config, said[i].field, path, wants, &wants, err);
        if (st == WF_OK && wants != said[i].has)
            st = wfi_fail_at(err, WF_E_DATA, said[i].field, -1,
                             "%s: %s is %s, but tokenizer.json beside it says otherwise; make them agree", path,
                             said[i].field, wants ? "true" : "false");
    }
    json_decref(config);
    return st;
}

static wf_status open_json(const char *path, const char *config_path, wf_tokenizer **out, wf_err *err) {
    wf_tokenizer *t = NULL;
    wf_map map = {0};
    WF_TRY(wfi_file_map(path, &map, err));
    wf_status st = wfi_settings_json((const char *)map.data, map.size, path, &t, err);
    wfi_file_unmap(&map);
    if (st == WF_OK) st = config_agrees(t, config_path, err);
    if (st == WF_OK)
        *out = t;
    else
        wfi_tokenizer_free(t);
    return st;
}

wf_status wfi_tokenizer_open(const char *dir, wf_tokenizer **out, wf_err *err) {
    char *json = wfi_path_join(dir, "tokenizer.json"), *vocab = wfi_path_join(dir, "vocab.txt");
    char *config = wfi_path_join(dir, "tokenizer_config.json");
    wf_status st = WF_OK;
    if (!json || !vocab || !config) {
        st = wfi_fail(err, WF_E_NOMEM, "out of memory for the paths of %.200s", dir);
    } else if (wfi_file_exists(json)) {
        st = open_json(json, config, out, err);
    } else if (!wfi_file_exists(vocab)) {
        st = wfi_fail_at(err, WF_E_NOTFOUND, dir, -1, "%.300s has neither tokenizer.json nor vocab.txt", dir);
    } else {
        st = open_vocab(vocab, config, out, err);
    }
    wfi_free(json);
    wfi_free(vocab);
    wfi_free(config);
    return st;
}
