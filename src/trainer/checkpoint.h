/* trainer/checkpoint.h - a training state in one file, written aside and renamed. Layer 9. Private to the trainer.
 * Layout: magic, version, sizes, identity, counters, then per set: its steps, values, first and second moments, best
 * values, running means where they are kept; SHA-256 last. */
#ifndef WF_TRAINER_CHECKPOINT_H
#define WF_TRAINER_CHECKPOINT_H
#include "trainer/trainer.h"

typedef struct wf_train_state { /* plain numbers, written as they are */
    int64_t step, epoch, batch, tokens, best_epoch, stale, stopped, loss_count;
    double best_score, best_tie, loss_sum, last_loss, wall_seconds, cpu_seconds;
    /* By task. pass, at: the batch that comes next, of which pass over its rows; drawn: batches so far. gap: what dev
     * lacks to the best score, now and when first judged; 0: not judged. */
    int64_t pass[WF_JOINT_TASKS], at[WF_JOINT_TASKS], drawn[WF_JOINT_TASKS];
    double gap[WF_JOINT_TASKS], first_gap[WF_JOINT_TASKS];
    wf_weigh_state weigh;
} wf_train_state;

size_t wfi_checkpoint_size(wf_pset *const *sets, size_t count, bool mean); /* bytes of the file */
/* mean: NULL where none is kept. */
wf_status wfi_checkpoint_save(const char *path, const char *identity, const wf_train_state *s, wf_pset *const *sets,
                              size_t count, wf_optim *optim, float *const *best, float *const *mean, wf_err *err);
/* *found false when there is no file. A damaged file or another identity is WF_E_DATA. */
wf_status wfi_checkpoint_load(const char *path, const char *identity, wf_train_state *s, wf_pset *const *sets,
                              size_t count, wf_optim *optim, float *const *best, float *const *mean, bool *found,
                              wf_err *err);
#endif
