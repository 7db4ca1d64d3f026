/* tests/tensor/test_source.c - types, lookup, shapes, conversion to float32. */
#include "base/alloc.h"
#include "check.h"
#include "tensor/source.h"
#include <math.h>

static void test_types(void **state) {
    static const struct {
        wf_dtype type;
        const char *name;
        size_t size;
    } want[] = {{WF_DTYPE_F32, "F32", 4},  {WF_DTYPE_F16, "F16", 2}, {WF_DTYPE_BF16, "BF16", 2},
                {WF_DTYPE_F64, "F64", 8},  {WF_DTYPE_I64, "I64", 8}, {WF_DTYPE_I32, "I32", 4},
                {WF_DTYPE_I16, "I16", 2},  {WF_DTYPE_I8, "I8", 1},   {WF_DTYPE_U8, "U8", 1},
                {WF_DTYPE_BOOL, "BOOL", 1}};
    assert_int_equal(WF_DTYPE_BOOL + 1, sizeof want / sizeof *want);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_string_equal(want[i].name, wfi_dtype_name(want[i].type));
        assert_int_equal(want[i].size, wfi_dtype_size(want[i].type));
    }
}

static void test_count(void **state) {
    assert_int_equal(1, wfi_tensor_count(&(wf_tensor){.rank = 0}));
    assert_int_equal(24, wfi_tensor_count(&(wf_tensor){.rank = 3, .shape = {2, 3, 4, 99}}));
    assert_int_equal(0, wfi_tensor_count(&(wf_tensor){.rank = 2, .shape = {2, 0}}));
}

static void test_find_and_get(void **state) {
    static const wf_tensor tensors[] = {{.name = "a", .rank = 1, .shape = {3}},
                                        {.name = "a.b", .rank = 2, .shape = {4, 5}},
                                        {.name = "b", .rank = 0},
                                        {.name = "z", .rank = 1, .shape = {9}}};
    for (size_t count = 0; count <= 4; count++) {
        const wf_source s = {.count = count, .tensors = tensors};
        for (size_t i = 0; i < 4; i++)
            assert_ptr_equal(i < count ? &tensors[i] : NULL, wfi_source_find(&s, tensors[i].name));
        assert_null(wfi_source_find(&s, ""));
        assert_null(wfi_source_find(&s, "a.a"));
        assert_null(wfi_source_find(&s, "zz"));
    }
    const wf_source s = {.count = 4, .tensors = tensors};
    const wf_tensor *t = NULL;
    wf_err err = {0};
    assert_int_equal(WF_OK, wfi_source_get(&s, "a.b", 2, (int64_t[]){4, 5}, &t, &err));
    assert_ptr_equal(&tensors[1], t);
    assert_int_equal(WF_OK, wfi_source_get(&s, "a.b", 2, (int64_t[]){-1, 5}, &t, &err));
    assert_int_equal(WF_OK, wfi_source_get(&s, "b", 0, NULL, &t, &err));
    assert_int_equal(WF_E_DATA, wfi_source_get(&s, "a.b", 2, (int64_t[]){-1, 6}, &t, &err));
    assert_string_equal("a.b", err.subject);
    assert_non_null(strstr(err.text, "[4,5]"));
    assert_non_null(strstr(err.text, "[?,6]"));
    assert_int_equal(WF_E_DATA, wfi_source_get(&s, "a.b", 1, (int64_t[]){20}, &t, &err));
    assert_int_equal(WF_E_DATA, wfi_source_get(&s, "c", 1, (int64_t[]){20}, &t, &err));
    assert_non_null(strstr(err.text, "\"c\" is missing"));
}

static float converted(wf_dtype type, const void *data) {
    const float *f = NULL;
    float *owned = NULL;
    const wf_tensor t = {.name = "t", .dtype = type, .rank = 1, .shape = {1}, .data = data};
    check_ok(wfi_tensor_f32(&t, &f, &owned, err));
    assert_ptr_equal(owned, f);
    const float value = f[0];
    wfi_free(owned);
    return value;
}

/* Every half: against the definition, sign * 2^(e-15) * (1 + m/1024). */
static void test_every_half(void **state) {
    for (uint32_t bits = 0; bits < 65536; bits++) {
        const uint16_t h = (uint16_t)bits;
        const int e = (h >> 10) & 31, m = h & 1023;
        const float got = converted(WF_DTYPE_F16, &h);
        const double want = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1 + m / 1024.0, e - 15) : ldexp(m / 1024.0, -14);
        if (isnan(want))
            assert_true(isnan(got));
        else
            assert_true((double)got == (h >> 15 ? -want : want) && !!signbit(got) == h >> 15);
    }
}

static void test_other_types(void **state) {
    const uint16_t one = 0x3F80, minus_two = 0xC000, infinite = 0x7F80;
    assert_true(converted(WF_DTYPE_BF16, &one) == 1.0f);
    assert_true(converted(WF_DTYPE_BF16, &minus_two) == -2.0f);
    assert_true(isinf(converted(WF_DTYPE_BF16, &infinite)));
    const double third = 1.0 / 3;
    assert_true(converted(WF_DTYPE_F64, &third) == (float)third);
    for (wf_dtype type = WF_DTYPE_I64; type <= WF_DTYPE_BOOL; type++) {
        const wf_tensor t = {.name = "numbers", .dtype = type, .rank = 1, .shape = {1}, .data = &third};
        const float *f = NULL;
        float *owned = NULL;
        wf_err err = {0};
        assert_int_equal(WF_E_DATA, wfi_tensor_f32(&t, &f, &owned, &err));
        assert_non_null(strstr(err.text, wfi_dtype_name(type)));
        assert_null(owned);
    }
}

static void test_borrowed_when_aligned(void **state) {
    static const float values[3] = {1, 2, 3};
    unsigned char bytes[16];
    const float *f = NULL;
    float *owned = NULL;
    wf_tensor t = {.name = "t", .dtype = WF_DTYPE_F32, .rank = 1, .shape = {3}, .data = values};
    check_ok(wfi_tensor_f32(&t, &f, &owned, err));
    assert_ptr_equal(values, f);
    assert_null(owned);
    memcpy(bytes + 1, values, sizeof values);
    t.data = bytes + 1;
    check_ok(wfi_tensor_f32(&t, &f, &owned, err));
    assert_non_null(owned);
    assert_memory_equal(values, f, sizeof values);
    wfi_free(owned);
    wfi_alloc_fail_at(1);
    check_status(WF_E_NOMEM, wfi_tensor_f32(&t, &f, &owned, err));
    wfi_alloc_fail_at(0);
    wf_source zero = {0};
    wfi_source_close(&zero);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),        cmocka_unit_test(test_count),
        cmocka_unit_test(test_find_and_get), cmocka_unit_test(test_every_half),
        cmocka_unit_test(test_other_types),  cmocka_unit_test(test_borrowed_when_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
