/* lab/lab_base.c - bases: import once, open, check. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/aside.h"
#include "lab/base_files.h"
#include <stdio.h>
#include <string.h>

/* Pooling as the base's own files say: mean when sentence-transformers' 1_Pooling asks for it, else cls. */
static wf_status pooling_read(const char *dir, const char **pooling, wf_err *err) {
    *pooling = "cls";
    char *path = wfi_path_join(dir, "1_Pooling/config.json");
    if (!path) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = WF_OK;
    json_t *j = NULL;
    if (wfi_file_exists(path) && (st = wfi_json_read(path, 1 << 16, &j, err)) == WF_OK) {
        if (json_is_true(json_object_get(j, "pooling_mode_mean_tokens")))
            *pooling = "mean";
        else if (!json_is_true(json_object_get(j, "pooling_mode_cls_token")))
            st = wfi_fail(err, WF_E_UNSUPPORTED, "%s: only cls and mean pooling are supported", path);
    }
    json_decref(j);
    wfi_free(path);
    return st;
}

/* A weight that is no number would only be found where it spoils a training. */
static wf_status weights_check(const char *dir, const wf_bert *m, wf_err *err) {
    char *path = wfi_path_join(dir, "model.safetensors");
    const wf_status st = path ? wfi_pset_finite(&m->params, path, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(path);
    return st;
}

/* More tokens than rows of embeddings would be read beyond them. Fewer may be padding, or a vocabulary that was cut. */
static wf_status vocabulary_check(wf_lab *lab, const char *dir, const wf_tokenizer *t, const wf_bert *m, wf_err *err) {
    const long long tokens = (long long)wfi_tokenizer_vocab_size(t), rows = (long long)m->config.vocab_size;
    if (tokens > rows)
        return wfi_fail(err, WF_E_DATA, "%s: the tokenizer has %lld tokens, the model only %lld", dir, tokens, rows);
    if (tokens < rows)
        wfi_lab_message(lab, "warning",
                        "the tokenizer has %lld tokens, the model %lld: %lld of its embeddings are never used; is the "
                        "vocabulary whole?",
                        tokens, rows, rows - tokens);
    return WF_OK;
}

static wf_status base_describe(wf_lab *lab, const char *dir, json_t **out, wf_err *err) {
    wf_bert *m = NULL;
    wf_tokenizer *t = NULL;
    const char *pooling = NULL;
    wf_status st = pooling_read(dir, &pooling, err);
    if (st == WF_OK) st = wfi_bert_open(dir, &m, err);
    if (st == WF_OK) st = weights_check(dir, m, err);
    if (st == WF_OK) st = wfi_tokenizer_open(dir, &t, err);
    if (st == WF_OK) st = vocabulary_check(lab, dir, t, m, err);
    if (st == WF_OK) {
        int64_t count = 0;
        for (size_t i = 0; i < m->params.count; i++) count += m->params.params[i]->count;
        *out = json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:s, s:I, s:s}", "model_type", "bert", "layers",
                         m->config.layers, "hidden_size", (json_int_t)m->config.hidden_size, "heads",
                         (json_int_t)m->config.heads, "vocab_size", (json_int_t)m->config.vocab_size, "max_positions",
                         (json_int_t)m->config.max_positions, "pooling", pooling, "parameters", (json_int_t)count,
                         "tokenizer_hash", wfi_tokenizer_hash(t));
        if (!*out) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    wfi_tokenizer_free(t);
    wfi_bert_free(m);
    return st;
}

static wf_status base_store(wf_lab *lab, const char *name, const char *aside, char **json, wf_err *err) {
    json_t *info = NULL, *files = NULL;
    char hex[65], relative[160];
    char *place = NULL, *text = NULL;
    wf_status st = base_describe(lab, aside, &info, err);
    if (st == WF_OK) st = wfi_lab_tree_hash(aside, &files, hex, err);
    if (st != WF_OK) goto done;
    json_object_set(info, "files", files);
    snprintf(relative, sizeof relative, "bases/%s-%.12s", name, hex);
    place = wfi_lab_path(lab, relative);
    text = wfi_json_text(info, false);
    if (!place || !text) {
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        goto done;
    }
    WF_GO(wfi_lab_tree_place(aside, place, err));
    const wf_record record = {
        .kind = (char *)"base", .name = (char *)name, .hash = hex, .path = relative, .json = text};
    WF_GO(wfi_registry_put(lab->registry, &record, NULL, err));
    json_object_set_new(info, "name", json_string(name));
    json_object_set_new(info, "hash", json_string(hex));
    st = wfi_lab_give(json_incref(info), json, err);
done:
    json_decref(info);
    json_decref(files);
    wfi_free(place);
    wfi_free(text);
    return st;
}

/* The copy that was read is gone when the message is: it names the file it was made of. */
static void path_renamed(wf_err *err, const char *copy, const char *path) {
    char text[sizeof err->text];
    const size_t n = copy ? strlen(copy) : 0;
    const char *at = err && n ? strstr(err->text, copy) : NULL;
    if (!at) return;
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - err->text), err->text, path, at + n);
    memcpy(err->text, text, sizeof text);
}

wf_status wf_base_add(wf_lab *lab, const char *name, const char *path, char **json, wf_err *err) {
    WF_TRY(wfi_lab_name_check("base", name, err));
    wf_record record = {0};
    if (wfi_registry_get(lab->registry, "base", name, &record, NULL) == WF_OK) {
        wfi_record_clear(&record);
        return wfi_fail(err, WF_E_EXISTS, "base \"%s\" is in this lab already", name);
    }
    wf_aside aside;
    wf_status st = wfi_aside_open(lab, "bases", name, &aside, err);
    if (st == WF_OK) st = wfi_base_files(lab, path, aside.path, err);
    if (st == WF_OK) st = base_store(lab, name, aside.path, json, err);
    if (st != WF_OK && st != WF_E_IO) path_renamed(err, aside.path, path); /* WF_E_IO is of the copy itself */
    wfi_aside_close(&aside);
    return st;
}

wf_status wf_base_list(wf_lab *lab, char **json, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0;
    WF_TRY(wfi_registry_list(lab->registry, "base", &records, &count, err));
    json_t *all = json_array();
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        json_t *j = NULL;
        st = wfi_lab_record_json(&records[i], &j, err);
        if (st == WF_OK) json_array_append_new(all, j);
    }
    wfi_records_free(records, count);
    if (st != WF_OK) {
        json_decref(all);
        return st;
    }
    return wfi_lab_give(json_pack("{s:o}", "bases", all), json, err);
}

/* As it was imported, and with weights that are numbers, which an import did not always look at. */
static wf_status base_check(wf_lab *lab, const wf_record *record, wf_err *err) {
    char *dir = wfi_lab_path(lab, record->path), hex[65] = "";
    json_t *files = NULL;
    wf_bert *m = NULL;
    wf_status st = dir ? wfi_lab_tree_hash(dir, &files, hex, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && strcmp(hex, record->hash) != 0)
        st = wfi_fail(err, WF_E_CHECK, "files differ from what was imported");
    if (st == WF_OK) st = wfi_bert_open(dir, &m, err);
    if (st == WF_OK) st = weights_check(dir, m, err);
    wfi_bert_free(m);
    json_decref(files);
    wfi_free(dir);
    return st;
}

wf_status wf_base_check(wf_lab *lab, const char *name, char **json, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0;
    WF_TRY(wfi_registry_list(lab->registry, "base", &records, &count, err));
    json_t *checked = json_array(), *failures = json_array();
    for (size_t i = 0; i < count; i++) {
        if (name && strcmp(name, records[i].name) != 0) continue;
        wf_err why = {0};
        json_array_append_new(checked, json_string(records[i].name));
        if (base_check(lab, &records[i], &why) != WF_OK)
            json_array_append_new(failures, json_pack("{s:s, s:s}", "name", records[i].name, "why", why.text));
    }
    const size_t n = json_array_size(checked), bad = json_array_size(failures);
    wfi_records_free(records, count);
    if (n == 0) {
        json_decref(checked);
        json_decref(failures);
        return wfi_fail(err, WF_E_NOTFOUND, name ? "there is no base \"%s\" in this lab" : "this lab has no base%s",
                        name ? name : "");
    }
    WF_TRY(wfi_lab_give(json_pack("{s:b, s:o, s:o}", "ok", bad == 0, "checked", checked, "failures", failures), json,
                        err));
    return bad ? wfi_fail(err, WF_E_CHECK, "%zu of %zu bases changed or are damaged", bad, n) : WF_OK;
}

static wf_status base_open(wf_lab *lab, const wf_record *record, wf_dtype dtype, wf_open_base **out, wf_err *err) {
    wf_open_base *b = wfi_alloc(1, sizeof *b);
    if (!b) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    b->next = lab->bases; /* owned by the lab from here on, whole or not */
    lab->bases = b;
    b->dtype = dtype;
    char *dir = wfi_lab_path(lab, record->path);
    b->hash = wfi_strdup(record->hash);
    b->cache = wfi_lab_path(lab, "cache");
    b->weights = dir ? wfi_path_join(dir, "model.safetensors") : NULL;
    if (!b->weights || !b->hash || !b->cache) {
        wfi_free(dir);
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    wf_status st = wfi_bert_open(dir, &b->model, err);
    for (const wf_open_base *o = b->next; o; o = o->next)
        if (o->tokenizer && strcmp(o->hash, b->hash) == 0) b->tokenizer = o->tokenizer;
    b->shares_tokenizer = b->tokenizer != NULL;
    if (st == WF_OK && !b->tokenizer) st = wfi_tokenizer_open(dir, &b->tokenizer, err);
    if (st == WF_OK) st = wfi_lab_record_json(record, &b->info, err);
    if (st == WF_OK && !(b->name = wfi_strdup(record->name))) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(dir);
    if (st == WF_OK) *out = b;
    return st;
}

wf_status wfi_lab_base(wf_lab *lab, const char *name, wf_dtype dtype, wf_open_base **out, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0, found = 0, matches = 0;
    WF_TRY(wfi_registry_list(lab->registry, "base", &records, &count, err));
    for (size_t i = 0; i < count; i++)
        if (!name || strcmp(name, records[i].name) == 0) {
            found = i;
            matches++;
        }
    wf_status st = WF_OK;
    if (matches == 0)
        st = name ? wfi_fail(err, WF_E_NOTFOUND, "there is no base \"%s\" in this lab; see: weft base list", name)
                  : wfi_fail(err, WF_E_NOTFOUND, "this lab has no base; import one with: weft base add NAME PATH");
    else if (matches > 1)
        st = wfi_fail(err, WF_E_ARG, "this lab has %zu bases; say which with --base", matches);
    if (st == WF_OK) {
        for (wf_open_base *b = lab->bases; b; b = b->next)
            if (b->name && b->dtype == dtype && strcmp(b->name, records[found].name) == 0) *out = b, matches = 0;
        if (matches) st = base_open(lab, &records[found], dtype, out, err);
    }
    wfi_records_free(records, count);
    return st;
}
