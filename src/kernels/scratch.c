/* kernels/scratch.c - see scratch.h. A pthread key rather than _Thread_local alone: only a key has a destructor.
 */
#include "kernels/scratch.h"
#include "base/alloc.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct scratch {
    void *data;
    size_t size;
} scratch;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool usable;

static void scratch_free(void *p) {
    scratch *s = p;
    wfi_free(s->data);
    wfi_free(s);
}

static void start(void) {
    usable = pthread_key_create(&key, scratch_free) == 0;
}

static scratch *mine(void) {
    pthread_once(&once, start);
    if (!usable) return NULL;
    scratch *s = pthread_getspecific(key);
    if (s) return s;
    s = wfi_alloc(1, sizeof *s);
    if (s && pthread_setspecific(key, s) != 0) wfi_free(s), s = NULL;
    return s;
}

void *wfk_scratch(size_t bytes) {
    scratch *s = mine();
    if (!s) return NULL;
    if (s->size >= bytes) return s->data;
    wfi_free(s->data); /* before the new one: nothing in it is needed any more */
    s->size = 0;
    if (bytes < SIZE_MAX / 2) bytes += bytes / 4; /* batches differ by a few rows: room for the next */
    s->data = wfi_alloc_aligned(bytes);
    if (s->data) s->size = bytes;
    return s->data;
}
