/* trainer/trainer.h - the training loop: batches, steps, dev evaluation, early stop, checkpoints, resume. Layer 9.
 *
 * Everything random is a function of (seed, purpose, step), batches of (seed, epoch): a run broken off at any step and
 * resumed from its checkpoint makes the same bits as an unbroken one with the same thread count. Follows Loshchilov &
 * Hutter 2019 (AdamW) and the warm-up schedules of the transformers library.
 *
 * One task or several (joint training): every batch is of one task and goes through its head; what all share (an
 * adapter, or the whole base) learns from all. An epoch has as many batches as one pass over each task. */
#ifndef WF_TRAINER_TRAINER_H
#define WF_TRAINER_TRAINER_H
#include "engine/context.h"
#include "joint/weighing.h"
#include "metrics/metrics.h"
#include "optim/optim.h"
#include "optim/schedule.h"

typedef struct wf_train_options {
    double epochs, lr, weight_decay, warmup_share, max_grad_norm; /* max_grad_norm 0: no clipping */
    double average; /* decay of the running mean of the trained values that is judged and kept (average.h); 0: none */
    float label_smoothing;
    float focal;      /* gamma of the focal loss (classes only; no label smoothing then); 0: cross-entropy */
    double agreement; /* R-Drop's alpha: every row twice a batch, under two draws of dropout (classes only); 0: once */
    double mixout; /* chance that a value is that of the start for a step (mixout.h); heads are not pulled; 0: none */
    double class_evenness;      /* rows drawn by class (batch.h); 0: each row once an epoch */
    const float *class_weights; /* [classes] or NULL */
    int schedule;               /* kind of wf_schedule */
    int64_t batch_rows, batch_tokens, accumulate;
    int patience; /* so many evaluations on dev may pass without a better score, the next one stops; -1: never. Dev is
                   * judged after each epoch, or every few epochs where it has more tokens than the training part */
    const char *metric; /* that selects the best state */
    uint64_t seed;
    const char *checkpoint;    /* file; NULL: none */
    double checkpoint_seconds; /* between checkpoints inside an epoch, at least; all but the last take a twentieth of
                                  the time, at most */
    size_t cache_memory;       /* bytes of memory that stems may take; 0: no stems are kept */
    const char *cache_dir;     /* folder for a nameless file with what is beyond; NULL: then they must fit */
    char identity[65];         /* hash of everything that fixes the run; a checkpoint of another identity is refused */
    wf_sampling sampling;      /* of several tasks */
    wf_weighing weighing;
} wf_train_options;

typedef struct wf_train_task { /* one of several */
    const char *name;
    const wf_head *head;
    size_t head_set; /* which of the parameter sets is this head's; it rests in steps without a batch of the task */
    const wf_encoded *train, *dev;
    const float *class_weights; /* [classes] or NULL */
    const char *metric;
} wf_train_task;

typedef struct wf_train_event { /* of one step */
    int64_t step, total_steps, tokens;
    double loss, tokens_per_second, seconds_left;
    const char *note;             /* at the end of an epoch: its dev score; else NULL */
    int64_t prepared, to_prepare; /* rows, while stems are made before the first step; else 0 */
} wf_train_event;
typedef int (*wf_train_event_fn)(const wf_train_event *e, void *user); /* nonzero: stop, keeping the checkpoint */

typedef struct wf_train_result {
    int64_t steps, tokens, best_epoch, epochs_done;
    double wall_seconds, cpu_seconds, train_loss, best_score;
    bool stopped_early;
    /* Held at most, counted: values, gradients, moments and kept states of what is trained, the adapters it fuses, the
     * step's arena at its largest, features and stems in memory. Without the base's weights, which every training on it
     * shares, the texts' tokens, and what libraries take for themselves. */
    int64_t memory_bytes;
    struct { /* stems that were kept (0: none) */
        int64_t train_rows, dev_rows;
        size_t memory_bytes, disk_bytes;
    } cache;
    struct { /* by task */
        int64_t batches;
        double factor; /* that its loss had in the end */
    } task[WF_JOINT_TASKS];
} wf_train_result;

/* Trains what in `sets` is trainable; the context's head gives the loss, its fusion the penalty. dev may have 0 rows:
 * the last state stays. On return the sets hold the best state. WF_E_CANCELLED when the callback asked; the checkpoint
 * stays. On success the checkpoint file is left for the caller to delete.
 * With cache_memory, what the base makes of a row below the lowest trained part is computed once: of dev, and of train
 * where the base drops nothing; either where it is read more than once. Where there is no room for it a note says so
 * and the run goes on without. Parts that have a stem already keep it. */
wf_status wfi_train(wf_context *c, wf_pset *const *sets, size_t set_count, const wf_encoded *train,
                    const wf_encoded *dev, const wf_train_options *options, wf_train_event_fn event, void *user,
                    wf_train_result *out, wf_err *err);
/* The same for several tasks, at most WF_JOINT_TASKS: class_weights and metric of the options are not used, the state
 * with the best mean of the tasks' dev scores stays. Sets that are no task's head are shared. On return the context has
 * the first task's head. */
wf_status wfi_train_joint(wf_context *c, wf_pset *const *sets, size_t set_count, const wf_train_task *tasks,
                          size_t task_count, const wf_train_options *options, wf_train_event_fn event, void *user,
                          wf_train_result *out, wf_err *err);

enum { WF_EVAL_ROWS = 256, WF_EVAL_TOKENS = 4096 }; /* a batch in inference, at most */
/* Runs the base (and adapters) over all sequences of `e` once and keeps what the head starts from in e->pooled:
 * training a head alone over a frozen base without dropout then costs next to nothing. */
wf_status wfi_features_make(wf_context *c, wf_encoded *e, wf_err *err);
/* The same for the rows below the lowest adapter or fusion of the context, into e->stem (data/stem.h). tick (may be
 * NULL): told the rows done; nonzero: WF_E_CANCELLED. */
typedef int (*wf_stem_tick_fn)(int64_t rows, int64_t total, void *user);
wf_status wfi_stem_make(wf_context *c, wf_encoded *e, size_t memory, const char *dir, wf_stem_tick_fn tick, void *user,
                        wf_err *err);

/* Runs the rows of `e` in inference. scores: [rows, classes] (or [rows] for regression), probabilities for classes,
 * logits for multi-label, -INFINITY behind the last choice of a row; wfi_free. classes: columns. */
typedef struct wf_outputs {
    float *scores;
    int32_t classes;
    size_t rows;
} wf_outputs;
wf_status wfi_evaluate_outputs(wf_context *c, const wf_encoded *e, int32_t classes, wf_outputs *out, wf_err *err);
void wfi_outputs_clear(wf_outputs *o);
/* The outputs beside the truth, for metrics; borrows from both. *target (NULL but for regression) is the caller's. */
wf_status wfi_outputs_judged(const wf_context *c, const wf_encoded *e, const wf_outputs *o, wf_predictions *out,
                             double **target, wf_err *err);
wf_status wfi_evaluate(wf_context *c, const wf_encoded *e, int32_t classes, int resamples, uint64_t seed,
                       wf_scores *out, wf_err *err);
#endif
