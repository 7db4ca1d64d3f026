/* report/interact.c - what the adapters of a fusion give, alone and together: claims in words, a table, heat maps of
 * pairs, attention, gradients and likeness. See studies.h. */
#include "base/alloc.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/scores.h"
#include "report/studies.h"
#include <math.h>
#include <stdio.h>

#include <string.h>

enum { NAMES_MAX = 24, PLACES_MAX = 64 };

typedef struct matrix { /* names of rows and columns, and values */
    const char *names[NAMES_MAX];
    size_t n;
    double v[NAMES_MAX * NAMES_MAX];
} matrix;

/* ---- in words ---- */

static void claims_write(wf_buffer *b, const json_t *result) {
    static const char *const said[][2] = {
        {"helps", " helps"}, {"harms", " harms: without it the fusion is better"}, {"useless", " is useless"}};
    const json_t *one;
    size_t i, n = 0;
    wfi_buffer_adds(b, "<ul class=\"verdict\">\n");
    json_array_foreach(json_object_get(result, "each"), i, one) {
        const json_t *gives = json_object_get(one, "gives");
        const char *verdict = wfi_report_text(gives, "verdict"), *metric = wfi_report_text(result, "metric");
        char low[24], high[24];
        wfi_report_score(low, metric, wfi_report_number(gives, "low"));
        wfi_report_score(high, metric, wfi_report_number(gives, "high"));
        for (size_t k = 0; k < sizeof said / sizeof *said; k++) {
            if (strcmp(verdict, said[k][0]) != 0) continue;
            wfi_buffer_adds(b, "<li><strong>");
            wfi_html_text(b, wfi_report_text(one, "adapter"));
            wfi_buffer_printf(b, "%s</strong>: it gives between %s and %s.</li>\n", said[k][1], low, high);
            n++;
        }
    }
    if (!n) wfi_buffer_adds(b, "<li>Of no adapter can be said that it helps, harms or is useless.</li>\n");
    wfi_buffer_adds(b, "</ul>\n");
}

static void effect_cells(wf_buffer *b, const char *metric, const json_t *e) {
    char value[24], low[24], high[24], text[96];
    wfi_report_score(value, metric, wfi_report_number(e, "value"));
    wfi_report_score(low, metric, wfi_report_number(e, "low"));
    wfi_report_score(high, metric, wfi_report_number(e, "high"));
    snprintf(text, sizeof text, "%s [%s, %s]", value, low, high);
    wfi_html_number(b, "%s", text);
    wfi_html_number(b, "%s", wfi_report_p(value, wfi_report_number(e, "p_holm")));
    wfi_html_cell(b, wfi_report_text(e, "verdict"));
}

static void each_write(wf_buffer *b, const json_t *result) {
    static const char *const heads[] = {"adapter", "attention",   "score without it", "it gives", "p (Holm)",
                                        "so it",   "score alone", "gives alone",      "p (Holm)", "alone it"};
    const char *metric = wfi_report_text(result, "metric");
    const json_t *one;
    size_t i;
    char text[24];
    wfi_html_table(b,
                   "What each adapter gives: in the fusion (score of all less score without it), and alone (score with "
                   "it only less score with none), with 95 % intervals from the test rows",
                   heads, sizeof heads / sizeof *heads);
    json_array_foreach(json_object_get(result, "each"), i, one) {
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(one, "adapter"));
        wfi_html_number(b, "%.3f", wfi_report_number(one, "attention"));
        wfi_report_score(text, metric, wfi_report_number(one, "without"));
        wfi_html_number(b, "%s", text);
        effect_cells(b, metric, json_object_get(one, "gives"));
        wfi_report_score(text, metric, wfi_report_number(one, "alone"));
        wfi_html_number(b, "%s", text);
        effect_cells(b, metric, json_object_get(one, "gives_alone"));
    }
    wfi_html_table_end(b);
}

/* ---- figures ---- */

static size_t name_at(matrix *m, const char *name) {
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->names[i], name) == 0) return i;
    if (m->n == NAMES_MAX) return NAMES_MAX - 1;
    m->names[m->n] = name;
    return m->n++;
}

static double largest(const double *v, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i])) most = fmax(most, fabs(v[i]));
    return most > 0 ? most : 1;
}

static void pairs_draw(wf_buffer *b, const json_t *result, const char *which, const char *words) {
    const json_t *pair, *pairs = json_object_get(result, "pairs");
    size_t i;
    matrix *m = wfi_alloc(1, sizeof *m);
    char title[240];
    const double scale = wfi_report_scale(wfi_report_text(result, "metric"));
    if (!m || json_array_size(pairs) == 0) {
        wfi_free(m);
        return;
    }
    json_array_foreach(pairs, i, pair) {
        name_at(m, wfi_report_text(pair, "a"));
        name_at(m, wfi_report_text(pair, "b"));
    }
    for (size_t k = 0; k < m->n * m->n; k++) m->v[k] = NAN;
    json_array_foreach(pairs, i, pair) {
        const size_t a = name_at(m, wfi_report_text(pair, "a")), c = name_at(m, wfi_report_text(pair, "b"));
        m->v[a * m->n + c] = m->v[c * m->n + a] = scale * wfi_report_number(json_object_get(pair, which), "value");
    }
    const double most = fmax(0.02 * scale, largest(m->v, m->n * m->n)); /* next to nothing is not made to look large */
    snprintf(title, sizeof title, "%.64s: what two adapters give beyond the sum of each, in %.24s%s, %s",
             wfi_report_text(result, "model"), wfi_report_text(result, "metric"), scale > 1 ? " points" : "", words);
    wfi_chart_heat(b, title, m->names, m->n, m->names, m->n, m->v, -most, most);
    wfi_free(m);
}

static void pairs_write(wf_buffer *b, const json_t *result) {
    const json_t *pair;
    size_t i, n = 0;
    pairs_draw(b, result, "alone", "with no other adapter");
    pairs_draw(b, result, "inside", "inside the fusion");
    if (json_array_size(json_object_get(result, "pairs")) == 0) return;
    wfi_buffer_adds(b, "<p>Two adapters that give more than the sum (synergy), or less (interference, or they know the "
                       "same): ");
    json_array_foreach(json_object_get(result, "pairs"), i, pair) {
        static const char *const which[][2] = {{"alone", "alone"}, {"inside", "inside the fusion"}};
        for (int k = 0; k < 2; k++) {
            const json_t *e = json_object_get(pair, which[k][0]);
            char p[16];
            if (!*wfi_report_text(e, "verdict")) continue;
            wfi_buffer_adds(b, n++ ? "; " : "");
            wfi_html_text(b, wfi_report_text(pair, "a"));
            wfi_buffer_adds(b, " and ");
            wfi_html_text(b, wfi_report_text(pair, "b"));
            wfi_buffer_printf(b, " %s: %s (p %s)", which[k][1], wfi_report_text(e, "verdict"),
                              wfi_report_p(p, wfi_report_number(e, "p_holm")));
        }
    }
    wfi_buffer_adds(b, n ? ".</p>\n" : "none can be claimed.</p>\n");
}

static void attention_draw(wf_buffer *b, const json_t *result) {
    const json_t *places = json_object_get(result, "attention"), *names = json_object_get(result, "adapters"), *name;
    const size_t n = json_array_size(places), m = json_array_size(names);
    char title[200], labels[PLACES_MAX][48];
    const char *rows[PLACES_MAX], *columns[NAMES_MAX];
    size_t r, c;
    const json_t *place;
    if (n == 0 || n > PLACES_MAX || m + 1 > NAMES_MAX) return;
    double *v = wfi_alloc(n * (m + 1), sizeof *v);
    if (!v) return;
    json_array_foreach(names, c, name) columns[c] = json_string_value(name);
    columns[m] = "entropy";
    json_array_foreach(places, r, place) {
        snprintf(labels[r], sizeof labels[r], "layer %.0f, %.20s", wfi_report_number(place, "layer"),
                 wfi_report_text(place, "site"));
        rows[r] = labels[r];
        for (c = 0; c < m; c++) v[r * (m + 1) + c] = wfi_report_number(json_object_get(place, "weights"), columns[c]);
        v[r * (m + 1) + m] = wfi_report_number(place, "entropy") / (m > 1 ? log((double)m) : 1);
    }
    snprintf(title, sizeof title,
             "%.64s: mean attention per layer and adapter, and its entropy (1: all alike, 0: one adapter only)",
             wfi_report_text(result, "model"));
    wfi_chart_heat(b, title, rows, n, columns, m + 1, v, 0, 1);
    wfi_free(v);
}

static void square_draw(wf_buffer *b, const char *title, const json_t *names, const json_t *values, double low) {
    const json_t *one, *v;
    size_t i, k;
    matrix *m = wfi_alloc(1, sizeof *m);
    const size_t n = json_array_size(names);
    if (m && n > 0 && n <= NAMES_MAX) {
        json_array_foreach(names, i, one) m->names[i] = json_string_value(one);
        json_array_foreach(values, i, one) json_array_foreach(one, k, v) if (i < n && k < n) m->v[i * n + k] =
            json_is_number(v) ? json_number_value(v) : NAN;
        wfi_chart_heat(b, title, m->names, n, m->names, n, m->v, low, 1);
    }
    wfi_free(m);
}

void wfi_interact_write(wf_buffer *b, const char *title, const json_t *result) {
    const char *metric = wfi_report_text(result, "metric"), *model = wfi_report_text(result, "model");
    const json_t *gradients = json_object_get(result, "gradients"), *alike = json_object_get(result, "likeness");
    char all[24], none[24], caption[200];
    wfi_report_score(all, metric, wfi_report_number(result, "score"));
    wfi_report_score(none, metric, wfi_report_number(result, "score_of_none"));
    wfi_buffer_adds(b, "<h3>");
    wfi_html_text(b, title);
    wfi_buffer_adds(b, "</h3>\n<p>With all of its adapters ");
    wfi_html_text(b, model);
    wfi_buffer_printf(b,
                      " has %s %s on %.0f %s rows, with none of them %s. Adapters are left out of the attention, "
                      "exactly; nothing is trained anew, so the head is the one that was trained with all.</p>\n",
                      metric, all, wfi_report_number(result, "rows"), wfi_report_text(result, "part"), none);
    claims_write(b, result);
    each_write(b, result);
    pairs_write(b, result);
    attention_draw(b, result);
    snprintf(caption, sizeof caption,
             "%.64s: do the gradients of the tasks on the fusion's matrices point the same way (cosine)", model);
    square_draw(b, caption, json_object_get(gradients, "tasks_of"), json_object_get(gradients, "cosine"), -1);
    snprintf(caption, sizeof caption, "%.64s: how alike what the head sees is under each adapter alone (CKA)", model);
    square_draw(b, caption, json_object_get(alike, "names"), json_object_get(alike, "cka"), 0);
}
