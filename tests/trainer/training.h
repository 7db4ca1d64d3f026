/* tests/trainer/training.h - an adapter and a head on the tiny base with a small task, ready to be trained. */
#ifndef WF_TESTS_TRAINING_H
#define WF_TESTS_TRAINING_H
#include "adapters/adapter.h"
#include "tiny_run.h"
#include "trainer/trainer.h"

typedef struct training_sizes {
    int train, dev;
    bool still;         /* no dropout anywhere */
    bool head_only;     /* no adapter */
    const char *method; /* NULL: seq_bn */
} training_sizes;

typedef struct training {
    tiny_run run;
    wf_adapter *adapter;
    wf_tokenizer *tokenizer;
    wf_task *task;
    wf_encoded train, dev;
    wf_pset *sets[2]; /* adapter and head; a head alone: head */
    size_t set_count;
    wf_train_result result;
    wf_train_event_fn event; /* called with this struct for every step; NULL: none */
    int notes;
    char note[64][200];
    int64_t stop_at; /* cancel after this step; 0: never */
} training;

static inline void training_open(training *t, const training_sizes *s) {
    static const training_sizes plain = {.train = 24, .dev = 12};
    if (!s) s = &plain;
    const wf_head_spec head = {.kind = WF_KIND_CLASSIFICATION,
                               .classes = 2,
                               .layers = 2,
                               .hidden_size = TINY_HIDDEN,
                               .pooling = WF_POOL_MEAN,
                               .dropout = s->still ? 0.0f : 0.1f};
    *t = (training){0};
    tiny_run_open(&t->run, &head);
    char data[320];
    snprintf(data, sizeof data, "%s/../data", t->run.dir);
    tiny_task(data, 5, s->train, s->dev, 4);
    check_ok(wfi_tokenizer_open(t->run.dir, &t->tokenizer, err));
    check_ok(wfi_task_read("t", data, &(wf_task_options){0}, &t->task, err));
    check_ok(wfi_encode(t->tokenizer, &t->task->train, t->task, 32, &t->train, err));
    check_ok(wfi_encode(t->tokenizer, &t->task->dev, t->task, 32, &t->dev, err));
    if (!s->head_only) {
        check_ok(wfi_adapter_new("a", s->method ? s->method : "seq_bn[reduction_factor=4]", &t->run.shape, 3,
                                 &t->adapter, err));
        t->run.context->adapter = t->adapter;
        t->sets[t->set_count++] = &t->adapter->params;
    }
    t->sets[t->set_count++] = &t->run.head->params;
    t->run.context->base_dropout = !s->still;
    for (size_t i = 0; i < t->set_count; i++) check_ok(wfi_pset_trainable(t->sets[i], true, err));
}

static inline void training_close(training *t) {
    wfi_encoded_clear(&t->train);
    wfi_encoded_clear(&t->dev);
    wfi_task_free(t->task);
    wfi_tokenizer_free(t->tokenizer);
    t->run.context->adapter = NULL;
    wfi_adapter_free(t->adapter);
    tiny_run_close(&t->run);
}

static inline wf_train_options training_options(void) {
    return (wf_train_options){.epochs = 3,
                              .lr = 2e-3,
                              .warmup_share = 0.1,
                              .max_grad_norm = 1,
                              .schedule = WF_SCHEDULE_LINEAR,
                              .batch_rows = 8,
                              .batch_tokens = 4096,
                              .accumulate = 1,
                              .patience = -1,
                              .metric = "accuracy",
                              .seed = 4,
                              .checkpoint_seconds = 1e9,
                              .identity = "this run"};
}

static inline int training_event(const wf_train_event *e, void *user) {
    training *t = user;
    if (e->note && t->notes < 64) snprintf(t->note[t->notes++], sizeof t->note[0], "%s", e->note);
    if (t->event && t->event(e, t)) return 1;
    return t->stop_at && !e->note && e->step >= t->stop_at;
}

static inline wf_status training_run(training *t, const wf_train_options *o, wf_err *err) {
    return wfi_train(t->run.context, t->sets, t->set_count, &t->train, &t->dev, o, training_event, t, &t->result, err);
}

static inline void training_same(const training *a, const training *b) {
    for (size_t i = 0; i < a->set_count; i++)
        assert_memory_equal(a->sets[i]->data, b->sets[i]->data, (size_t)a->sets[i]->total * sizeof(float));
}
#endif
