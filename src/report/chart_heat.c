/* report/chart_heat.c - a matrix as coloured cells. See chart.h. */
#include "report/chart.h"
#include "report/html.h"
#include <math.h>

enum { CELL_WIDTH = 100, CELL_HEIGHT = 28, LEFT = 200, TOP = 30 };

/* The deepest colour leaves the number readable, light and dark. */
static void cell_draw(wf_buffer *b, int x, int y, double v, double low, double high) {
    const double end = v < 0 ? fmin(low, 0) : high, start = low < 0 ? 0 : low,
                 share = isfinite(v) && end != start ? fmin(1, fmax(0, (v - start) / (end - start))) : 0;
    wfi_buffer_printf(b,
                      "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"var(--s%d)\" "
                      "fill-opacity=\"%.3f\" stroke=\"var(--bg)\"/>",
                      x, y, CELL_WIDTH, CELL_HEIGHT, v < 0 ? 1 : 0, isfinite(v) ? 0.06 + 0.46 * share : 0.0);
    wfi_buffer_printf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", x + CELL_WIDTH / 2, y + 18);
    if (isfinite(v))
        wfi_buffer_printf(b, "%.2f</text>", v);
    else
        wfi_buffer_adds(b, "–</text>");
}

void wfi_chart_heat(wf_buffer *b, const char *title, const char *const *rows, size_t row_count,
                    const char *const *columns, size_t column_count, const double *values, double low, double high) {
    wfi_chart_begin(b, title, LEFT + (int)column_count * CELL_WIDTH + 4, TOP + (int)row_count * CELL_HEIGHT + 4,
                    WF_CHART_WIDE);
    for (size_t c = 0; c < column_count; c++) {
        wfi_buffer_printf(b, "<text class=\"small\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
                          LEFT + (int)c * CELL_WIDTH + CELL_WIDTH / 2, TOP - 10);
        wfi_chart_name(b, columns[c], 12);
        wfi_buffer_adds(b, "</text>");
    }
    for (size_t r = 0; r < row_count; r++) {
        const int y = TOP + (int)r * CELL_HEIGHT;
        wfi_buffer_printf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 8, y + 18);
        wfi_chart_name(b, rows[r], 24);
        wfi_buffer_adds(b, "</text>");
        for (size_t c = 0; c < column_count; c++)
            cell_draw(b, LEFT + (int)c * CELL_WIDTH, y, values[r * column_count + c], low, high);
    }
    wfi_chart_end(b, title);
}
