/* report/chart_points.c - quality over cost, a point a method, the front drawn as a line. See chart.h. */
#include "report/chart.h"
#include "report/chart_edges.h"
#include "report/html.h"
#include <math.h>
#include <stdint.h>

enum { NAME_MOST = 50, POINTS_MOST = 64 /* with a place for a number of their own */ };

typedef struct frame {
    double x_low, x_high, y_low, y_high;
} frame;

static frame frame_fit(const wf_point *p, size_t count) {
    frame f = {.x_low = INFINITY, .x_high = -INFINITY, .y_low = INFINITY, .y_high = -INFINITY};
    for (size_t i = 0; i < count; i++) {
        f.x_low = fmin(f.x_low, p[i].x);
        f.x_high = fmax(f.x_high, p[i].x);
        f.y_low = fmin(f.y_low, p[i].y);
        f.y_high = fmax(f.y_high, p[i].y);
    }
    const double pad = fmax(0.08 * (f.y_high - f.y_low), 0.01 * fmax(fabs(f.y_high), 1e-3));
    f.y_low -= pad;
    f.y_high += pad;
    f.x_low /= 1.15; /* costs differ by factors: a logarithmic axis */
    f.x_high *= 1.15;
    return f;
}

static double px(const frame *f, double x) {
    return EDGE_LEFT + log(x / f->x_low) / log(f->x_high / f->x_low) * (WIDTH - EDGE_LEFT - EDGE_RIGHT);
}
static double py(const frame *f, double y) {
    return EDGE_TOP + (f->y_high - y) / (f->y_high - f->y_low) * (HEIGHT - EDGE_TOP - EDGE_BOTTOM);
}

static void axes_draw(wf_buffer *b, const frame *f, const char *x_label, const char *y_label) {
    const double step = wfi_chart_step(f->y_high - f->y_low, 4);
    char text[24];
    for (int64_t k = (int64_t)ceil(f->y_low / step); (double)k * step <= f->y_high; k++) {
        const double y = py(f, (double)k * step);
        wfi_chart_tick(text, (double)k * step);
        wfi_buffer_printf(b, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", EDGE_LEFT,
                          WIDTH - EDGE_RIGHT, y, y);
        wfi_buffer_printf(b, "<text class=\"small\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", EDGE_LEFT - 6,
                          y + 4, text);
    }
    for (int k = 0; k <= 4; k++) {
        const double x = f->x_low * pow(f->x_high / f->x_low, k / 4.0);
        wfi_chart_tick(text, x);
        wfi_buffer_printf(b, "<text class=\"small\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>", px(f, x),
                          HEIGHT - EDGE_BOTTOM + 18, k == 4 ? "end" : "middle", text);
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

/* Nothing is both cheaper and better. */
bool wfi_chart_on_front(const wf_point *p, size_t count, size_t at) {
    for (size_t i = 0; i < count; i++) {
        const bool as_good = p[i].x <= p[at].x && p[i].y >= p[at].y;
        if (i != at && as_good && (p[i].x < p[at].x || p[i].y > p[at].y)) return false;
    }
    return true;
}

static void front_draw(wf_buffer *b, const frame *f, const wf_point *p, size_t count) {
    double from = -INFINITY;
    wfi_buffer_adds(b,
                    "<polyline class=\"axis\" fill=\"none\" stroke-width=\"1.5\" stroke-dasharray=\"6 3\" points=\"");
    for (;;) { /* by rising cost */
        size_t next = count;
        for (size_t i = 0; i < count; i++)
            if (p[i].x > from && wfi_chart_on_front(p, count, i) && (next == count || p[i].x < p[next].x)) next = i;
        if (next == count) break;
        wfi_buffer_printf(b, "%.1f,%.1f ", px(f, p[next].x), py(f, p[next].y));
        from = p[next].x;
    }
    wfi_buffer_adds(b, "\"/>");
}

/* Where each point's number stands: right of it, else further right, clear of other numbers and of other points. */
static void numbers_place(const frame *f, const wf_point *p, size_t count, double (*out)[2]) {
    for (size_t i = 0; i < count; i++) {
        const double x = px(f, p[i].x), y = py(f, p[i].y);
        for (int k = 0; k < 40; k++) { /* right and left by turns */
            const int step = k / 2;
            const double aside = (k % 2 ? -1 : 1) * (13.0 + 14.0 * step);
            bool room = x + aside > EDGE_LEFT && x + aside < WIDTH - 8;
            for (size_t o = 0; o < count && room; o++)
                room = (o == i || fabs(px(f, p[o].x) - x - aside) > 12 || fabs(py(f, p[o].y) - y) > 10) &&
                       (o >= i || fabs(out[o][0] - x - aside) > 14 || fabs(out[o][1] - y) > 12);
            out[i][0] = x + aside;
            out[i][1] = y;
            if (room) break;
        }
    }
}

void wfi_chart_points(wf_buffer *b, const char *title, const char *x_label, const char *y_label, const wf_point *p,
                      size_t count) {
    const frame f = frame_fit(p, count);
    double places[POINTS_MOST][2];
    if (count > POINTS_MOST) count = POINTS_MOST;
    wfi_chart_begin(b, title, WIDTH, HEIGHT + (int)count * LINE + 4, WF_CHART_PAGE);
    wfi_buffer_adds(b, "<desc>");
    for (size_t i = 0; i < count; i++) {
        wfi_html_text(b, p[i].name);
        wfi_buffer_printf(b, ": %.4g at %.4g%s. ", p[i].y, p[i].x,
                          wfi_chart_on_front(p, count, i) ? " (on the front)" : "");
    }
    wfi_buffer_adds(b, "</desc>");
    axes_draw(b, &f, x_label, y_label);
    front_draw(b, &f, p, count);
    numbers_place(&f, p, count, places);
    for (size_t i = 0; i < count; i++) {
        const int y = HEIGHT + 12 + (int)i * LINE;
        wfi_buffer_printf(b, "<g style=\"color:var(--s%zu)\"><title>", i % 8);
        wfi_html_text(b, p[i].name);
        wfi_buffer_printf(
            b,
            "</title><circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"currentColor\"/><text class=\"small\" "
            "x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%zu</text><circle cx=\"%d\" cy=\"%d\" r=\"5\" "
            "fill=\"currentColor\"/><text x=\"%d\" y=\"%d\">%zu ",
            px(&f, p[i].x), py(&f, p[i].y), places[i][0], places[i][1] + 4, i + 1, EDGE_LEFT, y - 4, EDGE_LEFT + 14, y,
            i + 1);
        wfi_chart_name(b, p[i].name, NAME_MOST);
        wfi_buffer_adds(b, "</text></g>");
    }
    wfi_chart_end(b, title);
}
