/* The arithmetic a work is said to need, against the products that one pass of the engine really runs: the linker puts
 * the functions below in front of the product functions (--wrap), and they count. */
#include "bench/bench.h"
#include "kernels/gemm.h"
#include "tiny.h"
#include <math.h>

enum { TOKENS = 8, TEXTS = 4, T = TOKENS * TEXTS, ONE = 2 * 8 * TINY_HIDDEN /* an attention product, a token */ };

/* ---- what counts ---- */

static double executed[2]; /* in float32; in bfloat16 */
static struct {
    const wf_packed *p;
    int64_t k, n;
    bool half;
} packs[512];
static size_t pack_count;

wf_status __real_wfi_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                          const float *b, int64_t ldb, float beta, float *c, int64_t ldc, wf_err *e);
wf_status __wrap_wfi_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                          const float *b, int64_t ldb, float beta, float *c, int64_t ldc, wf_err *e);
wf_status __real_wfi_gemm_bf16(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                               const float *b, int64_t ldb, const float *bias, float beta, float *c, int64_t ldc,
                               wf_err *e);
wf_status __wrap_wfi_gemm_bf16(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                               const float *b, int64_t ldb, const float *bias, float beta, float *c, int64_t ldc,
                               wf_err *e);
wf_status __real_wfi_packed_new(bool tb, int64_t k, int64_t n, const float *b, int64_t ldb, wf_dtype dtype,
                                wf_packed **out, wf_err *e);
wf_status __wrap_wfi_packed_new(bool tb, int64_t k, int64_t n, const float *b, int64_t ldb, wf_dtype dtype,
                                wf_packed **out, wf_err *e);
void __real_wfi_packed_free(wf_packed *p);
void __wrap_wfi_packed_free(wf_packed *p);
wf_status __real_wfi_packed_gemm(const wf_packed *p, int64_t m, const float *a, int64_t lda, const float *bias,
                                 float beta, float *c, int64_t ldc, wf_err *e);
wf_status __wrap_wfi_packed_gemm(const wf_packed *p, int64_t m, const float *a, int64_t lda, const float *bias,
                                 float beta, float *c, int64_t ldc, wf_err *e);
wf_status __real_wfi_packed_gemm_bf16(const wf_packed *p, int64_t m, const uint16_t *a, int64_t lda, const float *bias,
                                      float beta, float *c, int64_t ldc, wf_err *e);
wf_status __wrap_wfi_packed_gemm_bf16(const wf_packed *p, int64_t m, const uint16_t *a, int64_t lda, const float *bias,
                                      float beta, float *c, int64_t ldc, wf_err *e);

/* Products of a single row are those of biases. */
static void count(bool half, int64_t m, int64_t n, int64_t k) {
    if (m > 1) executed[half] += 2.0 * (double)m * (double)n * (double)k;
}

static void count_packed(const wf_packed *p, int64_t m) {
    for (size_t i = 0; i < pack_count; i++)
        if (packs[i].p == p) return count(packs[i].half, m, packs[i].n, packs[i].k);
    fail_msg("a packed matrix nobody made");
}

wf_status __wrap_wfi_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                          const float *b, int64_t ldb, float beta, float *c, int64_t ldc, wf_err *e) {
    count(false, m, n, k);
    return __real_wfi_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, e);
}

wf_status __wrap_wfi_gemm_bf16(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                               const float *b, int64_t ldb, const float *bias, float beta, float *c, int64_t ldc,
                               wf_err *e) {
    count(true, m, n, k);
    return __real_wfi_gemm_bf16(ta, tb, m, n, k, a, lda, b, ldb, bias, beta, c, ldc, e);
}

wf_status __wrap_wfi_packed_new(bool tb, int64_t k, int64_t n, const float *b, int64_t ldb, wf_dtype dtype,
                                wf_packed **out, wf_err *e) {
    const wf_status st = __real_wfi_packed_new(tb, k, n, b, ldb, dtype, out, e);
    assert_true(pack_count < sizeof packs / sizeof *packs);
    if (st != WF_OK) return st;
    packs[pack_count].p = *out;
    packs[pack_count].k = k;
    packs[pack_count].n = n;
    packs[pack_count++].half = dtype == WF_DTYPE_BF16;
    return st;
}

void __wrap_wfi_packed_free(wf_packed *p) {
    for (size_t i = 0; p && i < pack_count; i++)
        if (packs[i].p == p) packs[i--] = packs[--pack_count];
    __real_wfi_packed_free(p);
}

wf_status __wrap_wfi_packed_gemm(const wf_packed *p, int64_t m, const float *a, int64_t lda, const float *bias,
                                 float beta, float *c, int64_t ldc, wf_err *e) {
    count_packed(p, m);
    return __real_wfi_packed_gemm(p, m, a, lda, bias, beta, c, ldc, e);
}

wf_status __wrap_wfi_packed_gemm_bf16(const wf_packed *p, int64_t m, const uint16_t *a, int64_t lda, const float *bias,
                                      float beta, float *c, int64_t ldc, wf_err *e) {
    count_packed(p, m);
    return __real_wfi_packed_gemm_bf16(p, m, a, lda, bias, beta, c, ldc, e);
}

/* ---- what runs ---- */

static char top[256];
static wf_bench_state b;
static wf_lab lab = {.threads = 1};
static const wf_bench_spec spec = {.size = NULL};

static int setup(void **state) {
    (void)state;
    static int32_t ids[T], label[TEXTS];
    static float target[TEXTS];
    static uint8_t types[T];
    static int64_t offsets[TEXTS + 1], first[TEXTS + 1];
    char dir[300];
    snprintf(top, sizeof top, "%s", check_temp_dir());
    snprintf(dir, sizeof dir, "%s/base", top);
    tiny_base(dir);
    b = (wf_bench_state){.lab = &lab, .spec = &spec, .pooling = WF_POOL_MEAN, .base_name = "tiny"};
    for (int i = 0; i < 2; i++) check_ok(wfi_bert_open(dir, &b.models[i], err));
    for (int i = 1; i <= TEXTS; i++) offsets[i] = TOKENS * i, first[i] = i;
    b.texts = (wf_encoded){TEXTS, TEXTS, ids, types, offsets, first, label, target, .label_count = 2};
    b.mean_attended = wfi_bench_attended(&b.texts);
    return 0;
}

static void pool_clear(void) {
    for (size_t i = 0; i < b.pool_count; i++) wfi_adapter_free(b.pool[i]);
    b.pool_count = 0;
}

static int teardown(void **state) {
    (void)state;
    pool_clear();
    for (int i = 0; i < 2; i++) wfi_bert_free(b.models[i]);
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

static void pass_run(const wf_bench_running *r) {
    static const int64_t rows[TEXTS] = {0, 1, 2, 3};
    wf_context *c = r->subject.context;
    wf_batch batch = {0};
    wf_err e = {0};
    const bool training = r->work->kind == BENCH_TRAIN;
    check_ok(wfi_batch_fill(&batch, &b.texts, rows, TEXTS, err));
    wf_value *logits = wfi_context_forward(c, &batch, training, 1, NULL, &e);
    if (!logits) fail_msg("%s", e.text);
    if (training) {
        const wf_pass pass = {.tape = c->tape, .S = batch.S, .offsets = batch.offsets, .key = 1};
        wf_value *loss = wfi_head_loss(r->subject.head, &pass, logits, &batch, &(wf_loss_options){0});
        check_ok(wfi_tape_backward(c->tape, loss, 1, err));
    }
    wfi_batch_clear(&batch);
}

/* apart: what a token takes outside of the product functions, which is all that is counted by hand here. */
static void agrees(wf_bench_work w, double apart) {
    wf_bench_running r;
    w.batch_rows = TEXTS;
    w.dtype = WF_DTYPE_BF16;
    check_ok(wfi_bench_open(&b, &w, &r, err));
    pass_run(&r); /* makes what frozen parts are multiplied into */
    executed[0] = executed[1] = 0;
    pass_run(&r);
    const double base = executed[1] / T, rest = executed[0] / T + apart;
    if (fabs(base - r.base_flop) > 1e-6 || fabs(rest - r.rest_flop) > 1e-6)
        fail_msg("%s %d, %lld fused: said to take %g and %g a token, took %g and %g", w.method, (int)w.kind,
                 (long long)w.fused, r.base_flop, r.rest_flop, base, rest);
    wfi_bench_close(&r);
}

static void test_adapters(void **state) {
    (void)state;
    static const char *const methods[] = {"seq_bn", "double_seq_bn", "par_bn", "scaled_par_bn",
                                          "adapter_plus[reduction_factor=8]"};
    agrees((wf_bench_work){.kind = BENCH_INFER, .parts = BENCH_PLAIN}, 2 * 2 * ONE);
    agrees((wf_bench_work){.kind = BENCH_TRAIN, .parts = BENCH_FULL}, 2 * 6 * ONE);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        wf_bench_work w = {.kind = BENCH_INFER, .parts = BENCH_ADAPTER};
        snprintf(w.method, sizeof w.method, "%s", methods[i]);
        agrees(w, 2 * 2 * ONE);
        w.kind = BENCH_TRAIN;
        agrees(w, (2 + 6) * ONE); /* below the first adapter nothing goes back */
    }
    agrees((wf_bench_work){.kind = BENCH_INFER, .parts = BENCH_ADAPTER, .method = "lora"}, 2 * 2 * ONE);
    agrees((wf_bench_work){.kind = BENCH_TRAIN, .parts = BENCH_ADAPTER, .method = "lora"}, (5 + 6) * ONE);
}

/* 2 and 8 fused: compact, 6 and 24 rows of the stack for 32 tokens; 16: the bottleneck form. */
static void test_fusions(void **state) {
    (void)state;
    for (int64_t n = 2; n <= 32; n *= 2) {
        agrees((wf_bench_work){.kind = BENCH_INFER, .parts = BENCH_FUSE, .fused = n}, 2 * 2 * ONE);
        agrees((wf_bench_work){.kind = BENCH_TRAIN, .parts = BENCH_FUSE, .fused = n}, (2 + 6) * ONE);
    }
}

/* Wide adapters: scores and mix are loops over [T,N,d], in training twice more. */
static void test_full_form(void **state) {
    (void)state;
    const wf_base_shape shape = wfi_context_shape(b.models[0]);
    const double each = 2 * 3 * TINY_HIDDEN;
    pool_clear();
    for (; b.pool_count < 3; b.pool_count++) {
        char name[] = "wide0";
        name[4] = (char)('0' + b.pool_count);
        check_ok(wfi_adapter_new(name, "seq_bn[reduction_factor=0.25]", &shape, 1, &b.pool[b.pool_count], err));
    }
    agrees((wf_bench_work){.kind = BENCH_INFER, .parts = BENCH_FUSE, .fused = 3}, 2 * 2 * ONE + 2 * 2 * each);
    agrees((wf_bench_work){.kind = BENCH_TRAIN, .parts = BENCH_FUSE, .fused = 3}, (2 + 6) * ONE + 2 * 4 * each);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_adapters), cmocka_unit_test(test_fusions),
                                       cmocka_unit_test(test_full_form)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
