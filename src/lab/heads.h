/* lab/heads.h - heads for tasks, and models that have several: what NAME and NAME:TASK mean. Layer 10. */
#ifndef WF_LAB_HEADS_H
#define WF_LAB_HEADS_H
#include "lab/trained.h"

/* A fresh head for a task on t's base, initialised by the seed and its name. */
wf_status wfi_head_for(const wf_trained *t, const wf_settings *s, const char *name, const wf_task *task, wf_head **out,
                       wf_err *err);
/* The stored model that NAME or NAME:TASK means, and its lineage; of a joint one with the head's own entries on top.
 * task: the head's, "" for a model of one task. Both outputs may be NULL but for info. */
wf_status wfi_model_find(wf_lab *lab, const char *name, wf_record *record, json_t **info, char task[65], wf_err *err);
/* The tasks of a joint model's heads: an object by task, borrowed from info; NULL for a model of one task. */
json_t *wfi_model_heads(const json_t *info);
/* Refuses a text with a second one (given) for a model of single texts, and one without for a model of pairs. */
typedef enum wf_pairs { WF_PAIRS_NO, WF_PAIRS_YES, WF_PAIRS_UNKNOWN } wf_pairs; /* unknown: the task is gone */
wf_status wfi_pairs_check(const char *model, wf_pairs of, bool given, wf_err *err);
/* Whether the rows of the model's task are pairs; fields: takes the names of their columns over, may be NULL. */
wf_status wfi_model_pairs(wf_lab *lab, const json_t *info, wf_pairs *out, wf_task *fields, wf_err *err);
/* NAME, or NAME:TASK for each of its heads, appended to `list` (an array of texts). */
wf_status wfi_model_spread(wf_lab *lab, const char *name, json_t *list, wf_err *err);
#endif
