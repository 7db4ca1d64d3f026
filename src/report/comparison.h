/* report/comparison.h - one comparison: what it says in words, its table, its curves. Layer 11. */
#ifndef WF_REPORT_COMPARISON_H
#define WF_REPORT_COMPARISON_H
#include "base/buffer.h"
#include "base/json.h"

/* result: what the comparison recorded ("rows", "summary"). title: in front of the table. */
void wfi_comparison_write(wf_buffer *b, const char *title, const json_t *result);
#endif
