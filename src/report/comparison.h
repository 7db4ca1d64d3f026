/* report/comparison.h - one comparison: what it says in words, its table, its curves. Layer 11. */
#ifndef WF_REPORT_COMPARISON_H
#define WF_REPORT_COMPARISON_H
#include "base/buffer.h"
#include "base/json.h"

/* result: what the comparison recorded ("rows", "summary"). title: in front of the table. */
void wfi_comparison_write(wf_buffer *b, const char *title, const json_t *result);

/* comparison_cost.c: its parts about claims and cost; nothing where nothing was recorded of them. */
void wfi_comparison_tests(wf_buffer *b, const json_t *result);
void wfi_comparison_costs(wf_buffer *b, const json_t *summary);
void wfi_comparison_rates(wf_buffer *b, const json_t *result); /* that dev chose, and from what */
void wfi_comparison_pareto(wf_buffer *b, const json_t *result, const char *metric);
#endif
