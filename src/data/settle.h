/* data/settle.h - from rows as they stand in files to rows of a kind. Private to data/. Layer 3. */
#ifndef WF_DATA_SETTLE_H
#define WF_DATA_SETTLE_H
#include "data/raw.h"

/* Kind (asked: option or NULL), labels, label_count and has_pair of the task from all rows together. */
wf_status wfi_settle_kind(wf_task *task, const wf_raws *all, const char *asked, wf_err *err);
/* The kind where none was asked for, from the rows and their `count` different labels, and task->kind_why. Refuses what
 * is hardly classes, and single texts among amounts, by file and line. */
wf_status wfi_kind_detect(wf_task *task, const wf_raws *all, const char *const *labels, size_t count, wf_err *err);
/* Rows chosen by index (NULL: all) in the task's terms; shares the pool. need_label: a row without label, or with one
 * that the task does not know, is an error; otherwise its label stays "not given". */
wf_status wfi_settle_rows(const wf_task *task, const wf_raws *from, const int64_t *indices, size_t n, bool need_label,
                          wf_rows *out, wf_err *err);
/* Share of every row: 0 train, 1 dev, 2 test. Rows of one text or one `together` value stay together; labels are spread
 * evenly. */
wf_status wfi_split_make(const wf_raws *all, bool numbers, double dev, double test, uint64_t seed, uint8_t *part,
                         wf_err *err);
#endif
