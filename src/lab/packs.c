/* lab/packs.c - see packs.h. */
#include "lab/packs.h"
#include "base/alloc.h"
#include "base/error.h"
#include "kernels/gemm.h"
#include "lab/cache.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char kind[] = "packed";

static size_t bytes_of(const wf_bert_config *c) {
    const size_t H = (size_t)c->hidden_size, F = (size_t)c->intermediate_size;
    return (size_t)c->layers * (4 * H * H + 2 * H * F) * sizeof(float);
}

static wf_status key_make(const wf_open_base *base, char key[WF_HASH_HEX], wf_err *err) {
    char form[WF_PACKED_FORM], text[WF_PACKED_FORM + 320];
    struct stat s = {0};
    if (stat(base->weights, &s) != 0) return wfi_fail(err, WF_E_IO, "cannot look at %s", base->weights);
    wfi_packed_form(form);
    snprintf(text, sizeof text, "weft packed 1, %s, %lld bytes of %lld.%09ld, %s, %s", base->hash, (long long)s.st_size,
             (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec, wfi_dtype_name(base->dtype), form);
    return wfi_hash_bytes(text, strlen(text), key, err);
}

static void keep(const wf_open_base *base, const char *key) {
    size_t count = 0;
    while (wfi_bert_packed_each(base->model, count)) count++;
    wf_file_part *parts = wfi_alloc(count, sizeof *parts);
    bool all = parts != NULL;
    for (size_t i = 0; all && i < count; i++) {
        parts[i].data = wfi_packed_bytes(wfi_bert_packed_each(base->model, i), &parts[i].size);
        all = parts[i].data != NULL;
    }
    if (all) wfi_cache_put(base->cache, kind, key, parts, count, WF_CACHE_BYTES);
    wfi_free(parts);
}

wf_status wfi_packs_make(wf_open_base *base, size_t least, wf_err *err) {
    char key[WF_HASH_HEX];
    if (base->model->packed || bytes_of(&base->model->config) < least || !wfi_file_exists(base->weights))
        return wfi_bert_pack(base->model, false, base->dtype, err);
    WF_TRY(key_make(base, key, err));
    if (wfi_cache_get(base->cache, kind, key, &base->packs)) {
        if (wfi_bert_pack_over(base->model, base->dtype, base->packs.data, base->packs.size, NULL) == WF_OK)
            return WF_OK;
        wfi_cached_clear(&base->packs);
    }
    WF_TRY(wfi_bert_pack(base->model, false, base->dtype, err));
    keep(base, key);
    return WF_OK;
}
