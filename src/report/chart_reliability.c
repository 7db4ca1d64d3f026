/* report/chart_reliability.c - the reliability diagram. See chart.h. */
#include "report/chart.h"
#include "report/chart_edges.h"
#include "report/html.h"
#include <math.h>

enum { SIDE = 320, NAME_MOST = 40 };

static double px(double v) {
    return EDGE_LEFT + v * SIDE;
}
static double py(double v) {
    return EDGE_TOP + (1 - v) * SIDE;
}

static void axes_draw(wf_buffer *b) {
    for (int k = 0; k <= 5; k++) {
        const double v = k / 5.0;
        wfi_buffer_printf(b, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", px(0), px(1),
                          py(v), py(v));
        wfi_buffer_printf(b, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%d</text>", px(0) - 6,
                          py(v) + 4, 20 * k);
        wfi_buffer_printf(b, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%d</text>", px(v),
                          py(0) + 18, 20 * k);
    }
    wfi_buffer_printf(b,
                      "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke-dasharray=\"4 4\"/>",
                      px(0), px(1), py(0), py(1));
    wfi_buffer_printf(b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">confidence (%%)</text>", px(0.5),
                      py(0) + 36);
    wfi_buffer_adds(b, "<text x=\"8\" y=\"16\">right (%)</text>");
}

static void series_draw(wf_buffer *b, const wf_reliable *s, size_t k) {
    double most = 1;
    for (size_t i = 0; i < s->count; i++) most = fmax(most, s->rows[i]);
    wfi_buffer_printf(b, "<g style=\"color:var(--s%zu)\"><title>", k % 8);
    wfi_html_text(b, s->name);
    wfi_buffer_adds(b, "</title><polyline fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\" points=\"");
    for (size_t i = 0; i < s->count; i++) wfi_buffer_printf(b, "%.1f,%.1f ", px(s->confidence[i]), py(s->accuracy[i]));
    wfi_buffer_adds(b, "\"/>");
    for (size_t i = 0; i < s->count; i++)
        wfi_buffer_printf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"currentColor\" fill-opacity=\"0.75\"/>",
                          px(s->confidence[i]), py(s->accuracy[i]), 2.5 + 5.5 * sqrt(s->rows[i] / most));
    const int y = EDGE_TOP + SIDE + EDGE_BOTTOM + 12 + (int)k * LINE;
    wfi_buffer_printf(b, "<circle cx=\"%d\" cy=\"%d\" r=\"5\" fill=\"currentColor\"/><text x=\"%d\" y=\"%d\">",
                      EDGE_LEFT, y - 4, EDGE_LEFT + 14, y);
    wfi_chart_name(b, s->name, NAME_MOST);
    wfi_buffer_adds(b, "</text></g>");
}

void wfi_chart_reliability(wf_buffer *b, const char *title, const wf_reliable *series, size_t count) {
    wfi_chart_begin(b, title, EDGE_LEFT + SIDE + EDGE_RIGHT, EDGE_TOP + SIDE + EDGE_BOTTOM + (int)count * LINE + 4,
                    WF_CHART_SIDE);
    wfi_buffer_adds(b, "<desc>"); /* the numbers, for those who do not see the points */
    for (size_t k = 0; k < count; k++) {
        wfi_html_text(b, series[k].name);
        for (size_t i = 0; i < series[k].count; i++)
            wfi_buffer_printf(b, "%s %.0f %% sure, %.0f %% right (%.0f rows)", i ? "," : ":",
                              100 * series[k].confidence[i], 100 * series[k].accuracy[i], series[k].rows[i]);
        wfi_buffer_adds(b, ". ");
    }
    wfi_buffer_adds(b, "</desc>");
    axes_draw(b);
    for (size_t k = 0; k < count; k++) series_draw(b, &series[k], k);
    wfi_chart_end(b, title);
}
