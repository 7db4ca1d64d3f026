/* tokenizers/settings.c - reads tokenizer.json (the `tokenizers` library's format, version 1.0). It accepts BERT's
 * WordPiece and nothing else: every other setting is WF_E_UNSUPPORTED with its name. Padding and decoder do not matter
 * here and are passed over, and so is the stored length of truncation: callers say theirs. The vocab.txt form is read
 * in settings_vocab.c. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "tokenizers/internal.h"
#include <string.h>

static wf_status unsupported(wf_err *err, const char *name, const char *field, const char *what, const char *want) {
    return wfi_fail_at(err, WF_E_UNSUPPORTED, field, -1, "%s: %s \"%.80s\" is not supported; %s", name, field, what,
                       want);
}

/* The getters of base/json.h say which part of the file; this puts the file in front. */
static wf_status named(wf_status st, const char *name, wf_err *err) {
    return st == WF_OK ? st : wfi_fail_in(err, st, "%s", name);
}

/* Every key of the object must be in the NULL-terminated list. */
static wf_status only_keys(const json_t *object, const char *name, const char *field, const char *const *known,
                           wf_err *err) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key)) i++;
        if (!known[i])
            return wfi_fail_at(err, WF_E_UNSUPPORTED, key, -1, "%s: the setting \"%.80s\" in %s is not supported", name,
                               key, field);
    }
    return WF_OK;
}

/* An object whose "type" is `type` and whose keys are known. */
static wf_status typed(const json_t *top, const char *name, const char *field, const char *type,
                       const char *const *known, const json_t **out, wf_err *err) {
    const json_t *object = json_object_get(top, field);
    const char *is = NULL;
    if (!object || json_is_null(object)) return unsupported(err, name, field, "null", type);
    if (!json_is_object(object))
        return wfi_fail_at(err, WF_E_DATA, field, -1, "%s: field \"%s\" must be an object", name, field);
    WF_TRY(named(wfi_json_str(object, "type", field, &is, err), name, err));
    if (strcmp(is, type)) return unsupported(err, name, field, is, type);
    WF_TRY(only_keys(object, name, field, known, err));
    *out = object;
    return WF_OK;
}

static wf_status read_normalizer(const json_t *top, wf_plan *plan, wf_err *err) {
    static const char *const known[] = {"type",          "clean_text", "handle_chinese_chars",
                                        "strip_accents", "lowercase",  NULL};
    const json_t *o = NULL;
    WF_TRY(typed(top, plan->name, "normalizer", "BertNormalizer", known, &o, err));
    WF_TRY(named(wfi_json_bool_or(o, "clean_text", "normalizer", true, &plan->clean_text, err), plan->name, err));
    WF_TRY(named(wfi_json_bool_or(o, "handle_chinese_chars", "normalizer", true, &plan->handle_chinese, err),
                 plan->name, err));
    WF_TRY(named(wfi_json_bool_or(o, "lowercase", "normalizer", true, &plan->lowercase, err), plan->name, err));
    return named(wfi_json_bool_or(o, "strip_accents", "normalizer", plan->lowercase, &plan->strip_accents, err),
                 plan->name, err);
}

/* Texts are cut at their ends, the longer first. A file that asks for another way would get other ids. */
static wf_status read_truncation(const json_t *top, const wf_plan *plan, wf_err *err) {
    static const char *const known[] = {"max_length", "strategy", "stride", "direction", NULL};
    const json_t *o = json_object_get(top, "truncation");
    const char *strategy = "LongestFirst", *direction = "Right";
    if (!o || json_is_null(o)) return WF_OK;
    if (!json_is_object(o))
        return wfi_fail_at(err, WF_E_DATA, "truncation", -1, "%s: field \"truncation\" must be an object", plan->name);
    WF_TRY(only_keys(o, plan->name, "truncation", known, err));
    if (json_object_get(o, "strategy"))
        WF_TRY(named(wfi_json_str(o, "strategy", "truncation", &strategy, err), plan->name, err));
    if (json_object_get(o, "direction"))
        WF_TRY(named(wfi_json_str(o, "direction", "truncation", &direction, err), plan->name, err));
    if (strcmp(strategy, "LongestFirst")) return unsupported(err, plan->name, "strategy", strategy, "LongestFirst");
    if (strcmp(direction, "Right")) return unsupported(err, plan->name, "direction", direction, "Right");
    return WF_OK;
}

static wf_status read_vocab(const json_t *vocab, wf_plan *plan, wf_err *err) {
    const size_t count = json_object_size(vocab);
    if (!json_is_object(vocab))
        return wfi_fail_at(err, WF_E_DATA, "vocab", -1, "%s: model.vocab must be an object", plan->name);
    if (!count || count > WFI_VOCAB_MAX)
        return wfi_fail_at(err, WF_E_DATA, "vocab", -1, "%s: the vocabulary has %zu tokens; 1 to %d are possible",
                           plan->name, count, WFI_VOCAB_MAX);
    plan->texts = wfi_alloc(count, sizeof *plan->texts);
    plan->sizes = wfi_alloc(count, sizeof *plan->sizes);
    if (!plan->texts || !plan->sizes) return wfi_fail(err, WF_E_NOMEM, "out of memory for the vocabulary");
    plan->count = count;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)vocab, key, value) {
        const json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || (size_t)id >= count)
            return wfi_fail_at(err, WF_E_DATA, "vocab", -1,
                               "%s: the id of token \"%.80s\" must be an integer of 0 to %zu (ids have no holes)",
                               plan->name, key, count - 1);
        if (plan->texts[id])
            return wfi_fail_at(err, WF_E_DATA, "vocab", id, "%s: tokens \"%.80s\" and \"%.80s\" both have id %lld",
                               plan->name, plan->texts[id], key, (long long)id);
        plan->texts[id] = key;
        plan->sizes[id] = strlen(key);
    }
    return WF_OK;
}

static wf_status read_model(const json_t *top, wf_plan *plan, wf_err *err) {
    static const char *const known[] = {"type",  "unk_token", "continuing_subword_prefix", "max_input_chars_per_word",
                                        "vocab", NULL};
    const json_t *model = NULL;
    int64_t most = 0;
    WF_TRY(typed(top, plan->name, "model", "WordPiece", known, &model, err));
    WF_TRY(named(wfi_json_str(model, "unk_token", "model", &plan->unk, err), plan->name, err));
    WF_TRY(named(wfi_json_str(model, "continuing_subword_prefix", "model", &plan->prefix, err), plan->name, err));
    WF_TRY(named(wfi_json_int(model, "max_input_chars_per_word", "model", 0, INT32_MAX, &most, err), plan->name, err));
    plan->max_chars = (size_t)most;
    return plan->count ? WF_OK : read_vocab(json_object_get(model, "vocab"), plan, err);
}

static wf_status read_added_token(const json_t *o, wf_plan_added *a, const wf_plan *plan, wf_err *err) {
    static const char *const known[] = {"id",     "content", "special",    "single_word",
                                        "lstrip", "rstrip",  "normalized", NULL};
    const char *where = "added_tokens";
    if (!json_is_object(o))
        return wfi_fail_at(err, WF_E_DATA, where, -1, "%s: added_tokens must hold objects", plan->name);
    WF_TRY(only_keys(o, plan->name, where, known, err));
    WF_TRY(named(wfi_json_int(o, "id", where, 0, INT32_MAX, &a->id, err), plan->name, err));
    WF_TRY(named(wfi_json_str(o, "content", where, &a->text, err), plan->name, err));
    WF_TRY(named(wfi_json_bool_or(o, "special", where, false, &a->special, err), plan->name, err));
    WF_TRY(named(wfi_json_bool_or(o, "single_word", where, false, &a->single_word, err), plan->name, err));
    WF_TRY(named(wfi_json_bool_or(o, "lstrip", where, false, &a->lstrip, err), plan->name, err));
    WF_TRY(named(wfi_json_bool_or(o, "rstrip", where, false, &a->rstrip, err), plan->name, err));
    WF_TRY(named(wfi_json_bool_or(o, "normalized", where, !a->special, &a->normalized, err), plan->name, err));
    if (!a->text[0]) return wfi_fail_at(err, WF_E_DATA, where, a->id, "%s: an added token is empty", plan->name);
    return WF_OK;
}

static wf_status read_added(const json_t *top, wf_plan *plan, wf_err *err) {
    const json_t *list = json_object_get(top, "added_tokens");
    if (!list || json_is_null(list)) return WF_OK;
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count > WFI_ADDED_MAX)
        return wfi_fail_at(err, WF_E_DATA, "added_tokens", -1, "%s: added_tokens must be a list of at most %d tokens",
                           plan->name, WFI_ADDED_MAX);
    plan->added = wfi_alloc(count, sizeof *plan->added);
    if (!plan->added) return wfi_fail(err, WF_E_NOMEM, "out of memory for the added tokens");
    for (; plan->added_count < count; plan->added_count++)
        WF_TRY(read_added_token(json_array_get(list, plan->added_count), &plan->added[plan->added_count], plan, err));
    return WF_OK;
}

static wf_status add_piece(wf_template *form, int text, int64_t id, int64_t type_id, const wf_plan *plan, wf_err *err) {
    if (form->count == WFI_PIECES_MAX)
        return wfi_fail_at(err, WF_E_UNSUPPORTED, "post_processor", -1,
                           "%s: a template of more than %d pieces is not supported", plan->name, WFI_PIECES_MAX);
    form->pieces[form->count++] = (wf_piece){text, (int32_t)id, (uint8_t)type_id};
    if (text < 0) form->specials++;
    return WF_OK;
}

/* {"SpecialToken": {"id", "type_id"}} or {"Sequence": {"id": "A" or "B", "type_id"}}. */
static wf_status read_piece(const json_t *piece, const json_t *specials, const wf_plan *plan, wf_template *form,
                            wf_err *err) {
    const char *where = "post_processor", *id = NULL;
    const json_t *special = json_object_get(piece, "SpecialToken"),
                 *o = special ? special : json_object_get(piece, "Sequence");
    int64_t type_id = 0;
    if (!o || json_object_size(piece) != 1)
        return wfi_fail_at(err, WF_E_DATA, where, -1, "%s: a template's piece must be a SpecialToken or a Sequence",
                           plan->name);
    WF_TRY(named(wfi_json_str(o, "id", where, &id, err), plan->name, err));
    WF_TRY(named(wfi_json_int(o, "type_id", where, 0, INT32_MAX, &type_id, err), plan->name, err));
    if (type_id > 1) return unsupported(err, plan->name, where, "type_id above 1", "BERT knows types 0 and 1");
    if (!special) {
        if (strcmp(id, "A") && strcmp(id, "B")) return unsupported(err, plan->name, where, id, "sequences are A and B");
        return add_piece(form, id[0] - 'A', 0, type_id, plan, err);
    }
    const json_t *ids = json_object_get(json_object_get(specials, id), "ids");
    if (!json_is_array(ids))
        return wfi_fail_at(err, WF_E_DATA, where, -1,
                           "%s: the template's special token \"%.80s\" has no list of ids in special_tokens",
                           plan->name, id);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *v = json_array_get(ids, i);
        const json_int_t x = json_integer_value(v);
        if (!json_is_integer(v) || x < 0 || x > INT32_MAX)
            return wfi_fail_at(err, WF_E_DATA, where, -1,
                               "%s: the ids of special token \"%.80s\" must be integers of 0 or more", plan->name, id);
        WF_TRY(add_piece(form, -1, x, type_id, plan, err));
    }
    return WF_OK;
}

/* The texts must stand in the template in order, each once: `texts` of them. */
static wf_status read_template(const json_t *list, const char *which, const json_t *specials, int texts,
                               const wf_plan *plan, wf_template *form, wf_err *err) {
    int seen = 0;
    if (!json_is_array(list))
        return wfi_fail_at(err, WF_E_DATA, which, -1, "%s: post_processor.%s must be a list", plan->name, which);
    for (size_t i = 0; i < json_array_size(list); i++)
        WF_TRY(read_piece(json_array_get(list, i), specials, plan, form, err));
    for (size_t i = 0; i < form->count; i++) {
        if (form->pieces[i].text < 0) continue;
        if (form->pieces[i].text != seen++)
            return unsupported(err, plan->name, "post_processor", which, "A, then B, each once");
    }
    if (seen != texts) return unsupported(err, plan->name, "post_processor", which, "A, then B, each once");
    return WF_OK;
}

static wf_status read_bert_processing(const json_t *o, wf_plan *plan, wf_err *err) {
    const char *const fields[2] = {"cls", "sep"};
    int64_t ids[2];
    for (int i = 0; i < 2; i++) {
        const json_t *pair = json_object_get(o, fields[i]), *id = json_array_get(pair, 1);
        ids[i] = json_integer_value(id);
        if (json_array_size(pair) != 2 || !json_is_integer(id) || ids[i] < 0 || ids[i] > INT32_MAX)
            return wfi_fail_at(err, WF_E_DATA, fields[i], -1, "%s: post_processor.%s must be [token, id]", plan->name,
                               fields[i]);
    }
    wfi_bert_templates(plan, (int32_t)ids[0], (int32_t)ids[1]);
    return WF_OK;
}

void wfi_bert_templates(wf_plan *plan, int32_t cls, int32_t sep) {
    plan->single = (wf_template){{{-1, cls, 0}, {0, 0, 0}, {-1, sep, 0}}, 3, 2};
    plan->pair = (wf_template){{{-1, cls, 0}, {0, 0, 0}, {-1, sep, 0}, {1, 0, 1}, {-1, sep, 1}}, 5, 3};
}

static wf_status read_post_processor(const json_t *top, wf_plan *plan, wf_err *err) {
    static const char *const known[] = {"type", "single", "pair", "special_tokens", NULL};
    static const char *const bert[] = {"type", "sep", "cls", NULL};
    const json_t *o = json_object_get(top, "post_processor");
    const char *type = json_string_value(json_object_get(o, "type"));
    if (type && !strcmp(type, "BertProcessing")) {
        WF_TRY(typed(top, plan->name, "post_processor", "BertProcessing", bert, &o, err));
        return read_bert_processing(o, plan, err);
    }
    WF_TRY(typed(top, plan->name, "post_processor", "TemplateProcessing", known, &o, err));
    const json_t *specials = json_object_get(o, "special_tokens");
    if (!json_is_object(specials))
        return wfi_fail_at(err, WF_E_DATA, "special_tokens", -1, "%s: post_processor.special_tokens must be an object",
                           plan->name);
    WF_TRY(read_template(json_object_get(o, "single"), "single", specials, 1, plan, &plan->single, err));
    return read_template(json_object_get(o, "pair"), "pair", specials, 2, plan, &plan->pair, err);
}

static wf_status read_all(const json_t *top, wf_plan *plan, wf_err *err) {
    static const char *const known[] = {"version",       "truncation",     "padding", "added_tokens", "normalizer",
                                        "pre_tokenizer", "post_processor", "decoder", "model",        NULL};
    static const char *const type_only[] = {"type", NULL};
    const char *version = NULL;
    const json_t *o = NULL;
    if (!json_is_object(top))
        return wfi_fail_at(err, WF_E_DATA, plan->name, -1, "%s: a tokenizer must be a JSON object", plan->name);
    WF_TRY(only_keys(top, plan->name, "the file", known, err));
    WF_TRY(wfi_json_str(top, "version", plan->name, &version, err));
    if (strcmp(version, "1.0")) return unsupported(err, plan->name, "version", version, "1.0");
    WF_TRY(read_truncation(top, plan, err));
    WF_TRY(read_normalizer(top, plan, err));
    WF_TRY(typed(top, plan->name, "pre_tokenizer", "BertPreTokenizer", type_only, &o, err));
    WF_TRY(read_model(top, plan, err));
    WF_TRY(read_added(top, plan, err));
    return read_post_processor(top, plan, err);
}

static wf_status settings_tree(const char *json, size_t size, wf_plan *plan, wf_tokenizer **out, wf_err *err) {
    json_t *top = NULL;
    WF_TRY(wfi_json_parse(json, size, plan->name, &top, err));
    wf_status st = read_all(top, plan, err);
    if (st == WF_OK) st = wfi_tokenizer_build(plan, out, err);
    wfi_free(plan->added);
    json_decref(top);
    return st;
}

/* The vocabulary by scanning, what is around it as JSON. WF_E_DATA: not possible, or something is wrong; the whole file
 * has to be read as JSON. */
static wf_status settings_scanned(const char *json, size_t size, const char *name, wf_tokenizer **out, wf_err *err) {
    wf_plan plan = {.name = name};
    wf_vocab_place place;
    wf_buffer rest = {0};
    bool found = false;
    wf_status st = wfi_vocab_scan(json, size, &plan, &place, &found);
    if (st != WF_OK) return wfi_fail(err, st, "out of memory for the vocabulary");
    if (!found) return WF_E_DATA;
    wfi_buffer_add(&rest, json, place.from);
    wfi_buffer_adds(&rest, "{}");
    wfi_buffer_add(&rest, json + place.to, size - place.to);
    st = rest.failed ? wfi_fail(err, WF_E_NOMEM, "out of memory for the JSON of %s", name)
                     : settings_tree(rest.data, rest.len, &plan, out, err);
    wfi_buffer_clear(&rest);
    wfi_vocab_scan_clear(&plan, &place);
    return st == WF_OK || st == WF_E_NOMEM ? st : WF_E_DATA;
}

wf_status wfi_settings_json(const char *json, size_t size, const char *name, wf_tokenizer **out, wf_err *err) {
    wf_plan plan = {.name = name};
    wf_err scanning = {0};
    wf_status st = settings_scanned(json, size, name, out, &scanning);
    if (st == WF_E_NOMEM && err) *err = scanning;
    if (st != WF_E_DATA) return st;
    st = settings_tree(json, size, &plan, out, err);
    wfi_free(plan.texts);
    wfi_free(plan.sizes);
    return st;
}
