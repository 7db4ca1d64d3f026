/* What the layers below the lowest trained part make of the rows, computed once: the same training as without, in
 * memory and on disk, for every kind of cut; where it must not be used; resumed; and without room for it.
 *
 * Bits: a stem is made in the batches of an evaluation, so dev gives the same bits at every instruction level. Training
 * batches are others: they give the same bits where the product of a row does not depend on how many rows there are,
 * which is looked at here; elsewhere (oneDNN below AVX-512) rounding differs by about 1e-7, which AdamW divides by the
 * gradient's own size: 2 % of the learning rate a step, as for accumulation. */
#include "fusion/fusion.h"
#include "kernels/gemm.h"
#include "training.h"
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

enum { ROW_BYTES = TINY_HIDDEN * sizeof(float) }; /* of a token in one part */

static const training_sizes STILL = {.train = 40, .dev = 12, .still = true};

static const struct {
    const char *method;
    int depth;
} CUTS[] = {{"seq_bn[reduction_factor=4]", 3},
            {"par_bn[reduction_factor=4]", 3},
            {"double_seq_bn[reduction_factor=4]", 1},
            {"lora[r=4,selfattn_lora=false,intermediate_lora=true]", 2},
            {"lora[r=4,selfattn_lora=false,output_lora=true]", 2},
            {"lora[r=4,leave_out=[0]]", 4},
            {"double_seq_bn[reduction_factor=4,leave_out=[0]]", 5},
            {"seq_bn[reduction_factor=4,leave_out=[0]]", 7}};
enum { CUT_COUNT = sizeof CUTS / sizeof *CUTS };

static char folder[256];

static int setup(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "%s", check_temp_dir());
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return wfi_tree_remove(folder, NULL) == WF_OK ? 0 : 1;
}

static void folder_is_empty(void) {
    char **names = NULL;
    size_t count = 0;
    check_ok(wfi_dir_list(folder, &names, &count, err));
    assert_int_equal(0, count);
    wfi_names_free(names, count);
}

static int64_t tokens_of(const wf_encoded *e) {
    return e->offsets[e->sequences];
}

static float farthest(const wf_pset *a, const wf_pset *b) {
    float most = 0;
    for (int64_t i = 0; i < a->total; i++) most = fmaxf(most, fabsf(a->data[i] - b->data[i]));
    return most;
}

/* Whether the rows of a product are the same bits in every number of rows that the trainings here can have. */
static bool rows_stand_alone(void) {
    enum { ROWS = 400, WIDEST = 64 };
    static const int64_t sizes[][2] = {{TINY_HIDDEN, TINY_HIDDEN}, {TINY_HIDDEN, TINY_FFN}, {TINY_FFN, TINY_HIDDEN}};
    static float a[ROWS * WIDEST], b[WIDEST * WIDEST], whole[ROWS * WIDEST], some[ROWS * WIDEST];
    for (uint64_t i = 0; i < ROWS * WIDEST; i++) a[i] = wfi_random_normal(1, i);
    for (uint64_t i = 0; i < WIDEST * WIDEST; i++) b[i] = wfi_random_normal(2, i);
    bool same = true;
    for (int k = 0; k < 3; k++) {
        const int64_t in = sizes[k][0], out = sizes[k][1];
        wf_packed *p = NULL;
        check_ok(wfi_packed_new(true, in, out, b, in, WF_DTYPE_F32, &p, err));
        check_ok(wfi_packed_gemm(p, ROWS, a, in, b, 0.0f, whole, out, err));
        for (int64_t m = 1; m < ROWS && same; m++) {
            const int64_t from = m * 7 % (ROWS - m);
            check_ok(wfi_packed_gemm(p, m, a + from * in, in, b, 0, some, out, err));
            same = memcmp(some, whole + from * out, (size_t)(m * out) * sizeof *some) == 0;
        }
        wfi_packed_free(p);
    }
    return same;
}

static void same_training(const training *a, const training *b, const wf_train_options *o) {
    static int alone = -1;
    if (alone < 0) alone = rows_stand_alone();
    assert_int_equal(a->result.steps, b->result.steps);
    assert_int_equal(a->result.tokens, b->result.tokens);
    if (alone) {
        training_same(a, b);
        assert_true(a->result.train_loss == b->result.train_loss);
        assert_int_equal(a->notes, b->notes);
        for (int i = 0; i < a->notes; i++) assert_string_equal(a->note[i], b->note[i]);
        return;
    }
    for (size_t i = 0; i < a->set_count; i++)
        assert_true(farthest(a->sets[i], b->sets[i]) < 0.02f * (float)a->result.steps * (float)o->lr);
    assert_true(fabs(a->result.train_loss - b->result.train_loss) < 1e-3);
}

/* ---- the same training ---- */

static void test_cuts(void **state) {
    (void)state;
    for (int k = 0; k < CUT_COUNT; k++) {
        training plain, memory, disk;
        training *const all[] = {&plain, &memory, &disk};
        const training_sizes sizes = {.train = 40, .dev = 12, .still = true, .method = CUTS[k].method};
        wf_train_options o = training_options();
        for (int i = 0; i < 3; i++) training_open(all[i], &sizes);
        assert_int_equal(CUTS[k].depth, wfi_context_depth(plain.run.context));
        const size_t parts = CUTS[k].depth % 2 ? 2 : 1, dev = (size_t)tokens_of(&plain.dev) * parts * ROW_BYTES,
                     train = (size_t)tokens_of(&plain.train) * parts * ROW_BYTES;
        check_ok(training_run(&plain, &o, err));
        assert_true(plain.result.cache.train_rows == 0 && plain.result.cache.memory_bytes == 0);
        o.cache_memory = (size_t)1 << 24;
        check_ok(training_run(&memory, &o, err));
        assert_int_equal(40, memory.result.cache.train_rows);
        assert_int_equal(12, memory.result.cache.dev_rows);
        assert_int_equal(train + dev, memory.result.cache.memory_bytes);
        assert_int_equal(0, memory.result.cache.disk_bytes);
        same_training(&plain, &memory, &o);
        o.cache_dir = folder;
        o.cache_memory = 1;
        check_ok(training_run(&disk, &o, err));
        assert_int_equal(0, disk.result.cache.memory_bytes);
        assert_int_equal(train + dev, disk.result.cache.disk_bytes);
        folder_is_empty(); /* the files have no names */
        training_same(&memory, &disk);
        for (int i = 0; i < 3; i++) training_close(all[i]);
    }
}

typedef struct fused { /* a fusion of two frozen adapters, in place of the one of a training */
    training t;
    wf_adapter *adapters[2];
    wf_fusion *fusion;
} fused;

static void fused_open(fused *f, const char *method) {
    training_sizes sizes = STILL;
    sizes.head_only = true;
    training_open(&f->t, &sizes);
    check_ok(wfi_adapter_new("p", method, &f->t.run.shape, 5, &f->adapters[0], err));
    check_ok(wfi_adapter_new("q", method, &f->t.run.shape, 6, &f->adapters[1], err));
    for (int i = 0; i < 2; i++) tiny_shake(&f->adapters[i]->params, 7, 0.2f);
    check_ok(wfi_fusion_new("f", "dynamic[dropout_prob=0]", f->adapters, 2, &f->t.run.shape, 3, &f->fusion, err));
    check_ok(wfi_pset_trainable(&f->fusion->params, true, err));
    f->t.run.context->fusion = f->fusion;
    f->t.sets[f->t.set_count++] = &f->fusion->params;
}

static void fused_close(fused *f) {
    training_close(&f->t);
    wfi_fusion_free(f->fusion);
    for (int i = 0; i < 2; i++) wfi_adapter_free(f->adapters[i]);
}

static void test_fusion(void **state) {
    (void)state;
    static const char *const methods[] = {"seq_bn[reduction_factor=4]", "seq_bn[reduction_factor=4,leave_out=[0]]"};
    for (int k = 0; k < 2; k++) {
        fused plain, kept;
        wf_train_options o = training_options();
        fused_open(&plain, methods[k]);
        fused_open(&kept, methods[k]);
        assert_int_equal(k ? 7 : 3, wfi_context_depth(plain.t.run.context));
        check_ok(training_run(&plain.t, &o, err));
        o.cache_memory = (size_t)1 << 24;
        check_ok(training_run(&kept.t, &o, err));
        assert_int_equal(STILL.train, kept.t.result.cache.train_rows);
        same_training(&plain.t, &kept.t, &o);
        fused_close(&plain);
        fused_close(&kept);
    }
}

/* Rows of two sequences each, and batches in any order: the logits of the whole pass. */
static void test_rows_of_several_sequences(void **state) {
    (void)state;
    static const int64_t rows[] = {3, 17, 0, 9, 12};
    training t;
    training_open(&t, &STILL);
    wf_encoded *e = &t.train;
    e->rows /= 2;
    for (size_t r = 0; r <= e->rows; r++) e->first[r] = (int64_t)(2 * r);
    check_ok(wfi_stem_make(t.run.context, e, 10000, folder, NULL, NULL, err));
    assert_true(wfi_stem_memory_bytes(e->stem) > 0 && wfi_stem_disk_bytes(e->stem) > 0);
    wf_batch b = {0};
    check_ok(wfi_batch_fill(&b, e, rows, 5, err));
    assert_ptr_equal(e->stem, b.stem);
    float with[20];
    wf_err error = {0};
    const wf_value *v = wfi_context_forward(t.run.context, &b, true, 1, NULL, &error);
    assert_non_null(v);
    assert_int_equal(10, v->rows);
    memcpy(with, v->data, sizeof with);
    memset(b.ids, 0, (size_t)b.T * sizeof *b.ids); /* it starts from the stem, not from here */
    v = wfi_context_forward(t.run.context, &b, true, 1, NULL, &error);
    assert_memory_equal(with, v->data, sizeof with);
    check_ok(wfi_batch_fill(&b, e, rows, 5, err));
    b.stem = NULL;
    v = wfi_context_forward(t.run.context, &b, true, 1, NULL, &error);
    for (int i = 0; i < 20; i++) assert_true(fabsf(with[i] - v->data[i]) < 1e-5f);
    wfi_batch_clear(&b);
    training_close(&t);
}

/* ---- where it must not be used ---- */

/* The base drops values: train runs as ever, dev from its stem, and not a bit differs. */
static void test_dropout(void **state) {
    (void)state;
    training plain, kept;
    training_open(&plain, NULL);
    training_open(&kept, NULL);
    wf_train_options o = training_options();
    check_ok(training_run(&plain, &o, err));
    o.cache_memory = (size_t)1 << 24;
    check_ok(training_run(&kept, &o, err));
    assert_int_equal(0, kept.result.cache.train_rows);
    assert_int_equal(12, kept.result.cache.dev_rows);
    assert_int_equal(plain.notes, kept.notes);
    for (int i = 0; i < plain.notes; i++) assert_string_equal(plain.note[i], kept.note[i]);
    training_same(&plain, &kept);
    /* Even when there is a stem, a pass that drops does not start from it. */
    check_ok(wfi_stem_make(kept.run.context, &kept.train, (size_t)1 << 24, NULL, NULL, NULL, err));
    wf_batch b = {0};
    wf_err error = {0};
    float first[2];
    check_ok(wfi_batch_fill(&b, &kept.train, (int64_t[]){1}, 1, err));
    memcpy(first, wfi_context_forward(kept.run.context, &b, true, 1, NULL, &error)->data, sizeof first);
    b.stem = NULL;
    assert_memory_equal(first, wfi_context_forward(kept.run.context, &b, true, 1, NULL, &error)->data, sizeof first);
    wfi_batch_clear(&b);
    training_close(&plain);
    training_close(&kept);
}

static void nothing_kept(training *t, const wf_train_options *o) {
    check_ok(training_run(t, o, err));
    assert_int_equal(0, t->result.cache.train_rows);
    assert_int_equal(0, t->result.cache.dev_rows);
}

/* Only embeddings below the cut; one epoch; the base itself is trained; a head over features. */
static void test_where_it_does_not_pay(void **state) {
    (void)state;
    training t;
    training_sizes sizes = STILL;
    wf_train_options o = training_options();
    o.cache_memory = (size_t)1 << 24;
    sizes.method = "lora[r=4]";
    training_open(&t, &sizes);
    assert_int_equal(0, wfi_context_depth(t.run.context));
    nothing_kept(&t, &o);
    training_close(&t);
    training_open(&t, &STILL);
    o.epochs = 1;
    nothing_kept(&t, &o);
    o.epochs = 2;
    wf_bert *copy = NULL;
    check_ok(wfi_bert_copy(t.run.base, WF_DTYPE_F32, &copy, err));
    check_ok(wfi_pset_trainable(&copy->params, true, err));
    t.run.context->model = copy;
    assert_int_equal(0, wfi_context_depth(t.run.context));
    t.run.context->model = t.run.base;
    wfi_bert_free(copy);
    training_close(&t);
    sizes = STILL;
    sizes.head_only = true;
    training_open(&t, &sizes);
    assert_int_equal(WF_BERT_PIECES * TINY_LAYERS, wfi_context_depth(t.run.context));
    check_ok(wfi_features_make(t.run.context, &t.train, err));
    check_ok(wfi_features_make(t.run.context, &t.dev, err));
    nothing_kept(&t, &o);
    training_close(&t);
}

/* A stem that reaches above the lowest adapter of a context is not used. */
static void test_deeper_than_the_setup(void **state) {
    (void)state;
    training deep, low;
    training_sizes sizes = STILL;
    sizes.method = "seq_bn[reduction_factor=4,leave_out=[0]]";
    training_open(&deep, &sizes);
    training_open(&low, &STILL);
    tiny_shake(&low.adapter->params, 9, 0.3f);
    check_ok(wfi_stem_make(deep.run.context, &low.train, (size_t)1 << 24, NULL, NULL, NULL, err));
    wf_batch b = {0};
    wf_err error = {0};
    float first[2];
    check_ok(wfi_batch_fill(&b, &low.train, (int64_t[]){1}, 1, err));
    memcpy(first, wfi_context_forward(low.run.context, &b, false, 1, NULL, &error)->data, sizeof first);
    b.stem = NULL;
    assert_memory_equal(first, wfi_context_forward(low.run.context, &b, false, 1, NULL, &error)->data, sizeof first);
    wf_bert_flow flow;
    check_status(WF_E_ARG, wfi_context_flow(low.run.context, &b, 4, &flow, err));
    wfi_batch_clear(&b);
    training_close(&deep);
    training_close(&low);
}

/* ---- broken off ---- */

/* Cancelled at every third step and resumed, with the parts made anew as by a new process: the bits of the unbroken
 * run, at every instruction level. */
static void test_resumed(void **state) {
    (void)state;
    training whole;
    char path[300];
    wf_train_options o = training_options();
    o.cache_memory = 20000; /* some in memory, some on disk */
    o.cache_dir = folder;
    training_open(&whole, &STILL);
    check_ok(training_run(&whole, &o, err));
    assert_true(whole.result.cache.memory_bytes > 0 && whole.result.cache.disk_bytes > 0);
    assert_true(whole.result.cache.memory_bytes <= o.cache_memory);
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    o.checkpoint = path;
    for (int64_t stop = 1; stop < whole.result.steps; stop += 3) {
        training t;
        training_open(&t, &STILL);
        t.stop_at = stop;
        check_status(WF_E_CANCELLED, training_run(&t, &o, err));
        training_close(&t);
        training_open(&t, &STILL);
        check_ok(training_run(&t, &o, err));
        training_same(&whole, &t);
        assert_true(whole.result.train_loss == t.result.train_loss);
        training_close(&t);
        assert_int_equal(0, remove(path));
        folder_is_empty();
    }
    training_close(&whole);
}

static int cancel_at_once(const wf_train_event *e, void *user) {
    training *t = user;
    assert_true(e->prepared > 0 && e->prepared <= e->to_prepare);
    return e->to_prepare == (int64_t)t->train.rows;
}

static void test_cancelled_while_preparing(void **state) {
    (void)state;
    training t;
    training_open(&t, &STILL);
    t.event = cancel_at_once;
    wf_train_options o = training_options();
    o.cache_memory = 1;
    o.cache_dir = folder;
    check_status(WF_E_CANCELLED, training_run(&t, &o, err));
    folder_is_empty();
    training_close(&t);
}

/* ---- without room ---- */

static void files_limit(rlim_t bytes) {
    struct rlimit r;
    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &r));
    r.rlim_cur = bytes < r.rlim_max ? bytes : r.rlim_max;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &r));
}

/* A note, and the training as without. limit: no file may be larger meanwhile. */
static void goes_on_without(const wf_train_options *o, rlim_t limit, const char *why) {
    training plain, t;
    wf_train_options none = *o;
    none.cache_memory = 0;
    training_open(&plain, &STILL);
    training_open(&t, &STILL);
    check_ok(training_run(&plain, &none, err));
    files_limit(limit);
    check_ok(training_run(&t, o, err));
    files_limit(RLIM_INFINITY);
    assert_true(t.result.cache.train_rows == 0 && t.result.cache.dev_rows == 0);
    assert_int_equal(plain.notes + 2, t.notes); /* dev and train */
    if (!strstr(t.note[0], "on dev: ") || !strstr(t.note[0], why)) fail_msg("%s", t.note[0]);
    if (!strstr(t.note[1], "on the training rows: ") || !strstr(t.note[1], why)) fail_msg("%s", t.note[1]);
    training_same(&plain, &t);
    training_close(&plain);
    training_close(&t);
}

static void test_no_room(void **state) {
    (void)state;
    char path[300];
    wf_train_options o = training_options();
    o.cache_memory = 1;
    goes_on_without(&o, RLIM_INFINITY, "larger than the memory it may take");
    snprintf(path, sizeof path, "%s/nowhere", folder);
    o.cache_dir = path;
    goes_on_without(&o, RLIM_INFINITY, "nowhere: No such file");
    o.cache_dir = "/dev/null";
    goes_on_without(&o, RLIM_INFINITY, "Not a directory");
    o.cache_dir = folder;
    signal(SIGXFSZ, SIG_IGN);
    goes_on_without(&o, 4096, "no room for a file");
    folder_is_empty();
}

int main(void) {
    wfi_threads_set(1); /* of nothing here is there enough for two */
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuts),
                                       cmocka_unit_test(test_fusion),
                                       cmocka_unit_test(test_rows_of_several_sequences),
                                       cmocka_unit_test(test_dropout),
                                       cmocka_unit_test(test_where_it_does_not_pay),
                                       cmocka_unit_test(test_deeper_than_the_setup),
                                       cmocka_unit_test(test_resumed),
                                       cmocka_unit_test(test_cancelled_while_preparing),
                                       cmocka_unit_test(test_no_room)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
