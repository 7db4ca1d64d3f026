/* data/settle.c - the kind of a task, its labels, and rows in its terms. See settle.h. */
#include "data/settle.h"
#include "base/alloc.h"
#include "base/error.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES_MAX = 10000 };

/* ---- names ---- */

static const char *const kinds[] = {"classification", "regression", "multiple_choice", "multilabel"}; /* by wf_kind */

bool wfi_kind_parse(const char *name, wf_kind *out) {
    if (strcmp(name, "pair") == 0) name = "classification";
    for (int k = 0; k < 4; k++)
        if (strcmp(name, kinds[k]) == 0) {
            *out = (wf_kind)k;
            return true;
        }
    return false;
}

const char *wfi_kind_name(wf_kind k) {
    return (unsigned)k < 4 ? kinds[k] : "unknown";
}

/* ---- sets of texts ---- */

typedef struct text_set {
    const char **items;
    size_t count, cap;
} text_set;

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_value(const void *a, const void *b) {
    const double x = strtod(*(const char *const *)a, NULL), y = strtod(*(const char *const *)b, NULL);
    return x < y ? -1 : x > y ? 1 : by_text(a, b);
}

static wf_status set_add(text_set *s, const char *item, wf_err *err) {
    if (s->count == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 256;
        const char **items = wfi_realloc(s->items, cap, sizeof *items);
        if (!items) return wfi_fail(err, WF_E_NOMEM, "out of memory");
        s->items = items;
        s->cap = cap;
    }
    s->items[s->count++] = item;
    return WF_OK;
}

static void set_unique(text_set *s) {
    size_t n = 0;
    if (s->count) qsort(s->items, s->count, sizeof *s->items, by_text);
    for (size_t i = 0; i < s->count; i++)
        if (n == 0 || strcmp(s->items[n - 1], s->items[i]) != 0) s->items[n++] = s->items[i];
    s->count = n;
}

/* ---- kind ---- */

static wf_status distinct_labels(const wf_raws *all, text_set *out, wf_err *err) {
    for (size_t i = 0; i < all->count; i++) {
        const wf_raw *r = &all->rows[i];
        if (r->label) WF_TRY(set_add(out, r->label, err));
        for (int32_t k = 0; k < r->list_count; k++) WF_TRY(set_add(out, r->list[k], err));
        if (out->count > 4 * (size_t)CLASSES_MAX) set_unique(out);
    }
    set_unique(out);
    return WF_OK;
}

/* Several labels in one cell of a table: a|b, a;b or a,b. */
static wf_status cells_split(wf_raws *all, wf_err *err) {
    for (size_t i = 0; i < all->count; i++) {
        wf_raw *r = &all->rows[i];
        if (r->kind != WF_LABEL_TEXT) continue;
        const char separator = strchr(r->label, '|') ? '|' : strchr(r->label, ';') ? ';' : ',';
        size_t n = 1;
        for (const char *c = r->label; *c; c++) n += *c == separator;
        const char **list = wfi_pool_get(all->pool, n, sizeof *list);
        const char *at = r->label;
        r->list_count = 0;
        for (size_t k = 0; list && k < n; k++) {
            while (*at == ' ') at++;
            const char *end = strchr(at, separator);
            size_t length = end ? (size_t)(end - at) : strlen(at);
            const char *next = end ? end + 1 : at + length;
            while (length && at[length - 1] == ' ') length--;
            if (length && !(list[r->list_count++] = wfi_pool_text(all->pool, at, length))) list = NULL;
            at = next;
        }
        if (!list) return wfi_fail(err, WF_E_NOMEM, "out of memory");
        r->kind = WF_LABEL_LIST;
        r->list = list;
        r->label = NULL;
    }
    return WF_OK;
}

static wf_status labels_take(wf_task *task, text_set *set, wf_err *err) {
    bool numeric = set->count > 0;
    for (size_t i = 0; i < set->count; i++)
        numeric &= set->items[i][0] && strspn(set->items[i], "+-.0123456789") == strlen(set->items[i]);
    if (set->count < (task->kind == WF_KIND_MULTILABEL ? 1u : 2u))
        return wfi_fail_at(err, WF_E_DATA, "label", -1,
                           "task \"%s\": all rows have the same label%s%.80s%s; there is nothing to learn", task->name,
                           set->count ? " \"" : "", set->count ? set->items[0] : "", set->count ? "\"" : "");
    if (set->count > CLASSES_MAX)
        return wfi_fail_at(
            err, WF_E_DATA, "label", -1,
            "task \"%s\": %zu different labels are too many (at most %d); is this the right --label field?", task->name,
            set->count, CLASSES_MAX);
    if (numeric) qsort(set->items, set->count, sizeof *set->items, by_value);
    task->labels = wfi_alloc(set->count, sizeof *task->labels);
    if (!task->labels) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < set->count; i++) {
        if (!(task->labels[i] = wfi_strdup(set->items[i]))) return wfi_fail(err, WF_E_NOMEM, "out of memory");
        task->label_count = (int32_t)i + 1;
    }
    return WF_OK;
}

static wf_status label_missing(const wf_raw *r, wf_err *err) {
    return wfi_fail_at(err, WF_E_DATA, r->label_field, r->line, "%s:%lld: the label is missing (field \"%s\")", r->file,
                       (long long)r->line, r->label_field);
}

/* Before any split, so that the first one in the file is named. */
static wf_status labels_present(const wf_raws *all, wf_err *err) {
    for (size_t i = 0; i < all->count; i++) {
        const wf_raw *r = &all->rows[i];
        if (r->kind == WF_LABEL_NONE) return label_missing(r, err);
    }
    return WF_OK;
}

wf_status wfi_settle_kind(wf_task *task, const wf_raws *all, const char *asked, wf_err *err) {
    text_set set = {0};
    WF_TRY(labels_present(all, err));
    wf_status st = distinct_labels(all, &set, err);
    if (st == WF_OK && asked && !wfi_kind_parse(asked, &task->kind))
        st = wfi_fail(
            err, WF_E_ARG,
            "kind \"%.40s\" does not exist; use classification, pair, regression, multiple_choice or multilabel",
            asked);
    if (st == WF_OK && !asked) st = wfi_kind_detect(task, all, set.items, set.count, err);
    task->has_pair = all->count && all->rows[0].pair;
    if (st == WF_OK && asked && strcmp(asked, "pair") == 0 && !task->has_pair)
        st = wfi_fail(err, WF_E_DATA, "task \"%s\": kind pair needs a second text; name its field with --pair",
                      task->name);
    if (st == WF_OK && task->kind == WF_KIND_MULTILABEL) {
        st = cells_split((wf_raws *)(uintptr_t)all, err);
        set.count = 0;
        if (st == WF_OK) st = distinct_labels(all, &set, err);
    }
    if (st == WF_OK && task->kind == WF_KIND_REGRESSION) {
        task->label_count = 1;
        if (set.count < 2)
            st = wfi_fail_at(err, WF_E_DATA, "label", -1,
                             "task \"%s\": all rows have the same value; there is nothing to learn", task->name);
    }
    if (st == WF_OK && task->kind == WF_KIND_MULTIPLE_CHOICE)
        for (size_t i = 0; i < all->count; i++)
            if (all->rows[i].choice_count > task->label_count) task->label_count = all->rows[i].choice_count;
    if (st == WF_OK && (task->kind == WF_KIND_CLASSIFICATION || task->kind == WF_KIND_MULTILABEL))
        st = labels_take(task, &set, err);
    wfi_free(set.items);
    return st;
}

/* ---- rows ---- */

static int32_t label_find(const wf_task *task, const char *label) {
    for (int32_t c = 0; c < task->label_count; c++)
        if (strcmp(task->labels[c], label) == 0) return c;
    return -1;
}

static wf_status refuse(wf_err *err, const wf_raw *r, const char *what) {
    return wfi_fail_at(err, WF_E_DATA, "label", r->line, "%s:%lld: label \"%.80s\" %s", r->file, (long long)r->line,
                       r->label ? r->label : "", what);
}

static wf_status choice_find(const wf_raw *r, int32_t *out, wf_err *err) {
    if (!isnan(r->number) && r->number >= 0 && r->number < r->choice_count && r->number == floor(r->number)) {
        *out = (int32_t)r->number;
        return WF_OK;
    }
    for (int32_t c = 0; c < r->choice_count; c++)
        if (r->label && strcmp(r->choices[c], r->label) == 0) {
            *out = c;
            return WF_OK;
        }
    return refuse(err, r, "is neither the index of a choice (from 0) nor one of the choices");
}

static wf_status multilabel_fill(const wf_task *task, const wf_raw *r, wf_text_pool *pool, bool need, wf_row *row,
                                 wf_err *err) {
    uint8_t *labels = wfi_pool_get(pool, (size_t)task->label_count, 1);
    if (!labels) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (int32_t k = 0; k < r->list_count; k++) {
        const int32_t c = label_find(task, r->list[k]);
        if (c >= 0)
            labels[c] = 1;
        else if (need)
            return wfi_fail_at(err, WF_E_DATA, "label", r->line, "%s:%lld: label \"%.80s\" is unknown to task \"%s\"",
                               r->file, (long long)r->line, r->list[k], task->name);
    }
    row->labels = labels;
    return WF_OK;
}

static wf_status row_fill(const wf_task *task, const wf_raw *r, wf_text_pool *pool, bool need, wf_row *row,
                          wf_err *err) {
    *row = (wf_row){.text = r->text,
                    .pair = r->pair,
                    .choices = r->choices,
                    .choice_count = r->choice_count,
                    .label = -1,
                    .group = r->group,
                    .line = r->line};
    if (task->has_pair && !r->pair && !r->lenient)
        return wfi_fail_at(err, WF_E_DATA, "text_pair", r->line,
                           "%s:%lld: task \"%s\" is about pairs of texts; the second is missing", r->file,
                           (long long)r->line, task->name);
    if (task->kind == WF_KIND_MULTIPLE_CHOICE && !r->choices)
        return wfi_fail_at(err, WF_E_DATA, "choices", r->line, "%s:%lld: field \"choices\" is missing", r->file,
                           (long long)r->line);
    if (r->kind == WF_LABEL_NONE) return need ? label_missing(r, err) : WF_OK;
    switch (task->kind) {
    case WF_KIND_MULTILABEL:
        return multilabel_fill(task, r, pool, need, row, err);
    case WF_KIND_MULTIPLE_CHOICE: {
        const wf_status st = choice_find(r, &row->label, need ? err : NULL);
        return need ? st : WF_OK;
    }
    case WF_KIND_REGRESSION:
        if (isnan(r->number) && need) return refuse(err, r, "is no number");
        row->target = isnan(r->number) ? 0.0 : r->number;
        return WF_OK;
    case WF_KIND_CLASSIFICATION:
        if (r->kind == WF_LABEL_LIST) return need ? refuse(err, r, "is a list; use --kind multilabel") : WF_OK;
        row->label = label_find(task, r->label);
        return row->label < 0 && need ? refuse(err, r, "is unknown to this task") : WF_OK;
    }
    return WF_OK;
}

wf_status wfi_settle_rows(const wf_task *task, const wf_raws *from, const int64_t *indices, size_t n, bool need_label,
                          wf_rows *out, wf_err *err) {
    wf_rows rows = {.rows = wfi_alloc(n + 1, sizeof *rows.rows), .count = n, .pool = wfi_pool_share(from->pool)};
    wf_status st = rows.rows ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    for (size_t i = 0; st == WF_OK && i < n; i++)
        st = row_fill(task, &from->rows[indices ? indices[i] : (int64_t)i], from->pool, need_label, &rows.rows[i], err);
    if (st == WF_OK)
        *out = rows;
    else
        wfi_rows_clear(&rows);
    return st;
}
