/* Bases whose weights are no numbers: refused where they are imported, and found where an older lab has them. */
#include "in_lab.h"
#include "lab/handle.h"
#include <math.h>

static const char spoilt_name[] = "encoder.layer.1.intermediate.dense.weight"; /* [TINY_FFN, TINY_HIDDEN] */
static wf_lab *lab;

static int setup(void **state) {
    (void)state;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    check_ok(wf_lab_init(at("lab"), err));
    check_ok(wf_lab_open(at("lab"), &lab, err));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wf_lab_close(lab);
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

/* A base with one tensor in another type and with other values. */
static void spoil(const char *dir, wf_dtype dtype, const void *values) {
    char path[600], fresh[620];
    wf_source s = {0};
    tiny_base(dir);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    check_ok(wfi_safetensors_open(path, &s, err));
    wf_tensor *all = malloc(s.count * sizeof *all);
    memcpy(all, s.tensors, s.count * sizeof *all);
    wf_tensor *t = &all[wfi_source_find(&s, spoilt_name) - s.tensors];
    t->dtype = dtype;
    t->data = values;
    check_ok(wfi_safetensors_write(fresh, all, s.count, err));
    wfi_source_close(&s);
    free(all);
    assert_int_equal(0, rename(fresh, path));
}

static void refused(const char *dir, const char *want) {
    char path[600];
    wf_err e = {0};
    snprintf(path, sizeof path, "%s/model.safetensors: tensor \"%s\"", dir, spoilt_name);
    assert_int_equal(WF_E_DATA, wf_base_add(lab, "spoilt", dir, NULL, &e));
    assert_non_null(strstr(e.text, path));
    assert_non_null(strstr(e.text, want));
}

static void test_import(void **state) {
    (void)state;
    float f32[TINY_FFN * TINY_HIDDEN] = {0};
    uint16_t f16[TINY_FFN * TINY_HIDDEN] = {0};
    double f64[TINY_FFN * TINY_HIDDEN] = {0};
    f32[3 * TINY_HIDDEN + 5] = NAN;
    spoil(at("f32"), WF_DTYPE_F32, f32);
    refused(at("f32"), "has NaN at [3, 5]");
    f16[TINY_FFN * TINY_HIDDEN - 1] = 0xFC00; /* minus infinity */
    spoil(at("f16"), WF_DTYPE_F16, f16);
    refused(at("f16"), "has an infinite value at [63, 31]");
    f64[0] = 1e300; /* finite, but not where it is used */
    spoil(at("f64"), WF_DTYPE_F64, f64);
    refused(at("f64"), "has an infinite value at [0, 0]");
    char **names = NULL;
    size_t count = 0;
    check_ok(wfi_dir_list(at("lab/bases"), &names, &count, err)); /* nothing was kept */
    assert_int_equal(0, count);
    wfi_names_free(names, count);
}

static void test_check(void **state) {
    (void)state;
    float f32[TINY_FFN * TINY_HIDDEN] = {0};
    char hex[65], *text = NULL;
    json_t *files = NULL;
    wf_err e = {0};
    spoil(at("lab/bases/old"), WF_DTYPE_F32, f32);
    check_ok(wfi_lab_tree_hash(at("lab/bases/old"), &files, hex, err));
    json_decref(files);
    const wf_record sound = {.kind = (char *)"base", .name = (char *)"sound", .hash = hex, .path = (char *)"bases/old"};
    check_ok(wfi_registry_put(lab->registry, &sound, NULL, err));
    check_ok(wf_base_check(lab, NULL, NULL, err));
    f32[1] = INFINITY;
    spoil(at("lab/bases/new"), WF_DTYPE_F32, f32);
    check_ok(wfi_lab_tree_hash(at("lab/bases/new"), &files, hex, err));
    json_decref(files);
    const wf_record spoilt = {
        .kind = (char *)"base", .name = (char *)"spoilt", .hash = hex, .path = (char *)"bases/new"};
    check_ok(wfi_registry_put(lab->registry, &spoilt, NULL, err));
    assert_int_equal(WF_E_CHECK, wf_base_check(lab, NULL, &text, &e));
    assert_non_null(strstr(e.text, "1 of 2 bases"));
    json_t *j = parsed(text), *failures = json_object_get(j, "failures");
    assert_int_equal(1, json_array_size(failures));
    const char *why = json_string_value(json_object_get(json_array_get(failures, 0), "why"));
    assert_non_null(strstr(why, "has an infinite value at [0, 1]"));
    json_decref(j);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_import), cmocka_unit_test(test_check)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
