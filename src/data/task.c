/* data/task.c - reading a task from a folder or one file. See task.h. */
#include "data/task.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "data/records.h"
#include "data/settle.h"
#include <stdio.h>
#include <string.h>

enum { TRAIN, DEV, TEST, PARTS };

void wfi_rows_clear(wf_rows *rows) {
    wfi_free(rows->rows);
    wfi_pool_free(rows->pool);
    *rows = (wf_rows){0};
}

void wfi_task_free(wf_task *t) {
    if (!t) return;
    for (int32_t c = 0; t->labels && c < t->label_count; c++) wfi_free(t->labels[c]);
    wfi_free(t->labels);
    wfi_free(t->metric);
    wfi_free(t->kind_why);
    wfi_free(t->name);
    wfi_task_fields_clear(t);
    wfi_rows_clear(&t->train);
    wfi_rows_clear(&t->dev);
    wfi_rows_clear(&t->test);
    wfi_free(t);
}

/* ---- files ---- */

/* DIR/STEM.jsonl and so on; *out NULL when there is none, an error when there are two. */
static wf_status part_find(const char *dir, const char *const *stems, char **out, wf_err *err) {
    static const char *const extensions[] = {"jsonl", "json", "csv", "tsv"};
    *out = NULL;
    for (size_t s = 0; stems[s]; s++)
        for (size_t e = 0; e < sizeof extensions / sizeof *extensions; e++) {
            char name[64];
            snprintf(name, sizeof name, "%s.%s", stems[s], extensions[e]);
            char *path = wfi_path_join(dir, name);
            if (!path) return wfi_fail(err, WF_E_NOMEM, "out of memory");
            wf_status st = wfi_file_check(path, err);
            if (st == WF_OK && *out)
                st = wfi_fail_at(err, WF_E_DATA, dir, -1, "%s holds both %s and %s; which is meant?", dir,
                                 wfi_path_base(*out), name);
            if (st == WF_OK) {
                *out = path;
                continue;
            }
            wfi_free(path);
            if (st == WF_E_NOTFOUND) continue;
            wfi_free(*out);
            *out = NULL;
            return st;
        }
    return WF_OK;
}

static wf_status parts_find(const char *path, char *files[PARTS], wf_err *err) {
    static const char *const stems[PARTS][5] = {
        {"train", NULL}, {"dev", "validation", "valid", "val", NULL}, {"test", NULL}};
    if (!wfi_dir_exists(path)) {
        WF_TRY(wfi_file_check(path, err));
        files[TRAIN] = wfi_strdup(path);
        return files[TRAIN] ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    for (int p = 0; p < PARTS; p++) WF_TRY(part_find(path, stems[p], &files[p], err));
    if (files[TRAIN]) return WF_OK;
    if (files[TEST])
        return wfi_fail_at(err, WF_E_NOTFOUND, path, -1,
                           "%s holds no train.jsonl, train.csv or train.tsv; %s alone can only be evaluated on", path,
                           wfi_path_base(files[TEST]));
    return wfi_fail_at(err, WF_E_NOTFOUND, path, -1, "%s holds no train.jsonl, train.csv or train.tsv", path);
}

static wf_status fields_keep(wf_task *t, const wf_fields *f, wf_err *err) {
    const char *const names[] = {f->text, f->pair, f->label};
    char **const kept[] = {&t->text_field, &t->pair_field, &t->label_field};
    for (int i = 0; i < 3; i++)
        if (names[i][0] && !(*kept[i] = wfi_strdup(names[i]))) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    return WF_OK;
}

/* The training file comes first: the others have its fields where they can. */
static wf_status files_read(wf_task *t, char *const files[PARTS], const wf_task_options *o, wf_raws *all,
                            size_t ends[PARTS], wf_err *err) {
    for (int p = 0; p < PARTS; p++) {
        wf_fields f;
        if (files[p]) {
            WF_TRY(wfi_fields_find(files[p], o, t, true, &f, err));
            if (p == TRAIN) WF_TRY(fields_keep(t, &f, err));
            WF_TRY(wfi_raws_read(files[p], &f, all, err));
        }
        ends[p] = all->count;
    }
    return WF_OK;
}

/* ---- parts ---- */

static bool is_regression(const wf_task *t) {
    return t->kind == WF_KIND_REGRESSION;
}

/* part[i]: 0 train, 1 dev, 2 test. */
static wf_status parts_assign(const wf_task *t, const wf_raws *all, char *const files[PARTS], const size_t ends[PARTS],
                              const wf_task_options *o, uint8_t *part, wf_err *err) {
    const bool one = !files[DEV] && !files[TEST];
    for (size_t i = 0; i < all->count; i++) part[i] = i < ends[TRAIN] ? TRAIN : i < ends[DEV] ? DEV : TEST;
    if (files[DEV]) return WF_OK;
    const double dev = o->dev_share > 0 ? o->dev_share : 0.1, test = !one                ? 0.0
                                                                     : o->test_share > 0 ? o->test_share
                                                                                         : 0.2;
    const wf_raws train = {.rows = all->rows, .count = ends[TRAIN], .pool = all->pool};
    return wfi_split_make(&train, is_regression(t), dev, test, o->seed, part, err);
}

static wf_status rows_make(wf_task *t, const wf_raws *all, const uint8_t *part, wf_err *err) {
    wf_rows *const parts[PARTS] = {&t->train, &t->dev, &t->test};
    int64_t *indices = wfi_alloc(all->count + 1, sizeof *indices);
    wf_status st = indices ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (int p = 0; st == WF_OK && p < PARTS; p++) {
        size_t n = 0;
        for (size_t i = 0; i < all->count; i++)
            if (part[i] == p) indices[n++] = (int64_t)i;
        st = wfi_settle_rows(t, all, indices, n, true, parts[p], err);
    }
    wfi_free(indices);
    if (st == WF_OK && t->train.count < 2)
        return wfi_fail(err, WF_E_DATA, "task \"%s\": %zu training rows are too few", t->name, t->train.count);
    return st;
}

static wf_status metric_check(const wf_task *t, const char *metric, wf_err *err) {
    static const char *const known[4] = {" accuracy macro_f1 f1 mcc ece brier ", " pearson spearman mae mse ",
                                         " accuracy macro_f1 mcc ", " micro_f1 macro_f1 accuracy "};
    char wanted[64];
    snprintf(wanted, sizeof wanted, " %s ", metric);
    if (strlen(metric) < 32 && strstr(known[t->kind], wanted) && (strcmp(metric, "f1") != 0 || t->label_count == 2))
        return WF_OK;
    return wfi_fail(err, WF_E_ARG, "metric \"%.40s\" does not exist for %s; there are:%s", metric,
                    wfi_kind_name(t->kind), known[t->kind]);
}

static const char *metric_default(const wf_task *t) {
    if (t->kind == WF_KIND_REGRESSION) return "pearson";
    if (t->kind == WF_KIND_MULTILABEL) return "macro_f1";
    if (t->kind == WF_KIND_MULTIPLE_CHOICE) return "accuracy";
    size_t least = SIZE_MAX, most = 0;
    for (int32_t c = 0; c < t->label_count; c++) {
        size_t n = 0;
        for (size_t i = 0; i < t->train.count; i++) n += t->train.rows[i].label == c;
        if (n < least) least = n;
        if (n > most) most = n;
    }
    return most > WF_UNEVEN * least ? "macro_f1" : "accuracy";
}

static wf_status metric_set(wf_task *t, const char *asked, wf_err *err) {
    if (asked) WF_TRY(metric_check(t, asked, err));
    t->metric = wfi_strdup(asked ? asked : metric_default(t));
    return t->metric ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

static wf_status task_make(wf_task *t, const char *path, const wf_task_options *o, wf_err *err) {
    char *files[PARTS] = {NULL};
    size_t ends[PARTS] = {0};
    wf_raws all = {0};
    uint8_t *part = NULL;
    wf_status st = parts_find(path, files, err);
    if (st == WF_OK) st = files_read(t, files, o, &all, ends, err);
    if (st == WF_OK) st = wfi_settle_kind(t, &all, o->kind, err);
    if (st == WF_OK && !(part = wfi_alloc(all.count + 1, 1))) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = parts_assign(t, &all, files, ends, o, part, err);
    if (st == WF_OK) st = rows_make(t, &all, part, err);
    if (st == WF_OK) st = metric_set(t, o->metric, err);
    for (int p = 0; p < PARTS; p++) wfi_free(files[p]);
    wfi_free(part);
    wfi_raws_clear(&all);
    return st;
}

wf_status wfi_task_read(const char *name, const char *path, const wf_task_options *options, wf_task **out,
                        wf_err *err) {
    static const wf_task_options none;
    wf_task *t = wfi_alloc(1, sizeof *t);
    if (!t) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    t->name = wfi_strdup(name);
    wf_status st =
        t->name ? task_make(t, path, options ? options : &none, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st != WF_OK)
        wfi_task_free(t);
    else
        *out = t;
    return st;
}

wf_status wfi_rows_read(const char *path, const wf_task *task, const wf_task_options *options, bool need_label,
                        wf_rows *out, wf_err *err) {
    wf_raws all = {0};
    wf_fields f;
    WF_TRY(wfi_fields_find(path, options, task, need_label, &f, err));
    wf_status st = wfi_raws_read(path, &f, &all, err);
    if (st == WF_OK) st = wfi_settle_rows(task, &all, NULL, all.count, need_label, out, err);
    wfi_raws_clear(&all);
    return st;
}

wf_status wfi_rows_pick(const wf_rows *from, const int64_t *indices, size_t n, wf_rows *out, wf_err *err) {
    wf_row *rows = wfi_alloc(n + 1, sizeof *rows);
    if (!rows) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) rows[i] = from->rows[indices[i]];
    *out = (wf_rows){.rows = rows, .count = n};
    return WF_OK;
}
