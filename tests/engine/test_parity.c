/* tests/engine/test_parity.c - weft against the Python `adapters` library, by the golden vectors that
 * tools/parity_golden.py wrote.
 *
 * One test a case (parity.h), in float32 throughout; test_parity_types.c has the other types of the base. Compared are
 * logits (also of a pass that does not train), every layer's output, fusion attention by token, the loss, all
 * gradients, and all parameters after three AdamW steps. Measure: the largest difference in a tensor over the largest
 * magnitude in the expected tensor must stay below TOLERANCE. A gradient tensor that is small beside the others is a
 * difference of large numbers; its magnitude counts as at least SMALL of the case's largest gradient. Gradients that
 * are zero but for rounding ("null_gradient") must be so here too; AdamW turns their rounding into whole steps, so
 * these parameters are left out of the last comparison. The vectors are the library's in float64, rounded once. On a
 * real base ("real_base", wide and deep) float32 itself is worse than TOLERANCE in places: there the largest difference
 * of the library's own float32 runs (one function, several orders of its sums) from its float64 run, doubled, is
 * allowed where that is more. With $WEFT_PARITY_WRITE the trained parts are then saved there as folders with their
 * logits (parity_golden.py --check opens them). */
#include "base/file.h"
#include "hub/hub.h"
#include "parity.h"
#include <math.h>

#define TOLERANCE 1e-5
#define SMALL     1e-2
#define NOTHING   1e-6 /* of the largest gradient: a gradient that should be zero */
enum { LAYERS = 64, GROUPS = 6 };

enum { LOGITS, LAYER, ATTENTION, LOSS, GRAD, STEP };
static const char *const groups[] = {"logits", "layer", "attention", "loss", "grad", "step"};
static const char *const noted[] = {"logits", "layer", "fusion", "loss", "grad", "step3"}; /* the same in case.json */

static struct { /* of the case that runs */
    wf_value *each[LAYERS + 1];
    double top, worst[GROUPS], allowed[GROUPS]; /* largest gradient; largest difference by group, and what is allowed */
    int failures;
} found;

/* ---- comparing ---- */

static double largest(const float *x, int64_t n) {
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)x[i]) <= most)) most = fabs((double)x[i]);
    return most;
}

/* got [count] against the tensor `name`; least: what the magnitude counts at least. */
static void compare(parity *p, int group, const char *name, const float *got, int64_t count, double least) {
    const wf_tensor *t = parity_expected(p, name, WF_DTYPE_F32);
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
    if (relative > found.worst[group]) found.worst[group] = relative;
    if (relative <= found.allowed[group]) return;
    found.failures++;
    print_error("%s: %s off by %.2g: element %lld is %.9g, not %.9g\n", wfi_path_base(p->dir), name, relative,
                (long long)at, (double)got[at], (double)want[at]);
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
        found.top = fmax(found.top, largest(t->data, wfi_tensor_count(t)));
    }
    for (size_t s = 0; s < p->set_count; s++)
        for (size_t i = 0; i < p->sets[s]->count; i++) {
            const wf_param *q = p->sets[s]->params[i];
            const bool nothing = parity_listed(p, "null_gradient", q->name),
                       unused = parity_listed(p, "unused", q->name);
            if (!q->grad) continue;
            snprintf(name, sizeof name, "grad.%s", q->name);
            seen += !unused;
            if (!unused && !nothing)
                compare(p, GRAD, name, q->grad, q->count, SMALL * found.top);
            else if (largest(q->grad, q->count) > NOTHING * found.top)
                fail_msg("%s: gradient of %s should be zero", p->dir, q->name);
        }
    if (seen != stored) fail_msg("%s: %zu parameters are trained, the library trains %zu", p->dir, seen, stored);
}

static void steps_compare(parity *p) {
    char name[512];
    for (size_t s = 0; s < p->set_count; s++)
        for (size_t i = 0; i < p->sets[s]->count; i++) {
            const wf_param *q = p->sets[s]->params[i];
            if (!q->grad || parity_listed(p, "null_gradient", q->name) || parity_listed(p, "unused", q->name)) continue;
            snprintf(name, sizeof name, "step%d.%s", (int)parity_number(p->info, "steps"), q->name);
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
    assert_non_null(realpath(parity_below(p, parity_text(p, "base")), base));
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

static void watched_pass(parity *p) { /* without training; attention by token */
    if (p->fusion) {
        check_ok(wfi_fusion_watch_on(p->fusion, err));
        p->fusion->watch->tell = attention_compare;
        p->fusion->watch->self = p;
    }
    const wf_value *logits = parity_forward(p, false, NULL);
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
        compare(p, LAYER, name, found.each[i]->data, found.each[i]->rows * found.each[i]->cols, 0);
    }
    gradients_compare(p);
}

static void found_start(const parity *p) {
    const json_t *single = json_object_get(p->info, "torch_float32");
    memset(&found, 0, sizeof found);
    for (int g = 0; g < GROUPS; g++) {
        found.allowed[g] = TOLERANCE;
        if (json_is_true(json_object_get(p->info, "real_base")))
            found.allowed[g] = fmax(TOLERANCE, 2 * parity_number(single, noted[g]));
    }
}

static void run_case(void **state) {
    parity p;
    parity_open(&p, *state, WF_DTYPE_F32);
    found_start(&p);
    watched_pass(&p);
    const int steps = (int)parity_number(p.info, "steps");
    for (int step = 1; step <= steps; step++) {
        const wf_value *logits, *loss;
        parity_gradient(&p, found.each, &logits, &loss);
        if (step == 1) first_compare(&p, logits, loss);
        const double norm = parity_step(&p);
        if (step == 1 && parity_number(p.info, "max_grad_norm") > 0)
            compare(&p, GRAD, "grad_norm", (float[]){(float)norm}, 1, 0);
    }
    steps_compare(&p);
    const char *hand_over = getenv("WEFT_PARITY_WRITE");
    if (hand_over && p.model == p.base) parts_write(&p, hand_over, parity_forward(&p, false, NULL));
    if (getenv("WEFT_PARITY_VERBOSE")) {
        print_message("%-32s", wfi_path_base(p.dir));
        for (int g = 0; g <= STEP; g++) print_message(" %s %.1e", groups[g], found.worst[g]);
        print_message("\n");
    }
    const int failures = found.failures;
    parity_close(&p);
    if (failures) fail_msg("%d tensors differ by more than is allowed", failures);
}

int main(void) {
    return parity_main("parity", run_case);
}
