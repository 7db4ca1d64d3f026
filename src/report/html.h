/* report/html.h - building one self-contained HTML page: nothing is fetched from elsewhere, light and dark, readable on
 * a phone and in print. Layer 11. */
#ifndef WF_REPORT_HTML_H
#define WF_REPORT_HTML_H
#include "base/buffer.h"

void wfi_html_begin(wf_buffer *b, const char *title);
void wfi_html_end(wf_buffer *b);
void wfi_html_text(wf_buffer *b, const char *text); /* escaped for text and attribute values; NULL writes nothing */
void wfi_html_section(wf_buffer *b, const char *id, const char *title);
void wfi_html_section_end(wf_buffer *b);
/* Table: begin with n header cells, then cells row by row; numeric cells are right-aligned. */
void wfi_html_table(wf_buffer *b, const char *caption, const char *const *heads, size_t n);
void wfi_html_row(wf_buffer *b);
void wfi_html_cell(wf_buffer *b, const char *text);
void wfi_html_number(wf_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void wfi_html_table_end(wf_buffer *b);
#endif
