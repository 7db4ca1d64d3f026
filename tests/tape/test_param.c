/* tests/tape/test_param.c - sets of parameters: flat order, borrowing, gaining and losing gradients, running out of
 * memory. */
#include "base/alloc.h"
#include "check.h"
#include "tape/param.h"
#include <float.h>
#include <math.h>

static void test_flat_order(void **state) {
    wf_pset s = {0};
    const float outside[6] = {1, 2, 3, 4, 5, 6};
    char name[] = "a.weight";
    wf_param *a = wfi_pset_add(&s, name, 2, (int64_t[]){2, 3}, true);
    name[0] = 'x'; /* the name was copied */
    wf_param *b = wfi_pset_borrow(&s, "b", 1, (int64_t[]){6}, outside);
    wf_param *c = wfi_pset_add(&s, "c", 1, (int64_t[]){5}, false);
    wf_param *scalar = wfi_pset_add(&s, "scalar", 0, NULL, false);
    assert_null(a->data);
    check_ok(wfi_pset_commit(&s, err));
    check_status(WF_E_ARG, wfi_pset_commit(&s, err));
    assert_int_equal(s.total, 12);
    assert_ptr_equal(a->data, s.data);
    assert_ptr_equal(b->data, outside);
    assert_ptr_equal(c->data, s.data + 6);
    assert_ptr_equal(scalar->data, s.data + 11);
    for (int i = 0; i < 12; i++) assert_true(s.data[i] == 0);
    assert_true(a->decay && !c->decay && !b->decay);
    check_ok(wfi_pset_trainable(&s, true, err));
    assert_ptr_equal(a->grad, s.grad);
    assert_ptr_equal(c->grad, s.grad + 6);
    assert_null(b->grad);
    s.grad[3] = 1;
    check_ok(wfi_pset_trainable(&s, true, err)); /* keeps what is there */
    assert_true(a->grad[3] == 1);
    check_ok(wfi_pset_trainable(&s, false, err));
    assert_true(!s.grad && !a->grad && !c->grad);
    assert_ptr_equal(wfi_pset_find(&s, "a.weight"), a);
    assert_ptr_equal(wfi_pset_find(&s, "c"), c);
    assert_null(wfi_pset_find(&s, "d"));
    wfi_pset_clear(&s);
    wfi_pset_clear(&s);
    assert_true(s.count == 0 && !s.data);
}

static void test_many_keep_their_place(void **state) {
    wf_pset s = {0};
    wf_param *p[200];
    char name[16];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "p%d", i);
        p[i] = wfi_pset_add(&s, name, 1, (int64_t[]){i}, true);
    }
    check_ok(wfi_pset_commit(&s, err));
    check_ok(wfi_pset_trainable(&s, true, err));
    int64_t at = 0;
    for (int i = 0; i < 200; at += i++) {
        assert_ptr_equal(p[i], s.params[i]);
        assert_ptr_equal(p[i]->data, s.data + at);
        assert_ptr_equal(p[i]->grad, s.grad + at);
    }
    wfi_pset_clear(&s);
}

static void test_only_borrowed(void **state) {
    wf_pset s = {0};
    const float outside[2] = {1, 2};
    check_status(WF_E_ARG, wfi_pset_trainable(&s, true, err));
    wf_param *b = wfi_pset_borrow(&s, "b", 1, (int64_t[]){2}, outside);
    check_ok(wfi_pset_commit(&s, err));
    check_ok(wfi_pset_trainable(&s, true, err));
    assert_null(b->grad);
    assert_int_equal(s.total, 0);
    wfi_pset_clear(&s);
}

static void test_impossible_sizes(void **state) {
    wf_pset s = {0};
    assert_null(wfi_pset_add(&s, "big", 3, (int64_t[]){INT64_MAX, 2, 2}, true));
    assert_null(wfi_pset_add(&s, "negative", 1, (int64_t[]){-1}, true));
    assert_non_null(wfi_pset_add(&s, "huge", 1, (int64_t[]){INT64_MAX / 2}, true));
    check_status(WF_E_NOMEM, wfi_pset_commit(&s, err));
    wfi_pset_clear(&s);
}

/* Fails every single allocation in turn: no leak, no crash, an error each time. */
static wf_status make(wf_pset *s, wf_err *err) {
    for (int i = 0; i < 20; i++)
        if (!wfi_pset_add(s, "p", 1, (int64_t[]){3}, true)) return WF_E_NOMEM;
    wf_status st = wfi_pset_commit(s, err);
    return st == WF_OK ? wfi_pset_trainable(s, true, err) : st;
}

static void test_out_of_memory(void **state) {
    for (long n = 1;; n++) {
        wf_pset s = {0};
        wfi_alloc_fail_at(n);
        const wf_status st = make(&s, NULL);
        wfi_alloc_fail_at(0);
        wfi_pset_clear(&s);
        if (st == WF_OK) break;
        assert_int_equal(WF_E_NOMEM, st);
        assert_true(n < 100);
    }
}

/* Every kind of value at every place that blocks have: first, last, between, in the rest. */
static void test_finite(void **state) {
    enum { ROWS = 5, COLUMNS = 1000, BEHIND = ROWS * COLUMNS };
    static const float fine[] = {0, -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN, 1e-45f};
    static const float wrong[] = {NAN, -NAN, INFINITY, -INFINITY};
    static const int64_t places[] = {0, 1, 1023, 1024, 2047, 4095, 4096, 4999};
    wf_pset s = {0};
    float *x = malloc((BEHIND + 1) * sizeof *x); /* what stands behind it is not looked at */
    for (int i = 0; i < BEHIND; i++) x[i] = fine[i % 6];
    x[BEHIND] = NAN;
    wfi_pset_borrow(&s, "none", 1, (int64_t[]){0}, x);
    wfi_pset_borrow(&s, "a.weight", 2, (int64_t[]){ROWS, COLUMNS}, x);
    check_ok(wfi_pset_finite(&s, "file", err));
    for (size_t k = 0; k < sizeof places / sizeof *places; k++)
        for (int w = 0; w < 4; w++) {
            const float kept = x[places[k]];
            char want[48];
            wf_err e = {0};
            x[places[k]] = wrong[w];
            snprintf(want, sizeof want, "at [%d, %d]", (int)(places[k] / COLUMNS), (int)(places[k] % COLUMNS));
            assert_int_equal(WF_E_DATA, wfi_pset_finite(&s, "file", &e));
            assert_non_null(strstr(e.text, want));
            assert_non_null(strstr(e.text, "file: tensor \"a.weight\" has "));
            assert_non_null(strstr(e.text, w < 2 ? "NaN" : "an infinite value"));
            x[places[k]] = kept;
        }
    free(x);
    wfi_pset_clear(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat_order),    cmocka_unit_test(test_many_keep_their_place),
        cmocka_unit_test(test_only_borrowed), cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
