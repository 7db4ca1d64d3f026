/* report/chart.h - figures as inline SVG with titles and text alternatives. Layer 11. Draws only; computes no
 * statistics. */
#ifndef WF_REPORT_CHART_H
#define WF_REPORT_CHART_H
#include "base/buffer.h"
#include <stdbool.h>

typedef struct wf_series {
    const char *name;
    size_t count;
    const double *x, *y, *spread;
} wf_series; /* spread (may be NULL): half-height of the error bar; NaN: none */
/* Lines over a logarithmic or equally spaced x axis; x values of all series form the ticks. */
void wfi_chart_lines(wf_buffer *b, const char *title, const char *x_label, const char *y_label, const wf_series *series,
                     size_t count);
/* rows x columns of values in [low, high], darker is more; below 0 in another colour, darker is less; the number stands
 * in each cell, a dash where it is not finite. */
void wfi_chart_heat(wf_buffer *b, const char *title, const char *const *rows, size_t row_count,
                    const char *const *columns, size_t column_count, const double *values, double low, double high);
/* How sure against how often right, in 0..1: a point a bin, larger for more rows, on the diagonal where both agree. */
typedef struct wf_reliable {
    const char *name;
    size_t count;
    const double *confidence, *accuracy, *rows;
} wf_reliable;
void wfi_chart_reliability(wf_buffer *b, const char *title, const wf_reliable *series, size_t count);

typedef enum wf_chart_fit {
    WF_CHART_PAGE, /* as wide as the page, up to a quarter wider than it is drawn */
    WF_CHART_SIDE, /* as wide as it is drawn, beside others; on a narrow screen as wide as that */
    WF_CHART_WIDE  /* as wide as it is drawn; scrolled where the screen is narrower: matrices and graphs */
} wf_chart_fit;
/* The frame of a figure, with its title as text alternative and caption. */
void wfi_chart_begin(wf_buffer *b, const char *title, int width, int height, wf_chart_fit fit);
void wfi_chart_end(wf_buffer *b, const char *title);
/* A name of at most `most` characters, cut between characters; cut, the whole is its title. Inside an SVG text. */
void wfi_chart_name(wf_buffer *b, const char *name, size_t most);
double wfi_chart_step(double span, int steps); /* 1, 2 or 5 times a power of ten that makes about so many steps */
void wfi_chart_tick(char out[24], double v);   /* 3 digits: 0.25, 840, 12.5 k, 3 M */

/* Quality over cost: a numbered point each over a logarithmic x axis (x above 0), and a line through those that nothing
 * beats in both. */
typedef struct wf_point {
    const char *name;
    double x, y;
} wf_point;
void wfi_chart_points(wf_buffer *b, const char *title, const char *x_label, const char *y_label, const wf_point *points,
                      size_t count);
bool wfi_chart_on_front(const wf_point *points, size_t count, size_t at);

typedef struct wf_bar {
    const char *name;
    double value, low, high;
} wf_bar;
/* A horizontal bar from zero for each, with its value and a line from low to high. */
void wfi_chart_bars(wf_buffer *b, const char *title, const wf_bar *bars, size_t count);

/* What was made from what, from left to right. Parents are indices of nodes that stand before; an edge that a longer
 * way makes needless is left out. colour: 0 to 7. */
typedef struct wf_graph_node {
    const char *name, *kind;
    int colour;
    const size_t *parents;
    size_t parent_count;
} wf_graph_node;
void wfi_chart_graph(wf_buffer *b, const char *title, const wf_graph_node *nodes, size_t count);
#endif
