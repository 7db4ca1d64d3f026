/* trainer/loop.h - the state of one run of the loop, and its pieces: which batch comes next, one step, stems, judging
 * on dev. Private to the trainer. Layer 9. */
#ifndef WF_TRAINER_LOOP_H
#define WF_TRAINER_LOOP_H
#include "trainer/average.h"
#include "trainer/checkpoint.h"
#include "trainer/mixout.h"

enum { WF_LOOP_SETS = 128 };

typedef struct wf_loop_part { /* a task's rows */
    wf_encoded train, dev;    /* the caller's but for stems made here */
    bool own_train, own_dev;
    wf_batches cut; /* of pass cut_pass */
    int64_t cut_pass;
} wf_loop_part;

typedef struct wf_loop { /* freed by trainer.c */
    wf_context *c;
    wf_pset *const *sets;
    size_t set_count;
    const wf_train_task *tasks;
    size_t task_count;
    wf_loop_part part[WF_JOINT_TASKS];
    const wf_train_options *o;
    wf_optim *optim;
    wf_schedule schedule;
    float **best; /* [set_count] best values so far */
    wf_average average;
    wf_mixout mixout;
    int64_t *twice; /* [2 * batch rows] where every row is taken twice */
    int32_t *order; /* the task of each batch of the epoch */
    int64_t count;  /* batches of the epoch */
    wf_batch batch;
    float *flat[WF_JOINT_TASKS],
        *joined; /* gradients by the shared parts, where losses are weighed by them; else NULL */
    wf_train_state s;
    wf_train_event_fn event;
    void *user;
    double started, cpu_started, wall_before;
    double checkpoint_at, checkpoint_cost; /* when the last one was written, in how many seconds */
    int64_t epochs, judge_every;           /* epochs between evaluations on dev */
} wf_loop;

int wfi_loop_report(wf_loop *l, const char *note); /* nonzero: stop */

/* loop_draw.c: batches. */
wf_status wfi_loop_steps(wf_loop *l, int64_t *steps, wf_err *err); /* of the whole run */
wf_status wfi_loop_epoch(wf_loop *l, wf_err *err);                 /* order and count of epoch s.epoch */
/* The next batch of a task into l->batch. */
wf_status wfi_loop_draw(wf_loop *l, size_t task, wf_err *err);

/* loop_step.c */
wf_status wfi_loop_step_init(wf_loop *l, wf_err *err);
wf_status wfi_loop_step(wf_loop *l, wf_err *err); /* one step of the optimiser from batch s.batch on */
void wfi_loop_step_clear(wf_loop *l);

/* loop_stems.c: where it pays. */
wf_status wfi_loop_stems(wf_loop *l, wf_err *err);

/* loop_memory.c: bytes (wf_train_result.memory_bytes). */
int64_t wfi_loop_memory(const wf_loop *l);

/* loop_judge.c: scores dev, keeps the best state, counts evaluations without progress. note: what to tell. */
wf_status wfi_loop_judge(wf_loop *l, char *note, size_t size, wf_err *err);
bool wfi_loop_has_dev(const wf_loop *l);
void wfi_loop_keep(wf_loop *l); /* the present state as the best one */
#endif
