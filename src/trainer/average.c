/* trainer/average.c - see average.h. */
#include "trainer/average.h"
#include "base/alloc.h"
#include "base/error.h"
#include <string.h>

wf_status wfi_average_init(wf_average *a, wf_pset *const *sets, size_t count, double decay, wf_err *err) {
    *a = (wf_average){.sets = sets, .count = count, .decay = decay};
    if (decay <= 0) return WF_OK;
    a->mean = wfi_alloc(count, sizeof *a->mean);
    for (size_t i = 0; a->mean && i < count; i++) {
        a->mean[i] = wfi_alloc((size_t)sets[i]->total + 1, sizeof(float));
        if (!a->mean[i]) break;
        memcpy(a->mean[i], sets[i]->data, (size_t)sets[i]->total * sizeof(float));
    }
    if (a->mean && (count == 0 || a->mean[count - 1])) return WF_OK;
    wfi_average_clear(a);
    return wfi_fail(err, WF_E_NOMEM, "out of memory for the mean of the trained values");
}

void wfi_average_update(wf_average *a, int64_t step) {
    if (a->decay <= 0) return;
    const double early = (double)step / (double)(step + 9);
    const float share = (float)(1 - (early < a->decay ? early : a->decay));
    for (size_t i = 0; i < a->count; i++) {
        float *restrict mean = a->mean[i];
        const float *restrict values = a->sets[i]->data;
        for (int64_t k = 0; k < a->sets[i]->total; k++) mean[k] += share * (values[k] - mean[k]);
    }
}

void wfi_average_swap(wf_average *a) {
    if (a->decay <= 0) return;
    for (size_t i = 0; i < a->count; i++) {
        float *restrict mean = a->mean[i], *restrict values = a->sets[i]->data;
        for (int64_t k = 0; k < a->sets[i]->total; k++) {
            const float value = values[k];
            values[k] = mean[k];
            mean[k] = value;
        }
    }
}

void wfi_average_clear(wf_average *a) {
    for (size_t i = 0; a->mean && i < a->count; i++) wfi_free(a->mean[i]);
    wfi_free(a->mean);
    a->mean = NULL;
}
