/* report/report.c - a lab as one page: overview, tasks, models, comparisons, where fusions look, runs. No statistics are computed here:
 * everything comes from recorded results. Layer 11. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/handle.h"
#include "report/chart.h"
#include "report/html.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *text_of(const json_t *j, const char *key) {
    const char *t = json_string_value(json_object_get(j, key));
    return t ? t : "";
}
static double number_of(const json_t *j, const char *key) {
    const json_t *v = json_object_get(j, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static void score_cell(wf_buffer *b, double v) {
    if (isfinite(v)) wfi_html_number(b, "%.1f", 100 * v);
    else wfi_html_cell(b, "–");
}

static void overview_write(wf_buffer *b, const json_t *all, const char *dir) {
    char now[24];
    wfi_clock_iso(now);
    wfi_buffer_adds(b, "<p>Adapters and their fusions on one frozen base, in the lab <code>");
    wfi_html_text(b, dir);
    wfi_buffer_printf(b, "</code>. Written %s by weft %s.</p>\n<nav><a href=\"#tasks\">Tasks</a><a href=\"#models\">Models</a><a href=\"#comparisons\">Comparisons</a>"
                         "<a href=\"#attention\">Where fusions look</a><a href=\"#runs\">Runs</a></nav>\n", now, wf_version());
    static const char *const heads[] = {"base", "layers", "width", "parameters", "pooling", "hash"};
    wfi_html_table(b, "Frozen bases: never written to after import", heads, 6);
    size_t i;
    const json_t *base;
    json_array_foreach(json_object_get(all, "bases"), i, base) {
        wfi_html_row(b);
        wfi_html_cell(b, text_of(base, "name"));
        wfi_html_number(b, "%.0f", number_of(base, "layers"));
        wfi_html_number(b, "%.0f", number_of(base, "hidden_size"));
        wfi_html_number(b, "%.1f M", number_of(base, "parameters") / 1e6);
        wfi_html_cell(b, text_of(base, "pooling"));
        char hash[13];
        snprintf(hash, sizeof hash, "%.12s", text_of(base, "hash"));
        wfi_html_cell(b, hash);
    }
    wfi_html_table_end(b);
}

static void balance_write(wf_buffer *b, const json_t *task) {
    const json_t *balance = json_object_get(task, "balance");
    if (json_object_size(balance) == 0 || json_object_size(balance) > 30) return;
    static const char *const heads[] = {"class", "train", "dev", "test"};
    wfi_buffer_adds(b, "<details><summary>");
    wfi_html_text(b, text_of(task, "name"));
    wfi_buffer_adds(b, ": rows a class</summary>");
    wfi_html_table(b, "", heads, 4);
    const char *label;
    json_t *counts;
    json_object_foreach((json_t *)balance, label, counts) {
        wfi_html_row(b);
        wfi_html_cell(b, label);
        for (int k = 1; k < 4; k++) wfi_html_number(b, "%.0f", number_of(counts, heads[k]));
    }
    wfi_html_table_end(b);
    wfi_buffer_adds(b, "</details>\n");
}

static void tasks_write(wf_buffer *b, const json_t *all) {
    static const char *const heads[] = {"task", "kind", "metric", "train", "dev", "test", "largest class", "mean words"};
    wfi_html_section(b, "tasks", "Tasks");
    wfi_html_table(b, "Rows by split; a model must beat the share of the largest class", heads, 8);
    size_t i;
    const json_t *t;
    json_array_foreach(json_object_get(all, "tasks"), i, t) {
        const json_t *rows = json_object_get(t, "rows");
        wfi_html_row(b);
        wfi_html_cell(b, text_of(t, "name"));
        wfi_html_cell(b, text_of(t, "kind"));
        wfi_html_cell(b, text_of(t, "metric"));
        for (int k = 3; k < 6; k++) wfi_html_number(b, "%.0f", number_of(rows, heads[k]));
        score_cell(b, number_of(t, "majority_share"));
        wfi_html_number(b, "%.1f", number_of(t, "mean_words"));
    }
    wfi_html_table_end(b);
    json_array_foreach(json_object_get(all, "tasks"), i, t) balance_write(b, t);
    wfi_html_section_end(b);
}

static void models_write(wf_buffer *b, const json_t *all) {
    static const char *const heads[] = {"model", "task", "method", "from", "train rows", "metric", "dev", "test", "trained parameters", "seconds"};
    wfi_html_section(b, "models", "Trained models");
    wfi_html_table(b, "Scores in points (0-100); selection by the dev score", heads, 10);
    size_t i, k;
    const json_t *m, *name;
    json_array_foreach(json_object_get(all, "models"), i, m) {
        const char *metric = text_of(m, "metric");
        wf_buffer from = {0};
        json_array_foreach(json_object_get(m, "from"), k, name) wfi_buffer_printf(&from, "%s%s", k ? ", " : "", json_string_value(name));
        wfi_html_row(b);
        wfi_html_cell(b, text_of(m, "name"));
        wfi_html_cell(b, text_of(m, "task"));
        wfi_html_cell(b, text_of(m, "method"));
        wfi_html_cell(b, from.data);
        wfi_html_number(b, "%.0f", number_of(m, "train_rows"));
        wfi_html_cell(b, metric);
        score_cell(b, number_of(json_object_get(m, "dev"), metric));
        score_cell(b, number_of(json_object_get(m, "test"), metric));
        wfi_html_number(b, "%.0f", number_of(m, "trainable_params"));
        wfi_html_number(b, "%.1f", number_of(m, "wall_seconds"));
        wfi_buffer_clear(&from);
    }
    wfi_html_table_end(b);
    wfi_html_section_end(b);
}

/* ---- comparisons ---- */

enum { METHODS_MAX = 24, SIZES_MAX = 24 };

typedef struct curve { const char *name; size_t count; double x[SIZES_MAX], y[SIZES_MAX], sd[SIZES_MAX]; } curve;

static curve *curve_of(curve *curves, size_t *count, const char *name) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp(curves[i].name, name) == 0) return &curves[i];
    if (*count == METHODS_MAX) return NULL;
    curves[*count] = (curve){.name = name};
    return &curves[(*count)++];
}

static void curves_draw(wf_buffer *b, const json_t *summary, const char *task, const char *metric) {
    static curve curves[METHODS_MAX];
    wf_series series[METHODS_MAX];
    size_t count = 0, i;
    const json_t *s;
    char title[256], y_label[64];
    json_array_foreach(summary, i, s) {
        curve *c = curve_of(curves, &count, text_of(s, "method"));
        const double y = number_of(json_object_get(s, "mean"), metric);
        if (!c || c->count == SIZES_MAX || !isfinite(y)) continue;
        c->x[c->count] = number_of(s, "train_rows");
        c->y[c->count] = 100 * y;
        c->sd[c->count++] = 100 * number_of(json_object_get(s, "sd"), metric);
    }
    for (i = 0; i < count; i++) series[i] = (wf_series){.name = curves[i].name, .count = curves[i].count, .x = curves[i].x, .y = curves[i].y, .spread = curves[i].sd};
    snprintf(title, sizeof title, "%.60s: %.30s on test over training rows, mean of the seeds with one standard deviation", task, metric);
    snprintf(y_label, sizeof y_label, "%.30s", metric);
    wfi_chart_lines(b, title, "training rows", y_label, series, count);
}

/* One plain sentence a size: is a fusion ahead of everything else, by more than the seeds' spread? */
static void verdict_write(wf_buffer *b, const json_t *summary, const char *metric) {
    double seen[SIZES_MAX];
    size_t seen_count = 0, i, k;
    const json_t *s, *o;
    wfi_buffer_adds(b, "<ul>");
    json_array_foreach(summary, i, s) {
        const double rows = number_of(s, "train_rows");
        bool again = seen_count == SIZES_MAX;
        for (k = 0; k < seen_count; k++) again = again || seen[k] == rows;
        if (again) continue;
        seen[seen_count++] = rows;
        double fusion = -INFINITY, other = -INFINITY, sd = 0;
        const char *best_other = "", *best_fusion = "";
        json_array_foreach(summary, k, o) {
            const char *method = text_of(o, "method");
            const double y = 100 * number_of(json_object_get(o, "mean"), metric), e = 100 * number_of(json_object_get(o, "sd"), metric);
            if (number_of(o, "train_rows") != rows || !isfinite(y)) continue;
            if (isfinite(e)) sd = fmax(sd, e);
            if (strncmp(method, "fus", 3) == 0) {
                if (y > fusion) fusion = y, best_fusion = method;
            } else if (y > other) other = y, best_other = method;
        }
        if (!isfinite(fusion) || !isfinite(other)) continue;
        wfi_buffer_printf(b, "<li>%.0f rows: ", rows);
        wfi_html_text(b, best_fusion);
        wfi_buffer_printf(b, " %.1f, best other (", fusion);
        wfi_html_text(b, best_other);
        wfi_buffer_printf(b, ") %.1f: fusion %s%s.</li>", other, fusion > other ? "is ahead" : "does not help here", fabs(fusion - other) <= sd ? ", within the spread of the seeds" : "");
    }
    wfi_buffer_adds(b, "</ul>\n");
}

static void comparison_write(wf_buffer *b, const json_t *result) {
    static const char *const heads[] = {"rows", "method", "accuracy", "± sd", "macro F1", "± sd", "seeds", "trained parameters", "seconds a training"};
    const json_t *summary = json_object_get(result, "summary"), *first = json_object_get(json_array_get(summary, 0), "mean"), *s;
    const bool classes = json_object_get(first, "accuracy") != NULL;
    const char *main_metric = classes ? "accuracy" : "pearson", *second = classes ? "macro_f1" : "spearman", *task = text_of(result, "task");
    size_t i;
    wfi_buffer_adds(b, "<h3>");
    wfi_html_text(b, task);
    wfi_buffer_adds(b, "</h3>\n");
    wfi_html_table(b, "Test scores in points, mean and standard deviation over the seeds", heads, 9);
    json_array_foreach(summary, i, s) {
        const json_t *mean = json_object_get(s, "mean"), *sd = json_object_get(s, "sd");
        wfi_html_row(b);
        wfi_html_number(b, "%.0f", number_of(s, "train_rows"));
        wfi_html_cell(b, text_of(s, "method"));
        score_cell(b, number_of(mean, main_metric));
        score_cell(b, number_of(sd, main_metric));
        score_cell(b, number_of(mean, second));
        score_cell(b, number_of(sd, second));
        wfi_html_number(b, "%.0f", number_of(s, "seeds"));
        wfi_html_number(b, "%.0f", number_of(s, "trainable_params"));
        wfi_html_number(b, "%.1f", number_of(s, "wall_seconds"));
    }
    wfi_html_table_end(b);
    verdict_write(b, summary, second);
    curves_draw(b, summary, task, main_metric);
    curves_draw(b, summary, task, second);
}

static wf_status comparisons_write(wf_lab *lab, wf_buffer *b, wf_err *err) {
    wf_run *runs = NULL;
    size_t count = 0, shown = 0;
    WF_TRY(wfi_run_list(lab->registry, &runs, &count, err));
    wfi_html_section(b, "comparisons", "Comparisons");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(runs[i].command, "compare") != 0 || strcmp(runs[i].status, "done") != 0) continue;
        json_t *result = json_loads(runs[i].result, 0, NULL);
        if (result) comparison_write(b, result), shown++;
        json_decref(result);
    }
    if (!shown) wfi_buffer_adds(b, "<p class=\"muted\">None yet; see <code>weft compare --help</code>.</p>");
    wfi_html_section_end(b);
    wfi_runs_free(runs, count);
    return WF_OK;
}

/* ---- attention ---- */

static void attention_draw(wf_buffer *b, const json_t *info) {
    enum { ROWS = 64, COLUMNS = 16 };
    static char labels[ROWS][48];
    const char *rows[ROWS], *columns[COLUMNS];
    static double values[ROWS * COLUMNS];
    const json_t *blocks = json_object_get(info, "attention"), *from = json_object_get(info, "from");
    const size_t n = json_array_size(blocks), m = json_array_size(from);
    char title[160];
    if (n == 0 || n > ROWS || m == 0 || m > COLUMNS) return;
    for (size_t c = 0; c < m; c++) columns[c] = json_string_value(json_array_get(from, c));
    for (size_t r = 0; r < n; r++) {
        const json_t *block = json_array_get(blocks, r), *weights = json_object_get(block, "weights");
        snprintf(labels[r], sizeof labels[r], "layer %.0f, %.30s", number_of(block, "layer"), text_of(block, "site"));
        rows[r] = labels[r];
        for (size_t c = 0; c < m; c++) values[r * m + c] = number_of(weights, columns[c]);
    }
    snprintf(title, sizeof title, "%.60s: mean attention per layer and adapter on dev rows", text_of(info, "name"));
    wfi_chart_heat(b, title, rows, n, columns, m, values, 0, 1);
}

static wf_status attention_write(wf_lab *lab, wf_buffer *b, const json_t *all, wf_err *err) {
    size_t i, shown = 0;
    const json_t *m;
    wfi_html_section(b, "attention", "Where fusions look");
    json_array_foreach(json_object_get(all, "models"), i, m) {
        if (json_array_size(json_object_get(m, "from")) == 0) continue;
        char *text = NULL;
        json_t *info = NULL;
        WF_TRY(wf_inspect(lab, text_of(m, "name"), &text, err));
        wf_status st = wfi_json_parse(text, strlen(text), "inspect", &info, err);
        if (st == WF_OK) attention_draw(b, info);
        json_decref(info);
        wf_free(text);
        WF_TRY(st);
        shown++;
    }
    if (!shown) wfi_buffer_adds(b, "<p class=\"muted\">No fusion is stored yet; see <code>weft fuse --help</code>.</p>");
    wfi_html_section_end(b);
    return WF_OK;
}

static void runs_write(wf_buffer *b, const json_t *all) {
    static const char *const heads[] = {"run", "command", "name", "status", "started", "finished"};
    wfi_html_section(b, "runs", "Runs");
    wfi_html_table(b, "", heads, 6);
    size_t i;
    const json_t *r;
    json_array_foreach(json_object_get(all, "runs"), i, r) {
        wfi_html_row(b);
        wfi_html_number(b, "%.0f", number_of(r, "run"));
        for (int k = 1; k < 6; k++) wfi_html_cell(b, text_of(r, heads[k]));
    }
    wfi_html_table_end(b);
    wfi_html_section_end(b);
}

static wf_status page_write(wf_lab *lab, wf_buffer *b, const json_t *all, wf_err *err) {
    wfi_html_begin(b, "weft report");
    overview_write(b, all, lab->dir);
    tasks_write(b, all);
    models_write(b, all);
    WF_TRY(comparisons_write(lab, b, err));
    WF_TRY(attention_write(lab, b, all, err));
    runs_write(b, all);
    wfi_html_end(b);
    return b->failed ? wfi_fail(err, WF_E_NOMEM, "out of memory for the report") : WF_OK;
}

/* A pipe or device (-o /dev/stdout) is written into; anything else is written aside and renamed. */
static wf_status page_store(const char *path, const wf_buffer *b, wf_err *err) {
    struct stat s;
    if (stat(path, &s) != 0 || S_ISREG(s.st_mode)) return wfi_file_write(path, b->data, b->len, err);
    if (S_ISDIR(s.st_mode)) return wfi_fail(err, WF_E_ARG, "%s is a folder; the report needs the name of a file", path);
    FILE *f = fopen(path, "w");
    if (!f) return wfi_fail(err, WF_E_IO, "cannot write %s: %s", path, strerror(errno));
    const bool whole = fwrite(b->data, 1, b->len, f) == b->len;
    return fclose(f) == 0 && whole ? WF_OK : wfi_fail(err, WF_E_IO, "cannot write %s: %s", path, strerror(errno));
}

wf_status wf_report(wf_lab *lab, const char *path, char **json, wf_err *err) {
    char *text = NULL;
    json_t *all = NULL;
    wf_buffer b = {0};
    if (!path) path = "report.html";
    WF_TRY(wf_list(lab, &text, err));
    wf_status st = wfi_json_parse(text, strlen(text), "list", &all, err);
    if (st == WF_OK) st = page_write(lab, &b, all, err);
    if (st == WF_OK) st = page_store(path, &b, err);
    if (st == WF_OK) st = wfi_lab_give(json_pack("{s:s, s:I}", "report", path, "bytes", (json_int_t)b.len), json, err);
    wfi_buffer_clear(&b);
    json_decref(all);
    wf_free(text);
    return st;
}
