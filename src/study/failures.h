/* study/failures.h - the study of errors: where they are, what they look like, which labels may be wrong. Layer 11,
 * private. */
#ifndef WF_STUDY_FAILURES_H
#define WF_STUDY_FAILURES_H
#include "study/study.h"

typedef struct wf_failures {
    wf_study study;
    const wf_failures_spec *spec;
    wf_task *task;
    const char *part, *base; /* base: of the first model, whose features are used */
    wf_rows rows;
    wf_truth truth;
    float *features; /* [rows, width] of the frozen base, each of length 1 */
    size_t width;
    wf_predictions *said; /* [models] */
    json_t **sources;     /* [models] of fusions: what their adapters would have said */
} wf_failures;

/* failures_features.c: what the frozen base makes of each row (multiple choice: the mean over its answers), without any
 * adapter; wfi_free. */
wf_status wfi_failures_features(wf_failures *f, const wf_rows *rows, const char *stage, float **out, size_t *width,
                                wf_err *err);
/* failures_slices.c: kinds of rows with their error rates, the most telling first. */
wf_status wfi_failures_slices(const wf_failures *f, const wf_predictions *p, json_t **out, wf_err *err);
/* failures_clusters.c: the errors by likeness, with typical rows; and which class is taken for which. */
wf_status wfi_failures_clusters(const wf_failures *f, const wf_predictions *p, json_t **out, wf_err *err);
wf_status wfi_failures_confusions(const wf_failures *f, const wf_predictions *p, json_t **out, wf_err *err);
json_t *wfi_failures_example(const wf_failures *f, const wf_predictions *p, size_t row); /* a row and its answer */
json_t *wfi_failures_label(const wf_task *task, const wf_row *row, int32_t label);       /* as people call it */
/* failures_sources.c: which adapter of a fusion would have been right; *out stays where t is none. */
wf_status wfi_failures_sources(wf_failures *f, wf_trained *t, const wf_predictions *p, json_t **out, wf_err *err);
/* failures_suspects.c: training rows whose label looks wrong; NULL for kinds other than classification. */
wf_status wfi_failures_suspects(wf_failures *f, json_t **out, wf_err *err);
#endif
