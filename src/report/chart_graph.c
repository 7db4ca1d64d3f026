/* report/chart_graph.c - what was made from what: columns from left to right, a node right of all of its parents. See
 * chart.h. */
#include "base/alloc.h"
#include "report/chart.h"
#include "report/html.h"
#include <stdlib.h>

enum { COLUMN = 250, NODE_WIDTH = 190, NODE_HEIGHT = 26, ROW = 34, TOP = 34, EDGE = 8, NAME_MOST = 22 };

typedef struct place {
    size_t node, column;
    double row; /* while sorting: the mean row of its parents */
} place;

static int by_place(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->column != y->column) return x->column < y->column ? -1 : 1;
    if (x->row < y->row || x->row > y->row) return x->row < y->row ? -1 : 1;
    return x->node < y->node ? -1 : 1;
}

/* Is there a longer way from node to parent? Then the edge between them says nothing new. */
static bool reached_otherwise(const wf_graph_node *nodes, size_t node, size_t parent) {
    for (size_t i = 0; i < nodes[node].parent_count; i++) {
        const size_t other = nodes[node].parents[i];
        if (other == parent) continue;
        for (size_t k = 0; k < nodes[other].parent_count; k++)
            if (nodes[other].parents[k] == parent || reached_otherwise(nodes, other, parent)) return true;
    }
    return false;
}

/* Columns by the longest way from a node without parents, then rows column by column, each node as near to its parents
 * as their order allows: few lines cross. Returns the number of columns. */
static size_t nodes_place(const wf_graph_node *nodes, size_t count, place *places, size_t *tallest) {
    size_t columns = 0;
    for (size_t i = 0; i < count; i++) {
        places[i] = (place){.node = i};
        for (size_t k = 0; k < nodes[i].parent_count; k++) {
            const size_t next = places[nodes[i].parents[k]].column + 1;
            if (next > places[i].column) places[i].column = next;
        }
        if (places[i].column >= columns) columns = places[i].column + 1;
    }
    *tallest = 0;
    for (size_t c = 0; c < columns; c++) {
        place *sorted = wfi_alloc(count, sizeof *sorted);
        size_t n = 0;
        for (size_t i = 0; sorted && i < count; i++) {
            double sum = 0;
            if (places[i].column != c) continue;
            for (size_t k = 0; k < nodes[i].parent_count; k++) sum += places[nodes[i].parents[k]].row;
            places[i].row = nodes[i].parent_count ? sum / (double)nodes[i].parent_count : 0;
            sorted[n++] = places[i];
        }
        if (n) qsort(sorted, n, sizeof *sorted, by_place);
        for (size_t i = 0; i < n; i++) places[sorted[i].node].row = (double)i;
        if (n > *tallest) *tallest = n;
        wfi_free(sorted);
    }
    return columns;
}

static void edges_draw(wf_buffer *b, const wf_graph_node *nodes, size_t count, const place *at) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < nodes[i].parent_count; k++) {
            const size_t from = nodes[i].parents[k];
            if (reached_otherwise(nodes, i, from)) continue;
            const double x = EDGE + (double)at[from].column * COLUMN + NODE_WIDTH,
                         y = TOP + at[from].row * ROW + NODE_HEIGHT / 2.0, end = EDGE + (double)at[i].column * COLUMN,
                         high = TOP + at[i].row * ROW + NODE_HEIGHT / 2.0;
            wfi_buffer_printf(b,
                              "<path fill=\"none\" stroke=\"var(--s%d)\" stroke-opacity=\"0.6\" "
                              "stroke-width=\"1.5\" d=\"M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f\"/>",
                              nodes[from].colour, x, y, x + 40, y, end - 40, high, end, high);
        }
}

void wfi_chart_graph(wf_buffer *b, const char *title, const wf_graph_node *nodes, size_t count) {
    size_t tallest = 0;
    place *at = wfi_alloc(count, sizeof *at);
    if (!at || count == 0) {
        b->failed = b->failed || count;
        wfi_free(at);
        return;
    }
    const size_t columns = nodes_place(nodes, count, at, &tallest);
    wfi_chart_begin(b, title, 2 * EDGE + (int)(columns - 1) * COLUMN + NODE_WIDTH, TOP + (int)tallest * ROW,
                    WF_CHART_WIDE);
    wfi_buffer_adds(b, "<desc>");
    for (size_t i = 0; i < count; i++) {
        wfi_buffer_printf(b, "%s ", nodes[i].kind);
        wfi_html_text(b, nodes[i].name);
        for (size_t k = 0; k < nodes[i].parent_count; k++) {
            wfi_buffer_adds(b, k ? ", " : " from ");
            wfi_html_text(b, nodes[nodes[i].parents[k]].name);
        }
        wfi_buffer_adds(b, ". ");
    }
    wfi_buffer_adds(b, "</desc>");
    edges_draw(b, nodes, count, at);
    for (size_t i = 0; i < count; i++) {
        const double x = EDGE + (double)at[i].column * COLUMN, y = TOP + at[i].row * ROW;
        bool first = at[i].row < 0.5; /* the kinds stand above the columns */
        if (first)
            wfi_buffer_printf(b, "<text class=\"small\" x=\"%.0f\" y=\"%d\">%s</text>", x, TOP - 12,
                              at[i].column ? at[i].column == 1 ? "trained" : "made of these" : "given");
        wfi_buffer_printf(b,
                          "<rect x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\" rx=\"4\" fill=\"var(--bg)\" "
                          "stroke=\"var(--s%d)\" stroke-width=\"1.5\"/><text x=\"%.0f\" y=\"%.0f\">",
                          x, y, NODE_WIDTH, NODE_HEIGHT, nodes[i].colour, x + 8, y + 17);
        wfi_chart_name(b, nodes[i].name, NAME_MOST);
        wfi_buffer_adds(b, "</text>");
    }
    wfi_chart_end(b, title);
    wfi_free(at);
}
