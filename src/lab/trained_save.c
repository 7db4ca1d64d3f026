/* lab/trained_save.c - storing trained things. See trained.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "hub/hub.h"
#include "lab/aside.h"
#include "lab/trained.h"
#include <stdio.h>
#include <string.h>

static wf_status full_save(const wf_bert *m, const char *dir, wf_err *err) {
    wf_tensor *tensors = wfi_alloc(m->params.count, sizeof *tensors);
    char *path = wfi_path_join(dir, "model.safetensors");
    wf_status st = tensors && path ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    size_t n = 0;
    for (size_t i = 0; st == WF_OK && i < m->params.count; i++) {
        const wf_param *p = m->params.params[i];
        if (!wfi_pset_owns(&m->params, p)) continue; /* the base's own, e.g. the pooler */
        wf_tensor *t = &tensors[n++];
        *t = (wf_tensor){.name = p->name, .dtype = WF_DTYPE_F32, .rank = p->rank, .data = p->data};
        memcpy(t->shape, p->shape, sizeof p->shape);
    }
    if (st == WF_OK) st = wfi_safetensors_write(path, tensors, n, err);
    wfi_free(path);
    wfi_free(tensors);
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

/* The folder ASIDE/FOLDER/NAME (wfi_free), made. */
static wf_status below_make(const char *aside, const char *folder, const char *name, char **out, wf_err *err) {
    char below[96];
    snprintf(below, sizeof below, "%s/%s", folder, name);
    *out = wfi_path_join(aside, below);
    return *out ? wfi_dir_make(*out, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

static wf_status parts_write(wf_trained *t, const wf_settings *s, const char *aside, wf_err *err) {
    const struct {
        const char *folder;
        bool there;
        part_fn save;
    } parts[] = {{"head", t->head_count == 0, part_head},
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
        char *dir = NULL;
        st = below_make(aside, "adapters", t->fused[i]->name, &dir, err);
        if (st == WF_OK) st = wfi_hub_adapter_save(t->fused[i], t->base->name, dir, err);
        wfi_free(dir);
    }
    for (size_t k = 0; st == WF_OK && k < t->head_count; k++) {
        char *dir = NULL;
        st = below_make(aside, "heads", t->head_tasks[k], &dir, err);
        if (st == WF_OK) st = wfi_hub_head_save(t->heads[k], t->base->name, dir, err);
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
    for (size_t k = 0; st == WF_OK && k < t->head_count; k++) st = link_to(lab, id, "task", t->head_tasks[k], err);
    if (st == WF_OK && !t->head_count) st = link_to(lab, id, "task", task->name, err);
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
