/* tests/hub/hub_edit.h - folders to try things on: written by weft, then edited as other or older programs would have
 * written them. */
#ifndef WF_TESTS_HUB_EDIT_H
#define WF_TESTS_HUB_EDIT_H
#include "base/alloc.h"
#include "base/file.h"
#include "base/random.h"
#include "check.h"
#include "formats/safetensors.h"
#include "hub/hub.h"

static const wf_base_shape hub_base = {2, 16, 32};
static char hub_top[300];

static inline const char *hub_dir(const char *name) { /* an empty folder of that name in the test's own */
    static char path[4][400];
    static int at;
    at = (at + 1) % 4;
    if (!hub_top[0]) snprintf(hub_top, sizeof hub_top, "%s", check_temp_dir());
    snprintf(path[at], sizeof path[at], "%s/%s", hub_top, name);
    check_ok(wfi_tree_remove(path[at], err));
    check_ok(wfi_dir_make(path[at], err));
    return path[at];
}

static inline int hub_clean(void **state) {
    wf_err e = {0};
    return hub_top[0] && wfi_tree_remove(hub_top, &e) != WF_OK;
}

static inline wf_adapter *hub_adapter(const char *name, const char *config) { /* with values that say who they are */
    wf_adapter *a = NULL;
    check_ok(wfi_adapter_new(name, config, &hub_base, 1, &a, err));
    for (int64_t i = 0; i < a->params.total; i++)
        a->params.data[i] = wfi_random_normal(wfi_random_key(2, name, 0, 0), (uint64_t)i);
    return a;
}

/* Merges the object `set` into DIR/FILE and takes out the field `without` (NULL: none). */
static inline void hub_json(const char *dir, const char *file, const char *set, const char *without) {
    char path[512];
    json_t *whole = NULL, *more = json_loads(set, 0, NULL);
    snprintf(path, sizeof path, "%s/%s", dir, file);
    check_ok(wfi_json_read(path, 1 << 20, &whole, err));
    assert_non_null(more);
    assert_int_equal(0, json_object_update_recursive(whole, more));
    if (without) json_object_del(whole, without);
    check_ok(wfi_json_write(path, whole, err));
    json_decref(whole);
    json_decref(more);
}

/* Writes DIR/FILE anew with every tensor that `edit` wants, as it has changed it; extra (may be NULL) comes on top. */
static inline void hub_tensors(const char *dir, const char *file, bool (*edit)(wf_tensor *t, char *name, size_t size),
                               const wf_tensor *extra) {
    char path[512];
    static char names[128][256];
    wf_tensor tensors[129];
    wf_source from = {0};
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    check_ok(wfi_safetensors_open(path, &from, err));
    assert_in_range(from.count, 1, 128);
    for (size_t i = 0; i < from.count; i++) {
        tensors[n] = from.tensors[i];
        snprintf(names[n], sizeof names[n], "%s", from.tensors[i].name);
        tensors[n].name = names[n];
        n += !edit || edit(&tensors[n], names[n], sizeof names[n]);
    }
    if (extra) tensors[n++] = *extra;
    check_ok(wfi_safetensors_write(path, tensors, n, err));
    wfi_source_close(&from);
}

static inline bool hub_without_bert(wf_tensor *t, char *name, size_t size) {
    if (strncmp(name, "bert.", 5) == 0) memmove(name, name + 5, strlen(name + 5) + 1);
    return true;
}

static inline void hub_replace(char *name, size_t size, const char *old, const char *now) {
    char copy[256], *at = strstr(name, old);
    if (!at) return;
    snprintf(copy, sizeof copy, "%.*s%s%s", (int)(at - name), name, now, at + strlen(old));
    snprintf(name, size, "%s", copy);
}

static inline void hub_same(const wf_pset *a, const wf_pset *b) { /* values; names differ where the parts' names do */
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->total, b->total);
    assert_memory_equal(a->data, b->data, (size_t)a->total * sizeof(float));
}
#endif
