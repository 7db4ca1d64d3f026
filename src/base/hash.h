/* base/hash.h - SHA-256 (through libcrypto) for identity of files and artefacts. Layer 0. */
#ifndef WF_BASE_HASH_H
#define WF_BASE_HASH_H
#include "weft/status.h"
#include <stddef.h>
#include <stdint.h>

#define WF_HASH_HEX 65 /* 64 hex digits and NUL */
typedef struct wf_hash wf_hash;

wf_status wfi_hash_new(wf_hash **out, wf_err *err);
void wfi_hash_add(wf_hash *h, const void *data, size_t n);
void wfi_hash_hex(wf_hash *h, char hex[WF_HASH_HEX]); /* ends the stream */
void wfi_hash_free(wf_hash *h);
wf_status wfi_hash_bytes(const void *data, size_t n, char hex[WF_HASH_HEX], wf_err *err);
wf_status wfi_hash_file(const char *path, char hex[WF_HASH_HEX], wf_err *err);

/* A fast sum (gigabytes a second) that notices damage, and no intent. Zeroed to begin with. */
typedef struct wf_checksum {
    uint64_t lane[8], size;
} wf_checksum;
void wfi_checksum_add(wf_checksum *c, const void *data, size_t n); /* n: a multiple of 64 */
uint64_t wfi_checksum_end(const wf_checksum *c);
#endif
