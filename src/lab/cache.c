/* lab/cache.c - see cache.h. An entry's file: a head of 128 bytes (magic, key, size and checksum of what follows), then
 * the parts. */
#include "lab/cache.h"
#include "base/alloc.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 160 };
static const char magic[16] = "weft cache 1\n";

typedef struct head {
    char magic[16], key[WF_HASH_HEX - 1];
    uint64_t size, sum;
    char unused[32];
} head;
_Static_assert(sizeof(head) == 128, "parts begin at multiples of 64 bytes");

static head head_make(const char *key, const wf_checksum *sum) {
    head h = {.size = sum->size, .sum = wfi_checksum_end(sum)};
    memcpy(h.magic, magic, sizeof magic);
    memcpy(h.key, key, sizeof h.key);
    return h;
}

static char *path_of(const char *dir, const char *kind, const char *key) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s-%s", kind, key);
    return dir ? wfi_path_join(dir, name) : NULL;
}

static bool whole(const wf_map *map, const char *key) {
    wf_checksum sum = {0};
    if (map->size < sizeof(head) || map->size % 64 != 0) return false;
#ifdef MADV_POPULATE_READ /* all pages at once; read one by one where this is not known */
    madvise((void *)(uintptr_t)map->data, map->size, MADV_POPULATE_READ);
#endif
    wfi_checksum_add(&sum, map->data + sizeof(head), map->size - sizeof(head));
    const head want = head_make(key, &sum);
    return memcmp(map->data, &want, sizeof want) == 0;
}

bool wfi_cache_get(const char *dir, const char *kind, const char key[WF_HASH_HEX], wf_cached *out) {
    char *path = path_of(dir, kind, key);
    wf_map map = {0};
    const bool good = path && wfi_file_map(path, &map, NULL) == WF_OK && whole(&map, key);
    if (good) {
        *out = (wf_cached){map, map.data + sizeof(head), map.size - sizeof(head)};
        utimensat(AT_FDCWD, path, NULL, 0); /* used now; where times may not be set it ages */
    } else {
        wfi_file_unmap(&map);
    }
    wfi_free(path);
    return good;
}

void wfi_cached_clear(wf_cached *c) {
    wfi_file_unmap(&c->map);
    *c = (wf_cached){0};
}

/* ---- the bound ---- */

typedef struct entry {
    char *path;
    struct stat is;
} entry;

static int oldest_first(const void *a, const void *b) {
    const struct timespec *x = &((const entry *)a)->is.st_mtim, *y = &((const entry *)b)->is.st_mtim;
    if (x->tv_sec != y->tv_sec) return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* Removes the oldest files until all together have at most `limit` bytes. What a process that died left half written is
 * a file like the others. */
static void trim(const char *dir, size_t limit) {
    char **names = NULL;
    size_t count = 0, known = 0, total = 0;
    if (wfi_dir_list(dir, &names, &count, NULL) != WF_OK) return;
    entry *all = wfi_alloc(count, sizeof *all);
    for (size_t i = 0; all && i < count; i++) {
        entry *e = &all[known];
        e->path = wfi_path_join(dir, names[i]);
        if (e->path && lstat(e->path, &e->is) == 0 && S_ISREG(e->is.st_mode)) {
            total += (size_t)e->is.st_size;
            known++;
        } else {
            wfi_free(e->path);
        }
    }
    if (known) qsort(all, known, sizeof *all, oldest_first);
    for (size_t i = 0; i < known; i++) {
        if (total > limit && unlink(all[i].path) == 0) total -= (size_t)all[i].is.st_size;
        wfi_free(all[i].path);
    }
    wfi_free(all);
    wfi_names_free(names, count);
}

void wfi_cache_put(const char *dir, const char *kind, const char key[WF_HASH_HEX], const wf_file_part *parts,
                   size_t count, size_t limit) {
    size_t size = sizeof(head);
    wf_checksum sum = {0};
    for (size_t i = 0; i < count; i++) size += WF_CACHE_STEP(parts[i].size);
    if (!dir || size > limit / 2) return;
    char *path = path_of(dir, kind, key);
    wf_file_part *all = wfi_alloc(2 * count + 1, sizeof *all); /* the head, and each part in whole steps and its rest */
    unsigned char(*rests)[64] = wfi_alloc(count, sizeof *rests);
    if (path && all && rests && wfi_dir_make(dir, NULL) == WF_OK) {
        for (size_t i = 0; i < count; i++) {
            const size_t rest = parts[i].size % 64, most = parts[i].size - rest;
            all[2 * i + 1] = (wf_file_part){parts[i].data, most};
            if (rest) memcpy(rests[i], (const unsigned char *)parts[i].data + most, rest);
            all[2 * i + 2] = (wf_file_part){rests[i], rest ? sizeof *rests : 0};
        }
        for (size_t i = 1; i < 2 * count + 1; i++) wfi_checksum_add(&sum, all[i].data, all[i].size);
        const head h = head_make(key, &sum);
        all[0] = (wf_file_part){&h, sizeof h};
        trim(dir, limit - size);
        wfi_file_write_parts(path, all, 2 * count + 1, NULL);
    }
    wfi_free(rests);
    wfi_free(all);
    wfi_free(path);
}
