/* base/hash.c - SHA-256 through libcrypto. See hash.h. */
#include "base/hash.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include <openssl/evp.h>
#include <string.h>

/* Callers add a few bytes at a time; they are collected, for a call of the library costs as much as hashing hundreds.
 */
struct wf_hash {
    EVP_MD_CTX *ctx;
    size_t used;
    unsigned char part[4096];
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
    if (n > sizeof h->part - h->used) {
        EVP_DigestUpdate(h->ctx, h->part, h->used);
        h->used = 0;
    }
    if (n > sizeof h->part) {
        EVP_DigestUpdate(h->ctx, data, n);
    } else if (n) {
        memcpy(h->part + h->used, data, n);
        h->used += n;
    }
}

void wfi_hash_hex(wf_hash *h, char hex[WF_HASH_HEX]) {
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_DigestUpdate(h->ctx, h->part, h->used);
    h->used = 0;
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

/* Eight independent lanes of (lane ^ word) * odd + odd: each step is a bijection of the lane, so one changed word
 * always changes the sum. */
void wfi_checksum_add(wf_checksum *c, const void *data, size_t n) {
    enum { LANES = sizeof c->lane / sizeof *c->lane };
    const unsigned char *p = data;
    uint64_t word, lane[LANES];
    memcpy(lane, c->lane, sizeof lane);
    for (size_t at = 0; at < n; at += sizeof lane)
        for (size_t i = 0; i < LANES; i++) {
            memcpy(&word, p + at + i * sizeof word, sizeof word);
            lane[i] = (lane[i] ^ word) * 0xD6E8FEB86659FD93u + 0x9E3779B97F4A7C15u;
        }
    memcpy(c->lane, lane, sizeof lane);
    c->size += n;
}

uint64_t wfi_checksum_end(const wf_checksum *c) {
    uint64_t sum = c->size;
    for (size_t i = 0; i < sizeof c->lane / sizeof *c->lane; i++)
        sum = (sum ^ c->lane[i] ^ c->lane[i] >> 32) * 0xA0761D6478BD642Fu;
    return sum ^ sum >> 32;
}
