/* lab/cache.h - a lab's folder `cache`: what took time to make and can be made again. Layer 10.
 * An entry is a file named by kind and key; the key is the hash of everything that decides about its content. Entries
 * are written aside and renamed, and are checked when they are read: a damaged one does not exist. Nothing here is an
 * error: a lab that cannot be written, or has no room, just has no cache. Threads and processes: safe. */
#ifndef WF_LAB_CACHE_H
#define WF_LAB_CACHE_H
#include "base/file.h"
#include "base/hash.h"

#define WF_CACHE_BYTES ((size_t)1 << 30) /* of all entries of a lab; the longest unused go first */

typedef struct wf_cached { /* an entry in use; zeroed: none */
    wf_map map;
    const unsigned char *data; /* the parts one after the other, each from a multiple of 64 bytes on, zeros between */
    size_t size;
} wf_cached;
#define WF_CACHE_STEP(size) (((size) + 63) & ~(size_t)63) /* bytes that a part takes */

/* dir: the cache's folder, or NULL for none. False: no such entry, or not as it was written. Taking an entry makes it
 * young again. */
bool wfi_cache_get(const char *dir, const char *kind, const char key[WF_HASH_HEX], wf_cached *out);
void wfi_cached_clear(wf_cached *c);
/* limit: bytes that all entries may have together; an entry of over half of it is not stored. */
void wfi_cache_put(const char *dir, const char *kind, const char key[WF_HASH_HEX], const wf_file_part *parts,
                   size_t count, size_t limit);
#endif
