/* lab/compare.h - the comparison run, and what runs share. Layer 10. */
#ifndef WF_LAB_COMPARE_H
#define WF_LAB_COMPARE_H
#include "lab/handle.h"

wf_status wfi_compare_run(wf_lab *lab, const json_t *spec, int64_t run, char **json, wf_err *err);
wf_status wfi_run_close(wf_lab *lab, int64_t run, wf_status st, const char *result, wf_err *err);
char *wfi_run_path(wf_lab *lab, int64_t run, const char *file); /* wfi_free */
wf_status wfi_run_folder(wf_lab *lab, int64_t run,
                         wf_err *err); /* makes runs/ID, free of what a killed process left half written */

/* STEM-METHOD, in the letters a name may have. */
void wfi_default_name(const char *stem, const char *method, char out[65]);
/* That a model may be called so, is not there yet, and is not being trained in another run than `run` (0: any). */
wf_status wfi_name_free_check(wf_lab *lab, const char *name, int64_t run, wf_err *err);
/* Records a run of these settings (which gain the base, its type and the threads) and does its work. */
wf_status wfi_run_train(wf_lab *lab, const char *command, const char *name, const wf_open_base *base, wf_dtype type,
                        json_t *settings, char **json, wf_err *err);
/* A finished training's result: without probes and files, which stay in the lineage; people need not see them. */
wf_status wfi_result_give(json_t *j, int64_t run, char **json, wf_err *err);
void wfi_probes_drop(json_t *info); /* of the model and of each of its heads */
#endif
