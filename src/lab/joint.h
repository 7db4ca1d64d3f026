/* lab/joint.h - one training of several tasks, from settings to scores. Layer 10. */
#ifndef WF_LAB_JOINT_H
#define WF_LAB_JOINT_H
#include "lab/job.h"

typedef struct wf_joint { /* free with wfi_joint_clear */
    size_t count;
    wf_task *tasks[WF_JOINT_TASKS];
    wf_record records[WF_JOINT_TASKS];
    wf_sampling sampling;
    wf_weighing weighing;
    bool help;                 /* the first task is what counts: state and scores are its own */
    wf_settings help_settings; /* of the others, set by wfi_joint_help */
} wf_joint;

/* The tasks and words of the settings' "joint": {"tasks":[...],"sampling","loss_weights"}. */
wf_status wfi_joint_open(wf_lab *lab, const json_t *settings, wf_joint *out, wf_err *err);
void wfi_joint_clear(wf_joint *j);
/* From here on all but the first task only help it: settings->rows is for the first alone. */
void wfi_joint_help(wf_joint *j, const wf_settings *settings);
/* A spec as settings, defaults filled in. */
wf_status wfi_joint_settings(const wf_joint_spec *spec, json_t **out, wf_err *err);
/* Whether the texts of each task can be cut at max_length. */
wf_status wfi_joint_check(wf_lab *lab, const wf_joint *joint, const wf_open_base *base, int64_t max_length,
                          wf_err *err);
/* As wfi_job_run for all tasks of `joint` (the job's own task is not used). The result has "heads" by task. */
wf_status wfi_joint_job(const wf_job *job, const wf_joint *joint, wf_trained *t, json_t **result, wf_err *err);
/* The work of a run that wf_train_joint recorded. */
wf_status wfi_joint_store(wf_lab *lab, const json_t *spec, int64_t run, char **json, wf_err *err);
#endif
