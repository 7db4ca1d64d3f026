/* report/comparison_cost.c - of a comparison: what may be claimed from its test rows, and quality over cost. See
 * comparison.h. */
#include "report/chart.h"
#include "report/comparison.h"
#include "report/html.h"
#include "report/scores.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POINTS_MAX = 24 };

void wfi_comparison_tests(wf_buffer *b, const json_t *result) {
    static const char *const heads[] = {"method",        "against", "rows",     "difference",
                                        "95 % interval", "p",       "p (Holm)", "better"};
    const json_t *tests = json_object_get(result, "tests"), *t;
    size_t i;
    if (json_array_size(tests) == 0) return;
    wfi_html_table(b,
                   "Differences on the test rows: paired bootstrap over rows and seeds, p corrected by Holm over all "
                   "questions of a size; below 0.05 one is called better",
                   heads, 8);
    json_array_foreach(tests, i, t) {
        const char *metric = wfi_report_text(t, "metric"), *better = wfi_report_text(t, "better");
        const double scale = wfi_report_scale(metric);
        const int digits = scale > 1 ? 1 : 3;
        char p[16];
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(t, "a"));
        wfi_html_cell(b, wfi_report_text(t, "b"));
        wfi_html_number(b, "%.0f", wfi_report_number(t, "train_rows"));
        wfi_html_number(b, "%+.*f", digits, scale * wfi_report_number(t, "difference"));
        wfi_html_number(b, "%+.*f to %+.*f", digits, scale * wfi_report_number(t, "low"), digits,
                        scale * wfi_report_number(t, "high"));
        wfi_html_number(b, "%s", wfi_report_p(p, wfi_report_number(t, "p")));
        wfi_html_number(b, "%s", wfi_report_p(p, wfi_report_number(t, "p_holm")));
        wfi_html_cell(b, *better ? better : "not told apart");
    }
    wfi_html_table_end(b);
}

/* A dash where an older version recorded nothing. */
static void number_or_dash(wf_buffer *b, int digits, double value) {
    if (isfinite(value))
        wfi_html_number(b, "%.*f", digits, value);
    else
        wfi_html_number(b, "–");
}

void wfi_comparison_costs(wf_buffer *b, const json_t *summary) {
    static const char *const heads[] = {"method", "rows",   "trained parameters", "seconds",
                                        "MiB",    "tokens", "learning rate"};
    const json_t *s;
    size_t i;
    wfi_html_table(b,
                   "Cost of a training. Parameters, seconds and tokens (passed through in training) are of all that is "
                   "trained for a method; MiB are the most that one of these trainings holds beside the base, counted",
                   heads, 7);
    json_array_foreach(summary, i, s) {
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(s, "method"));
        wfi_html_number(b, "%.0f", wfi_report_number(s, "train_rows"));
        wfi_html_number(b, "%.0f", wfi_report_number(s, "trainable_params"));
        wfi_html_number(b, "%.1f", wfi_report_number(s, "wall_seconds"));
        number_or_dash(b, 1, wfi_report_number(s, "memory_bytes") / 1048576);
        number_or_dash(b, 0, wfi_report_number(s, "tokens"));
        if (isfinite(wfi_report_number(s, "lr")))
            wfi_html_number(b, "%g", wfi_report_number(s, "lr"));
        else
            wfi_html_number(b, "–"); /* it differs from seed to seed */
    }
    wfi_html_table_end(b);
}

void wfi_comparison_rates(wf_buffer *b, const json_t *result) {
    static const char *const heads[] = {"method",     "rows",    "trained", "learning rate",
                                        "dev scores", "seconds", "tokens"};
    const json_t *tuning = json_object_get(result, "tuning"), *one, *t;
    size_t i, k;
    if (json_array_size(tuning) == 0) return;
    wfi_html_table(b,
                   "Learning rates, chosen on dev by a training with seed 0 for each; seconds and tokens are what that "
                   "took, and not part of the costs above",
                   heads, 7);
    json_array_foreach(tuning, i, one) {
        const char *part = wfi_report_text(one, "part"), *metric = wfi_report_text(one, "metric");
        wf_buffer tried = {0};
        json_array_foreach(json_object_get(one, "trials"), k, t) {
            char score[24];
            wfi_report_score(score, metric, wfi_report_number(t, "dev"));
            wfi_buffer_printf(&tried, "%s%s at %g", k ? ", " : "", score, wfi_report_number(t, "lr"));
        }
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(one, "method"));
        wfi_html_number(b, "%.0f", wfi_report_number(one, "train_rows"));
        wfi_html_cell(b, *part ? part : "the method");
        wfi_html_number(b, "%g", wfi_report_number(one, "lr"));
        wfi_html_cell(b, tried.data ? tried.data : "");
        wfi_html_number(b, "%.1f", wfi_report_number(one, "wall_seconds"));
        wfi_html_number(b, "%.0f", wfi_report_number(one, "tokens"));
        b->failed = b->failed || tried.failed;
        wfi_buffer_clear(&tried);
    }
    wfi_html_table_end(b);
}

/* Quality over one cost, which is what the axis says. */
static void pareto_draw(wf_buffer *b, const json_t *result, const char *metric, const char *cost, const char *over,
                        const char *x_label) {
    const json_t *summary = json_object_get(result, "summary"), *s;
    const double scale = wfi_report_scale(metric), sign = wfi_report_lower_is_better(metric) ? -1 : 1;
    wf_point points[POINTS_MAX];
    double largest = 0;
    size_t count = 0, i;
    char title[256], y_label[64];
    json_array_foreach(summary, i, s) largest = fmax(largest, wfi_report_number(s, "train_rows"));
    json_array_foreach(summary, i, s) {
        const double x = wfi_report_number(s, cost),
                     y = sign * scale * wfi_report_number(json_object_get(s, "mean"), metric);
        if (wfi_report_number(s, "train_rows") != largest || !(x > 0) || !isfinite(y) || count == POINTS_MAX) continue;
        points[count++] = (wf_point){.name = wfi_report_text(s, "method"), .x = x, .y = y};
    }
    if (count < 2) return;
    snprintf(title, sizeof title,
             "%.60s: %.30s on test over %s, with %.0f rows; nothing on the dashed line is beaten in both",
             wfi_report_text(result, "task"), metric, over, largest);
    snprintf(y_label, sizeof y_label, "%s%.30s%s", sign < 0 ? "less " : "", metric, scale > 1 ? " (points)" : "");
    wfi_chart_points(b, title, x_label, y_label, points, count);
}

/* Tokens are no axis: all methods read the same texts about as often, whatever they do with a token. */
void wfi_comparison_pareto(wf_buffer *b, const json_t *result, const char *metric) {
    pareto_draw(b, result, metric, "wall_seconds", "the seconds a training takes, choice of rates left out",
                "seconds of training, with all that is trained for a method");
    pareto_draw(b, result, metric, "trainable_params", "the number of trained parameters",
                "trained parameters, with all that is trained for a method");
}
