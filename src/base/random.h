/* base/random.h - counter-based random numbers (Philox4x32-10, Salmon et al. 2011). Layer 0.
 * A number is a pure function of (key, counter): no state, no order, the same on every machine and thread count.
 * The key is made from the run's seed and the purpose, so that e.g. adapter initialisation depends on names only. */
#ifndef WF_BASE_RANDOM_H
#define WF_BASE_RANDOM_H
#include <stddef.h>
#include <stdint.h>

/* Mixes seed, purpose text and two integers (layer, step, ...) into a 64-bit key. */
uint64_t wfi_random_key(uint64_t seed, const char *purpose, uint64_t a, uint64_t b);
void wfi_random_block(uint64_t key, uint64_t counter, uint32_t out[4]); /* raw Philox4x32-10 */
uint32_t wfi_random_u32(uint64_t key, uint64_t index);                  /* word index%4 of block index/4 */
float wfi_random_uniform(uint64_t key, uint64_t index);                 /* in [0,1), 24 bits */
float wfi_random_normal(uint64_t key, uint64_t index);                  /* N(0,1), Box-Muller in double */
uint32_t wfi_random_below(uint64_t key, uint64_t index, uint32_t n);    /* in [0,n), n > 0 (multiply-shift) */
void wfi_random_shuffle(uint64_t key, int64_t *items, size_t n);        /* Fisher-Yates in place */
#endif
