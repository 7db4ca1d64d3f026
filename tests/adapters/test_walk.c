/* tests/adapters/test_walk.c - what must hold for every adapter method and preset, walked from the lists: gradients, a
 * round trip through a folder, first values that depend on names and seeds only, the effect of a fresh adapter; and
 * LoRA against merged weights. */
#include "../tape/gradcheck.h"
#include "adapters/presets.h"
#include "base/alloc.h"
#include "hub/hub.h"
#include "tiny_run.h"

static const char *const variants[] = {
    /* random numbers while training: the same key gives the same masks, so differences see a fixed function */
    "seq_bn[reduction_factor=8,non_linearity=gelu,dropout=0.3]",
    "double_seq_bn[reduction_factor=8,use_gating=true,ln_before=true,scaling=channel]",
    "par_bn[reduction_factor=8,non_linearity=tanh,use_gating=true,mh_adapter=true]",
    "seq_bn[reduction_factor=8,non_linearity=tanh,adapter_residual_before_ln=true,ln_after=true]",
    "adapter_plus[reduction_factor=8,stochastic_depth=0.4]",
    "lora[r=4,alpha=6,attn_matrices=[\"q\",\"k\",\"v\",\"o\"],intermediate_lora=true,output_lora=true]",
    "lora[r=4,attn_matrices=[\"k\",\"o\"],intermediate_lora=true,output_lora=true,use_gating=true,dropout=0.2]",
    "lora[r=2,attn_matrices=[\"o\"],dropout=0.4]",
};

/* Calls check for every preset and variant. */
static void each_config(tiny_run *r, void (*check)(tiny_run *r, const char *config)) {
    size_t count = 0;
    const char *const *presets = wfi_adapter_presets(&count);
    assert_in_range(count, 6, 1000);
    for (size_t i = 0; i < count; i++) check(r, presets[i]);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) check(r, variants[i]);
}

static void with_run(void (*check)(tiny_run *r, const char *config)) {
    tiny_run r;
    tiny_run_open(&r, NULL);
    each_config(&r, check);
    tiny_run_close(&r);
}

static void test_lists(void **state) {
    size_t methods = 0, presets = 0;
    const wf_adapter_method *const *m = wfi_adapter_methods(&methods);
    const char *const *names = wfi_adapter_presets(&presets);
    for (size_t i = 0; i < methods; i++) { /* every method has all it must and is reached by some preset */
        bool reached = false;
        assert_true(m[i]->configure && m[i]->build && m[i]->init && m[i]->takes && m[i]->free && m[i]->segment);
        assert_true(m[i]->block || m[i]->linear);
        for (size_t k = 0; k < presets; k++) {
            json_t *config = NULL;
            assert_true(wfi_adapter_preset_known(names[k]));
            check_ok(wfi_preset_config(names[k], &config, err));
            const char *architecture = json_string_value(json_object_get(config, "architecture"));
            reached |= architecture ? m[i]->architecture && strcmp(architecture, m[i]->architecture) == 0
                                    : !m[i]->architecture;
            json_decref(config);
        }
        if (!reached) fail_msg("no preset of method %s", m[i]->name);
    }
    assert_true(wfi_adapter_preset_known("pfeiffer") && wfi_adapter_preset_known("houlsby") &&
                wfi_adapter_preset_known("parallel"));
    assert_false(wfi_adapter_preset_known("prefix_tuning"));
}

/* ---- gradients ---- */

static double loss(void *self) {
    return tiny_loss(tiny_forward(self, true));
}

static void backward(void *self) {
    tiny_run *r = self;
    float probe[RUN_SEQUENCES * 3];
    const float *probes = probe;
    wf_value *logits = tiny_forward(r, true);
    for (uint64_t i = 0; i < RUN_SEQUENCES * 3; i++) probe[i] = wfi_random_normal(55, i);
    check_ok(wfi_tape_backward(r->context->tape, gc_probe(r->context->tape, 1, &logits, &probes), 1.0f, err));
}

static void check_gradients(tiny_run *r, const char *config) {
    json_t *fields = NULL;
    char smooth[128];
    wf_adapter *a = NULL;
    snprintf(smooth, sizeof smooth, "%.120s", config);
    check_ok(wfi_preset_config(config, &fields, err));
    if (!strchr(config, '[') && json_object_get(fields, "non_linearity"))
        snprintf(smooth, sizeof smooth, "%.40s[non_linearity=tanh,reduction_factor=8]", config);
    json_decref(fields);
    check_ok(wfi_adapter_new("x", smooth, &r->shape, 1, &a,
                             err)); /* relu's kink has no differences; the golden vectors have relu */
    tiny_shake(&a->params, 3, 0.2f);
    check_ok(wfi_pset_trainable(&a->params, true, err));
    r->context->adapter = a;
    tiny_gradients(&a->params, loss, backward, r, smooth);
    r->context->adapter = NULL;
    wfi_adapter_free(a);
}

static void test_gradients(void **state) {
    with_run(check_gradients);
}

/* ---- folders ---- */

static void check_round_trip(tiny_run *r, const char *config) {
    char dir[512], again[512], file[600];
    wf_adapter *a = NULL, *b = NULL, *c = NULL;
    check_ok(wfi_adapter_new("name-1", config, &r->shape, 1, &a, err));
    tiny_shake(&a->params, 4, 1.0f);
    snprintf(dir, sizeof dir, "%s/one", r->dir);
    snprintf(again, sizeof again, "%s/two", r->dir);
    check_ok(wfi_dir_make(dir, err));
    check_ok(wfi_dir_make(again, err));
    check_ok(wfi_hub_adapter_save(a, "base", dir, err));
    check_ok(wfi_hub_adapter_open(dir, NULL, &r->shape, &b, err));
    check_ok(wfi_hub_adapter_open(dir, "renamed", &r->shape, &c, err));
    assert_string_equal(b->name, "name-1");
    assert_string_equal(c->name, "renamed");
    assert_ptr_equal(a->method, b->method);
    assert_true(json_equal(a->config, b->config));
    assert_int_equal(a->params.count, b->params.count);
    for (size_t i = 0; i < a->params.count; i++) {
        const wf_param *p = a->params.params[i], *q = b->params.params[i], *s = c->params.params[i];
        assert_string_equal(p->name, q->name);
        assert_int_equal(p->decay, p->rank > 1);
        assert_memory_equal(p->data, q->data, (size_t)p->count * sizeof(float));
        assert_memory_equal(p->data, s->data, (size_t)p->count * sizeof(float));
    }
    check_ok(wfi_hub_adapter_save(b, "base", again, err));
    for (int i = 0; i < 2; i++) {
        char *bytes[2];
        size_t size[2];
        for (int k = 0; k < 2; k++) {
            snprintf(file, sizeof file, "%s/%s", k ? again : dir, i ? "adapter.safetensors" : "adapter_config.json");
            check_ok(wfi_file_read(file, 1 << 24, &bytes[k], &size[k], err));
        }
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(bytes[0], bytes[1], size[0]);
        wfi_free(bytes[0]);
        wfi_free(bytes[1]);
    }
    wfi_adapter_free(a);
    wfi_adapter_free(b);
    wfi_adapter_free(c);
}

static void test_round_trips(void **state) {
    with_run(check_round_trip);
}

/* ---- first values ---- */

static void check_seeds(tiny_run *r, const char *config) {
    const wf_base_shape deeper = {r->shape.layers + 1, r->shape.hidden_size, r->shape.intermediate_size};
    wf_adapter *a = NULL, *b = NULL, *later = NULL, *deep = NULL, *other = NULL;
    check_ok(wfi_adapter_new("a", config, &r->shape, 1, &a, err));
    check_ok(wfi_adapter_new("b", config, &r->shape, 1, &b, err));
    check_ok(wfi_adapter_new("a", config, &r->shape, 1, &later, err)); /* after b: nothing of b's making matters */
    check_ok(wfi_adapter_new("a", config, &deeper, 1, &deep, err));
    check_ok(wfi_adapter_new("a", config, &r->shape, 2, &other, err));
    const size_t bytes = (size_t)a->params.total * sizeof(float);
    assert_memory_equal(a->params.data, later->params.data, bytes);
    assert_memory_equal(a->params.data, deep->params.data, bytes); /* the lower layers of a deeper base */
    assert_memory_not_equal(a->params.data, b->params.data, bytes);
    assert_memory_not_equal(a->params.data, other->params.data, bytes);
    const size_t half = a->params.count / 2; /* two layers: the second half has the first one's shapes */
    bool all_same = true;
    for (size_t i = 0; i < half; i++) {
        const wf_param *p = a->params.params[i], *q = a->params.params[half + i];
        assert_int_equal(p->count, q->count);
        all_same &= memcmp(p->data, q->data, (size_t)p->count * sizeof(float)) == 0;
    }
    assert_false(all_same);
    wf_adapter *all[] = {a, b, later, deep, other};
    for (int i = 0; i < 5; i++) wfi_adapter_free(all[i]);
}

static void test_seeds(void **state) {
    with_run(check_seeds);
}

/* init_weights_seed: all layers get the same values, whatever the run's seed and the name. */
static void test_weights_seed(void **state) {
    static const char *const configs[] = {"seq_bn[reduction_factor=8,init_weights_seed=5]",
                                          "lora[init_weights_seed=5]"};
    const wf_base_shape shape = {2, 16, 32};
    for (int c = 0; c < 2; c++) {
        wf_adapter *a = NULL, *b = NULL;
        check_ok(wfi_adapter_new("a", configs[c], &shape, 1, &a, err));
        check_ok(wfi_adapter_new("b", configs[c], &shape, 2, &b, err));
        assert_memory_equal(a->params.data, b->params.data, (size_t)a->params.total * sizeof(float));
        assert_memory_equal(a->params.data, a->params.data + a->params.total / 2,
                            (size_t)a->params.total / 2 * sizeof(float));
        wfi_adapter_free(a);
        wfi_adapter_free(b);
    }
}

/* ---- what a fresh adapter does ---- */

static float farthest(const float *a, const float *b) {
    float most = 0;
    for (int i = 0; i < RUN_SEQUENCES * 3; i++) {
        const float off = fabsf(a[i] - b[i]);
        if (off > most) most = off; /* fmax on doubles here ends GCC 12 for aarch64 with an internal error */
    }
    return most;
}

static void check_fresh(tiny_run *r, const char *config) {
    float plain[RUN_SEQUENCES * 3];
    wf_adapter *a = NULL;
    memcpy(plain, tiny_forward(r, false)->data, sizeof plain);
    const double most = farthest(plain, (const float[RUN_SEQUENCES * 3]){0});
    check_ok(wfi_adapter_new("x", config, &r->shape, 1, &a, err));
    const char *init = json_string_value(json_object_get(a->config, "init_weights"));
    const bool normed =
        json_is_true(json_object_get(a->config, "ln_after")); /* a new norm blows any output up to unit size */
    const bool silent = strcmp(init, "mam_adapter") == 0 || strcmp(init, "lora") == 0;
    r->context->adapter = a;
    const wf_value *logits = tiny_forward(r, false);
    double off = farthest(plain, logits->data);
    if (silent && !normed && off > 1e-6 * most) fail_msg("%s: a fresh adapter changes logits by %g", config, off);
    if (!silent && !(off > 0)) fail_msg("%s: a fresh adapter does nothing at all", config);
    if (!silent && !normed && off > 0.05 * most)
        fail_msg("%s: a fresh adapter changes logits by %g of %g", config, off, most);
    tiny_shake(&a->params, 6, 0.3f); /* and a trained one does something */
    wfi_adapter_changed(a);
    logits = tiny_forward(r, false);
    off = farthest(plain, logits->data);
    assert_true(off > 1e-3 * most);
    r->context->adapter = NULL;
    wfi_adapter_free(a);
}

static void test_fresh(void **state) {
    with_run(check_fresh);
}

/* Dropout and stochastic depth act while training only, and differ from step to step. */
static void test_randomness(void **state) {
    static const char *const configs[][2] = {
        {"seq_bn[reduction_factor=8]", "seq_bn[reduction_factor=8,dropout=0.5]"},
        {"adapter_plus[reduction_factor=8,stochastic_depth=0.0]",
         "adapter_plus[reduction_factor=8,stochastic_depth=0.5]"},
        {"lora[attn_matrices=[\"o\"]]", "lora[attn_matrices=[\"o\"],dropout=0.5]"}};
    enum { BYTES = RUN_SEQUENCES * 3 * sizeof(float) };
    tiny_run r;
    tiny_run_open(&r, NULL);
    for (int c = 0; c < 3; c++) {
        float got[2][2][RUN_SEQUENCES * 3], next[RUN_SEQUENCES * 3];
        wf_err e = {0};
        for (int k = 0; k < 2; k++) {
            wf_adapter *a = NULL;
            check_ok(wfi_adapter_new("x", configs[c][k], &r.shape, 1, &a, err));
            tiny_shake(&a->params, 6, 0.3f);
            r.context->adapter = a;
            for (int training = 0; training < 2; training++)
                memcpy(got[k][training], tiny_forward(&r, training)->data, BYTES);
            memcpy(next, wfi_context_forward(r.context, &r.batch, true, RUN_KEY + 1, NULL, &e)->data, BYTES);
            r.context->adapter = NULL;
            wfi_adapter_free(a);
        }
        assert_memory_equal(got[0][0], got[1][0], BYTES);
        assert_memory_not_equal(got[1][0], got[1][1], BYTES);
        assert_memory_not_equal(got[1][1], next, BYTES);
    }
    tiny_run_close(&r);
}

/* ---- LoRA is a change of weights ---- */

/* The base with W + alpha/r B A written anew and opened without an adapter; all six matrices, the attention's output
 * among them. */
static void test_lora_merged(void **state) {
    static const char *const modules[] = {"attention.self.query",   "attention.self.key", "attention.self.value",
                                          "attention.output.dense", "intermediate.dense", "output.dense"};
    tiny_run r;
    wf_adapter *a = NULL;
    wf_bert *merged = NULL;
    wf_tensor tensors[64];
    float with[RUN_SEQUENCES * 3];
    char path[512], name[200];
    tiny_run_open(&r, NULL);
    check_ok(wfi_adapter_new(
        "x", "lora[r=4,alpha=6,attn_matrices=[\"q\",\"k\",\"v\",\"o\"],intermediate_lora=true,output_lora=true]",
        &r.shape, 1, &a, err));
    assert_int_equal(a->params.count, 2 * 6 * 2);
    tiny_shake(&a->params, 3, 0.2f);
    r.context->adapter = a;
    memcpy(with, tiny_forward(&r, false)->data, sizeof with);
    r.context->adapter = NULL;
    size_t n = 0;
    for (; n < r.base->params.count; n++) {
        const wf_param *p = r.base->params.params[n];
        float *copy = malloc((size_t)p->count * sizeof *copy);
        memcpy(copy, p->data, (size_t)p->count * sizeof *copy);
        tensors[n] = (wf_tensor){.name = p->name, .dtype = WF_DTYPE_F32, .rank = p->rank, .data = copy};
        memcpy(tensors[n].shape, p->shape, sizeof p->shape);
        for (int k = 0; k < 6; k++)
            for (int layer = 0; layer < TINY_LAYERS; layer++) {
                snprintf(name, sizeof name, "encoder.layer.%d.%s.weight", layer, modules[k]);
                if (strcmp(name, p->name) != 0) continue;
                snprintf(name, sizeof name, "encoder.layer.%d.%s.loras.x.lora_A", layer, modules[k]);
                const wf_param *A = wfi_pset_find(&a->params, name);
                *strrchr(name, 'A') = 'B';
                const wf_param *B = wfi_pset_find(&a->params, name);
                for (int64_t o = 0; o < p->shape[0]; o++)
                    for (int64_t i = 0; i < p->shape[1]; i++)
                        for (int64_t j = 0; j < 4; j++)
                            copy[o * p->shape[1] + i] += 1.5f * B->data[o * 4 + j] * A->data[j * p->shape[1] + i];
            }
    }
    snprintf(path, sizeof path, "%s/model.safetensors", r.dir);
    check_ok(wfi_safetensors_write(path, tensors, n, err));
    check_ok(wfi_bert_open(r.dir, &merged, err));
    r.context->model = merged;
    const wf_value *logits = tiny_forward(&r, false);
    for (int i = 0; i < RUN_SEQUENCES * 3; i++)
        if (fabs((double)with[i] - (double)logits->data[i]) > 1e-5)
            fail_msg("logit %d: %g with LoRA, %g merged", i, (double)with[i], (double)logits->data[i]);
    for (size_t i = 0; i < n; i++) free((void *)(uintptr_t)tensors[i].data);
    wfi_adapter_free(a);
    wfi_bert_free(merged);
    tiny_run_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),      cmocka_unit_test(test_gradients),    cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_seeds),      cmocka_unit_test(test_weights_seed), cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_randomness), cmocka_unit_test(test_lora_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
