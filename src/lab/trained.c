/* lab/trained.c - making and opening trained things. See trained.h. */
#include "lab/trained.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "hub/hub.h"
#include "lab/heads.h"
#include "lab/mean.h"
#include "lab/packs.h"
#include "lab/precision.h"
#include <stdio.h>
#include <string.h>

static wf_status context_make(wf_trained *t, wf_err *err) {
    WF_TRY(wfi_context_new(t->full ? t->full : t->base->model, &t->context, err));
    t->context->adapter = t->adapter;
    t->context->fusion = t->fusion;
    t->context->head = t->head;
    return WF_OK;
}

/* Path of a stored model's folder or one below it; wfi_free. */
static char *folder_of(wf_lab *lab, const wf_record *r, const char *below) {
    char *dir = wfi_lab_path(lab, r->path);
    char *path = dir ? wfi_path_join(dir, below) : NULL;
    wfi_free(dir);
    return path;
}

wf_status wfi_fused_open(wf_lab *lab, const wf_open_base *base, const char *name, wf_adapter **out, wf_err *err) {
    wf_record r = {0};
    WF_TRY(wfi_registry_get(lab->registry, "model", name, &r, err));
    json_t *info = NULL;
    char *dir = folder_of(lab, &r, "adapter");
    const wf_base_shape shape = wfi_context_shape(base->model);
    wf_status st = dir ? wfi_lab_record_json(&r, &info, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    const char *base_hash = json_string_value(json_object_get(info, "base_hash"));
    if (st == WF_OK) st = wfi_lab_tree_check(lab, &r, err);
    if (st == WF_OK && !wfi_dir_exists(dir))
        st = wfi_fail(err, WF_E_ARG, "\"%s\" is no adapter; only adapters can be fused", name);
    else if (st == WF_OK && (!base_hash || strcmp(base_hash, base->hash) != 0))
        st = wfi_fail(err, WF_E_ARG,
                      "adapter \"%s\" was trained on another base; adapters of one base only can be fused", name);
    if (st == WF_OK) st = wfi_hub_adapter_open(dir, name, &shape, out, err);
    json_decref(info);
    wfi_free(dir);
    wfi_record_clear(&r);
    return st;
}

/* Out of what was made for this training, else out of the lab. */
static wf_status source_take(wf_lab *lab, const wf_trained *t, const wf_settings *s, const char *name, wf_adapter **out,
                             wf_err *err) {
    for (size_t i = 0; s->made && i < s->made->count; i++) {
        wf_adapter **a = &s->made->adapter[i];
        if (!*a || strcmp((*a)->name, name) != 0) continue;
        *out = *a;
        *a = NULL;
        return WF_OK;
    }
    return wfi_fused_open(lab, t->base, name, out, err);
}

static wf_status mean_new(wf_lab *lab, wf_trained *t, const wf_settings *s, const char *name, wf_err *err) {
    const size_t n = json_array_size(s->from);
    wf_adapter **all = wfi_alloc(n, sizeof *all);
    double *weights = wfi_alloc(n, sizeof *weights);
    wf_status st = all && weights ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < n; i++) {
        const json_t *w = json_array_get(s->weights, i);
        weights[i] = s->weights ? json_number_value(w) : 1;
        st = source_take(lab, t, s, json_string_value(json_array_get(s->from, i)), &all[i], err);
    }
    if (st == WF_OK) st = wfi_adapters_mean(all, weights, n, name, &t->adapter, err);
    t->adapter_frozen = true;
    for (size_t i = 0; all && i < n; i++) wfi_adapter_free(all[i]);
    wfi_free(all);
    wfi_free(weights);
    return st;
}

static wf_status fusion_new(wf_lab *lab, wf_trained *t, const wf_settings *s, const char *name, wf_err *err) {
    const size_t n = json_array_size(s->from);
    t->fused = wfi_alloc(n, sizeof *t->fused);
    if (!t->fused) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const char *from = json_string_value(json_array_get(s->from, i));
        for (size_t k = 0; k < i; k++)
            if (strcmp(from, t->fused[k]->name) == 0)
                return wfi_fail(err, WF_E_ARG, "adapter \"%s\" stands twice in the fusion", from);
        WF_TRY(source_take(lab, t, s, from, &t->fused[i], err));
        t->fused_count = i + 1;
    }
    const wf_base_shape shape = wfi_context_shape(t->base->model);
    (void)name; /* the library's convention: a fusion is named by its adapters */
    WF_TRY(wfi_fusion_new(NULL, s->config ? s->config : "dynamic", t->fused, n, &shape, s->seed, &t->fusion, err));
    return wfi_fusion_drop_path(t->fusion, (float)s->stochastic_depth, err);
}

/* The method with its stochastic depth as a setting of its own, as the adapter's configuration keeps it. */
static wf_status adapter_new(wf_trained *t, const wf_settings *s, const char *name, const wf_base_shape *shape,
                             wf_err *err) {
    if (s->stochastic_depth == 0) return wfi_adapter_new(name, s->method, shape, s->seed, &t->adapter, err);
    char method[512];
    const size_t n = strlen(s->method);
    const bool settings = n && s->method[n - 1] == ']';
    if (s->method[0] == '{' || n + 40 > sizeof method)
        return wfi_fail(err, WF_E_ARG, "write stochastic_depth into the method's own settings: %.80s", s->method);
    snprintf(method, sizeof method, "%.*s%sstochastic_depth=%.9g]", (int)(n - settings), s->method,
             settings ? "," : "[", s->stochastic_depth);
    WF_TRY(wfi_adapter_new(name, method, shape, s->seed, &t->adapter, err));
    if (!wfi_adapter_is_bottleneck(t->adapter) || json_is_true(json_object_get(t->adapter->config, "is_parallel")))
        return wfi_fail(err, WF_E_ARG,
                        "stochastic depth is for bottleneck adapters that are not parallel, not for %.80s", s->method);
    return WF_OK;
}

/* All but the heads. */
static wf_status body_make(wf_lab *lab, const wf_settings *s, const char *name, wf_trained *t, wf_err *err) {
    WF_TRY(wfi_lab_base(lab, s->base, s->base_dtype, &t->base, err));
    const wf_base_shape shape = wfi_context_shape(t->base->model);
    if (t->max_length > t->base->model->config.max_positions) t->max_length = t->base->model->config.max_positions;
    if (!(t->name = wfi_strdup(name))) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (s->kind == WF_METHOD_ADAPTER) WF_TRY(adapter_new(t, s, name, &shape, err));
    if (s->kind == WF_METHOD_FUSION) WF_TRY(fusion_new(lab, t, s, name, err));
    if (s->kind == WF_METHOD_MEAN) WF_TRY(mean_new(lab, t, s, name, err));
    if (s->kind == WF_METHOD_FULL) return wfi_bert_copy(t->base->model, t->base->dtype, &t->full, err);
    return wfi_bert_pack(t->base->model, s->kind == WF_METHOD_ADAPTER || s->kind == WF_METHOD_FUSION, t->base->dtype,
                         err);
}

static wf_status ready(wf_trained *t, const wf_settings *s, wf_status st, wf_err *err) {
    if (st == WF_OK) st = context_make(t, err);
    if (st == WF_OK) t->context->base_dropout = s->base_dropout > 0;
    if (st != WF_OK) wfi_trained_clear(t);
    return st;
}

static int32_t columns(const wf_task *task) {
    return task->kind == WF_KIND_REGRESSION ? 1 : task->label_count;
}

wf_status wfi_trained_new(wf_lab *lab, const wf_settings *s, const char *name, const wf_task *task, wf_trained *t,
                          wf_err *err) {
    *t = (wf_trained){
        .kind = task->kind, .classes = columns(task), .max_length = s->max_length, .own_dtype = s->base_dtype};
    wf_status st = body_make(lab, s, name, t, err);
    if (st == WF_OK) st = wfi_head_for(t, s, name, task, &t->head, err);
    return ready(t, s, st, err);
}

wf_status wfi_trained_new_joint(wf_lab *lab, const wf_settings *s, const char *name, wf_task *const *tasks,
                                size_t count, wf_trained *t, wf_err *err) {
    *t = (wf_trained){.max_length = s->max_length, .own_dtype = s->base_dtype};
    wf_status st = body_make(lab, s, name, t, err);
    t->heads = wfi_alloc(count, sizeof *t->heads);
    t->head_tasks = wfi_alloc(count, sizeof *t->head_tasks);
    if (st == WF_OK && (!t->heads || !t->head_tasks)) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t k = 0; st == WF_OK && k < count; k++) {
        t->head_count = k + 1;
        if (!(t->head_tasks[k] = wfi_strdup(tasks[k]->name))) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        if (st == WF_OK) st = wfi_head_for(t, s, tasks[k]->name, tasks[k], &t->heads[k], err);
    }
    if (st == WF_OK) t->head = t->heads[0];
    st = ready(t, s, st, err);
    if (st == WF_OK) wfi_trained_use(t, 0, tasks[0]);
    return st;
}

void wfi_trained_use(wf_trained *t, size_t k, const wf_task *task) {
    t->head = t->heads[k];
    t->context->head = t->head;
    t->kind = task->kind;
    t->classes = columns(task);
}

wf_status wfi_trained_sets(wf_trained *t, const wf_settings *s, wf_pset *sets[WF_TRAINED_SETS], size_t *count,
                           wf_err *err) {
    size_t n = 0;
    if (t->full) sets[n++] = &t->full->params;
    if (t->adapter && s->kind != WF_METHOD_MEAN) sets[n++] = &t->adapter->params;
    if (t->fusion) sets[n++] = &t->fusion->params;
    if (t->fusion && s->train_adapters) {
        if (t->fused_count + n + 1 > WF_TRAINED_SETS)
            return wfi_fail(err, WF_E_ARG, "at most %d adapters can be trained along with a fusion",
                            WF_TRAINED_SETS - 2);
        for (size_t i = 0; i < t->fused_count; i++) sets[n++] = &t->fused[i]->params;
    }
    if (n + (t->head_count ? t->head_count : 1) > WF_TRAINED_SETS)
        return wfi_fail(err, WF_E_ARG, "at most %d tasks can be trained together", WF_TRAINED_SETS - 1);
    for (size_t k = 0; k < t->head_count; k++) sets[n++] = &t->heads[k]->params;
    if (!t->head_count) sets[n++] = &t->head->params;
    for (size_t i = 0; i < n; i++) WF_TRY(wfi_pset_trainable(sets[i], true, err));
    *count = n;
    return WF_OK;
}

wf_status wfi_trained_freeze(wf_trained *t, wf_err *err) {
    if (t->full) WF_TRY(wfi_pset_trainable(&t->full->params, false, err));
    if (t->adapter) WF_TRY(wfi_pset_trainable(&t->adapter->params, false, err));
    if (t->fusion) WF_TRY(wfi_pset_trainable(&t->fusion->params, false, err));
    for (size_t i = 0; i < t->fused_count; i++) WF_TRY(wfi_pset_trainable(&t->fused[i]->params, false, err));
    for (size_t k = 0; k < t->head_count; k++) WF_TRY(wfi_pset_trainable(&t->heads[k]->params, false, err));
    return wfi_pset_trainable(&t->head->params, false, err);
}

int64_t wfi_trained_size(const wf_trained *t) {
    int64_t heads = t->head_count ? 0 : t->head->params.total;
    for (size_t k = 0; k < t->head_count; k++) heads += t->heads[k]->params.total;
    return heads + (t->full ? t->full->params.total : 0) +
           (t->adapter && !t->adapter_frozen ? t->adapter->params.total : 0) +
           (t->fusion ? t->fusion->params.total : 0);
}

void wfi_trained_clear(wf_trained *t) {
    wfi_context_free(t->context);
    for (size_t k = 0; k < t->head_count; k++) {
        wfi_head_free(t->heads[k]);
        wfi_free(t->head_tasks[k]);
    }
    if (!t->head_count) wfi_head_free(t->head);
    wfi_free(t->heads);
    wfi_free(t->head_tasks);
    wfi_fusion_free(t->fusion);
    for (size_t i = 0; i < t->fused_count; i++) wfi_adapter_free(t->fused[i]);
    wfi_free(t->fused);
    wfi_adapter_free(t->adapter);
    wfi_bert_free(t->full);
    json_decref(t->info);
    wfi_free(t->name);
    wfi_free(t->parent);
    *t = (wf_trained){0};
}

/* ---- opening ---- */

static wf_status full_load(wf_bert *m, const char *dir, wf_err *err) {
    char *path = wfi_path_join(dir, "model.safetensors");
    wf_source source = {0};
    wf_status st = path ? wfi_safetensors_open(path, &source, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < m->params.count; i++) {
        wf_param *p = m->params.params[i];
        const wf_tensor *t = NULL;
        if (!wfi_pset_owns(&m->params, p)) continue;
        st = wfi_source_get(&source, p->name, p->rank, p->shape, &t, err);
        if (st == WF_OK && t->dtype != WF_DTYPE_F32)
            st = wfi_fail(err, WF_E_DATA, "%s: tensor %s is not F32", path, p->name);
        if (st == WF_OK) memcpy(p->data, t->data, (size_t)p->count * sizeof(float));
    }
    wfi_source_close(&source);
    wfi_free(path);
    return st;
}

static wf_status fusion_open(wf_lab *lab, wf_trained *t, const char *dir, const char *own_adapters, wf_err *err) {
    char **names = NULL;
    size_t count = 0;
    const wf_base_shape shape = wfi_context_shape(t->base->model);
    WF_TRY(wfi_hub_fusion_names(dir, &names, &count, err));
    t->fused = wfi_alloc(count, sizeof *t->fused);
    wf_status st = t->fused ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        char *own = wfi_path_join(own_adapters, names[i]);
        if (!own)
            st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        else if (wfi_dir_exists(own))
            st = wfi_hub_adapter_open(own, names[i], &shape, &t->fused[i], err);
        else
            st = wfi_fused_open(lab, t->base, names[i], &t->fused[i], err);
        wfi_free(own);
        if (st == WF_OK) t->fused_count = i + 1;
    }
    if (st == WF_OK) st = wfi_hub_fusion_open(dir, t->fused, count, &shape, &t->fusion, err);
    wfi_names_free(names, count);
    return st;
}

/* task: of the head, "" where there is one only. */
static wf_status parts_open(wf_lab *lab, wf_trained *t, const wf_record *r, const char *task, wf_err *err) {
    char below[96];
    snprintf(below, sizeof below, "heads/%s", task);
    char *head = folder_of(lab, r, *task ? below : "head"), *adapter = folder_of(lab, r, "adapter"),
         *fusion = folder_of(lab, r, "fusion"), *full = folder_of(lab, r, "full"), *own = folder_of(lab, r, "adapters");
    const wf_base_shape shape = wfi_context_shape(t->base->model);
    wf_status st = head && adapter && fusion && full && own
                       ? wfi_hub_head_open(head, NULL, t->base->model->config.head_dropout, &t->head, err)
                       : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && wfi_dir_exists(adapter)) st = wfi_hub_adapter_open(adapter, NULL, &shape, &t->adapter, err);
    if (st == WF_OK && wfi_dir_exists(fusion)) st = fusion_open(lab, t, fusion, own, err);
    if (st == WF_OK && wfi_dir_exists(full) && t->base->dtype == WF_DTYPE_I8)
        st = wfi_fail(err, WF_E_ARG,
                      "\"%s\" is a trained base itself, multiplied in f32 or bf16; int8 is for frozen ones", t->name);
    if (st == WF_OK && wfi_dir_exists(full)) {
        st = wfi_bert_copy(t->base->model, t->base->dtype, &t->full, err);
        if (st == WF_OK) st = full_load(t->full, full, err);
    }
    char *all[] = {head, adapter, fusion, full, own};
    for (size_t i = 0; i < 5; i++) wfi_free(all[i]);
    return st;
}

/* asked: the type of the base; NULL: the model's own. */
static wf_status open_in(wf_lab *lab, const char *name, const wf_dtype *asked, wf_trained *t, wf_err *err) {
    wf_record r = {0};
    char task[65];
    *t = (wf_trained){0};
    WF_TRY(wfi_model_find(lab, name, &r, &t->info, task, err));
    const char *base = NULL, *kind = NULL;
    int64_t classes = 0;
    wf_status st = wfi_lab_tree_check(lab, &r, err); /* a changed model must not answer */
    if (st == WF_OK) st = wfi_json_str(t->info, "base", name, &base, err);
    if (st == WF_OK) st = wfi_json_str(t->info, "kind", name, &kind, err);
    if (st == WF_OK) st = wfi_json_int(t->info, "classes", name, 1, INT32_MAX, &classes, err);
    if (st == WF_OK) st = wfi_json_int(t->info, "max_length", name, 1, 1 << 20, &t->max_length, err);
    const char *type = json_string_value(json_object_get(t->info, "base_dtype"));
    if (st == WF_OK && !wfi_precision_parse(type, &t->own_dtype))
        st = wfi_fail(err, WF_E_DATA, "the lab's record of \"%s\" has base type \"%s\"", name, type);
    if (st == WF_OK) st = wfi_lab_base(lab, base, asked ? *asked : t->own_dtype, &t->base, err);
    if (st == WF_OK && !wfi_kind_parse(kind, &t->kind))
        st = wfi_fail(err, WF_E_DATA, "the lab's record of \"%s\" has kind \"%s\"", name, kind);
    t->classes = (int32_t)classes;
    if (st == WF_OK && !(t->name = wfi_strdup(name))) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = parts_open(lab, t, &r, task, err);
    if (st == WF_OK && !t->full) st = wfi_packs_make(t->base, WF_PACKS_LEAST, err);
    if (st == WF_OK) st = wfi_trained_freeze(t, err);
    if (st == WF_OK) st = context_make(t, err);
    wfi_record_clear(&r);
    if (st != WF_OK) wfi_trained_clear(t);
    return st;
}

wf_status wfi_trained_open(wf_lab *lab, const char *name, wf_trained *t, wf_err *err) {
    return open_in(lab, name, NULL, t, err);
}

wf_status wfi_trained_open_asked(wf_lab *lab, const char *name, wf_trained *t, wf_err *err) {
    return open_in(lab, name, lab->as_asked ? &lab->dtype : NULL, t, err);
}
