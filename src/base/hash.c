/* base/hash.c - SHA-256 through libcrypto. See hash.h. */
#include "base/hash.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include <openssl/evp.h>
#include <string.h>

struct wf_hash {
    EVP_MD_CTX *ctx;
};

wf_status wfi_hash_new(wf_hash **out, wf_err *err) {
    wf_hash *h = wfi_alloc(1, sizeof *h);
    if (h) h->ctx = EVP_MD_CTX_new();
    if (!h || !h->ctx || !EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL)) {
        wfi_hash_free(h);
        return wfi_fail(err, WF_E_NOMEM, "out of memory for a hash");
    }
    *out = h;
    return WF_OK;
}

void wfi_hash_add(wf_hash *h, const void *data, size_t n) {
    EVP_DigestUpdate(h->ctx, data, n);
}

void wfi_hash_hex(wf_hash *h, char hex[WF_HASH_HEX]) {
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_DigestFinal_ex(h->ctx, digest, NULL);
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[64] = 0;
}

void wfi_hash_free(wf_hash *h) {
    if (!h) return;
    EVP_MD_CTX_free(h->ctx);
    wfi_free(h);
}

wf_status wfi_hash_bytes(const void *data, size_t n, char hex[WF_HASH_HEX], wf_err *err) {
    wf_hash *h = NULL;
    WF_TRY(wfi_hash_new(&h, err));
    wfi_hash_add(h, data, n);
    wfi_hash_hex(h, hex);
    wfi_hash_free(h);
    return WF_OK;
}

wf_status wfi_hash_file(const char *path, char hex[WF_HASH_HEX], wf_err *err) {
    wf_map map = {0};
    WF_TRY(wfi_file_map(path, &map, err));
    wf_status st = wfi_hash_bytes(map.data, map.size, hex, err);
    wfi_file_unmap(&map);
    return st;
}
