/* The arithmetic a work is said to need, against sums made by hand for the tiny base: H 32, F 64, 2 layers, texts of 8
 * tokens. Products of one layer: 2 (4 H H + 2 H F) = 16384; attention 4 L H = 1024; head (2 H H + 2 H 2) / 8 = 272. */
#include "bench/bench.h"
#include "tiny.h"
#include <math.h>

enum { LAYER = 16384, SQUARE = 2048, ATTENTION = 1024, HEAD = 272 };

static char top[256];
static wf_bench_state b;
static wf_lab lab = {.threads = 1};
static const wf_bench_spec spec = {.size = NULL};

static int setup(void **state) {
    (void)state;
    char dir[300];
    wf_encoded *e = &b.texts;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    snprintf(dir, sizeof dir, "%s/base", top);
    tiny_base(dir);
    b = (wf_bench_state){.lab = &lab, .spec = &spec, .pooling = WF_POOL_MEAN, .base_name = "tiny"};
    check_ok(wfi_bert_open(dir, &b.models[0], err));
    static int32_t ids[8], label[1];
    static uint8_t types[8];
    static int64_t offsets[] = {0, 8}, first[] = {0, 1};
    *e = (wf_encoded){1, 1, ids, types, offsets, first, label, .label_count = 2};
    b.mean_attended = wfi_bench_attended(e);
    assert_true(b.mean_attended == 8);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    for (size_t i = 0; i < b.pool_count; i++) wfi_adapter_free(b.pool[i]);
    wfi_bert_free(b.models[0]);
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

static void counts(wf_bench_work w, double base, double rest) {
    wf_bench_running r;
    w.batch_rows = 1;
    check_ok(wfi_bench_open(&b, &w, &r, err));
    if (r.base_flop != base || r.rest_flop != rest)
        fail_msg("kind %d parts %d: %g and %g, not %g and %g", w.kind, w.parts, r.base_flop, r.rest_flop, base, rest);
    wfi_bench_close(&r);
}

static void test_inference(void **state) {
    (void)state;
    counts((wf_bench_work){.kind = BENCH_INFER, .parts = BENCH_PLAIN}, 2 * LAYER, 2 * ATTENTION + HEAD);
    /* two products of [32,2] a layer */
    counts((wf_bench_work){.kind = BENCH_INFER, .parts = BENCH_ADAPTER, .method = "seq_bn"}, 2 * LAYER,
           2 * ATTENTION + HEAD + 2 * 2 * 128);
    /* a layer: down [32,4], scores and mix [32,6]; the matrices are multiplied in once for all */
    counts((wf_bench_work){.kind = BENCH_INFER, .parts = BENCH_FUSE, .fused = 2}, 2 * LAYER,
           2 * ATTENTION + HEAD + 2 * (256 + 384 + 384));
}

static void test_training(void **state) {
    (void)state;
    counts((wf_bench_work){.kind = BENCH_TRAIN, .parts = BENCH_FULL}, 3 * 2 * LAYER, 3 * (2 * ATTENTION + HEAD));
    /* the base runs in inference; the head's first layer needs no input gradient: (2 * 2048 + 3 * 128) / 8 */
    counts((wf_bench_work){.kind = BENCH_TRAIN, .parts = BENCH_HEAD}, 2 * LAYER, 2 * ATTENTION + 560);
    /* Nothing is trained below the first layer's adapter: only the second layer has input gradients. The first down
     * needs none, so 2 + 3 products there and 3 + 3 above. */
    counts((wf_bench_work){.kind = BENCH_TRAIN, .parts = BENCH_ADAPTER, .method = "seq_bn"}, 3 * LAYER,
           4 * ATTENTION + 3 * HEAD + 11 * 128);
    /* LoRA at Q and V: in the first layer Q, K, V need no input gradient, and K's is not needed at all (dV, dP, dQ: 512
     * each). A products of [32,8] below: 2, B: 3; above both 3. */
    counts((wf_bench_work){.kind = BENCH_TRAIN, .parts = BENCH_ADAPTER, .method = "lora[r=8]"},
           2 * LAYER - 3 * SQUARE + 2 * LAYER, ATTENTION + 3 * 512 + 3 * ATTENTION + 3 * HEAD + 2 * (5 + 6) * 512);
    /* Three matrices multiplied into 6 rows, [6,32,32] for 8 tokens, and 4 such products back; over the rows scores,
     * mix and three back, a fourth above. */
    const double into = 7 * 12288 / 8, first = 256 + 5 * 384 + into, second = 2 * 256 + 6 * 384 + into;
    counts((wf_bench_work){.kind = BENCH_TRAIN, .parts = BENCH_FUSE, .fused = 2}, 3 * LAYER,
           4 * ATTENTION + 3 * HEAD + first + second);
}

/* 6 seconds of products for a token: float32 and the base's own type each at the fastest maker, of the team that works.
 */
static void test_share(void **state) {
    (void)state;
    wf_bench_state two = {.team_count = 2};
    wf_bench_work w = {.dtype = WF_DTYPE_I8};
    const wf_bench_running r = {.work = &w, .base_flop = 80, .rest_flop = 20};
    bool beyond = true;
    static const double flops[2][BENCH_PEAKS] = {{10, 0, 10, 20}, {5, 0, 20, 8}};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < BENCH_PEAKS; k++)
            two.teams[i].peaks[k] = (wf_bench_peak){.dtype = k == 0   ? WF_DTYPE_F32
                                                             : k == 1 ? WF_DTYPE_BF16
                                                                      : WF_DTYPE_I8,
                                                    .flops = flops[i][k]};
    two.teams[0].threads = 8;
    two.teams[1].threads = 1;
    assert_true(fabs(wfi_bench_share(&two, &r, 0.1, &beyond) - 0.6) < 1e-12 && !beyond);
    assert_true(fabs(wfi_bench_share(&two, &r, 0.174, &beyond) - 1.044) < 1e-12 && !beyond);
    assert_true(isnan(wfi_bench_share(&two, &r, 0.176, &beyond)) && beyond);
    w.threads = 1;
    assert_true(fabs(wfi_bench_share(&two, &r, 0.1, &beyond) - 0.8) < 1e-12 && !beyond);
    w.dtype = WF_DTYPE_BF16; /* not measured here */
    assert_true(isnan(wfi_bench_share(&two, &r, 100, &beyond)) && !beyond);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_inference), cmocka_unit_test(test_training),
                                       cmocka_unit_test(test_share)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
