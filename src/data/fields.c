/* data/fields.c - which field of a file plays which role. See raw.h. */
#include "base/error.h"
#include "data/raw.h"
#include "data/records.h"
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 200 };

static const char *const text_names[] = {
    "text",  "sentence",  "sentence1", "text1",   "premise", "question", "question1", "query", "review", "comment",
    "tweet", "utterance", "message",   "content", "body",    "document", "title",     "input", NULL};
static const char *const pair_names[] = {"text_pair", "sentence2", "text2",  "hypothesis", "question2",
                                         "passage",   "context",   "answer", NULL};
static const char *const choices_names[] = {"choices", NULL};
static const char *const label_names[] = {"label",     "labels", "class",  "category", "target", "score",
                                          "sentiment", "intent", "rating", "answer",   NULL};
static const char *const group_names[] = {"group", "domain", NULL};

typedef struct look {
    json_t *seen; /* object: every field of any row (a field may stand in few rows) */
} look;

static wf_status note(void *user, const json_t *row, const char *place, int64_t line, wf_err *err) {
    const look *l = user;
    return json_object_update((json_t *)l->seen, (json_t *)(uintptr_t)row) == 0
               ? WF_OK
               : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

/* "a", "b", "c" for messages. */
static void names_list(const json_t *seen, char out[SHOWN_BYTES]) {
    const char *key;
    json_t *value;
    size_t n = 0;
    out[0] = 0;
    json_object_foreach((json_t *)(uintptr_t)seen, key, value) {
        if (n + strlen(key) + 8 > SHOWN_BYTES) break;
        n += (size_t)snprintf(out + n, SHOWN_BYTES - n, "%s\"%s\"", n ? ", " : "", key);
    }
}

static wf_status role(const json_t *seen, const char *path, const char *asked, const char *option,
                      const char *const *customary, char out[128], wf_err *err) {
    char have[SHOWN_BYTES];
    out[0] = 0;
    if (asked) {
        if (json_object_get(seen, asked) && strlen(asked) < 128) {
            snprintf(out, 128, "%s", asked);
            return WF_OK;
        }
        names_list(seen, have);
        return wfi_fail_at(err, WF_E_DATA, asked, 1, "%s:1: there is no field \"%.80s\" (%s); it has %s", path, asked,
                           option, have);
    }
    for (size_t i = 0; customary && customary[i]; i++)
        if (json_object_get(seen, customary[i])) {
            snprintf(out, 128, "%s", customary[i]);
            return WF_OK;
        }
    return WF_OK;
}

/* Says what the file seems to be for. */
static wf_status no_text(const json_t *seen, const char *path, const char *have, wf_err *err) {
    const char *what = "which field is the text? name it with --text";
    if (json_object_get(seen, "source") && json_object_get(seen, "target"))
        what = "source and target look like text to be generated, which weft does not train; name a text to be "
               "labelled with --text and its label with --label";
    else if (json_object_get(seen, "image"))
        what = "the rows are images, and weft reads texts; name a text field with --text if there is one";
    return wfi_fail_at(err, WF_E_DATA, "text", 1, "%s:1: %s; the file has %s", path, what, have);
}

static wf_status roles(const json_t *seen, const char *path, const wf_task_options *o, bool need_label, wf_fields *f,
                       wf_err *err) {
    char have[SHOWN_BYTES];
    WF_TRY(role(seen, path, o->text, "--text", text_names, f->text, err));
    WF_TRY(role(seen, path, o->label, "--label", label_names, f->label, err));
    WF_TRY(role(seen, path, o->pair, "--pair", pair_names, f->pair, err));
    WF_TRY(role(seen, path, o->group, "--group", group_names, f->group, err));
    WF_TRY(role(seen, path, o->split_group, "--split-group", NULL, f->together, err));
    WF_TRY(role(seen, path, NULL, "", choices_names, f->choices, err));
    if (strcmp(f->pair, f->label) == 0 || strcmp(f->pair, f->text) == 0) f->pair[0] = 0; /* "answer" may be the label */
    names_list(seen, have);
    if (!f->text[0] || (!o->text && strcmp(f->text, "text") != 0 && json_object_get(seen, "source") &&
                        json_object_get(seen, "target")))
        return no_text(seen, path, have, err);
    if (need_label && (!f->label[0] || strcmp(f->label, f->text) == 0))
        return wfi_fail_at(err, WF_E_DATA, "label", 1,
                           "%s:1: which field is the label? name it with --label; the file has %s", path, have);
    return WF_OK;
}

wf_status wfi_fields_find(const char *path, const wf_task_options *o, bool need_label, wf_fields *out, wf_err *err) {
    static const wf_task_options none;
    const look l = {.seen = json_object()};
    if (!l.seen) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_records_each(path, 0, note, (void *)(uintptr_t)&l, err);
    if (st == WF_OK && json_object_size(l.seen) == 0)
        st = wfi_fail_at(err, WF_E_DATA, path, -1, "%s: the file has no rows", path);
    if (st == WF_OK) st = roles(l.seen, path, o ? o : &none, need_label, out, err);
    json_decref(l.seen);
    return st;
}
