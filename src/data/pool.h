/* data/pool.h - memory of texts that live and die together: bump allocation in chunks, counted owners. Private to
 * data/. Layer 3. */
#ifndef WF_DATA_POOL_H
#define WF_DATA_POOL_H
#include <stddef.h>

typedef struct wf_text_pool wf_text_pool;
wf_text_pool *wfi_pool_new(void);                                 /* one owner; NULL when out of memory */
wf_text_pool *wfi_pool_share(wf_text_pool *p);                    /* one owner more */
void wfi_pool_free(wf_text_pool *p);                              /* one owner less; the last frees. NULL is fine */
void *wfi_pool_get(wf_text_pool *p, size_t count, size_t size);   /* 16-byte aligned, zeroed; NULL when out of memory */
char *wfi_pool_text(wf_text_pool *p, const char *text, size_t n); /* copy with NUL */
#endif
