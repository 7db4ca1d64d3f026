/* tests/tape/test_param.c - sets of parameters: flat order, borrowing, gaining and losing gradients, running out of
 * memory. */
#include "base/alloc.h"
#include "check.h"
#include "tape/param.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flat_order), cmocka_unit_test(test_many_keep_their_place),
                                       cmocka_unit_test(test_only_borrowed), cmocka_unit_test(test_impossible_sizes),
                                       cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
