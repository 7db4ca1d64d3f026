/* report/page.h - where a page goes. Layer 11. */
#ifndef WF_REPORT_PAGE_H
#define WF_REPORT_PAGE_H
#include "base/buffer.h"
#include "weft/status.h"

/* A pipe or device (-o /dev/stdout) is written into; anything else is written aside and renamed. */
wf_status wfi_page_store(const char *path, const wf_buffer *b, wf_err *err);
#endif
