/* joint/sampling.c - from weights to the tasks of an epoch's batches. See sampling.h. */
#include "joint/sampling.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "joint/choice.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WF_SAMPLING(name) extern const wf_sampling_method name;
#include "joint/sampling.inc"
#undef WF_SAMPLING
static const wf_sampling_method *const methods[] = {
#define WF_SAMPLING(name) &name,
#include "joint/sampling.inc"
#undef WF_SAMPLING
};
enum { METHODS = sizeof methods / sizeof *methods };

wf_status wfi_sampling_parse(const char *text, wf_sampling *out, wf_err *err) {
    wf_choice all[METHODS];
    size_t at = 0;
    *out = (wf_sampling){.method = methods[0]};
    if (!text) return WF_OK;
    for (size_t i = 0; i < METHODS; i++)
        all[i] = (wf_choice){methods[i]->name, methods[i]->number, methods[i]->low, methods[i]->high, NAN};
    WF_TRY(wfi_choice_parse("sampling", text, all, METHODS, &at, &out->number, err));
    out->method = methods[at];
    return WF_OK;
}

void wfi_sampling_counts(const wf_sampling *s, const wf_sampling_state *state, int64_t *counts) {
    const size_t n = state->tasks;
    double weight[WF_JOINT_TASKS], rest[WF_JOINT_TASKS], sum = 0;
    int64_t total = 0, left;
    (s->method ? s->method : methods[0])->weigh(state, s->number, weight);
    for (size_t k = 0; k < n; k++) {
        sum += weight[k];
        total += state->batches[k];
    }
    left = total;
    for (size_t k = 0; k < n; k++) {
        const double share = (double)total * (weight[k] / sum);
        counts[k] = (int64_t)(share + 1e-9); /* what is whole but for rounding is whole */
        rest[k] = share - (double)counts[k];
        left -= counts[k];
    }
    for (; left > 0; left--) {
        size_t most = 0;
        for (size_t k = 1; k < n; k++)
            if (rest[k] > rest[most] + 1e-9) most = k;
        counts[most]++;
        rest[most] -= 1;
    }
}

typedef struct place {
    double at;
    int32_t task;
} place;

static int by_place(const void *a, const void *b) {
    const place *x = a, *y = b;
    return x->at != y->at ? (x->at > y->at) - (x->at < y->at) : (x->task > y->task) - (x->task < y->task);
}

wf_status wfi_sampling_order(const int64_t *counts, size_t tasks, uint64_t key, int32_t *order, wf_err *err) {
    size_t total = 0, n = 0;
    for (size_t k = 0; k < tasks; k++) total += (size_t)counts[k];
    place *places = wfi_alloc(total + 1, sizeof *places);
    if (!places) return wfi_fail(err, WF_E_NOMEM, "out of memory for the order of %zu batches", total);
    for (size_t k = 0; k < tasks; k++)
        for (int64_t i = 0; i < counts[k]; i++)
            places[n++] = (place){((double)i + (double)wfi_random_uniform(key, k)) / (double)counts[k], (int32_t)k};
    qsort(places, total, sizeof *places, by_place);
    for (size_t i = 0; i < total; i++) order[i] = places[i].task;
    wfi_free(places);
    return WF_OK;
}
