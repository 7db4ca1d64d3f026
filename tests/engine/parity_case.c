/* tests/engine/parity_case.c - see parity.h. */
#include "base/file.h"
#include "hub/hub.h"
#include "parity.h"

const char *parity_text(const parity *p, const char *field) {
    return json_string_value(json_object_get(p->info, field));
}

double parity_number(const json_t *from, const char *field) {
    return json_number_value(json_object_get(from, field));
}

const char *parity_below(const parity *p, const char *part) {
    static char path[2][1024];
    static int at;
    at ^= 1;
    if (part[0] == '/')
        snprintf(path[at], sizeof path[at], "%s", part);
    else
        snprintf(path[at], sizeof path[at], "%s/%s", p->dir, part);
    return path[at];
}

const wf_tensor *parity_expected(const parity *p, const char *name, wf_dtype type) {
    const wf_tensor *t = wfi_source_find(&p->want, name);
    if (!t) fail_msg("%s: no tensor %s", p->dir, name);
    assert_int_equal(t->dtype, type);
    return t;
}

static void parts_open(parity *p, wf_dtype dtype) {
    const json_t *adapters = json_object_get(p->info, "adapters");
    check_ok(wfi_bert_open(parity_below(p, parity_text(p, "base")), &p->base, err));
    p->base->config.attention_dropout = p->base->config.hidden_dropout = p->base->config.head_dropout = 0.0f;
    p->model = p->base;
    if (strcmp(parity_text(p, "method"), "full") == 0) check_ok(wfi_bert_copy(p->base, dtype, &p->model, err));
    check_ok(wfi_bert_pack(p->model, true, dtype, err));
    const wf_base_shape shape = wfi_context_shape(p->model);
    p->adapter_count = json_array_size(adapters);
    assert_in_range(p->adapter_count, 0, PARITY_ADAPTERS);
    for (size_t i = 0; i < p->adapter_count; i++) {
        const json_t *a = json_array_get(adapters, i);
        check_ok(wfi_hub_adapter_open(parity_below(p, json_string_value(json_object_get(a, "dir"))), NULL, &shape,
                                      &p->adapters[i], err));
        assert_string_equal(p->adapters[i]->name, json_string_value(json_object_get(a, "name")));
    }
    if (parity_text(p, "fusion"))
        check_ok(wfi_hub_fusion_open(parity_below(p, parity_text(p, "fusion")), p->adapters, p->adapter_count, &shape,
                                     &p->fusion, err));
    check_ok(
        wfi_hub_head_open(parity_below(p, parity_text(p, "head")), NULL, p->base->config.head_dropout, &p->head, err));
    assert_string_equal(wfi_kind_name(p->head->kind), parity_text(p, "kind"));
    if (strcmp(parity_text(p, "pooling"), "mean") == 0)
        p->head->pooling = WF_POOL_MEAN; /* not in the library's format */
}

/* The batch's arrays are read-only views of the file or our own. */
static void batch_open(parity *p) {
    wf_batch *b = &p->batch;
    const wf_tensor *ids = parity_expected(p, "ids", WF_DTYPE_I32),
                    *offsets = parity_expected(p, "offsets", WF_DTYPE_I64),
                    *first = parity_expected(p, "first", WF_DTYPE_I64);
    const int64_t *from = first->data;
    *b = (wf_batch){.T = ids->shape[0], .S = offsets->shape[0] - 1, .rows = first->shape[0] - 1};
    b->ids = (int32_t *)(uintptr_t)ids->data;
    b->types = (uint8_t *)(uintptr_t)parity_expected(p, "types", WF_DTYPE_U8)->data;
    b->offsets = (int64_t *)(uintptr_t)offsets->data;
    b->positions = calloc((size_t)b->T, sizeof *b->positions);
    b->row_counts = calloc((size_t)b->rows, sizeof *b->row_counts);
    for (int64_t s = 0; s < b->S; s++)
        for (int64_t r = b->offsets[s]; r < b->offsets[s + 1]; r++) b->positions[r] = (int32_t)(r - b->offsets[s]);
    for (int64_t r = 0; r < b->rows; r++) b->row_counts[r] = (int32_t)(from[r + 1] - from[r]);
    const wf_kind kind = p->head->kind;
    const wf_tensor *labels = parity_expected(p, "labels",
                                              kind == WF_KIND_REGRESSION   ? WF_DTYPE_F32
                                              : kind == WF_KIND_MULTILABEL ? WF_DTYPE_U8
                                                                           : WF_DTYPE_I32);
    if (kind == WF_KIND_REGRESSION)
        b->target = (float *)(uintptr_t)labels->data;
    else if (kind == WF_KIND_MULTILABEL)
        b->labels = (uint8_t *)(uintptr_t)labels->data;
    else
        b->label = (int32_t *)(uintptr_t)labels->data;
}

static void train(parity *p, wf_pset *set) {
    if (!set->grad) check_ok(wfi_pset_trainable(set, true, err));
    p->sets[p->set_count++] = set;
}

static void training_open(parity *p) {
    const json_t *o = json_object_get(p->info, "optimizer");
    const json_t *betas = json_object_get(o, "betas");
    const bool adapters_too = !p->fusion || json_is_true(json_object_get(p->info, "train_adapters"));
    if (p->model != p->base) train(p, &p->model->params);
    for (size_t i = 0; i < p->adapter_count && adapters_too; i++) train(p, &p->adapters[i]->params);
    if (p->fusion && p->fusion->params.count) train(p, &p->fusion->params);
    train(p, &p->head->params);
    check_ok(wfi_optim_new(p->sets, p->set_count, parity_number(o, "weight_decay"), &p->optim, err));
    const wf_adamw_config config = {json_number_value(json_array_get(betas, 0)),
                                    json_number_value(json_array_get(betas, 1)), parity_number(o, "eps")};
    check_ok(wfi_optim_configure(p->optim, &config, err));
    check_ok(wfi_context_new(p->model, &p->context, err));
    p->context->adapter = p->fusion || !p->adapter_count ? NULL : p->adapters[0];
    p->context->fusion = p->fusion;
    p->context->head = p->head;
}

void parity_open(parity *p, const char *dir, wf_dtype dtype) {
    *p = (parity){0};
    snprintf(p->dir, sizeof p->dir, "%s", dir);
    check_ok(wfi_json_read(parity_below(p, "case.json"), 1 << 20, &p->info, err));
    check_ok(wfi_safetensors_open(parity_below(p, "tensors.safetensors"), &p->want, err));
    parts_open(p, dtype);
    batch_open(p);
    training_open(p);
}

void parity_close(parity *p) {
    wfi_optim_free(p->optim);
    wfi_context_free(p->context);
    free(p->batch.positions);
    free(p->batch.row_counts);
    wfi_fusion_free(p->fusion);
    for (size_t i = 0; i < p->adapter_count; i++) wfi_adapter_free(p->adapters[i]);
    wfi_head_free(p->head);
    if (p->model != p->base) wfi_bert_free(p->model);
    wfi_bert_free(p->base);
    wfi_source_close(&p->want);
    json_decref(p->info);
}

bool parity_listed(const parity *p, const char *list, const char *name) {
    const json_t *names = json_object_get(p->info, list), *v;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)names, i, v) if (strcmp(json_string_value(v), name) == 0) return true;
    return false;
}

static wf_value *loss_get(parity *p, wf_value *logits) {
    wf_loss_options options = {.label_smoothing = (float)parity_number(p->info, "label_smoothing")};
    const wf_pass pass = {.tape = p->context->tape, .S = p->batch.S, .offsets = p->batch.offsets};
    const json_t *weights = json_object_get(p->info, "class_weights");
    for (size_t c = 0; c < json_array_size(weights); c++)
        p->class_weights[c] = (float)json_number_value(json_array_get(weights, c));
    if (json_is_array(weights)) options.class_weights = p->class_weights;
    wf_value *loss = wfi_head_loss(p->head, &pass, logits, &p->batch, &options);
    if (json_is_true(json_object_get(p->info, "penalty")))
        loss = wfi_op_add(pass.tape, 2, (wf_value *[]){loss, wfi_fusion_penalty(p->fusion, pass.tape)});
    wf_err e = {0};
    if (wfi_tape_status(pass.tape, &e) != WF_OK) fail_msg("%s: %s", p->dir, e.text);
    return loss;
}

wf_value *parity_forward(parity *p, bool training, wf_value **each) {
    wf_err e = {0};
    wf_value *logits = wfi_context_forward(p->context, &p->batch, training, 1, each, &e);
    if (!logits) fail_msg("%s: %s", p->dir, e.text);
    return logits;
}

void parity_gradient(parity *p, wf_value **each, const wf_value **logits, const wf_value **loss) {
    wf_value *out = parity_forward(p, true, each), *value = loss_get(p, out);
    wfi_optim_zero_grad(p->optim);
    check_ok(wfi_tape_backward(p->context->tape, value, 1.0f, err));
    if (logits) *logits = out;
    if (loss) *loss = value;
}

double parity_step(parity *p) {
    double norm = 0;
    check_ok(wfi_clip_grad_norm(p->sets, p->set_count, parity_number(p->info, "max_grad_norm"), &norm, err));
    wfi_optim_step(p->optim, parity_number(json_object_get(p->info, "optimizer"), "lr"));
    return norm;
}

int parity_main(const char *name, CMUnitTestFunction run) {
    const char *data = getenv("WEFT_TEST_DATA"), *own = getenv("WEFT_PARITY"), *only = getenv("WEFT_PARITY_ONLY");
    static char top[512], dirs[256][512];
    static struct CMUnitTest tests[256];
    char **names = NULL;
    size_t count = 0, n = 0;
    wf_err e = {0};
    snprintf(top, sizeof top, own ? "%s" : "%s/golden/parity", own ? own : data ? data : "tests");
    if (wfi_dir_list(top, &names, &count, &e) != WF_OK) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    for (size_t i = 0; i < count && n < 256; i++) {
        char file[640];
        snprintf(dirs[n], sizeof dirs[n], "%.255s/%.255s", top, names[i]);
        snprintf(file, sizeof file, "%s/case.json", dirs[n]);
        if (!wfi_file_exists(file) || (only && !strstr(names[i], only))) continue;
        tests[n] = (struct CMUnitTest){.name = wfi_path_base(dirs[n]), .test_func = run, .initial_state = dirs[n]};
        n++;
    }
    wfi_names_free(names, count);
    if (n == 0) {
        fprintf(stderr, "%s: no cases\n", top);
        return 1;
    }
    return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}
