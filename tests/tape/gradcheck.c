/* tests/tape/gradcheck.c - see gradcheck.h. */
#include "gradcheck.h"
#include "tape/linear.h"
#include <math.h>

double gc_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / (double)(1u << 23) - 1.0;
}

/* ---- the probe op ---- */

typedef struct probe_saved {
    int n;
    wf_value *v[8];
    const float *probe[8];
} probe_saved;

static wf_status probe_backward(wf_tape *t, wf_node *n, wf_err *err) {
    const probe_saved *s = n->saved;
    for (int i = 0; i < s->n; i++) {
        const int64_t count = s->v[i]->rows * s->v[i]->cols;
        float *g = wfi_tape_buffer(t, s->v[i]->rows, s->v[i]->cols);
        for (int64_t k = 0; k < count; k++) g[k] = s->probe[i][k] * n->out->grad[0];
        wfi_tape_grad_add(t, s->v[i], g);
        wfi_tape_buffer_done(t, g, s->v[i]->rows, s->v[i]->cols);
    }
    return WF_OK;
}

static const wf_op probe_op = {"probe", probe_backward};

wf_value *gc_probe(wf_tape *t, int n, wf_value *const *v, const float *const *probe) {
    double sum = 0;
    bool needs = false;
    probe_saved *s = wfi_tape_get(t, sizeof *s);
    s->n = n;
    for (int i = 0; i < n; i++) {
        if (!v[i]) return NULL;
        s->v[i] = v[i];
        s->probe[i] = probe[i];
        needs |= v[i]->needs_grad;
        for (int64_t k = 0; k < v[i]->rows * v[i]->cols; k++) sum += (double)v[i]->data[k] * (double)probe[i][k];
    }
    wf_value *out = wfi_op_scalar(t, "probe", sum);
    if (needs) wfi_tape_record(t, &probe_op, out, s);
    return out;
}

/* ---- one case ---- */

typedef struct setup {
    const gc_case *c;
    int n;
    int64_t count[GC_INPUTS], out_count;
    double *d[GC_INPUTS], *numeric[GC_INPUTS]; /* inputs and numeric gradients */
    float *f[GC_INPUTS], *extra[GC_INPUTS];    /* inputs, and a second loss's probe */
    float *probe;                              /* [rows,cols] */
    double *out;
    wf_pset sets[GC_INPUTS]; /* one a parameter, so that each can be frozen alone */
    wf_param *p[GC_INPUTS];
    wf_tape *t;
} setup;

static double reference_loss(setup *s) {
    s->c->reference((const double *const *)s->d, s->out);
    double sum = 0;
    for (int64_t i = 0; i < s->out_count; i++) sum += s->out[i] * (double)s->probe[i];
    return sum;
}

static void setup_init(setup *s, const gc_case *c) {
    uint64_t state = 12345;
    *s = (setup){.c = c, .out_count = c->rows * c->cols};
    s->probe = calloc((size_t)s->out_count, sizeof *s->probe);
    s->out = calloc((size_t)s->out_count, sizeof *s->out);
    for (int64_t i = 0; i < s->out_count; i++) s->probe[i] = (float)gc_random(&state);
    for (int i = 0; i < GC_INPUTS && c->in[i].cols; i++) {
        const gc_input *in = &c->in[i];
        s->n = i + 1;
        s->count[i] = (in->rows ? in->rows : 1) * in->cols;
        s->d[i] = calloc((size_t)s->count[i], sizeof(double));
        s->numeric[i] = calloc((size_t)s->count[i], sizeof(double));
        s->f[i] = calloc((size_t)s->count[i], sizeof(float));
        s->extra[i] = calloc((size_t)s->count[i], sizeof(float));
        for (int64_t k = 0; k < s->count[i]; k++) {
            s->f[i][k] = (float)(in->scale * gc_random(&state));
            s->d[i][k] = (double)s->f[i][k];
            s->extra[i][k] = (float)gc_random(&state);
        }
        if (!in->param) continue;
        const int64_t shape[2] = {in->rows ? in->rows : in->cols, in->cols};
        s->p[i] = wfi_pset_add(&s->sets[i], "p", in->rows ? 2 : 1, shape, true);
        check_ok(wfi_pset_commit(&s->sets[i], err));
        memcpy(s->p[i]->data, s->f[i], (size_t)s->count[i] * sizeof(float));
    }
    for (int i = 0; i < s->n; i++)
        for (int64_t k = 0; k < s->count[i]; k++) {
            const double x = s->d[i][k], h = 1e-5;
            s->d[i][k] = x + h;
            const double up = reference_loss(s);
            s->d[i][k] = x - h;
            s->numeric[i][k] = (up - reference_loss(s)) / (2 * h);
            s->d[i][k] = x;
        }
    reference_loss(s);
    check_ok(wfi_tape_new(&s->t, err));
}

static void setup_clear(setup *s) {
    for (int i = 0; i < s->n; i++) {
        free(s->d[i]);
        free(s->numeric[i]);
        free(s->f[i]);
        free(s->extra[i]);
        wfi_pset_clear(&s->sets[i]);
    }
    free(s->probe);
    free(s->out);
    wfi_tape_free(s->t);
}

static void near(const setup *s, const char *what, int input, int64_t count, const float *got, const double *want,
                 const float *plus) {
    double most = 1;
    for (int64_t k = 0; k < count; k++)
        if (fabs(want[k]) > most) most = fabs(want[k]);
    for (int64_t k = 0; k < count; k++) {
        const double w = want[k] + (plus ? (double)plus[k] : 0.0);
        if (!(fabs((double)got[k] - w) <= 2e-5 * most))
            fail_msg("%s: %s %d, element %lld is %.9g, not %.9g", s->c->name, what, input, (long long)k, (double)got[k],
                     w);
    }
}

/* wants: bit i set: input i needs a gradient. extra: every value has a second consumer, run backwards first. sums: all
 * gradients one after the other, to compare bits between runs. */
static void pass(setup *s, unsigned wants, bool training, bool extra, float *sums) {
    wf_value *v[GC_INPUTS + 1] = {0};
    const float *probes[GC_INPUTS + 1];
    wfi_tape_reset(s->t, training);
    for (int i = 0; i < s->n; i++) {
        const gc_input *in = &s->c->in[i];
        const bool on = wants >> i & 1;
        if (in->param) {
            check_ok(wfi_pset_trainable(&s->sets[i], false, err));
            check_ok(wfi_pset_trainable(&s->sets[i], on, err));
        } else {
            v[i] = on ? wfi_tape_variable(s->t, s->f[i], in->rows, in->cols)
                      : wfi_tape_constant(s->t, s->f[i], in->rows, in->cols);
        }
    }
    wf_value *out = s->c->build(s->t, v, s->p);
    wf_err e = {0};
    if (wfi_tape_status(s->t, &e) != WF_OK) fail_msg("%s: %s", s->c->name, e.text);
    assert_int_equal(out->rows, s->c->rows);
    assert_int_equal(out->cols, s->c->cols);
    near(s, "output", 0, s->out_count, out->data, s->out, NULL);
    assert_int_equal(out->needs_grad, training && wants != 0);
    wf_value *all[GC_INPUTS + 1] = {out};
    probes[0] = s->probe;
    int n = 1;
    for (int i = 0; i < s->n && extra; i++)
        if (v[i]) all[n] = v[i], probes[n++] = s->extra[i];
    wf_value *loss = gc_probe(s->t, n, all, probes);
    if (!training) return;
    check_ok(wfi_tape_backward(s->t, loss, 1.0f, err));
    for (int i = 0; i < s->n; i++) {
        const float *g = v[i] ? v[i]->grad : s->p[i]->grad;
        if (!(wants >> i & 1)) {
            assert_null(g);
            continue;
        }
        near(s, "gradient of input", i, s->count[i], g, s->numeric[i], v[i] && extra ? s->extra[i] : NULL);
        for (int64_t k = 0; sums && k < s->count[i]; k++) *sums++ = g[k];
    }
}

void gc_check(const gc_case *c, bool inference) {
    setup s;
    setup_init(&s, c);
    int64_t total = 0;
    for (int i = 0; i < s.n; i++) total += s.count[i];
    float *first = calloc((size_t)total, sizeof *first), *second = calloc((size_t)total, sizeof *second);
    const unsigned all = (1u << s.n) - 1;
    pass(&s, all, true, false, first);
    pass(&s, all, true, true, NULL);
    for (int i = 0; i < s.n; i++) pass(&s, 1u << i, true, i % 2, NULL);
    for (int i = 0; i < s.n; i++) pass(&s, all & ~(1u << i), true, false, NULL);
    pass(&s, 0, true, false, NULL);
    if (inference) pass(&s, all, false, false, NULL);
    pass(&s, all, true, false, second);
    if (memcmp(first, second, (size_t)total * sizeof *first) != 0) fail_msg("%s: a second run has other bits", c->name);
    free(first);
    free(second);
    setup_clear(&s);
}
