/* lab/handle.c - opening and closing a lab, and the helpers of handle.h. */
#include "lab/handle.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "lab/precision.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *wf_version(void) {
    return WF_VERSION;
}
void wf_free(void *p) {
    wfi_free(p);
}

wf_status wf_lab_init(const char *dir, wf_err *err) {
    static const char *const folders[] = {"bases", "tasks", "models", "runs"};
    if (!dir || !*dir) return wfi_fail(err, WF_E_ARG, "a lab needs a folder; name one, or . for this one");
    char *file = wfi_path_join(dir, "weft.db");
    wf_registry *registry = NULL;
    if (!file) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = WF_OK;
    if (wfi_file_exists(file)) st = wfi_fail(err, WF_E_EXISTS, "%s is a lab already", dir);
    if (st == WF_OK) st = wfi_dir_make(dir, err);
    for (size_t i = 0; st == WF_OK && i < sizeof folders / sizeof *folders; i++) {
        char *path = wfi_path_join(dir, folders[i]);
        st = path ? wfi_dir_make(path, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
        wfi_free(path);
    }
    if (st == WF_OK) st = wfi_registry_open(file, true, &registry, err);
    wfi_registry_close(registry);
    wfi_free(file);
    return st;
}

wf_status wf_lab_open(const char *dir, wf_lab **out, wf_err *err) {
    wf_lab *lab = wfi_alloc(1, sizeof *lab);
    if (!lab) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = WF_OK;
    lab->dir = wfi_strdup(dir);
    char *file = wfi_path_join(dir, "weft.db");
    if (!lab->dir || !file)
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    else if (!wfi_file_exists(file))
        st = wfi_fail(err, WF_E_NOTFOUND, "%s is no lab (no weft.db); make one with: weft init %s", dir, dir);
    if (st == WF_OK) st = wfi_registry_open(file, false, &lab->registry, err);
    wfi_free(file);
    if (st != WF_OK) {
        wf_lab_close(lab);
        return st;
    }
    wf_lab_threads(lab, 0);
    *out = lab;
    return WF_OK;
}

void wf_lab_close(wf_lab *lab) {
    if (!lab) return;
    while (lab->bases) {
        wf_open_base *b = lab->bases;
        lab->bases = b->next;
        wfi_bert_free(b->model);
        wfi_cached_clear(&b->packs);
        wfi_free(b->weights);
        if (!b->shares_tokenizer) wfi_tokenizer_free(b->tokenizer);
        json_decref(b->info);
        wfi_free(b->name);
        wfi_free(b->hash);
        wfi_free(b->cache);
        wfi_free(b);
    }
    wfi_registry_close(lab->registry);
    wfi_free(lab->dir);
    wfi_free(lab);
}

wf_status wf_lab_base_dtype(wf_lab *lab, const char *type, wf_err *err) {
    WF_TRY(wfi_precision_check(type, err));
    lab->as_asked = type && wfi_precision_parse(type, &lab->dtype);
    return WF_OK;
}

void wf_lab_threads(wf_lab *lab, int threads) {
    wfi_threads_set(threads);
    lab->threads = wfi_threads_get();
}

void wf_lab_progress(wf_lab *lab, wf_progress_fn fn, void *user) {
    lab->progress = fn;
    lab->progress_user = user;
}

void wf_lab_messages(wf_lab *lab, wf_message_fn fn, void *user) {
    lab->message = fn;
    lab->message_user = user;
}

void wfi_lab_message(wf_lab *lab, const char *level, const char *format, ...) {
    if (!lab->message) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lab->message(level, text, lab->message_user);
}

int wfi_lab_tick(wf_lab *lab, const wf_progress *p, bool always) {
    if (!lab->progress) return 0;
    const double now = wfi_clock_seconds();
    if (!always && now - lab->progress_at < 0.1) return 0;
    lab->progress_at = now;
    return lab->progress(p, lab->progress_user);
}

char *wfi_lab_path(const wf_lab *lab, const char *relative) {
    return wfi_path_join(lab->dir, relative);
}

wf_status wfi_lab_name_check(const char *what, const char *name, wf_err *err) {
    if (!name || !*name) return wfi_fail(err, WF_E_ARG, "%s needs a name", what);
    const size_t n = strlen(name);
    const size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (n > 64 || good != n || *name == '-') /* a command would take one with '-' in front for an option */
        return wfi_fail(err, WF_E_ARG, "%s name \"%.80s\": use 1 to 64 letters, digits, '_' and '-', the first no '-'",
                        what, name);
    return WF_OK;
}

wf_status wfi_lab_give(json_t *value, char **json, wf_err *err) {
    char *text = value ? wfi_json_text(value, true) : NULL;
    json_decref(value);
    if (!text) return wfi_fail(err, WF_E_NOMEM, "out of memory for the result");
    if (json)
        *json = text;
    else
        wfi_free(text);
    return WF_OK;
}

wf_status wfi_lab_record_json(const wf_record *record, json_t **out, wf_err *err) {
    json_t *j = NULL;
    WF_TRY(wfi_json_parse(record->json, strlen(record->json), record->name, &j, err));
    if (!json_is_object(j)) {
        json_decref(j);
        return wfi_fail(err, WF_E_DATA, "the lab's record of %s \"%s\" is damaged", record->kind, record->name);
    }
    json_object_set_new(j, "name", json_string(record->name));
    json_object_set_new(j, "hash", json_string(record->hash));
    json_object_set_new(j, "created", json_string(record->created));
    *out = j;
    return WF_OK;
}

json_t *wfi_lab_scores_json(const wf_scores *s, bool intervals) {
    json_t *j = json_object();
    for (int i = 0; i < s->count; i++) {
        const wf_metric_value *m = &s->metric[i];
        json_t *value = isfinite(m->value) ? json_real(m->value) : json_null();
        if (intervals) {
            json_t *o = json_object();
            json_object_set_new(o, "value", value);
            json_object_set_new(o, "low", isfinite(m->low) ? json_real(m->low) : json_null());
            json_object_set_new(o, "high", isfinite(m->high) ? json_real(m->high) : json_null());
            value = o;
        }
        json_object_set_new(j, m->name, value);
    }
    return j;
}

/* Adds "relative": hash for every file below dir/relative. */
static wf_status tree_walk(const char *dir, const char *relative, json_t *files, wf_err *err) {
    char *path = *relative ? wfi_path_join(dir, relative) : wfi_strdup(dir);
    char **names = NULL;
    size_t count = 0;
    if (!path) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_dir_list(path, &names, &count, err);
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        char *below = *relative ? wfi_path_join(relative, names[i]) : wfi_strdup(names[i]);
        char *full = wfi_path_join(path, names[i]);
        char hex[WF_HASH_HEX];
        if (!below || !full)
            st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        else if (wfi_dir_exists(full))
            st = tree_walk(dir, below, files, err);
        else if (strcmp(below, "weft.json") != 0 && (st = wfi_hash_file(full, hex, err)) == WF_OK)
            json_object_set_new(files, below, json_string(hex));
        wfi_free(below);
        wfi_free(full);
    }
    wfi_names_free(names, count);
    wfi_free(path);
    return st;
}

wf_status wfi_lab_tree_hash(const char *dir, json_t **files, char hex[65], wf_err *err) {
    json_t *all = json_object();
    if (!all) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = tree_walk(dir, "", all, err);
    char *text = st == WF_OK ? wfi_json_text(all, false) : NULL; /* sorted keys: one text for one content */
    if (st == WF_OK)
        st = text ? wfi_hash_bytes(text, strlen(text), hex, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(text);
    if (st != WF_OK)
        json_decref(all);
    else
        *files = all;
    return st;
}

wf_status wfi_lab_tree_check(wf_lab *lab, const wf_record *r, wf_err *err) {
    const char *known = json_string_value(json_object_get(lab->checked, r->path));
    if (known && strcmp(known, r->hash) == 0) return WF_OK;
    char *dir = wfi_lab_path(lab, r->path), hex[65] = "", what[256] = "its files";
    json_t *files = NULL, *info = NULL, *value;
    const char *name;
    wf_status st = dir ? wfi_lab_tree_hash(dir, &files, hex, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && strcmp(hex, r->hash) != 0) {
        if (wfi_lab_record_json(r, &info, NULL) == WF_OK)
            json_object_foreach(json_object_get(info, "files"), name, value) {
                const char *now = json_string_value(json_object_get(files, name));
                if (now && strcmp(now, json_string_value(value)) == 0) continue;
                snprintf(what, sizeof what, "file %.200s", name);
                break;
            }
        st = wfi_fail(err, WF_E_CHECK, "%s \"%s\": %s changed or vanished since it was stored", r->kind, r->name, what);
    }
    if (st == WF_OK && lab->checked) json_object_set_new(lab->checked, r->path, json_string(hex));
    json_decref(info);
    json_decref(files);
    wfi_free(dir);
    return st;
}

void wfi_lab_check_once(wf_lab *lab, bool once) {
    json_decref(lab->checked);
    lab->checked = once ? json_object() : NULL;
}

wf_status wfi_lab_tree_place(const char *from, const char *to, wf_err *err) {
    if (wfi_dir_exists(to)) return wfi_tree_remove(from, err);
    WF_TRY(wfi_dir_sync(from, err));
    if (rename(from, to) != 0) return wfi_fail(err, WF_E_IO, "cannot move %s to %s: %s", from, to, strerror(errno));
    char *parent = wfi_strdup(to);
    if (!parent) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    char *slash = strrchr(parent, '/');
    wf_status st = WF_OK;
    if (slash) {
        *slash = 0;
        st = wfi_dir_sync(parent, err);
    }
    wfi_free(parent);
    return st;
}
