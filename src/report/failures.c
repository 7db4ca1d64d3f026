/* report/failures.c - a study of failures: kinds of rows, confusions, alike errors, doubtful labels. See
 * studies.h. */
#include "report/chart.h"
#include "report/html.h"
#include "report/scores.h"
#include "report/studies.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SLICES_SHOWN = 12, CLASSES_DRAWN = 12, SUSPECTS_SHOWN = 20, CONFUSIONS_SHOWN = 10 };

/* A label, or the labels of a multi-label row. */
static void label_add(wf_buffer *b, const json_t *label) {
    size_t i;
    const json_t *one;
    if (json_is_string(label)) wfi_html_text(b, json_string_value(label));
    if (json_is_integer(label)) wfi_buffer_printf(b, "%lld", (long long)json_integer_value(label));
    if (json_is_array(label) && json_array_size(label) == 0) wfi_buffer_adds(b, "nothing");
    json_array_foreach(label, i, one) {
        wfi_buffer_adds(b, i ? ", " : "");
        wfi_html_text(b, json_string_value(one));
    }
}

static void slices_write(wf_buffer *b, const json_t *model) {
    static const char *const heads[] = {
        "kind of rows", "rows", "errors", "wrong", "in the rest", "p (Holm)", "more errors than the rest"};
    const json_t *s;
    size_t i;
    char caption[160];
    snprintf(caption, sizeof caption, "%.64s: kinds of rows by Fisher's exact test, the most telling first",
             wfi_report_text(model, "name"));
    wfi_html_table(b, caption, heads, 7);
    json_array_foreach(json_object_get(model, "slices"), i, s) {
        const bool high = json_is_true(json_object_get(s, "high"));
        char p[16];
        if (i >= SLICES_SHOWN && !high) break;
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(s, "slice"));
        wfi_html_number(b, "%.0f", wfi_report_number(s, "rows"));
        wfi_html_number(b, "%.0f", wfi_report_number(s, "errors"));
        wfi_html_number(b, "%.1f %%", 100 * wfi_report_number(s, "rate"));
        wfi_html_number(b, "%.1f %%", 100 * wfi_report_number(s, "rest_rate"));
        wfi_html_number(b, "%s", wfi_report_p(p, wfi_report_number(s, "p_holm")));
        wfi_html_cell(b, high ? "yes" : "");
    }
    wfi_html_table_end(b);
}

static size_t class_of(const char **names, size_t *n, const char *name) {
    for (size_t i = 0; i < *n; i++)
        if (strcmp(names[i], name) == 0) return i;
    if (*n < CLASSES_DRAWN) names[(*n)++] = name;
    return *n - 1;
}

/* Few classes as a figure; of many the commonest confusions as a table. */
static void confusions_write(wf_buffer *b, const json_t *model) {
    static const char *const heads[] = {"label", "taken for", "rows", "of the label's rows"};
    const json_t *all = json_object_get(model, "confusions"), *c;
    const char *names[CLASSES_DRAWN];
    double share[CLASSES_DRAWN * CLASSES_DRAWN] = {0};
    char title[160];
    size_t i, n = 0;
    if (json_array_size(all) == 0) return;
    json_array_foreach(all, i, c) {
        class_of(names, &n, wfi_report_text(c, "label"));
        class_of(names, &n, wfi_report_text(c, "predicted"));
    }
    if (n < CLASSES_DRAWN) {
        json_array_foreach(all, i, c) share[class_of(names, &n, wfi_report_text(c, "label")) * n +
                                            class_of(names, &n, wfi_report_text(c, "predicted"))] =
            wfi_report_number(c, "share");
        snprintf(title, sizeof title, "%.64s: share of a class's rows (down) taken for another (across)",
                 wfi_report_text(model, "name"));
        wfi_chart_heat(b, title, names, n, names, n, share, 0, 0.5);
        return;
    }
    wfi_html_table(b, "Classes taken for one another", heads, 4);
    json_array_foreach(all, i, c) {
        if (i == CONFUSIONS_SHOWN) break;
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(c, "label"));
        wfi_html_cell(b, wfi_report_text(c, "predicted"));
        wfi_html_number(b, "%.0f", wfi_report_number(c, "rows"));
        wfi_html_number(b, "%.1f %%", 100 * wfi_report_number(c, "share"));
    }
    wfi_html_table_end(b);
}

static void clusters_write(wf_buffer *b, const json_t *model) {
    const json_t *c, *e;
    size_t i, k;
    if (json_array_size(json_object_get(model, "clusters")) == 0) return;
    wfi_buffer_adds(b, "<p>Errors that look alike to the frozen base, with those nearest the middle of each "
                       "group:</p>\n<ul>\n");
    json_array_foreach(json_object_get(model, "clusters"), i, c) {
        wfi_buffer_printf(b, "<li>%.0f errors, %.1f %% of the rows like these<ul>\n", wfi_report_number(c, "errors"),
                          100 * wfi_report_number(c, "rate"));
        json_array_foreach(json_object_get(c, "examples"), k, e) {
            wfi_buffer_adds(b, "<li>“");
            wfi_html_text(b, wfi_report_text(e, "text"));
            if (*wfi_report_text(e, "text_pair")) {
                wfi_buffer_adds(b, "” and “");
                wfi_html_text(b, wfi_report_text(e, "text_pair"));
            }
            wfi_buffer_adds(b, "”: is ");
            label_add(b, json_object_get(e, "label"));
            wfi_buffer_adds(b, ", said ");
            label_add(b, json_object_get(e, "predicted"));
            wfi_buffer_adds(b, "</li>\n");
        }
        wfi_buffer_adds(b, "</ul></li>\n");
    }
    wfi_buffer_adds(b, "</ul>\n");
}

static void percent_cell(wf_buffer *b, const json_t *of, const char *key) {
    const double x = wfi_report_number(of, key);
    wfi_html_number(b, isfinite(x) ? "%.1f %%" : "–", 100 * x);
}

/* A fusion's adapters, each alone under its head. */
static void sources_write(wf_buffer *b, const json_t *model) {
    static const char *const heads[] = {
        "adapter alone",     "wrong",    "right on errors", "wrong on others", "differs on errors",
        "differs on others", "p (Holm)", "its doubts count"};
    const json_t *sources = json_object_get(model, "sources"), *one;
    size_t i;
    if (!json_is_object(sources)) return;
    wfi_buffer_printf(
        b,
        "<p>On %.0f of these errors some adapter alone is right: if the right one were always taken, %.1f "
        "%% would be wrong. On %.0f of the first %.0f of them the fusion looks most at an adapter that is "
        "wrong. With few classes a source is often right because it merely differs; its doubts count where "
        "it differs more often on errors than elsewhere.</p>\n",
        wfi_report_number(sources, "errors_with_right_source"), 100 * wfi_report_number(sources, "oracle_error_rate"),
        wfi_report_number(sources, "looked_elsewhere"), wfi_report_number(sources, "watched"));
    wfi_html_table(b, "Adapters of the fusion against its errors", heads, sizeof heads / sizeof *heads);
    json_array_foreach(json_object_get(sources, "list"), i, one) {
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(one, "adapter"));
        char p[16];
        percent_cell(b, one, "error_rate");
        wfi_html_number(b, "%.0f", wfi_report_number(one, "right_where_wrong"));
        wfi_html_number(b, "%.0f", wfi_report_number(one, "wrong_where_right"));
        percent_cell(b, one, "differs_where_wrong");
        percent_cell(b, one, "differs_where_right");
        wfi_html_number(b, "%s", wfi_report_p(p, wfi_report_number(one, "p_holm")));
        wfi_html_cell(b, json_is_true(json_object_get(one, "knows_better")) ? "yes" : "");
    }
    wfi_html_table_end(b);
}

static void suspects_write(wf_buffer *b, const json_t *suspects) {
    static const char *const heads[] = {"line", "label", "perhaps", "sure of that", "text"};
    const json_t *s;
    size_t i;
    if (!json_is_object(suspects)) return;
    wfi_buffer_printf(b,
                      "<p>Labels of %.0f of %.0f training rows are doubtful: a linear probe on the frozen base that "
                      "did not see them is surer of another class than it usually is of that class. It is right on "
                      "%.1f %% of all rows, so hard rows are among them.</p>\n",
                      wfi_report_number(suspects, "found"), wfi_report_number(suspects, "rows"),
                      100 * wfi_report_number(suspects, "accuracy"));
    if (json_array_size(json_object_get(suspects, "list")) == 0) return;
    wfi_html_table(b, "The least believable first; look at them before you change anything", heads, 5);
    json_array_foreach(json_object_get(suspects, "list"), i, s) {
        char text[128];
        if (i == SUSPECTS_SHOWN) break;
        const char *full = wfi_report_text(s, "text");
        size_t n = strlen(full);
        if (n > 110)
            for (n = 110; n > 0 && ((unsigned char)full[n] & 0xC0) == 0x80;) n--;
        snprintf(text, sizeof text, "%.*s%s", (int)n, full, full[n] ? "…" : "");
        wfi_html_row(b);
        wfi_html_number(b, "%.0f", wfi_report_number(s, "line"));
        wfi_html_cell(b, wfi_report_text(s, "label"));
        wfi_html_cell(b, wfi_report_text(s, "suggested"));
        wfi_html_number(b, "%.1f %%", 100 * wfi_report_number(s, "confidence"));
        wfi_html_cell(b, text);
    }
    wfi_html_table_end(b);
}

void wfi_failures_write(wf_buffer *b, const char *title, const json_t *result) {
    const json_t *model;
    size_t i;
    wfi_buffer_adds(b, "<h3>");
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "</h3>\n");
    json_array_foreach(json_object_get(result, "models"), i, model) {
        wfi_buffer_adds(b, "<p>");
        wfi_html_text(b, wfi_report_text(model, "name"));
        wfi_buffer_printf(b, " is wrong on %.0f of %.0f rows (%.1f %%).</p>\n", wfi_report_number(model, "errors"),
                          wfi_report_number(result, "rows"), 100 * wfi_report_number(model, "error_rate"));
        slices_write(b, model);
        confusions_write(b, model);
        clusters_write(b, model);
        sources_write(b, model);
    }
    suspects_write(b, json_object_get(result, "suspects"));
}
