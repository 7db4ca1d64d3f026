/* The type of the frozen base: trained, stored, verified, resumed and refused by name; the choice of "auto" is
 * remembered. */
#include "base/alloc.h"
#include "base/json.h"
#include "in_lab.h"
#include "kernels/gemm.h"
#include "lab/precision.h"
#include "weft/weft.h"
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static wf_lab *lab_make(const char *name) {
    wf_lab *lab = NULL;
    check_ok(wf_lab_init(at(name), err));
    check_ok(wf_lab_open(at(name), &lab, err));
    check_ok(wf_base_add(lab, "tiny", at("base"), NULL, err));
    const wf_task_spec spec = {.name = "reviews", .path = at("reviews")};
    check_ok(wf_task_add(lab, &spec, NULL, err));
    return lab;
}

static int setup(void **state) {
    (void)state;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    tiny_base(at("base"));
    tiny_task(at("reviews"), 1, 200, 40, 60);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

static wf_train_spec spec_make(const char *name, const char *dtype) {
    return (wf_train_spec){.task = "reviews",
                           .method = "seq_bn",
                           .name = name,
                           .base_dtype = dtype,
                           .epochs = 6,
                           .lr = 5e-3,
                           .base_dropout = -1};
}

static json_t *inspected(wf_lab *lab, const char *name) {
    char *text = NULL;
    check_ok(wf_inspect(lab, name, &text, err));
    return parsed(text);
}

static const char *text_of(const json_t *j, const char *key) {
    const char *text = json_string_value(json_object_get(j, key));
    assert_non_null(text);
    return text;
}

/* One lab holds models over the base in both types; each is used in the type it was trained in, in one process and in
 * the next. */
static void test_both_types_in_one_lab(void **state) {
    (void)state;
    wf_lab *lab = lab_make("both");
    const char *names[] = {"half", "whole", "chosen"}, *types[] = {"bf16", "f32", NULL};
    char *text = NULL;
    for (int i = 0; i < 3; i++) {
        const wf_train_spec spec = spec_make(names[i], types[i]);
        check_ok(wf_train(lab, &spec, NULL, err));
    }
    json_t *half = inspected(lab, "half"), *whole = inspected(lab, "whole"), *chosen = inspected(lab, "chosen");
    assert_string_equal("bf16", text_of(half, "base_dtype"));
    assert_string_equal("f32", text_of(whole, "base_dtype"));
    assert_string_equal("f32", text_of(chosen, "base_dtype")); /* auto: products this small are not worth rounding */
    assert_string_equal("f32", text_of(json_object_get(chosen, "settings"), "base_dtype"));
    json_decref(half);
    json_decref(whole);
    json_decref(chosen);
    check_ok(wf_verify(lab, NULL, err));
    wf_lab_close(lab);
    check_ok(wf_lab_open(at("both"), &lab, err));
    check_ok(wf_verify(lab, NULL, err));
    wf_predictor *p = NULL;
    const char *texts[] = {"the film was great"};
    check_ok(wf_predictor_open(lab, names, 3, &p, err));
    check_ok(wf_predictor_run(p, texts, NULL, 1, &text, err));
    json_t *j = parsed(text), *results = json_object_get(json_array_get(json_object_get(j, "rows"), 0), "results");
    double p_good[3];
    for (int i = 0; i < 3; i++)
        p_good[i] = json_number_value(
            json_object_get(json_object_get(json_object_get(results, names[i]), "probs"), "positive"));
    for (int i = 0; i < 3; i++) assert_true(p_good[i] > 0.5);
    json_decref(j);
    wf_predictor_close(p);
    const char *from[] = {"half", "whole"};
    wf_train_spec f = spec_make("fused", "bf16"); /* what adapters were trained over does not matter to a fusion */
    f.method = "fusion", f.from = from, f.from_count = 2, f.keep_fusion = 1;
    check_ok(wf_train(lab, &f, NULL, err));
    check_ok(wf_verify(lab, NULL, err));
    wf_lab_close(lab);
}

/* int8: trained in when asked for by name, used for models of other types when asked for, and what that changes is
 * said. */
static json_t *evaluated(wf_lab *lab, const char *name, const char *dtype) {
    char *text = NULL;
    const wf_eval_spec spec = {.name = name, .resamples = 100};
    check_ok(wf_lab_base_dtype(lab, dtype, err));
    check_ok(wf_eval(lab, &spec, &text, err));
    check_ok(wf_lab_base_dtype(lab, NULL, err));
    json_t *j = parsed(text);
    json_object_del(j, "run"); /* of its record: another each time */
    return j;
}

static double accuracy_of(const json_t *j, const char *of) {
    const json_t *value = json_object_get(json_object_get(json_object_get(j, of), "accuracy"), "value");
    assert_true(json_is_real(value));
    return json_real_value(value);
}

static double good(wf_lab *lab, const char *name, const char *dtype) {
    const char *texts[] = {"the film was great"};
    char *text = NULL;
    wf_predictor *p = NULL;
    check_ok(wf_lab_base_dtype(lab, dtype, err));
    check_ok(wf_predictor_open(lab, &name, 1, &p, err));
    check_ok(wf_predictor_run(p, texts, NULL, 1, &text, err));
    wf_predictor_close(p);
    json_t *j = parsed(text), *row = json_array_get(json_object_get(j, "rows"), 0);
    const double value = json_real_value(
        json_object_get(json_object_get(json_object_get(json_object_get(row, "results"), name), "probs"), "positive"));
    json_decref(j);
    return value;
}

static void test_int8(void **state) {
    (void)state;
    wf_lab *lab = lab_make("eight");
    const char *names[] = {"whole", "eight"}, *types[] = {"f32", "int8"};
    for (int i = 0; i < 2; i++) {
        const wf_train_spec spec = spec_make(names[i], types[i]);
        check_ok(wf_train(lab, &spec, NULL, err));
        json_t *j = inspected(lab, names[i]);
        assert_string_equal(types[i], text_of(j, "base_dtype"));
        json_decref(j);
        json_t *own = evaluated(lab, names[i], NULL), *same = evaluated(lab, names[i], types[i]),
               *other = evaluated(lab, names[i], types[1 - i]);
        assert_true(json_equal(own, same)); /* the model's own type is no change */
        assert_null(json_object_get(own, "difference"));
        if (!(accuracy_of(own, "metrics") > 0.7)) fail_msg("%s: accuracy %g", names[i], accuracy_of(own, "metrics"));
        assert_string_equal(types[i], text_of(own, "base_dtype"));
        assert_string_equal(types[1 - i], text_of(other, "base_dtype"));
        assert_string_equal(types[i], text_of(other, "trained_base_dtype"));
        const double d = accuracy_of(other, "metrics") - accuracy_of(own, "metrics");
        assert_true(fabs(d - accuracy_of(other, "difference")) < 1e-12 && fabs(d) < 0.1);
        const double change = json_real_value(json_object_get(other, "largest_output_difference"));
        assert_true(change > 0 && change < 0.2);
        json_decref(own);
        json_decref(same);
        json_decref(other);
        const double p[] = {good(lab, names[i], NULL), good(lab, names[i], "f32"), good(lab, names[i], "int8")};
        assert_true(p[0] == p[1 + i] && p[1] != p[2] && fabs(p[1] - p[2]) < 0.2);
    }
    wf_train_spec full = spec_make("all", NULL);
    full.method = "full", full.epochs = 1;
    check_ok(wf_train(lab, &full, NULL, err));
    const wf_eval_spec of_full = {.name = "all"};
    check_ok(wf_lab_base_dtype(lab, "int8", err));
    wf_err e = {0};
    assert_int_equal(WF_E_ARG, wf_eval(lab, &of_full, NULL, &e));
    if (!strstr(e.text, "\"all\" is a trained base itself")) fail_msg("says %s", e.text);
    check_ok(wf_verify(lab, NULL, err)); /* in each model's own type, whatever was asked for */
    check_status(WF_E_ARG, wf_lab_base_dtype(lab, "int4", err));
    full.base_dtype = "int8", full.name = "again";
    check_status(WF_E_ARG, wf_train(lab, &full, NULL, err));
    wf_lab_close(lab);
}

/* A base that is trained itself, its matrices multiplied in bfloat16: near the float32 training, stored and verified in
 * its type, used in both. */
static void test_full(void **state) {
    (void)state;
    wf_lab *lab = lab_make("full");
    static const char *const names[] = {"single", "half"}, *const types[] = {"f32", "bf16"};
    for (int i = 0; i < 2; i++) {
        wf_train_spec spec = spec_make(names[i], types[i]);
        spec.method = "full";
        check_ok(wf_train(lab, &spec, NULL, err));
        json_t *j = inspected(lab, names[i]), *own = evaluated(lab, names[i], NULL),
               *other = evaluated(lab, names[i], types[1 - i]);
        assert_string_equal(types[i], text_of(j, "base_dtype"));
        assert_string_equal(types[i], text_of(own, "base_dtype"));
        assert_string_equal(types[1 - i], text_of(other, "base_dtype"));
        if (!(accuracy_of(own, "metrics") > 0.7)) fail_msg("%s: accuracy %g", names[i], accuracy_of(own, "metrics"));
        const double change = json_real_value(json_object_get(other, "largest_output_difference"));
        if (!(change > 0 && change < 0.1)) fail_msg("%s: outputs differ by %g", names[i], change);
        json_decref(j);
        json_decref(own);
        json_decref(other);
    }
    check_ok(wf_lab_base_dtype(lab, NULL, err));
    check_ok(wf_verify(lab, NULL, err));
    const double p[] = {good(lab, "single", NULL), good(lab, "half", NULL)};
    assert_true(p[0] != p[1] && fabs(p[0] - p[1]) < 0.2); /* trained on their own, not the same training twice */
    wf_lab_close(lab);
}

/* What was recorded with the processor's own bfloat16 and byte products holds without them, and over all types. */
static void test_verify_at_another_level(void **state) {
    (void)state;
    const char *program = getenv("WEFT_PROGRAM");
    if (!program || wfi_cpu_get()->isa == WF_ISA_SCALAR) skip();
    wf_lab *lab = lab_make("level");
    static const char *const models[] = {"whole", "half", "eight", "all"}, *const types[] = {"f32", "bf16", "int8",
                                                                                             "bf16"};
    for (int i = 0; i < 4; i++) {
        wf_train_spec spec = spec_make(models[i], types[i]);
        if (i == 3) spec.method = "full";
        check_ok(wf_train(lab, &spec, NULL, err));
    }
    wf_lab_close(lab);
    char command[1400];
    snprintf(command, sizeof command, "WEFT_ISA=scalar '%s' -C '%s' verify >'%s' 2>&1", program, at("level"),
             at("verify.txt"));
    const int status = system(command);
    char *said = NULL;
    size_t size = 0;
    check_ok(wfi_file_read(at("verify.txt"), 1 << 16, &said, &size, err));
    if (status != 0 || !strstr(said, "half: recorded on another processor") ||
        !strstr(said, "eight: recorded on another processor") || !strstr(said, "all: recorded on another processor"))
        fail_msg("verify ended with %d: %s", status, said);
    wfi_free(said);
}

static int cancel_at(const wf_progress *p, void *user) {
    return p->done >= *(int64_t *)user;
}

static void test_resume_gives_the_same_bits(void **state) {
    (void)state;
    json_t *info[2];
    for (int k = 0; k < 2; k++) {
        wf_lab *lab = lab_make(k ? "broken" : "unbroken");
        wf_train_spec spec = spec_make("r", "bf16");
        int64_t stop = 9;
        if (k) {
            wf_lab_progress(lab, cancel_at, &stop);
            check_status(WF_E_CANCELLED, wf_train(lab, &spec, NULL, err));
            wf_lab_progress(lab, NULL, NULL);
            check_ok(wf_resume(lab, 1, NULL, err));
        } else {
            check_ok(wf_train(lab, &spec, NULL, err));
        }
        info[k] = inspected(lab, "r");
        wf_lab_close(lab);
    }
    assert_string_equal("bf16", text_of(info[1], "base_dtype"));
    assert_string_equal(text_of(info[0], "hash"), text_of(info[1], "hash"));
    json_decref(info[0]);
    json_decref(info[1]);
}

static void test_compare_and_refusals(void **state) {
    (void)state;
    wf_lab *lab = lab_make("compare");
    char *text = NULL;
    const char *methods[] = {"head", "seq_bn", "full"};
    wf_compare_spec c = {.task = "reviews",
                         .methods = methods,
                         .method_count = 3,
                         .seeds = 1,
                         .train = {.epochs = 1, .base_dropout = -1, .base_dtype = "bf16"}};
    check_ok(wf_compare(lab, &c, &text, err));
    json_t *j = parsed(text), *rows = json_object_get(j, "rows");
    assert_int_equal(3, json_array_size(rows));
    for (size_t i = 0; i < 3; i++) assert_string_equal("bf16", text_of(json_array_get(rows, i), "base_dtype"));
    json_decref(j);
    c.train.base_dtype = "int8"; /* not for what is trained */
    check_ok(wf_compare(lab, &c, &text, err));
    j = parsed(text), rows = json_object_get(j, "rows");
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(i < 2 ? "int8" : "f32", text_of(json_array_get(rows, i), "base_dtype"));
    json_decref(j);
    c.train.base_dtype = "f16";
    check_status(WF_E_ARG, wf_compare(lab, &c, NULL, err));
    wf_train_spec spec = spec_make("x", "half");
    check_status(WF_E_ARG, wf_train(lab, &spec, NULL, err));
    wf_lab_close(lab);
}

/* What is trained takes the faster of float32 and bfloat16 by the remembered rates, never int8. */
static void trained_chosen(wf_lab *lab, const wf_open_base *base) {
    json_t *before = NULL, *all, *entry;
    const char *key;
    check_ok(wfi_json_read(at("auto/speed.json"), 1 << 16, &before, err));
    for (int faster = 0; faster < 2; faster++) {
        wf_dtype type = WF_DTYPE_U8;
        all = json_deep_copy(before);
        json_object_foreach(all, key, entry) {
            json_object_set_new(entry, "f32_gflops", json_real(100));
            json_object_set_new(entry, "bf16_gflops", json_real(faster ? 120.5 : 119.5));
            json_object_set_new(entry, "int8_gflops", json_real(1000));
        }
        check_ok(wfi_json_write(at("auto/speed.json"), all, err));
        check_ok(wfi_precision_settle(lab, base, NULL, true, &type, err));
        assert_int_equal(faster ? WF_DTYPE_BF16 : WF_DTYPE_F32, type);
        json_decref(all);
    }
    check_ok(wfi_json_write(at("auto/speed.json"), before, err));
    json_decref(before);
}

/* "auto" over a base that is large enough: measured once, then as the lab remembers it, whatever that is. */
static void test_auto_is_remembered(void **state) {
    (void)state;
    wf_lab *lab = lab_make("auto");
    wf_bert model = {.config = {.hidden_size = 256, .intermediate_size = 512}};
    const wf_open_base base = {.model = &model};
    wf_dtype type = WF_DTYPE_U8;
    const bool bf16 = wfi_packed_native_bf16(), int8 = wfi_packed_native_int8(), native = bf16 || int8;
    static const char *const words[] = {"bf16", "f32", "int8"};
    static const wf_dtype meant[] = {WF_DTYPE_BF16, WF_DTYPE_F32, WF_DTYPE_I8};
    check_ok(wfi_precision_settle(lab, &base, NULL, false, &type, err));
    assert_true(type == WF_DTYPE_F32 || (bf16 && type == WF_DTYPE_BF16) || (int8 && type == WF_DTYPE_I8));
    assert_int_equal(native, wfi_file_exists(at("auto/speed.json")));
    for (int k = 0; native && k < 3; k++) {
        json_t *all = NULL, *entry;
        const char *key;
        check_ok(wfi_json_read(at("auto/speed.json"), 1 << 16, &all, err));
        assert_int_equal(1, json_object_size(all));
        json_object_foreach(all, key, entry) {
            assert_true(json_number_value(json_object_get(entry, "f32_gflops")) > 0);
            assert_int_equal(bf16, json_number_value(json_object_get(entry, "bf16_gflops")) > 0);
            assert_int_equal(int8, json_number_value(json_object_get(entry, "int8_gflops")) > 0);
            json_object_set_new(entry, "type", json_string(words[k]));
        }
        check_ok(wfi_json_write(at("auto/speed.json"), all, err));
        json_decref(all);
        check_ok(wfi_precision_settle(lab, &base, "auto", false, &type, err));
        assert_int_equal(meant[k], type);
    }
    check_ok(wfi_precision_settle(lab, &base, "bf16", false, &type, err));
    assert_int_equal(WF_DTYPE_BF16, type);
    if (native) trained_chosen(lab, &base);
    if (native) { /* a record from before a type could be chosen is made anew */
        json_t *all = NULL, *entry;
        const char *key, *rate = int8 ? "int8_gflops" : "bf16_gflops";
        check_ok(wfi_json_read(at("auto/speed.json"), 1 << 16, &all, err));
        json_object_foreach(all, key, entry) json_object_del(entry, rate);
        check_ok(wfi_json_write(at("auto/speed.json"), all, err));
        json_decref(all);
        check_ok(wfi_precision_settle(lab, &base, NULL, false, &type, err));
        check_ok(wfi_json_read(at("auto/speed.json"), 1 << 16, &all, err));
        assert_int_equal(1, json_object_size(all));
        json_object_foreach(all, key, entry) {
            assert_true(json_number_value(json_object_get(entry, rate)) > 0);
            assert_string_equal(wfi_precision_name(type), json_string_value(json_object_get(entry, "type")));
        }
        json_decref(all);
    }
    if (native) { /* nothing is guessed from a damaged file */
        json_t *all = NULL, *entry;
        const char *key;
        check_ok(wfi_json_read(at("auto/speed.json"), 1 << 16, &all, err));
        json_object_foreach(all, key, entry) json_object_set_new(entry, "type", json_string("int4"));
        check_ok(wfi_json_write(at("auto/speed.json"), all, err));
        json_decref(all);
        check_status(WF_E_DATA, wfi_precision_settle(lab, &base, NULL, false, &type, err));
        check_ok(wfi_file_write(at("auto/speed.json"), "[1]", 3, err));
        check_status(WF_E_DATA, wfi_precision_settle(lab, &base, NULL, false, &type, err));
    }
    assert_true(wfi_precision_parse(NULL, &type) && type == WF_DTYPE_F32); /* stored before there was a choice */
    assert_false(wfi_precision_parse("auto", &type));
    wf_lab_close(lab);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_types_in_one_lab),
        cmocka_unit_test(test_verify_at_another_level),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_resume_gives_the_same_bits),
        cmocka_unit_test(test_compare_and_refusals),
        cmocka_unit_test(test_auto_is_remembered),
    };
    return cmocka_run_group_tests_name("lab precision", tests, setup, teardown);
}
