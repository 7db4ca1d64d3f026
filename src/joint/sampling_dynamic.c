/* joint/sampling_dynamic.c - tasks that dev shows to lack most are drawn most (Gottumukkala et al. 2020, who measure
 * what is lacking to a single-task model; here none is trained, so it is what lacks to a perfect score, as a share of
 * what lacked at the first evaluation). No task falls below a tenth of an equal share of the weights. */
#include "joint/sampling.h"
#include <math.h>

static void weigh(const wf_sampling_state *s, double number, double *weight) {
    double sum = 0;
    (void)number;
    for (size_t k = 0; k < s->tasks; k++) sum += weight[k] = fmax(s->gap[k], 0);
    for (size_t k = 0; k < s->tasks; k++) weight[k] = sum > 0 ? fmax(weight[k] / sum, 0.1 / (double)s->tasks) : 1;
}

const wf_sampling_method wfi_sampling_dynamic = {.name = "dynamic", .dev = true, .weigh = weigh};
