/* fuzz/target_task.c - a JSONL file as a task: read, split, described, stored and opened again. */
#include "base/alloc.h"
#include "data/task.h"
#include "fuzz.h"
#include <stdio.h>
#include <string.h>

wf_status wf_fuzz_one(const uint8_t *data, size_t size, wf_err *err) {
    wf_task *t = NULL;
    char *described = NULL;
    wf_fuzz_write("task.jsonl", data, size);
    const wf_status st = wfi_task_read("task", wf_fuzz_path("task.jsonl"), NULL, &t, err);
    if (st != WF_OK) return st;
    WF_FUZZ_HOLDS(wfi_task_describe(t, &described, err) == WF_OK);
    for (size_t i = 0; i < t->train.count; i++)
        WF_FUZZ_HOLDS(t->train.rows[i].label < t->label_count && t->train.rows[i].text);
    wfi_free(described);
    wfi_task_free(t);
    return WF_OK;
}
