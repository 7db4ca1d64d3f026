/* lab/trained.c - making, opening and storing trained things. See trained.h. */
#include "lab/trained.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "hub/hub.h"
#include "lab/aside.h"
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

static wf_status fusion_new(wf_lab *lab, wf_trained *t, const wf_settings *s, const char *name, wf_err *err) {
    const size_t n = json_array_size(s->from);
    t->fused = wfi_alloc(n, sizeof *t->fused);
    if (!t->fused) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const char *from = json_string_value(json_array_get(s->from, i));
        for (size_t k = 0; k < i; k++)
            if (strcmp(from, t->fused[k]->name) == 0)
                return wfi_fail(err, WF_E_ARG, "adapter \"%s\" stands twice in the fusion", from);
        WF_TRY(wfi_fused_open(lab, t->base, from, &t->fused[i], err));
        t->fused_count = i + 1;
    }
    const wf_base_shape shape = wfi_context_shape(t->base->model);
    (void)name; /* the library's convention: a fusion is named by its adapters */
    return wfi_fusion_new(NULL, s->config ? s->config : "dynamic", t->fused, n, &shape, s->seed, &t->fusion, err);
}

static wf_status head_make(wf_trained *t, const wf_settings *s, const char *name, const wf_task *task, wf_err *err) {
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
    WF_TRY(wfi_head_new(name, &spec, s->seed, &t->head, err));
    if (task->kind == WF_KIND_REGRESSION && task->train.count) {
        double sum = 0, squares = 0;
        const double n = (double)task->train.count;
        for (size_t i = 0; i < task->train.count; i++) sum += task->train.rows[i].target;
        for (size_t i = 0; i < task->train.count; i++)
            squares += (task->train.rows[i].target - sum / n) * (task->train.rows[i].target - sum / n);
        t->head->target_mean = (float)(sum / n);
        t->head->target_std = squares > 0 ? (float)__builtin_sqrt(squares / n) : 1.0f;
    }
    return WF_OK;
}

wf_status wfi_trained_new(wf_lab *lab, const wf_settings *s, const char *name, const wf_task *task, wf_trained *t,
                          wf_err *err) {
    *t = (wf_trained){.kind = task->kind, .max_length = s->max_length, .own_dtype = s->base_dtype};
    wf_status st = wfi_lab_base(lab, s->base, s->base_dtype, &t->base, err);
    if (st != WF_OK) return st;
    const wf_base_shape shape = wfi_context_shape(t->base->model);
    if (t->max_length > t->base->model->config.max_positions) t->max_length = t->base->model->config.max_positions;
    t->classes = task->kind == WF_KIND_REGRESSION ? 1 : task->label_count;
    t->name = wfi_strdup(name);
    if (!t->name) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && s->kind == WF_METHOD_ADAPTER)
        st = wfi_adapter_new(name, s->method, &shape, s->seed, &t->adapter, err);
    if (st == WF_OK && s->kind == WF_METHOD_FUSION) st = fusion_new(lab, t, s, name, err);
    if (st == WF_OK && s->kind == WF_METHOD_FULL) st = wfi_bert_copy_trainable(t->base->model, &t->full, err);
    if (st == WF_OK)
        st = wfi_bert_pack(t->base->model, s->kind != WF_METHOD_HEAD && s->kind != WF_METHOD_FULL, t->base->dtype, err);
    if (st == WF_OK) st = head_make(t, s, name, task, err);
    if (st == WF_OK) st = context_make(t, err);
    if (st == WF_OK) t->context->base_dropout = s->base_dropout > 0;
    if (st != WF_OK) wfi_trained_clear(t);
    return st;
}

wf_status wfi_trained_sets(wf_trained *t, const wf_settings *s, wf_pset *sets[WF_TRAINED_SETS], size_t *count,
                           wf_err *err) {
    size_t n = 0;
    if (t->full) sets[n++] = &t->full->params;
    if (t->adapter) sets[n++] = &t->adapter->params;
    if (t->fusion) sets[n++] = &t->fusion->params;
    if (t->fusion && s->train_adapters) {
        if (t->fused_count + n + 1 > WF_TRAINED_SETS)
            return wfi_fail(err, WF_E_ARG, "at most %d adapters can be trained along with a fusion",
                            WF_TRAINED_SETS - 2);
        for (size_t i = 0; i < t->fused_count; i++) sets[n++] = &t->fused[i]->params;
    }
    sets[n++] = &t->head->params;
    for (size_t i = 0; i < n; i++)
        if (sets[i] != (t->full ? &t->full->params : NULL)) WF_TRY(wfi_pset_trainable(sets[i], true, err));
    *count = n;
    return WF_OK;
}

wf_status wfi_trained_freeze(wf_trained *t, wf_err *err) {
    if (t->adapter) WF_TRY(wfi_pset_trainable(&t->adapter->params, false, err));
    if (t->fusion) WF_TRY(wfi_pset_trainable(&t->fusion->params, false, err));
    for (size_t i = 0; i < t->fused_count; i++) WF_TRY(wfi_pset_trainable(&t->fused[i]->params, false, err));
    return wfi_pset_trainable(&t->head->params, false, err);
}

int64_t wfi_trained_size(const wf_trained *t) {
    return t->head->params.total + (t->full ? t->full->params.total : 0) + (t->adapter ? t->adapter->params.total : 0) +
           (t->fusion ? t->fusion->params.total : 0);
}

void wfi_trained_clear(wf_trained *t) {
    wfi_context_free(t->context);
    wfi_head_free(t->head);
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

/* ---- storing ---- */

static wf_status full_save(const wf_bert *m, const char *dir, wf_err *err) {
    wf_tensor *tensors = wfi_alloc(m->params.count, sizeof *tensors);
    char *path = wfi_path_join(dir, "model.safetensors");
    wf_status st = tensors && path ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    size_t n = 0;
    for (size_t i = 0; st == WF_OK && i < m->params.count; i++) {
        const wf_param *p = m->params.params[i];
        if (!p->grad) continue; /* the base's own, e.g. the pooler */
        wf_tensor *t = &tensors[n++];
        *t = (wf_tensor){.name = p->name, .dtype = WF_DTYPE_F32, .rank = p->rank, .data = p->data};
        memcpy(t->shape, p->shape, sizeof p->shape);
    }
    if (st == WF_OK) st = wfi_safetensors_write(path, tensors, n, err);
    wfi_free(path);
    wfi_free(tensors);
    return st;
}

static wf_status full_load(wf_bert *m, const char *dir, wf_err *err) {
    char *path = wfi_path_join(dir, "model.safetensors");
    wf_source source = {0};
    wf_status st = path ? wfi_safetensors_open(path, &source, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < m->params.count; i++) {
        wf_param *p = m->params.params[i];
        const wf_tensor *t = NULL;
        if (!p->grad) continue;
        st = wfi_source_get(&source, p->name, p->rank, p->shape, &t, err);
        if (st == WF_OK && t->dtype != WF_DTYPE_F32)
            st = wfi_fail(err, WF_E_DATA, "%s: tensor %s is not F32", path, p->name);
        if (st == WF_OK) memcpy(p->data, t->data, (size_t)p->count * sizeof(float));
    }
    wfi_source_close(&source);
    wfi_free(path);
    return st;
}

typedef wf_status (*part_fn)(wf_trained *t, const char *dir, wf_err *err);
static wf_status part_head(wf_trained *t, const char *dir, wf_err *err) {
    return wfi_hub_head_save(t->head, t->base->name, dir, err);
}
static wf_status part_adapter(wf_trained *t, const char *dir, wf_err *err) {
    return t->adapter ? wfi_hub_adapter_save(t->adapter, t->base->name, dir, err) : WF_OK;
}
static wf_status part_fusion(wf_trained *t, const char *dir, wf_err *err) {
    return t->fusion ? wfi_hub_fusion_save(t->fusion, t->base->name, dir, err) : WF_OK;
}
static wf_status part_full(wf_trained *t, const char *dir, wf_err *err) {
    return t->full ? full_save(t->full, dir, err) : WF_OK;
}

static wf_status parts_write(wf_trained *t, const wf_settings *s, const char *aside, wf_err *err) {
    const struct {
        const char *folder;
        bool there;
        part_fn save;
    } parts[] = {{"head", true, part_head},
                 {"adapter", t->adapter != NULL, part_adapter},
                 {"fusion", t->fusion != NULL, part_fusion},
                 {"full", t->full != NULL, part_full}};
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].there) continue;
        char *dir = wfi_path_join(aside, parts[i].folder);
        st = dir ? wfi_dir_make(dir, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
        if (st == WF_OK) st = parts[i].save(t, dir, err);
        wfi_free(dir);
    }
    for (size_t i = 0; st == WF_OK && t->fusion && s->train_adapters && i < t->fused_count; i++) {
        char below[96];
        snprintf(below, sizeof below, "adapters/%s", t->fused[i]->name);
        char *dir = wfi_path_join(aside, below);
        st = dir ? wfi_dir_make(dir, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
        if (st == WF_OK) st = wfi_hub_adapter_save(t->fused[i], t->base->name, dir, err);
        wfi_free(dir);
    }
    return st;
}

static wf_status link_to(wf_lab *lab, int64_t id, const char *kind, const char *name, wf_err *err) {
    wf_record parent = {0};
    WF_TRY(wfi_registry_get(lab->registry, kind, name, &parent, err));
    wf_status st = wfi_registry_link(lab->registry, id, parent.id, err);
    wfi_record_clear(&parent);
    return st;
}

static wf_status model_register(wf_lab *lab, wf_trained *t, const wf_record *task, const wf_record *record,
                                wf_err *err) {
    int64_t id = 0;
    WF_TRY(wfi_registry_begin(lab->registry, err));
    wf_status st = wfi_registry_put(lab->registry, record, &id, err);
    if (st == WF_OK) st = link_to(lab, id, "base", t->base->name, err);
    if (st == WF_OK) st = link_to(lab, id, "task", task->name, err);
    for (size_t i = 0; st == WF_OK && i < t->fused_count; i++) st = link_to(lab, id, "model", t->fused[i]->name, err);
    if (st == WF_OK && t->parent) st = link_to(lab, id, "model", t->parent, err);
    if (st == WF_OK) return wfi_registry_commit(lab->registry, err);
    wfi_registry_rollback(lab->registry);
    return st;
}

wf_status wfi_trained_save(wf_lab *lab, wf_trained *t, const wf_settings *s, const wf_record *task, json_t *info,
                           wf_err *err) {
    char relative[160], hex[65];
    wf_aside aside;
    char *place = NULL, *text = NULL, *copy = NULL;
    json_t *files = NULL;
    wf_status st = wfi_aside_open(lab, "models", t->name, &aside, err);
    if (st == WF_OK && !(copy = wfi_path_join(aside.path, "weft.json")))
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = parts_write(t, s, aside.path, err);
    if (st == WF_OK) st = wfi_lab_tree_hash(aside.path, &files, hex, err);
    if (st == WF_OK) {
        json_object_set(info, "files", files);
        json_object_set_new(info, "hash", json_string(hex));
        st = wfi_json_write(copy, info, err);
    }
    if (st == WF_OK) {
        snprintf(relative, sizeof relative, "models/%s-%.12s", t->name, hex);
        place = wfi_lab_path(lab, relative);
        text = wfi_json_text(info, false);
        st = place && text ? wfi_lab_tree_place(aside.path, place, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    if (st == WF_OK) {
        const wf_record record = {
            .kind = (char *)"model", .name = t->name, .hash = hex, .path = relative, .json = text};
        st = model_register(lab, t, task, &record, err);
    }
    wfi_aside_close(&aside);
    json_decref(files);
    wfi_free(text);
    wfi_free(place);
    wfi_free(copy);
    return st;
}

/* ---- opening ---- */

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

static wf_status parts_open(wf_lab *lab, wf_trained *t, const wf_record *r, wf_err *err) {
    char *head = folder_of(lab, r, "head"), *adapter = folder_of(lab, r, "adapter"),
         *fusion = folder_of(lab, r, "fusion"), *full = folder_of(lab, r, "full"), *own = folder_of(lab, r, "adapters");
    const wf_base_shape shape = wfi_context_shape(t->base->model);
    wf_status st = head && adapter && fusion && full && own
                       ? wfi_hub_head_open(head, NULL, t->base->model->config.head_dropout, &t->head, err)
                       : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && wfi_dir_exists(adapter)) st = wfi_hub_adapter_open(adapter, NULL, &shape, &t->adapter, err);
    if (st == WF_OK && wfi_dir_exists(fusion)) st = fusion_open(lab, t, fusion, own, err);
    if (st == WF_OK && wfi_dir_exists(full)) {
        st = wfi_bert_copy_trainable(t->base->model, &t->full, err);
        if (st == WF_OK) st = full_load(t->full, full, err);
    }
    char *all[] = {head, adapter, fusion, full, own};
    for (size_t i = 0; i < 5; i++) wfi_free(all[i]);
    return st;
}

/* asked: the type of the base; NULL: the model's own. */
static wf_status open_in(wf_lab *lab, const char *name, const wf_dtype *asked, wf_trained *t, wf_err *err) {
    wf_record r = {0};
    *t = (wf_trained){0};
    WF_TRY(wfi_registry_get(lab->registry, "model", name, &r, err));
    const char *base = NULL, *kind = NULL;
    int64_t classes = 0;
    wf_status st = wfi_lab_tree_check(lab, &r, err); /* a changed model must not answer */
    if (st == WF_OK) st = wfi_lab_record_json(&r, &t->info, err);
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
    if (st == WF_OK) st = parts_open(lab, t, &r, err);
    if (st == WF_OK && t->full && t->base->dtype != t->own_dtype)
        st =
            wfi_fail(err, WF_E_ARG, "\"%s\" is a trained base itself (method full), in float32; %s is for frozen bases",
                     name, wfi_precision_name(t->base->dtype));
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
