/* report/robust_sets.c - other sets of a robustness study: scores, cases that fail, groups, models side by side. See
 * studies.h. */
#include "report/html.h"
#include "report/scores.h"
#include "report/studies.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GROUPS_SHOWN = 40, LABELS_SHOWN = 6 };

/* "12.3 % [8.0, 17.1]" */
static void share_cell(wf_buffer *b, const json_t *share) {
    const double x = 100 * wfi_report_number(share, "value");
    wfi_html_number(b, isfinite(x) ? "%.1f %% [%.1f, %.1f]" : "–", x, 100 * wfi_report_number(share, "low"),
                    100 * wfi_report_number(share, "high"));
}

static void head_cells(wf_buffer *b, const json_t *model, const json_t *set) {
    wfi_html_row(b);
    wfi_html_cell(b, wfi_report_text(model, "name"));
    wfi_html_cell(b, wfi_report_text(set, "name"));
}

static void scores_write(wf_buffer *b, const json_t *result, const char *metric) {
    static const char *const heads[] = {
        "model",          "set",     "rows with a label", "score", "less than on test", "right [95 %]",
        "judged by case", "left out"};
    const json_t *model, *set;
    size_t i, k;
    char text[24];
    wfi_html_table(b, "Other sets", heads, 8);
    json_array_foreach(json_object_get(result, "models"), i, model)
        json_array_foreach(json_object_get(model, "sets"), k, set) {
        const double more = wfi_report_number(set, "unlabelled");
        head_cells(b, model, set);
        wfi_html_number(b, "%.0f", wfi_report_number(set, "rows"));
        wfi_report_score(text, metric, wfi_report_number(set, "score"));
        wfi_html_number(b, "%s", text);
        wfi_report_score(text, metric, wfi_report_number(set, "drop"));
        wfi_html_number(b, "%s", text);
        share_cell(b, json_object_get(set, "accuracy"));
        wfi_html_number(b, isfinite(more) ? "%.0f" : "–", more); /* studies of earlier versions */
        wfi_html_number(b, "%.0f", wfi_report_number(set, "left_out"));
    }
    wfi_html_table_end(b);
}

/* ---- by case ---- */

static bool any_of(const json_t *result, const char *key, size_t least) {
    const json_t *set;
    size_t k;
    json_array_foreach(json_object_get(json_array_get(json_object_get(result, "models"), 0), "sets"), k,
                       set) if (json_array_size(json_object_get(set, key)) >= least) return true;
    return false;
}

static void left_cell(wf_buffer *b, const json_t *of) {
    const json_t *left;
    char text[400] = "";
    size_t i;
    json_array_foreach(json_object_get(of, "not_judged"), i, left) {
        const size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s%.0f: %s", n ? "; " : "", wfi_report_number(left, "cases"),
                 wfi_report_text(left, "why"));
    }
    wfi_html_cell(b, text);
}

static void types_write(wf_buffer *b, const json_t *result) {
    static const char *const heads[] = {"model", "set", "type", "cases", "fail [95 %]", "not judged"};
    const json_t *model, *set, *type;
    size_t i, k, t;
    if (!any_of(result, "types", 1)) return;
    wfi_html_table(
        b,
        "Cases that fail, by type. contrast: not right in all variants; MFT: a wrong answer; INV: the answer "
        "changes between variants; DIR: it does not move as the test says. Intervals by resampling the cases",
        heads, 6);
    json_array_foreach(json_object_get(result, "models"), i, model)
        json_array_foreach(json_object_get(model, "sets"), k, set)
            json_array_foreach(json_object_get(set, "types"), t, type) {
        head_cells(b, model, set);
        wfi_html_cell(b, wfi_report_text(type, "type"));
        wfi_html_number(b, "%.0f", wfi_report_number(type, "cases"));
        share_cell(b, json_object_get(type, "rate"));
        left_cell(b, type);
    }
    wfi_html_table_end(b);
}

static void tests_write(wf_buffer *b, const json_t *model, const json_t *set) {
    static const char *const heads[] = {"test", "type", "of", "cases", "fail [95 %]", "answer changes", "not judged"};
    const json_t *test;
    char caption[240];
    size_t i;
    if (json_array_size(json_object_get(set, "tests")) == 0) return;
    snprintf(caption, sizeof caption, "%.64s on %.120s: tests, the worst first", wfi_report_text(model, "name"),
             wfi_report_text(set, "name"));
    wfi_html_table(b, caption, heads, 7);
    json_array_foreach(json_object_get(set, "tests"), i, test) {
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(test, "test"));
        wfi_html_cell(b, wfi_report_text(test, "type"));
        wfi_html_cell(b, wfi_report_text(test, "group"));
        wfi_html_number(b, "%.0f", wfi_report_number(test, "cases"));
        share_cell(b, json_object_get(test, "rate"));
        share_cell(b, json_object_get(test, "changed"));
        left_cell(b, test);
    }
    wfi_html_table_end(b);
}

static void groups_write(wf_buffer *b, const json_t *result) {
    static const char *const heads[] = {"model", "set", "group", "rows", "right [95 %]", "by label"};
    const json_t *model, *set, *group, *label;
    size_t i, k, g, c;
    if (!any_of(result, "groups", 2)) return;
    wfi_html_table(b, "Other sets by group and label", heads, 6);
    json_array_foreach(json_object_get(result, "models"), i, model)
        json_array_foreach(json_object_get(model, "sets"), k, set) {
        if (json_array_size(json_object_get(set, "groups")) < 2) continue;
        json_array_foreach(json_object_get(set, "groups"), g, group) {
            char text[400] = "";
            if (g >= GROUPS_SHOWN) break;
            head_cells(b, model, set);
            wfi_html_cell(b, wfi_report_text(group, "group"));
            wfi_html_number(b, "%.0f", wfi_report_number(group, "rows"));
            share_cell(b, json_object_get(group, "accuracy"));
            json_array_foreach(json_object_get(group, "labels"), c, label) {
                const size_t n = strlen(text);
                if (c < LABELS_SHOWN)
                    snprintf(text + n, sizeof text - n, "%s%.48s %.1f %%", n ? ", " : "",
                             wfi_report_text(label, "label"),
                             100 * wfi_report_number(json_object_get(label, "accuracy"), "value"));
            }
            wfi_html_cell(b, text);
        }
    }
    wfi_html_table_end(b);
}

/* ---- side by side ---- */

static bool pairs_there(const json_t *result) {
    const json_t *pair;
    size_t i;
    json_array_foreach(json_object_get(result, "pairs"), i,
                       pair) if (json_array_size(json_object_get(pair, "sets"))) return true;
    return false;
}

/* Whole sets always, their groups and tests where two models are told apart. */
static void pairs_write(wf_buffer *b, const json_t *result) {
    static const char *const heads[] = {"models",   "set",   "of", "first", "second", "difference [95 %]",
                                        "p (Holm)", "better"};
    const json_t *pair, *q;
    size_t i, k;
    if (!pairs_there(result)) return;
    wfi_html_table(b,
                   "Two models on the same cases: right answers (accuracy, group) or cases that fail. Groups and tests "
                   "only where they are told apart",
                   heads, 8);
    json_array_foreach(json_object_get(result, "pairs"), i, pair)
        json_array_foreach(json_object_get(pair, "sets"), k, q) {
        const char *name = wfi_report_text(q, "name"), *better = wfi_report_text(q, "better");
        char text[240], p[16];
        if (*name && !*better) continue;
        wfi_html_row(b);
        snprintf(text, sizeof text, "%.100s and %.100s", wfi_report_text(pair, "a"), wfi_report_text(pair, "b"));
        wfi_html_cell(b, text);
        wfi_html_cell(b, wfi_report_text(q, "set"));
        snprintf(text, sizeof text, "%.32s%s%.160s", wfi_report_text(q, "what"), *name ? " " : "", name);
        wfi_html_cell(b, text);
        wfi_html_number(b, "%.1f %%", 100 * wfi_report_number(q, "a"));
        wfi_html_number(b, "%.1f %%", 100 * wfi_report_number(q, "b"));
        wfi_html_number(b, "%+.1f [%.1f, %.1f]", 100 * wfi_report_number(q, "difference"),
                        100 * wfi_report_number(q, "low"), 100 * wfi_report_number(q, "high"));
        wfi_html_number(b, "%s", wfi_report_p(p, wfi_report_number(q, "p_holm")));
        wfi_html_cell(b, *better ? better : "not told apart");
    }
    wfi_html_table_end(b);
}

void wfi_robust_sets_write(wf_buffer *b, const json_t *result, const char *metric) {
    const json_t *model, *set;
    size_t i, k;
    if (json_array_size(json_object_get(result, "set_names")) == 0) return;
    scores_write(b, result, metric);
    types_write(b, result);
    json_array_foreach(json_object_get(result, "models"), i, model)
        json_array_foreach(json_object_get(model, "sets"), k, set) tests_write(b, model, set);
    groups_write(b, result);
    pairs_write(b, result);
}
