/* study/robust_sets.c - contrast sets, adversarial sets, checklists, other domains: tasks of the lab or files. See
 * robust.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "study/robust.h"
#include <string.h>

void wfi_robust_sets_clear(wf_robust *r) {
    for (size_t i = 0; r->sets && i < r->spec->set_count; i++) {
        wfi_task_free(r->sets[i].task);
        wfi_rows_clear(&r->sets[i].file);
        wfi_rows_clear(&r->sets[i].rows);
        wfi_truth_clear(&r->sets[i].truth);
        wfi_case_marks_clear(&r->sets[i].marks);
        wfi_free(r->sets[i].scored);
        wfi_free((void *)r->sets[i].mark);
        wfi_free(r->sets[i].order);
        wfi_free(r->sets[i].cases);
        wfi_free(r->sets[i].tests);
        wfi_free((void *)r->sets[i].groups);
    }
    wfi_free(r->sets);
}

/* The row in the terms of the study's task; false when it has no label there. */
static bool row_take(const wf_robust *r, const wf_task *from, const wf_row *row, wf_row *out) {
    *out = *row;
    if (r->task->has_pair != (row->pair != NULL)) return false;
    if (!from || r->task->kind != WF_KIND_CLASSIFICATION)
        return r->task->kind != WF_KIND_CLASSIFICATION || row->label >= 0;
    for (int32_t c = 0; row->label >= 0 && c < r->task->label_count; c++)
        if (strcmp(r->task->labels[c], from->labels[row->label]) == 0) {
            out->label = c;
            return true;
        }
    return false;
}

/* Whether the row's case says anything of an answer without a label. */
static bool case_asks(const wf_case_mark *mark) {
    return mark && (mark->id || mark->test) && (mark->type != WF_CASE_MFT || mark->expect.move);
}

static void row_add(const wf_robust *r, wf_robust_set *set, const wf_row *row, const wf_case_mark *mark) {
    const size_t at = set->rows.count;
    const bool labelled = row_take(r, set->task, row, &set->rows.rows[at]);
    if (!labelled && (!case_asks(mark) || r->task->has_pair != (row->pair != NULL))) return;
    set->mark[at] = mark && (mark->id || mark->test) ? mark : NULL;
    if (labelled) set->scored[set->scored_count++] = at;
    set->rows.count++;
}

static wf_status rows_take(const wf_robust *r, wf_robust_set *set, wf_err *err) {
    const wf_rows *parts[] = {set->task ? &set->task->train : &set->file, set->task ? &set->task->dev : NULL,
                              set->task ? &set->task->test : NULL};
    size_t all = 0;
    for (int i = 0; i < 3; i++) all += parts[i] ? parts[i]->count : 0;
    set->rows.rows = wfi_alloc(all, sizeof *set->rows.rows);
    set->mark = wfi_alloc(all, sizeof *set->mark);
    set->scored = wfi_alloc(all, sizeof *set->scored);
    if (!set->rows.rows || !set->mark || !set->scored)
        return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", all);
    for (int i = 0; i < 3; i++)
        for (size_t k = 0; parts[i] && k < parts[i]->count; k++)
            row_add(r, set, &parts[i]->rows[k], k < set->marks.count ? &set->marks.rows[k] : NULL);
    set->left_out = all - set->rows.count;
    if (set->rows.count == 0)
        return wfi_fail(err, WF_E_DATA, "no row of \"%s\" has a label of task \"%s\"", set->name, r->task->name);
    WF_TRY(wfi_robust_cases(set, err));
    return wfi_truth_make(r->task, &set->rows, &set->truth, err);
}

static wf_status set_read(wf_robust *r, const char *name, wf_robust_set *set, wf_err *err) {
    wf_lab *lab = r->study.lab;
    set->name = name;
    if (strcmp(name, r->task->name) == 0)
        return wfi_fail(err, WF_E_ARG, "\"%s\" is the task of the study itself", name);
    if (wfi_file_exists(name)) {
        WF_TRY(wfi_rows_read(name, r->task, &(wf_task_options){.lenient = true}, false, &set->file, err));
        if (r->task->kind == WF_KIND_CLASSIFICATION) WF_TRY(wfi_case_marks_read(name, &set->marks, err));
    } else {
        wf_status st = wfi_lab_task(lab, name, &set->task, NULL, err);
        if (st == WF_E_NOTFOUND) return wfi_fail_in(err, st, "--sets %s is no file and no task", name);
        WF_TRY(st);
        if (set->task->kind != r->task->kind)
            return wfi_fail(err, WF_E_ARG, "task \"%s\" is of kind %s, \"%s\" of kind %s", name,
                            wfi_kind_name(set->task->kind), r->task->name, wfi_kind_name(r->task->kind));
        if (r->task->kind == WF_KIND_MULTILABEL && set->task->label_count != r->task->label_count)
            return wfi_fail(err, WF_E_ARG, "task \"%s\" has other labels than \"%s\"", name, r->task->name);
    }
    return rows_take(r, set, err);
}

wf_status wfi_robust_sets(wf_robust *r, wf_err *err) {
    r->sets = wfi_alloc(r->spec->set_count, sizeof *r->sets);
    if (!r->sets) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < r->spec->set_count; i++) {
        WF_TRY(set_read(r, r->spec->sets[i], &r->sets[i], err));
        if (r->sets[i].left_out)
            wfi_lab_message(r->study.lab, "note",
                            "%zu rows of %s have no label that the models know, and no case asks for them: left out",
                            r->sets[i].left_out, r->sets[i].name);
    }
    return WF_OK;
}
