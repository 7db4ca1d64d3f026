/* trainer/checkpoint.c - see checkpoint.h. */
#include "trainer/checkpoint.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include <stdio.h>
#include <string.h>

static const char MAGIC[8] = {'w', 'e', 'f', 't', 'c', 'k', 'p', '2'};

typedef struct header {
    char magic[8];
    char identity[72];
    int64_t sets, total;
    wf_train_state state;
} header;

static int64_t floats_total(wf_pset *const *sets, size_t count) {
    int64_t n = 0;
    for (size_t i = 0; i < count; i++) n += sets[i]->total;
    return n;
}

size_t wfi_checkpoint_size(wf_pset *const *sets, size_t count, bool mean) {
    const size_t parts = mean ? 5 : 4;
    return sizeof(header) + count * sizeof(int64_t) + (size_t)floats_total(sets, count) * parts * sizeof(float) + 64;
}

typedef struct list { /* what the file is made of, in order */
    wf_file_part *parts;
    size_t count, next, at; /* next, at: what is written next */
    wf_hash *hash;
} list;

static void list_add(list *l, const void *data, size_t size) {
    l->parts[l->count++] = (wf_file_part){data, size};
    wfi_hash_add(l->hash, data, size);
}

static wf_status list_next(void *user, void *buffer, size_t size, size_t *got, wf_err *err) {
    (void)err;
    list *l = user;
    for (*got = 0; l->next < l->count && *got < size;) {
        const wf_file_part *p = &l->parts[l->next];
        const size_t n = p->size - l->at < size - *got ? p->size - l->at : size - *got;
        if (n) memcpy((char *)buffer + *got, (const char *)p->data + l->at, n);
        *got += n;
        l->at += n;
        if (l->at == p->size) l->next++, l->at = 0;
    }
    return WF_OK;
}

static void set_add(list *l, const wf_pset *set, wf_optim *optim, size_t i, const float *best, const float *mean) {
    float *m = NULL, *v = NULL;
    wfi_optim_state(optim, i, &m, &v);
    const size_t bytes = (size_t)set->total * sizeof(float);
    list_add(l, wfi_optim_steps(optim, i), sizeof(int64_t));
    list_add(l, set->data, bytes);
    list_add(l, m, bytes);
    list_add(l, v, bytes);
    list_add(l, best, bytes);
    if (mean) list_add(l, mean, bytes);
}

/* Nothing is copied: with method full the state is as large as five models. */
wf_status wfi_checkpoint_save(const char *path, const char *identity, const wf_train_state *s, wf_pset *const *sets,
                              size_t count, wf_optim *optim, float *const *best, float *const *mean, wf_err *err) {
    enum { OF_A_SET = 6 };
    header h = {.sets = (int64_t)count, .total = floats_total(sets, count), .state = *s};
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    snprintf(h.identity, sizeof h.identity, "%s", identity);
    list l = {.parts = wfi_alloc(count * OF_A_SET + 2, sizeof *l.parts)};
    char hex[WF_HASH_HEX];
    wf_status st = l.parts ? wfi_hash_new(&l.hash, err) : wfi_fail(err, WF_E_NOMEM, "out of memory for a checkpoint");
    if (st == WF_OK) {
        list_add(&l, &h, sizeof h);
        for (size_t i = 0; i < count; i++) set_add(&l, sets[i], optim, i, best[i], mean ? mean[i] : NULL);
        wfi_hash_hex(l.hash, hex);
        l.parts[l.count++] = (wf_file_part){hex, 64};
        st = wfi_file_write_from(path, list_next, &l, err);
    }
    wfi_hash_free(l.hash);
    wfi_free(l.parts);
    return st;
}

static wf_status content_check(const wf_map *map, const char *path, const char *identity, wf_pset *const *sets,
                               size_t count, int parts, header *h, wf_err *err) {
    const int64_t total = floats_total(sets, count);
    const size_t want = wfi_checkpoint_size(sets, count, parts == 5);
    char hex[WF_HASH_HEX];
    if (map->size < sizeof *h + 64)
        return wfi_fail(err, WF_E_DATA, "%s: checkpoint is cut off; delete it to start the run afresh", path);
    memcpy(h, map->data, sizeof *h);
    if (memcmp(h->magic, MAGIC, sizeof MAGIC) != 0)
        return wfi_fail(err, WF_E_DATA, "%s: no weft checkpoint of this version; delete it to start the run afresh",
                        path);
    WF_TRY(wfi_hash_bytes(map->data, map->size - 64, hex, err));
    if (memcmp(hex, map->data + map->size - 64, 64) != 0)
        return wfi_fail(err, WF_E_DATA, "%s: checkpoint is damaged (hash differs); delete it to start the run afresh",
                        path);
    h->identity[sizeof h->identity - 1] = 0;
    if (strcmp(h->identity, identity) != 0 || h->sets != (int64_t)count || h->total != total || map->size != want)
        return wfi_fail(err, WF_E_DATA, "%s: checkpoint belongs to a run with other settings, data or base", path);
    return WF_OK;
}

wf_status wfi_checkpoint_load(const char *path, const char *identity, wf_train_state *s, wf_pset *const *sets,
                              size_t count, wf_optim *optim, float *const *best, float *const *mean, bool *found,
                              wf_err *err) {
    *found = false;
    if (!path || !wfi_file_exists(path)) return WF_OK;
    wf_map map = {0};
    header h;
    WF_TRY(wfi_file_map(path, &map, err));
    wf_status st = content_check(&map, path, identity, sets, count, mean ? 5 : 4, &h, err);
    if (st == WF_OK) {
        const unsigned char *at = map.data + sizeof h;
        for (size_t i = 0; i < count; i++) {
            float *m = NULL, *v = NULL;
            wfi_optim_state(optim, i, &m, &v);
            memcpy(wfi_optim_steps(optim, i), at, sizeof(int64_t));
            at += sizeof(int64_t);
            const size_t bytes = (size_t)sets[i]->total * sizeof(float);
            float *parts[] = {sets[i]->data, m, v, best[i], mean ? mean[i] : NULL};
            for (int k = 0; k < (mean ? 5 : 4); k++, at += bytes)
                if (bytes) memcpy(parts[k], at, bytes);
        }
        *s = h.state;
        *found = true;
    }
    wfi_file_unmap(&map);
    return st;
}
