/* lab/job_parts.h - the pieces of a training that one task and several tasks share. Private to lab/. Layer 10. */
#ifndef WF_LAB_JOB_PARTS_H
#define WF_LAB_JOB_PARTS_H
#include "lab/job.h"
#include <stdio.h>

typedef struct wf_job_parts { /* encoded data of one task */
    wf_encoded train, dev, test;
    float *weights;                   /* [classes] or NULL */
    double wall_seconds, cpu_seconds; /* of running the base for a head alone: part of its training's cost */
} wf_job_parts;
wf_status wfi_job_parts_make(const wf_job *job, const wf_trained *t, wf_job_parts *out, wf_err *err);
void wfi_job_parts_clear(wf_job_parts *p); /* also after a failure, or zeroed */

/* rows: of all training parts. weights: of the classes, or NULL. */
wf_status wfi_job_options(const wf_job *job, const wf_trained *t, int64_t rows, const float *weights,
                          wf_train_options *out, wf_err *err);

typedef struct wf_job_watch { /* what the trainer tells becomes progress and the run's log */
    const wf_job *job;
    FILE *log;
    bool begun; /* a note was written */
} wf_job_watch;
void wfi_job_watch_open(const wf_job *job, wf_job_watch *out);
void wfi_job_watch_close(wf_job_watch *w);
/* Before the first note of a training that may go on from a checkpoint: what was told after that checkpoint will be
 * told again, so the log ends before that note (and after a whole line). */
void wfi_run_log_rewind(const char *path, const char *note);
int wfi_job_event(const wf_train_event *e, void *watch);

/* Scores of rows, as into[key]. file: where the outputs are written, floats [rows, classes]; NULL: nowhere. */
wf_status wfi_job_score(wf_trained *t, const wf_encoded *e, const char *file, json_t *into, const char *key,
                        wf_err *err);
/* Everything but scores and probe; NULL when out of memory. */
json_t *wfi_job_result(const wf_job *job, const wf_trained *t, const wf_train_options *o, const wf_train_result *r,
                       int64_t train_rows);
#endif
