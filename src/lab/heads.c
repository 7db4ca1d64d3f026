/* lab/heads.c - see heads.h. */
#include "lab/heads.h"
#include "base/error.h"
#include <stdio.h>
#include <string.h>

wf_status wfi_head_for(const wf_trained *t, const wf_settings *s, const char *name, const wf_task *task, wf_head **out,
                       wf_err *err) {
    const char *pooling = s->pooling ? s->pooling : json_string_value(json_object_get(t->base->info, "pooling"));
    if (!pooling) pooling = "cls";
    const bool classes = task->kind == WF_KIND_CLASSIFICATION || task->kind == WF_KIND_MULTILABEL;
    const wf_head_spec spec = {.kind = task->kind,
                               .classes = classes ? task->label_count : 1,
                               .layers = s->head_layers ? s->head_layers : 2,
                               .pooling = strcmp(pooling, "mean") == 0 ? WF_POOL_MEAN : WF_POOL_CLS,
                               .pooler = strcmp(pooling, "pooler") == 0,
                               .dropout = (float)s->head_dropout,
                               .labels = classes ? task->labels : NULL,
                               .hidden_size = t->base->model->config.hidden_size};
    if (spec.pooler && !t->base->model->pooler.weight)
        return wfi_fail(err, WF_E_ARG, "this base has no pooler; use --pooling mean or cls");
    WF_TRY(wfi_head_new(name, &spec, s->seed, out, err));
    if (task->kind == WF_KIND_REGRESSION && task->train.count) {
        double sum = 0, squares = 0;
        const double n = (double)task->train.count;
        for (size_t i = 0; i < task->train.count; i++) sum += task->train.rows[i].target;
        for (size_t i = 0; i < task->train.count; i++)
            squares += (task->train.rows[i].target - sum / n) * (task->train.rows[i].target - sum / n);
        (*out)->target_mean = (float)(sum / n);
        (*out)->target_std = squares > 0 ? (float)__builtin_sqrt(squares / n) : 1.0f;
    }
    return WF_OK;
}

json_t *wfi_model_heads(const json_t *info) {
    return json_object_get(info, "heads");
}

/* In the order in which they were given. */
static wf_status which_head(const char *name, const json_t *info, const char **task, wf_err *err) {
    const json_t *tasks = json_object_get(info, "tasks"), *one;
    const char *first = json_string_value(json_array_get(tasks, 0));
    wf_buffer list = {0};
    size_t i;
    json_array_foreach(tasks, i, one) wfi_buffer_printf(&list, "%s%s", i ? ", " : "", json_string_value(one));
    if (!*task && json_array_size(tasks) == 1) *task = first;
    wf_status st = WF_OK;
    if (!first || list.failed)
        st = wfi_fail(err, WF_E_DATA, "the lab's record of \"%s\" names no tasks", name);
    else if (!*task)
        st = wfi_fail(err, WF_E_ARG, "\"%s\" has heads for %.300s; say which: %s:%s", name, list.data, name, first);
    else if (!json_object_get(wfi_model_heads(info), *task))
        st = wfi_fail(err, WF_E_NOTFOUND, "\"%s\" has no head for \"%.64s\"; it has heads for %.300s", name, *task,
                      list.data);
    wfi_buffer_clear(&list);
    return st;
}

static wf_status head_choose(const char *name, const char *task, json_t *info, char out[65], wf_err *err) {
    json_t *heads = wfi_model_heads(info);
    const char *own = json_string_value(json_object_get(info, "task"));
    if (heads) {
        WF_TRY(which_head(name, info, &task, err));
        json_object_update(info, json_object_get(heads, task));
        snprintf(out, 65, "%.64s", task);
    } else if (task && (!own || strcmp(own, task) != 0)) {
        return wfi_fail(err, WF_E_NOTFOUND, "\"%s\" is a model of task \"%s\", not of \"%.64s\"", name, own ? own : "?",
                        task);
    }
    return WF_OK;
}

wf_status wfi_model_find(wf_lab *lab, const char *name, wf_record *record, json_t **info, char task[65], wf_err *err) {
    const char *colon = strchr(name, ':');
    char stem[129], chosen[65] = "";
    wf_record r = {0};
    snprintf(stem, sizeof stem, "%.*s", colon && colon - name < 128 ? (int)(colon - name) : 128, name);
    WF_TRY(wfi_registry_get(lab->registry, "model", stem, &r, err));
    wf_status st = wfi_lab_record_json(&r, info, err);
    if (st == WF_OK) {
        st = head_choose(stem, colon ? colon + 1 : NULL, *info, chosen, err);
        if (st != WF_OK) json_decref(*info);
    }
    if (st != WF_OK) *info = NULL;
    if (task) memcpy(task, chosen, sizeof chosen);
    if (st == WF_OK && record)
        *record = r;
    else
        wfi_record_clear(&r);
    return st;
}

wf_status wfi_pairs_check(const char *model, wf_pairs of, bool given, wf_err *err) {
    if (of == WF_PAIRS_YES && !given)
        return wfi_fail(err, WF_E_ARG,
                        "\"%s\" is about pairs of texts; give the second with --pair, or rows of pairs with --input",
                        model);
    if (of == WF_PAIRS_NO && given)
        return wfi_fail(err, WF_E_ARG,
                        "\"%s\" is about single texts and was never trained on a second one; leave --pair out", model);
    return WF_OK;
}

wf_status wfi_model_pairs(wf_lab *lab, const json_t *info, wf_pairs *out, wf_task *fields, wf_err *err) {
    const char *name = json_string_value(json_object_get(info, "task"));
    wf_record record = {0};
    json_t *j = NULL;
    *out = WF_PAIRS_UNKNOWN;
    if (!name) return WF_OK;
    wf_status st = wfi_registry_get(lab->registry, "task", name, &record, err);
    if (st == WF_E_NOTFOUND) return WF_OK;
    if (st == WF_OK) st = wfi_json_parse(record.json, strlen(record.json), name, &j, err);
    if (st == WF_OK && fields) st = wfi_task_fields_set(fields, json_object_get(j, "fields"), err);
    if (st == WF_OK) *out = json_is_true(json_object_get(j, "pair")) ? WF_PAIRS_YES : WF_PAIRS_NO;
    json_decref(j);
    wfi_record_clear(&record);
    return st;
}

wf_status wfi_model_spread(wf_lab *lab, const char *name, json_t *list, wf_err *err) {
    wf_record r = {0};
    json_t *info = NULL, *one;
    size_t i;
    if (strchr(name, ':') || wfi_registry_get(lab->registry, "model", name, &r, NULL) != WF_OK) {
        json_array_append_new(list, json_string(name)); /* what is wrong with it is said when it is opened */
        return WF_OK;
    }
    wf_status st = wfi_lab_record_json(&r, &info, err);
    json_array_foreach(json_object_get(info, "tasks"), i, one)
        json_array_append_new(list, json_sprintf("%s:%s", name, json_string_value(one)));
    if (st == WF_OK && !wfi_model_heads(info)) json_array_append_new(list, json_string(name));
    json_decref(info);
    wfi_record_clear(&r);
    return st;
}
