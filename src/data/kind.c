/* data/kind.c - what kind of task the labels make where none was asked for, and why. See settle.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "data/settle.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { NUMBERS_AS_CLASSES = 20 }; /* so many different whole numbers may still be names */

static wf_status decide(wf_task *task, wf_kind kind, wf_err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static wf_status decide(wf_task *task, wf_kind kind, wf_err *err, const char *format, ...) {
    char why[400];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    task->kind = kind;
    task->kind_why = wfi_strdup(why);
    return task->kind_why ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

/* Labels as numbers: how many rows have one, the first with a fraction, the first that is none. */
typedef struct numbers {
    size_t rows, different;
    const wf_raw *fraction, *word;
} numbers;

static numbers numbers_count(const wf_raws *all, const char *const *labels, size_t count) {
    numbers n = {0};
    for (size_t i = 0; i < all->count; i++) {
        const wf_raw *r = &all->rows[i];
        const bool number = !isnan(r->number);
        n.rows += number;
        if (!number && !n.word) n.word = r;
        if (number && !n.fraction && r->number != floor(r->number)) n.fraction = r;
    }
    for (size_t i = 0; i < count; i++) n.different += !isnan(wfi_label_number(labels[i]));
    return n;
}

wf_status wfi_kind_detect(wf_task *task, const wf_raws *all, const char *const *labels, size_t count, wf_err *err) {
    for (size_t i = 0; i < all->count; i++) {
        const wf_raw *r = &all->rows[i];
        if (r->choices) return decide(task, WF_KIND_MULTIPLE_CHOICE, err, "the rows have choices");
        if (r->kind == WF_LABEL_LIST)
            return decide(task, WF_KIND_MULTILABEL, err, "labels are lists (%s:%lld)", r->file, (long long)r->line);
    }
    const numbers n = numbers_count(all, labels, count);
    const bool amounts = n.fraction || n.different > NUMBERS_AS_CLASSES;
    /* A few odd values in a column of amounts (nan, n/a, 1,5) are mistakes, not one more class. */
    if (amounts && n.word && n.rows * 2 > all->count)
        return wfi_fail_at(err, WF_E_DATA, "label", n.word->line,
                           "%s:%lld: label \"%.80s\" is no number, and %zu of %zu labels are, so this looks like a "
                           "regression; mend or remove such rows, or say --kind classification",
                           n.word->file, (long long)n.word->line, n.word->label, n.rows, all->count);
    if (amounts && !n.word && n.fraction)
        return decide(task, WF_KIND_REGRESSION, err, "labels are numbers with fractions (%s:%lld: %.40s)",
                      n.fraction->file, (long long)n.fraction->line, n.fraction->label);
    if (amounts && !n.word) return decide(task, WF_KIND_REGRESSION, err, "labels are %zu different numbers", count);
    if (count > NUMBERS_AS_CLASSES && count > all->count / 2)
        return wfi_fail_at(
            err, WF_E_DATA, "label", -1,
            "task \"%s\": %zu different labels in %zu rows are hardly classes; is this the right --label "
            "field? (--kind classification insists)",
            task->name, count, all->count);
    if (n.word) return decide(task, WF_KIND_CLASSIFICATION, err, "labels are %zu different texts", count);
    return decide(task, WF_KIND_CLASSIFICATION, err,
                  "labels are only %zu different whole numbers (--kind regression takes them as amounts)", count);
}
