/* study/study.h - what the studies share: models of one task opened one after the other, rows, outputs with progress,
 * the record of a run, and figures as JSON. Layer 11. A study computes and records; the report draws. */
#ifndef WF_STUDY_STUDY_H
#define WF_STUDY_STUDY_H
#include "lab/trained.h"
#include "metrics/significance.h"
#include "weft/study.h"

enum { WF_STUDY_ROWS = 1000, WF_STUDY_RESAMPLES = 1000 }; /* when the user names none */

typedef struct wf_study { /* one study in progress */
    wf_lab *lab;
    const char *command, *name; /* "study robust"; what is studied, for progress and the list of runs */
    int64_t run;
    double begun;
    int64_t done, total; /* rows, for progress */
} wf_study;
/* Records the run; spec is stolen. */
wf_status wfi_study_begin(wf_lab *lab, const char *command, const char *name, json_t *spec, wf_study *out, wf_err *err);
/* Ends the record by how the study ended: stores result (stolen, may be NULL on failure) and hands its text out. */
wf_status wfi_study_end(wf_study *s, wf_status st, json_t *result, char **json, wf_err *err);
/* Says where the study is; WF_E_CANCELLED when the user asked. */
wf_status wfi_study_tick(wf_study *s, const char *stage, int64_t rows, wf_err *err);

/* How often to resample: as asked, or (0) `otherwise`; WF_E_ARG outside [100, 1000000]. */
wf_status wfi_study_resamples(int asked, int otherwise, int *out, wf_err *err);

/* The task that all the models answer (asked: its name, or NULL: the first model's own); labels must be the same. */
wf_status wfi_study_task(wf_lab *lab, const char *const *models, size_t count, const char *asked, wf_task **out,
                         wf_err *err);
/* Test rows, or dev rows where there are none (*part says which); at most `most`, a stratified sample by the seed in
 * the order of the file. Strings still belong to the task. */
wf_status wfi_study_rows(const wf_task *task, int64_t most, uint64_t seed, wf_rows *out, const char **part,
                         wf_err *err);
/* Columns that outputs of these rows need: the task's, or the most choices of a row. */
int32_t wfi_study_columns(const wf_task *task, const wf_rows *rows);

typedef struct wf_truth { /* what predictions are held against */
    int32_t *label;
    double *target;
    uint8_t *labels; /* [rows, columns] */
} wf_truth;
wf_status wfi_truth_make(const wf_task *task, const wf_rows *rows, wf_truth *out, wf_err *err);
void wfi_truth_clear(wf_truth *t);
/* Scores of the model on the rows (owned by out->scores, wfi_free) with the truth borrowed. */
wf_status wfi_study_predict(wf_study *s, wf_trained *t, const wf_task *task, const wf_rows *rows, const wf_truth *truth,
                            const char *stage, wf_predictions *out, wf_err *err);
/* Scores [rows, columns] (taken over, wfi_free) beside the truth. */
wf_predictions wfi_study_judged(const wf_task *task, const wf_rows *rows, const wf_truth *truth, const float *scores);
/* Some rows of predictions, copied; free with wfi_picked_clear. */
wf_status wfi_predictions_pick(const wf_predictions *p, const size_t *rows, size_t n, wf_predictions *out, wf_err *err);
void wfi_picked_clear(wf_predictions *p);
double wfi_study_score(const wf_predictions *p, const char *metric); /* NaN when it is not defined */
bool wfi_study_lower_is_better(const char *metric);
/* Whether row i was answered wrong; classes and multi-label (any label wrong) only. */
bool wfi_study_wrong(const wf_predictions *p, size_t i);
int32_t wfi_study_said(const wf_predictions *p, size_t i); /* the first of the largest scores */

/* ---- figures as JSON ---- */
json_t *wfi_study_real(double x);                                  /* null when it is not finite */
json_t *wfi_study_calibration(const wf_predictions *p);            /* NULL where there are no probabilities */
json_t *wfi_study_selective(const wf_predictions *p);              /* NULL likewise */
json_t *wfi_study_metrics(const wf_predictions *p, int resamples); /* as eval's "metrics" */
#endif
