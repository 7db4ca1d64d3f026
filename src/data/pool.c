/* data/pool.c - see pool.h. */
#include "data/pool.h"
#include "base/alloc.h"
#include <stdint.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 18 };

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
} chunk;

struct wf_text_pool {
    chunk *head;
    int owners;
};

wf_text_pool *wfi_pool_new(void) {
    wf_text_pool *p = wfi_alloc(1, sizeof *p);
    if (p) p->owners = 1;
    return p;
}

wf_text_pool *wfi_pool_share(wf_text_pool *p) {
    p->owners++;
    return p;
}

void wfi_pool_free(wf_text_pool *p) {
    if (!p || --p->owners > 0) return;
    for (chunk *c = p->head, *next; c; c = next) {
        next = c->next;
        wfi_free(c);
    }
    wfi_free(p);
}

void *wfi_pool_get(wf_text_pool *p, size_t count, size_t size) {
    if (size && count > (SIZE_MAX / 2) / size) return NULL;
    const size_t bytes = (count * size + 15) & ~(size_t)15, head = (sizeof(chunk) + 15) & ~(size_t)15;
    if (!p->head || p->head->size - p->head->used < bytes) {
        const size_t room = bytes > CHUNK_BYTES / 4 ? bytes : CHUNK_BYTES;
        chunk *c = wfi_alloc(1, head + room);
        if (!c) return NULL;
        c->size = room;
        c->next = p->head;
        p->head = c;
    }
    void *out = (char *)p->head + head + p->head->used;
    p->head->used += bytes;
    return out;
}

char *wfi_pool_text(wf_text_pool *p, const char *text, size_t n) {
    char *out = wfi_pool_get(p, n + 1, 1);
    if (out) memcpy(out, text, n);
    return out;
}
