/* tests/base/test_memory.c - heap with failing allocations, arena, buffer. */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "check.h"

static void test_alloc(void **state) {
    unsigned char *p = wfi_alloc(7, 3);
    for (int i = 0; i < 21; i++) assert_int_equal(0, p[i]);
    wfi_free(p);
    p = wfi_alloc(0, 8); /* nothing is still a pointer */
    assert_non_null(p);
    wfi_free(p);
    wfi_free(NULL);
    assert_null(wfi_alloc(SIZE_MAX / 2, 3)); /* the product overflows */
    assert_null(wfi_realloc(NULL, SIZE_MAX / 2, 3));
    assert_null(wfi_alloc_aligned(SIZE_MAX - 10));
    assert_null(wfi_strndup("x", SIZE_MAX));
}

static void test_aligned(void **state) {
    for (size_t n = 0; n < 200; n += 33) {
        unsigned char *p = wfi_alloc_aligned(n);
        assert_int_equal(0, (uintptr_t)p % 64);
        for (size_t i = 0; i < n; i++) assert_int_equal(0, p[i]);
        wfi_free(p);
    }
}

static void test_realloc_and_copies(void **state) {
    int *p = wfi_alloc(2, sizeof *p);
    p[0] = 5, p[1] = 6;
    p = wfi_realloc(p, 1000, sizeof *p);
    assert_int_equal(11, p[0] + p[1]);
    wfi_free(p);
    char *s = wfi_strdup("weft"), *t = wfi_strndup("weft and warp", 4), *u = wfi_strdup("");
    assert_string_equal(s, t);
    assert_string_equal("", u);
    wfi_free(s);
    wfi_free(t);
    wfi_free(u);
}

static void test_nth_allocation_fails(void **state) {
    for (long n = 1; n <= 3; n++) {
        void *p[5];
        wfi_alloc_fail_at(n);
        p[0] = wfi_alloc(1, 1);
        p[1] = wfi_realloc(NULL, 1, 1);
        p[2] = wfi_alloc_aligned(1);
        p[3] = wfi_strdup("a"); /* behind the failing one all goes well again */
        wfi_alloc_fail_at(0);
        p[4] = wfi_alloc(1, 1);
        for (long i = 0; i < 5; i++) {
            if (i == n - 1)
                assert_null(p[i]);
            else
                assert_non_null(p[i]);
            wfi_free(p[i]);
        }
    }
}

static void test_arena(void **state) {
    wf_arena a = {0};
    check_ok(wfi_arena_init(&a, 1, err));
    assert_true(a.reserved >= 1 && a.reserved % ((size_t)2 << 20) == 0);
    unsigned char *p = wfi_arena_get(&a, 1), *q = wfi_arena_get(&a, 100);
    assert_int_equal(0, (uintptr_t)p % 64);
    assert_ptr_equal(p + 64, q);
    const size_t mark = wfi_arena_mark(&a);
    memset(wfi_arena_get(&a, 5000), 7, 5000);
    const size_t peak = a.peak;
    wfi_arena_release(&a, mark);
    assert_int_equal(mark, a.used);
    assert_int_equal(peak, a.peak);
    assert_ptr_equal(q + 128, wfi_arena_get(&a, 0)); /* the same place again */
    assert_null(wfi_arena_get(&a, a.reserved));
    assert_null(wfi_arena_get(&a, SIZE_MAX)); /* rounding up must not wrap around */
    assert_null(wfi_arena_get(&a, SIZE_MAX - 63));
    assert_non_null(wfi_arena_get(&a, a.reserved - a.used));
    assert_null(wfi_arena_get(&a, 1));
    wfi_arena_clear(&a);
    assert_null(a.base);
    wfi_arena_clear(&a);
    check_ok(wfi_arena_init(&a, 0, err)); /* as much as the machine has, reserved only */
    assert_non_null(wfi_arena_get(&a, 1 << 20));
    wfi_arena_clear(&a);
}

static void test_arena_too_large(void **state) {
    wf_arena a = {0};
    check_status(WF_E_NOMEM, wfi_arena_init(&a, (size_t)1 << 60, err));
    check_status(WF_E_NOMEM, wfi_arena_init(&a, SIZE_MAX, err)); /* rounding up must not wrap around */
    assert_null(a.base);
}

static void test_buffer(void **state) {
    wf_buffer b = {0};
    wfi_buffer_add(&b, "", 0);
    assert_string_equal("", b.data);
    wfi_buffer_adds(&b, "one ");
    wfi_buffer_printf(&b, "%d %s", 2, "three");
    wfi_buffer_add(&b, "\0x", 2);
    assert_int_equal(13, b.len);
    assert_memory_equal("one 2 three\0x", b.data, 14);
    for (int i = 0; i < 1000; i++) wfi_buffer_printf(&b, "%04d", i);
    assert_int_equal(4013, b.len);
    assert_string_equal("0999", b.data + 4009);
    char *text = wfi_buffer_take(&b);
    assert_string_equal("one 2 three", text);
    wfi_free(text);
    assert_null(b.data);
    text = wfi_buffer_take(&b); /* empty: still a text */
    assert_string_equal("", text);
    wfi_free(text);
}

static void test_buffer_out_of_memory(void **state) {
    wf_buffer b = {0};
    wfi_buffer_adds(&b, "start");
    wfi_alloc_fail_at(1);
    wfi_buffer_printf(&b, "%500d", 1);
    wfi_alloc_fail_at(0);
    assert_true(b.failed);
    wfi_buffer_adds(&b, "more"); /* stays failed, keeps what it had */
    assert_string_equal("start", b.data);
    assert_null(wfi_buffer_take(&b));
    assert_null(b.data);
    wfi_buffer_add(&b, "x", SIZE_MAX - 1);
    assert_true(b.failed);
    wfi_buffer_clear(&b);
    assert_false(b.failed);
    wfi_buffer_clear(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_realloc_and_copies),
        cmocka_unit_test(test_nth_allocation_fails),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_too_large),
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_buffer_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
