/* lab/probe_rows.c - see probe_rows.h. */
#include "lab/probe_rows.h"
#include "base/alloc.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

enum { QUARTERS = 4, SETS = 16 };

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The quarter of each target, edges at the quantiles. */
static wf_status quarters(wf_rows *rows, wf_err *err) {
    double *sorted = wfi_alloc(rows->count, sizeof *sorted);
    if (!sorted) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < rows->count; i++) sorted[i] = rows->rows[i].target;
    qsort(sorted, rows->count, sizeof *sorted, by_value);
    for (size_t i = 0; i < rows->count; i++) {
        int32_t q = 0;
        while (q + 1 < QUARTERS && rows->rows[i].target >= sorted[rows->count * (size_t)(q + 1) / QUARTERS]) q++;
        rows->rows[i].label = q;
    }
    wfi_free(sorted);
    return WF_OK;
}

/* Every choice a row of its own; as many rows as before are kept. */
static wf_status choices(wf_rows *rows, wf_err *err) {
    wf_row *all = wfi_alloc(rows->count, sizeof *all);
    size_t n = 0;
    if (!all) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < rows->count; i++)
        for (int32_t c = 0; c < rows->rows[i].choice_count && n < rows->count; c++)
            all[n++] = (wf_row){.text = rows->rows[i].text,
                                .pair = rows->rows[i].choices[c],
                                .label = c == rows->rows[i].label,
                                .line = rows->rows[i].line};
    wfi_rows_clear(rows);
    *rows = (wf_rows){.rows = all, .count = n};
    return WF_OK;
}

/* The commonest sets of labels are classes 0 to SETS - 1, by their first row; all others are class SETS. */
static wf_status sets(wf_rows *rows, size_t labels, wf_err *err) {
    size_t *first = wfi_alloc(rows->count, sizeof *first), *times = wfi_alloc(rows->count, sizeof *times), found = 0;
    int32_t *of = wfi_alloc(rows->count, sizeof *of);
    const bool good = first && times && of;
    for (size_t i = 0; good && i < rows->count; i++) {
        size_t k = 0;
        while (k < found && memcmp(rows->rows[first[k]].labels, rows->rows[i].labels, labels) != 0) k++;
        if (k == found) first[found++] = i;
        times[k]++;
        of[i] = (int32_t)k;
    }
    for (size_t i = 0; good && i < rows->count; i++) {
        int32_t before = 0; /* sets that are commoner, or as common and earlier */
        const size_t k = (size_t)of[i];
        for (size_t q = 0; q < found; q++) before += times[q] > times[k] || (times[q] == times[k] && q < k);
        rows->rows[i].label = before < SETS ? before : SETS;
    }
    wfi_free(first);
    wfi_free(times);
    wfi_free(of);
    return good ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

static wf_status classes_make(const wf_task *task, wf_probe_rows *p, wf_err *err) {
    switch (task->kind) {
    case WF_KIND_CLASSIFICATION:
        p->classes = task->label_count;
        return WF_OK;
    case WF_KIND_REGRESSION:
        p->classes = QUARTERS;
        return quarters(&p->rows, err);
    case WF_KIND_MULTIPLE_CHOICE:
        p->classes = 2;
        return choices(&p->rows, err);
    case WF_KIND_MULTILABEL:
        p->classes = SETS + 1;
        return sets(&p->rows, (size_t)task->label_count, err);
    }
    return wfi_fail(err, WF_E_UNSUPPORTED, "task \"%s\" is of an unknown kind", task->name);
}

void wfi_probe_rows_clear(wf_probe_rows *p) {
    wfi_rows_clear(&p->rows);
    wfi_free(p->label);
    *p = (wf_probe_rows){0};
}

wf_status wfi_probe_rows(const wf_task *task, size_t most, uint64_t seed, wf_probe_rows *out, wf_err *err) {
    const size_t n = task->train.count < most ? task->train.count : most;
    int64_t *indices = NULL;
    wf_probe_rows p = {0};
    WF_TRY(wfi_rows_sample(&task->train, task, n, seed, &indices, err));
    wf_status st = wfi_rows_pick(&task->train, indices, n, &p.rows, err);
    wfi_free(indices);
    if (st == WF_OK) st = classes_make(task, &p, err);
    if (st == WF_OK && !(p.label = wfi_alloc(p.rows.count, sizeof *p.label)))
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    bool several = false;
    for (size_t i = 0; st == WF_OK && i < p.rows.count; i++) {
        p.label[i] = p.rows.rows[i].label;
        several |= p.label[i] != p.label[0];
    }
    if (st == WF_OK && !several)
        st = wfi_fail(err, WF_E_DATA, "the training rows of task \"%s\" are all of one class", task->name);
    if (st != WF_OK) {
        wfi_probe_rows_clear(&p);
        return st;
    }
    p.as = (wf_task){.kind = WF_KIND_CLASSIFICATION,
                     .has_pair = task->has_pair || task->kind == WF_KIND_MULTIPLE_CHOICE,
                     .label_count = p.classes};
    *out = p;
    return WF_OK;
}
