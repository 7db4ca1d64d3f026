/* lab/compare.h - the comparison run, and what runs share. Layer 10. */
#ifndef WF_LAB_COMPARE_H
#define WF_LAB_COMPARE_H
#include "lab/handle.h"
wf_status wfi_compare_run(wf_lab *lab, const json_t *spec, int64_t run, char **json, wf_err *err);
wf_status wfi_run_close(wf_lab *lab, int64_t run, wf_status st, const char *result, wf_err *err);
char *wfi_run_path(wf_lab *lab, int64_t run, const char *file); /* wfi_free */
wf_status wfi_run_folder(wf_lab *lab, int64_t run,
                         wf_err *err); /* makes runs/ID, free of what a killed process left half written */
#endif
