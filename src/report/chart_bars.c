/* report/chart_bars.c - horizontal bars. See chart.h. */
#include "report/chart.h"
#include "report/chart_edges.h"
#include "report/html.h"
#include <math.h>

void wfi_chart_bars(wf_buffer *b, const char *title, const wf_bar *bars, size_t count) {
    const int width = WIDTH, row = 26, left = 180, right = 76, most_letters = 22;
    double most = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(bars[i].value)) most = fmax(most, fmax(bars[i].value, bars[i].high));
    const double scale = most > 0 ? (width - left - right) / most : 0;
    wfi_chart_begin(b, title, width, (int)count * row + 8, WF_CHART_PAGE);
    wfi_buffer_adds(b, "<desc>");
    for (size_t i = 0; i < count; i++) {
        wfi_html_text(b, bars[i].name);
        wfi_buffer_printf(b, ": %.4g. ", bars[i].value);
    }
    wfi_buffer_adds(b, "</desc>");
    for (size_t i = 0; i < count; i++) {
        const int y = (int)i * row + 4;
        const double end = left + scale * (isfinite(bars[i].value) ? bars[i].value : 0);
        char text[24];
        double clear = end; /* the value stands behind the line */
        wfi_buffer_printf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", left - 8, y + 15);
        wfi_chart_name(b, bars[i].name, most_letters);
        wfi_buffer_printf(b,
                          "</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"var(--s0)\" "
                          "fill-opacity=\"0.5\"/>",
                          left, y, end - left, row - 6);
        if (isfinite(bars[i].low) && isfinite(bars[i].high)) {
            clear = fmax(clear, left + scale * bars[i].high);
            wfi_buffer_printf(b, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>",
                              left + scale * bars[i].low, left + scale * bars[i].high, y + 10, y + 10);
        }
        wfi_chart_tick(text, bars[i].value);
        wfi_buffer_printf(b, "<text x=\"%.1f\" y=\"%d\">%s</text>", clear + 6, y + 15,
                          isfinite(bars[i].value) ? text : "–");
    }
    wfi_chart_end(b, title);
}
