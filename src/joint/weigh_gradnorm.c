/* joint/weigh_gradnorm.c - weights under which the tasks' gradients have like lengths (Chen et al. 2018, GradNorm).
 * With G_k the length of the weighted loss's gradient by the shared parts and r_k how much of the first loss is left,
 * against the mean of that, the weights go down the gradient of sum |G_k - mean(G) r_k^alpha| (the aim held fixed) and
 * are then scaled to sum to the number of tasks. In steps in which a task has no batch its weight stays. */
#include "joint/weighing.h"
#include <math.h>
#include <string.h>

static const double LEAST = 1e-3; /* a weight of 0 or below would end, or turn round, the task's training */

static double factor(const wf_weigh_state *s, size_t task, bool squared) {
    (void)squared;
    return s->value[task];
}

static void scale(wf_weigh_state *s, const wf_weigh_step *g) {
    double sum = 0;
    for (size_t k = 0; k < g->tasks; k++) sum += s->value[k] = fmax(s->value[k], LEAST);
    for (size_t k = 0; k < g->tasks; k++) s->value[k] *= (double)g->tasks / sum;
}

static wf_status step(wf_weigh_state *s, double alpha, const wf_weigh_step *g, wf_err *err) {
    double length[WF_JOINT_TASKS], left[WF_JOINT_TASKS], lengths = 0, lefts = 0;
    size_t n = 0;
    (void)err;
    memset(g->out, 0, (size_t)g->total * sizeof *g->out);
    for (size_t k = 0; k < g->tasks; k++) {
        if (!g->present[k]) continue;
        if (s->first_loss[k] == 0) s->first_loss[k] = fmax(g->loss[k], 1e-12);
        length[k] = sqrt(wfi_weigh_dot(g->total, g->grad[k], g->grad[k])) / g->share[k];
        left[k] = g->loss[k] / s->first_loss[k];
        lengths += length[k];
        lefts += left[k];
        n++;
        for (int64_t i = 0; i < g->total; i++) g->out[i] += g->grad[k][i];
    }
    for (size_t k = 0; k < g->tasks && n > 1 && lefts > 0; k++) {
        if (!g->present[k]) continue;
        const double aim = lengths / (double)n * pow(left[k] * (double)n / lefts, alpha);
        const double slope = length[k] / s->value[k]; /* of G_k by the weight */
        wfi_weigh_adam(s, k, length[k] > aim ? slope : length[k] < aim ? -slope : 0);
    }
    scale(s, g);
    return WF_OK;
}

const wf_weighing_method wfi_weighing_gradnorm = {.name = "gradnorm",
                                                  .number = "ALPHA",
                                                  .low = 0,
                                                  .high = 10,
                                                  .standard = 1.5,
                                                  .start = 1,
                                                  .separate = true,
                                                  .factor = factor,
                                                  .step = step};
