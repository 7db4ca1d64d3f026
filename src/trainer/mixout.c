/* trainer/mixout.c - see mixout.h. */
#include "trainer/mixout.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include <string.h>

wf_status wfi_mixout_init(wf_mixout *m, wf_pset *const *sets, const bool *pulled, size_t count, double p, wf_err *err) {
    *m = (wf_mixout){.sets = sets, .count = count, .p = p};
    if (p == 0) return WF_OK;
    m->start = wfi_alloc(count, sizeof *m->start);
    m->own = wfi_alloc(count, sizeof *m->own);
    bool good = m->start && m->own;
    for (size_t i = 0; good && i < count; i++) {
        const size_t n = (size_t)sets[i]->total;
        if (!pulled[i] || !sets[i]->grad) continue;
        m->start[i] = wfi_alloc(n + 1, sizeof(float));
        m->own[i] = wfi_alloc(n + 1, sizeof(float));
        good = m->start[i] && m->own[i];
        if (good) memcpy(m->start[i], sets[i]->data, n * sizeof(float));
    }
    return good ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for the values of the start");
}

static bool is_start(const wf_mixout *m, uint64_t key, size_t set, int64_t k) {
    return (double)wfi_random_uniform(key + set, (uint64_t)k) < m->p;
}

void wfi_mixout_begin(wf_mixout *m, uint64_t key) {
    for (size_t i = 0; m->p > 0 && i < m->count; i++) {
        float *w = m->sets[i]->data;
        if (!m->start[i]) continue;
        memcpy(m->own[i], w, (size_t)m->sets[i]->total * sizeof *w);
        for (int64_t k = 0; k < m->sets[i]->total; k++) {
            const double s = (double)m->start[i][k], from = is_start(m, key, i, k) ? s : (double)w[k];
            w[k] = (float)((from - m->p * s) / (1 - m->p));
        }
    }
}

void wfi_mixout_end(wf_mixout *m, uint64_t key) {
    for (size_t i = 0; m->p > 0 && i < m->count; i++) {
        if (!m->start[i]) continue;
        memcpy(m->sets[i]->data, m->own[i], (size_t)m->sets[i]->total * sizeof(float));
        for (int64_t k = 0; k < m->sets[i]->total; k++)
            m->sets[i]->grad[k] = is_start(m, key, i, k) ? 0.0f : m->sets[i]->grad[k] / (float)(1 - m->p);
    }
}

void wfi_mixout_clear(wf_mixout *m) {
    for (size_t i = 0; m->start && m->own && i < m->count; i++) {
        wfi_free(m->start[i]);
        wfi_free(m->own[i]);
    }
    wfi_free(m->start);
    wfi_free(m->own);
    *m = (wf_mixout){0};
}
