/* report/html.c - see html.h. */
#include "report/html.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS_ALIGNED = 20, TEXT_LONG = 28 };

static const char STYLE[] =
    ":root{color-scheme:light "
    "dark;--bg:#fff;--fg:#1b1f24;--muted:#59636e;--line:#d5dae0;--panel:#f6f8fa;--shade:#59636e99;"
    "--s0:#0b62c4;--s1:#c2410c;--s2:#0f7b4f;--s3:#8b3fc9;--s4:#a16207;--s5:#be185d;--s6:#0e7490;--s7:#525b66}"
    /* What is printed is printed on white, whatever the screen looks like. */
    "@media screen and (prefers-color-scheme:dark){"
    ":root{--bg:#12161b;--fg:#e6e9ed;--muted:#9aa5b1;--line:#313943;--panel:#1a2028;--shade:#000000cc;"
    "--s0:#6cb0ff;--s1:#fb923c;--s2:#4ade9a;--s3:#c99bff;--s4:#facc15;--s5:#f9a8d4;--s6:#67e8f9;--s7:#aab4c0}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:88rem;padding:1rem;background:var(--bg);color:var(--fg);"
    "font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}"
    "h1{font-size:1.6rem;margin:.5rem 0}"
    "h2{font-size:1.25rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}"
    "h3{font-size:1.05rem;margin:1.5rem 0 .25rem}"
    "p,li{max-width:46rem}nav a{margin-right:1rem}a{color:var(--s0)}.muted{color:var(--muted)}"
    /* What is wider than the page scrolls: a shadow lies over the side that goes on, the bar stays in view, and the
     * first column, which names the row, stays where it is. */
    ".scroll{overflow-x:auto;margin:.5rem 0 1rem;scrollbar-width:thin;scrollbar-color:var(--muted) var(--panel);"
    "background:linear-gradient(90deg,var(--bg) 40%,transparent) 0/3rem 100% local,"
    "linear-gradient(270deg,var(--bg) 40%,transparent) 100%/3rem 100% local,"
    "linear-gradient(90deg,var(--shade),transparent) 0/1.2rem 100% scroll,"
    "linear-gradient(270deg,var(--shade),transparent) 100%/1.2rem 100% scroll;background-repeat:no-repeat}"
    ".scroll:focus-visible,.draw:focus-visible{outline:2px solid var(--s0)}"
    "th:first-child,td:first-child{position:sticky;left:0;background:var(--bg);box-shadow:1px 0 var(--line)}"
    "th:first-child{background:var(--panel)}caption{position:sticky;left:0;max-width:90vw}"
    "table{border-collapse:collapse;font-size:.92rem}"
    "caption{text-align:left;color:var(--muted);padding:.25rem 0}"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}"
    "th{background:var(--panel)}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "td.t{white-space:normal;min-width:13rem;max-width:26rem}"
    "figure{margin:1rem 0}.draw{overflow-x:auto}figcaption{color:var(--muted);font-size:.9rem}"
    /* Small figures stand beside one another where there is room. */
    ".side{display:inline-block;vertical-align:top;width:min-content;max-width:100%;margin-right:2rem}"
    ".side figcaption{min-width:16rem}"
    "svg{display:block;width:100%;height:auto;font:13px system-ui,sans-serif}"
    "svg text{fill:var(--fg)}svg .small{fill:var(--muted);font-size:12px}"
    "svg .grid{stroke:var(--line)}svg .axis{stroke:var(--muted)}"
    "summary{cursor:pointer}details{display:inline-block;vertical-align:top;margin:.5rem 2rem 0 0;max-width:100%}"
    ".warn{margin:.25rem 0;color:var(--s1)}"
    "@media screen and (max-width:42rem){body{padding:.75rem;font-size:15px}"
    "nav a{display:inline-block;padding:.25rem 0}th,td{padding:.25rem .45rem}"
    "td.t{min-width:9rem}.side figcaption{min-width:0}.side,details{margin-right:0}}"
    "@media print{:root{color-scheme:light;--fg:#000;--muted:#444;--line:#bbb;--panel:#eee}"
    "body{max-width:none;font-size:10pt;padding:0}nav{display:none}tr,figure{break-inside:avoid}"
    "h2,h3{break-after:avoid}.scroll,.draw{overflow:visible;background:none}"
    "table{width:100%;font-size:7pt}th,td{padding:.15rem .2rem;white-space:normal}"
    "td.t,.side figcaption{min-width:0}td.n,th{overflow-wrap:normal}.side{display:block;width:auto}"
    "th:first-child,td:first-child,caption{position:static;box-shadow:none}"
    /* A figure that scrolls on a screen shrinks on paper; what is folded there is open here. */
    "svg{max-width:100%!important;min-width:0!important}"
    "details::details-content{content-visibility:visible;display:block}}";

void wfi_html_text(wf_buffer *b, const char *text) {
    for (const char *p = text; p && *p; p++) {
        switch (*p) {
        case '<':
            wfi_buffer_adds(b, "&lt;");
            break;
        case '>':
            wfi_buffer_adds(b, "&gt;");
            break;
        case '&':
            wfi_buffer_adds(b, "&amp;");
            break;
        case '"':
            wfi_buffer_adds(b, "&quot;");
            break;
        case '\'':
            wfi_buffer_adds(b, "&#39;");
            break;
        default:
            wfi_buffer_add(b, p, 1);
            break;
        }
    }
}

void wfi_html_begin(wf_buffer *b, const char *title) {
    wfi_buffer_adds(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                       "content=\"width=device-width,initial-scale=1\">"
                       "<link rel=\"icon\" href=\"data:,\"><title>");
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "</title><style>");
    wfi_buffer_adds(b, STYLE);
    for (int k = 1; k <= COLUMNS_ALIGNED; k++) /* a head stands over its numbers */
        wfi_buffer_printf(b, "table:has(td.n:nth-child(%d)) th:nth-child(%d)%s", k, k,
                          k < COLUMNS_ALIGNED ? "," : "{text-align:right}");
    wfi_buffer_adds(b, "</style></head><body>\n<h1>");
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "</h1>\n");
}

void wfi_html_end(wf_buffer *b) {
    wfi_buffer_adds(b, "</body></html>\n");
}

void wfi_html_section(wf_buffer *b, const char *id, const char *title) {
    wfi_buffer_printf(b, "<section id=\"%s\"><h2>", id);
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "</h2>\n");
}

void wfi_html_section_end(wf_buffer *b) {
    wfi_buffer_adds(b, "</section>\n");
}

void wfi_html_table(wf_buffer *b, const char *caption, const char *const *heads, size_t n) {
    wfi_buffer_adds(b, "<div class=\"scroll\" tabindex=\"0\"><table><caption>");
    wfi_html_text(b, caption);
    wfi_buffer_adds(b, "</caption><thead><tr>");
    for (size_t i = 0; i < n; i++) {
        wfi_buffer_adds(b, "<th scope=\"col\">");
        wfi_html_text(b, heads[i]);
        wfi_buffer_adds(b, "</th>");
    }
    wfi_buffer_adds(b, "</tr></thead><tbody>");
}

void wfi_html_row(wf_buffer *b) {
    wfi_buffer_adds(b, "\n<tr>");
} /* HTML closes the row before it by itself */

/* Long texts may go over several lines; names break behind their commas and underscores first. */
void wfi_html_cell(wf_buffer *b, const char *text) {
    const bool fold = text && strlen(text) > TEXT_LONG;
    wfi_buffer_adds(b, fold ? "<td class=\"t\">" : "<td>");
    while (fold && *text) {
        char piece[128];
        size_t n = 0;
        while (text[n] && n + 1 < sizeof piece && (n == 0 || !strchr(",_:/", text[n - 1]))) n++;
        while (text[n] && n > 1 && ((unsigned char)text[n] & 0xC0) == 0x80) n--;
        snprintf(piece, sizeof piece, "%.*s", (int)n, text);
        wfi_html_text(b, piece);
        text += n;
        if (*text) wfi_buffer_adds(b, "<wbr>");
    }
    if (!fold) wfi_html_text(b, text);
    wfi_buffer_adds(b, "</td>");
}

void wfi_html_number(wf_buffer *b, const char *format, ...) {
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wfi_buffer_adds(b, "<td class=\"n\">");
    wfi_html_text(b, text);
    wfi_buffer_adds(b, "</td>");
}

void wfi_html_table_end(wf_buffer *b) {
    wfi_buffer_adds(b, "</tbody></table></div>\n");
}
