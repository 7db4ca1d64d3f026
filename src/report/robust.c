/* report/robust.c - a robustness study: who is more robust, curves over strengths, losses by kind, calibration, risk
 * over coverage, groups and other sets. See studies.h. */
#include "report/chart.h"
#include "report/html.h"
#include "report/scores.h"
#include "report/studies.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MODELS_MAX = 16, KINDS_MAX = 16, POINTS_MAX = 6, BINS_MAX = 50, GROUPS_SHOWN = 30 };

typedef struct curve {
    double x[POINTS_MAX], y[POINTS_MAX];
} curve;

/* ---- in words ---- */

static void score_add(wf_buffer *b, const char *metric, double value) {
    char text[24];
    wfi_report_score(text, metric, value);
    wfi_html_text(b, text);
}

static void interval_add(wf_buffer *b, const char *metric, const json_t *of) {
    wfi_buffer_adds(b, " [");
    score_add(b, metric, wfi_report_number(of, "low"));
    wfi_buffer_adds(b, ", ");
    score_add(b, metric, wfi_report_number(of, "high"));
    wfi_buffer_adds(b, "]");
}

static void question_write(wf_buffer *b, const json_t *q, const char *what, const char *won, const char *metric) {
    const char *better = wfi_report_text(q, "better");
    wfi_html_text(b, what);
    wfi_buffer_adds(b, " ");
    score_add(b, metric, wfi_report_number(q, "a"));
    wfi_buffer_adds(b, " and ");
    score_add(b, metric, wfi_report_number(q, "b"));
    wfi_buffer_adds(b, ", difference in");
    interval_add(b, metric, q);
    const double p = wfi_report_number(q, "p_holm");
    char text[16];
    wfi_report_p(text, p);
    wfi_buffer_printf(b, isfinite(p) ? ", p %s: " : ": ", text);
    if (*better) {
        wfi_buffer_adds(b, "<strong>");
        wfi_html_text(b, better);
        wfi_buffer_printf(b, " %s</strong>", won);
    } else {
        wfi_buffer_adds(b, "not told apart");
    }
}

static void pairs_write(wf_buffer *b, const json_t *result, const char *metric) {
    const json_t *pair, *pairs = json_object_get(result, "pairs");
    size_t i;
    if (json_array_size(pairs) == 0) return;
    wfi_buffer_adds(b, "<ul class=\"verdict\">\n");
    json_array_foreach(pairs, i, pair) {
        wfi_buffer_adds(b, "<li>");
        wfi_html_text(b, wfi_report_text(pair, "a"));
        wfi_buffer_adds(b, " and ");
        wfi_html_text(b, wfi_report_text(pair, "b"));
        wfi_buffer_adds(b, ": ");
        question_write(b, json_object_get(pair, "drop"), "they lose", "is more robust", metric);
        wfi_buffer_adds(b, "; ");
        question_write(b, json_object_get(pair, "disturbed"), "disturbed they have", "is better", metric);
        wfi_buffer_adds(b, "; ");
        question_write(b, json_object_get(pair, "clean"), "as the texts stand", "is better", metric);
        wfi_buffer_adds(b, ".</li>\n");
    }
    wfi_buffer_adds(b, "</ul>\n<p class=\"muted\">95 % intervals by resampling the test rows, p values corrected for "
                       "the number of pairs (Holm). They cover the choice of test rows, not chance in "
                       "training.</p>\n");
}

/* ---- tables ---- */

static void number_cell(wf_buffer *b, const json_t *of, const char *key) { /* what is not defined is a dash */
    const double x = wfi_report_number(of, key);
    wfi_html_number(b, isfinite(x) ? "%.3f" : "–", x);
}

static void p_cell(wf_buffer *b, const json_t *of) {
    char text[16];
    wfi_html_number(b, "%s", wfi_report_p(text, wfi_report_number(of, "p_holm")));
}

static void kinds_write(wf_buffer *b, const json_t *result, const json_t *model, const char *metric) {
    const char *heads[POINTS_MAX + 6] = {"disturbance", "as it stands"};
    char names[POINTS_MAX][8], caption[200], loss[80];
    size_t n = 2, i, k;
    const json_t *strength, *kind, *at;
    json_array_foreach(json_object_get(result, "strengths"), k, strength) {
        if (k >= POINTS_MAX) break;
        snprintf(names[k], sizeof names[k], "%d", (int)json_integer_value(strength));
        heads[n++] = names[k];
    }
    heads[n++] = "area";
    heads[n++] = "mean loss";
    heads[n++] = "p (Holm)";
    heads[n++] = "rows changed";
    snprintf(caption, sizeof caption, "%.64s: %.24s by strength", wfi_report_text(model, "name"), metric);
    wfi_html_table(b, caption, heads, n);
    json_array_foreach(json_object_get(model, "kinds"), i, kind) {
        const json_t *drop = json_object_get(kind, "drop"), *points = json_object_get(kind, "strengths");
        char text[24], low[24], high[24];
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(kind, "kind"));
        wfi_report_score(text, metric, wfi_report_number(json_object_get(model, "clean"), "score"));
        wfi_html_number(b, "%s", text);
        json_array_foreach(points, k, at) {
            if (k >= POINTS_MAX) break;
            wfi_report_score(text, metric, wfi_report_number(at, "score"));
            wfi_html_number(b, "%s", text);
        }
        wfi_report_score(text, metric, wfi_report_number(kind, "area"));
        wfi_html_number(b, "%s", text);
        wfi_report_score(text, metric, wfi_report_number(drop, "value"));
        wfi_report_score(low, metric, wfi_report_number(drop, "low"));
        wfi_report_score(high, metric, wfi_report_number(drop, "high"));
        snprintf(loss, sizeof loss, "%s [%s, %s]%s", text, low, high,
                 json_is_true(json_object_get(drop, "breaks")) ? " *" : "");
        wfi_html_number(b, "%s", loss);
        p_cell(b, drop);
        wfi_html_number(b, "%.0f %%",
                        100 * wfi_report_number(json_array_get(points, json_array_size(points) - 1), "changed"));
    }
    wfi_html_table_end(b);
}

static void trust_write(wf_buffer *b, const json_t *result) {
    static const char *const heads[] = {
        "model", "texts", "calibration error", "adaptive", "Brier", "errors at 50 %", "80 %", "100 %", "AUROC"};
    const json_t *model;
    size_t i;
    if (!json_object_get(json_object_get(json_array_get(json_object_get(result, "models"), 0), "clean"), "calibration"))
        return;
    wfi_html_table(b,
                   "Confidence: expected calibration error with equal and adaptive bins; share of errors among the "
                   "surest rows; chance that a right answer is surer than a wrong one (0.5: no use)",
                   heads, 9);
    json_array_foreach(json_object_get(result, "models"), i, model) for (int disturbed = 0; disturbed < 2;
                                                                         disturbed++) {
        const json_t *part = json_object_get(model, disturbed ? "disturbed" : "clean"),
                     *c = json_object_get(part, "calibration"), *s = json_object_get(part, "selective"),
                     *risk = json_object_get(s, "risk");
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(model, "name"));
        wfi_html_cell(b, disturbed ? "disturbed" : "as they stand");
        number_cell(b, c, "ece");
        number_cell(b, c, "adaptive_ece");
        number_cell(b, c, "brier");
        for (size_t k = 0; k < 3; k++)
            wfi_html_number(b, "%.1f %%", 100 * json_number_value(json_array_get(risk, (size_t[]){4, 7, 9}[k])));
        number_cell(b, s, "auroc");
    }
    wfi_html_table_end(b);
}

static void groups_write(wf_buffer *b, const json_t *result, const char *metric) {
    static const char *const heads[] = {"model", "group", "rows", "score", "p (Holm)", "more errors than the rest"};
    const json_t *model, *group;
    size_t i, k;
    char text[24];
    if (!json_object_get(json_array_get(json_object_get(result, "models"), 0), "groups")) return;
    wfi_html_table(b, "By group, the worst first (Fisher's exact test of the errors against all other rows)", heads, 6);
    json_array_foreach(json_object_get(result, "models"), i, model)
        json_array_foreach(json_object_get(model, "groups"), k, group) {
        if (k >= GROUPS_SHOWN) break;
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(model, "name"));
        wfi_html_cell(b, wfi_report_text(group, "group"));
        wfi_html_number(b, "%.0f", wfi_report_number(group, "rows"));
        wfi_report_score(text, metric, wfi_report_number(group, "score"));
        wfi_html_number(b, "%s", text);
        p_cell(b, group);
        wfi_html_cell(b, json_is_true(json_object_get(group, "worse")) ? "yes" : "");
    }
    wfi_html_table_end(b);
}

/* ---- figures ---- */

/* The score at strength 0 and each of the others; `kinds` averaged when kind is NULL. */
static size_t curve_of(const json_t *model, const json_t *kind, double scale, curve *out) {
    const json_t *kinds = json_object_get(model, "kinds"), *one, *at;
    size_t n = 1, i, k;
    *out = (curve){.y = {scale * wfi_report_number(json_object_get(model, "clean"), "score")}};
    const double share = kind ? 1 : 1 / (double)json_array_size(kinds);
    json_array_foreach(kinds, i, one) {
        if (kind && one != kind) continue;
        json_array_foreach(json_object_get(one, "strengths"), k, at) {
            if (k + 1 >= POINTS_MAX) break;
            out->x[k + 1] = wfi_report_number(at, "strength");
            out->y[k + 1] += share * scale * wfi_report_number(at, "score");
            if (k + 2 > n) n = k + 2;
        }
    }
    return n;
}

static void curves_draw(wf_buffer *b, const json_t *result, const char *metric) {
    const json_t *models = json_object_get(result, "models"), *model, *kind;
    const double scale = wfi_report_scale(metric);
    curve curves[KINDS_MAX > MODELS_MAX ? KINDS_MAX : MODELS_MAX];
    wf_series series[KINDS_MAX > MODELS_MAX ? KINDS_MAX : MODELS_MAX];
    char title[240], y_label[64];
    size_t i, k, n = 0;
    snprintf(y_label, sizeof y_label, "%.30s%s", metric, scale > 1 ? " (points)" : "");
    json_array_foreach(models, i, model) {
        if (n == MODELS_MAX) break;
        series[n] = (wf_series){.name = wfi_report_text(model, "name"), .x = curves[n].x, .y = curves[n].y};
        series[n].count = curve_of(model, NULL, scale, &curves[n]);
        n++;
    }
    snprintf(title, sizeof title, "%.60s: %.30s by strength of the disturbance, mean of all kinds",
             wfi_report_text(result, "task"), metric);
    if (n > 1) wfi_chart_lines(b, title, "strength", y_label, series, n);
    json_array_foreach(models, i, model) {
        if (i == MODELS_MAX) break;
        n = 0;
        json_array_foreach(json_object_get(model, "kinds"), k, kind) {
            if (n == KINDS_MAX) break;
            series[n] = (wf_series){.name = wfi_report_text(kind, "kind"), .x = curves[n].x, .y = curves[n].y};
            series[n].count = curve_of(model, kind, scale, &curves[n]);
            n++;
        }
        snprintf(title, sizeof title, "%.60s: %.30s by strength and kind of disturbance",
                 wfi_report_text(model, "name"), metric);
        wfi_chart_lines(b, title, "strength", y_label, series, n);
    }
}

static void reliability_draw(wf_buffer *b, const json_t *model) {
    static const char *const names[] = {"as the texts stand", "disturbed"}, *const keys[] = {"clean", "disturbed"};
    double confidence[2][BINS_MAX], accuracy[2][BINS_MAX], rows[2][BINS_MAX];
    wf_reliable series[2];
    char title[160];
    for (int s = 0; s < 2; s++) {
        const json_t *bin,
            *bins = json_object_get(json_object_get(json_object_get(model, keys[s]), "calibration"), "bins");
        size_t i, n = 0;
        if (!bins) return;
        json_array_foreach(bins, i, bin) {
            if (n == BINS_MAX) break;
            confidence[s][n] = wfi_report_number(bin, "confidence");
            accuracy[s][n] = wfi_report_number(bin, "accuracy");
            rows[s][n++] = wfi_report_number(bin, "rows");
        }
        series[s] = (wf_reliable){names[s], n, confidence[s], accuracy[s], rows[s]};
    }
    snprintf(title, sizeof title, "%.60s: how often answers of a confidence are right; larger points are more rows",
             wfi_report_text(model, "name"));
    wfi_chart_reliability(b, title, series, 2);
}

void wfi_robust_write(wf_buffer *b, const char *title, const json_t *result) {
    const char *metric = wfi_report_text(result, "metric");
    const json_t *model;
    size_t i;
    wfi_buffer_adds(b, "<h3>");
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "</h3>\n<p>");
    wfi_buffer_printf(b, "%.0f ", wfi_report_number(result, "rows"));
    wfi_html_text(b, wfi_report_text(result, "part"));
    wfi_buffer_adds(b, " rows. ");
    json_array_foreach(json_object_get(result, "models"), i, model) {
        const json_t *disturbed = json_object_get(model, "disturbed"), *drop = json_object_get(disturbed, "drop");
        wfi_html_text(b, wfi_report_text(model, "name"));
        wfi_buffer_adds(b, " has ");
        wfi_html_text(b, metric);
        wfi_buffer_adds(b, " ");
        score_add(b, metric, wfi_report_number(json_object_get(model, "clean"), "score"));
        wfi_buffer_adds(b, ", disturbed ");
        score_add(b, metric, wfi_report_number(disturbed, "score"));
        wfi_buffer_adds(b, " (loses ");
        score_add(b, metric, wfi_report_number(drop, "value"));
        interval_add(b, metric, drop);
        wfi_buffer_adds(b, "). ");
    }
    wfi_buffer_adds(b, "</p>\n");
    pairs_write(b, result, metric);
    curves_draw(b, result, metric);
    json_array_foreach(json_object_get(result, "models"), i, model) kinds_write(b, result, model, metric);
    wfi_buffer_adds(b,
                    "<p class=\"muted\">*: more is lost than chance explains (p below 0.05, corrected for the number "
                    "of kinds).</p>\n");
    trust_write(b, result);
    json_array_foreach(json_object_get(result, "models"), i, model) reliability_draw(b, model);
    groups_write(b, result, metric);
    wfi_robust_sets_write(b, result, metric);
}
