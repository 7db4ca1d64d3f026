/* optim/schedule.c - see schedule.h. One row a schedule; after the warm-up each is a function of the part done. */
#include "optim/schedule.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

static double most(double a, double b) {
    return a > b ? a : b;
}

static double constant(double done, double rest) {
    return 1.0;
}
static double linear(double done, double rest) {
    return most(0.0, (rest - done) / most(1.0, rest));
}
/* Beyond the end the cosine rises again, as in transformers; nobody trains there. */
static double cosine(double done, double rest) {
    return most(0.0, 0.5 * (1.0 + cos(M_PI * (done / most(1.0, rest)))));
}

static const struct {
    const char *name, *alias;
    double (*after)(double done, double rest); /* steps since the warm-up, and how many there are in all */
} rows[] = {
    [WF_SCHEDULE_CONSTANT] = {"constant", "constant_with_warmup", constant},
    [WF_SCHEDULE_LINEAR] = {"linear", "linear", linear},
    [WF_SCHEDULE_COSINE] = {"cosine", "cosine", cosine},
};

double wfi_schedule_factor(const wf_schedule *s, int64_t step) {
    if (step < s->warmup_steps) return (double)step / most(1.0, (double)s->warmup_steps);
    return rows[s->kind].after((double)(step - s->warmup_steps), (double)(s->total_steps - s->warmup_steps));
}

bool wfi_schedule_parse(const char *name, wf_schedule_kind *out) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(name, rows[i].name) != 0 && strcmp(name, rows[i].alias) != 0) continue;
        *out = (wf_schedule_kind)i;
        return true;
    }
    return false;
}

const char *wfi_schedule_name(wf_schedule_kind kind) {
    return rows[kind].name;
}
