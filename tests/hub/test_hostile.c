/* tests/hub/test_hostile.c - damaged, foreign and contradictory folders: a status and a message that names the place;
 * nothing is made. */
#include "hub_edit.h"
#include <math.h>

typedef struct bad { /* set, without: as hub_json; text: the whole file instead */
    const char *set, *without, *text;
    wf_status want;
    const char *says;
} bad;

static void refused(const bad *b, wf_status st, const wf_err *e, const void *made) {
    const char *what = b->text ? b->text : b->set;
    if (st != b->want) fail_msg("%s: status %d, not %d (%s)", what, st, b->want, e->text);
    if (!strstr(e->text, b->says)) fail_msg("%s: the message \"%s\" does not say \"%s\"", what, e->text, b->says);
    assert_null(made);
}

static void damage(const char *dir, const char *file, const bad *b) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    if (b->text)
        check_ok(wfi_file_write(path, b->text, strlen(b->text), err));
    else
        hub_json(dir, file, b->set, b->without);
}

/* ---- configurations ---- */

static const bad adapter_configs[] = {
    {.text = "", .want = WF_E_DATA, .says = "adapter_config.json"},
    {.text = "{\"config\": ", .want = WF_E_DATA, .says = "adapter_config.json"},
    {.text = "[1, 2]", .want = WF_E_DATA, .says = "adapter_config.json"},
    {.text = "{}", .want = WF_E_DATA, .says = "name"},
    {.text = "{\"name\": \"x\"}", .want = WF_E_DATA, .says = "configuration"},
    {.text = "{\"name\": \"x\", \"config\": null}", .want = WF_E_DATA, .says = "configuration"},
    {.text = "{\"name\": \"x\", \"config\": \"pfeiffer\"}", .want = WF_E_DATA, .says = "configuration"},
    {.text = "{\"name\": \"x\", \"config\": {}}", .want = WF_E_DATA, .says = "mh_adapter"},
    {.set = "{\"name\": null}", .want = WF_E_DATA, .says = "name"},
    {.set = "{\"name\": 7}", .want = WF_E_DATA, .says = "name"},
    {.set = "{\"name\": \"../x.y\"}", .want = WF_E_ARG, .says = "../x.y"},
    {.set = "{\"hidden_size\": 768}", .want = WF_E_SHAPE, .says = "768"},
    {.set = "{\"hidden_size\": \"wide\"}", .want = WF_E_DATA, .says = "hidden_size"},
    {.set = "{\"hidden_size\": -1}", .want = WF_E_DATA, .says = "hidden_size"},
    {.set = "{\"model_type\": \"roberta\"}", .want = WF_E_UNSUPPORTED, .says = "roberta"},
    {.set = "{\"config\": {\"architecture\": \"prefix_tuning\"}}", .want = WF_E_UNSUPPORTED, .says = "prefix_tuning"},
    {.set = "{\"config\": {\"non_linearity\": \"cubic\"}}", .want = WF_E_UNSUPPORTED, .says = "cubic"},
    {.set = "{\"config\": {\"reduction_factor\": 1e-300}}", .want = WF_E_DATA, .says = "reduction_factor"},
    {.set = "{\"config\": {\"reduction_factor\": 2}}", .want = WF_E_DATA, .says = "shape"},
    {.set = "{\"config\": {\"mh_adapter\": true}}", .want = WF_E_DATA, .says = "attention.output"},
    {.set = "{\"config\": {\"leave_out\": [1]}}", .want = WF_E_DATA, .says = "layer.1"},
    {.set = "{\"config\": {\"use_gating\": true}}", .want = WF_E_DATA, .says = "gate"},
};

static void test_adapter_configs(void **state) {
    for (size_t i = 0; i < sizeof adapter_configs / sizeof *adapter_configs; i++) {
        const char *dir = hub_dir("adapter");
        wf_adapter *a = hub_adapter("x", "seq_bn[reduction_factor=4]"), *made = NULL;
        wf_err e = {0};
        check_ok(wfi_hub_adapter_save(a, NULL, dir, err));
        damage(dir, "adapter_config.json", &adapter_configs[i]);
        const wf_status st = wfi_hub_adapter_open(dir, NULL, &hub_base, &made, &e);
        refused(&adapter_configs[i], st, &e, made);
        wfi_adapter_free(a);
    }
}

static const bad fusion_configs[] = {
    {.text = "{\"config\": \"dynamic\"}", .want = WF_E_DATA, .says = "adapters are fused"},
    {.set = "{\"adapter_names\": [\"a\", 3]}", .want = WF_E_DATA, .says = "adapter_names"},
    {.set = "{\"adapter_names\": [\"a\", \"\"]}", .want = WF_E_DATA, .says = "adapter_names"},
    {.set = "{\"adapter_names\": [\"b\", \"a\"]}", .want = WF_E_ARG, .says = "\"b\""},
    {.set = "{\"adapter_names\": [\"a\", \"b\", \"c\"]}", .want = WF_E_ARG, .says = "3 adapters"},
    {.set = "{\"config\": \"lively\"}", .want = WF_E_ARG, .says = "lively"},
    {.set = "{\"config\": 3}", .want = WF_E_DATA, .says = "configuration"},
    {.set = "{\"config\": null}", .want = WF_E_DATA, .says = "configuration"},
    {.set = "{\"config\": {\"key\": \"yes\"}}", .want = WF_E_DATA, .says = "key"},
    {.set = "{\"config\": {\"dropout_prob\": 2}}", .want = WF_E_DATA, .says = "dropout_prob"},
    {.set = "{\"config\": {\"value\": false}}", .want = WF_E_DATA, .says = "value"},
    {.set = "{\"hidden_size\": 1024}", .want = WF_E_SHAPE, .says = "1024"},
};

static void test_fusion_configs(void **state) {
    wf_adapter *adapters[] = {hub_adapter("a", "seq_bn[reduction_factor=4]"),
                              hub_adapter("b", "seq_bn[reduction_factor=8]")};
    for (size_t i = 0; i < sizeof fusion_configs / sizeof *fusion_configs; i++) {
        const char *dir = hub_dir("fusion");
        wf_fusion *f = NULL, *made = NULL;
        wf_err e = {0};
        check_ok(wfi_fusion_new(NULL, "dynamic", adapters, 2, &hub_base, 1, &f, err));
        check_ok(wfi_hub_fusion_save(f, NULL, dir, err));
        damage(dir, "adapter_fusion_config.json", &fusion_configs[i]);
        const wf_status st = wfi_hub_fusion_open(dir, adapters, 2, &hub_base, &made, &e);
        refused(&fusion_configs[i], st, &e, made);
        wfi_fusion_free(f);
    }
    for (int i = 0; i < 2; i++) wfi_adapter_free(adapters[i]);
}

static const bad head_configs[] = {
    {.text = "null", .want = WF_E_DATA, .says = "head_config.json"},
    {.text = "{\"name\": \"h\", \"hidden_size\": 16}", .want = WF_E_DATA, .says = "config"},
    {.set = "{\"config\": {\"head_type\": \"tagging\"}}",
     .without = "weft",
     .want = WF_E_UNSUPPORTED,
     .says = "tagging"},
    {.set = "{\"config\": {\"head_type\": null}}", .without = "weft", .want = WF_E_UNSUPPORTED, .says = "of type"},
    {.set = "{\"weft\": {\"kind\": \"poetry\"}}", .want = WF_E_DATA, .says = "poetry"},
    {.set = "{\"weft\": {\"pooling\": \"max\"}}", .want = WF_E_DATA, .says = "max"},
    {.set = "{\"weft\": {\"target_std\": 0}}", .want = WF_E_DATA, .says = "target_std"},
    {.set = "{\"config\": {\"num_labels\": 0}}", .want = WF_E_DATA, .says = "num_labels"},
    {.set = "{\"config\": {\"num_labels\": \"three\"}}", .want = WF_E_DATA, .says = "num_labels"},
    {.set = "{\"config\": {\"num_labels\": 2000000000}}", .want = WF_E_DATA, .says = "num_labels"},
    {.set = "{\"config\": {\"num_labels\": 4}}", .want = WF_E_DATA, .says = "shape"},
    {.set = "{\"config\": {\"layers\": 3}}", .want = WF_E_DATA, .says = "layers"},
    {.set = "{\"config\": {\"layers\": 2}}", .want = WF_E_DATA, .says = "heads.h"},
    {.set = "{\"config\": {\"dropout_prob\": 1}}", .want = WF_E_DATA, .says = "dropout_prob"},
    {.set = "{\"config\": {\"use_pooler\": \"no\"}}", .want = WF_E_DATA, .says = "use_pooler"},
    {.set = "{\"config\": {\"layers\": 2, \"activation_function\": \"relu\"}}",
     .want = WF_E_UNSUPPORTED,
     .says = "relu"},
    {.set = "{\"config\": {\"label2id\": {\"LABEL_0\": 1}}}", .want = WF_E_DATA, .says = "label2id"},
    {.set = "{\"config\": {\"label2id\": {\"LABEL_0\": 5}}}", .want = WF_E_DATA, .says = "label2id"},
    {.set = "{\"hidden_size\": 0}", .want = WF_E_DATA, .says = "hidden_size"},
    {.set = "{\"name\": \"a.b\"}", .want = WF_E_ARG, .says = "name"},
};

static void test_head_configs(void **state) {
    for (size_t i = 0; i < sizeof head_configs / sizeof *head_configs; i++) {
        const char *dir = hub_dir("head");
        const wf_head_spec spec = {.kind = WF_KIND_CLASSIFICATION, .classes = 3, .layers = 1, .hidden_size = 16};
        wf_head *h = NULL, *made = NULL;
        wf_err e = {0};
        check_ok(wfi_head_new("h", &spec, 1, &h, err));
        check_ok(wfi_hub_head_save(h, NULL, dir, err));
        damage(dir, "head_config.json", &head_configs[i]);
        const wf_status st = wfi_hub_head_open(dir, NULL, 0.1f, &made, &e);
        refused(&head_configs[i], st, &e, made);
        wfi_head_free(h);
    }
}

/* ---- tensors ---- */

static bool drop_one(wf_tensor *t, char *name, size_t size) {
    return !strstr(name, "layer.1.output.adapters.x.adapter_up.bias");
}
static bool rename_one(wf_tensor *t, char *name, size_t size) {
    hub_replace(name, size, "layer.1.output.adapters.x.adapter_up.bias", "layer.1.output.adapters.x.adapter_up.bigs");
    return true;
}
static bool two_adapters(wf_tensor *t, char *name, size_t size) {
    hub_replace(name, size, "layer.1.output.adapters.x.", "layer.1.output.adapters.y.");
    return true;
}
static bool flat_matrix(wf_tensor *t, char *name, size_t size) {
    if (t->rank == 2) t->shape[0] *= t->shape[1], t->rank = 1;
    return true;
}
static bool turned_matrix(wf_tensor *t, char *name, size_t size) {
    const int64_t rows = t->shape[0];
    if (t->rank == 2) t->shape[0] = t->shape[1], t->shape[1] = rows;
    return true;
}
static bool whole_numbers(wf_tensor *t, char *name, size_t size) {
    if (strstr(name, "bias")) t->dtype = WF_DTYPE_I32;
    return true;
}
static bool not_a_number(wf_tensor *t, char *name, size_t size) {
    static const float nan_row[16] = {NAN};
    if (strstr(name, "layer.0.output.adapters.x.adapter_up.bias")) t->data = nan_row;
    return true;
}
static bool deeper_base(wf_tensor *t, char *name, size_t size) {
    hub_replace(name, size, "layer.1.", "layer.7.");
    return true;
}

static void test_tensors(void **state) {
    static const struct {
        bool (*edit)(wf_tensor *, char *, size_t);
        wf_status want;
        const char *says;
    } rows[] = {{drop_one, WF_E_DATA, "adapter_up.bias\" is missing"},
                {rename_one, WF_E_DATA, "bigs"},
                {two_adapters, WF_E_DATA, "two adapters"},
                {flat_matrix, WF_E_DATA, "[64]"},
                {turned_matrix, WF_E_DATA, "shape"},
                {whole_numbers, WF_E_DATA, "I32"},
                {not_a_number, WF_E_NONFINITE, "NaN"},
                {deeper_base, WF_E_DATA, "layer.7"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *dir = hub_dir("adapter");
        wf_adapter *a = hub_adapter("x", "seq_bn[reduction_factor=4]"), *made = NULL;
        wf_err e = {0};
        check_ok(wfi_hub_adapter_save(a, NULL, dir, err));
        hub_tensors(dir, "adapter.safetensors", rows[i].edit, NULL);
        const wf_status st = wfi_hub_adapter_open(dir, NULL, &hub_base, &made, &e);
        refused(&(bad){.text = rows[i].says, .want = rows[i].want, .says = rows[i].says}, st, &e, made);
        if (!strstr(e.text, dir)) fail_msg("the message \"%s\" does not name the folder", e.text);
        wfi_adapter_free(a);
    }
}

/* Every file cut at many lengths, every file absent, a folder in a file's place. */
static void test_cut_files(void **state) {
    static const char *const files[] = {"adapter_config.json", "adapter.safetensors"};
    for (int f = 0; f < 2; f++)
        for (int cut = 0; cut < 24; cut++) {
            const char *dir = hub_dir("adapter");
            char path[512], *bytes = NULL;
            size_t size = 0;
            wf_adapter *a = hub_adapter("x", "seq_bn[reduction_factor=4]"), *made = NULL;
            check_ok(wfi_hub_adapter_save(a, NULL, dir, err));
            wfi_adapter_free(a);
            snprintf(path, sizeof path, "%s/%s", dir, files[f]);
            check_ok(wfi_file_read(path, 1 << 20, &bytes, &size, err));
            if (cut < 2) check_ok(wfi_tree_remove(path, err));
            if (cut == 1) check_ok(wfi_dir_make(path, err));
            if (cut >= 2) check_ok(wfi_file_write(path, bytes, size * (size_t)(cut - 2) / 22, err));
            wfi_free(bytes);
            wf_err e = {0};
            assert_int_not_equal(WF_OK, wfi_hub_adapter_open(dir, NULL, &hub_base, &made, &e));
            if (!strstr(e.text, files[f])) fail_msg("the message \"%s\" does not name the file", e.text);
            assert_null(made);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapter_configs), cmocka_unit_test(test_fusion_configs),
        cmocka_unit_test(test_head_configs),    cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_cut_files),
    };
    return cmocka_run_group_tests(tests, NULL, hub_clean);
}
