/* data/fields.c - which field of a file plays which role: by the names asked for, by those the task was read with, by
 * customary names, and where none fits by what the fields hold. See raw.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "data/raw.h"
#include "data/records.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 200, LABELS_MAX = 50, LABEL_BYTES_MAX = 200 };

static const char *const text_names[] = {
    "text",  "sentence",  "sentence1", "text1",   "premise", "question", "question1", "query", "review", "comment",
    "tweet", "utterance", "message",   "content", "body",    "document", "title",     "input", NULL};
static const char *const pair_names[] = {"text_pair", "sentence2", "text2",  "hypothesis", "question2",
                                         "passage",   "context",   "answer", NULL};
static const char *const choices_names[] = {"choices", NULL};
static const char *const label_names[] = {"label",     "labels", "class",  "category", "target", "score",
                                          "sentiment", "intent", "rating", "answer",   NULL};
static const char *const group_names[] = {"group", "domain", NULL};

typedef struct column { /* what a field holds */
    int64_t filled;     /* rows with a value */
    int64_t worded;     /* of these, texts that are no number or date */
    int64_t plain;      /* numbers and dates */
    int64_t dated, bytes;
    json_t *values; /* object: its different values while they may be labels */
    bool many;      /* too many or too long for labels */
} column;

typedef struct look {
    json_t *seen; /* object: every field of any row (a field may stand in few rows) to its place in `columns` */
    column *columns;
    size_t count, cap;
    int64_t rows;
} look;

static void look_clear(look *l) {
    for (size_t i = 0; i < l->count; i++) json_decref(l->columns[i].values);
    wfi_free(l->columns);
    json_decref(l->seen);
}

static column *column_get(const look *l, const char *name) {
    const json_t *place = json_object_get(l->seen, name);
    return place ? &l->columns[json_integer_value(place)] : NULL;
}

static wf_status column_make(look *l, const char *name, column **out, wf_err *err) {
    if ((*out = column_get(l, name))) return WF_OK;
    if (l->count == l->cap) {
        const size_t cap = l->cap ? l->cap * 2 : 16;
        column *more = wfi_realloc(l->columns, cap, sizeof *more);
        if (!more) return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu fields", cap);
        l->columns = more;
        l->cap = cap;
    }
    if (json_object_set_new(l->seen, name, json_integer((json_int_t)l->count)) != 0)
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    l->columns[l->count] = (column){0}; /* NOLINT(clang-analyzer-core.NullDereference): there is room */
    *out = &l->columns[l->count++];
    return WF_OK;
}

/* Tables hold numbers and dates as texts; neither is a text to be labelled. */
static void shape_count(column *c, const char *text) {
    static const char marks[] = "+-./:%";
    const bool plain = strspn(text, "0123456789eETZ +-./:%") == strlen(text) && strpbrk(text, "0123456789");
    int parts = 0;
    for (const char *at = text; plain && (at = strpbrk(at, "0123456789")); parts++) at += strcspn(at, marks);
    c->worded += !plain;
    c->plain += plain;
    c->dated += parts >= 3; /* 2024-05-31, 31.5.2024, 12:30:00 */
}

static wf_status value_note(column *c, const json_t *value, wf_err *err) {
    char *dumped = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    const char *key = json_is_string(value) ? json_string_value(value) : dumped;
    if (!key) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = WF_OK;
    if (strlen(key) > LABEL_BYTES_MAX)
        c->many = true;
    else if ((!c->values && !(c->values = json_object())) || json_object_set_new(c->values, key, json_true()) != 0)
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(dumped);
    if (json_object_size(c->values) > LABELS_MAX) c->many = true;
    return st;
}

static wf_status note(void *user, const json_t *row, const char *place, int64_t line, wf_err *err) {
    look *l = user;
    const char *key;
    json_t *value;
    l->rows++;
    json_object_foreach((json_t *)(uintptr_t)row, key, value) {
        column *c = NULL;
        WF_TRY(column_make(l, key, &c, err));
        if (json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0)) continue;
        c->filled++;
        if (json_is_object(value)) c->many = true;
        c->plain += json_is_number(value);
        if (json_is_string(value)) {
            c->bytes += (int64_t)json_string_length(value);
            shape_count(c, json_string_value(value));
        }
        if (!c->many) WF_TRY(value_note(c, value, err));
    }
    return WF_OK;
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

static wf_status role(const json_t *seen, const char *path, const char *asked, const char *option, const char *known,
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
    if (known && json_object_get(seen, known) && strlen(known) < 128) {
        snprintf(out, 128, "%s", known);
        return WF_OK;
    }
    for (size_t i = 0; customary && customary[i]; i++)
        if (json_object_get(seen, customary[i])) {
            snprintf(out, 128, "%s", customary[i]);
            return WF_OK;
        }
    return WF_OK;
}

/* Says what the file seems to be for. */
static wf_status no_text(const json_t *seen, const char *path, const wf_task *known, const char *have, wf_err *err) {
    if (known->text_field)
        return wfi_fail_at(err, WF_E_DATA, known->text_field, 1,
                           "%s:1: there is no field \"%.80s\", the task's text; the file has %s", path,
                           known->text_field, have);
    const char *what = "which field is the text? name it with --text";
    if (json_object_get(seen, "source") && json_object_get(seen, "target"))
        what = "source and target look like text to be generated, which weft does not train; name a text to be "
               "labelled with --text and its label with --label";
    else if (json_object_get(seen, "image"))
        what = "the rows are images, and weft reads texts; name a text field with --text if there is one";
    return wfi_fail_at(err, WF_E_DATA, "text", 1, "%s:1: %s; the file has %s", path, what, have);
}

/* ---- by content ---- */

static bool has_role(const wf_fields *f, const char *name) {
    const char *const taken[] = {f->text, f->pair, f->choices, f->label, f->group, f->together};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(taken[i], name) == 0) return true;
    return strlen(name) >= sizeof f->text;
}

static double mean_bytes(const column *c) {
    return c->filled ? (double)c->bytes / (double)c->filled : 0;
}

static bool may_be_text(const column *c) {
    return c->worded * 2 > c->filled;
}

/* Few different values, each of them in several rows. */
static bool repeats(const look *l, const column *c, int64_t times) {
    const int64_t n = (int64_t)json_object_size(c->values);
    return !c->many && n >= 2 && n * times <= l->rows && c->dated * 2 <= c->filled;
}

static bool may_be_label(const look *l, const column *c) {
    return repeats(l, c, 4);
}

/* The only field beside the text: anything but row numbers, dates and nothing. */
static bool may_be_only_label(const look *l, const column *c) {
    return repeats(l, c, 2) || (c->filled && c->plain * 2 <= c->filled);
}

/* The text: by far the longest of the fields without a role. */
static bool text_longest(const look *l, const wf_fields *f, bool labels_too, double factor, char out[128]) {
    const char *name, *longest = NULL;
    json_t *place;
    double most = 0, next = 0;
    json_object_foreach(l->seen, name, place) {
        const column *c = &l->columns[json_integer_value(place)];
        const double mean = mean_bytes(c);
        if (has_role(f, name) || !may_be_text(c) || (!labels_too && may_be_label(l, c))) continue;
        if (mean > most) {
            next = most;
            most = mean;
            longest = name;
        } else if (mean > next) {
            next = mean;
        }
    }
    if (!longest || most <= next || (next > 0 && most < factor * next)) return false;
    snprintf(out, 128, "%s", longest);
    return true;
}

static size_t without_role(const look *l, const wf_fields *f) {
    const char *name;
    json_t *place;
    size_t n = 0;
    json_object_foreach(l->seen, name, place) n += !has_role(f, name);
    return n;
}

static void text_by_content(const look *l, bool need_label, wf_fields *f) {
    if (!need_label) { /* without labels to compare with, nothing but the only text is certain */
        text_longest(l, f, true, HUGE_VAL, f->text);
        return;
    }
    if (without_role(l, f) == (f->label[0] ? 1U : 2U)) { /* a text and its label and nothing else */
        if (!text_longest(l, f, false, 1, f->text)) text_longest(l, f, true, 1, f->text);
        return;
    }
    if (!text_longest(l, f, true, 2, f->text)) text_longest(l, f, false, 2, f->text);
}

static bool customary(const char *const *names, const char *name) {
    for (size_t i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static void label_by_content(const look *l, wf_fields *f) {
    const char *name, *found = NULL;
    json_t *place;
    size_t fits = 0;
    const bool one = without_role(l, f) == 1;
    json_object_foreach(l->seen, name, place) {
        const column *c = &l->columns[json_integer_value(place)];
        if (has_role(f, name) || !(one ? may_be_only_label(l, c) : may_be_label(l, c))) continue;
        found = name;
        fits++;
    }
    if (fits != 1 || customary(text_names, found)) return; /* a field called "text" is no label unless it is named */
    snprintf(f->label, sizeof f->label, "%s", found);
}

static bool same_given(const char *a, const char *b) {
    return a && b && *a && strcmp(a, b) == 0;
}

/* One field cannot have two roles. Of two names the one that was given counts; "answer" may be a label or a second
 * text. */
static wf_status roles_apart(const wf_task_options *o, wf_fields *f, wf_err *err) {
    const char *twice = same_given(o->text, o->label)   ? "--text and --label"
                        : same_given(o->text, o->pair)  ? "--text and --pair"
                        : same_given(o->pair, o->label) ? "--pair and --label"
                                                        : NULL;
    if (twice)
        return wfi_fail(err, WF_E_ARG, "%s name the same field \"%.80s\"", twice,
                        o->text && strncmp(twice, "--text", 6) == 0 ? o->text : o->pair);
    if (f->pair[0] && strcmp(f->pair, f->label) == 0) (o->pair && !o->label ? f->label : f->pair)[0] = 0;
    if (f->pair[0] && strcmp(f->pair, f->text) == 0) (o->pair && !o->text ? f->text : f->pair)[0] = 0;
    if (f->label[0] && strcmp(f->label, f->text) == 0) (o->label && !o->text ? f->text : f->label)[0] = 0;
    return WF_OK;
}

static wf_status roles(const look *l, const char *path, const wf_task_options *o, const wf_task *known, bool need_label,
                       wf_fields *f, wf_err *err) {
    char have[SHOWN_BYTES];
    const json_t *seen = l->seen;
    const bool single = known->text_field && !known->pair_field; /* the task's own rows have no second text */
    *f = (wf_fields){.lenient = o->lenient};
    WF_TRY(role(seen, path, o->text, "--text", known->text_field, text_names, f->text, err));
    WF_TRY(role(seen, path, o->label, "--label", known->label_field, label_names, f->label, err));
    WF_TRY(role(seen, path, o->pair, "--pair", known->pair_field, single ? NULL : pair_names, f->pair, err));
    WF_TRY(role(seen, path, o->group, "--group", NULL, group_names, f->group, err));
    WF_TRY(role(seen, path, o->split_group, "--split-group", NULL, NULL, f->together, err));
    WF_TRY(role(seen, path, NULL, "", NULL, choices_names, f->choices, err));
    WF_TRY(roles_apart(o, f, err));
    names_list(seen, have);
    const bool generates = json_object_get(seen, "source") && json_object_get(seen, "target");
    if (!f->text[0] && !generates && !json_object_get(seen, "image")) text_by_content(l, need_label, f);
    if (!f->text[0] || (generates && !o->text && !known->text_field && strcmp(f->text, "text") != 0))
        return no_text(seen, path, known, have, err);
    if (need_label && !f->label[0]) label_by_content(l, f);
    if (need_label && !f->label[0] && known->label_field)
        return wfi_fail_at(err, WF_E_DATA, known->label_field, 1,
                           "%s:1: there is no field \"%.80s\", the task's label; the file has %s", path,
                           known->label_field, have);
    if (need_label && !f->label[0])
        return wfi_fail_at(err, WF_E_DATA, "label", 1,
                           "%s:1: which field is the label? name it with --label; the file has %s", path, have);
    return WF_OK;
}

wf_status wfi_fields_find(const char *path, const wf_task_options *o, const wf_task *known, bool need_label,
                          wf_fields *out, wf_err *err) {
    static const wf_task_options none;
    look l = {.seen = json_object()};
    if (!l.seen) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_records_each(path, 0, note, &l, err);
    if (st == WF_OK && json_object_size(l.seen) == 0)
        st = wfi_fail_at(err, WF_E_DATA, path, -1, "%s: the file has no rows", path);
    if (st == WF_OK) st = roles(&l, path, o ? o : &none, known, need_label, out, err);
    look_clear(&l);
    return st;
}
