/* report/card.h - a document of headings, fields and tables, written as Markdown or HTML: what a model card is made of.
 * Layer 11. All texts are escaped; a field without a value says that it was not measured. */
#ifndef WF_REPORT_CARD_H
#define WF_REPORT_CARD_H
#include "base/buffer.h"

typedef struct wf_card {
    wf_buffer text;
    bool html;
    enum { WF_CARD_PLAIN, WF_CARD_LIST, WF_CARD_TABLE } open; /* what the next piece may have to close */
} wf_card;

void wfi_card_begin(wf_card *c, bool html, const char *title);
void wfi_card_end(wf_card *c);
void wfi_card_section(wf_card *c, const char *title);
/* value NULL or "": not measured. */
void wfi_card_field(wf_card *c, const char *name, const char *value);
void wfi_card_field_of(wf_card *c, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void wfi_card_line(wf_card *c, const char *text); /* an entry of the list without a name */
void wfi_card_table(wf_card *c, const char *caption, const char *const *heads, size_t n);
void wfi_card_row(wf_card *c, const char *const *cells, size_t n); /* a NULL or empty cell: not measured */
#endif
