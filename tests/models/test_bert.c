/* tests/models/test_bert.c - BERT folders: what opens, what is refused and how it is said; sequences that do not see
 * each other; the trainable copy. The values themselves: tests/engine/test_parity.c. */
#include "../tape/gradcheck.h"
#include "base/alloc.h"
#include "kernels/gemm.h"
#include "tiny_run.h"

static char top[300];

static const char *base_dir(void) { /* a fresh tiny base */
    static char dir[400];
    if (!top[0]) snprintf(top, sizeof top, "%s", check_temp_dir());
    snprintf(dir, sizeof dir, "%s/base", top);
    check_ok(wfi_tree_remove(dir, err));
    tiny_base(dir);
    return dir;
}

static int clean(void **state) {
    wf_err e = {0};
    return top[0] && wfi_tree_remove(top, &e) != WF_OK;
}

static void refused(const char *dir, const char *what, wf_status want, const char *says) {
    wf_bert *m = NULL;
    wf_err e = {0};
    const wf_status st = wfi_bert_open(dir, &m, &e);
    if (st != want) fail_msg("%s: status %d, not %d (%s)", what, st, want, e.text);
    if (!strstr(e.text, says)) fail_msg("%s: the message \"%s\" does not say \"%s\"", what, e.text, says);
    assert_null(m);
}

/* ---- config.json ---- */

static void test_config_errors(void **state) {
    static const struct {
        const char *set, *without;
        wf_status want;
        const char *says;
    } rows[] = {
        {"{}", "model_type", WF_E_DATA, "model_type"},
        {"{\"model_type\": 3}", NULL, WF_E_DATA, "model_type"},
        {"{\"model_type\": \"roberta\"}", NULL, WF_E_UNSUPPORTED, "roberta"},
        {"{}", "num_hidden_layers", WF_E_DATA, "num_hidden_layers"},
        {"{\"num_hidden_layers\": 0}", NULL, WF_E_DATA, "num_hidden_layers"},
        {"{\"num_hidden_layers\": 2.5}", NULL, WF_E_DATA, "num_hidden_layers"},
        {"{\"num_hidden_layers\": 1000000000000}", NULL, WF_E_DATA, "num_hidden_layers"},
        {"{\"hidden_size\": \"32\"}", NULL, WF_E_DATA, "hidden_size"},
        {"{\"hidden_size\": -32}", NULL, WF_E_DATA, "hidden_size"},
        {"{\"num_attention_heads\": 5}", NULL, WF_E_DATA, "num_attention_heads"},
        {"{\"num_attention_heads\": null}", NULL, WF_E_DATA, "num_attention_heads"},
        {"{}", "intermediate_size", WF_E_DATA, "intermediate_size"},
        {"{}", "vocab_size", WF_E_DATA, "vocab_size"},
        {"{\"max_position_embeddings\": 0}", NULL, WF_E_DATA, "max_position_embeddings"},
        {"{\"type_vocab_size\": 1000}", NULL, WF_E_DATA, "type_vocab_size"},
        {"{\"layer_norm_eps\": \"small\"}", NULL, WF_E_DATA, "layer_norm_eps"},
        {"{\"layer_norm_eps\": -1}", NULL, WF_E_DATA, "layer_norm_eps"},
        {"{\"hidden_dropout_prob\": 1.0}", NULL, WF_E_DATA, "dropout"},
        {"{\"attention_probs_dropout_prob\": -0.5}", NULL, WF_E_DATA, "dropout"},
        {"{\"classifier_dropout\": 1.5}", NULL, WF_E_DATA, "dropout"},
        {"{\"hidden_act\": \"cubic\"}", NULL, WF_E_UNSUPPORTED, "cubic"},
        {"{\"hidden_act\": 7}", NULL, WF_E_DATA, "hidden_act"},
        {"{\"position_embedding_type\": \"relative_key\"}", NULL, WF_E_UNSUPPORTED, "relative_key"},
        {"{\"position_embedding_type\": 1}", NULL, WF_E_DATA, "position_embedding_type"},
        /* right by themselves, but the weights are others */
        {"{\"hidden_size\": 64}", NULL, WF_E_DATA, "embeddings.word_embeddings.weight"},
        {"{\"intermediate_size\": 128}", NULL, WF_E_DATA, "intermediate.dense"},
        {"{\"num_hidden_layers\": 3}", NULL, WF_E_DATA, "encoder.layer.2"},
        {"{\"vocab_size\": 29}", NULL, WF_E_DATA, "word_embeddings"},
        {"{\"max_position_embeddings\": 512}", NULL, WF_E_DATA, "position_embeddings"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *dir = base_dir();
        char path[512];
        json_t *config = NULL, *more = json_loads(rows[i].set, 0, NULL);
        snprintf(path, sizeof path, "%s/config.json", dir);
        check_ok(wfi_json_read(path, 1 << 20, &config, err));
        json_object_update(config, more);
        if (rows[i].without) json_object_del(config, rows[i].without);
        check_ok(wfi_json_write(path, config, err));
        json_decref(config);
        json_decref(more);
        refused(dir, rows[i].without ? rows[i].without : rows[i].set, rows[i].want, rows[i].says);
    }
}

static void test_files(void **state) {
    static const char *const files[] = {"config.json", "model.safetensors"};
    char path[512];
    for (int f = 0; f < 2; f++) {
        const char *dir = base_dir();
        snprintf(path, sizeof path, "%s/%s", dir, files[f]);
        check_ok(wfi_file_write(path, "{]", 2, err));
        refused(dir, files[f], WF_E_DATA, files[f]);
        check_ok(wfi_tree_remove(path, err));
        wf_bert *m = NULL;
        wf_err e = {0};
        assert_int_not_equal(WF_OK, wfi_bert_open(dir, &m, &e));
        assert_non_null(strstr(e.text, files[f]));
        assert_null(m);
    }
    wfi_bert_free(NULL);
}

/* ---- weights ---- */

/* Writes DIR/model.safetensors anew through edit (false: without this tensor). */
static void weights(const char *dir, bool (*edit)(wf_tensor *t, char *name, size_t size)) {
    char path[512];
    static char names[128][200];
    static uint16_t halves[1 << 16];
    wf_tensor tensors[128];
    wf_source from = {0};
    size_t n = 0, used = 0;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    check_ok(wfi_safetensors_open(path, &from, err));
    assert_in_range(from.count, 1, 128);
    for (size_t i = 0; i < from.count; i++) {
        tensors[n] = from.tensors[i];
        snprintf(names[n], sizeof names[n], "%s", from.tensors[i].name);
        tensors[n].name = names[n];
        if (!edit(&tensors[n], names[n], sizeof names[n])) continue;
        if (tensors[n].dtype == WF_DTYPE_BF16) { /* the upper half of a float32 */
            const int64_t count = wfi_tensor_count(&tensors[n]);
            const uint16_t *whole = from.tensors[i].data;
            assert_true(used + (size_t)count <= sizeof halves / sizeof *halves);
            for (int64_t k = 0; k < count; k++) halves[used + (size_t)k] = whole[2 * k + 1];
            tensors[n].data = halves + used;
            used += (size_t)count;
        }
        n++;
    }
    check_ok(wfi_safetensors_write(path, tensors, n, err));
    wfi_source_close(&from);
}

static const char *chosen; /* the tensor that edits aim at */
static bool drop(wf_tensor *t, char *name, size_t size) {
    return strcmp(name, chosen) != 0;
}
static bool turn(wf_tensor *t, char *name, size_t size) {
    const int64_t rows = t->shape[0];
    if (strcmp(name, chosen) == 0)
        t->shape[0] = t->rank == 2 ? t->shape[1] : rows / 2, t->shape[1] = t->rank == 2 ? rows : 2, t->rank = 2;
    return true;
}
static bool whole_numbers(wf_tensor *t, char *name, size_t size) {
    if (strcmp(name, chosen) == 0) t->dtype = WF_DTYPE_I32;
    return true;
}
static bool with_prefix(wf_tensor *t, char *name, size_t size) {
    char copy[200];
    snprintf(copy, sizeof copy, "%.190s", name);
    snprintf(name, size, "bert.%.190s", copy);
    return true;
}
static bool without_pooler(wf_tensor *t, char *name, size_t size) {
    return !strstr(name, "pooler");
}
static bool half(wf_tensor *t, char *name, size_t size) {
    t->dtype = WF_DTYPE_BF16;
    return true;
}

/* Each parameter of the model in turn: absent, of another shape, of another type. */
static void test_weight_errors(void **state) {
    wf_bert *m = NULL;
    static char names[64][200];
    size_t count = 0;
    check_ok(wfi_bert_open(base_dir(), &m, err));
    for (size_t i = 0; i < m->params.count && count < 64; i++)
        snprintf(names[count++], sizeof names[0], "%s", m->params.params[i]->name);
    wfi_bert_free(m);
    assert_int_equal(count, 3 + 2 + TINY_LAYERS * 16 + 2);
    for (size_t i = 0; i < count; i++) {
        bool (*const edits[])(wf_tensor *, char *, size_t) = {drop, turn, whole_numbers};
        chosen = names[i];
        for (int k = 0; k < 3; k++) {
            const char *dir = base_dir();
            const bool square = strstr(chosen, "attention") && strstr(chosen, "weight") && !strstr(chosen, "LayerNorm");
            if (k == 0 && strcmp(chosen, "pooler.dense.weight") == 0) continue; /* a base may have none */
            if (k == 1 && (square || strcmp(chosen, "pooler.dense.weight") == 0)) continue;
            weights(dir, edits[k]);
            refused(dir, chosen, WF_E_DATA, chosen);
        }
    }
}

static float *run_in(wf_bert *m, wf_dtype dtype, float *out) { /* [RUN_SEQUENCES,3] logits of the fixed batch */
    tiny_run r;
    tiny_run_open(&r, NULL);
    r.context->model = m;
    check_ok(wfi_bert_pack(m, false, dtype, err));
    memcpy(out, tiny_forward(&r, false)->data, RUN_SEQUENCES * 3 * sizeof *out);
    tiny_run_close(&r);
    return out;
}

static float *run(wf_bert *m, float *out) {
    return run_in(m, WF_DTYPE_F32, out);
}

/* Products in another type: near the whole ones, not equal; nearly the same at the lowest level; one type a model. */
static void packed_type(wf_dtype type, float near, float levels) {
    float whole[RUN_SEQUENCES * 3], other[2][RUN_SEQUENCES * 3], worst[2] = {0};
    for (int k = 0; k < 3; k++) {
        wf_bert *m = NULL;
        check_ok(wfi_bert_open(base_dir(), &m, err));
        if (k == 2) wfi_kernels_force(WF_ISA_SCALAR);
        run_in(m, k ? type : WF_DTYPE_F32, k ? other[k - 1] : whole);
        wfi_kernels_force(wfi_cpu_get()->isa);
        check_ok(wfi_bert_pack(m, true, k ? type : WF_DTYPE_F32, err));
        check_status(WF_E_ARG, wfi_bert_pack(m, false, k ? WF_DTYPE_F32 : type, err));
        wfi_bert_free(m);
    }
    for (int i = 0; i < RUN_SEQUENCES * 3; i++) {
        worst[0] = fmaxf(worst[0], fabsf(other[0][i] - whole[i]));
        worst[1] = fmaxf(worst[1], fabsf(other[1][i] - other[0][i]));
    }
    if (!(worst[0] > 0 && worst[0] < near && worst[1] <= levels))
        fail_msg("%s: off by up to %g, between levels by up to %g", wfi_dtype_name(type), (double)worst[0],
                 (double)worst[1]);
}

/* Input gradients go through the matrices in the type too: off by its rounding, and no more. */
static void packed_backward(wf_dtype type, double near) {
    enum { T = 7, WIDEST = 64 };
    wf_bert *m[2];
    float x[T * WIDEST], y[2][T * WIDEST];
    for (int i = 0; i < T * WIDEST; i++) x[i] = sinf((float)i * 1.7f) * 1e-3f; /* as small as gradients are */
    for (int k = 0; k < 2; k++) {
        check_ok(wfi_bert_open(base_dir(), &m[k], err));
        check_ok(wfi_bert_pack(m[k], true, k ? type : WF_DTYPE_F32, err));
    }
    for (int i = 0; i < m[0]->config.layers; i++)
        for (int which = 0; which < 6; which++) {
            double off = 0, all = 0;
            int64_t n = 0;
            for (int k = 0; k < 2; k++) {
                const wf_bert_layer *l = &m[k]->layers[i];
                const wf_linear *linears[] = {&l->query, &l->key, &l->value, &l->attention_dense, &l->up, &l->down};
                const wf_linear *w = linears[which];
                assert_true(w->in <= WIDEST && w->out <= WIDEST);
                n = T * w->in;
                check_ok(wfi_packed_gemm(w->backward, T, x, w->out, NULL, 0.0f, y[k], w->in, err));
            }
            for (int64_t j = 0; j < n; j++) {
                off += pow((double)y[1][j] - (double)y[0][j], 2);
                all += pow((double)y[0][j], 2);
            }
            const double relative = sqrt(off / all);
            if (!(relative > 0 && relative < near))
                fail_msg("%s, layer %d, matrix %d: off by %g", wfi_dtype_name(type), i, which, relative);
        }
    for (int k = 0; k < 2; k++) wfi_bert_free(m[k]);
}

static void test_packed_types(void **state) {
    packed_backward(WF_DTYPE_BF16, 0.01);
    packed_backward(WF_DTYPE_I8, 0.02);
    packed_type(WF_DTYPE_BF16, 0.05f, 0.01f);
    packed_type(WF_DTYPE_I8, 0.05f, 0.01f);
}

static void test_weight_forms(void **state) {
    const struct {
        bool (*edit)(wf_tensor *, char *, size_t);
        double near;
        bool pooler;
    } rows[] = {
        {with_prefix, 0, true}, {without_pooler, 0, false}, {half, 0.05, true}}; /* bf16 keeps 8 bits of the weights */
    float plain[RUN_SEQUENCES * 3], other[RUN_SEQUENCES * 3];
    for (int i = 0; i < 3; i++) {
        wf_bert *m = NULL;
        check_ok(wfi_bert_open(base_dir(), &m, err));
        assert_non_null(m->pooler.weight);
        run(m, plain);
        wfi_bert_free(m);
        m = NULL;
        const char *dir = base_dir();
        weights(dir, rows[i].edit);
        check_ok(wfi_bert_open(dir, &m, err));
        assert_int_equal(rows[i].pooler, m->pooler.weight != NULL);
        run(m, other);
        for (int k = 0; k < RUN_SEQUENCES * 3; k++)
            if (!(fabs((double)plain[k] - (double)other[k]) <= rows[i].near))
                fail_msg("form %d: logit %d is %g, not %g", i, k, (double)other[k], (double)plain[k]);
        wfi_bert_free(m);
    }
}

/* ---- forward ---- */

/* A sequence gives the same rows alone and among others. */
static void test_sequences_apart(void **state) {
    tiny_run r;
    wf_value *each[TINY_LAYERS + 1];
    float all[RUN_TOKENS * TINY_HIDDEN];
    wf_err e = {0};
    tiny_run_open(&r, NULL);
    assert_non_null(wfi_context_forward(r.context, &r.batch, false, 1, each, &e));
    memcpy(all, each[TINY_LAYERS]->data, sizeof all);
    for (int s = 0; s < RUN_SEQUENCES; s++) {
        const int64_t first = r.offsets[s], count = r.offsets[s + 1] - first;
        int64_t offsets[] = {0, count};
        wf_batch one = {.T = count,
                        .S = 1,
                        .rows = 1,
                        .ids = r.ids + first,
                        .positions = r.positions + first,
                        .types = r.types + first,
                        .offsets = offsets,
                        .row_counts = r.counts};
        assert_non_null(wfi_context_forward(r.context, &one, false, 1, each, &e));
        for (int64_t i = 0; i < count * TINY_HIDDEN; i++)
            assert_true(fabs((double)each[TINY_LAYERS]->data[i] - (double)all[first * TINY_HIDDEN + i]) < 2e-6);
    }
    tiny_run_close(&r);
}

/* Ids that the tables do not have end the pass with a message. */
static void test_ids_checked(void **state) {
    tiny_run r;
    tiny_run_open(&r, NULL);
    for (int k = 0; k < 4; k++) {
        wf_err e = {0};
        const int32_t id = r.ids[5], at = r.positions[5];
        const uint8_t type = r.types[5];
        if (k == 0) r.ids[5] = TINY_VOCAB;
        if (k == 1) r.ids[5] = -1;
        if (k == 2) r.positions[5] = TINY_POSITIONS;
        if (k == 3) r.types[5] = 2;
        assert_null(wfi_context_forward(r.context, &r.batch, false, 1, NULL, &e));
        assert_int_not_equal(0, e.text[0]);
        r.ids[5] = id;
        r.positions[5] = at;
        r.types[5] = type;
    }
    assert_non_null(tiny_forward(&r, false));
    tiny_run_close(&r);
}

/* ---- training everything ---- */

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

/* The copy computes the same bits, has all gradients, and leaves the original alone. */
static void test_trainable_copy(void **state) {
    tiny_run r;
    wf_bert *copy = NULL;
    float before[RUN_SEQUENCES * 3];
    tiny_run_open(&r, NULL);
    memcpy(before, tiny_forward(&r, false)->data, sizeof before);
    check_status(WF_E_UNSUPPORTED, wfi_bert_copy(r.base, WF_DTYPE_I8, &copy, err));
    check_ok(wfi_bert_copy(r.base, WF_DTYPE_F32, &copy, err));
    assert_null(copy->params.grad);
    check_ok(wfi_pset_trainable(&copy->params, true, err));
    check_ok(wfi_bert_pack(copy, true, WF_DTYPE_F32, err));
    for (size_t i = 0; i < copy->params.count; i++) {
        const wf_param *p = copy->params.params[i];
        assert_null(r.base->params.params[i]->grad);
        if (strstr(p->name, "pooler"))
            assert_null(p->grad);
        else
            assert_int_equal(p->decay, p->rank == 2); /* neither biases nor norms */
    }
    r.context->model = copy;
    const wf_value *logits = tiny_forward(&r, false);
    for (int i = 0; i < RUN_SEQUENCES * 3; i++) assert_true(fabs((double)before[i] - (double)logits->data[i]) < 1e-6);
    wf_pset some = copy->params, matrices = {0}; /* key biases have no effect: left out */
    wf_param *kept[64];
    matrices.params = kept;
    for (size_t i = 0; i < some.count; i++)
        if (some.params[i]->grad && !strstr(some.params[i]->name, "key.bias")) kept[matrices.count++] = some.params[i];
    tiny_gradients(&matrices, loss, backward, &r, "base");
    tiny_shake(&matrices, 3, 0.1f); /* the pooler is the mapped file's */
    r.context->model = r.base;
    assert_memory_equal(before, tiny_forward(&r, false)->data, sizeof before);
    wfi_bert_free(copy);
    tiny_run_close(&r);
}

/* The base's own dropout acts only when asked for. */
/* ---- what is not kept and not computed ---- */

typedef struct seen { /* whether what reaches the block sites needs a gradient, [layer][site] */
    wf_param *scale;
    bool h[TINY_LAYERS][2], x[TINY_LAYERS][2];
} seen;

/* Something trained behind the feed-forward part of every layer, as most adapters are. */
static wf_value *watch(void *self, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_value *x,
                       const wf_norm *norm) {
    seen *s = self;
    s->h[layer][site == WF_SITE_FFN_OUT] = h->needs_grad;
    s->x[layer][site == WF_SITE_FFN_OUT] = x->needs_grad;
    if (site != WF_SITE_FFN_OUT) return NULL;
    return wfi_op_norm(pass->tape, 2, (wf_value *[]){wfi_op_scale_param(pass->tape, h, s->scale), x}, norm);
}

/* Nothing below the lowest trained part takes part in backward: neither the embeddings nor any product of the first
 * layer. */
static void test_backward_stops(void **state) {
    wf_bert *m = NULL;
    wf_pset set = {0};
    wf_tape *t = NULL;
    const int64_t offsets[] = {0, 3};
    const int32_t ids[] = {2, 5, 3}, positions[] = {0, 1, 2};
    const uint8_t types[] = {0, 0, 0};
    check_ok(wfi_bert_open(base_dir(), &m, err));
    check_ok(wfi_bert_pack(m, true, WF_DTYPE_F32, err));
    seen s = {.scale = wfi_pset_add(&set, "scale", 1, (int64_t[]){1}, false)};
    check_ok(wfi_pset_commit(&set, err));
    check_ok(wfi_pset_trainable(&set, true, err));
    check_ok(wfi_tape_new(&t, err));
    wfi_tape_reset(t, true);
    const wf_hooks hooks = {.self = &s, .block = watch};
    const wf_pass pass = {.tape = t, .S = 1, .offsets = offsets};
    wf_value *each[TINY_LAYERS + 1];
    wf_value *out = wfi_bert_forward(m, &hooks, &pass, 3, ids, positions, types, true, each);
    check_ok(wfi_tape_status(t, err));
    assert_true(out->needs_grad && !each[0]->needs_grad && each[1]->needs_grad);
    for (int k = 0; k < 2; k++) {
        assert_true(!s.h[0][k] && !s.x[0][k]);
        assert_true(s.h[1][k] && s.x[1][k]);
    }
    wfi_tape_free(t);
    wfi_bert_free(m);
    wfi_pset_clear(&set);
}

/* In inference a layer leaves its output only: what two layers take is what one takes, for both ways of multiplying. */
static void test_inference_keeps_nothing(void **state) {
    enum { ROWS = 40 };
    const int64_t offsets[] = {0, ROWS};
    int32_t ids[ROWS], positions[ROWS];
    const uint8_t types[ROWS] = {0};
    for (int i = 0; i < ROWS; i++) ids[i] = i % 20, positions[i] = i;
    for (int packed = 0; packed < 2; packed++) {
        int64_t peak[2];
        for (int layers = 1; layers <= 2; layers++) {
            wf_bert *m = NULL;
            wf_tape *t = NULL;
            check_ok(wfi_bert_open(base_dir(), &m, err));
            m->config.layers = layers;
            if (packed) check_ok(wfi_bert_pack(m, false, WF_DTYPE_F32, err));
            check_ok(wfi_tape_new(&t, err));
            wfi_tape_reset(t, false);
            const wf_pass pass = {.tape = t, .S = 1, .offsets = offsets};
            assert_non_null(wfi_bert_forward(m, NULL, &pass, ROWS, ids, positions, types, false, NULL));
            peak[layers - 1] = wfi_tape_peak(t);
            wfi_tape_free(t);
            m->config.layers = TINY_LAYERS;
            wfi_bert_free(m);
        }
        const int64_t rows = ROWS * TINY_HIDDEN * (int64_t)sizeof(float);
        assert_true(peak[0] > rows && peak[1] - peak[0] <= rows + 128); /* one layer's output and no more */
    }
}

static void test_dropout(void **state) {
    tiny_run r;
    float off[RUN_SEQUENCES * 3], on[RUN_SEQUENCES * 3];
    tiny_run_open(&r, NULL);
    memcpy(off, tiny_forward(&r, false)->data, sizeof off);
    assert_memory_equal(off, tiny_forward(&r, true)->data, sizeof off);
    r.context->base_dropout = true;
    memcpy(on, tiny_forward(&r, true)->data, sizeof on);
    assert_memory_not_equal(off, on, sizeof off);
    assert_memory_equal(on, tiny_forward(&r, true)->data, sizeof on);
    assert_memory_equal(off, tiny_forward(&r, false)->data, sizeof off);
    tiny_run_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_errors),  cmocka_unit_test(test_files),
        cmocka_unit_test(test_weight_errors),  cmocka_unit_test(test_weight_forms),
        cmocka_unit_test(test_packed_types),   cmocka_unit_test(test_sequences_apart),
        cmocka_unit_test(test_ids_checked),    cmocka_unit_test(test_trainable_copy),
        cmocka_unit_test(test_backward_stops), cmocka_unit_test(test_inference_keeps_nothing),
        cmocka_unit_test(test_dropout),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
