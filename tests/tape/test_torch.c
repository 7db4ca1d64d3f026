/* tests/tape/test_torch.c - losses and LayerNorm against numbers computed by torch
 * (tests/golden/make_training_torch.py). */
#include "gradcheck.h"
#define GOLDEN_TAPE
#include "../golden/training_torch.h"
#include <math.h>

static wf_tape *tape;

static void wave(int n, double a, double b, double scale, float *out) {
    for (int i = 0; i < n; i++) out[i] = (float)(scale * sin(a * i + b));
}

static void near(const char *what, int n, const float *got, const double *want) {
    for (int i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= 2e-6 * (1 + fabs(want[i]))))
            fail_msg("%s: element %d is %.9g, torch has %.9g", what, i, (double)got[i], want[i]);
}

static void check_loss(const char *what, wf_value *x, wf_value *loss, const double *want) {
    assert_non_null(loss);
    near(what, 1, loss->data, want);
    check_ok(wfi_tape_backward(tape, loss, 1, err));
    near(what, 12, x->grad, want + 1);
}

static void test_losses(void **state) {
    float x[12];
    wave(12, 0.9, 0.3, 2.0, x);
    const int32_t label[4] = {2, -1, 0, 1};
    const float weights[3] = {0.5f, 2, 1.25f};
    const struct {
        const char *name;
        const float *weights;
        float smoothing;
        const double *want;
    } rows[] = {{"cross-entropy", NULL, 0, golden_ce_plain},
                {"cross-entropy, weights", weights, 0, golden_ce_weights},
                {"cross-entropy, smoothing", NULL, 0.2f, golden_ce_smooth},
                {"cross-entropy, both", weights, 0.2f, golden_ce_both}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wfi_tape_reset(tape, true);
        wf_value *v = wfi_tape_variable(tape, x, 4, 3);
        check_loss(rows[i].name, v, wfi_op_cross_entropy(tape, v, label, rows[i].weights, rows[i].smoothing, NULL),
                   rows[i].want);
    }
    const uint8_t y[12] = {1, 0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1};
    for (int i = 0; i < 2; i++) {
        wfi_tape_reset(tape, true);
        wf_value *v = wfi_tape_variable(tape, x, 4, 3);
        check_loss("bce", v, wfi_op_bce(tape, v, y, i ? weights : NULL), i ? golden_bce_weights : golden_bce_plain);
    }
}

static void test_norm(void **state) {
    float x[15], probe[15];
    wave(15, 1.7, 0.2, 1, x);
    wave(15, 0.8, 0.9, 1, probe);
    wf_pset set = {0};
    const wf_norm norm = {.width = 5,
                          .eps = 1e-5f,
                          .gamma = wfi_pset_add(&set, "g", 1, (int64_t[]){5}, false),
                          .beta = wfi_pset_add(&set, "b", 1, (int64_t[]){5}, false)};
    check_ok(wfi_pset_commit(&set, err));
    check_ok(wfi_pset_trainable(&set, true, err));
    wave(5, 0.4, 0.0, 0.5, norm.gamma->data);
    wave(5, 0.6, 1.0, 1, norm.beta->data);
    for (int i = 0; i < 5; i++) norm.gamma->data[i] += 1;
    wfi_tape_reset(tape, true);
    wf_value *v = wfi_tape_variable(tape, x, 3, 5), *y = wfi_op_norm(tape, 1, &v, &norm);
    near("norm", 15, y->data, golden_norm_y);
    check_ok(wfi_tape_backward(tape, gc_probe(tape, 1, &y, (const float *const[]){probe}), 1, err));
    near("norm dx", 15, v->grad, golden_norm_dx);
    near("norm dgamma", 5, norm.gamma->grad, golden_norm_dgamma);
    near("norm dbeta", 5, norm.beta->grad, golden_norm_dbeta);
    wfi_pset_clear(&set);
}

static int start(void **state) {
    return wfi_tape_new(&tape, NULL) == WF_OK ? 0 : -1;
}
static int stop(void **state) {
    wfi_tape_free(tape);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_losses), cmocka_unit_test(test_norm)};
    return cmocka_run_group_tests(tests, start, stop);
}
