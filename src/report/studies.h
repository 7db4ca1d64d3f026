/* report/studies.h - recorded studies: what they found in words, tables and figures. Layer 11. */
#ifndef WF_REPORT_STUDIES_H
#define WF_REPORT_STUDIES_H
#include "base/buffer.h"
#include "base/json.h"
#include "weft/lab.h"

/* The section of all studies of a lab. */
wf_status wfi_studies_write(wf_lab *lab, wf_buffer *b, wf_err *err);
/* One robustness study, as recorded. */
void wfi_robust_write(wf_buffer *b, const char *title, const json_t *result);
/* Its other sets: scores, contrast sets and behavioural tests by case, groups, models side by side. */
void wfi_robust_sets_write(wf_buffer *b, const json_t *result, const char *metric);
/* One study of failures, as recorded. */
void wfi_failures_write(wf_buffer *b, const char *title, const json_t *result);
/* One study of a fusion's adapters, as recorded. */
void wfi_interact_write(wf_buffer *b, const char *title, const json_t *result);
/* One study of fairness, as recorded. */
void wfi_fair_write(wf_buffer *b, const char *title, const json_t *result);
#endif
