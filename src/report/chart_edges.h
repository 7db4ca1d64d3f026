/* report/chart_edges.h - the measures that figures with axes share, in pixels. Layer 11. */
#ifndef WF_REPORT_CHART_EDGES_H
#define WF_REPORT_CHART_EDGES_H

enum {
    WIDTH = 480, /* of a figure, its edges included: letters can still be read where a phone makes it narrower */
    HEIGHT = 300,
    EDGE_LEFT = 56, /* around the axes */
    EDGE_RIGHT = 24,
    EDGE_TOP = 34,
    EDGE_BOTTOM = 46,
    LINE = 20 /* of the legend */
};
#endif
