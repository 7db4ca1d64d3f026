/* report/card_write.c - see card.h. */
#include "report/card.h"
#include "report/html.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char NOT_MEASURED[] = "not measured";

/* Whatever could be markup, a link or a tag stands behind a backslash; a line stays one line. */
static void markdown_text(wf_buffer *b, const char *text) {
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f) {
            wfi_buffer_adds(b, " ");
            continue;
        }
        if (strchr("\\`*_{}[]<>#|~&!$@", c)) wfi_buffer_adds(b, "\\");
        wfi_buffer_add(b, text, 1);
    }
}

static void text_add(wf_card *c, const char *text) {
    if (c->html)
        wfi_html_text(&c->text, text);
    else
        markdown_text(&c->text, text);
}

static void value_add(wf_card *c, const char *value) {
    if (value && *value)
        text_add(c, value);
    else
        wfi_buffer_adds(&c->text, c->html ? "<em>not measured</em>" : NOT_MEASURED);
}

static void into(wf_card *c, int piece) {
    if (c->html && (int)c->open != piece) {
        if (c->open == WF_CARD_LIST) wfi_buffer_adds(&c->text, "</ul>\n");
        if (c->open == WF_CARD_TABLE) wfi_html_table_end(&c->text);
        if (piece == WF_CARD_LIST) wfi_buffer_adds(&c->text, "<ul>\n");
    } else if (!c->html && (int)c->open != piece) {
        wfi_buffer_adds(&c->text, "\n");
    }
    c->open = piece;
}

/* Ends what is open; what follows stands behind an empty line. */
static void apart(wf_card *c) {
    const bool plain = c->open == WF_CARD_PLAIN;
    into(c, WF_CARD_PLAIN);
    if (!c->html && plain) wfi_buffer_adds(&c->text, "\n");
}

void wfi_card_begin(wf_card *c, bool html, const char *title) {
    *c = (wf_card){.html = html};
    if (html) {
        wfi_html_begin(&c->text, title);
        return;
    }
    wfi_buffer_adds(&c->text, "# ");
    markdown_text(&c->text, title);
    wfi_buffer_adds(&c->text, "\n");
}

void wfi_card_end(wf_card *c) {
    into(c, WF_CARD_PLAIN);
    if (c->html) wfi_html_end(&c->text);
}

void wfi_card_section(wf_card *c, const char *title) {
    apart(c);
    wfi_buffer_adds(&c->text, c->html ? "<h2>" : "## ");
    text_add(c, title);
    wfi_buffer_adds(&c->text, c->html ? "</h2>\n" : "\n");
}

void wfi_card_field(wf_card *c, const char *name, const char *value) {
    into(c, WF_CARD_LIST);
    wfi_buffer_adds(&c->text, c->html ? "<li><strong>" : "- **");
    text_add(c, name);
    wfi_buffer_adds(&c->text, c->html ? "</strong>: " : "**: ");
    value_add(c, value);
    wfi_buffer_adds(&c->text, c->html ? "</li>\n" : "\n");
}

void wfi_card_field_of(wf_card *c, const char *name, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wfi_card_field(c, name, text);
}

void wfi_card_line(wf_card *c, const char *text) {
    into(c, WF_CARD_LIST);
    wfi_buffer_adds(&c->text, c->html ? "<li>" : "- ");
    value_add(c, text);
    wfi_buffer_adds(&c->text, c->html ? "</li>\n" : "\n");
}

void wfi_card_table(wf_card *c, const char *caption, const char *const *heads, size_t n) {
    apart(c);
    if (c->html) {
        wfi_html_table(&c->text, caption, heads, n);
    } else {
        markdown_text(&c->text, caption);
        wfi_buffer_adds(&c->text, "\n\n|");
        for (size_t i = 0; i < n; i++) {
            wfi_buffer_adds(&c->text, " ");
            markdown_text(&c->text, heads[i]);
            wfi_buffer_adds(&c->text, " |");
        }
        wfi_buffer_adds(&c->text, "\n|");
        for (size_t i = 0; i < n; i++) wfi_buffer_adds(&c->text, " --- |");
        wfi_buffer_adds(&c->text, "\n");
    }
    c->open = WF_CARD_TABLE;
}

void wfi_card_row(wf_card *c, const char *const *cells, size_t n) {
    if (c->html)
        wfi_html_row(&c->text);
    else
        wfi_buffer_adds(&c->text, "|");
    for (size_t i = 0; i < n; i++) {
        wfi_buffer_adds(&c->text, c->html ? "<td>" : " ");
        value_add(c, cells[i]);
        wfi_buffer_adds(&c->text, c->html ? "</td>" : " |");
    }
    if (!c->html) wfi_buffer_adds(&c->text, "\n");
}
