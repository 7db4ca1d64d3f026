/* report/lineage.h - what each model was made of, and how to make it again. Layer 11. */
#ifndef WF_REPORT_LINEAGE_H
#define WF_REPORT_LINEAGE_H
#include "base/json.h"
#include "lab/handle.h"

/* The section of the page; all: what wf_list gives. */
wf_status wfi_lineage_write(wf_lab *lab, wf_buffer *b, const json_t *all, wf_err *err);
#endif
