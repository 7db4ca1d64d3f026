/* nn/init.c - see init.h. */
#include "nn/init.h"
#include "base/random.h"

enum { DRAWS = 16 }; /* a truncated normal at two deviations fails 16 times once in 1e21 */

void wfi_init_constant(wf_param *p, float value) {
    for (int64_t i = 0; i < p->count; i++) p->data[i] = value;
}

void wfi_init_normal(wf_param *p, uint64_t key, float std) {
    for (int64_t i = 0; i < p->count; i++) p->data[i] = std * wfi_random_normal(key, (uint64_t)i);
}

void wfi_init_uniform(wf_param *p, uint64_t key, float bound) {
    for (int64_t i = 0; i < p->count; i++) p->data[i] = (2.0f * wfi_random_uniform(key, (uint64_t)i) - 1.0f) * bound;
}

void wfi_init_truncated(wf_param *p, uint64_t key, float std, float cut) {
    for (int64_t i = 0; i < p->count; i++) {
        float v = 0.0f;
        for (int k = 0; k < DRAWS; k++) {
            v = std * wfi_random_normal(key, (uint64_t)i * DRAWS + (uint64_t)k);
            if (v >= -cut && v <= cut) break;
            v = 0.0f;
        }
        p->data[i] = v;
    }
}

void wfi_init_diagonal(wf_param *p, float diagonal, float elsewhere) {
    const int64_t n = p->shape[0];
    for (int64_t i = 0; i < p->count; i++) p->data[i] = i / n == i % n ? diagonal : elsewhere;
}
