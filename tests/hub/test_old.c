/* tests/hub/test_old.c - folders of the Python library, of its older versions, and our own: they open, and give what
 * they held. */
#include "hub_edit.h"

static wf_adapter *reopen(const char *dir, const char *name) {
    wf_adapter *a = NULL;
    check_ok(wfi_hub_adapter_open(dir, name, &hub_base, &a, err));
    return a;
}

static const char *field(const wf_adapter *a, const char *name) {
    return json_string_value(json_object_get(a->config, name));
}

/* ---- adapters ---- */

static bool legacy_keys(wf_tensor *t, char *name, size_t size) {
    hub_replace(name, size, "attention.output.adapters.", "attention.output.attention_text_task_adapters.");
    hub_replace(name, size, ".output.adapters.", ".output.layer_text_task_adapters.");
    return true;
}

static bool legacy_language_keys(wf_tensor *t, char *name, size_t size) {
    hub_replace(name, size, "attention.output.adapters.", "attention.output.attention_text_lang_adapters.");
    hub_replace(name, size, ".output.adapters.", ".output.layer_text_lang_adapters.");
    return hub_without_bert(t, name, size);
}

static void test_adapter_keys(void **state) {
    bool (*const edits[])(wf_tensor *, char *, size_t) = {NULL, hub_without_bert, legacy_keys, legacy_language_keys};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const char *dir = hub_dir("adapter");
        wf_adapter *a = hub_adapter("task", "double_seq_bn[reduction_factor=4]");
        check_ok(wfi_hub_adapter_save(a, NULL, dir, err));
        if (edits[i]) hub_tensors(dir, "adapter.safetensors", edits[i], NULL);
        wf_adapter *b = reopen(dir, NULL), *c = reopen(dir, "other");
        assert_string_equal(b->name, "task");
        hub_same(&a->params, &b->params);
        hub_same(&a->params, &c->params);
        wfi_adapter_free(a);
        wfi_adapter_free(b);
        wfi_adapter_free(c);
    }
}

/* Without a version, "gelu" meant the tanh form. */
static void test_old_activations(void **state) {
    static const struct {
        const char *set, *without, *want;
    } rows[] = {
        {"{\"config\": {\"non_linearity\": \"gelu\"}}", "version", "gelu_new"},
        {"{\"config\": {\"non_linearity\": \"gelu_orig\"}}", "version", "gelu"},
        {"{\"config\": {\"non_linearity\": \"relu\"}}", "version", "relu"},
        {"{\"config\": {\"non_linearity\": \"gelu\"}}", NULL, "gelu"},
        {"{\"config\": {\"non_linearity\": \"gelu\"}, \"version\": 2}", NULL, "gelu"},
        {"{\"config\": {\"non_linearity\": \"gelu\"}, \"type\": \"text_task\", \"config_id\": \"9076f36a74755ac4\"}",
         "version", "gelu_new"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *dir = hub_dir("adapter");
        wf_adapter *a = hub_adapter("task", "seq_bn[reduction_factor=4]");
        check_ok(wfi_hub_adapter_save(a, NULL, dir, err));
        hub_json(dir, "adapter_config.json", rows[i].set, rows[i].without);
        wf_adapter *b = reopen(dir, NULL);
        assert_string_equal(rows[i].want, field(b, "non_linearity"));
        hub_same(&a->params, &b->params);
        wfi_adapter_free(a);
        wfi_adapter_free(b);
    }
}

/* Before 1.1.0 LoRA was trained as if alpha were r. */
static void test_old_lora_scale(void **state) {
    static const struct {
        const char *version;
        int alpha;
    } rows[] = {
        {"adapters.1.0.1", 4}, {"adapters.0.2.0", 4}, {"adapters.1.1.0", 8}, {"adapters.1.3.0", 8}, {"3.2.1", 8}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char set[64];
        const char *dir = hub_dir("adapter");
        wf_adapter *a = hub_adapter("task", "lora[r=4,alpha=8]");
        check_ok(wfi_hub_adapter_save(a, NULL, dir, err));
        snprintf(set, sizeof set, "{\"version\": \"%s\"}", rows[i].version);
        hub_json(dir, "adapter_config.json", set, NULL);
        wf_adapter *b = reopen(dir, NULL);
        assert_int_equal(rows[i].alpha, json_integer_value(json_object_get(b->config, "alpha")));
        wfi_adapter_free(a);
        wfi_adapter_free(b);
    }
}

/* Declared but absent invertible modules are dropped; present ones cannot be computed and are refused. */
static void test_old_invertible(void **state) {
    const float zeros[64] = {0};
    const wf_tensor extra = {.name = "bert.invertible_lang_adapters.task.F.0.weight",
                             .dtype = WF_DTYPE_F32,
                             .rank = 2,
                             .shape = {8, 8},
                             .data = zeros};
    const char *dir = hub_dir("adapter"),
               *nested = "{\"config\": {\"invertible_adapter\": {\"block_type\": \"nice\", \"reduction_factor\": 2}}}";
    wf_adapter *a = hub_adapter("task", "seq_bn[reduction_factor=4]"), *c = NULL;
    check_ok(wfi_hub_adapter_save(a, NULL, dir, err));
    hub_json(dir, "adapter_config.json", nested, NULL);
    wf_adapter *b = reopen(dir, NULL);
    hub_same(&a->params, &b->params);
    hub_tensors(dir, "adapter.safetensors", NULL, &extra);
    check_status(WF_E_UNSUPPORTED, wfi_hub_adapter_open(dir, NULL, &hub_base, &c, err));
    wfi_adapter_free(a);
    wfi_adapter_free(b);
}

/* Fields that weft does not know stay when it saves again. */
static void test_unknown_fields(void **state) {
    const char *dir = hub_dir("adapter"), *again = hub_dir("again");
    wf_adapter *a = hub_adapter("task", "lora");
    check_ok(wfi_hub_adapter_save(a, "some/base", dir, err));
    hub_json(dir, "adapter_config.json", "{\"config\": {\"new_in_2.0\": [1, 2]}}", NULL);
    wf_adapter *b = reopen(dir, NULL);
    check_ok(wfi_hub_adapter_save(b, NULL, again, err));
    wf_adapter *c = reopen(again, NULL);
    assert_int_equal(2, json_array_size(json_object_get(c->config, "new_in_2.0")));
    wfi_adapter_free(a);
    wfi_adapter_free(b);
    wfi_adapter_free(c);
}

/* ---- fusions ---- */

static bool other_fusion(wf_tensor *t, char *name, size_t size) { /* everything under a longer name that begins alike */
    hub_replace(name, size, ".adapter_fusion_layer.a,b.", ".adapter_fusion_layer.a,b,c.");
    return true;
}

static wf_fusion *fusion_reopen(const char *dir, wf_adapter *const *adapters) {
    wf_fusion *f = NULL;
    check_ok(wfi_hub_fusion_open(dir, adapters, 2, &hub_base, &f, err));
    return f;
}

static void test_fusion_forms(void **state) {
    static const struct {
        const char *set, *without;
        bool bare;
    } rows[] = {
        {"{}", NULL, false},
        {"{}", NULL, true},
        {"{}", "adapter_names", false},
        {"{\"adapter_names\": null}", NULL, false},
        {"{\"config\": \"dynamic\"}", "adapter_names", true},
        {"{\"config\": {\"value_initialized\": \"True\"}}", "version", false},
    };
    wf_adapter *adapters[] = {hub_adapter("a", "seq_bn[reduction_factor=4]"),
                              hub_adapter("b", "seq_bn[reduction_factor=8]")};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *dir = hub_dir("fusion");
        char **names = NULL;
        size_t count = 0;
        wf_fusion *f = NULL;
        check_ok(wfi_fusion_new(NULL, "dynamic", adapters, 2, &hub_base, 1, &f, err));
        for (int64_t k = 0; k < f->params.total; k++) f->params.data[k] = wfi_random_normal(9, (uint64_t)k);
        check_ok(wfi_hub_fusion_save(f, NULL, dir, err));
        hub_json(dir, "adapter_fusion_config.json", rows[i].set, rows[i].without);
        if (rows[i].bare) hub_tensors(dir, "model_adapter_fusion.safetensors", hub_without_bert, NULL);
        check_ok(wfi_hub_fusion_names(dir, &names, &count, err));
        assert_int_equal(count, 2);
        assert_string_equal(names[0], "a");
        assert_string_equal(names[1], "b");
        wfi_names_free(names, count);
        wf_fusion *g = fusion_reopen(dir, adapters);
        assert_string_equal(g->name, "a,b");
        assert_true(json_is_true(json_object_get(g->config, "value_initialized")));
        assert_true(json_equal(f->config, g->config));
        hub_same(&f->params, &g->params);
        wfi_fusion_free(f);
        wfi_fusion_free(g);
    }
    for (int i = 0; i < 2; i++) wfi_adapter_free(adapters[i]);
}

/* The library's selection by the beginning of a name lets "a,b,c" into the file of "a,b". */
static void test_fusion_exact_name(void **state) {
    const char *dir = hub_dir("fusion"), *more = hub_dir("more");
    char path[512];
    wf_adapter *adapters[] = {hub_adapter("a", "seq_bn[reduction_factor=4]"),
                              hub_adapter("b", "seq_bn[reduction_factor=8]")};
    wf_fusion *f = NULL;
    wf_source from = {0}, too = {0};
    wf_tensor all[64];
    size_t n = 0;
    check_ok(wfi_fusion_new(NULL, "static", adapters, 2, &hub_base, 1, &f, err));
    check_ok(wfi_hub_fusion_save(f, NULL, dir, err));
    for (int64_t k = 0; k < f->params.total; k++) f->params.data[k] += 1;
    check_ok(wfi_hub_fusion_save(f, NULL, more, err));
    hub_tensors(more, "model_adapter_fusion.safetensors", other_fusion, NULL);
    snprintf(path, sizeof path, "%s/model_adapter_fusion.safetensors", more);
    check_ok(wfi_safetensors_open(path, &too, err));
    snprintf(path, sizeof path, "%s/model_adapter_fusion.safetensors", dir);
    check_ok(wfi_safetensors_open(path, &from, err));
    for (size_t i = 0; i < from.count; i++) all[n++] = from.tensors[i];
    for (size_t i = 0; i < too.count; i++) all[n++] = too.tensors[i];
    check_ok(wfi_safetensors_write(path, all, n, err));
    wf_fusion *g = fusion_reopen(dir, adapters);
    for (int64_t k = 0; k < f->params.total; k++) f->params.data[k] -= 1;
    for (int64_t k = 0; k < f->params.total; k++)
        assert_true(g->params.data[k] - f->params.data[k] < 1e-5f && f->params.data[k] - g->params.data[k] < 1e-5f);
    wfi_source_close(&from);
    wfi_source_close(&too);
    wfi_fusion_free(f);
    wfi_fusion_free(g);
    for (int i = 0; i < 2; i++) wfi_adapter_free(adapters[i]);
}

/* ---- heads ---- */

static wf_head *head_new(const char *name, wf_kind kind, int32_t classes, int layers, char *const *labels) {
    wf_head *h = NULL;
    const wf_head_spec spec = {.kind = kind,
                               .classes = classes,
                               .layers = layers,
                               .pooling = WF_POOL_MEAN,
                               .dropout = 0.25f,
                               .labels = labels,
                               .hidden_size = 16};
    check_ok(wfi_head_new(name, &spec, 3, &h, err));
    return h;
}

static void test_head_round_trips(void **state) {
    static char z[] = "z", a[] = "a", m[] = "m", *labels[] = {z, a, m};
    static const struct {
        wf_kind kind;
        int32_t classes;
        int layers;
    } rows[] = {{WF_KIND_CLASSIFICATION, 3, 1}, {WF_KIND_CLASSIFICATION, 3, 2},  {WF_KIND_REGRESSION, 1, 1},
                {WF_KIND_REGRESSION, 1, 2},     {WF_KIND_MULTIPLE_CHOICE, 1, 2}, {WF_KIND_MULTILABEL, 3, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *dir = hub_dir("head");
        wf_head *h = head_new("h", rows[i].kind, rows[i].classes, rows[i].layers, rows[i].classes == 3 ? labels : NULL),
                *g = NULL;
        h->target_mean = 2.5f;
        h->target_std = 0.75f;
        check_ok(wfi_hub_head_save(h, NULL, dir, err));
        check_ok(wfi_hub_head_open(dir, i % 2 ? "renamed" : NULL, 0.1f, &g, err));
        assert_string_equal(g->name, i % 2 ? "renamed" : "h");
        assert_true(g->kind == h->kind && g->classes == h->classes && g->layers == h->layers &&
                    g->pooling == WF_POOL_MEAN && !g->pooler);
        assert_true(g->dropout == h->dropout && g->target_mean == h->target_mean && g->target_std == h->target_std &&
                    g->hidden_size == 16);
        for (int32_t c = 0; rows[i].classes == 3 && c < 3; c++)
            assert_string_equal(labels[c], g->labels[c]); /* by number, not by letter */
        hub_same(&h->params, &g->params);
        wfi_head_free(h);
        wfi_head_free(g);
    }
}

/* The library saves head "c" together with all heads whose names begin so. */
static void test_head_exact_name(void **state) {
    float zeros[48] = {0};
    const wf_tensor extra = {
        .name = "heads.cls1.1.weight", .dtype = WF_DTYPE_F32, .rank = 2, .shape = {3, 16}, .data = zeros};
    const char *dir = hub_dir("head");
    wf_head *h = head_new("c", WF_KIND_CLASSIFICATION, 3, 1, NULL), *g = NULL;
    check_ok(wfi_hub_head_save(h, NULL, dir, err));
    hub_tensors(dir, "model_head.safetensors", NULL, &extra);
    check_ok(wfi_hub_head_open(dir, NULL, 0.1f, &g, err));
    hub_same(&h->params, &g->params);
    wfi_head_free(h);
    wfi_head_free(g);
}

/* Nothing of ours in the file: what the library wrote itself means. */
static void test_head_of_the_library(void **state) {
    static const struct {
        const char *folder;
        wf_kind kind;
        int32_t classes;
        int layers;
        bool pooler;
    } rows[] = {{"head_classification_2", WF_KIND_CLASSIFICATION, 3, 2, false},
                {"head_pooler", WF_KIND_CLASSIFICATION, 3, 1, true},
                {"head_regression", WF_KIND_REGRESSION, 1, 2, false},
                {"head_multiple_choice", WF_KIND_MULTIPLE_CHOICE, 1, 2, false},
                {"head_multilabel", WF_KIND_MULTILABEL, 4, 1, false}};
    const char *data = getenv("WEFT_TEST_DATA");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char dir[1024];
        wf_head *h = NULL;
        snprintf(dir, sizeof dir, "%s/golden/parity/%s/head", data ? data : "tests", rows[i].folder);
        check_ok(wfi_hub_head_open(dir, NULL, 0.1f, &h, err));
        assert_true(h->kind == rows[i].kind && h->classes == rows[i].classes && h->layers == rows[i].layers &&
                    h->pooler == rows[i].pooler);
        assert_true(h->pooling == WF_POOL_CLS && h->target_std == 1.0f);
        assert_true(h->dropout == 0.1f); /* all of them say null: the base's */
        if (i == 0) assert_string_equal(h->labels[1], "maybe");
        wfi_head_free(h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapter_keys),      cmocka_unit_test(test_old_activations),
        cmocka_unit_test(test_old_lora_scale),    cmocka_unit_test(test_old_invertible),
        cmocka_unit_test(test_unknown_fields),    cmocka_unit_test(test_fusion_forms),
        cmocka_unit_test(test_fusion_exact_name), cmocka_unit_test(test_head_round_trips),
        cmocka_unit_test(test_head_exact_name),   cmocka_unit_test(test_head_of_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, hub_clean);
}
