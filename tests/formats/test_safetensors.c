/* tests/formats/test_safetensors.c - hostile files are refused by name; what is written is read back. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "check.h"
#include "formats/safetensors.h"

static wf_buffer container(uint64_t length, const char *header, size_t data) {
    wf_buffer b = {0};
    unsigned char n[8];
    for (int i = 0; i < 8; i++) n[i] = (unsigned char)(length >> (8 * i));
    wfi_buffer_add(&b, n, 8);
    wfi_buffer_adds(&b, header);
    for (size_t i = 0; i < data; i++) wfi_buffer_add(&b, "\x11", 1);
    return b;
}

static void refused(uint64_t length, const char *header, size_t data, const char *says) {
    wf_buffer b = container(length ? length : strlen(header), header, data);
    wf_source s = {0};
    wf_err err = {0};
    const wf_status st = wfi_safetensors_parse(b.data, b.len, "some.safetensors", &s, &err);
    if (st != WF_E_DATA || !strstr(err.text, says) || !strstr(err.text, "some.safetensors"))
        fail_msg("%s gives %d: \"%s\", wanted \"%s\"", header, st, err.text, says);
    assert_null(s.tensors);
    wfi_buffer_clear(&b);
}

#define ENTRY(name, dtype, shape, from, to)                                                                            \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

static void test_hostile_headers(void **state) {
    refused(1ull << 62, "{}", 0, "does not fit");
    refused(UINT64_MAX, "{}", 0, "does not fit");
    refused(UINT64_MAX - 7, "{}", 0, "does not fit");
    refused(3, "{}", 0, "does not fit");
    refused(2, "{}", 1, "1 bytes behind");
    refused(0, "[]", 0, "object");
    refused(0, "{", 0, "line 1");
    refused(0, "{\"\xff\": 1}", 0, "0xff");
    refused(0, "{" ENTRY("a", "F32", "[1]", 0, 4) "," ENTRY("a", "F32", "[1]", 4, 8) "}", 8, "duplicate");
    char deep[256] = "{\"a\":";
    memset(deep + 5, '[', 100);
    refused(0, deep, 0, "64");
    wf_source s = {0};
    check_status(WF_E_DATA, wfi_safetensors_parse("\0\0\0\0\0\0\0", 7, "x", &s, err));
    check_status(WF_E_DATA, wfi_safetensors_parse("", 0, "x", &s, err));
}

static void test_hostile_entries(void **state) {
    refused(0, "{\"a\": 3}", 0, "\"a\"");
    refused(0, "{\"a\": {}}", 0, "dtype");
    refused(0, "{" ENTRY("a", "Q4", "[1]", 0, 4) "}", 4, "\"Q4\"");
    refused(0, "{" ENTRY("a", "f32", "[1]", 0, 4) "}", 4, "\"f32\"");
    refused(0, "{" ENTRY("a", "F32", "3", 0, 4) "}", 4, "shape");
    refused(0, "{" ENTRY("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "at most 8");
    refused(0, "{" ENTRY("a", "F32", "[-1]", 0, 4) "}", 4, "shape");
    refused(0, "{" ENTRY("a", "F32", "[1.0]", 0, 4) "}", 4, "shape");
    refused(0, "{" ENTRY("a", "F32", "[4611686018427387904,4]", 0, 0) "}", 0, "impossible");
    refused(0, "{" ENTRY("a", "F32", "[4294967296,4294967296]", 0, 0) "}", 0, "impossible");
    refused(0, "{" ENTRY("a", "F32", "[2]", 0, 4) "}", 4, "need 8 bytes, the file gives 4");
    refused(0, "{" ENTRY("a", "F32", "[2]", 0, 8) "}", 4, "outside");
    refused(0, "{" ENTRY("a", "F32", "[0]", 4, 0) "}", 4, "outside");
    refused(0, "{" ENTRY("a", "F32", "[1]", -4, 0) "}", 4, "outside");
    refused(0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "outside");
    refused(0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "outside");
    refused(0, "{" ENTRY("a", "F32", "[2]", 0, 8) "," ENTRY("b", "F32", "[1]", 4, 8) "}", 8, "overlaps");
    refused(0, "{" ENTRY("a", "F32", "[1]", 0, 4) "," ENTRY("b", "F32", "[1]", 0, 4) "}", 4, "overlaps");
    refused(0, "{" ENTRY("a", "F32", "[1]", 0, 4) "," ENTRY("b", "F32", "[1]", 8, 12) "}", 12, "hole");
    refused(0, "{" ENTRY("a", "F32", "[1]", 0, 4) "}", 9, "5 bytes behind");
}

static void test_good_files(void **state) {
    wf_buffer b = container(0, "", 0);
    wf_source s = {0};
    wfi_buffer_clear(&b);
    const char *header = "{\"__metadata__\":{\"x\":\"y\"}," ENTRY("b", "F32", "[]", 2, 6) "," ENTRY(
        "a", "U8", "[2]", 0, 2) "," ENTRY("e", "I8", "[3,0]", 6, 6) "}   ";
    b = container(strlen(header), header, 6);
    check_ok(wfi_safetensors_parse(b.data, b.len, "x", &s, err));
    assert_int_equal(3, s.count);
    assert_string_equal("a", s.tensors[0].name);
    assert_string_equal("b", s.tensors[1].name);
    assert_int_equal(0, s.tensors[1].rank);
    assert_int_equal(1, wfi_tensor_count(&s.tensors[1]));
    assert_ptr_equal((const char *)s.tensors[0].data + 2, s.tensors[1].data);
    assert_int_equal(0, wfi_tensor_count(&s.tensors[2]));
    wfi_source_close(&s);
    wfi_buffer_clear(&b);
    b = container(2, "{}", 0);
    check_ok(wfi_safetensors_parse(b.data, b.len, "x", &s, err));
    assert_int_equal(0, s.count);
    wfi_source_close(&s);
    wfi_buffer_clear(&b);
}

static void test_write_and_read_back(void **state) {
    static const float w[6] = {1, -2, 3.5f, 1e-30f, 0, 7};
    static const int64_t n[1] = {-5};
    static const uint8_t u[3] = {1, 2, 255};
    const wf_tensor tensors[] = {{.name = "w\"\u00e9\\", .dtype = WF_DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = w},
                                 {.name = "n", .dtype = WF_DTYPE_I64, .rank = 0, .data = n},
                                 {.name = "u", .dtype = WF_DTYPE_U8, .rank = 1, .shape = {3}, .data = u},
                                 {.name = "none", .dtype = WF_DTYPE_F16, .rank = 1, .shape = {0}, .data = NULL}};
    char path[512], again[512], first[WF_MAX_RANK];
    const char *dir = check_temp_dir();
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    snprintf(again, sizeof again, "%s/b.safetensors", dir);
    check_ok(wfi_safetensors_write(path, tensors, 4, err));
    wf_source s = {0};
    check_ok(wfi_safetensors_open(path, &s, err));
    assert_int_equal(4, s.count);
    for (size_t i = 0; i < 4; i++) {
        const wf_tensor *want = &tensors[i], *got = wfi_source_find(&s, want->name);
        assert_non_null(got);
        assert_int_equal(want->dtype, got->dtype);
        assert_int_equal(want->rank, got->rank);
        assert_memory_equal(want->shape, got->shape, (size_t)want->rank * sizeof *want->shape);
        const size_t bytes = (size_t)wfi_tensor_count(want) * wfi_dtype_size(want->dtype);
        if (bytes) assert_memory_equal(want->data, got->data, bytes);
    }
    /* Rewriting what was read gives the same bytes: order and padding are fixed. */
    check_ok(wfi_safetensors_write(again, s.tensors, s.count, err));
    wf_map one = {0}, two = {0};
    check_ok(wfi_file_map(path, &one, err));
    check_ok(wfi_file_map(again, &two, err));
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.data, two.data, one.size);
    memcpy(first, one.data, 8);
    assert_int_equal(0, first[0] % 8); /* the data begins aligned */
    wfi_file_unmap(&one);
    wfi_file_unmap(&two);
    wfi_source_close(&s);
    check_ok(wfi_safetensors_write(path, NULL, 0, err)); /* no tensors: still a file */
    check_ok(wfi_safetensors_open(path, &s, err));
    assert_int_equal(0, s.count);
    wfi_source_close(&s);
    const wf_tensor twice[] = {tensors[1], tensors[2], tensors[1]};
    check_status(WF_E_ARG, wfi_safetensors_write(path, twice, 3, err));
    check_status(WF_E_NOTFOUND, wfi_safetensors_open("/nowhere/a.safetensors", &s, err));
    check_ok(wfi_tree_remove(dir, err));
}

/* Our own allocations fail one after the other. Whoever says it is done has done it. */
static void test_every_allocation_may_fail(void **state) {
    static const float w[4] = {1, 2, 3, 4};
    const wf_tensor tensors[] = {{.name = "a", .dtype = WF_DTYPE_F32, .rank = 2, .shape = {2, 2}, .data = w},
                                 {.name = "b", .dtype = WF_DTYPE_F32, .rank = 1, .shape = {4}, .data = w}};
    char path[512];
    const char *dir = check_temp_dir();
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    for (long n = 1;; n++) {
        wf_err wrong = {0};
        assert_true(n < 2000);
        wfi_alloc_fail_at(n);
        const wf_status st = wfi_safetensors_write(path, tensors, 2, &wrong);
        wfi_alloc_fail_at(0);
        if (st == WF_OK) {
            wf_source s = {0};
            check_ok(wfi_safetensors_open(path, &s, err));
            assert_int_equal(2, s.count);
            wfi_source_close(&s);
            wfi_alloc_fail_at(n + 1); /* was that the last one? */
            const wf_status more = wfi_safetensors_write(path, tensors, 2, &wrong);
            wfi_alloc_fail_at(0);
            if (more == WF_OK) break;
        } else {
            assert_int_equal(WF_E_NOMEM, st);
        }
    }
    for (long n = 1;; n++) {
        wf_source s = {0};
        wf_err wrong = {0};
        assert_true(n < 2000);
        wfi_alloc_fail_at(n);
        const wf_status st = wfi_safetensors_open(path, &s, &wrong);
        wfi_alloc_fail_at(0);
        if (st == WF_OK) {
            assert_int_equal(2, s.count);
            wfi_source_close(&s);
            break;
        }
        assert_int_equal(WF_E_NOMEM, st);
        assert_null(s.owner);
    }
    check_ok(wfi_tree_remove(dir, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_headers),
        cmocka_unit_test(test_hostile_entries),
        cmocka_unit_test(test_good_files),
        cmocka_unit_test(test_write_and_read_back),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
