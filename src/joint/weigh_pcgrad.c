/* joint/weigh_pcgrad.c - conflicting gradients are projected (Yu et al. 2020, PCGrad): each task's gradient by the
 * shared parts loses, for every other task in a random order, its part against that task's own gradient. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "joint/weighing.h"
#include "kernels/kernels.h"
#include <string.h>

static double factor(const wf_weigh_state *s, size_t task, bool squared) {
    (void)s;
    (void)task;
    (void)squared;
    return 1;
}

static wf_status step(wf_weigh_state *s, double number, const wf_weigh_step *g, wf_err *err) {
    int64_t there[WF_JOINT_TASKS];
    double square[WF_JOINT_TASKS];
    size_t n = 0;
    (void)s;
    (void)number;
    float *own = wfi_alloc((size_t)g->total + 1, sizeof *own);
    if (!own) return wfi_fail(err, WF_E_NOMEM, "out of memory for a gradient of %lld numbers", (long long)g->total);
    memset(g->out, 0, (size_t)g->total * sizeof *g->out);
    for (size_t k = 0; k < g->tasks; k++) {
        if (!g->present[k]) continue;
        square[k] = wfi_weigh_dot(g->total, g->grad[k], g->grad[k]);
        there[n++] = (int64_t)k;
    }
    for (size_t k = 0; k < g->tasks; k++) {
        if (!g->present[k]) continue;
        int64_t order[WF_JOINT_TASKS];
        memcpy(order, there, n * sizeof *order);
        wfi_random_shuffle(wfi_random_key(g->key, "pcgrad", k, 0), order, n);
        memcpy(own, g->grad[k], (size_t)g->total * sizeof *own);
        for (size_t j = 0; j < n; j++) {
            const size_t other = (size_t)order[j];
            const double dot = other == k ? 0 : wfi_weigh_dot(g->total, own, g->grad[other]);
            if (dot < 0 && square[other] > 0) wfi_axpy(g->total, (float)(-dot / square[other]), g->grad[other], own);
        }
        wfi_axpy(g->total, 1.0f, own, g->out);
    }
    wfi_free(own);
    return WF_OK;
}

const wf_weighing_method wfi_weighing_pcgrad = {.name = "pcgrad", .separate = true, .factor = factor, .step = step};
