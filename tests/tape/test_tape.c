/* tests/tape/test_tape.c - the tape itself: failures travel, scopes squeeze, memory is used again, nothing frozen is
 * recorded. */
#include "base/alloc.h"
#include "gradcheck.h"
#include "tape/linear.h"
#include <math.h>

static wf_tape *tape;

static int start(void **state) {
    return wfi_tape_new(&tape, NULL) == WF_OK ? 0 : -1;
}
static int stop(void **state) {
    wfi_tape_free(tape);
    return 0;
}

/* The tape must have failed with this code and a text that holds all of these. */
static void check_failed(wf_status code, const char *a, const char *b, const char *c) {
    wf_err e = {0};
    assert_int_equal(code, wfi_tape_status(tape, &e));
    const char *want[] = {a, b, c};
    for (int i = 0; i < 3; i++)
        if (want[i] && !strstr(e.text, want[i])) fail_msg("\"%s\" does not say \"%s\"", e.text, want[i]);
    wfi_tape_reset(tape, true);
}

typedef struct fixture {
    wf_pset set;
    wf_linear linear, wide, gate;
    wf_norm norm;
    wf_param *table, *one, *square;
} fixture;

static void fixture_init(fixture *f, bool trainable) {
    *f = (fixture){0};
    wf_pset *s = &f->set;
    f->linear = (wf_linear){.in = 4, .out = 3, .weight = wfi_pset_add(s, "small", 2, (int64_t[]){3, 4}, true)};
    f->wide = (wf_linear){.in = 3, .out = 4, .weight = wfi_pset_add(s, "wide", 2, (int64_t[]){4, 3}, true)};
    f->gate = (wf_linear){.in = 4, .out = 1, .weight = wfi_pset_add(s, "gate", 2, (int64_t[]){1, 4}, true)};
    f->norm = (wf_norm){.width = 4,
                        .eps = 1e-5f,
                        .gamma = wfi_pset_add(s, "gamma", 1, (int64_t[]){4}, false),
                        .beta = wfi_pset_add(s, "beta", 1, (int64_t[]){4}, false)};
    f->table = wfi_pset_add(s, "table", 2, (int64_t[]){5, 4}, true);
    f->one = wfi_pset_add(s, "one", 1, (int64_t[]){1}, true);
    f->square = wfi_pset_add(s, "square", 2, (int64_t[]){4, 4}, true);
    check_ok(wfi_pset_commit(s, err));
    uint64_t seed = 9;
    for (int64_t i = 0; i < s->total; i++) s->data[i] = (float)gc_random(&seed);
    check_ok(wfi_pset_trainable(s, trainable, err));
}

static const float x8[8] = {1, -2, 3, -4, 0.5f, 6, -0.7f, 8};
static const int64_t two[3] = {0, 1, 2};

static void test_null_travels(void **state) {
    fixture f;
    fixture_init(&f, true);
    wf_tape *t = tape;
    wfi_tape_reset(t, true);
    wf_value *v = wfi_tape_variable(t, x8, 2, 4), *no = NULL;
    const int32_t label[2] = {0, 1};
    const uint8_t flag[8] = {0};
    assert_null(wfi_op_linear(t, no, &f.linear));
    assert_null(wfi_op_act(t, no, WF_ACT_RELU));
    assert_null(wfi_op_add(t, 2, (wf_value *[]){v, no}));
    assert_null(wfi_op_add(t, 2, (wf_value *[]){no, v}));
    assert_null(wfi_op_add(t, 1, &no));
    assert_null(wfi_op_norm(t, 2, (wf_value *[]){v, no}, &f.norm));
    assert_null(wfi_op_norm(t, 1, &no, &f.norm));
    assert_null(wfi_op_dropout(t, no, 0.5f, 1));
    assert_null(wfi_op_drop_path(t, no, 0.5f, 1, 2, two));
    assert_null(wfi_op_attention(t, no, v, v, 2, two, 2, 0, 1));
    assert_null(wfi_op_attention(t, v, no, v, 2, two, 2, 0, 1));
    assert_null(wfi_op_attention(t, v, v, no, 2, two, 2, 0, 1));
    assert_null(wfi_op_scale(t, no, 2));
    assert_null(wfi_op_scale_param(t, no, f.one));
    assert_null(wfi_op_gate(t, no, v, &f.gate, 2, two));
    assert_null(wfi_op_gate(t, v, no, &f.gate, 2, two));
    assert_null(wfi_op_bottleneck(t, no, &f.linear, &f.wide, WF_ACT_RELU));
    assert_null(wfi_op_lora(t, no, v, f.linear.weight, f.wide.weight, 1, 0, 1));
    assert_null(wfi_op_lora(t, v, no, f.linear.weight, f.wide.weight, 1, 0, 1));
    assert_null(wfi_op_pool(t, no, WF_POOL_CLS, 2, two));
    assert_null(wfi_op_reshape(t, no, 4, 2));
    assert_null(wfi_op_cross_entropy(t, no, label, NULL, 0, NULL));
    assert_null(wfi_op_spread(t, no, 1, label));
    assert_null(wfi_op_mse(t, no, x8));
    assert_null(wfi_op_bce(t, no, flag, NULL));
    assert_null(wfi_tape_scope_end(t, wfi_tape_scope(t), NULL));
    assert_int_equal(WF_OK, wfi_tape_status(t, NULL)); /* the cause is noted where the NULL came from, not here */
    check_status(WF_E_ARG, wfi_tape_backward(t, NULL, 1, err));
    wfi_pset_clear(&f.set);
}

static void test_shapes_are_named(void **state) {
    fixture f;
    fixture_init(&f, true);
    wf_tape *t = tape;
    wfi_tape_reset(t, true);
#define V(rows, cols) wfi_tape_variable(t, x8, rows, cols)
    const struct wf_linear broken = {.in = 4, .out = 4, .weight = f.linear.weight};
    assert_null(wfi_op_linear(t, V(4, 2), &f.linear));
    check_failed(WF_E_SHAPE, "linear", "[4,2]", "small [3,4]");
    assert_null(wfi_op_linear(t, V(2, 4), &broken));
    check_failed(WF_E_SHAPE, "linear", "small", "[4,4]");
    assert_null(wfi_op_add(t, 2, (wf_value *[]){V(2, 4), V(4, 2)}));
    check_failed(WF_E_SHAPE, "add", "[2,4]", "[4,2]");
    assert_null(wfi_op_add(t, 9, NULL));
    check_failed(WF_E_ARG, "add", "9", NULL);
    assert_null(wfi_op_norm(t, 1, (wf_value *[]){V(4, 2)}, &f.norm));
    check_failed(WF_E_SHAPE, "norm", "[4,2]", "width 4");
    assert_null(wfi_op_norm(t, 2, (wf_value *[]){V(2, 4), V(1, 4)}, &f.norm));
    check_failed(WF_E_SHAPE, "norm", "[2,4]", "[1,4]");
    assert_null(wfi_op_act(t, V(2, 4), WF_ACT_COUNT));
    check_failed(WF_E_ARG, "act", NULL, NULL);
    assert_null(wfi_op_dropout(t, V(2, 4), 1.0f, 1));
    check_failed(WF_E_ARG, "dropout", "1", NULL);
    assert_null(wfi_op_dropout(t, V(2, 4), NAN, 1));
    check_failed(WF_E_ARG, "dropout", NULL, NULL);
    assert_null(wfi_op_drop_path(t, V(1, 8), 0.1f, 1, 2, two));
    check_failed(WF_E_SHAPE, "drop_path", "row 2", "[1,8]");
    assert_null(wfi_op_attention(t, V(2, 4), V(2, 4), V(2, 3), 2, two, 2, 0, 1));
    check_failed(WF_E_SHAPE, "attention", "[2,4]", "[2,3]");
    assert_null(wfi_op_attention(t, V(2, 4), V(2, 4), V(2, 4), 2, two, 3, 0, 1));
    check_failed(WF_E_SHAPE, "attention", "[2,4]", "3 heads");
    assert_null(wfi_op_attention(t, V(2, 4), V(2, 4), V(2, 4), 2, (int64_t[]){0, 3, 2}, 2, 0, 1));
    check_failed(WF_E_SHAPE, "attention", "sequence 1", "-1");
    wfi_pset_clear(&f.set);
}

static void test_more_shapes_are_named(void **state) {
    fixture f;
    fixture_init(&f, true);
    wf_tape *t = tape;
    wfi_tape_reset(t, true);
    assert_null(wfi_op_scale_param(t, V(2, 3), f.norm.gamma));
    check_failed(WF_E_SHAPE, "scale_param", "[2,3]", "gamma [4]");
    assert_null(wfi_op_gate(t, V(2, 4), V(1, 4), &f.gate, 2, two));
    check_failed(WF_E_SHAPE, "gate", "[2,4]", "[1,4]");
    assert_null(wfi_op_gate(t, V(2, 4), V(2, 4), &f.linear, 2, two));
    check_failed(WF_E_SHAPE, "gate", "small [3,4]", NULL);
    assert_null(wfi_op_gate(t, V(2, 4), V(2, 4), &f.gate, 2, (int64_t[]){0, 0, 2}));
    check_failed(WF_E_SHAPE, "gate", "sequence 0", "0 rows");
    assert_null(wfi_op_bottleneck(t, V(2, 3), &f.linear, &f.wide, WF_ACT_RELU));
    check_failed(WF_E_SHAPE, "bottleneck", "[2,3]", "small [3,4]");
    assert_null(wfi_op_bottleneck(t, V(2, 4), &f.linear, &f.gate, WF_ACT_RELU));
    check_failed(WF_E_SHAPE, "bottleneck", "[2,3]", "gate [1,4]");
    assert_null(wfi_op_lora(t, V(2, 4), V(2, 4), f.linear.weight, f.linear.weight, 1, 0, 1));
    check_failed(WF_E_SHAPE, "lora", "[2,4]", "small [3,4]");
    assert_null(wfi_op_pool(t, V(2, 4), WF_POOL_MEAN, 1, two));
    check_failed(WF_E_SHAPE, "pool", "row 1", "[2,4]");
    assert_null(wfi_op_reshape(t, V(2, 4), 3, 3));
    check_failed(WF_E_SHAPE, "reshape", "[3,3]", "[2,4]");
    assert_null(wfi_op_reshape(t, V(2, 4), -2, -4));
    check_failed(WF_E_SHAPE, "reshape", NULL, NULL);
    assert_null(wfi_op_spread(t, V(4, 1), 2, (int32_t[]){2, 1}));
    check_failed(WF_E_SHAPE, "spread", "[4,1]", "3 elements");
    assert_null(wfi_op_spread(t, V(1, 1), 2, (int32_t[]){2, -1}));
    check_failed(WF_E_SHAPE, "spread", "row 1", "-1");
    assert_null(wfi_op_mse(t, V(2, 4), x8));
    check_failed(WF_E_SHAPE, "mse", "[2,4]", NULL);
    assert_null(wfi_op_bce(t, V(0, 4), (const uint8_t *)"", NULL));
    check_failed(WF_E_SHAPE, "bce", "[0,4]", NULL);
    assert_null(wfi_op_identity_pull(t, f.linear.weight, 1));
    check_failed(WF_E_SHAPE, "identity_pull", "small [3,4]", NULL);
    assert_null(wfi_op_embed(t, f.table, f.table, f.linear.weight, 1, (int32_t[]){0}, (int32_t[]){0}, (uint8_t[]){3}));
    check_failed(WF_E_DATA, "embed", "row 3", "small [3,4]");
    assert_null(
        wfi_op_embed(t, f.table, f.table, f.table, 2, (int32_t[]){0, -1}, (int32_t[]){0, 0}, (uint8_t[]){0, 0}));
    check_failed(WF_E_DATA, "embed", "token 1", "table [5,4]");
    assert_null(wfi_op_embed(t, f.table, f.wide.weight, f.table, 1, (int32_t[]){0}, (int32_t[]){0}, (uint8_t[]){0}));
    check_failed(WF_E_SHAPE, "embed", "table [5,4]", "wide [4,3]");
    assert_null(wfi_tape_value(t, INT64_MAX, INT64_MAX));
    check_failed(WF_E_SHAPE, "not possible", NULL, NULL);
    assert_null(wfi_tape_value(t, 1, INT64_MAX / 8));
    check_failed(WF_E_NOMEM, "memory", NULL, NULL);
#undef V
    wfi_pset_clear(&f.set);
}

static void test_first_failure_stays(void **state) {
    wfi_tape_reset(tape, true);
    assert_null(wfi_tape_fail(tape, WF_E_DATA, "the %s", "first"));
    assert_null(wfi_tape_fail(tape, WF_E_SHAPE, "the second"));
    wf_value *v = wfi_tape_variable(tape, x8, 1, 1);
    check_status(WF_E_DATA, wfi_tape_backward(tape, v, 1, err));
    check_failed(WF_E_DATA, "the first", NULL, NULL);
}

static void test_losses_refuse_bad_labels(void **state) {
    wf_tape *t = tape;
    wfi_tape_reset(t, true);
    wf_value *v = wfi_tape_variable(t, x8, 2, 4);
    assert_null(wfi_op_cross_entropy(t, v, (int32_t[]){0, 4}, NULL, 0, NULL));
    check_failed(WF_E_DATA, "cross_entropy", "row 1", "[2,4]");
    assert_null(wfi_op_cross_entropy(t, v, (int32_t[]){-2, 1}, NULL, 0, NULL));
    check_failed(WF_E_DATA, "row 0", "-2", NULL);
    assert_null(wfi_op_cross_entropy(t, v, (int32_t[]){0, 2}, NULL, 0, (int32_t[]){1, 2}));
    check_failed(WF_E_DATA, "row 1", "2 classes", NULL);
    assert_null(wfi_op_cross_entropy(t, v, (int32_t[]){0, 2}, NULL, 0, (int32_t[]){5, 4}));
    check_failed(WF_E_DATA, "row 0", "5 classes", NULL);
    assert_null(wfi_op_cross_entropy(t, v, (int32_t[]){-1, -1}, NULL, 0, NULL));
    check_failed(WF_E_DATA, "cross_entropy", "none of the 2 rows", NULL);
    assert_null(wfi_op_cross_entropy(t, v, (int32_t[]){0, 1}, NULL, 1.5f, NULL));
    check_failed(WF_E_ARG, "smoothing", "1.5", NULL);
    assert_null(wfi_op_cross_entropy(t, v, (int32_t[]){0, 1}, (float[]){1, -1, 1, 1}, 0, NULL));
    check_failed(WF_E_ARG, "class 1", "-1", NULL);
    assert_null(wfi_op_bce(t, v, (uint8_t[]){0, 1, 2, 0, 0, 0, 0, 0}, NULL));
    check_failed(WF_E_DATA, "bce", "target 2", NULL);
    assert_null(wfi_op_bce(t, v, (uint8_t[8]){0}, (float[]){1, 1, NAN, 1}));
    check_failed(WF_E_ARG, "bce", "class 2", NULL);
}

static void test_losses_see_broken_numbers(void **state) {
    wf_tape *t = tape;
    const float bad[][4] = {{1, NAN, 2, 3}, {INFINITY, 0, 0, 0}, {-INFINITY, -INFINITY, -INFINITY, -INFINITY}};
    for (int i = 0; i < 3; i++) {
        wfi_tape_reset(t, true);
        assert_null(wfi_op_cross_entropy(t, wfi_tape_variable(t, bad[i], 1, 4), (int32_t[]){3}, NULL, 0, NULL));
        check_failed(WF_E_NONFINITE, "cross_entropy", NULL, NULL);
        assert_null(wfi_op_mse(t, wfi_tape_variable(t, bad[i], 4, 1), x8));
        check_failed(WF_E_NONFINITE, "mse", NULL, NULL);
        if (i == 2) continue;
        assert_null(wfi_op_bce(t, wfi_tape_variable(t, bad[i], 1, 4), (uint8_t[]){0, 0, 1, 0}, NULL));
        check_failed(WF_E_NONFINITE, "bce", NULL, NULL);
    }
    fixture f;
    fixture_init(&f, true);
    f.square->data[3] = NAN;
    assert_null(wfi_op_identity_pull(t, f.square, 1));
    check_failed(WF_E_NONFINITE, "identity_pull", NULL, NULL);
    /* A masked class (-inf) that is not the target is a proper distribution. */
    wfi_tape_reset(t, true);
    const float masked[4] = {0, -INFINITY, 0, 0};
    wf_value *v = wfi_tape_variable(t, masked, 1, 4), *loss = wfi_op_cross_entropy(t, v, (int32_t[]){3}, NULL, 0, NULL);
    assert_float_equal(loss->data[0], (float)log(3.0), 1e-6f);
    check_ok(wfi_tape_backward(t, loss, 1, err));
    assert_true(v->grad[1] == 0.0f);
    /* Logits of any finite size do not overflow. */
    wfi_tape_reset(t, true);
    const float large[4] = {1e4f, -1e4f, 0, 0};
    assert_float_equal(
        wfi_op_cross_entropy(t, wfi_tape_constant(t, large, 1, 4), (int32_t[]){1}, NULL, 0, NULL)->data[0], 2e4f,
        1e-1f);
    assert_non_null(wfi_op_bce(t, wfi_tape_constant(t, large, 1, 4), (uint8_t[]){0, 1, 0, 0}, NULL));
    wfi_pset_clear(&f.set);
}

/* Everything frozen: no gradient wanted anywhere, scopes free all but the kept value, and backward is no work. */
static void test_frozen_is_not_recorded(void **state) {
    fixture f;
    fixture_init(&f, false);
    wf_tape *t = tape;
    wfi_tape_reset(t, true);
    wf_value *x = wfi_tape_constant(t, x8, 2, 4);
    const size_t scope = wfi_tape_scope(t);
    wf_value *y = wfi_op_linear(t, x, &f.linear);
    y = wfi_op_bottleneck(t, wfi_op_linear(t, y, &f.wide), &f.linear, &f.wide, WF_ACT_GELU);
    y = wfi_op_norm(t, 2, (wf_value *[]){x, y}, &f.norm);
    y = wfi_op_attention(t, y, y, y, 2, two, 2, 0.1f, 3);
    assert_false(y->needs_grad);
    float before[8];
    memcpy(before, y->data, sizeof before);
    wf_value *kept = wfi_tape_scope_end(t, scope, y);
    assert_memory_equal(before, kept->data, sizeof before);
    assert_int_equal(wfi_tape_scope(t) - scope, 128); /* head and eight floats, on the arena's grid */
    wf_value *loss = wfi_op_identity_pull(t, f.square, 1);
    assert_false(loss->needs_grad);
    check_ok(wfi_tape_backward(t, loss, 1, err));
    wfi_pset_clear(&f.set);
}

static void test_scopes(void **state) {
    wf_tape *t = tape;
    wfi_tape_reset(t, true);
    wf_value *x = wfi_tape_constant(t, x8, 2, 4), *v = wfi_tape_variable(t, x8, 2, 4);
    size_t outer = wfi_tape_scope(t);
    wf_value *a = wfi_op_scale(t, x, 2), *b = wfi_op_scale(t, a, 3);
    size_t inner = wfi_tape_scope(t);
    wf_value *c = wfi_tape_scope_end(t, inner, wfi_op_scale(t, wfi_op_scale(t, b, 2), 0.5f));
    for (int i = 0; i < 8; i++) assert_float_equal(c->data[i], 6 * x8[i], 0);
    /* A view into the scope moves with its floats; a view of something older moves alone. */
    wf_value *d = wfi_tape_scope_end(t, outer, wfi_op_reshape(t, c, 4, 2));
    assert_int_equal(d->rows, 4);
    for (int i = 0; i < 8; i++) assert_float_equal(d->data[i], 6 * x8[i], 0);
    outer = wfi_tape_scope(t);
    wfi_op_scale(t, x, 2);
    wf_value *e = wfi_tape_scope_end(t, outer, wfi_op_reshape(t, x, 8, 1));
    assert_ptr_equal(e->data, x8);
    assert_int_equal(e->rows, 8);
    /* What was there before is kept without moving, and what is recorded pins every scope around it. */
    outer = wfi_tape_scope(t);
    wfi_op_scale(t, x, 2);
    assert_ptr_equal(x, wfi_tape_scope_end(t, outer, x));
    assert_int_equal(outer, wfi_tape_scope(t));
    inner = wfi_tape_scope(t);
    wf_value *g = wfi_op_scale(t, v, 2);
    assert_ptr_equal(g, wfi_tape_scope_end(t, inner, g));
    const size_t full = wfi_tape_scope(t);
    assert_ptr_equal(d, wfi_tape_scope_end(t, outer, d));
    assert_int_equal(full, wfi_tape_scope(t));
    assert_true(wfi_tape_peak(t) >= (int64_t)full);
}

/* The same chain twice as long: backward's own memory must not grow with the length. */
static int64_t backward_bytes(int length) {
    static float x[64 * 64];
    wf_tape *t = tape;
    wfi_tape_reset(t, true);
    wf_value *v = wfi_tape_variable(t, x, 64, 64);
    for (int i = 0; i < length; i++) v = wfi_op_add(t, 2, (wf_value *[]){wfi_op_act(t, v, WF_ACT_TANH), v});
    wf_value *loss = wfi_op_mse(t, wfi_op_reshape(t, v, 64 * 64, 1), x);
    const size_t before = wfi_tape_scope(t);
    check_ok(wfi_tape_backward(t, loss, 1, err));
    return (int64_t)(wfi_tape_scope(t) - before);
}

static void test_gradient_buffers_are_used_again(void **state) {
    assert_int_equal(backward_bytes(4), backward_bytes(40));
}

static void test_backward_scale_and_accumulation(void **state) {
    fixture f;
    fixture_init(&f, true);
    wf_tape *t = tape;
    float once[12];
    for (int k = 0; k < 3; k++) {
        wfi_tape_reset(t, true);
        wf_value *loss =
            wfi_op_mse(t, wfi_op_reshape(t, wfi_op_linear(t, wfi_tape_constant(t, x8, 2, 4), &f.linear), 6, 1), x8);
        check_status(WF_E_SHAPE, wfi_tape_backward(t, wfi_tape_constant(t, x8, 2, 4), 1, err));
        check_ok(wfi_tape_backward(t, loss, k == 1 ? 0.5f : 1, err));
        if (k == 0) memcpy(once, f.linear.weight->grad, sizeof once);
        if (k == 2) check_ok(wfi_tape_backward(t, loss, 1, err)); /* a second walk of the same pass */
    }
    for (int i = 0; i < 12; i++)
        assert_float_equal(f.linear.weight->grad[i], 3.5f * once[i], 1e-4f * (1 + fabsf(once[i])));
    wfi_tape_reset(t, false);
    wf_value *loss = wfi_op_identity_pull(t, f.square, 1);
    assert_false(loss->needs_grad);
    check_status(WF_E_ARG, wfi_tape_backward(t, loss, 1, err));
    wfi_pset_clear(&f.set);
}

static void test_out_of_memory(void **state) {
    wf_tape *t = NULL;
    wfi_alloc_fail_at(1);
    check_status(WF_E_NOMEM, wfi_tape_new(&t, err));
    assert_null(t);
    wfi_alloc_fail_at(0);
    wfi_tape_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_null_travels),
                                       cmocka_unit_test(test_shapes_are_named),
                                       cmocka_unit_test(test_more_shapes_are_named),
                                       cmocka_unit_test(test_first_failure_stays),
                                       cmocka_unit_test(test_losses_refuse_bad_labels),
                                       cmocka_unit_test(test_losses_see_broken_numbers),
                                       cmocka_unit_test(test_frozen_is_not_recorded),
                                       cmocka_unit_test(test_scopes),
                                       cmocka_unit_test(test_gradient_buffers_are_used_again),
                                       cmocka_unit_test(test_backward_scale_and_accumulation),
                                       cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, start, stop);
}
