/* joint/weighing.c - the list of methods, the plain one, and what the others share. See weighing.h. */
#include "joint/weighing.h"
#include "base/error.h"
#include "joint/choice.h"
#include <math.h>

#define WF_WEIGHING(name) extern const wf_weighing_method name;
#include "joint/weighing.inc"
#undef WF_WEIGHING
static const wf_weighing_method *const methods[] = {
#define WF_WEIGHING(name) &name,
#include "joint/weighing.inc"
#undef WF_WEIGHING
};
enum { METHODS = sizeof methods / sizeof *methods, LANES = 8 };
static const double RATE = 0.025, BETA1 = 0.9, BETA2 = 0.999, EPS = 1e-8;

wf_status wfi_weighing_parse(const char *text, wf_weighing *out, wf_err *err) {
    wf_choice all[METHODS];
    size_t at = 0;
    *out = (wf_weighing){.method = methods[0]};
    if (!text) return WF_OK;
    for (size_t i = 0; i < METHODS; i++)
        all[i] =
            (wf_choice){methods[i]->name, methods[i]->number, methods[i]->low, methods[i]->high, methods[i]->standard};
    WF_TRY(wfi_choice_parse("loss weights", text, all, METHODS, &at, &out->number, err));
    out->method = methods[at];
    return WF_OK;
}

const wf_weighing_method *wfi_weighing_method(const wf_weighing *w) {
    return w->method ? w->method : methods[0];
}

void wfi_weigh_start(const wf_weighing *w, wf_weigh_state *out) {
    *out = (wf_weigh_state){0};
    for (int k = 0; k < WF_JOINT_TASKS; k++) out->value[k] = wfi_weighing_method(w)->start;
}

void wfi_weigh_adam(wf_weigh_state *s, size_t task, double gradient) {
    const double t = (double)++s->updates[task];
    s->m[task] = BETA1 * s->m[task] + (1 - BETA1) * gradient;
    s->v[task] = BETA2 * s->v[task] + (1 - BETA2) * gradient * gradient;
    s->value[task] -= RATE * s->m[task] / (1 - pow(BETA1, t)) / (sqrt(s->v[task] / (1 - pow(BETA2, t))) + EPS);
}

/* Lanes, so that the compiler may use vectors; always the same order. */
double wfi_weigh_dot(int64_t n, const float *a, const float *b) {
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) lane[k] += (double)a[i + k] * (double)b[i + k];
    for (; i < n; i++) sum += (double)a[i] * (double)b[i];
    for (int k = 0; k < LANES; k++) sum += lane[k];
    return sum;
}

static double one(const wf_weigh_state *s, size_t task, bool squared) {
    (void)s;
    (void)task;
    (void)squared;
    return 1;
}

const wf_weighing_method wfi_weighing_uniform = {.name = "uniform", .factor = one};
