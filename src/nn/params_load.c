/* nn/params_load.c - see params_load.h. Tensor names and shapes come from hostile files. */
#include "nn/params_load.h"
#include "base/alloc.h"
#include "base/error.h"
#include <math.h>
#include <string.h>

typedef struct match { /* of one parameter */
    const wf_tensor *main, *alias;
} match;

bool wfi_name_segment(const char *stored, const char *key, const char **name, size_t *length) {
    const size_t n = strlen(key);
    for (const char *at = strstr(stored, key); at; at = strstr(at + 1, key)) {
        if ((at != stored && at[-1] != '.') || at[n] != '.') continue;
        const char *end = strchr(at + n + 1, '.');
        if (!end || end == at + n + 1) return false;
        *name = at + n + 1;
        *length = (size_t)(end - *name);
        return true;
    }
    return false;
}

static size_t param_index(const wf_pset *set, const char *name) {
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->params[i]->name, name) == 0) return i;
    return SIZE_MAX;
}

static wf_status names_match(const wf_pset *set, const wf_source *from, wf_rename_fn rename, void *self,
                             const char *what, match *found, wf_err *err) {
    wf_buffer name = {0};
    wf_status st = WF_OK;
    for (size_t i = 0; i < from->count && st == WF_OK; i++) {
        const wf_tensor *t = &from->tensors[i];
        name.len = 0;
        const wf_name_is is = rename(self, t->name, &name);
        if (is == WF_NAME_IGNORE) continue;
        if (name.failed || !name.data) {
            st = wfi_fail(err, WF_E_NOMEM, "out of memory");
            break;
        }
        const size_t k = param_index(set, name.data);
        if (k == SIZE_MAX) {
            st = wfi_fail_at(err, WF_E_DATA, t->name, -1,
                             "%s: unexpected tensor \"%.200s\"; its configuration asks for none of that name", what,
                             t->name);
            break;
        }
        const wf_tensor **slot = is == WF_NAME_ALIAS ? &found[k].alias : &found[k].main;
        if (*slot)
            st =
                wfi_fail_at(err, WF_E_DATA, t->name, -1, "%s: tensors \"%.120s\" and \"%.120s\" are the same parameter",
                            what, (*slot)->name, t->name);
        *slot = t;
    }
    wfi_buffer_clear(&name);
    return st;
}

static void shape_text(int rank, const int64_t *shape, wf_buffer *b) {
    wfi_buffer_adds(b, "[");
    for (int i = 0; i < rank; i++) wfi_buffer_printf(b, i ? ",%lld" : "%lld", (long long)shape[i]);
    wfi_buffer_adds(b, "]");
}

static wf_status shape_check(const wf_param *p, const wf_tensor *t, const char *what, wf_err *err) {
    bool same = p->rank == t->rank;
    for (int i = 0; same && i < p->rank; i++) same = p->shape[i] == t->shape[i];
    if (same) return WF_OK;
    wf_buffer have = {0}, want = {0};
    shape_text(t->rank, t->shape, &have);
    shape_text(p->rank, p->shape, &want);
    wfi_fail_at(err, WF_E_DATA, t->name, -1, "%s: tensor \"%.200s\" has shape %s; the configuration asks for %s", what,
                t->name, have.data ? have.data : "?", want.data ? want.data : "?");
    wfi_buffer_clear(&have);
    wfi_buffer_clear(&want);
    return WF_E_DATA;
}

/* One tensor into out [count], checked; same: out already holds the other copy, which must be equal. */
static wf_status values_take(const wf_param *p, const wf_tensor *t, bool same, const char *what, float *out,
                             wf_err *err) {
    WF_TRY(shape_check(p, t, what, err));
    const float *data = NULL;
    float *owned = NULL;
    WF_TRY(wfi_tensor_f32(t, &data, &owned, err));
    wf_status st = WF_OK;
    const size_t bytes = (size_t)p->count * sizeof *out;
    if (same) {
        if (memcmp(out, data, bytes) != 0)
            st = wfi_fail_at(err, WF_E_DATA, t->name, -1, "%s: tensor \"%.200s\" differs from its second copy", what,
                             t->name);
    } else {
        memcpy(out, data, bytes);
        for (int64_t i = 0; i < p->count && st == WF_OK; i++)
            if (!isfinite(out[i]))
                st = wfi_fail_at(err, WF_E_NONFINITE, t->name, -1, "%s: tensor \"%.200s\" holds NaN or infinite values",
                                 what, t->name);
    }
    wfi_free(owned);
    return st;
}

wf_status wfi_params_load(wf_pset *set, const wf_source *from, wf_rename_fn rename, void *self, const char *what,
                          wf_err *err) {
    match *found = wfi_alloc(set->count, sizeof *found);
    float *values = wfi_alloc((size_t)set->total, sizeof *values);
    wf_status st = found && values ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = names_match(set, from, rename, self, what, found, err);
    for (size_t i = 0; i < set->count && st == WF_OK; i++) {
        const wf_param *p = set->params[i];
        const match *m = &found[i];
        float *out = values + (p->data - set->data);
        if (!m->main && !m->alias) {
            st = wfi_fail_at(err, WF_E_DATA, p->name, -1, "%s: tensor \"%.200s\" is missing", what, p->name);
            break;
        }
        if (m->main) st = values_take(p, m->main, false, what, out, err);
        if (st == WF_OK && m->alias) st = values_take(p, m->alias, m->main != NULL, what, out, err);
    }
    if (st == WF_OK && set->total) memcpy(set->data, values, (size_t)set->total * sizeof *values);
    wfi_free(values);
    wfi_free(found);
    return st;
}
