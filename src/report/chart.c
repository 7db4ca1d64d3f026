/* report/chart.c - see chart.h. */
#include "report/chart.h"
#include "report/chart_edges.h"
#include "report/html.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { TICKS_MAX = 16, NAME_MOST = 50, TICK_WIDTH = 36 };

typedef struct frame {
    double x_low, x_high, y_low, y_high;
    double ticks[TICKS_MAX];
    int tick_count;
} frame;

static void tick_add(frame *f, double x) {
    for (int i = 0; i < f->tick_count; i++)
        if (f->ticks[i] == x) return;
    if (f->tick_count < TICKS_MAX) f->ticks[f->tick_count++] = x;
}

static frame frame_fit(const wf_series *s, size_t count) {
    frame f = {.x_low = INFINITY, .x_high = -INFINITY, .y_low = INFINITY, .y_high = -INFINITY};
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < s[k].count; i++) {
            const double e = s[k].spread && isfinite(s[k].spread[i]) ? s[k].spread[i] : 0;
            if (!isfinite(s[k].y[i])) continue;
            f.x_low = fmin(f.x_low, s[k].x[i]);
            f.x_high = fmax(f.x_high, s[k].x[i]);
            f.y_low = fmin(f.y_low, s[k].y[i] - e);
            f.y_high = fmax(f.y_high, s[k].y[i] + e);
            tick_add(&f, s[k].x[i]);
        }
    if (!isfinite(f.x_low)) f = (frame){.x_low = 0, .x_high = 1, .y_low = 0, .y_high = 1};
    if (f.y_high - f.y_low < 1e-9) f.y_high = f.y_low + 0.1;
    const double pad = 0.06 * (f.y_high - f.y_low);
    f.y_low -= pad;
    f.y_high += pad;
    return f;
}

/* Sizes grow by factors: logarithmic; a single size stands in the middle. */
static double px(const frame *f, double x) {
    if (f->x_high <= f->x_low) return EDGE_LEFT + (WIDTH - EDGE_LEFT - EDGE_RIGHT) / 2.0;
    const double share =
        f->x_low > 0 ? log(x / f->x_low) / log(f->x_high / f->x_low) : (x - f->x_low) / (f->x_high - f->x_low);
    return EDGE_LEFT + 12 + share * (WIDTH - EDGE_LEFT - EDGE_RIGHT - 24);
}
static double py(const frame *f, double y) {
    return EDGE_TOP + (f->y_high - y) / (f->y_high - f->y_low) * (HEIGHT - EDGE_TOP - EDGE_BOTTOM);
}

static void axes_draw(wf_buffer *b, const frame *f, const char *x_label, const char *y_label) {
    const double step = wfi_chart_step(f->y_high - f->y_low, 5);
    for (int64_t k = (int64_t)ceil(f->y_low / step); (double)k * step <= f->y_high; k++) {
        const double y = (double)k * step;
        char text[24];
        wfi_chart_tick(text, y);
        wfi_buffer_printf(b, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", EDGE_LEFT,
                          WIDTH - EDGE_RIGHT, py(f, y), py(f, y));
        wfi_buffer_printf(b, "<text class=\"small\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", EDGE_LEFT - 6,
                          py(f, y) + 4, text);
    }
    for (int i = 0; i < f->tick_count; i++) {
        bool room = true;
        for (int k = 0; k < i; k++) room = room && fabs(px(f, f->ticks[i]) - px(f, f->ticks[k])) > TICK_WIDTH;
        if (!room) continue;
        wfi_buffer_printf(b, "<text class=\"small\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>",
                          px(f, f->ticks[i]), HEIGHT - EDGE_BOTTOM + 18, f->ticks[i]);
    }
    wfi_buffer_printf(b, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", EDGE_LEFT,
                      WIDTH - EDGE_RIGHT, HEIGHT - EDGE_BOTTOM, HEIGHT - EDGE_BOTTOM);
    wfi_buffer_printf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (EDGE_LEFT + WIDTH - EDGE_RIGHT) / 2,
                      HEIGHT - 8);
    wfi_html_text(b, x_label);
    wfi_buffer_printf(b, "</text><text x=\"%d\" y=\"%d\">", 8, 16);
    wfi_html_text(b, y_label);
    wfi_buffer_adds(b, "</text>");
}

static const char *const dashes[] = {"none", "6 3", "2 3", "8 3 2 3"};

/* Error bars of several series at one x stand side by side. */
static void series_draw(wf_buffer *b, const frame *f, const wf_series *s, size_t k, size_t of) {
    const double aside = s->spread ? 4 * ((double)k - 0.5 * (double)(of - 1)) : 0, most = 0.5 * (EDGE_LEFT - 6);
    const double dodge = fmax(-most, fmin(most, aside));
    wfi_buffer_printf(b, "<g style=\"color:var(--s%zu)\"><title>", k % 8);
    wfi_html_text(b, s->name);
    wfi_buffer_printf(
        b,
        "</title><polyline fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" stroke-dasharray=\"%s\" points=\"",
        dashes[k / 8 % 4]);
    for (size_t i = 0; i < s->count; i++)
        if (isfinite(s->y[i])) wfi_buffer_printf(b, "%.1f,%.1f ", px(f, s->x[i]) + dodge, py(f, s->y[i]));
    wfi_buffer_adds(b, "\"/>");
    for (size_t i = 0; i < s->count; i++) {
        if (!isfinite(s->y[i])) continue;
        const double x = px(f, s->x[i]) + dodge;
        wfi_buffer_printf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"currentColor\"/>", x, py(f, s->y[i]));
        if (s->spread && isfinite(s->spread[i]))
            wfi_buffer_printf(b, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"currentColor\"/>", x,
                              x, py(f, s->y[i] - s->spread[i]), py(f, s->y[i] + s->spread[i]));
    }
    if (of == 1) { /* the axis says what it is */
        wfi_buffer_adds(b, "</g>");
        return;
    }
    const int y = HEIGHT + 12 + (int)k * LINE; /* the legend stands below: names of fusions are long */
    wfi_buffer_printf(b,
                      "<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"currentColor\" stroke-width=\"3\" "
                      "stroke-dasharray=\"%s\"/><text x=\"%d\" y=\"%d\">",
                      EDGE_LEFT, EDGE_LEFT + 26, y - 4, y - 4, dashes[k / 8 % 4], EDGE_LEFT + 34, y);
    wfi_chart_name(b, s->name, NAME_MOST);
    wfi_buffer_adds(b, "</text></g>");
}

void wfi_chart_lines(wf_buffer *b, const char *title, const char *x_label, const char *y_label, const wf_series *series,
                     size_t count) {
    const frame f = frame_fit(series, count);
    wfi_chart_begin(b, title, WIDTH, HEIGHT + (count > 1 ? (int)count * LINE + 4 : 0), WF_CHART_PAGE);
    wfi_buffer_adds(b, "<desc>"); /* the numbers, for those who do not see the lines */
    for (size_t k = 0; k < count; k++) {
        wfi_html_text(b, series[k].name);
        for (size_t i = 0, n = 0; i < series[k].count; i++)
            if (isfinite(series[k].y[i]))
                wfi_buffer_printf(b, "%s %.4g at %.0f", n++ ? "," : ":", series[k].y[i], series[k].x[i]);
        wfi_buffer_adds(b, ". ");
    }
    wfi_buffer_adds(b, "</desc>");
    axes_draw(b, &f, x_label, y_label);
    for (size_t k = 0; k < count; k++) series_draw(b, &f, &series[k], k, count);
    wfi_chart_end(b, title);
}
