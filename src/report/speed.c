/* report/speed.c - see speed.h. */
#include "report/speed.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/scores.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WORKS_MOST = 64, POINTS_MOST = 32, FILE_MOST = 1 << 22 };

static void where_write(wf_buffer *b, const json_t *j) {
    const json_t *machine = json_object_get(j, "machine"), *base = json_object_get(j, "base"), *g;
    size_t i;
    wfi_buffer_adds(b, "<p>Measured ");
    wfi_html_text(b, wfi_report_text(j, "finished"));
    wfi_buffer_adds(b, " on ");
    wfi_html_text(b, wfi_report_text(machine, "cpu"));
    wfi_buffer_printf(b, ", %.0f threads, with base ", wfi_report_number(machine, "threads"));
    wfi_html_text(b, wfi_report_text(base, "name"));
    wfi_buffer_printf(b, "%s (%.0f layers, width %.0f), %.0f tokens a text. The fastest matrix products:",
                      json_is_true(json_object_get(base, "random")) ? ", random weights" : "",
                      wfi_report_number(base, "layers"), wfi_report_number(base, "hidden_size"),
                      wfi_report_number(json_object_get(j, "texts"), "mean_tokens"));
    json_array_foreach(json_object_get(j, "gemm"), i, g) {
        wfi_buffer_adds(b, i ? ", " : " ");
        wfi_html_text(b, wfi_report_text(g, "dtype"));
        if (strcmp(wfi_report_text(g, "by"), "weft") == 0) wfi_buffer_adds(b, " (weft's kernel)");
        wfi_buffer_printf(b, " %.0f GFLOP/s", wfi_report_number(g, "gflops"));
    }
    wfi_buffer_adds(b, ".</p>\n");
}

static void cell(wf_buffer *b, int decimals, double value) {
    if (isnan(value))
        wfi_html_number(b, "–");
    else
        wfi_html_number(b, "%.*f", decimals, value);
}

static void works_write(wf_buffer *b, const json_t *works) {
    static const char *const heads[] = {"work",      "base",      "tokens/s",   "lowest",    "highest",
                                        "ms a step", "% of peak", "memory MiB", "median ms", "90 % below ms"};
    size_t i;
    const json_t *w;
    wfi_html_table(b,
                   "Median over the rounds, real tokens without padding; memory is that of a process doing this work "
                   "alone",
                   heads, sizeof heads / sizeof *heads);
    json_array_foreach(works, i, w) {
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(w, "work"));
        wfi_html_cell(b, wfi_report_text(w, "base_dtype"));
        cell(b, 0, wfi_report_number(w, "tokens_per_second"));
        cell(b, 0, wfi_report_number(w, "tokens_per_second_low"));
        cell(b, 0, wfi_report_number(w, "tokens_per_second_high"));
        cell(b, 2, 1e3 * wfi_report_number(w, "seconds_per_step"));
        cell(b, 0, 100 * wfi_report_number(w, "share_of_peak"));
        cell(b, 0, wfi_report_number(w, "peak_rss_bytes") / 1048576);
        cell(b, 2, wfi_report_number(w, "median_ms"));
        cell(b, 2, wfi_report_number(w, "p90_ms"));
    }
    wfi_html_table_end(b);
}

/* Latencies are one text's; their rates would only mislead beside the others. */
static void works_draw(wf_buffer *b, const json_t *works) {
    static char names[WORKS_MOST][80];
    wf_bar bars[WORKS_MOST];
    size_t i, n = 0;
    const json_t *w;
    json_array_foreach(works, i, w) {
        if (n == WORKS_MOST || json_object_get(w, "median_ms")) continue;
        snprintf(names[n], sizeof names[n], "%.64s", wfi_report_text(w, "work"));
        bars[n] =
            (wf_bar){names[n], wfi_report_number(w, "tokens_per_second"), wfi_report_number(w, "tokens_per_second_low"),
                     wfi_report_number(w, "tokens_per_second_high")};
        n++;
    }
    if (n)
        wfi_chart_bars(b, "Tokens a second by work; the thin lines go from the slowest to the fastest round", bars, n);
}

static void growth_draw(wf_buffer *b, const json_t *growth) {
    static const char *const axes[][3] = {
        {"grow:fuse", "adapters", "Training a fusion, over the number of its adapters"},
        {"grow:length", "tokens a text", "Training one adapter, over the length of texts"},
        {"grow:batch", "texts a step", "Training one adapter, over the texts of a step"},
        {"grow:threads", "threads", "Training one adapter, over threads"}};
    size_t i;
    const json_t *p;
    double x[POINTS_MOST], y[POINTS_MOST], memory[POINTS_MOST];
    for (size_t k = 0; k < sizeof axes / sizeof *axes; k++) {
        if (strcmp(axes[k][0], wfi_report_text(growth, "growth")) != 0) continue;
        wf_series s = {.name = "tokens a second", .x = x, .y = y}, m = {.name = "MiB", .x = x, .y = memory};
        json_array_foreach(json_object_get(growth, "points"), i, p) {
            if (s.count == POINTS_MOST) break;
            x[s.count] = wfi_report_number(p, "x");
            memory[s.count] = wfi_report_number(p, "peak_rss_bytes") / 1048576;
            m.count += !isnan(memory[s.count]);
            y[s.count++] = wfi_report_number(p, "tokens_per_second");
        }
        wfi_chart_lines(b, axes[k][2], axes[k][1], "tokens a second", &s, 1);
        if (m.count == s.count) wfi_chart_lines(b, "Memory of a process doing this alone", axes[k][1], "MiB", &m, 1);
    }
}

void wfi_speed_write(wf_lab *lab, wf_buffer *b) {
    char *path = wfi_lab_path(lab, "bench.json");
    json_t *j = NULL;
    wf_err err = {0};
    size_t i;
    const json_t *growth;
    wfi_html_section(b, "speed", "Speed");
    if (path && !wfi_file_exists(path)) {
        wfi_buffer_adds(b, "<p class=\"muted\">Not measured yet; see <code>weft bench --help</code>.</p>");
    } else if (!path || wfi_json_read(path, FILE_MOST, &j, &err) != WF_OK) {
        wfi_buffer_adds(b, "<p class=\"warn\">");
        wfi_html_text(b, path ? err.text : "out of memory");
        wfi_buffer_adds(b, "</p>\n");
    } else {
        const json_t *works = json_object_get(j, "works");
        where_write(b, j);
        if (json_array_size(works)) {
            works_draw(b, works);
            works_write(b, works);
        }
        json_array_foreach(json_object_get(j, "growth"), i, growth) growth_draw(b, growth);
    }
    wfi_html_section_end(b);
    json_decref(j);
    wfi_free(path);
}
