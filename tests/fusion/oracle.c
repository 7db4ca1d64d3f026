/* tests/fusion/oracle.c - see oracle.h. Formulas and their order as in Pfeiffer et al. 2021 and the Python library:
 * pre-step of the last adapter, every child on the same z, residual into the values, queries, keys, values, dropout on
 * scores, softmax, mix. */
#include "oracle.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include <math.h>

static oracle_var *add(oracle *o, const char *name, const wf_param *param, const float *data, int64_t n) {
    assert_true(o->count < ORACLE_VARS);
    oracle_var *v = &o->vars[o->count++];
    *v = (oracle_var){
        .name = name, .param = param, .n = n, .v = calloc((size_t)n, sizeof *v->v), .grad = param ? param->grad : NULL};
    for (int64_t i = 0; i < n; i++) v->v[i] = (double)data[i];
    return v;
}

static const double *of(const oracle *o, const wf_param *p) {
    for (int i = 0; i < o->count && p; i++)
        if (o->vars[i].param == p) return o->vars[i].v;
    return NULL;
}

void oracle_init(oracle *o, const wf_fusion *f, wf_site site, int layer, int64_t T, const float *h, const float *x,
                 const wf_norm *norm) {
    *o = (oracle){
        .fusion = f, .site = site, .layer = layer, .T = T, .d = f->base.hidden_size, .norm = norm, .temperature = 1.0};
    o->h = add(o, "h", NULL, h, T * o->d)->v;
    o->x = add(o, "x", NULL, x, T * o->d)->v;
    for (size_t i = 0; i < f->params.count; i++) {
        const wf_param *p = f->params.params[i];
        add(o, p->name, p, p->data, p->count);
    }
    for (size_t a = 0; a < f->count; a++)
        for (size_t i = 0; i < f->adapters[a]->params.count; i++) {
            const wf_param *p = f->adapters[a]->params.params[i];
            add(o, p->name, p, p->data, p->count);
        }
    o->probs = calloc((size_t)T * f->count, sizeof *o->probs);
    o->y = calloc((size_t)(T * o->d), sizeof *o->y);
}

void oracle_clear(oracle *o) {
    for (int i = 0; i < o->count; i++) free(o->vars[i].v);
    free(o->probs);
    free(o->y);
    *o = (oracle){0};
}

static double act(wf_act a, double x) {
    switch (a) {
    case WF_ACT_RELU:
        return x > 0 ? x : 0;
    case WF_ACT_GELU:
        return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    case WF_ACT_SILU:
        return x / (1 + exp(-x));
    case WF_ACT_TANH:
        return tanh(x);
    default:
        fail_msg("the oracle does not know this activation");
        return 0;
    }
}

/* y = W x + b; W [out,in] */
static void linear(int64_t out, int64_t in, const double *W, const double *b, const double *x, double *y) {
    for (int64_t r = 0; r < out; r++) {
        y[r] = b ? b[r] : 0;
        for (int64_t c = 0; c < in; c++) y[r] += W[r * in + c] * x[c];
    }
}

static void layernorm(int64_t d, double eps, const double *gamma, const double *beta, const double *x, double *y) {
    double mean = 0, var = 0;
    for (int64_t c = 0; c < d; c++) mean += x[c] / (double)d;
    for (int64_t c = 0; c < d; c++) var += (x[c] - mean) * (x[c] - mean) / (double)d;
    for (int64_t c = 0; c < d; c++) y[c] = gamma[c] * (x[c] - mean) / sqrt(var + eps) + beta[c];
}

static void frozen_norm(const oracle *o, const double *x, double *y) {
    double gamma[64], beta[64];
    for (int64_t c = 0; c < o->d; c++)
        gamma[c] = (double)o->norm->gamma->data[c], beta[c] = (double)o->norm->beta->data[c];
    layernorm(o->d, (double)o->norm->eps, gamma, beta, x, y);
}

/* u = s * (W_up act(W_down z' + b) + b) */
static void child(const oracle *o, const wf_bottleneck *b, const double *z, double *u) {
    double in[64], a[256];
    memcpy(in, z, (size_t)o->d * sizeof *in);
    if (b->ln_before.gamma) layernorm(o->d, 1e-5, of(o, b->ln_before.gamma), of(o, b->ln_before.beta), z, in);
    linear(b->m, o->d, of(o, b->down.weight), of(o, b->down.bias), in, a);
    for (int64_t j = 0; j < b->m; j++) a[j] = act(b->act, a[j]);
    linear(o->d, b->m, of(o, b->up.weight), of(o, b->up.bias), a, u);
    const double *s = of(o, b->scale_param);
    for (int64_t c = 0; c < o->d; c++) u[c] *= !s ? (double)b->scale : b->scale_param->count == 1 ? s[0] : s[c];
}

static bool flag(const json_t *config, const char *field) {
    return json_is_true(json_object_get(config, field));
}

static const double *matrix(const oracle *o, const char *part) {
    char name[512];
    snprintf(name, sizeof name, "encoder.layer.%d.%s.adapter_fusion_layer.%s.%s", o->layer, wfi_site_name(o->site),
             o->fusion->name, part);
    const wf_param *p = wfi_pset_find(&o->fusion->params, name);
    return p ? of(o, p) : NULL;
}

static void project(const oracle *o, const char *what, const double *in,
                    double *out) { /* identity when its flag is false */
    char weight[32], bias[32];
    snprintf(weight, sizeof weight, "%s.weight", what);
    snprintf(bias, sizeof bias, "%s.bias", what);
    const double *W = matrix(o, weight);
    assert_int_equal(W != NULL, flag(o->fusion->config, what));
    if (W)
        linear(o->d, o->d, W, matrix(o, bias), in, out);
    else
        memcpy(out, in, (size_t)o->d * sizeof *out);
}

static void token(oracle *o, int64_t t) {
    const wf_fusion *f = o->fusion;
    const int64_t d = o->d;
    const wf_bottleneck *at[ORACLE_ADAPTERS];
    const wf_adapter *last = NULL;
    int64_t N = 0;
    for (size_t i = 0; i < f->count; i++)
        if ((at[N] = wfi_bottleneck_at(f->adapters[i], o->site, o->layer))) N++, last = f->adapters[i];
    const json_t *set = last->config, *before = json_object_get(set, "residual_before_ln");
    const double *h = o->h + t * d, *x = o->x + t * d;
    double sum[64] = {0}, z[64], q[64], r[64], Q[64], K[64], U[ORACLE_ADAPTERS][64], V[ORACLE_ADAPTERS][64],
           score[ORACLE_ADAPTERS], c[64] = {0};
    const bool parallel = flag(set, "is_parallel");
    for (int64_t k = 0; k < d; k++) sum[k] = h[k] + x[k], z[k] = h[k], r[k] = h[k];
    if (flag(set, "original_ln_before") && !parallel) frozen_norm(o, sum, z);
    for (int64_t k = 0; k < d; k++) {
        if (json_is_string(before))
            r[k] = sum[k];
        else if (json_is_false(before))
            r[k] = z[k];
        if (parallel) z[k] = r[k] = x[k];
        q[k] = flag(f->config, "query_before_ln") && !parallel ? h[k] : z[k];
    }
    project(o, "query", q, Q);
    double top = -INFINITY, total = 0;
    for (int64_t i = 0; i < N; i++) {
        child(o, at[i], z, U[i]);
        for (int64_t k = 0; k < d && flag(f->config, "residual_before"); k++) U[i][k] += r[k];
        project(o, "key", U[i], K);
        project(o, "value", U[i], V[i]);
        score[i] = 0;
        for (int64_t k = 0; k < d; k++) score[i] += Q[k] * K[k];
        if (o->dropout > 0) {
            const uint64_t key = wfi_random_key(o->key, "fusion.dropout", (uint64_t)o->layer, (uint64_t)o->site);
            score[i] =
                wfi_dropout_keep(key, (uint64_t)(t * N + i), (float)o->dropout) ? score[i] / (1 - o->dropout) : 0;
        }
        score[i] /= o->temperature;
        top = fmax(top, score[i]);
    }
    for (int64_t i = 0; i < N; i++) total += score[i] = exp(score[i] - top);
    for (int64_t i = 0; i < N; i++) {
        const double p = o->probs[t * N + i] = score[i] / total;
        for (int64_t k = 0; k < d; k++) c[k] += p * V[i][k];
    }
    for (int64_t k = 0; k < d; k++) {
        if (!flag(f->config, "residual_before")) c[k] += r[k];
        if (parallel) c[k] += h[k];
        sum[k] = c[k] + x[k];
    }
    if (flag(set, "original_ln_after"))
        frozen_norm(o, sum, o->y + t * d);
    else
        memcpy(o->y + t * d, c, (size_t)d * sizeof *c);
}

void oracle_run(oracle *o) {
    for (int64_t t = 0; t < o->T; t++) token(o, t);
}
