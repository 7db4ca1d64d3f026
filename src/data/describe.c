/* data/describe.c - what a user should know about a task before training on it. See task.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "data/task.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const part_names[] = {"train", "dev", "test"};

typedef struct parts {
    const wf_rows *rows[3];
} parts;

typedef struct entry {
    const wf_row *row;
    int part;
} entry;

static int text_compare(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "");
}

static int same_input(const wf_row *a, const wf_row *b) {
    const int c = strcmp(a->text, b->text);
    if (c) return c;
    const int d = text_compare(a->pair, b->pair);
    if (d || !a->choices || !b->choices) return d;
    for (int32_t k = 0; k < a->choice_count && k < b->choice_count; k++) {
        const int e = strcmp(a->choices[k], b->choices[k]);
        if (e) return e;
    }
    return a->choice_count - b->choice_count;
}

static int by_input(const void *a, const void *b) {
    const entry *x = a, *y = b;
    const int c = same_input(x->row, y->row);
    return c ? c : x->part - y->part;
}

typedef struct repeats {
    int64_t inside[3]; /* rows whose input stands earlier in the same part */
    int64_t shared[3]; /* rows of the later part whose input is in the earlier one: train-dev, train-test, dev-test */
    int64_t conflicts; /* training rows whose input stands there with another label too */
} repeats;

/* A run of equal inputs. */
static void run_count(const entry *e, size_t n, wf_kind kind, repeats *r) {
    int64_t in[3] = {0};
    bool conflict = false;
    for (size_t i = 0; i < n; i++) {
        in[e[i].part]++;
        if (kind == WF_KIND_CLASSIFICATION && e[i].part == 0 && e[i].row->label != e[0].row->label) conflict = true;
    }
    for (int p = 0; p < 3; p++) r->inside[p] += in[p] > 1 ? in[p] - 1 : 0;
    if (in[0]) r->shared[0] += in[1];
    if (in[0]) r->shared[1] += in[2];
    if (in[1]) r->shared[2] += in[2];
    if (conflict) r->conflicts += in[0];
}

static wf_status repeats_count(const parts *p, wf_kind kind, repeats *out, wf_err *err) {
    size_t total = 0, at = 0;
    for (int k = 0; k < 3; k++) total += p->rows[k]->count;
    entry *e = wfi_alloc(total + 1, sizeof *e);
    if (!e) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < p->rows[k]->count; i++) e[at++] = (entry){&p->rows[k]->rows[i], k};
    if (total) qsort(e, total, sizeof *e, by_input);
    for (size_t i = 0, n; i < total; i += n) {
        for (n = 1; i + n < total && same_input(e[i].row, e[i + n].row) == 0; n++) {
        }
        run_count(e + i, n, kind, out);
    }
    wfi_free(e);
    return WF_OK;
}

static double words_mean(const wf_rows *rows) {
    double words = 0;
    for (size_t i = 0; i < rows->count; i++)
        for (int k = 0; k < 2; k++) {
            const char *t = k ? rows->rows[i].pair : rows->rows[i].text;
            while (t && *(t += strspn(t, " \t\r\n"))) {
                words++;
                t += strcspn(t, " \t\r\n");
            }
        }
    return rows->count ? words / (double)rows->count : 0;
}

static int64_t label_count(const wf_task *t, const wf_rows *rows, int32_t c) {
    int64_t n = 0;
    for (size_t i = 0; i < rows->count; i++)
        n += t->kind == WF_KIND_MULTILABEL ? rows->rows[i].labels[c] : rows->rows[i].label == c;
    return n;
}

static void warn(json_t *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(json_t *warnings, const char *format, ...) {
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(warnings, json_string(text));
}

/* Labels that stand only outside train; the first few by name. */
static void unseen_warn(const wf_task *t, const wf_rows *train, json_t *warnings) {
    enum { NAMED = 3 };
    int64_t unseen = 0;
    for (int32_t c = 0; t->labels && c < t->label_count; c++)
        if (label_count(t, train, c) == 0 && ++unseen <= NAMED)
            warn(warnings, "label \"%.60s\" has no training rows; it cannot be learned", t->labels[c]);
    if (unseen > NAMED) warn(warnings, "%lld more labels have no training rows", (long long)(unseen - NAMED));
}

/* Labels that are trained but not judged by dev or test. */
static void unjudged_warn(const wf_task *t, const parts *p, json_t *warnings) {
    enum { NAMED = 3 };
    for (int k = 1; k < 3; k++) {
        int64_t missing = 0;
        for (int32_t c = 0; t->labels && p->rows[k]->count && c < t->label_count; c++)
            if (label_count(t, p->rows[0], c) > 0 && label_count(t, p->rows[k], c) == 0 && ++missing <= NAMED)
                warn(warnings, "label \"%.60s\" has no %s rows; its scores there say nothing", t->labels[c],
                     part_names[k]);
        if (missing > NAMED)
            warn(warnings, "%lld more labels have no %s rows", (long long)(missing - NAMED), part_names[k]);
    }
}

static bool blank(const char *text) {
    return text[strspn(text, " \t\r\n")] == 0;
}

static wf_status texts_check(const wf_task *t, wf_err *err) {
    for (size_t i = 0; i < t->train.count; i++)
        if (!blank(t->train.rows[i].text)) return WF_OK;
    return wfi_fail(err, WF_E_DATA,
                    "task \"%s\": the text of every training row is empty; is \"%s\" the right field? (--text)",
                    t->name, t->text_field ? t->text_field : "text");
}

static void empty_warn(const parts *p, json_t *warnings) {
    long long empty = 0;
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < p->rows[k]->count; i++) {
            const wf_row *r = &p->rows[k]->rows[i];
            empty += blank(r->text) || (r->pair && blank(r->pair));
        }
    if (empty) warn(warnings, "%lld %s an empty text", empty, empty == 1 ? "row has" : "rows have");
}

/* What tables write where nothing is known: rarely meant as a class. */
static void missing_warn(const wf_task *t, const parts *p, json_t *warnings) {
    static const char *const words[] = {"nan", "null", "n/a", "na", "#n/a", "inf", "-inf"};
    for (int32_t c = 0; t->labels && c < t->label_count; c++)
        for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
            const wf_row *first = NULL;
            if (strcasecmp(t->labels[c], words[w]) != 0) continue;
            for (size_t i = 0; !first && i < p->rows[0]->count; i++)
                if (t->kind == WF_KIND_CLASSIFICATION && p->rows[0]->rows[i].label == c) first = &p->rows[0]->rows[i];
            warn(warnings, "label \"%.60s\" looks like a missing value and is a class of its own (%s %lld)",
                 t->labels[c],
                 first ? "line" : "training rows:", (long long)(first ? first->line : label_count(t, p->rows[0], c)));
        }
}

typedef struct evenness {
    double majority;  /* share of the commonest label where it is judged */
    double imbalance; /* largest over smallest class that has training rows; NaN: does not apply */
} evenness;

static json_t *balance(const wf_task *t, const parts *p, evenness *even, json_t *warnings) {
    json_t *out = json_object();
    const wf_rows *judged = p->rows[2]->count ? p->rows[2] : p->rows[1]->count ? p->rows[1] : p->rows[0];
    int64_t most = 0, largest = 0, least = INT64_MAX;
    for (int32_t c = 0; t->labels && c < t->label_count; c++) {
        json_t *one = json_object();
        for (int k = 0; k < 3; k++)
            json_object_set_new(one, part_names[k], json_integer(label_count(t, p->rows[k], c)));
        const int64_t train = json_integer_value(json_object_get(one, "train")), here = label_count(t, judged, c);
        if (here > most) most = here;
        if (train > largest) largest = train;
        if (train > 0 && train < least) least = train;
        json_object_set_new(out, t->labels[c], one);
    }
    unseen_warn(t, p->rows[0], warnings);
    unjudged_warn(t, p, warnings);
    missing_warn(t, p, warnings);
    even->majority = judged->count ? (double)most / (double)judged->count : 0;
    even->imbalance = t->kind == WF_KIND_CLASSIFICATION && largest > 0 ? (double)largest / (double)least : NAN;
    if (even->imbalance > WF_UNEVEN)
        warn(warnings, "classes are uneven (%lld to %lld training rows); look at macro_f1, not only at accuracy",
             (long long)least, (long long)largest);
    return out;
}

static json_t *groups(const parts *p) {
    json_t *out = json_object();
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < p->rows[k]->count; i++) {
            const char *g = p->rows[k]->rows[i].group;
            if (g) json_object_set_new(out, g, json_integer(json_integer_value(json_object_get(out, g)) + 1));
        }
    return out;
}

static void repeats_warn(const repeats *r, json_t *warnings) {
    static const char *const where[] = {"dev rows are also in train", "test rows are also in train",
                                        "test rows are also in dev"};
    for (int k = 0; k < 3; k++)
        if (r->shared[k])
            warn(warnings, "%lld %s: scores will look better than they are", (long long)r->shared[k], where[k]);
    if (r->inside[0]) warn(warnings, "%lld training rows are repeated", (long long)r->inside[0]);
    if (r->conflicts)
        warn(warnings, "%lld training rows have the same text but different labels", (long long)r->conflicts);
}

wf_status wfi_task_describe(const wf_task *t, char **json, wf_err *err) {
    const parts p = {{&t->train, &t->dev, &t->test}};
    repeats r = {0};
    WF_TRY(texts_check(t, err));
    WF_TRY(repeats_count(&p, t->kind, &r, err));
    json_t *warnings = json_array(), *labels = json_array(), *rows = json_object(), *inside = json_object();
    evenness even = {0};
    json_t *by_label = balance(t, &p, &even, warnings);
    repeats_warn(&r, warnings);
    empty_warn(&p, warnings);
    if (t->dev.count == 0)
        warn(warnings, "there are no dev rows; training cannot stop early");
    else if (t->dev.count < 30)
        warn(warnings, "%zu dev rows are few; the best state is chosen almost by chance", t->dev.count);
    for (int k = 0; k < 3; k++) {
        json_object_set_new(rows, part_names[k], json_integer((json_int_t)p.rows[k]->count));
        json_object_set_new(inside, part_names[k], json_integer(r.inside[k]));
    }
    for (int32_t c = 0; t->labels && c < t->label_count; c++) json_array_append_new(labels, json_string(t->labels[c]));
    json_t *j = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:i, s:o, s:o, s:f, s:f, s:o, s:{s:I, s:I, s:I}, s:o, s:o}",
                          "name", t->name, "kind", wfi_kind_name(t->kind), "metric", t->metric, "pair",
                          (int)t->has_pair, "fields", wfi_task_fields_json(t), "labels", labels, "label_count",
                          (int)t->label_count, "rows", rows, "balance", by_label, "majority_share", even.majority,
                          "mean_words", words_mean(&t->train), "duplicates", inside, "shared", "train_dev",
                          (json_int_t)r.shared[0], "train_test", (json_int_t)r.shared[1], "dev_test",
                          (json_int_t)r.shared[2], "groups", groups(&p), "warnings", warnings);
    if (j) json_object_set_new(j, "kind_why", t->kind_why ? json_string(t->kind_why) : json_null());
    if (j) json_object_set_new(j, "imbalance", isnan(even.imbalance) ? json_null() : json_real(even.imbalance));
    char *text = j ? wfi_json_text(j, false) : NULL;
    json_decref(j);
    if (!text) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    *json = text;
    return WF_OK;
}
