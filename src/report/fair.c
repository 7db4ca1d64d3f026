/* report/fair.c - a fairness study: groups against the rest, identities in the place of others. See studies.h. */
#include "report/chart.h"
#include "report/html.h"
#include "report/scores.h"
#include "report/studies.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GROUPS_SHOWN = 40, BARS_MAX = 40 };
static const char *const shares[] = {"errors", "fpr", "fnr"}, *const share_names[] = {"errors", "false alarms",
                                                                                      "misses"};

static void share_cell(wf_buffer *b, const json_t *of) {
    const double x = 100 * wfi_report_number(of, "rate"), p = wfi_report_number(of, "p_holm");
    char text[16];
    wfi_report_p(text, p);
    wfi_html_number(b, isfinite(x) ? isfinite(p) ? "%.1f %% (p %s)" : "%.1f %%" : "–", x, text);
}

static void interval_cell(wf_buffer *b, const json_t *of) {
    const double x = wfi_report_number(of, "value");
    wfi_html_number(b, isfinite(x) ? "%+.3f [%+.3f, %+.3f]" : "–", x, wfi_report_number(of, "low"),
                    wfi_report_number(of, "high"));
}

/* "more errors, fewer misses" */
static void differs_write(const json_t *group, char out[96]) {
    *out = 0;
    for (int k = 0; k < 3; k++) {
        const char *differs = wfi_report_text(json_object_get(group, shares[k]), "differs");
        const size_t n = strlen(out);
        if (*differs) snprintf(out + n, 96 - n, "%s%s %s", n ? ", " : "", differs, share_names[k]);
    }
}

static void groups_write(wf_buffer *b, const json_t *model) {
    static const char *const heads[] = {"group",
                                        "rows",
                                        "errors",
                                        "false alarms",
                                        "misses",
                                        "AUC",
                                        "AUC less the rest's",
                                        "too sure (+) or unsure (-)",
                                        "that less the rest's",
                                        "than the rest"};
    const json_t *g, *left = json_object_get(model, "left_out");
    char caption[200], text[96];
    size_t i;
    snprintf(caption, sizeof caption,
             "%.64s: groups, the most errors first (Fisher's exact test against all other rows, Holm; 95 %% intervals)",
             wfi_report_text(model, "name"));
    wfi_html_table(b, caption, heads, 10);
    json_array_foreach(json_object_get(model, "groups"), i, g) {
        const json_t *auc = json_object_get(g, "auc"), *c = json_object_get(g, "calibration");
        const double area = wfi_report_number(auc, "value");
        differs_write(g, text);
        if (i >= GROUPS_SHOWN && !*text) continue;
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(g, "group"));
        wfi_html_number(b, "%.0f", wfi_report_number(g, "rows"));
        for (int k = 0; k < 3; k++) share_cell(b, json_object_get(g, shares[k]));
        wfi_html_number(b, isfinite(area) ? "%.3f" : "–", area);
        interval_cell(b, json_object_get(auc, "difference"));
        interval_cell(b, c);
        interval_cell(b, json_object_get(c, "difference"));
        wfi_html_cell(b, text);
    }
    wfi_html_table_end(b);
    if (json_array_size(left) == 0) return;
    wfi_buffer_adds(b, "<p class=\"muted\">Left out, with too few rows:");
    json_array_foreach(left, i, g) {
        wfi_buffer_adds(b, i ? ", " : " ");
        wfi_html_text(b, wfi_report_text(g, "group"));
        wfi_buffer_printf(b, " (%.0f)", wfi_report_number(g, "rows"));
    }
    wfi_buffer_adds(b, ".</p>\n");
}

/* Error rates as bars, the worst first. */
static void groups_draw(wf_buffer *b, const json_t *model) {
    wf_bar bars[BARS_MAX];
    char title[160];
    const json_t *g;
    size_t i, n = 0;
    json_array_foreach(json_object_get(model, "groups"), i, g) {
        if (n == BARS_MAX) break;
        bars[n++] = (wf_bar){.name = wfi_report_text(g, "group"),
                             .value = 100 * wfi_report_number(json_object_get(g, "errors"), "rate"),
                             .low = NAN,
                             .high = NAN};
    }
    snprintf(title, sizeof title, "%.64s: errors by group, in percent of its rows", wfi_report_text(model, "name"));
    if (n) wfi_chart_bars(b, title, bars, n);
}

static void swaps_write(wf_buffer *b, const json_t *model) {
    static const char *const heads[] = {"set",      "in",      "texts", "identity", "changes the probability by",
                                        "p (Holm)", "so it is"};
    const json_t *s, *one, *swaps = json_object_get(model, "swaps");
    char caption[240];
    size_t i, k;
    snprintf(caption, sizeof caption,
             "%.64s: the same texts under every identity of a set; each against the mean of the others. A word is said "
             "from 0.02 on",
             wfi_report_text(model, "name"));
    wfi_html_table(b, caption, heads, 7);
    json_array_foreach(swaps, i, s) json_array_foreach(json_object_get(s, "identities"), k, one) {
        char p[16];
        const char *changes = wfi_report_text(one, "changes");
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(s, "set"));
        wfi_html_cell(b, wfi_report_text(s, "texts_of"));
        wfi_html_number(b, "%.0f", wfi_report_number(s, "texts"));
        wfi_html_cell(b, wfi_report_text(one, "identity"));
        interval_cell(b, one);
        wfi_html_number(b, "%s", wfi_report_p(p, wfi_report_number(one, "p_holm")));
        wfi_html_cell(b, changes);
    }
    wfi_html_table_end(b);
}

static bool group_differs(const json_t *g) {
    char text[96];
    differs_write(g, text);
    return *text;
}

static void verdict_write(wf_buffer *b, const json_t *model) {
    const json_t *odds = json_object_get(model, "equalised_odds"), *g, *s, *one;
    char text[96];
    size_t i, k, said = 0;
    wfi_buffer_adds(b, "<li>");
    wfi_html_text(b, wfi_report_text(model, "name"));
    wfi_buffer_printf(b, ": %.1f %% right. ", 100 * wfi_report_number(model, "accuracy"));
    if (*wfi_report_text(model, "worst_group")) {
        wfi_buffer_adds(b, "Worst group: <strong>");
        wfi_html_text(b, wfi_report_text(model, "worst_group"));
        wfi_buffer_adds(b, "</strong>. ");
    }
    json_array_foreach(json_object_get(model, "groups"), i, g) {
        if (!group_differs(g)) continue;
        differs_write(g, text);
        wfi_html_text(b, wfi_report_text(g, "group"));
        wfi_buffer_printf(b, " has %s than the rest. ", text);
        said++;
    }
    if (json_is_true(json_object_get(odds, "unequal"))) {
        wfi_buffer_printf(b, "Odds are unequal: false alarms differ by up to %.1f, misses by up to %.1f points. ",
                          100 * wfi_report_number(odds, "fpr_gap"), 100 * wfi_report_number(odds, "fnr_gap"));
        said++;
    }
    if (*wfi_report_text(odds, "not_measured") && json_array_size(json_object_get(model, "groups"))) {
        wfi_buffer_adds(b, "Equalised odds are not measurable: ");
        wfi_html_text(b, wfi_report_text(odds, "not_measured"));
        wfi_buffer_adds(b, ". ");
    }
    json_array_foreach(json_object_get(model, "swaps"), i, s)
        json_array_foreach(json_object_get(s, "identities"), k, one) {
        if (!*wfi_report_text(one, "changes")) continue;
        wfi_html_text(b, wfi_report_text(one, "identity"));
        wfi_buffer_printf(b, " moves the probability by %+.3f (%s). ", wfi_report_number(one, "value"),
                          strcmp(wfi_report_text(s, "texts_of"), "rows") == 0 ? "texts of the rows" : "templates");
        said++;
    }
    wfi_buffer_adds(b, said ? "</li>\n" : "No difference is told apart from chance.</li>\n");
}

void wfi_fair_write(wf_buffer *b, const char *title, const json_t *result) {
    const json_t *model, *models = json_object_get(result, "models");
    size_t i;
    wfi_buffer_adds(b, "<h3>");
    wfi_html_text(b, title);
    wfi_buffer_printf(b, "</h3>\n<p>%.0f rows (", wfi_report_number(result, "rows"));
    wfi_html_text(b, wfi_report_text(result, "part"));
    wfi_buffer_adds(b, "), asked about ");
    wfi_html_text(b, wfi_report_text(result, "positive"));
    wfi_buffer_adds(b, ".</p>\n<ul class=\"verdict\">\n");
    json_array_foreach(models, i, model) verdict_write(b, model);
    wfi_buffer_adds(b, "</ul>\n");
    json_array_foreach(models, i, model) {
        if (json_array_size(json_object_get(model, "groups"))) {
            groups_draw(b, model);
            groups_write(b, model);
        }
        swaps_write(b, model);
    }
}
