/* tests/engine/test_parity.c - weft against the Python `adapters` library, by the golden vectors that
 * tools/parity_golden.py wrote.
 *
 * One test a folder of WEFT_TEST_DATA/golden/parity (or of $WEFT_PARITY): base, adapters, fusion and head are opened
 * from the library's own files; compared are logits (also of a pass that does not train), every layer's output, fusion
 * attention by token, the loss, all gradients, and all parameters after three AdamW steps. Measure: the largest
 * difference in a tensor over the largest magnitude in the expected tensor must stay below TOLERANCE. A gradient tensor
 * that is small beside the others is a difference of large numbers; its magnitude counts as at least SMALL of the
 * case's largest gradient. Gradients that are zero but for rounding ("null_gradient") must be so here too; AdamW turns
 * their rounding into whole steps, so these parameters are left out of the last comparison. The vectors are the
 * library's in float64, rounded once. On a real base ("real_base", wide and deep) float32 itself is worse than
 * TOLERANCE in places: there the largest difference of the library's own float32 runs (one function, several orders of
 * its sums) from its float64 run, doubled, is allowed where that is more. With $WEFT_PARITY_WRITE the trained parts are
 * then saved there as folders with their logits (parity_golden.py --check opens them). */
#include "base/alloc.h"
#include "base/file.h"
#include "check.h"
#include "engine/context.h"
#include "formats/safetensors.h"
#include "hub/hub.h"
#include "optim/optim.h"
#include <math.h>

#define TOLERANCE 1e-5
#define SMALL     1e-2
#define NOTHING   1e-6 /* of the largest gradient: a gradient that should be zero */
enum { ADAPTERS = 8, LAYERS = 64, SETS = ADAPTERS + 3 };

typedef struct parity {
    char dir[512];
    json_t *info;
    wf_source want;
    wf_bert *base, *model; /* model: a trainable copy, or base */
    wf_adapter *adapters[ADAPTERS];
    size_t adapter_count;
    wf_fusion *fusion;
    wf_head *head;
    wf_context *context;
    wf_batch batch;
    wf_optim *optim;
    wf_pset *sets[SETS];
    size_t set_count;
    wf_value *each[LAYERS + 1];
    float class_weights[16];
    float *owned[8]; /* what the batch points to */
    size_t owned_count;
    double top, worst[6], allowed[6]; /* largest gradient; largest difference by group, and what is allowed */
    int failures;
} parity;

enum { LOGITS, LAYER, ATTENTION, LOSS, GRAD, STEP };
static const char *const groups[] = {"logits", "layer", "attention", "loss", "grad", "step"};
static const char *const noted[] = {"logits", "layer", "fusion", "loss", "grad", "step3"}; /* the same in case.json */

/* ---- reading a case ---- */

static const char *text_of(const parity *p, const char *field) {
    return json_string_value(json_object_get(p->info, field));
}

static double number_of(const json_t *from, const char *field) {
    return json_number_value(json_object_get(from, field));
}

static const char *below(const parity *p, const char *part) { /* static storage, two at a time */
    static char path[2][1024];
    static int at;
    at ^= 1;
    if (part[0] == '/')
        snprintf(path[at], sizeof path[at], "%s", part);
    else
        snprintf(path[at], sizeof path[at], "%s/%s", p->dir, part);
    return path[at];
}

static const wf_tensor *expected(const parity *p, const char *name, wf_dtype type) {
    const wf_tensor *t = wfi_source_find(&p->want, name);
    if (!t) fail_msg("%s: no tensor %s", p->dir, name);
    assert_int_equal(t->dtype, type);
    return t;
}

static void parts_open(parity *p) {
    const json_t *adapters = json_object_get(p->info, "adapters");
    check_ok(wfi_bert_open(below(p, text_of(p, "base")), &p->base, err));
    p->base->config.attention_dropout = p->base->config.hidden_dropout = p->base->config.head_dropout = 0.0f;
    p->model = p->base;
    if (strcmp(text_of(p, "method"), "full") == 0) check_ok(wfi_bert_copy_trainable(p->base, &p->model, err));
    check_ok(wfi_bert_pack(p->model, true, WF_DTYPE_F32, err));
    const wf_base_shape shape = wfi_context_shape(p->model);
    p->adapter_count = json_array_size(adapters);
    assert_in_range(p->adapter_count, 0, ADAPTERS);
    for (size_t i = 0; i < p->adapter_count; i++) {
        const json_t *a = json_array_get(adapters, i);
        check_ok(wfi_hub_adapter_open(below(p, json_string_value(json_object_get(a, "dir"))), NULL, &shape,
                                      &p->adapters[i], err));
        assert_string_equal(p->adapters[i]->name, json_string_value(json_object_get(a, "name")));
    }
    if (text_of(p, "fusion"))
        check_ok(wfi_hub_fusion_open(below(p, text_of(p, "fusion")), p->adapters, p->adapter_count, &shape, &p->fusion,
                                     err));
    check_ok(wfi_hub_head_open(below(p, text_of(p, "head")), NULL, p->base->config.head_dropout, &p->head, err));
    assert_string_equal(wfi_kind_name(p->head->kind), text_of(p, "kind"));
    if (strcmp(text_of(p, "pooling"), "mean") == 0) p->head->pooling = WF_POOL_MEAN; /* not in the library's format */
}

/* The batch's arrays are read-only views of the file or our own. */
static void batch_open(parity *p) {
    wf_batch *b = &p->batch;
    const wf_tensor *ids = expected(p, "ids", WF_DTYPE_I32), *offsets = expected(p, "offsets", WF_DTYPE_I64),
                    *first = expected(p, "first", WF_DTYPE_I64);
    const int64_t *from = first->data;
    *b = (wf_batch){.T = ids->shape[0], .S = offsets->shape[0] - 1, .rows = first->shape[0] - 1};
    b->ids = (int32_t *)(uintptr_t)ids->data;
    b->types = (uint8_t *)(uintptr_t)expected(p, "types", WF_DTYPE_U8)->data;
    b->offsets = (int64_t *)(uintptr_t)offsets->data;
    b->positions = calloc((size_t)b->T, sizeof *b->positions);
    b->row_counts = calloc((size_t)b->rows, sizeof *b->row_counts);
    for (int64_t s = 0; s < b->S; s++)
        for (int64_t r = b->offsets[s]; r < b->offsets[s + 1]; r++) b->positions[r] = (int32_t)(r - b->offsets[s]);
    for (int64_t r = 0; r < b->rows; r++) b->row_counts[r] = (int32_t)(from[r + 1] - from[r]);
    const wf_kind kind = p->head->kind;
    const wf_tensor *labels = expected(p, "labels",
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
    check_ok(wfi_optim_new(p->sets, p->set_count, number_of(o, "weight_decay"), &p->optim, err));
    const wf_adamw_config config = {json_number_value(json_array_get(betas, 0)),
                                    json_number_value(json_array_get(betas, 1)), number_of(o, "eps")};
    check_ok(wfi_optim_configure(p->optim, &config, err));
    check_ok(wfi_context_new(p->model, &p->context, err));
    p->context->adapter = p->fusion || !p->adapter_count ? NULL : p->adapters[0];
    p->context->fusion = p->fusion;
    p->context->head = p->head;
}

static void parity_open(parity *p, const char *dir) {
    *p = (parity){0};
    snprintf(p->dir, sizeof p->dir, "%s", dir);
    check_ok(wfi_json_read(below(p, "case.json"), 1 << 20, &p->info, err));
    check_ok(wfi_safetensors_open(below(p, "tensors.safetensors"), &p->want, err));
    parts_open(p);
    batch_open(p);
    training_open(p);
    const json_t *single = json_object_get(p->info, "torch_float32");
    for (int g = 0; g <= STEP; g++) {
        p->allowed[g] = TOLERANCE;
        if (json_is_true(json_object_get(p->info, "real_base")))
            p->allowed[g] = fmax(TOLERANCE, 2 * number_of(single, noted[g]));
    }
}

static void parity_close(parity *p) {
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

/* ---- comparing ---- */

static double largest(const float *x, int64_t n) {
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)x[i]) <= most)) most = fabs((double)x[i]);
    return most;
}

/* got [count] against the tensor `name`; least: what the magnitude counts at least. */
static void compare(parity *p, int group, const char *name, const float *got, int64_t count, double least) {
    const wf_tensor *t = expected(p, name, WF_DTYPE_F32);
    const float *want = t->data;
    if (wfi_tensor_count(t) != count)
        fail_msg("%s: %s has %lld elements, weft's has %lld", p->dir, name, (long long)wfi_tensor_count(t),
                 (long long)count);
    const double top = fmax(largest(want, count), least);
    double off = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        const double d = fabs((double)got[i] - (double)want[i]);
        if (d > off || isnan(d)) off = isnan(d) ? INFINITY : d, at = i;
    }
    const double relative = off == 0 ? 0 : off / (top > 0 ? top : 1e-30);
    if (relative > p->worst[group]) p->worst[group] = relative;
    if (relative <= p->allowed[group]) return;
    p->failures++;
    print_error("%s: %s off by %.2g: element %lld is %.9g, not %.9g\n", wfi_path_base(p->dir), name, relative,
                (long long)at, (double)got[at], (double)want[at]);
}

static bool listed(const parity *p, const char *list, const char *name) {
    const json_t *names = json_object_get(p->info, list), *v;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)names, i, v) if (strcmp(json_string_value(v), name) == 0) return true;
    return false;
}

static void attention_compare(void *self, size_t block, int64_t tokens, int64_t branches, const float *weights) {
    parity *p = self;
    int layer = 0;
    wf_site site = WF_SITE_COUNT;
    char name[64];
    wfi_fusion_block_at(p->fusion, block, &layer, &site);
    snprintf(name, sizeof name, "fusion.%s.%d.attention", site == WF_SITE_FFN_OUT ? "ffn_out" : "attn_out", layer);
    compare(p, ATTENTION, name, weights, tokens * branches, 0);
}

static void gradients_compare(parity *p) {
    size_t seen = 0, stored = 0;
    char name[512];
    for (size_t i = 0; i < p->want.count; i++) {
        const wf_tensor *t = &p->want.tensors[i];
        if (strncmp(t->name, "grad.", 5) != 0) continue;
        stored++;
        p->top = fmax(p->top, largest(t->data, wfi_tensor_count(t)));
    }
    for (size_t s = 0; s < p->set_count; s++)
        for (size_t i = 0; i < p->sets[s]->count; i++) {
            const wf_param *q = p->sets[s]->params[i];
            const bool nothing = listed(p, "null_gradient", q->name), unused = listed(p, "unused", q->name);
            if (!q->grad) continue;
            snprintf(name, sizeof name, "grad.%s", q->name);
            seen += !unused;
            if (!unused && !nothing)
                compare(p, GRAD, name, q->grad, q->count, SMALL * p->top);
            else if (largest(q->grad, q->count) > NOTHING * p->top)
                fail_msg("%s: gradient of %s should be zero", p->dir, q->name);
        }
    if (seen != stored) fail_msg("%s: %zu parameters are trained, the library trains %zu", p->dir, seen, stored);
}

static void steps_compare(parity *p) {
    char name[512];
    for (size_t s = 0; s < p->set_count; s++)
        for (size_t i = 0; i < p->sets[s]->count; i++) {
            const wf_param *q = p->sets[s]->params[i];
            if (!q->grad || listed(p, "null_gradient", q->name) || listed(p, "unused", q->name)) continue;
            snprintf(name, sizeof name, "step%d.%s", (int)number_of(p->info, "steps"), q->name);
            compare(p, STEP, name, q->data, q->count, 0);
        }
}

/* ---- handing over to the library ---- */

/* TOP/CASE: the parts as they are now, the batch, and the logits of a pass that does not train. */
static void parts_write(parity *p, const char *top, const wf_value *logits) {
    char dir[1024], part[1200], base[4096];
    const char *names[] = {"ids", "types", "offsets", "first"};
    wf_tensor tensors[5] = {{.name = "logits",
                             .dtype = WF_DTYPE_F32,
                             .rank = 2,
                             .shape = {logits->rows, logits->cols},
                             .data = logits->data}};
    for (int i = 0; i < 4; i++) tensors[i + 1] = *wfi_source_find(&p->want, names[i]);
    snprintf(dir, sizeof dir, "%s/%s", top, wfi_path_base(p->dir));
    json_t *info = json_deep_copy(p->info), *list = json_array();
    assert_non_null(realpath(below(p, text_of(p, "base")), base));
    json_object_set_new(info, "base", json_string(base));
    for (size_t i = 0; i < p->adapter_count; i++) {
        const char *name = p->adapters[i]->name;
        snprintf(part, sizeof part, "%s/adapters/%s", dir, name);
        check_ok(wfi_dir_make(part, err));
        check_ok(wfi_hub_adapter_save(p->adapters[i], NULL, part, err));
        json_array_append_new(list, json_pack("{s:s, s:s+}", "name", name, "dir", "adapters/", name));
    }
    json_object_set_new(info, "adapters", list);
    snprintf(part, sizeof part, "%s/fusion", dir);
    if (p->fusion) {
        check_ok(wfi_dir_make(part, err));
        check_ok(wfi_hub_fusion_save(p->fusion, NULL, part, err));
    }
    snprintf(part, sizeof part, "%s/head", dir);
    check_ok(wfi_dir_make(part, err));
    check_ok(wfi_hub_head_save(p->head, NULL, part, err));
    snprintf(part, sizeof part, "%s/tensors.safetensors", dir);
    check_ok(wfi_safetensors_write(part, tensors, 5, err));
    snprintf(part, sizeof part, "%s/case.json", dir);
    check_ok(wfi_json_write(part, info, err));
    json_decref(info);
}

/* ---- running a case ---- */

static wf_value *loss_get(parity *p, wf_value *logits) {
    wf_loss_options options = {.label_smoothing = (float)number_of(p->info, "label_smoothing")};
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

static wf_value *forward(parity *p, bool training) {
    wf_err e = {0};
    wf_value *logits = wfi_context_forward(p->context, &p->batch, training, 1, training ? p->each : NULL, &e);
    if (!logits) fail_msg("%s: %s", p->dir, e.text);
    return logits;
}

static void watched_pass(parity *p) { /* without training; attention by token */
    if (p->fusion) {
        check_ok(wfi_fusion_watch_on(p->fusion, err));
        p->fusion->watch->tell = attention_compare;
        p->fusion->watch->self = p;
    }
    const wf_value *logits = forward(p, false);
    compare(p, LOGITS, "logits", logits->data, logits->rows * logits->cols, 0);
    if (p->fusion) wfi_fusion_watch_off(p->fusion);
}

static void first_compare(parity *p, const wf_value *logits, const wf_value *loss) {
    char name[32];
    compare(p, LOGITS, "logits", logits->data, logits->rows * logits->cols, 0);
    compare(p, LOSS, "loss", loss->data, 1, 0);
    assert_in_range(p->model->config.layers, 1, LAYERS);
    for (int i = 0; i <= p->model->config.layers; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        compare(p, LAYER, name, p->each[i]->data, p->each[i]->rows * p->each[i]->cols, 0);
    }
    gradients_compare(p);
}

static void run_case(void **state) {
    parity p;
    parity_open(&p, *state);
    const json_t *o = json_object_get(p.info, "optimizer");
    watched_pass(&p);
    const int steps = (int)number_of(p.info, "steps");
    for (int step = 1; step <= steps; step++) {
        wf_value *logits = forward(&p, true), *loss = loss_get(&p, logits);
        double norm = 0;
        wfi_optim_zero_grad(p.optim);
        check_ok(wfi_tape_backward(p.context->tape, loss, 1.0f, err));
        if (step == 1) first_compare(&p, logits, loss);
        check_ok(wfi_clip_grad_norm(p.sets, p.set_count, number_of(p.info, "max_grad_norm"), &norm, err));
        if (step == 1 && number_of(p.info, "max_grad_norm") > 0)
            compare(&p, GRAD, "grad_norm", (float[]){(float)norm}, 1, 0);
        wfi_optim_step(p.optim, number_of(o, "lr"));
    }
    steps_compare(&p);
    const char *hand_over = getenv("WEFT_PARITY_WRITE");
    if (hand_over && p.model == p.base) parts_write(&p, hand_over, forward(&p, false));
    if (getenv("WEFT_PARITY_VERBOSE")) {
        print_message("%-32s", wfi_path_base(p.dir));
        for (int g = 0; g <= STEP; g++) print_message(" %s %.1e", groups[g], p.worst[g]);
        print_message("\n");
    }
    const int failures = p.failures;
    parity_close(&p);
    if (failures) fail_msg("%d tensors differ by more than is allowed", failures);
}

int main(void) {
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
        tests[n] = (struct CMUnitTest){.name = wfi_path_base(dirs[n]), .test_func = run_case, .initial_state = dirs[n]};
        n++;
    }
    wfi_names_free(names, count);
    if (n == 0) {
        fprintf(stderr, "%s: no cases\n", top);
        return 1;
    }
    return _cmocka_run_group_tests("parity", tests, n, NULL, NULL);
}
