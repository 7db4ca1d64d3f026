/* joint/sampling_power.c - weights that are a power of the size: proportional (1), equal (0), square root (1/2), and
 * temperature T (1/T; Devlin et al. 2018 for languages, Raffel et al. 2020 for tasks). */
#include "joint/sampling.h"
#include <math.h>

static void power(const wf_sampling_state *s, double exponent, double *weight) {
    for (size_t k = 0; k < s->tasks; k++) weight[k] = pow((double)s->batches[k], exponent);
}
static void proportional(const wf_sampling_state *s, double number, double *weight) {
    (void)number;
    power(s, 1, weight);
}
static void equal(const wf_sampling_state *s, double number, double *weight) {
    (void)number;
    power(s, 0, weight);
}
static void square_root(const wf_sampling_state *s, double number, double *weight) {
    (void)number;
    power(s, 0.5, weight);
}
static void temperature(const wf_sampling_state *s, double number, double *weight) {
    power(s, 1 / number, weight);
}

const wf_sampling_method wfi_sampling_proportional = {.name = "proportional", .weigh = proportional};
const wf_sampling_method wfi_sampling_equal = {.name = "equal", .weigh = equal};
const wf_sampling_method wfi_sampling_sqrt = {.name = "sqrt", .weigh = square_root};
const wf_sampling_method wfi_sampling_temperature = {
    .name = "temperature", .number = "T", .low = 1, .high = 1000, .weigh = temperature};
