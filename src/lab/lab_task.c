/* lab/lab_task.c - tasks: read once, kept as the lab's own copy. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/aside.h"
#include <stdio.h>
#include <string.h>

static wf_status task_store(wf_lab *lab, const wf_task *task, const char *path, const char *aside, char **json,
                            wf_err *err) {
    json_t *info = NULL, *files = NULL;
    char *described = NULL, *place = NULL, *text = NULL, hex[65], relative[160];
    wf_status st = wfi_task_save(task, aside, err);
    if (st == WF_OK) st = wfi_task_describe(task, &described, err);
    if (st == WF_OK) st = wfi_json_parse(described, strlen(described), "task", &info, err);
    if (st == WF_OK) st = wfi_lab_tree_hash(aside, &files, hex, err);
    if (st != WF_OK) goto done;
    json_object_set(info, "files", files);
    json_object_set_new(info, "source", json_string(path));
    snprintf(relative, sizeof relative, "tasks/%s-%.12s", task->name, hex);
    place = wfi_lab_path(lab, relative);
    text = wfi_json_text(info, false);
    if (!place || !text) {
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        goto done;
    }
    WF_GO(wfi_lab_tree_place(aside, place, err));
    const wf_record record = {.kind = (char *)"task", .name = task->name, .hash = hex, .path = relative, .json = text};
    WF_GO(wfi_registry_put(lab->registry, &record, NULL, err));
    const json_t *warning;
    size_t i;
    json_array_foreach(json_object_get(info, "warnings"), i, warning)
        wfi_lab_message(lab, "warning", "%s: %s", task->name, json_string_value(warning));
    json_object_del(info, "files");
    json_object_set_new(info, "hash", json_string(hex));
    st = wfi_lab_give(json_incref(info), json, err);
done:
    json_decref(info);
    json_decref(files);
    wfi_free(described);
    wfi_free(place);
    wfi_free(text);
    return st;
}

wf_status wf_task_add(wf_lab *lab, const wf_task_spec *s, char **json, wf_err *err) {
    WF_TRY(wfi_lab_name_check("task", s->name, err));
    wf_record record = {0};
    if (wfi_registry_get(lab->registry, "task", s->name, &record, NULL) == WF_OK) {
        wfi_record_clear(&record);
        return wfi_fail(err, WF_E_EXISTS, "task \"%s\" is in this lab already; choose another name or: weft rm %s",
                        s->name, s->name);
    }
    const wf_task_options o = {.kind = s->kind,
                               .text = s->text,
                               .pair = s->pair,
                               .label = s->label,
                               .group = s->group,
                               .metric = s->metric,
                               .seed = s->seed,
                               .dev_share = s->dev_share,
                               .test_share = s->test_share,
                               .split_group = s->split_group};
    wf_task *task = NULL;
    wf_aside aside = {.lock = -1};
    wf_status st = wfi_task_read(s->name, s->path, &o, &task, err);
    if (st == WF_OK) st = wfi_aside_open(lab, "tasks", s->name, &aside, err);
    if (st == WF_OK) st = task_store(lab, task, s->path, aside.path, json, err);
    wfi_aside_close(&aside);
    wfi_task_free(task);
    return st;
}

wf_status wf_task_list(wf_lab *lab, char **json, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0;
    WF_TRY(wfi_registry_list(lab->registry, "task", &records, &count, err));
    json_t *all = json_array();
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        json_t *j = NULL;
        st = wfi_lab_record_json(&records[i], &j, err);
        if (st != WF_OK) break;
        json_object_del(j, "files");
        json_array_append_new(all, j);
    }
    wfi_records_free(records, count);
    if (st != WF_OK) {
        json_decref(all);
        return st;
    }
    return wfi_lab_give(json_pack("{s:o}", "tasks", all), json, err);
}

wf_status wfi_lab_task(wf_lab *lab, const char *name, wf_task **out, wf_record *record, wf_err *err) {
    wf_record r = {0};
    if (!name) return wfi_fail(err, WF_E_ARG, "which task? see: weft task list");
    WF_TRY(wfi_registry_get(lab->registry, "task", name, &r, err));
    char *dir = wfi_lab_path(lab, r.path);
    wf_status st = dir ? wfi_task_open(dir, out, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(dir);
    if (st == WF_OK && record)
        *record = r;
    else
        wfi_record_clear(&r);
    return st;
}
