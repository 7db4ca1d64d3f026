/* Ways to join losses on cases small enough to be worked out by hand. */
#include "check.h"
#include "joint/weighing.h"
#include <math.h>
#include <string.h>

enum { TASKS = 3, WIDTH = 4 };

typedef struct weighed { /* one method at work on TASKS tasks and WIDTH shared numbers */
    wf_weighing w;
    wf_weigh_state s;
    bool present[TASKS], squared[TASKS];
    double loss[TASKS], share[TASKS];
    float grad[TASKS][WIDTH], out[WIDTH];
    size_t tasks;
    uint64_t key;
} weighed;

static weighed make(const char *text, size_t tasks) {
    weighed x = {.tasks = tasks};
    check_ok(wfi_weighing_parse(text, &x.w, err));
    wfi_weigh_start(&x.w, &x.s);
    for (size_t k = 0; k < tasks; k++) {
        x.present[k] = true;
        x.loss[k] = 1;
        x.share[k] = 1.0 / (double)tasks;
    }
    return x;
}

static double factor(const weighed *x, size_t k) {
    return x->w.method->factor(&x->s, k, x->squared[k]);
}

static void step(weighed *x) {
    float *grad[TASKS];
    for (int k = 0; k < TASKS; k++) grad[k] = x->grad[k];
    const wf_weigh_step s = {.tasks = x->tasks,
                             .present = x->present,
                             .squared = x->squared,
                             .loss = x->loss,
                             .share = x->share,
                             .grad = grad,
                             .total = x->w.method->separate ? WIDTH : 0,
                             .key = x->key++,
                             .out = x->out};
    if (x->w.method->step) check_ok(x->w.method->step(&x->s, x->w.number, &s, err));
}

static void near(double want, double got, double off) {
    if (!(fabs(want - got) <= off)) fail_msg("%.9g, not %.9g", got, want);
}

static void out_is(const weighed *x, float a, float b, float c, float d) {
    const float want[WIDTH] = {a, b, c, d};
    for (int i = 0; i < WIDTH; i++) near((double)want[i], (double)x->out[i], 1e-6);
}

static void test_uniform(void **state) {
    (void)state;
    weighed x = make(NULL, 3);
    step(&x);
    for (size_t k = 0; k < 3; k++) assert_true(factor(&x, k) == 1);
}

/* Losses that stand still: each weight goes to 1/(2 L), for squared errors too. */
static void test_uncertainty(void **state) {
    (void)state;
    weighed x = make("uncertainty", 3);
    x.squared[1] = true;
    x.loss[0] = 0.25;
    x.loss[1] = 4;
    assert_true(factor(&x, 0) == 1 && factor(&x, 1) == 0.5);
    x.present[2] = false;
    step(&x); /* Adam's first step is its rate: s goes down where the loss is small, up where it is large */
    near(exp(0.025), factor(&x, 0), 1e-6);
    near(0.5 * exp(-0.025), factor(&x, 1), 1e-6);
    assert_true(factor(&x, 2) == 1); /* not there: nothing learned */
    for (int i = 0; i < 4000; i++) step(&x);
    near(2, factor(&x, 0), 0.02);
    near(0.125, factor(&x, 1), 0.002);
    assert_int_equal(0, x.s.updates[2]);
}

/* Two tasks whose gradients are 1 and 10 long at weight 1, with losses that stand still: w1 * 1 = w2 * 10 and
 * w1 + w2 = 2, so 20/11 and 2/11. */
static void test_gradnorm_evens_lengths(void **state) {
    (void)state;
    weighed x = make("gradnorm", 2);
    for (int i = 0; i < 3000; i++) {
        x.grad[0][1] = (float)(0.5 * factor(&x, 0)); /* of half a step's batches */
        x.grad[1][2] = (float)(0.5 * factor(&x, 1) * -10);
        step(&x);
        if (i == 0) out_is(&x, 0, 0.5f, -5, 0); /* the plain sum of the weighted gradients */
        near(2, factor(&x, 0) + factor(&x, 1), 1e-9);
        if (i == 0) near(1 + 0.025, factor(&x, 0), 1e-6); /* both moved by Adam's rate, the sum is 2 already */
    }
    near(20.0 / 11, factor(&x, 0), 0.02);
    near(2.0 / 11, factor(&x, 1), 0.02);
}

/* Equal gradients; the second task has 3 times as much of its first loss left: with alpha 1 its gradient shall be 3
 * times as long. */
static void test_gradnorm_slow_task(void **state) {
    (void)state;
    weighed x = make("gradnorm:1", 2);
    x.loss[0] = x.loss[1] = 6;
    for (int i = 0; i < 3000; i++) {
        for (int k = 0; k < 2; k++) x.grad[k][0] = (float)(0.5 * factor(&x, (size_t)k));
        step(&x);
        x.loss[0] = 1;
        x.loss[1] = 3;
    }
    near(0.5, factor(&x, 0), 0.02);
    near(1.5, factor(&x, 1), 0.02);
    weighed even = make("gradnorm:0", 2); /* alpha 0: however slow */
    even.loss[1] = 6;
    for (int i = 0; i < 500; i++) {
        for (int k = 0; k < 2; k++) even.grad[k][0] = (float)(0.5 * factor(&even, (size_t)k));
        step(&even);
        even.loss[0] = 0.1;
    }
    near(1, factor(&even, 0), 0.02);
}

/* A task alone in a step teaches nothing. */
static void test_gradnorm_alone(void **state) {
    (void)state;
    weighed x = make("gradnorm", 2);
    x.present[1] = false;
    x.share[0] = 1;
    x.grad[0][3] = 7;
    step(&x);
    out_is(&x, 0, 0, 0, 7);
    assert_true(factor(&x, 0) == 1 && factor(&x, 1) == 1);
}

static void grad_set(weighed *x, size_t k, float a, float b, float c) {
    x->grad[k][0] = a;
    x->grad[k][1] = b;
    x->grad[k][2] = c;
}

/* g1 = (1,0), g2 = (-1,1): g1 loses -1/2 g2 and becomes (1/2,1/2), g2 loses -g1 and becomes (0,1). */
static void test_pcgrad_two(void **state) {
    (void)state;
    weighed x = make("pcgrad", 2);
    grad_set(&x, 0, 1, 0, 0);
    grad_set(&x, 1, -1, 1, 0);
    step(&x);
    out_is(&x, 0.5f, 1.5f, 0, 0);
    grad_set(&x, 0, 1, 2, 0); /* no conflict: the plain sum, bit by bit */
    grad_set(&x, 1, 0.1f, 1, 0);
    step(&x);
    assert_true(x.out[0] == 1.1f && x.out[1] == 3 && x.out[2] == 0);
    grad_set(&x, 1, -1, -2, 0); /* opposite: nothing is left */
    step(&x);
    out_is(&x, 0, 0, 0, 0);
    grad_set(&x, 1, 0, 0, 0); /* a task that has nothing to say */
    step(&x);
    out_is(&x, 1, 2, 0, 0);
    x.present[1] = false;
    grad_set(&x, 1, -5, 1, 0); /* not there: what stands here is of another step */
    step(&x);
    out_is(&x, 1, 2, 0, 0);
}

/* Three tasks: the first conflicts with both others, and what is left depends on the order of the two. g1 = (1,0,0),
 * g2 = (-1,1,0), g3 = (-1,-1,0). g1 over g2 then g3: (1/2,1/2), dot with g3 -1: + 1/2 g3 = (0,0). Over g3 then g2:
 * (1/2,-1/2), dot with g2 -1: + 1/2 g2 = (0,0). g2 over g1: (0,1), dot with g3 -1: + 1/2 g3 = (-1/2,1/2); over g3:
 * dot 0, then g1: (0,1). g3 likewise (-1/2,-1/2) or (0,-1). */
static void test_pcgrad_order(void **state) {
    (void)state;
    weighed x = make("pcgrad", 3);
    int seen[3] = {0};
    grad_set(&x, 0, 1, 0, 0);
    grad_set(&x, 1, -1, 1, 0);
    grad_set(&x, 2, -1, -1, 0);
    for (int i = 0; i < 200; i++) {
        step(&x);
        const int first_way = x.out[0] < -0.9f ? 0 : x.out[0] < -0.4f ? 1 : 2;
        if (first_way == 0) out_is(&x, -1, 0, 0, 0);
        if (first_way == 1) out_is(&x, -0.5f, x.out[1] > 0 ? 0.5f : -0.5f, 0, 0);
        if (first_way == 2) out_is(&x, 0, 0, 0, 0);
        seen[first_way]++;
    }
    assert_true(seen[0] > 20 && seen[1] > 50 && seen[2] > 20); /* 1/4, 1/2, 1/4 */
}

static void test_words(void **state) {
    (void)state;
    wf_weighing w;
    wf_err e = {0};
    check_ok(wfi_weighing_parse("gradnorm", &w, err));
    assert_true(w.number == 1.5 && w.method->separate);
    assert_string_equal("uniform", wfi_weighing_method(&(wf_weighing){0})->name);
    assert_int_equal(WF_E_ARG, wfi_weighing_parse("pcgrads", &w, &e));
    assert_non_null(strstr(e.text, "use one of uniform, uncertainty, gradnorm:ALPHA, pcgrad"));
    assert_int_equal(WF_E_ARG, wfi_weighing_parse("gradnorm:-1", &w, &e));
    assert_int_equal(WF_E_ARG, wfi_weighing_parse("uncertainty:1", &w, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_uniform),
                                       cmocka_unit_test(test_uncertainty),
                                       cmocka_unit_test(test_gradnorm_evens_lengths),
                                       cmocka_unit_test(test_gradnorm_slow_task),
                                       cmocka_unit_test(test_gradnorm_alone),
                                       cmocka_unit_test(test_pcgrad_two),
                                       cmocka_unit_test(test_pcgrad_order),
                                       cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
