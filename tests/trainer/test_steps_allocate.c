/* The step loop takes nothing from the heap once its buffers are as large as its largest batch. Counted is what weft
 * allocates (base/alloc.h is its only door), not what oneDNN does inside. */
#include "base/alloc.h"
#include "kernels/kernels.h"
#include "training.h"

typedef struct counting {
    long before;   /* allocations at the step before; -1: none in this epoch yet */
    long later;    /* between steps of an epoch, but for those of the first one */
    int64_t steps; /* whose allocations are in `later` */
    int epochs;    /* that are over */
} counting;

static int count(const wf_train_event *e, void *user) {
    counting *c = user;
    const long now = wfi_alloc_count();
    if (e->note) {
        c->epochs++;
        c->before = -1; /* what comes until the next step is the epoch's own: dev, the order of its batches */
        return 0;
    }
    if (c->before >= 0 && c->epochs) {
        c->later += now - c->before;
        c->steps++;
    }
    c->before = now;
    return 0;
}

/* The rows are as long as one another but for a token or two: the first epoch has seen what the others need. */
static counting counted(training *t, int threads, double epochs) {
    counting c = {.before = -1};
    wf_train_options o = training_options();
    o.epochs = epochs;
    wfi_threads_set(threads);
    check_ok(wfi_train(t->run.context, t->sets, t->set_count, &t->train, &t->dev, &o, count, &c, &t->result, err));
    wfi_threads_set(1);
    assert_int_equal(epochs, c.epochs);
    return c;
}

static void check_none(training *t, const char *what) {
    for (int threads = 1; threads <= 2; threads++) {
        const counting c = counted(t, threads, 4);
        assert_int_equal(3 * 3, c.steps); /* four batches an epoch */
        if (c.later)
            fail_msg("%s, %d threads: %ld allocations in %lld steps", what, threads, c.later, (long long)c.steps);
    }
}

static const training_sizes sizes = {.train = 32, .dev = 12};
static const wf_dtype types[] = {WF_DTYPE_F32, WF_DTYPE_BF16, WF_DTYPE_I8};
enum { TYPES = sizeof types / sizeof *types };

/* Over the tiny base packed in a type. */
static wf_bert *base_open(training *t, wf_dtype type) {
    wf_bert *base = NULL;
    check_ok(wfi_bert_open(t->run.dir, &base, err));
    check_ok(wfi_bert_pack(base, true, type, err));
    t->run.context->model = base;
    return base;
}

static void base_close(training *t, wf_bert *base) {
    t->run.context->model = t->run.base;
    wfi_bert_free(base);
}

static void test_adapters(void **state) {
    (void)state;
    static const char *const methods[] = {"seq_bn", "double_seq_bn", "par_bn", "lora"};
    for (size_t k = 0; k < sizeof methods / sizeof *methods; k++)
        for (int i = 0; i < TYPES; i++) {
            training t;
            training_sizes s = sizes;
            s.method = methods[k];
            training_open(&t, &s);
            wf_bert *base = base_open(&t, types[i]);
            check_none(&t, methods[k]);
            base_close(&t, base);
            training_close(&t);
        }
}

static void test_fusion(void **state) {
    (void)state;
    for (int i = 0; i < TYPES; i++) {
        training t;
        wf_adapter *fused[3] = {0};
        wf_fusion *fusion = NULL;
        training_sizes s = sizes;
        s.head_only = true;
        training_open(&t, &s);
        wf_bert *base = base_open(&t, types[i]);
        for (int k = 0; k < 3; k++)
            check_ok(wfi_adapter_new((const char *[]){"a", "b", "c"}[k], "seq_bn", &t.run.shape, 3, &fused[k], err));
        check_ok(wfi_fusion_new(NULL, "dynamic", fused, 3, &t.run.shape, 3, &fusion, err));
        check_ok(wfi_pset_trainable(&fusion->params, true, err));
        t.run.context->fusion = fusion;
        t.sets[t.set_count++] = &fusion->params;
        check_none(&t, "fusion");
        t.run.context->fusion = NULL;
        wfi_fusion_free(fusion);
        for (int k = 0; k < 3; k++) wfi_adapter_free(fused[k]);
        base_close(&t, base);
        training_close(&t);
    }
}

static void test_full(void **state) {
    (void)state;
    training t;
    wf_bert *full = NULL;
    training_sizes s = sizes;
    s.head_only = true;
    training_open(&t, &s);
    check_ok(wfi_bert_copy(t.run.base, WF_DTYPE_F32, &full, err));
    check_ok(wfi_pset_trainable(&full->params, true, err));
    t.run.context->model = full;
    t.sets[t.set_count++] = &full->params;
    check_none(&t, "full");
    base_close(&t, full);
    training_close(&t);
}

/* The count itself: what is allocated in a step is seen. */
static int count_and_take(const wf_train_event *e, void *user) {
    if (!e->note) wfi_free(wfi_alloc(1, 1));
    return count(e, user);
}

static void test_count_sees(void **state) {
    (void)state;
    training t;
    training_open(&t, &sizes);
    counting c = {.before = -1};
    wf_train_options o = training_options();
    check_ok(wfi_train(t.run.context, t.sets, t.set_count, &t.train, &t.dev, &o, count_and_take, &c, &t.result, err));
    assert_int_equal(c.steps, c.later);
    training_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_adapters), cmocka_unit_test(test_fusion),
                                       cmocka_unit_test(test_full), cmocka_unit_test(test_count_sees)};
    return cmocka_run_group_tests_name("steps allocate", tests, NULL, NULL);
}
