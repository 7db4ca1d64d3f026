/* joint/weigh_uncertainty.c - losses weighed by a learned uncertainty of each task (Kendall, Gal & Cipolla 2018). With
 * s = log sigma^2 a class loss L counts exp(-s) L + s/2, a squared error exp(-s) L / 2 + s/2. Where losses stand still,
 * s does at exp(s) = 2 L (a squared error: L): the weight is 1/(2 L) for both. */
#include "joint/weighing.h"
#include <math.h>

static double factor(const wf_weigh_state *s, size_t task, bool squared) {
    return (squared ? 0.5 : 1) * exp(-s->value[task]);
}

static wf_status step(wf_weigh_state *s, double number, const wf_weigh_step *g, wf_err *err) {
    (void)number;
    (void)err;
    for (size_t k = 0; k < g->tasks; k++)
        if (g->present[k]) wfi_weigh_adam(s, k, 0.5 - factor(s, k, g->squared[k]) * g->loss[k]);
    return WF_OK;
}

const wf_weighing_method wfi_weighing_uncertainty = {.name = "uncertainty", .factor = factor, .step = step};
