/* report/comparison.c - see comparison.h. */
#include "report/comparison.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/scores.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { METHODS_MAX = 24, SIZES_MAX = 24, SEEDS_MAX = 1000, METRICS_MAX = 12 };

static bool is_fusion(const char *method) {
    return strncmp(method, "fuse:", 5) == 0 || strncmp(method, "fusion:", 7) == 0 || strncmp(method, "mtfuse:", 7) == 0;
}

/* ---- in words ---- */

/* The best mean at a size among the fusions, or among everything else; NULL when there is none. */
static const json_t *best_at(const json_t *summary, double rows, const char *metric, bool fusions) {
    const double sign = wfi_report_lower_is_better(metric) ? -1 : 1;
    const json_t *s, *best = NULL;
    double most = -INFINITY;
    size_t i;
    json_array_foreach(summary, i, s) {
        const double v = sign * wfi_report_number(json_object_get(s, "mean"), metric);
        if (wfi_report_number(s, "train_rows") != rows || is_fusion(wfi_report_text(s, "method")) != fusions ||
            !(v > most))
            continue;
        most = v;
        best = s;
    }
    return best;
}

static double seed_score(const json_t *all, const char *method, double rows, double seed, const char *metric) {
    const json_t *r;
    size_t i;
    json_array_foreach(all, i, r) if (wfi_report_number(r, "seed") == seed &&
                                      wfi_report_number(r, "train_rows") == rows &&
                                      strcmp(wfi_report_text(r, "method"), method) ==
                                          0) return wfi_report_number(json_object_get(r, "metrics"), metric);
    return NAN;
}

/* Differences fusion - other on the same seed: rows, order of batches and dropout are the same, so most of the chance
 * cancels. */
static wf_paired difference(const json_t *all, const char *fusion, const char *other, double rows, const char *metric) {
    double d[SEEDS_MAX];
    size_t n = 0, i;
    const json_t *r;
    json_array_foreach(all, i, r) {
        if (n == SEEDS_MAX || wfi_report_number(r, "train_rows") != rows ||
            strcmp(wfi_report_text(r, "method"), fusion) != 0)
            continue;
        const double x = wfi_report_number(json_object_get(r, "metrics"), metric) -
                         seed_score(all, other, rows, wfi_report_number(r, "seed"), metric);
        if (isfinite(x)) d[n++] = wfi_report_scale(metric) * x * (wfi_report_lower_is_better(metric) ? -1 : 1);
    }
    return wfi_report_paired(d, n);
}

typedef enum outcome { AHEAD, BEHIND, OPEN } outcome;
enum { SEEDS_LEAST = 3 }; /* two agree by chance too often: their interval may have no width at all */

/* Of one size: the fusion against the other method. */
typedef struct verdict {
    wf_paired seeds;    /* seed by seed */
    const json_t *test; /* the recorded test of the pair, over rows and seeds; NULL: none (no test rows) */
    bool ahead;         /* the side that the test calls better, if any, is the fusion */
} verdict;

static const json_t *test_of(const json_t *result, double rows, const char *a, const char *b) {
    size_t i;
    const json_t *t;
    json_array_foreach(json_object_get(result, "tests"), i, t) if (wfi_report_number(t, "train_rows") == rows &&
                                                                   strcmp(wfi_report_text(t, "a"), a) == 0 &&
                                                                   strcmp(wfi_report_text(t, "b"), b) == 0) return t;
    return NULL;
}

static outcome judge(const verdict *v) {
    if (v->seeds.n < SEEDS_LEAST) return OPEN;
    if (v->test) return !json_is_string(json_object_get(v->test, "better")) ? OPEN : v->ahead ? AHEAD : BEHIND;
    return v->seeds.low > 0 ? AHEAD : v->seeds.high < 0 ? BEHIND : OPEN;
}

static void interval_write(wf_buffer *b, const verdict *v, int digits, double factor) {
    if (!v->test) {
        wfi_buffer_printf(b, ", 95 %% interval over %zu paired seeds %+.*f to %+.*f: ", v->seeds.n, digits,
                          v->seeds.low, digits, v->seeds.high);
        return;
    }
    const double ends[] = {factor * wfi_report_number(v->test, "low"), factor * wfi_report_number(v->test, "high")};
    char p[16];
    wfi_buffer_printf(b, ", 95 %% interval over test rows and %zu seeds %+.*f to %+.*f, p %s with Holm's correction: ",
                      v->seeds.n, digits, fmin(ends[0], ends[1]), digits, fmax(ends[0], ends[1]),
                      wfi_report_p(p, wfi_report_number(v->test, "p_holm")));
}

/* "+1.2 points", and what rows and seeds allow to be said. */
static void difference_write(wf_buffer *b, const verdict *v, const char *metric) {
    const bool points = wfi_report_scale(metric) > 1, lower = wfi_report_lower_is_better(metric);
    const int digits = points ? 1 : 3;
    wfi_buffer_printf(b, "difference %+.*f%s", digits, v->seeds.mean,
                      points  ? " points"
                      : lower ? " (above 0: a smaller error)"
                              : "");
    if (v->seeds.n < SEEDS_LEAST) {
        wfi_buffer_printf(b, ", on %zu seed%s only: <strong>nothing can be concluded</strong>", v->seeds.n,
                          v->seeds.n == 1 ? "" : "s");
        return;
    }
    interval_write(b, v, digits, wfi_report_scale(metric) * (lower ? -1 : 1));
    switch (judge(v)) {
    case AHEAD:
        wfi_buffer_adds(b, "<strong>fusion is ahead</strong>");
        break;
    case BEHIND:
        wfi_buffer_adds(b, "<strong>fusion does worse</strong>");
        break;
    case OPEN:
        wfi_buffer_adds(b, v->test ? "<strong>not told apart</strong>"
                                   : "the interval holds zero, so <strong>the seeds do not tell them apart</strong>");
        break;
    }
    if (v->seeds.n < 4 && !v->test)
        wfi_buffer_adds(b, judge(v) == OPEN ? " (they are few)" : " (few seeds: a hint, no more)");
}

static void size_write(wf_buffer *b, const json_t *result, double rows, const char *metric, size_t counts[3],
                       size_t *few) {
    const json_t *all = json_object_get(result, "rows"), *summary = json_object_get(result, "summary");
    const json_t *fusion = best_at(summary, rows, metric, true), *other = best_at(summary, rows, metric, false);
    char x[24], y[24];
    if (!fusion || !other) return;
    const char *f = wfi_report_text(fusion, "method"), *o = wfi_report_text(other, "method");
    verdict v = {.seeds = difference(all, f, o, rows, metric), .test = test_of(result, rows, f, o)};
    if (v.test && strcmp(wfi_report_text(v.test, "metric"), metric) != 0) v.test = NULL;
    v.ahead = v.test && strcmp(wfi_report_text(v.test, "better"), f) == 0;
    if (v.seeds.n == 0) return;
    counts[judge(&v)]++;
    *few += v.seeds.n < SEEDS_LEAST;
    wfi_report_score(x, metric, wfi_report_number(json_object_get(fusion, "mean"), metric));
    wfi_report_score(y, metric, wfi_report_number(json_object_get(other, "mean"), metric));
    wfi_buffer_printf(b, "<li>%.0f rows: ", rows);
    wfi_html_text(b, f);
    wfi_buffer_printf(b, " has %s %s, the best other method (", metric, x);
    wfi_html_text(b, o);
    wfi_buffer_printf(b, ") %s; ", y);
    difference_write(b, &v, metric);
    wfi_buffer_adds(b, ".</li>\n");
}

/* Whether fusing helped, size by size, and in one sentence. */
static void verdict_write(wf_buffer *b, const json_t *result, const char *metric) {
    const json_t *summary = json_object_get(result, "summary"), *s;
    double seen[SIZES_MAX];
    size_t seen_count = 0, i, counts[3] = {0}, few = 0;
    wf_buffer list = {0};
    json_array_foreach(summary, i, s) {
        const double rows = wfi_report_number(s, "train_rows");
        bool again = seen_count == SIZES_MAX;
        for (size_t k = 0; k < seen_count; k++) again = again || seen[k] == rows;
        if (again) continue;
        seen[seen_count++] = rows;
        size_write(&list, result, rows, metric, counts, &few);
    }
    const size_t sizes = counts[AHEAD] + counts[BEHIND] + counts[OPEN];
    if (sizes) {
        wfi_buffer_adds(b, "<p>");
        if (few == sizes)
            wfi_buffer_adds(b, "Too few seeds: whether fusion helps cannot be said");
        else if (!counts[AHEAD])
            wfi_buffer_printf(b, "<strong>Fusion does not win here</strong>: at no size is it ahead of the best other "
                                 "method by more than chance may do");
        else
            wfi_buffer_printf(b, "Fusion is ahead of the best other method at %zu of %zu sizes", counts[AHEAD], sizes);
        wfi_buffer_printf(b, " (ahead at %zu, behind at %zu, undecided at %zu).</p>\n<ul class=\"verdict\">",
                          counts[AHEAD], counts[BEHIND], counts[OPEN]);
        if (list.data) wfi_buffer_adds(b, list.data);
        wfi_buffer_adds(
            b,
            json_array_size(json_object_get(result, "tests"))
                ? "</ul>\n<p class=\"muted\">What is claimed here is what the tests below claim. Which method is the "
                  "best of its kind was chosen by these same scores, so the intervals are somewhat too narrow.</p>\n"
                : "</ul>\n<p class=\"muted\">Differences are taken seed by seed. Which method is the best of "
                  "its kind was chosen by these same scores, so the intervals are somewhat too narrow; and they "
                  "cover chance in training, not the choice of test rows: a score on n rows is itself uncertain by "
                  "about 100/&radic;n points.</p>\n");
    }
    b->failed = b->failed || list.failed;
    wfi_buffer_clear(&list);
}

/* ---- table ---- */

/* How far training rows lie above dev, in the chosen metric; a star where most seeds are warned of. */
static void gap_cell(wf_buffer *b, const json_t *gap, const char *metric) {
    char text[24];
    const bool warns = 2 * wfi_report_number(gap, "warns") > wfi_report_number(gap, "seeds");
    wfi_report_score(text, metric, wfi_report_number(gap, "gap"));
    wfi_html_number(b, "%s%s", text, warns ? " *" : "");
}

/* What "auto" took, size by size. */
static void chosen_write(wf_buffer *b, const json_t *summary) {
    size_t i;
    const json_t *s;
    json_array_foreach(summary, i, s) {
        const char *name;
        json_t *times;
        size_t n = 0;
        json_object_foreach(json_object_get(s, "chosen"), name, times) {
            if (n++ == 0) {
                wfi_buffer_adds(b, "<p class=\"muted\">");
                wfi_html_text(b, wfi_report_text(s, "method"));
                wfi_buffer_printf(b, " with %.0f rows took ", wfi_report_number(s, "train_rows"));
            }
            wfi_buffer_adds(b, n > 1 ? ", " : "");
            wfi_html_text(b, name);
            wfi_buffer_printf(b, " (%lld of %.0f seeds)", (long long)json_integer_value(times),
                              wfi_report_number(s, "seeds"));
        }
        if (n) wfi_buffer_adds(b, ".</p>\n");
    }
}

/* The column that stays in view. */
static void method_cell(wf_buffer *b, const json_t *s) {
    char text[320];
    snprintf(text, sizeof text, "%.300s%s", wfi_report_text(s, "method"),
             wfi_report_number(s, "one_answer") > 0 ? " (!)" : "");
    wfi_html_cell(b, text);
}

/* Methods whose models are of no use however good their score looks. */
static void one_answer_write(wf_buffer *b, const json_t *summary) {
    size_t i;
    const json_t *s;
    json_array_foreach(summary, i, s) {
        if (!(wfi_report_number(s, "one_answer") > 0)) continue;
        wfi_buffer_adds(b, "<p><strong>(!) ");
        wfi_html_text(b, wfi_report_text(s, "method"));
        wfi_buffer_printf(
            b, " with %.0f rows: %.0f of %.0f seeds give (nearly) all test rows one answer.</strong></p>\n",
            wfi_report_number(s, "train_rows"), wfi_report_number(s, "one_answer"), wfi_report_number(s, "seeds"));
    }
}

static void table_write(wf_buffer *b, const json_t *summary, const char *metric, const char *const *metrics, size_t n) {
    const char *heads[METRICS_MAX + 4] = {"method", "rows"};
    size_t i, columns = 2;
    const json_t *s;
    for (i = 0; i < n; i++) heads[columns++] = metrics[i];
    heads[columns++] = "train – dev";
    heads[columns++] = "seeds";
    wfi_html_table(b,
                   "Scores on test, mean ± standard deviation over the seeds; accuracy and F1 in points (0–100), the "
                   "others as they are. Train – dev: what the chosen metric is worth on training rows above dev, a "
                   "star where that is too much for most seeds",
                   heads, columns);
    json_array_foreach(summary, i, s) {
        const json_t *mean = json_object_get(s, "mean"), *sd = json_object_get(s, "sd");
        wfi_html_row(b);
        method_cell(b, s);
        wfi_html_number(b, "%.0f", wfi_report_number(s, "train_rows"));
        for (size_t k = 0; k < n; k++) {
            char x[24], y[24];
            const double spread = wfi_report_number(sd, metrics[k]);
            wfi_report_score(x, metrics[k], wfi_report_number(mean, metrics[k]));
            wfi_report_score(y, metrics[k], spread);
            wfi_html_number(b, "%s%s%s", x, isfinite(spread) ? "\u00a0±\u00a0" : "" /* no line ends here */,
                            isfinite(spread) ? y : "");
        }
        gap_cell(b, json_object_get(s, "gap"), metric);
        wfi_html_number(b, "%.0f", wfi_report_number(s, "seeds"));
    }
    wfi_html_table_end(b);
}

/* ---- curves ---- */

typedef struct curve {
    const char *name;
    size_t count;
    double x[SIZES_MAX], y[SIZES_MAX], sd[SIZES_MAX];
} curve;

static curve *curve_of(curve *curves, size_t *count, const char *name) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp(curves[i].name, name) == 0) return &curves[i];
    if (*count == METHODS_MAX) return NULL;
    curves[*count] = (curve){.name = name};
    return &curves[(*count)++];
}

static void curves_draw(wf_buffer *b, const json_t *summary, const char *task, const char *metric) {
    curve curves[METHODS_MAX];
    wf_series series[METHODS_MAX];
    size_t count = 0, i, sizes = 0;
    const json_t *s;
    char title[256], y_label[64];
    const double scale = wfi_report_scale(metric);
    json_array_foreach(summary, i, s) {
        curve *c = curve_of(curves, &count, wfi_report_text(s, "method"));
        const double y = wfi_report_number(json_object_get(s, "mean"), metric);
        if (!c || c->count == SIZES_MAX || !isfinite(y)) continue;
        c->x[c->count] = wfi_report_number(s, "train_rows");
        c->y[c->count] = scale * y;
        c->sd[c->count++] = scale * wfi_report_number(json_object_get(s, "sd"), metric);
        if (c->count > sizes) sizes = c->count;
    }
    if (sizes < 2) return; /* one size is no curve: the table says it all */
    for (i = 0; i < count; i++)
        series[i] = (wf_series){.name = curves[i].name,
                                .count = curves[i].count,
                                .x = curves[i].x,
                                .y = curves[i].y,
                                .spread = curves[i].sd};
    snprintf(title, sizeof title,
             "%.60s: %.30s on test by training rows; points are means over the seeds, bars one standard deviation",
             task, metric);
    snprintf(y_label, sizeof y_label, "%.30s%s", metric, scale > 1 ? " (points)" : "");
    wfi_chart_lines(b, title, "training rows", y_label, series, count);
}

void wfi_comparison_write(wf_buffer *b, const char *title, const json_t *result) {
    const json_t *summary = json_object_get(result, "summary"),
                 *mean = json_object_get(json_array_get(summary, 0), "mean");
    const char *names[METRICS_MAX],
        *metric = wfi_report_text(json_array_get(json_object_get(result, "rows"), 0), "metric"),
        *task = wfi_report_text(result, "task");
    const size_t n = wfi_report_metrics(mean, METRICS_MAX, names);
    if (n == 0) return;
    if (!json_object_get(mean, metric)) metric = names[0];
    wfi_buffer_adds(b, "<h3>");
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "</h3>\n");
    verdict_write(b, result, metric);
    table_write(b, summary, metric, names, n);
    one_answer_write(b, summary);
    chosen_write(b, summary);
    wfi_comparison_costs(b, summary);
    wfi_comparison_rates(b, result);
    wfi_comparison_tests(b, result);
    wfi_comparison_pareto(b, result, metric);
    curves_draw(b, summary, task, metric);
    for (size_t k = 0, drawn = 0; k < n && drawn < 1; k++) /* a second view: the first of the others */
        if (strcmp(names[k], metric) != 0) {
            curves_draw(b, summary, task, names[k]);
            drawn++;
        }
}
