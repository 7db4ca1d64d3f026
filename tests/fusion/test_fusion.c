/* tests/fusion/test_fusion.c - what fusions are made of: parameters, first values, the pull of W_v towards the
 * identity, weight decay, what may be fused, frozen forms that follow changed values, attention read-out. The
 * arithmetic: test_fusion_oracle.c. */
#include "base/random.h"
#include "check.h"
#include "fusion/fusion.h"
#include "fusion/op_fuse.h"
#include "optim/optim.h"
#include <math.h>

enum { D = 16, LAYERS = 2, TOKENS = 6 };
static const wf_base_shape base = {LAYERS, D, 32};

typedef struct parts {
    wf_adapter *a[3];
    wf_fusion *f;
} parts;

static parts parts_make(const char *config) {
    static const char *const presets[] = {"seq_bn[reduction_factor=4]", "seq_bn[reduction_factor=2]",
                                          "seq_bn[reduction_factor=8]"};
    parts p = {0};
    for (int i = 0; i < 3; i++)
        check_ok(wfi_adapter_new((const char *[]){"a", "b", "c"}[i], presets[i], &base, 1, &p.a[i], err));
    check_ok(wfi_fusion_new(NULL, config, p.a, 3, &base, 9, &p.f, err));
    return p;
}

static void parts_clear(parts *p) {
    wfi_fusion_free(p->f);
    for (int i = 0; i < 3; i++) wfi_adapter_free(p->a[i]);
}

static wf_param *param(const parts *p, int layer, const char *part) {
    char name[200];
    snprintf(name, sizeof name, "encoder.layer.%d.output.adapter_fusion_layer.a,b,c.%s", layer, part);
    wf_param *q = wfi_pset_find(&p->f->params, name);
    if (!q) fail_msg("no parameter %s", name);
    return q;
}

/* y [TOKENS,D] of the block at layer 0 on fixed inputs. */
static void output(const wf_fusion *f, float *y) {
    float h[TOKENS * D], x[TOKENS * D];
    const int64_t offsets[] = {0, TOKENS};
    wf_pset set = {0};
    wf_tape *t = NULL;
    wf_norm norm = {.width = D,
                    .eps = 1e-12f,
                    .gamma = wfi_pset_add(&set, "gamma", 1, (int64_t[]){D}, false),
                    .beta = wfi_pset_add(&set, "beta", 1, (int64_t[]){D}, false)};
    check_ok(wfi_pset_commit(&set, err));
    for (int i = 0; i < D; i++) norm.gamma->data[i] = 1;
    for (uint64_t i = 0; i < TOKENS * D; i++) h[i] = wfi_random_normal(1, i), x[i] = wfi_random_normal(2, i);
    check_ok(wfi_tape_new(&t, err));
    wfi_tape_reset(t, false);
    const wf_pass pass = {.tape = t, .S = 1, .offsets = offsets};
    const wf_value *v = wfi_fusion_block(f, &pass, WF_SITE_FFN_OUT, 0, wfi_tape_constant(t, h, TOKENS, D),
                                         wfi_tape_constant(t, x, TOKENS, D), &norm, 0.1f);
    assert_non_null(v);
    memcpy(y, v->data, sizeof(float) * TOKENS * D);
    wfi_tape_free(t);
    wfi_pset_clear(&set);
}

static void test_parameters(void **state) {
    parts p = parts_make("dynamic");
    assert_string_equal(p.f->name, "a,b,c");
    assert_int_equal(p.f->params.count, LAYERS * 5);
    assert_int_equal(p.f->params.total, LAYERS * (3 * D * D + 2 * D)); /* 3 d^2 + 2 d a block */
    assert_int_equal(wfi_fusion_blocks(p.f), LAYERS);
    for (int layer = 0; layer < LAYERS; layer++) {
        assert_true(param(&p, layer, "query.weight")->decay && param(&p, layer, "key.weight")->decay);
        assert_false(param(&p, layer, "query.bias")->decay || param(&p, layer, "key.bias")->decay ||
                     param(&p, layer, "value.weight")->decay);
        assert_true(wfi_fusion_takes(p.f, WF_SITE_FFN_OUT, layer));
        assert_false(wfi_fusion_takes(p.f, WF_SITE_ATTN_OUT, layer));
        const wf_param *V = param(&p, layer, "value.weight"), *Q = param(&p, layer, "query.weight");
        double sum = 0;
        for (int i = 0; i < D * D; i++) {
            assert_true(V->data[i] == (i / D == i % D ? 1.0f : 1e-6f));
            sum += (double)Q->data[i] * (double)Q->data[i];
        }
        assert_true(fabs(sqrt(sum / (D * D)) - 0.02) < 0.003); /* 256 draws: six standard errors */
        for (int i = 0; i < D; i++)
            assert_true(param(&p, layer, "query.bias")->data[i] == 0 && param(&p, layer, "key.bias")->data[i] == 0);
    }
    assert_memory_not_equal(param(&p, 0, "query.weight")->data, param(&p, 1, "query.weight")->data,
                            D * D * sizeof(float));
    parts_clear(&p);
    p = parts_make("static");
    assert_int_equal(p.f->params.total, LAYERS * (2 * D * D + 2 * D));
    parts_clear(&p);
}

static double penalty_of(const parts *p, bool backward) {
    wf_tape *t = NULL;
    check_ok(wfi_tape_new(&t, err));
    wfi_tape_reset(t, true);
    wf_value *v = wfi_fusion_penalty(p->f, t);
    const double value = v ? (double)v->data[0] : -1;
    if (v && backward) check_ok(wfi_tape_backward(t, v, 1.0f, err));
    wfi_tape_free(t);
    return value;
}

/* 0.01 * sum over blocks of the squared Frobenius norm of I - W_v, inside the loss, when asked for and when W_v is
 * trained. */
static void test_penalty(void **state) {
    parts p = parts_make("dynamic[value_initialized=false]");
    assert_true(penalty_of(&p, false) == -1); /* frozen */
    check_ok(wfi_pset_trainable(&p.f->params, true, err));
    double want = 0;
    for (int layer = 0; layer < LAYERS; layer++)
        for (int i = 0; i < D * D; i++) {
            const double off = (double)param(&p, layer, "value.weight")->data[i] - (i / D == i % D);
            want += 0.01 * off * off;
        }
    assert_true(fabs(penalty_of(&p, true) - want) < 1e-6 * want);
    for (int layer = 0; layer < LAYERS; layer++) {
        const wf_param *V = param(&p, layer, "value.weight"), *Q = param(&p, layer, "query.weight");
        for (int i = 0; i < D * D; i++) {
            assert_true(fabs((double)V->grad[i] - 0.02 * ((double)V->data[i] - (i / D == i % D))) < 1e-7);
            assert_true(Q->grad[i] == 0);
        }
    }
    parts_clear(&p);
    static const char *const without[] = {"dynamic[regularization=false]", "static", "dynamic[value=false]"};
    for (int i = 0; i < 3; i++) {
        p = parts_make(without[i]);
        check_ok(wfi_pset_trainable(&p.f->params, true, err));
        assert_true(penalty_of(&p, false) == -1);
        parts_clear(&p);
    }
    p = parts_make("dynamic"); /* at the identity the pull is almost nothing */
    check_ok(wfi_pset_trainable(&p.f->params, true, err));
    assert_true(penalty_of(&p, false) >= 0 && penalty_of(&p, false) < 1e-10);
    parts_clear(&p);
}

/* A step without gradients: weight decay shrinks W_q and W_k alone. */
static void test_decay(void **state) {
    parts p = parts_make("dynamic");
    wf_optim *o = NULL;
    float q[D * D], v[D * D];
    wf_pset *sets[] = {&p.f->params};
    check_ok(wfi_pset_trainable(&p.f->params, true, err));
    for (int i = 0; i < D; i++) param(&p, 1, "key.bias")->data[i] = 3;
    memcpy(q, param(&p, 0, "query.weight")->data, sizeof q);
    memcpy(v, param(&p, 0, "value.weight")->data, sizeof v);
    check_ok(wfi_optim_new(sets, 1, 0.1, &o, err));
    wfi_optim_zero_grad(o);
    wfi_optim_step(o, 0.01);
    assert_memory_equal(v, param(&p, 0, "value.weight")->data, sizeof v);
    for (int i = 0; i < D * D; i++)
        assert_true(fabs((double)param(&p, 0, "query.weight")->data[i] - (double)q[i] * 0.999) < 1e-7);
    for (int i = 0; i < D; i++) assert_true(param(&p, 1, "key.bias")->data[i] == 3);
    wfi_optim_free(o);
    parts_clear(&p);
}

/* One adapter, no projection of values: the softmax of one is 1, so the block gives what the adapter alone gives. */
static void test_single(void **state) {
    float fused[TOKENS * D], h[TOKENS * D], x[TOKENS * D];
    const int64_t offsets[] = {0, TOKENS};
    wf_adapter *a = NULL;
    wf_fusion *f = NULL;
    wf_pset set = {0};
    wf_tape *t = NULL;
    check_ok(wfi_adapter_new("a", "seq_bn[reduction_factor=2]", &base, 1, &a, err));
    for (int64_t i = 0; i < a->params.total; i++) a->params.data[i] = 0.5f * wfi_random_normal(4, (uint64_t)i);
    check_ok(wfi_fusion_new(NULL, "static", &a, 1, &base, 1, &f, err));
    output(f, fused);
    wf_norm norm = {.width = D,
                    .eps = 1e-12f,
                    .gamma = wfi_pset_add(&set, "gamma", 1, (int64_t[]){D}, false),
                    .beta = wfi_pset_add(&set, "beta", 1, (int64_t[]){D}, false)};
    check_ok(wfi_pset_commit(&set, err));
    for (int i = 0; i < D; i++) norm.gamma->data[i] = 1;
    for (uint64_t i = 0; i < TOKENS * D; i++) h[i] = wfi_random_normal(1, i), x[i] = wfi_random_normal(2, i);
    check_ok(wfi_tape_new(&t, err));
    wfi_tape_reset(t, false);
    const wf_pass pass = {.tape = t, .S = 1, .offsets = offsets};
    const wf_value *y = a->method->block(a, &pass, WF_SITE_FFN_OUT, 0, wfi_tape_constant(t, h, TOKENS, D),
                                         wfi_tape_constant(t, x, TOKENS, D), &norm);
    for (int i = 0; i < TOKENS * D; i++) assert_true(fabs((double)(y->data[i] - fused[i])) < 2e-6);
    wfi_tape_free(t);
    wfi_pset_clear(&set);
    wfi_fusion_free(f);
    wfi_adapter_free(a);
}

/* Stacked and packed copies of frozen weights must follow the weights. */
static void test_frozen_forms_follow(void **state) {
    float first[TOKENS * D], again[TOKENS * D], other[TOKENS * D], fresh[TOKENS * D];
    parts p = parts_make("dynamic");
    output(p.f, first);
    output(p.f, again);
    assert_memory_equal(first, again, sizeof first);
    for (int64_t i = 0; i < p.a[1]->params.total; i++)
        p.a[1]->params.data[i] += 0.3f * wfi_random_normal(5, (uint64_t)i);
    wfi_adapter_changed(p.a[1]);
    output(p.f, other);
    assert_memory_not_equal(first, other, sizeof first);
    for (int64_t i = 0; i < p.f->params.total; i++) p.f->params.data[i] += 0.3f * wfi_random_normal(6, (uint64_t)i);
    output(p.f, other);
    wf_fusion *made_new = NULL; /* never saw the old values */
    check_ok(wfi_fusion_new(NULL, "dynamic", p.a, 3, &base, 9, &made_new, err));
    memcpy(made_new->params.data, p.f->params.data, (size_t)p.f->params.total * sizeof(float));
    output(made_new, fresh);
    assert_memory_equal(other, fresh, sizeof other);
    wfi_fusion_free(made_new);
    parts_clear(&p);
}

static void test_watch(void **state) {
    float y[TOKENS * D], plain[TOKENS * D];
    parts p = parts_make("dynamic");
    output(p.f, plain);
    check_ok(wfi_fusion_watch_on(p.f, err));
    output(p.f, y);
    output(p.f, y);
    assert_memory_equal(plain, y, sizeof y);
    const wf_fusion_watch *w = p.f->watch;
    assert_int_equal(w->tokens, 2 * TOKENS);
    assert_true(fabs(w->sum[0] + w->sum[1] + w->sum[2] - 2 * TOKENS) < 1e-5);
    assert_true(w->sum[3] == 0 && w->entropy[1] == 0); /* layer 1 did not run */
    assert_true(w->entropy[0] > 0 && w->entropy[0] <= 2 * TOKENS * log(3.0) + 1e-9);
    parts_clear(&p);
}

/* What is left gives what a fusion of these alone gives, with the same W_q, W_k and W_v, in every form; nobody left:
 * LN(h + x). */
static void test_leave_out(void **state) {
    static const bool middle[] = {false, true, false}, others[] = {true, false, true}, all[] = {true, true, true};
    static const char *const configs[] = {"dynamic[value_initialized=false]", "static",
                                          "dynamic[residual_before=true,value_initialized=false]"};
    float whole[TOKENS * D], less[TOKENS * D], want[TOKENS * D];
    for (int c = 0; c < 3; c++)
        for (int form = WF_FUSE_AUTO; form <= WF_FUSE_FULL; form++) {
            parts p = parts_make(configs[c]);
            for (int64_t i = 0; i < p.f->params.total; i++) p.f->params.data[i] = wfi_random_normal(6, (uint64_t)i) / 4;
            for (int k = 0; k < 3; k++)
                for (int64_t i = 0; i < p.a[k]->params.total; i++)
                    p.a[k]->params.data[i] = wfi_random_normal(7 + (uint64_t)k, (uint64_t)i) / 2;
            wfi_fusion_form(p.f, form);
            output(p.f, whole);
            for (int k = 0; k < 2; k++) {
                wf_adapter *left[] = {k ? p.a[1] : p.a[0], p.a[2]};
                wf_fusion *g = NULL;
                check_ok(wfi_fusion_new("g", configs[c], left, k ? 1 : 2, &base, 9, &g, err));
                memcpy(g->params.data, p.f->params.data, (size_t)g->params.total * sizeof(float));
                wfi_fusion_form(g, form);
                output(g, want);
                wfi_fusion_leave_out(p.f, k ? others : middle);
                output(p.f, less);
                for (int i = 0; i < TOKENS * D; i++) assert_true(fabs((double)(less[i] - want[i])) < 2e-5);
                assert_memory_not_equal(whole, less, sizeof whole);
                wfi_fusion_free(g);
            }
            wfi_fusion_leave_out(p.f, all);
            output(p.f, less);
            for (int r = 0; r < TOKENS; r++) { /* normalised rows of the sum */
                double v[D], mean = 0, square = 0;
                for (int i = 0; i < D; i++) {
                    const uint64_t at = (uint64_t)(r * D + i);
                    v[i] = (double)wfi_random_normal(1, at) + (double)wfi_random_normal(2, at);
                    mean += v[i] / D;
                }
                for (int i = 0; i < D; i++) square += (v[i] - mean) * (v[i] - mean) / D;
                for (int i = 0; i < D; i++)
                    assert_true(fabs((v[i] - mean) / sqrt(square) - (double)less[r * D + i]) < 1e-5);
            }
            wfi_fusion_leave_out(p.f, NULL);
            output(p.f, less);
            assert_memory_equal(whole, less, sizeof whole);
            parts_clear(&p);
        }
}

static void test_seeds(void **state) {
    parts p = parts_make("dynamic"), q = parts_make("dynamic");
    assert_memory_equal(p.f->params.data, q.f->params.data, (size_t)p.f->params.total * sizeof(float));
    wf_fusion *g = NULL;
    check_ok(wfi_fusion_new(NULL, "dynamic", q.a, 3, &base, 10, &g, err));
    assert_memory_not_equal(p.f->params.data, g->params.data, (size_t)p.f->params.total * sizeof(float));
    wfi_fusion_free(g);
    parts_clear(&p);
    parts_clear(&q);
}

static void refuse(wf_status want, const char *text, const char *name, const char *config, wf_adapter *const *a,
                   size_t n, const wf_base_shape *shape) {
    wf_err e = {0};
    wf_fusion *f = NULL;
    assert_int_equal(want, wfi_fusion_new(name, config, a, n, shape, 1, &f, &e));
    assert_null(f);
    if (!strstr(e.text, text)) fail_msg("the message \"%s\" does not say \"%s\"", e.text, text);
}

static void test_refusals(void **state) {
    wf_adapter *seq = NULL, *twin = NULL, *dbl = NULL, *lora = NULL, *comma = NULL;
    check_ok(wfi_adapter_new("seq", "seq_bn[reduction_factor=4]", &base, 1, &seq, err));
    check_ok(wfi_adapter_new("seq", "seq_bn[reduction_factor=2]", &base, 1, &twin, err));
    check_ok(wfi_adapter_new("dbl", "double_seq_bn[reduction_factor=4]", &base, 1, &dbl, err));
    check_ok(wfi_adapter_new("lora", "lora", &base, 1, &lora, err));
    check_ok(wfi_adapter_new("x,y", "seq_bn[reduction_factor=4]", &base, 1, &comma, err));
    wf_adapter *one[] = {seq}, *twice[] = {seq, twin}, *mixed[] = {seq, dbl}, *method[] = {seq, lora},
               *named[] = {seq, comma};
    const wf_base_shape wide = {LAYERS, 2 * D, 64}, deep = {LAYERS + 1, D, 32};
    refuse(WF_E_ARG, "0 adapters", NULL, "dynamic", one, 0, &base);
    refuse(WF_E_ARG, "stands twice", NULL, "dynamic", twice, 2, &base);
    refuse(WF_E_ARG, "mh_adapter", NULL, "dynamic", mixed, 2, &base);
    refuse(WF_E_ARG, "only bottleneck adapters", NULL, "dynamic", method, 2, &base);
    refuse(WF_E_ARG, "comma", NULL, "dynamic", named, 2, &base);
    refuse(WF_E_SHAPE, "seq", NULL, "dynamic", one, 1, &wide);
    refuse(WF_E_SHAPE, "seq", NULL, "dynamic", one, 1, &deep);
    refuse(WF_E_ARG, "a.b", "a.b", "dynamic", one, 1, &base);
    refuse(WF_E_ARG, "lively", NULL, "lively", one, 1, &base);
    refuse(WF_E_ARG, "keys", NULL, "dynamic[keys=true]", one, 1, &base);
    refuse(WF_E_DATA, "key", NULL, "dynamic[key=1]", one, 1, &base);
    refuse(WF_E_DATA, "dropout_prob", NULL, "dynamic[dropout_prob=1]", one, 1, &base);
    refuse(WF_E_DATA, "dropout_prob", NULL, "dynamic[dropout_prob=-0.1]", one, 1, &base);
    refuse(WF_E_DATA, "value_initialized", NULL, "dynamic[value_initialized=perhaps]", one, 1, &base);
    refuse(WF_E_DATA, "query", NULL, "{\"key\": true, \"value\": true}", one, 1, &base);
    wf_adapter *all[] = {seq, twin, dbl, lora, comma};
    for (int i = 0; i < 5; i++) wfi_adapter_free(all[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_penalty),
        cmocka_unit_test(test_decay),
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_frozen_forms_follow),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_leave_out),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
