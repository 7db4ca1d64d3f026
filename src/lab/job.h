/* lab/job.h - one training from settings to scores, shared by train, fuse, compare and resume. Layer 10. */
#ifndef WF_LAB_JOB_H
#define WF_LAB_JOB_H
#include "lab/trained.h"
#include "trainer/trainer.h"

typedef struct wf_job {
    wf_lab *lab;
    const wf_settings *settings;
    const char *name;
    const wf_task *task;
    const wf_record *task_record;
    const char *checkpoint; /* NULL: none */
    const char *folder;     /* the run's own, for what does not fit into memory; NULL: none */
    const char *log;        /* file for epoch notes, appended; NULL: none */
    const char *stage;      /* for progress */
    const char *outputs;    /* file for what the test rows got, floats [rows, classes]; NULL: none */
    bool part;    /* of a comparison: epoch notes go to the log only, and no outputs are recorded for verify */
    bool no_test; /* the test rows are not looked at: the training is one of several that dev chooses from */
    bool gap;     /* of a part: the gap is measured all the same, without a word */
} wf_job;

/* Trains, scores dev and test. t receives the trained parts (wfi_trained_clear); result the JSON of product keys (new
 * reference). */
wf_status wfi_job_run(const wf_job *job, wf_trained *t, json_t **result, wf_err *err);
/* Whether texts of this task can be cut at the settings' max_length: a token of each must fit beside the special ones.
 */
wf_status wfi_job_length_check(wf_lab *lab, const wf_open_base *base, const wf_record *task, int64_t max_length,
                               wf_err *err);
/* Outputs on fixed rows of the job's task, as raw bits: what verify compares. */
wf_status wfi_job_probe(wf_trained *t, const wf_job *job, json_t **out, wf_err *err);
/* Tokens of rows, cut at the model's length. */
wf_status wfi_job_encode(const wf_trained *t, const wf_rows *rows, const wf_task *task, wf_encoded *out, wf_err *err);

/* Rows of a JSONL, CSV or TSV file by the task's names of fields, or a text a line of any other file (an empty
 * line is an empty text). */
typedef struct wf_texts {
    wf_rows rows;
    char *memory; /* of the lines */
    bool table;
} wf_texts;
wf_status wfi_texts_read(const char *path, const wf_task *task, wf_texts *out, wf_err *err);
void wfi_texts_clear(wf_texts *t); /* also after a failure */
#endif
