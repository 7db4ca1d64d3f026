/* base/random.c - Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). See random.h. */
#include "base/random.h"
#include <math.h>

void wfi_random_block(uint64_t key, uint64_t counter, uint32_t out[4]) {
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = 0, c3 = 0, k0 = (uint32_t)key,
             k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* splitmix64's finaliser: every input bit reaches every output bit. */
static uint64_t mix(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t wfi_random_key(uint64_t seed, const char *purpose, uint64_t a, uint64_t b) {
    uint64_t h = mix(seed);
    for (const unsigned char *p = (const unsigned char *)purpose; *p; p++) h = mix(h ^ *p);
    return mix(mix(h ^ a) ^ b);
}

uint32_t wfi_random_u32(uint64_t key, uint64_t index) {
    uint32_t out[4];
    wfi_random_block(key, index >> 2, out);
    return out[index & 3];
}

float wfi_random_uniform(uint64_t key, uint64_t index) {
    return (float)(wfi_random_u32(key, index) >> 8) * 0x1p-24f;
}

float wfi_random_normal(uint64_t key, uint64_t index) {
    uint32_t out[4];
    wfi_random_block(key, index, out);
    const double u = ((double)out[0] + 1.0) * 0x1p-32, v = (double)out[1] * 0x1p-32;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v));
}

uint32_t wfi_random_below(uint64_t key, uint64_t index, uint32_t n) {
    return (uint32_t)(((uint64_t)wfi_random_u32(key, index) * n) >> 32);
}

void wfi_random_shuffle(uint64_t key, int64_t *items, size_t n) {
    for (size_t i = n; i > 1; i--) {
        const size_t j = i <= UINT32_MAX ? wfi_random_below(key, i, (uint32_t)i)
                                         : (size_t)(((unsigned __int128)mix(key ^ i) * i) >> 64);
        const int64_t t = items[i - 1];
        items[i - 1] = items[j];
        items[j] = t;
    }
}
