/* study/interact_heads.c - the tasks behind a fusion's adapters: one each, or several where an adapter was trained
 * jointly. See interact.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/heads.h"
#include "study/interact.h"

void wfi_interact_heads_free(wf_interact *x) {
    for (size_t i = 0; i < x->head_count; i++) wfi_free(x->heads[i].name);
    wfi_free(x->heads);
    x->heads = NULL;
    x->head_count = 0;
}

/* Its task is there and its folder as it was stored: found out now, not after the forward passes. */
static wf_status head_check(wf_lab *lab, const char *name, wf_err *err) {
    wf_record model = {0}, task = {0};
    json_t *info = NULL;
    const char *of = NULL;
    WF_TRY(wfi_model_find(lab, name, &model, &info, NULL, err));
    wf_status st = wfi_json_str(info, "task", name, &of, err);
    if (st == WF_OK) st = wfi_registry_get(lab->registry, "task", of, &task, err);
    if (st == WF_OK) st = wfi_lab_tree_check(lab, &model, err);
    wfi_record_clear(&model);
    wfi_record_clear(&task);
    json_decref(info);
    return st;
}

/* names: those of all adapters, spread; owners: whose each is. */
static wf_status heads_take(wf_interact *x, const json_t *names, const json_t *owners, wf_err *err) {
    const size_t n = json_array_size(names);
    x->heads = wfi_alloc(n, sizeof *x->heads);
    if (!x->heads) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t k = 0; k < n; k++) {
        const char *name = json_string_value(json_array_get(names, k));
        WF_TRY(head_check(x->study.lab, name, err));
        x->heads[k] = (wf_interact_head){.adapter = (size_t)json_integer_value(json_array_get(owners, k)),
                                         .name = wfi_strdup(name)};
        x->head_count = k + 1;
        if (!x->heads[k].name) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    return WF_OK;
}

wf_status wfi_interact_heads(wf_interact *x, wf_err *err) {
    json_t *names = json_array(), *owners = json_array();
    wf_status st = names && owners ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < x->n; i++) {
        st = wfi_model_spread(x->study.lab, x->t.fused[i]->name, names, err);
        while (st == WF_OK && json_array_size(owners) < json_array_size(names))
            if (json_array_append_new(owners, json_integer((json_int_t)i)) != 0)
                st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    if (st == WF_OK) st = heads_take(x, names, owners, err);
    json_decref(names);
    json_decref(owners);
    return st;
}

size_t wfi_interact_heads_pick(wf_interact *x, const wf_interact_head *out[WF_INTERACT_TASKS]) {
    size_t allowed[WF_INTERACT_PAIRED] = {0}, seen[WF_INTERACT_PAIRED] = {0}, have[WF_INTERACT_PAIRED] = {0}, n = 0;
    for (size_t c = 0; c < x->chosen_count; c++)
        for (size_t k = 0; k < x->head_count; k++) have[c] += x->heads[k].adapter == x->chosen[c];
    bool more = true;
    for (size_t round = 0; more; round++) {
        more = false;
        for (size_t c = 0; c < x->chosen_count && n + 1 < WF_INTERACT_TASKS; c++) {
            if (have[c] <= round) continue;
            allowed[c]++;
            n++;
            more = true;
        }
    }
    n = 0;
    for (size_t k = 0; k < x->head_count; k++)
        for (size_t c = 0; c < x->chosen_count; c++)
            if (x->heads[k].adapter == x->chosen[c] && seen[c]++ < allowed[c]) out[n++] = &x->heads[k];
    return n;
}
