/* tests/adapters/test_config.c - configurations of adapters: sizes that follow from them, and every way to be refused,
 * with the field named. */
#include "adapters/bottleneck.h"
#include "adapters/presets.h"
#include "check.h"

static const wf_base_shape base = {4, 48, 96};

static const struct refusal {
    const char *config;
    wf_status want;
    const char *says;
} refusals[] = {
    /* names */
    {"seq_bm", WF_E_ARG, "seq_bm"},
    {"", WF_E_ARG, "no adapter method"},
    {"prefix_tuning", WF_E_UNSUPPORTED, "prefix_tuning"},
    {"compacter", WF_E_UNSUPPORTED, "compacter"},
    {"{\"architecture\": \"reft\"}", WF_E_UNSUPPORTED, "architecture"},
    {"{\"architecture\": 3}", WF_E_DATA, "architecture"},
    /* texts */
    {"seq_bn[reduction_factor=8", WF_E_ARG, "]"},
    {"seq_bn[reduction_factor]", WF_E_ARG, "field=value"},
    {"seq_bn[=8]", WF_E_ARG, "field=value"},
    {"seq_bn[reduction=8]", WF_E_ARG, "reduction"},
    {"lora[reduction_factor=8]", WF_E_ARG, "reduction_factor"},
    {"seq_bn[reduction_factor=[8]", WF_E_ARG, "reduction_factor"},
    {"seq_bn[leave_out=[0,]]", WF_E_ARG, "leave_out"},
    {"{\"mh_adapter\": tru}", WF_E_DATA, "configuration"},
    {"{\"r\": 1, \"r\": 2}", WF_E_DATA, "configuration"},
    /* fields of bottlenecks: type */
    {"seq_bn[reduction_factor=big]", WF_E_DATA, "reduction_factor"},
    {"seq_bn[reduction_factor=null]", WF_E_DATA, "reduction_factor"},
    {"seq_bn[reduction_factor={\"0\": 2}]", WF_E_DATA, "reduction_factor"}, /* does not cover all layers */
    {"seq_bn[mh_adapter=1]", WF_E_DATA, "mh_adapter"},
    {"seq_bn[ln_before=no]", WF_E_DATA, "ln_before"},
    {"seq_bn[use_gating=null]", WF_E_DATA, "use_gating"},
    {"seq_bn[non_linearity=7]", WF_E_DATA, "non_linearity"},
    {"seq_bn[non_linearity=cubic]", WF_E_UNSUPPORTED, "cubic"},
    {"seq_bn[scaling=big]", WF_E_DATA, "scaling"},
    {"seq_bn[scaling=true]", WF_E_DATA, "scaling"},
    {"seq_bn[residual_before_ln=before]", WF_E_DATA, "residual_before_ln"},
    {"seq_bn[leave_out=one]", WF_E_DATA, "leave_out"},
    {"seq_bn[leave_out=0,one]", WF_E_DATA, "leave_out"},
    {"seq_bn[leave_out=[4]]", WF_E_ARG, "leave_out is [4]; the base has the layers 0 to 3"},
    {"seq_bn[leave_out=-1]", WF_E_ARG, "leave_out is [-1]; the base has the layers 0 to 3"},
    {"{\"architecture\": \"lora\", \"leave_out\": [1, 4]}", WF_E_ARG, "layers 0 to 3"},
    {"seq_bn[leave_out=[\"1\"]]", WF_E_DATA, "leave_out"},
    {"seq_bn[init_weights=zero]", WF_E_DATA, "init_weights"},
    {"seq_bn[init_weights_seed=-1]", WF_E_DATA, "init_weights_seed"},
    {"seq_bn[init_weights_seed=1.5]", WF_E_DATA, "init_weights_seed"},
    {"seq_bn[inv_adapter=nice]", WF_E_UNSUPPORTED, "inv_adapter"},
    {"seq_bn[phm_layer=true]", WF_E_UNSUPPORTED, "phm_layer"},
    /* bounds */
    {"seq_bn[reduction_factor=0]", WF_E_DATA, "reduction_factor"},
    {"seq_bn[reduction_factor=-16]", WF_E_DATA, "reduction_factor"},
    {"seq_bn[reduction_factor=0.0000001]", WF_E_DATA, "reduction_factor"},
    {"seq_bn[dropout=1]", WF_E_DATA, "dropout"},
    {"seq_bn[dropout=-0.1]", WF_E_DATA, "dropout"},
    {"seq_bn[stochastic_depth=1.0]", WF_E_DATA, "stochastic_depth"},
    {"seq_bn[scaling=1e300]", WF_E_DATA, "scaling"},
    {"seq_bn[output_adapter=false]", WF_E_DATA, "output_adapter"},
    {"seq_bn[leave_out=[0,1,2,3]]", WF_E_DATA, "leave_out"},
    {"double_seq_bn[residual_before_ln=post_add]", WF_E_DATA, "residual_before_ln"},
    {"{\"mh_adapter\": false, \"output_adapter\": true, \"non_linearity\": \"relu\"}", WF_E_DATA, "reduction_factor"},
    /* LoRA */
    {"lora[r=0]", WF_E_DATA, "r is"},
    {"lora[r=2.5]", WF_E_DATA, "r is"},
    {"lora[r=20000]", WF_E_DATA, "r is"},
    {"lora[alpha=much]", WF_E_DATA, "alpha"},
    {"lora[dropout=1.5]", WF_E_DATA, "dropout"},
    {"lora[attn_matrices=x]", WF_E_DATA, "attn_matrices"},
    {"lora[attn_matrices=q,x]", WF_E_DATA, "attn_matrices"},
    {"lora[r=2,k]", WF_E_ARG, "lora[k]: write field=value"},
    {"lora[attn_matrices=q,,k]", WF_E_ARG, "field=value"},
    {"lora[attn_matrices=null,k]", WF_E_ARG, "lora[k]: write field=value"},
    {"lora[attn_matrices=q,k,attn_matrices=v]", WF_E_ARG, "\"attn_matrices\" stands twice"},
    {"seq_bn[reduction_factor=8,reduction_factor=8]", WF_E_ARG, "\"reduction_factor\" stands twice"},
    {"lora[attn_matrices=[\"x\"]]", WF_E_DATA, "attn_matrices"},
    {"lora[attn_matrices=[]]", WF_E_DATA, "attn_matrices"},
    {"lora[selfattn_lora=false]", WF_E_DATA, "attn_matrices"},
    {"lora[intermediate_lora=1]", WF_E_DATA, "intermediate_lora"},
    {"lora[composition_mode=scale]", WF_E_UNSUPPORTED, "composition_mode"},
    {"lora[composition_mode=times]", WF_E_DATA, "composition_mode"},
    {"lora[use_dora=true]", WF_E_UNSUPPORTED, "use_dora"},
    {"lora[vera_d=0.1]", WF_E_UNSUPPORTED, "vera_d"},
    {"lora[dtype=float16]", WF_E_UNSUPPORTED, "dtype"},
    {"lora[init_weights=ia3]", WF_E_DATA, "init_weights"},
    {"lora[leave_out=[0,1,2,3]]", WF_E_DATA, "leave_out"},
};

static void test_refusals(void **state) {
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *c = &refusals[i];
        wf_adapter *a = NULL;
        wf_err e = {0};
        const wf_status st = wfi_adapter_new("x", c->config, &base, 1, &a, &e);
        if (st != c->want) fail_msg("%s: status %d, not %d (%s)", c->config, st, c->want, e.text);
        if (!strstr(e.text, c->says))
            fail_msg("%s: the message \"%s\" does not say \"%s\"", c->config, e.text, c->says);
        assert_null(a);
    }
}

static void test_names(void **state) {
    static const char *const bad[] = {"", "a.b", "line\nbreak", "\x7f"};
    char longest[200];
    wf_adapter *a = NULL;
    for (int i = 0; i < 4; i++) check_status(WF_E_ARG, wfi_adapter_new(bad[i], "seq_bn", &base, 1, &a, err));
    memset(longest, 'n', sizeof longest);
    longest[129] = 0;
    check_status(WF_E_ARG, wfi_adapter_new(longest, "seq_bn", &base, 1, &a, err));
    longest[128] = 0;
    check_ok(wfi_adapter_new(longest, "seq_bn", &base, 1, &a, err));
    wfi_adapter_free(a);
    check_status(WF_E_ARG, wfi_adapter_new("x", "seq_bn", &(wf_base_shape){0, 48, 96}, 1, &a, err));
    check_status(WF_E_ARG, wfi_adapter_new("x", "seq_bn", &(wf_base_shape){4, -1, 96}, 1, &a, err));
}

static int64_t total(const char *config) {
    wf_adapter *a = NULL;
    check_ok(wfi_adapter_new("x", config, &base, 1, &a, err));
    const int64_t n = a->params.total;
    wfi_adapter_free(a);
    return n;
}

/* Parameters by the formulas: a bottleneck of width m at d 48 has 2dm + m + d, LoRA r(in + out) a matrix. */
static void test_sizes(void **state) {
    enum { D = 48, F = 96, L = 4 };
    assert_int_equal(total("seq_bn"), L * (2 * D * 3 + 3 + D));
    assert_int_equal(total("double_seq_bn"), 2 * L * (2 * D * 3 + 3 + D));
    assert_int_equal(total("par_bn"), L * (2 * D * 24 + 24 + D));
    assert_int_equal(total("scaled_par_bn"), L * (2 * D * 24 + 24 + D + 1));
    assert_int_equal(total("adapter_plus"),
                     L * (2 * D + 1 + D + D)); /* 48/96 rounds to 0; a bottleneck is 1 wide at least */
    assert_int_equal(total("seq_bn[reduction_factor=5]"), L * (2 * D * 9 + 9 + D));
    assert_int_equal(total("seq_bn[reduction_factor=0.5]"), L * (2 * D * 96 + 96 + D));
    assert_int_equal(total("seq_bn[reduction_factor={\"1\": 24, \"default\": 12}]"),
                     3 * (2 * D * 4 + 4 + D) + 2 * D * 2 + 2 + D);
    assert_int_equal(total("seq_bn[leave_out=[0,2]]"), 2 * (2 * D * 3 + 3 + D));
    assert_int_equal(total("seq_bn[ln_before=true,ln_after=true,use_gating=true]"),
                     L * (2 * D * 3 + 3 + D + 4 * D + D + 1));
    assert_int_equal(total("seq_bn[leave_out=0,2,reduction_factor=5]"), 2 * (2 * D * 9 + 9 + D));
    assert_int_equal(total("lora"), L * 2 * 8 * 2 * D);
    assert_int_equal(total("lora[r=16,alpha=16,attn_matrices=q,k,v]"), L * 3 * 16 * 2 * D);
    assert_int_equal(total("lora[attn_matrices=q, k ,r=16]"), L * 2 * 16 * 2 * D);
    assert_int_equal(total("lora[attn_matrices=[\"q\",\"k\"],v]"), L * 3 * 8 * 2 * D);
    assert_int_equal(total("lora[r=2,attn_matrices=[\"q\",\"k\",\"v\",\"o\"],intermediate_lora=true,output_lora=true]"),
                     L * 2 * (4 * 2 * D + 2 * (D + F)));
    assert_int_equal(total("lora[use_gating=true]"), L * (2 * 8 * 2 * D + 2 * (D + 1)));
}

/* Configurations are complete, unknown fields are kept, old nested fields move to their place. */
static void test_fields(void **state) {
    wf_adapter *a = NULL;
    check_ok(wfi_adapter_new("x",
                             "{\"mh_adapter\": false, \"output_adapter\": true, \"non_linearity\": \"relu\", "
                             "\"reduction_factor\": 16, \"mood\": \"good\","
                             " \"scaling\": 4, \"leave_out\": null, \"invertible_adapter\": null}",
                             &base, 1, &a, err));
    json_t *preset = NULL;
    check_ok(wfi_preset_config("seq_bn", &preset, err));
    const char *key;
    json_t *value;
    json_object_foreach(preset, key, value) assert_non_null(json_object_get(a->config, key));
    assert_string_equal(json_string_value(json_object_get(a->config, "mood")), "good");
    assert_true(json_is_real(json_object_get(a->config, "scaling"))); /* the Python class takes nothing but a float */
    assert_true(json_is_array(json_object_get(a->config, "leave_out")));
    assert_null(json_object_get(a->config, "invertible_adapter"));
    json_decref(preset);
    wf_adapter *larger = NULL; /* out of a file that was made for a larger base */
    json_object_set_new(a->config, "leave_out", json_pack("[i, i]", 0, 99));
    check_ok(wfi_adapter_from_config("larger", a->config, &base, &larger, err));
    wfi_adapter_free(larger);
    wfi_adapter_free(a);
    check_status(
        WF_E_UNSUPPORTED,
        wfi_adapter_new(
            "x",
            "{\"mh_adapter\": false, \"output_adapter\": true, \"non_linearity\": \"relu\", \"reduction_factor\": 16,"
            " \"invertible_adapter\": {\"block_type\": \"nice\", \"reduction_factor\": 2}}",
            &base, 1, &a, err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
