/* report/chart_parts.c - what all figures share: frame, names, ticks. See chart.h. */
#include "report/chart.h"
#include "report/html.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void wfi_chart_begin(wf_buffer *b, const char *title, int width, int height, wf_chart_fit fit) {
    static const char *const classes[] = {"", " class=\"side\"", " class=\"side wide\""};
    wfi_buffer_printf(b, "<figure%s><div class=\"draw\" tabindex=\"0\"><svg viewBox=\"0 0 %d %d\"", classes[fit], width,
                      height);
    if (fit == WF_CHART_PAGE) wfi_buffer_printf(b, " style=\"max-width:%dpx\"", width * 5 / 4);
    if (fit == WF_CHART_SIDE) wfi_buffer_printf(b, " style=\"width:min(%dpx,100vw - 1.5rem)\"", width);
    if (fit == WF_CHART_WIDE) wfi_buffer_printf(b, " style=\"width:%dpx;min-width:%dpx;max-width:none\"", width, width);
    wfi_buffer_adds(b, " role=\"img\" aria-label=\"");
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "\"><title>");
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "</title>");
}

void wfi_chart_end(wf_buffer *b, const char *title) {
    wfi_buffer_adds(b, "</svg></div><figcaption>");
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "</figcaption></figure>\n");
}

void wfi_chart_name(wf_buffer *b, const char *name, size_t most) {
    char text[512];
    size_t n = 0, characters = 0;
    for (; name[n] && n + 4 < sizeof text; n++)
        if (((unsigned char)name[n] & 0xC0) != 0x80 && characters++ == most) break;
    while (name[n] && n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80) n--;
    snprintf(text, sizeof text, "%.*s%s", (int)n, name, name[n] ? "…" : "");
    wfi_html_text(b, text);
    if (!name[n]) return;
    wfi_buffer_adds(b, "<title>"); /* whole, under the pointer */
    wfi_html_text(b, name);
    wfi_buffer_adds(b, "</title>");
}

double wfi_chart_step(double span, int steps) {
    const double raw = span / steps, power = pow(10, floor(log10(raw))), m = raw / power;
    return (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10) * power;
}

void wfi_chart_tick(char out[24], double v) {
    const double size = fabs(v);
    if (size >= 999.5e6)
        snprintf(out, 24, "%.3g G", v / 1e9);
    else if (size >= 999.5e3)
        snprintf(out, 24, "%.3g M", v / 1e6);
    else if (size >= 1e4)
        snprintf(out, 24, "%.3g k", v / 1e3);
    else if (size >= 100)
        snprintf(out, 24, "%.0f", v);
    else
        snprintf(out, 24, "%.3g", v);
}
