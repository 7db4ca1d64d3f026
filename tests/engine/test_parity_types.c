/* tests/engine/test_parity_types.c - training over a base in bfloat16 and in 8 bits, against the float32 training of
 * the Python library: the cases of parity.h, those whose base is trained itself in bfloat16 only.
 *
 * Compared are the gradients of the first step and the way that the trained values went in all steps, each as a vector:
 * its cosine with the library's and its length over the library's, of all trained values together and by parameter
 * (of those that are at least SHARE of the whole). A backward pass that leaves out or misjudges a layer shows there,
 * which no comparison of outputs does. With $WEFT_PARITY_VERBOSE: a line a case. */
#include "base/file.h"
#include "parity.h"
#include <math.h>

#define SHARE 0.1

typedef struct likeness {
    double cosine, length; /* length: how far the quotient of lengths is from 1 */
} likeness;

enum { GRAD, GRAD_PARAM, STEP, STEP_PARAM, GROUPS };
static const char *const groups[GROUPS] = {"grad", "grad of a parameter", "step", "step of a parameter"};

/* Cosine at least, length at most. Seen on the small random base, and on MiniLM (groups in their order):
 *   bf16  1 - 1.2e-4, 0.003; 1 - 2.2e-3, 0.021; 1 - 6.0e-3, 0.005; 1 - 2.6e-2, 0.015
 *         1 - 3.9e-4, 0.008; 1 - 6.9e-3, 0.047; 1 - 2.7e-3, 0.004; 1 - 8.3e-3, 0.033; and of one layer of one case in
 *         the order of sums that AVX2 has, where some unit of ReLU decides otherwise: 1 - 3.7e-3 and 1 - 2.3e-2
 *   int8  1 - 9.3e-4, 0.016; 1 - 3.9e-3, 0.047; 1 - 1.6e-2, 0.024; 1 - 7.2e-2, 0.074
 *         1 - 9.0e-3, 0.028; 1 - 4.3e-2, 0.130; 1 - 1.5e-2, 0.011; 1 - 4.3e-2, 0.062
 * AdamW divides each element by its own size, so steps turn the rounding of small gradients into whole steps. */
typedef likeness limits[GROUPS];
static const struct {
    const char *name;
    wf_dtype dtype;
    limits random, real;
} types[] = {
    {"bf16",
     WF_DTYPE_BF16,
     {{0.9997, 0.006}, {0.995, 0.04}, {0.988, 0.01}, {0.95, 0.03}},
     {{0.993, 0.016}, {0.955, 0.09}, {0.994, 0.008}, {0.98, 0.07}}},
    {"int8",
     WF_DTYPE_I8,
     {{0.998, 0.03}, {0.99, 0.09}, {0.97, 0.045}, {0.87, 0.14}},
     {{0.98, 0.055}, {0.92, 0.25}, {0.97, 0.025}, {0.91, 0.12}}},
};
/* Without the base's own LayerNorm behind its last fusion this one's forward pass in 8 bits moves the gradients so far
 * (its backward pass alone: 1 - 1.3e-5, 4e-4). */
static const char ROUGH[] = "fusion_last_no_outer_ln";
static const limits rough = {{0.99, 0.04}, {0.93, 0.5}, {0.96, 0.03}, {0.9, 0.06}};

typedef struct sums { /* of two vectors: got and want */
    double gg, gw, ww;
} sums;

static void sums_add(sums *s, const float *got, const float *want, const float *from, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const double start = from ? (double)from[i] : 0, g = (double)got[i] - start, w = (double)want[i] - start;
        s->gg += g * g;
        s->gw += g * w;
        s->ww += w * w;
    }
}

static likeness sums_likeness(const sums *s) {
    return (likeness){s->gw / sqrt(s->gg * s->ww), fabs(sqrt(s->gg / s->ww) - 1)};
}

typedef struct comparison {
    parity p;
    int type;
    const limits *allowed;
    likeness worst[GROUPS];
    int failures;
} comparison;

static void judge(comparison *c, int group, const char *name, const sums *s) {
    const likeness l = sums_likeness(s), *most = &(*c->allowed)[group];
    if (!(l.cosine >= c->worst[group].cosine)) c->worst[group].cosine = l.cosine;
    if (!(l.length <= c->worst[group].length)) c->worst[group].length = l.length;
    if (l.cosine >= most->cosine && l.length <= most->length) return;
    c->failures++;
    print_error("%s@%s: %s of %s: cosine %.6f, length off by %.2g\n", wfi_path_base(c->p.dir), types[c->type].name,
                groups[group], name, l.cosine, l.length);
}

static bool counts(const parity *p, const wf_param *q) {
    return q->grad && !parity_listed(p, "null_gradient", q->name) && !parity_listed(p, "unused", q->name);
}

/* group: GRAD or STEP. starts: of each set, NULL for gradients. */
static void compare(comparison *c, int group, const char *before, float *const *starts) {
    parity *p = &c->p;
    sums all = {0}, each[512] = {0};
    const wf_param *named[512];
    char name[512];
    size_t n = 0;
    for (size_t s = 0; s < p->set_count; s++)
        for (size_t i = 0; i < p->sets[s]->count; i++) {
            const wf_param *q = p->sets[s]->params[i];
            if (!counts(p, q)) continue;
            snprintf(name, sizeof name, "%s.%s", before, q->name);
            const wf_tensor *t = parity_expected(p, name, WF_DTYPE_F32);
            assert_int_equal(wfi_tensor_count(t), q->count);
            assert_in_range(n, 0, 511);
            const float *got = group == GRAD ? q->grad : q->data;
            const float *from = starts ? starts[s] + (q->data - p->sets[s]->data) : NULL;
            sums_add(&each[n], got, t->data, from, q->count);
            sums_add(&all, got, t->data, from, q->count);
            named[n++] = q;
        }
    judge(c, group, "all", &all);
    for (size_t i = 0; i < n; i++)
        if (each[i].ww >= SHARE * SHARE * all.ww) judge(c, group + 1, named[i]->name, &each[i]);
}

static const limits *allowed(const parity *p, int type) {
    if (json_is_true(json_object_get(p->info, "real_base"))) return &types[type].real;
    const bool coarse = types[type].dtype == WF_DTYPE_I8 && strcmp(wfi_path_base(p->dir), ROUGH) == 0;
    return coarse ? &rough : &types[type].random;
}

static void run_type(const char *dir, int type, int *failures) {
    comparison c = {.type = type};
    float *starts[PARITY_SETS];
    static const char *const words[GROUPS] = {"grad", "one", "step", "one"};
    char step[16];
    for (int g = 0; g < GROUPS; g++) c.worst[g].cosine = 1;
    parity_open(&c.p, dir, types[type].dtype);
    c.allowed = allowed(&c.p, type);
    for (size_t s = 0; s < c.p.set_count; s++) {
        const size_t bytes = (size_t)c.p.sets[s]->total * sizeof(float);
        starts[s] = malloc(bytes + 1);
        memcpy(starts[s], c.p.sets[s]->data, bytes);
    }
    const int steps = (int)parity_number(c.p.info, "steps");
    for (int i = 0; i < steps; i++) {
        parity_gradient(&c.p, NULL, NULL, NULL);
        if (i == 0) compare(&c, GRAD, "grad", NULL);
        parity_step(&c.p);
    }
    snprintf(step, sizeof step, "step%d", steps);
    compare(&c, STEP, step, starts);
    if (getenv("WEFT_PARITY_VERBOSE")) {
        print_message("%-32s %s", wfi_path_base(dir), types[type].name);
        for (int g = 0; g < GROUPS; g++)
            print_message(" %s 1-%.1e %.1e", words[g], 1 - c.worst[g].cosine, c.worst[g].length);
        print_message("\n");
    }
    for (size_t s = 0; s < c.p.set_count; s++) free(starts[s]);
    *failures += c.failures;
    parity_close(&c.p);
}

static void run_case(void **state) {
    int failures = 0;
    parity p;
    parity_open(&p, *state, WF_DTYPE_F32);
    const bool frozen = p.model == p.base;
    parity_close(&p);
    for (int t = 0; t < (int)(sizeof types / sizeof *types); t++)
        if (frozen || types[t].dtype != WF_DTYPE_I8) run_type(*state, t, &failures);
    if (failures) fail_msg("%d gradients or steps differ by more than is allowed", failures);
}

int main(void) {
    return parity_main("parity types", run_case);
}
