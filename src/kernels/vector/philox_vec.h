/* kernels/vector/philox_vec.h - the random words of base/random.h, VW/2 blocks at a time. Layer 2.
 *
 * Philox4x32-10 (Salmon et al. 2011) multiplies 32 x 32 -> 64 bits. One block a 64-bit lane lets a multiplication give
 * both halves at once; the upper half of a lane is rubbish most of the time and no operation looks at it:
 *   w_mul       product of the low words, 64 bits      w_high  upper word moved down       w_xor3  a ^ b ^ c
 *   w_pair      low word of a lane from the first, high word from the second
 *   w_even/odd  even/odd lanes of both, paired; with counters in the order w_order() the words come out in sequence */
#ifndef WF_KERNELS_PHILOX_VEC_H
#define WF_KERNELS_PHILOX_VEC_H

typedef struct philox_keys {
    vw k0[10], k1[10];
} philox_keys;

static inline void philox_start(philox_keys *s, uint64_t key) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int r = 0; r < 10; r++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) s->k0[r] = w_set64(k0), s->k1[r] = w_set64(k1);
}

/* words[0], words[1]: the 2*VW words of blocks first .. first + VW/2 - 1, in order. */
static inline void philox_words(const philox_keys *s, uint64_t first, vw words[2]) {
    const vw m0 = w_set64(0xD2511F53u), m1 = w_set64(0xCD9E8D57u);
    vw c0 = w_add64(w_set64(first), w_order()), c1 = w_high(c0), c2 = w_set64(0), c3 = c2;
#pragma GCC unroll 10
    for (int r = 0; r < 10; r++) {
        vw p0 = w_mul(c0, m0), p1 = w_mul(c2, m1);
        c0 = w_xor3(w_high(p1), c1, s->k0[r]);
        c2 = w_xor3(w_high(p0), c3, s->k1[r]);
        c1 = p1;
        c3 = p0;
    }
    vw a = w_pair(c0, c1), b = w_pair(c2, c3);
    words[0] = w_even(a, b);
    words[1] = w_odd(a, b);
}
#endif
