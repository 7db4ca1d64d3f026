/* tests/optim/test_optim.c - AdamW and clipping against torch (tests/golden/make_training_torch.py), frozen sets,
 * resuming. */
#include "check.h"
#include "optim/optim.h"
#define GOLDEN_OPTIM
#include "../golden/training_torch.h"
#include "optim/schedule.h"
#include <math.h>

static void wave(int n, double a, double b, double scale, float *out) {
    for (int i = 0; i < n; i++) out[i] = (float)(scale * sin(a * i + b));
}

static void near(const char *what, int n, const float *got, const double *want) {
    for (int i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= 1e-6 * (1e-3 + fabs(want[i])) + 1e-7))
            fail_msg("%s: element %d is %.9g, torch has %.9g", what, i, (double)got[i], want[i]);
}

/* Ten elements: six that decay, four that do not. */
static void set_init(wf_pset *s) {
    *s = (wf_pset){0};
    wfi_pset_add(s, "decayed", 2, (int64_t[]){2, 3}, true);
    wfi_pset_add(s, "plain", 1, (int64_t[]){4}, false);
    check_ok(wfi_pset_commit(s, err));
    check_ok(wfi_pset_trainable(s, true, err));
    wave(6, 1.0, 0.5, 1, s->data);
    wave(4, 2.0, 1.5, 1, s->data + 6);
}

static void one_step(wf_optim *o, wf_pset *s, int step) {
    wfi_optim_zero_grad(o);
    float g[10];
    wave(6, 0.7, step, 3.0, g);
    wave(4, 1.3, 2.0 * step, 0.02, g + 6);
    for (int i = 0; i < 10; i++) s->grad[i] += g[i];
    wfi_optim_step(o, 0.01 * (1 + step % 3));
}

static void test_adamw(void **state) {
    wf_pset s, frozen = {0};
    set_init(&s);
    wfi_pset_add(&frozen, "frozen", 1, (int64_t[]){2}, true);
    check_ok(wfi_pset_commit(&frozen, err));
    frozen.data[0] = 5;
    wf_optim *o = NULL;
    check_ok(wfi_optim_new((wf_pset *[]){&frozen, &s}, 2, 0.1, &o, err));
    for (int step = 0; step < 10; step++) one_step(o, &s, step);
    assert_int_equal(10, *wfi_optim_steps(o, 1));
    assert_int_equal(0, *wfi_optim_steps(o, 0));
    float *m, *v;
    wfi_optim_state(o, 1, &m, &v);
    near("values", 10, s.data, golden_adamw_values);
    near("first moment", 10, m, golden_adamw_m);
    near("second moment", 10, v, golden_adamw_v);
    wfi_optim_state(o, 0, &m, &v);
    assert_true(!m && !v && frozen.data[0] == 5);
    wfi_optim_free(o);
    wfi_pset_clear(&s);
    wfi_pset_clear(&frozen);
}

/* Values, moments and the count carried over to a new optimiser: the rest of the run has the same bits. */
static void test_resume(void **state) {
    wf_pset a, b;
    set_init(&a);
    set_init(&b);
    wf_optim *whole = NULL, *half = NULL, *rest = NULL;
    check_ok(wfi_optim_new((wf_pset *[]){&a}, 1, 0.1, &whole, err));
    check_ok(wfi_optim_new((wf_pset *[]){&b}, 1, 0.1, &half, err));
    check_ok(wfi_optim_new((wf_pset *[]){&b}, 1, 0.1, &rest, err));
    for (int step = 0; step < 10; step++) one_step(whole, &a, step);
    for (int step = 0; step < 5; step++) one_step(half, &b, step);
    float *m[2], *v[2];
    wfi_optim_state(half, 0, &m[0], &v[0]);
    wfi_optim_state(rest, 0, &m[1], &v[1]);
    memcpy(m[1], m[0], 10 * sizeof(float));
    memcpy(v[1], v[0], 10 * sizeof(float));
    *wfi_optim_steps(rest, 0) = *wfi_optim_steps(half, 0);
    for (int step = 5; step < 10; step++) one_step(rest, &b, step);
    assert_memory_equal(a.data, b.data, 10 * sizeof(float));
    wfi_optim_free(whole);
    wfi_optim_free(half);
    wfi_optim_free(rest);
    wfi_pset_clear(&a);
    wfi_pset_clear(&b);
}

/* A set that is skipped in some steps ends as in a run that has only the others; its neighbour does not notice. */
static void test_skip(void **state) {
    wf_pset a, b, alone;
    set_init(&a);
    set_init(&b);
    set_init(&alone);
    wf_optim *both = NULL, *one = NULL;
    check_ok(wfi_optim_new((wf_pset *[]){&a, &b}, 2, 0.1, &both, err));
    check_ok(wfi_optim_new((wf_pset *[]){&alone}, 1, 0.1, &one, err));
    for (int step = 0; step < 6; step++) {
        const bool skip = step % 3 == 1;
        wave(10, 0.9, step, 1, a.grad);
        wave(10, 0.4, step, 2, b.grad);
        wave(10, 0.4, step, 2, alone.grad);
        wfi_optim_skip(both, 1, skip);
        wfi_optim_step(both, 0.01);
        if (!skip) wfi_optim_step(one, 0.01);
    }
    assert_memory_equal(alone.data, b.data, 10 * sizeof(float));
    assert_memory_not_equal(a.data, b.data, 10 * sizeof(float));
    assert_int_equal(6, *wfi_optim_steps(both, 0));
    assert_int_equal(4, *wfi_optim_steps(both, 1));
    wfi_optim_free(both);
    wfi_optim_free(one);
    wfi_pset_clear(&a);
    wfi_pset_clear(&b);
    wfi_pset_clear(&alone);
}

static void test_arguments(void **state) {
    wf_optim *o = NULL;
    check_status(WF_E_ARG, wfi_optim_new(NULL, 0, -1, &o, err));
    check_status(WF_E_ARG, wfi_optim_new(NULL, 0, NAN, &o, err));
    check_ok(wfi_optim_new(NULL, 0, 0, &o, err));
    wfi_optim_step(o, 1);
    check_status(WF_E_ARG, wfi_optim_configure(o, &(wf_adamw_config){1.0, 0.9, 1e-8}, err));
    check_ok(wfi_optim_configure(o, &(wf_adamw_config){0.8, 0.9, 1e-6}, err));
    wfi_optim_free(o);
    wfi_optim_free(NULL);
}

static void test_clip(void **state) {
    wf_pset a = {0}, b = {0}, frozen = {0};
    wfi_pset_add(&a, "a", 1, (int64_t[]){6}, true);
    wfi_pset_add(&b, "b", 1, (int64_t[]){4}, true);
    wf_pset *const sets[] = {&a, &frozen, &b};
    check_ok(wfi_pset_commit(&a, err));
    check_ok(wfi_pset_commit(&b, err));
    check_ok(wfi_pset_trainable(&a, true, err));
    check_ok(wfi_pset_trainable(&b, true, err));
    wave(6, 0.7, 0, 3, a.grad);
    wave(4, 1.3, 0, 2, b.grad);
    double norm = 0;
    check_ok(wfi_clip_grad_norm(sets, 3, 0, &norm, err)); /* only measures */
    assert_true(fabs(norm - golden_clip_norm[0]) < 1e-6);
    check_ok(wfi_clip_grad_norm(sets, 3, 100, NULL, err)); /* short enough */
    assert_true(a.grad[1] == (float)(3 * sin(0.7)));
    check_ok(wfi_clip_grad_norm(sets, 3, 1.5, &norm, err));
    assert_true(fabs(norm - golden_clip_norm[0]) < 1e-6);
    near("clipped", 6, a.grad, golden_clip_grad);
    near("clipped", 4, b.grad, golden_clip_grad + 6);
    b.grad[2] = INFINITY;
    wf_err e = {0};
    norm = -1;
    assert_int_equal(WF_E_NONFINITE, wfi_clip_grad_norm(sets, 3, 1.5, &norm, &e));
    assert_string_equal("b", e.subject);
    assert_true(norm == -1);
    near("untouched", 6, a.grad, golden_clip_grad);
    wfi_pset_clear(&a);
    wfi_pset_clear(&b);
}

static void test_schedules(void **state) {
    const struct {
        wf_schedule s;
        const double *want;
    } rows[] = {{{WF_SCHEDULE_CONSTANT, 4, 0}, golden_schedule_constant},
                {{WF_SCHEDULE_LINEAR, 4, 20}, golden_schedule_linear},
                {{WF_SCHEDULE_COSINE, 4, 20}, golden_schedule_cosine},
                {{WF_SCHEDULE_LINEAR, 0, 20}, golden_schedule_linear_no_warmup},
                {{WF_SCHEDULE_COSINE, 0, 20}, golden_schedule_cosine_no_warmup}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int step = 0; step < 24; step++)
            assert_true(fabs(wfi_schedule_factor(&rows[i].s, step) - rows[i].want[step]) < 1e-12);
    assert_true(wfi_schedule_factor(&(wf_schedule){WF_SCHEDULE_LINEAR, 4, 4}, 4) == 0); /* nothing but warm-up */
    for (int k = 0; k <= WF_SCHEDULE_COSINE; k++) {
        wf_schedule_kind kind;
        assert_true(wfi_schedule_parse(wfi_schedule_name((wf_schedule_kind)k), &kind));
        assert_int_equal(k, kind);
    }
    wf_schedule_kind kind = WF_SCHEDULE_LINEAR;
    assert_true(wfi_schedule_parse("constant_with_warmup", &kind) && kind == WF_SCHEDULE_CONSTANT);
    assert_false(wfi_schedule_parse("polynomial", &kind));
    assert_int_equal(WF_SCHEDULE_CONSTANT, kind);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_adamw), cmocka_unit_test(test_resume),
                                       cmocka_unit_test(test_skip),  cmocka_unit_test(test_arguments),
                                       cmocka_unit_test(test_clip),  cmocka_unit_test(test_schedules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
