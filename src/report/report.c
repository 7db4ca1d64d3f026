/* report/report.c - a lab as one page: overview, tasks, models, lineage, comparisons, where fusions look, runs.
 * Everything comes from recorded results. Layer 11. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/eval_record.h"
#include "lab/handle.h"
#include "report/chart.h"
#include "report/comparison.h"
#include "report/html.h"
#include "report/lineage.h"
#include "report/page.h"
#include "report/safeguards.h"
#include "report/scores.h"
#include "report/speed.h"
#include "report/studies.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A lab is known by its folder's name; where that lies is nobody's business. */
static void lab_name_write(wf_buffer *b, const char *dir) {
    char *whole = realpath(dir, NULL);
    const char *name = wfi_path_base(whole ? whole : dir);
    wfi_html_text(b, *name ? name : dir);
    wfi_free(whole);
}

static void overview_write(wf_buffer *b, const json_t *all, const char *dir) {
    char now[24];
    wfi_clock_iso(now);
    wfi_buffer_adds(b, "<p>Adapters and their fusions on one frozen base, in the lab <code>");
    lab_name_write(b, dir);
    wfi_buffer_printf(
        b,
        "</code>. Written %s by weft %s.</p>\n<nav><a href=\"#comparisons\">Comparisons</a>"
        "<a href=\"#studies\">Studies</a>"
        "<a href=\"#attention\">Where fusions look</a><a href=\"#tasks\">Tasks</a><a href=\"#models\">Models</a><a "
        "href=\"#lineage\">Lineage</a><a href=\"#speed\">Speed</a><a href=\"#runs\">Runs</a></nav>\n",
        now, wf_version());
    static const char *const heads[] = {"base", "layers", "width", "parameters", "pooling", "hash"};
    wfi_html_table(b, "Frozen bases: never written to after import", heads, 6);
    size_t i;
    const json_t *base;
    json_array_foreach(json_object_get(all, "bases"), i, base) {
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(base, "name"));
        wfi_html_number(b, "%.0f", wfi_report_number(base, "layers"));
        wfi_html_number(b, "%.0f", wfi_report_number(base, "hidden_size"));
        wfi_html_number(b, "%.3g M", wfi_report_number(base, "parameters") / 1e6);
        wfi_html_cell(b, wfi_report_text(base, "pooling"));
        char hash[13];
        snprintf(hash, sizeof hash, "%.12s", wfi_report_text(base, "hash"));
        wfi_html_cell(b, hash);
    }
    wfi_html_table_end(b);
}

enum { CLASSES_OPEN = 12 }; /* so many rows stand there unfolded */

static void balance_write(wf_buffer *b, const json_t *task) {
    const json_t *balance = json_object_get(task, "balance");
    const size_t classes = json_object_size(balance);
    if (classes == 0) return;
    static const char *const heads[] = {"class", "train", "dev", "test"};
    wfi_buffer_adds(b, classes > CLASSES_OPEN ? "<details><summary>" : "<details open><summary>");
    wfi_html_text(b, wfi_report_text(task, "name"));
    wfi_buffer_adds(b, ": rows a class</summary>");
    wfi_html_table(b, "", heads, 4);
    const char *label;
    json_t *counts;
    json_object_foreach((json_t *)balance, label, counts) {
        wfi_html_row(b);
        wfi_html_cell(b, label);
        for (int k = 1; k < 4; k++) wfi_html_number(b, "%.0f", wfi_report_number(counts, heads[k]));
    }
    wfi_html_table_end(b);
    wfi_buffer_adds(b, "</details>\n");
}

static void tasks_write(wf_buffer *b, const json_t *all) {
    static const char *const heads[] = {"task",       "kind", "metric", "train", "dev", "test", "largest class (%)",
                                        "words a row"};
    wfi_html_section(b, "tasks", "Tasks");
    wfi_buffer_adds(
        b, "<p>What the models learn from: rows by split and class, and what was noticed when they were read.</p>\n");
    wfi_html_table(b, "Rows by split; a model must beat the share of the largest class", heads, 8);
    size_t i;
    const json_t *t;
    json_array_foreach(json_object_get(all, "tasks"), i, t) {
        const json_t *rows = json_object_get(t, "rows");
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(t, "name"));
        wfi_html_cell(b, wfi_report_text(t, "kind"));
        wfi_html_cell(b, wfi_report_text(t, "metric"));
        for (int k = 3; k < 6; k++) wfi_html_number(b, "%.0f", wfi_report_number(rows, heads[k]));
        if (json_object_size(json_object_get(t, "balance")))
            wfi_html_number(b, "%.1f", 100 * wfi_report_number(t, "majority_share"));
        else
            wfi_html_number(b, "–"); /* no classes */
        wfi_html_number(b, "%.1f", wfi_report_number(t, "mean_words"));
    }
    wfi_html_table_end(b);
    json_array_foreach(json_object_get(all, "tasks"), i, t) balance_write(b, t);
    json_array_foreach(json_object_get(all, "tasks"), i, t) {
        size_t k;
        const json_t *warning;
        json_array_foreach(json_object_get(t, "warnings"), k, warning) {
            wfi_buffer_adds(b, "<p class=\"warn\">");
            wfi_html_text(b, wfi_report_text(t, "name"));
            wfi_buffer_adds(b, ": ");
            wfi_html_text(b, json_string_value(warning));
            wfi_buffer_adds(b, "</p>\n");
        }
    }
    wfi_html_section_end(b);
}

/* The test score, with eval's interval where the whole test part was scored: "75.1 [72.0, 78.3]". */
static void test_cell(wf_buffer *b, const json_t *m, const char *metric, const char *score, const wf_run *runs,
                      size_t count) {
    wf_recorded_eval e = {0};
    char low[24], high[24];
    wfi_eval_recorded(runs, count, m, &e);
    const json_t *of = json_object_get(json_object_get(e.result, "metrics"), metric);
    if (isfinite(wfi_report_number(of, "low"))) {
        wfi_report_score(low, metric, wfi_report_number(of, "low"));
        wfi_report_score(high, metric, wfi_report_number(of, "high"));
        wfi_html_number(b, "%s [%s, %s]", score, low, high);
    } else {
        wfi_html_number(b, "%s", score);
    }
    json_decref(e.result);
}

static wf_status models_write(wf_lab *lab, wf_buffer *b, const json_t *all, wf_err *err) {
    wf_run *runs = NULL;
    size_t count = 0;
    WF_TRY(wfi_run_list(lab->registry, &runs, &count, err));
    static const char *const heads[] = {
        "model", "task", "method", "from", "train rows", "metric", "dev", "test", "trained parameters", "seconds"};
    wfi_html_section(b, "models", "Trained models");
    wfi_buffer_adds(b, "<p>Every model that is kept, its scores and what it cost.</p>\n");
    wfi_html_table(b,
                   "The best state is chosen by the dev score; accuracy and F1 in points (0–100), the others as they "
                   "are; in brackets the 95 % interval over all test rows, where weft eval has scored them",
                   heads, 10);
    size_t i, k;
    const json_t *m, *name;
    json_array_foreach(json_object_get(all, "models"), i, m) {
        const char *metric = wfi_report_text(m, "metric");
        wf_buffer from = {0};
        json_array_foreach(json_object_get(m, "from"), k, name)
            wfi_buffer_printf(&from, "%s%s", k ? ", " : "", json_string_value(name));
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(m, "name"));
        wfi_html_cell(b, wfi_report_text(m, "task"));
        wfi_html_cell(b, wfi_report_text(m, "method"));
        wfi_html_cell(b, from.data);
        wfi_html_number(b, "%.0f", wfi_report_number(m, "train_rows"));
        wfi_html_cell(b, metric);
        for (int part = 0; part < 2; part++) {
            char score[24];
            wfi_report_score(score, metric, wfi_report_number(json_object_get(m, part ? "test" : "dev"), metric));
            if (part)
                test_cell(b, m, metric, score, runs, count);
            else
                wfi_html_number(b, "%s", score);
        }
        wfi_html_number(b, "%.0f", wfi_report_number(m, "trainable_params"));
        wfi_html_number(b, "%.1f", wfi_report_number(m, "wall_seconds"));
        wfi_buffer_clear(&from);
    }
    wfi_html_table_end(b);
    wfi_safeguards_write(b, json_object_get(all, "models"));
    wfi_html_section_end(b);
    wfi_runs_free(runs, count);
    return WF_OK;
}

/* ---- comparisons ---- */

static wf_status comparisons_write(wf_lab *lab, wf_buffer *b, wf_err *err) {
    wf_run *runs = NULL;
    size_t count = 0, shown = 0;
    WF_TRY(wfi_run_list(lab->registry, &runs, &count, err));
    wfi_html_section(b, "comparisons", "Comparisons");
    wfi_buffer_adds(b, "<p>Methods side by side on the same rows with the same seeds: first whether fusing helped, "
                       "then the scores, what the test rows allow to be claimed, and the cost.</p>\n");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(runs[i].command, "compare") != 0 || strcmp(runs[i].status, "done") != 0) continue;
        json_t *result = json_loads(runs[i].result, 0, NULL);
        char title[160];
        snprintf(title, sizeof title, "%.80s (run %lld, %.24s)", runs[i].name, (long long)runs[i].id, runs[i].finished);
        if (result) wfi_comparison_write(b, title, result), shown++;
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
    if (n == 0 || m == 0) return;
    if (n > ROWS || m > COLUMNS) {
        wfi_buffer_adds(b, "<p>");
        wfi_html_text(b, wfi_report_text(info, "name"));
        wfi_buffer_printf(
            b, " is too large for a figure (%zu places, %zu adapters); see <code>weft inspect</code>.</p>\n", n, m);
        return;
    }
    for (size_t c = 0; c < m; c++) columns[c] = json_string_value(json_array_get(from, c));
    for (size_t r = 0; r < n; r++) {
        const json_t *block = json_array_get(blocks, r), *weights = json_object_get(block, "weights");
        snprintf(labels[r], sizeof labels[r], "layer %.0f, %.30s", wfi_report_number(block, "layer"),
                 wfi_report_text(block, "site"));
        rows[r] = labels[r];
        for (size_t c = 0; c < m; c++) values[r * m + c] = wfi_report_number(weights, columns[c]);
    }
    snprintf(title, sizeof title, "%.60s: mean attention per layer and adapter on dev rows",
             wfi_report_text(info, "name"));
    wfi_chart_heat(b, title, rows, n, columns, m, values, 0, 1);
}

static wf_status attention_write(wf_lab *lab, wf_buffer *b, const json_t *all, wf_err *err) {
    size_t i, shown = 0;
    const json_t *m;
    wfi_html_section(b, "attention", "Where fusions look");
    wfi_buffer_adds(b, "<p>How much weight each stored fusion gives each of its adapters, by layer; the weights of a "
                       "row add up to 1.</p>\n");
    json_array_foreach(json_object_get(all, "models"), i, m) {
        if (json_array_size(json_object_get(m, "from")) == 0) continue;
        char *text = NULL;
        json_t *info = NULL;
        WF_TRY(wf_inspect(lab, wfi_report_text(m, "name"), &text, err));
        wf_status st = wfi_json_parse(text, strlen(text), "inspect", &info, err);
        if (st == WF_OK) attention_draw(b, info);
        json_decref(info);
        wf_free(text);
        WF_TRY(st);
        shown++;
    }
    if (!shown)
        wfi_buffer_adds(b, "<p class=\"muted\">No fusion is stored yet; see <code>weft fuse --help</code>.</p>");
    wfi_html_section_end(b);
    return WF_OK;
}

static void runs_write(wf_buffer *b, const json_t *all) {
    static const char *const heads[] = {"run", "command", "name", "status", "started", "finished"};
    wfi_html_section(b, "runs", "Runs");
    wfi_buffer_adds(b, "<p>Everything that was asked of this lab, in order.</p>\n");
    wfi_html_table(b, "", heads, 6);
    size_t i;
    const json_t *r;
    json_array_foreach(json_object_get(all, "runs"), i, r) {
        wfi_html_row(b);
        wfi_html_number(b, "%.0f", wfi_report_number(r, "run"));
        for (int k = 1; k < 6; k++) wfi_html_cell(b, wfi_report_text(r, heads[k]));
    }
    wfi_html_table_end(b);
    wfi_html_section_end(b);
}

static wf_status page_write(wf_lab *lab, wf_buffer *b, const json_t *all, wf_err *err) {
    wfi_html_begin(b, "weft report");
    overview_write(b, all, lab->dir);
    WF_TRY(comparisons_write(lab, b, err)); /* what most readers came for */
    WF_TRY(wfi_studies_write(lab, b, err));
    WF_TRY(attention_write(lab, b, all, err));
    tasks_write(b, all);
    WF_TRY(models_write(lab, b, all, err));
    WF_TRY(wfi_lineage_write(lab, b, all, err));
    wfi_speed_write(lab, b);
    runs_write(b, all);
    wfi_html_end(b);
    return b->failed ? wfi_fail(err, WF_E_NOMEM, "out of memory for the report") : WF_OK;
}

wf_status wf_report(wf_lab *lab, const char *path, char **json, wf_err *err) {
    char *text = NULL;
    json_t *all = NULL;
    wf_buffer b = {0};
    if (!path) path = "report.html";
    WF_TRY(wf_list(lab, &text, err));
    wf_status st = wfi_json_parse(text, strlen(text), "list", &all, err);
    if (st == WF_OK) st = page_write(lab, &b, all, err);
    if (st == WF_OK) st = wfi_page_store(path, &b, err);
    if (st == WF_OK) st = wfi_lab_give(json_pack("{s:s, s:I}", "report", path, "bytes", (json_int_t)b.len), json, err);
    wfi_buffer_clear(&b);
    json_decref(all);
    wf_free(text);
    return st;
}
