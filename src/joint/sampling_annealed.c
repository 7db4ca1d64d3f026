/* joint/sampling_annealed.c - from proportional towards equal over the epochs: size^a with a = 1 - 0.8 e/(E-1) in epoch
 * e of E (Stickland & Murray 2019, "BERT and PALs"). */
#include "joint/sampling.h"
#include <math.h>

static void weigh(const wf_sampling_state *s, double number, double *weight) {
    const double done = s->epochs > 1 ? (double)s->epoch / (double)(s->epochs - 1) : 0;
    (void)number;
    for (size_t k = 0; k < s->tasks; k++) weight[k] = pow((double)s->batches[k], 1 - 0.8 * done);
}

const wf_sampling_method wfi_sampling_annealed = {.name = "annealed", .weigh = weigh};
