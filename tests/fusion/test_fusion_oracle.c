/* tests/fusion/test_fusion_oracle.c - a fusion block against the textbook form: outputs, attention, and every
 * coordinate of every gradient (inputs, W_q, W_k, W_v, and, when trained, all adapters) against central differences of
 * the double oracle. */
#include "../tape/gradcheck.h"
#include "base/random.h"
#include "fusion/op_fuse.h"
#include "oracle.h"
#include <math.h>

enum { D = 12, FFN = 24, LAYERS = 2, TOKENS = 5, KEY = 77 };

typedef struct fuse_case {
    const char *name, *config;
    const char *adapters[ORACLE_ADAPTERS + 1]; /* presets, ends at NULL */
    bool train;                                /* the adapters too */
    wf_site site;                              /* 0 is WF_SITE_ATTN_OUT */
    float base_dropout;
    double dropout;      /* that must result while training */
    int64_t temperature; /* steps taken; -1: none told */
} fuse_case;

#define SEQ_A "seq_bn[reduction_factor=4,non_linearity=gelu]"
#define SEQ_B "seq_bn[reduction_factor=2,non_linearity=tanh,scaling=0.5]"
#define SEQ_C "seq_bn[reduction_factor=12,non_linearity=swish]"
#define SEQ_N "seq_bn[reduction_factor=3,ln_before=true]"
#define SEQ_S "seq_bn[reduction_factor=4,scaling=channel,non_linearity=gelu]"
#define SEQ_L "seq_bn[reduction_factor=6,scaling=learned,non_linearity=tanh]"
#define DBL_A "double_seq_bn[reduction_factor=4]"
#define DBL_B "double_seq_bn[reduction_factor=2,non_linearity=tanh]"
#define PAR_A "par_bn[reduction_factor=4]"
#define PAR_B "par_bn[reduction_factor=3,non_linearity=gelu,scaling=learned]"
#define WIDE                                                                                                           \
    "seq_bn[reduction_factor=0.1,non_linearity=tanh]" /* 120 wide: the form that makes every adapter's output */
#define EIGHT                                                                                                          \
    { SEQ_A, SEQ_B, SEQ_C, SEQ_N, SEQ_S, SEQ_L, SEQ_C, SEQ_A }
#define FFN_OUT .site = WF_SITE_FFN_OUT, .temperature = -1

static const fuse_case cases[] = {
    {"1", "dynamic", {SEQ_A}, FFN_OUT},
    {"1_trained", "dynamic", {SEQ_B}, true, FFN_OUT},
    {"2", "dynamic", {SEQ_A, SEQ_B}, FFN_OUT},
    {"2_trained", "dynamic", {SEQ_A, SEQ_B}, true, FFN_OUT},
    {"3", "dynamic", {SEQ_A, SEQ_B, SEQ_C}, FFN_OUT},
    {"3_static", "static", {SEQ_A, SEQ_B, SEQ_C}, FFN_OUT},
    {"3_static_trained", "static", {SEQ_A, SEQ_N, SEQ_S}, true, FFN_OUT},
    {"8", "dynamic", EIGHT, FFN_OUT},
    {"8_trained", "dynamic", EIGHT, true, FFN_OUT},
    {"8_static", "static", EIGHT, FFN_OUT},
    {"query_before_ln", "dynamic[query_before_ln=true]", {SEQ_A, SEQ_B}, true, FFN_OUT},
    {"residual_before", "dynamic[residual_before=true]", {SEQ_A, SEQ_B}, true, FFN_OUT},
    {"value_after_softmax", "dynamic[value_before_softmax=false]", {SEQ_A, SEQ_B}, true, FFN_OUT},
    {"value_random", "dynamic[value_initialized=false]", {SEQ_A, SEQ_B}, FFN_OUT},
    {"no_key", "dynamic[key=false]", {SEQ_A, SEQ_B}, true, FFN_OUT},
    {"no_query", "dynamic[query=false]", {SEQ_A, SEQ_B}, true, FFN_OUT},
    {"no_value", "dynamic[value=false]", {SEQ_A, SEQ_B}, true, FFN_OUT},
    {"nothing", "dynamic[key=false,query=false,value=false]", {SEQ_A, SEQ_B}, true, FFN_OUT},
    {"nothing_residual",
     "dynamic[key=false,query=false,value=false,residual_before=true]",
     {SEQ_A, SEQ_B},
     true,
     FFN_OUT},
    {"houlsby_attention", "dynamic", {DBL_A, DBL_B}, true, WF_SITE_ATTN_OUT, .temperature = -1},
    {"houlsby_ffn", "static", {DBL_A, DBL_B}, true, FFN_OUT},
    {"parallel", "dynamic", {PAR_A, PAR_B}, true, FFN_OUT},
    {"parallel_residual", "dynamic[residual_before=true,query_before_ln=true]", {PAR_A, PAR_B}, true, FFN_OUT},
    {"last_post_add",
     "dynamic",
     {SEQ_A, "seq_bn[reduction_factor=4,non_linearity=tanh,residual_before_ln=post_add]"},
     true,
     FFN_OUT},
    {"last_residual_after",
     "dynamic",
     {SEQ_A, "seq_bn[reduction_factor=4,non_linearity=tanh,residual_before_ln=false]"},
     true,
     FFN_OUT},
    {"last_no_norms",
     "dynamic",
     {SEQ_A, "seq_bn[reduction_factor=4,non_linearity=tanh,original_ln_before=false,original_ln_after=false]"},
     true,
     FFN_OUT},
    {"wide", "dynamic", {WIDE, WIDE}, FFN_OUT},
    {"wide_trained", "dynamic[residual_before=true]", {WIDE, WIDE}, true, FFN_OUT},
    /* dropout on the scores: the base's rate, the configuration's, and none */
    {"dropout_base", "dynamic", {SEQ_A, SEQ_B, SEQ_C}, true, FFN_OUT, .base_dropout = 0.25f, .dropout = 0.25},
    {"dropout_own",
     "dynamic[dropout_prob=0.5]",
     {SEQ_A, SEQ_B, SEQ_C},
     true,
     FFN_OUT,
     .base_dropout = 0.25f,
     .dropout = 0.5},
    {"dropout_none", "dynamic[dropout_prob=0]", {SEQ_A, SEQ_B}, FFN_OUT, .base_dropout = 0.25f},
    {"dropout_static", "static[dropout_prob=0.5]", {SEQ_A, SEQ_B}, FFN_OUT, .dropout = 0.5},
    {"dropout_residual",
     "dynamic[dropout_prob=0.5,residual_before=true]",
     {SEQ_A, SEQ_B},
     true,
     FFN_OUT,
     .dropout = 0.5},
    {"dropout_no_key",
     "dynamic[dropout_prob=0.5,residual_before=true,key=false]",
     {SEQ_A, SEQ_B},
     true,
     FFN_OUT,
     .dropout = 0.5},
    {"dropout_no_query",
     "dynamic[dropout_prob=0.5,residual_before=true,query=false]",
     {SEQ_A, SEQ_B},
     true,
     FFN_OUT,
     .dropout = 0.5},
    {"dropout_wide", "dynamic[dropout_prob=0.5,residual_before=true]", {WIDE, WIDE}, FFN_OUT, .dropout = 0.5},
    {"temperature",
     "dynamic[temperature=true]",
     {SEQ_A, SEQ_B},
     true,
     .site = WF_SITE_FFN_OUT,
     .temperature = 900}, /* 50 - 0.05 * 900 = 5 */
    {"temperature_over", "dynamic[temperature=true]", {SEQ_A, SEQ_B}, .site = WF_SITE_FFN_OUT, .temperature = 2000},
};

typedef struct setup {
    const fuse_case *c;
    wf_adapter *adapters[ORACLE_ADAPTERS];
    size_t count;
    wf_fusion *fusion;
    wf_pset norm_set;
    wf_norm norm;
    float h[TOKENS * D], x[TOKENS * D], probe[TOKENS * D];
    const float *probs; /* weft's, during a watched pass */
    oracle o;
} setup;

static void shake(wf_pset *s, uint64_t salt, float scale) { /* values under which nothing hides */
    for (size_t i = 0; i < s->count; i++) {
        wf_param *p = s->params[i];
        const uint64_t key = wfi_random_key(salt, p->name, 0, 0);
        const bool near_one =
            strstr(p->name, "scaling") || strstr(p->name, "norm_before.weight") || strcmp(p->name, "gamma") == 0;
        for (int64_t k = 0; k < p->count; k++)
            p->data[k] = (near_one ? 1.0f : 0.0f) + scale * wfi_random_normal(key, (uint64_t)k);
    }
}

static void setup_init(setup *s, const fuse_case *c) {
    const wf_base_shape base = {LAYERS, D, FFN};
    *s = (setup){.c = c};
    for (; c->adapters[s->count]; s->count++) {
        const char name[] = {(char)('a' + s->count), 0};
        check_ok(wfi_adapter_new(name, c->adapters[s->count], &base, 1, &s->adapters[s->count], err));
        shake(&s->adapters[s->count]->params, s->count + 10, 0.4f);
        wfi_adapter_changed(s->adapters[s->count]);
        if (c->train) check_ok(wfi_pset_trainable(&s->adapters[s->count]->params, true, err));
    }
    check_ok(wfi_fusion_new(NULL, c->config, s->adapters, s->count, &base, 3, &s->fusion, err));
    shake(&s->fusion->params, 5, 0.3f);
    check_ok(wfi_pset_trainable(&s->fusion->params, true, err));
    s->norm = (wf_norm){.width = D, .eps = 1e-12f};
    s->norm.gamma = wfi_pset_add(&s->norm_set, "gamma", 1, (int64_t[]){D}, false);
    s->norm.beta = wfi_pset_add(&s->norm_set, "beta", 1, (int64_t[]){D}, false);
    check_ok(wfi_pset_commit(&s->norm_set, err));
    shake(&s->norm_set, 6, 0.2f);
    for (uint64_t i = 0; i < TOKENS * D; i++) {
        s->h[i] = wfi_random_normal(101, i);
        s->x[i] = wfi_random_normal(102, i);
        s->probe[i] = wfi_random_normal(103, i);
    }
}

static void setup_clear(setup *s) {
    oracle_clear(&s->o);
    wfi_fusion_free(s->fusion);
    for (size_t i = 0; i < s->count; i++) wfi_adapter_free(s->adapters[i]);
    wfi_pset_clear(&s->norm_set);
}

static void near(const setup *s, const char *what, int64_t n, const float *got, const double *want) {
    double most = 1;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <=
              2e-5 * most)) /* float32 sums; the differences' own error is below 1e-8 */
            fail_msg("%s: %s, element %lld is %.9g, not %.9g", s->c->name, what, (long long)i, (double)got[i], want[i]);
}

static void told(void *self, size_t block, int64_t tokens, int64_t branches, const float *weights) {
    setup *s = self;
    int layer = -1;
    wf_site site = WF_SITE_COUNT;
    wfi_fusion_block_at(s->fusion, block, &layer, &site);
    assert_true(layer == s->o.layer && site == s->o.site && tokens == TOKENS && branches == (int64_t)s->count);
    near(s, "attention", tokens * branches, weights, s->o.probs);
}

static double loss_of(setup *s) {
    double sum = 0;
    oracle_run(&s->o);
    for (int i = 0; i < TOKENS * D; i++) sum += s->o.y[i] * (double)s->probe[i];
    return sum;
}

static void gradient_check(setup *s, const oracle_var *v) {
    double *numeric = calloc((size_t)v->n, sizeof *numeric);
    for (int64_t i = 0; i < v->n; i++) {
        const double keep = v->v[i], step = 1e-5;
        v->v[i] = keep + step;
        const double up = loss_of(s);
        v->v[i] = keep - step;
        numeric[i] = (up - loss_of(s)) / (2 * step);
        v->v[i] = keep;
    }
    near(s, v->name, v->n, v->grad, numeric);
    free(numeric);
}

static void zero_grad(wf_pset *p) {
    if (p->grad) memset(p->grad, 0, (size_t)p->total * sizeof *p->grad);
}

static void run_block(setup *s, bool training) {
    const fuse_case *c = s->c;
    zero_grad(&s->fusion->params);
    for (size_t i = 0; i < s->count; i++) zero_grad(&s->adapters[i]->params);
    const int64_t offsets[] = {0, TOKENS};
    wf_tape *t = NULL;
    wf_err e = {0};
    check_ok(wfi_tape_new(&t, err));
    wfi_tape_reset(t, training);
    const wf_pass pass = {.tape = t, .S = 1, .offsets = offsets, .key = KEY};
    wf_value *h = wfi_tape_variable(t, s->h, TOKENS, D), *x = wfi_tape_variable(t, s->x, TOKENS, D);
    if (c->temperature >= 0) wfi_fusion_temperature(s->fusion, c->temperature);
    oracle_init(&s->o, s->fusion, c->site, 1, TOKENS, s->h, s->x, &s->norm);
    s->o.key = KEY;
    s->o.dropout = training ? c->dropout : 0;
    s->o.temperature = training && c->temperature == 900 ? 5 : 1;
    oracle_run(&s->o);
    check_ok(wfi_fusion_watch_on(s->fusion, err));
    s->fusion->watch->tell = told;
    s->fusion->watch->self = s;
    wf_value *y = wfi_fusion_block(s->fusion, &pass, c->site, 1, h, x, &s->norm, c->base_dropout);
    if (wfi_tape_status(t, &e) != WF_OK) fail_msg("%s: %s", c->name, e.text);
    near(s, "output", TOKENS * D, y->data, s->o.y);
    if (training) {
        const float *probe = s->probe;
        check_ok(wfi_tape_backward(t, gc_probe(t, 1, &y, &probe), 1.0f, err));
        s->o.vars[0].grad = h->grad;
        s->o.vars[1].grad = x->grad;
        for (int i = 0; i < s->o.count; i++)
            if (s->o.vars[i].grad) gradient_check(s, &s->o.vars[i]);
    }
    wfi_fusion_watch_off(s->fusion);
    wfi_tape_free(t);
}

/* Frozen: in inference from forms made beforehand, which must follow changed values; while something below is trained.
 */
static void frozen_blocks(setup *s) {
    check_ok(wfi_pset_trainable(&s->fusion->params, false, err));
    for (size_t i = 0; i < s->count; i++) check_ok(wfi_pset_trainable(&s->adapters[i]->params, false, err));
    for (int round = 0; round < 3; round++) {
        wfi_fusion_form(s->fusion, round == 2 ? WF_FUSE_BOTTLENECK : WF_FUSE_AUTO);
        run_block(s, false);
        oracle_clear(&s->o);
        run_block(s, true);
        oracle_clear(&s->o);
        shake(&s->fusion->params, 20 + (uint64_t)round, 0.3f);
        if (round == 0) continue; /* the fusion alone, then both */
        shake(&s->adapters[0]->params, 30 + (uint64_t)round, 0.4f);
        wfi_adapter_changed(s->adapters[0]);
    }
}

static void run_case(void **state) {
    setup s;
    setup_init(&s, *state);
    for (int form = 0; form < 2; form++) {
        wfi_fusion_form(s.fusion, form ? WF_FUSE_COMPACT : WF_FUSE_AUTO);
        run_block(&s, true);
        oracle_clear(&s.o);
        run_block(&s, false); /* without dropout and temperature */
        oracle_clear(&s.o);
    }
    frozen_blocks(&s);
    setup_clear(&s);
}

int main(void) {
    enum { COUNT = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = run_case, .initial_state = (void *)(uintptr_t)&cases[i]};
    return _cmocka_run_group_tests("fusion oracle", tests, COUNT, NULL, NULL);
}
