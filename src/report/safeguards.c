/* report/safeguards.c - see safeguards.h. */
#include "report/safeguards.h"
#include "report/html.h"
#include "report/scores.h"
#include <math.h>
#include <stdio.h>

static void benefits(wf_buffer *b, const json_t *models) {
    static const char *const heads[] = {"Model",         "Kept", "Fusion, dev", "Own adapter, dev", "Difference",
                                        "95 % interval", "p"};
    const json_t *m;
    size_t i, shown = 0;
    json_array_foreach(models, i, m) {
        const json_t *x = json_object_get(m, "benefit"), *d = json_object_get(x, "difference");
        if (!json_is_object(x)) continue;
        if (!shown++) wfi_html_table(b, "Does the fusion help? Beside the task's own adapter, on dev", heads, 7);
        const char *metric = wfi_report_text(x, "metric");
        char fusion[24], own[24];
        wfi_report_score(fusion, metric,
                         wfi_report_number(json_object_get(json_object_get(x, "fusion"), "dev"), metric));
        wfi_report_score(own, metric, wfi_report_number(json_object_get(json_object_get(x, "own"), "dev"), metric));
        const double scale = wfi_report_scale(metric);
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(m, "name"));
        wfi_html_cell(b, json_is_true(json_object_get(x, "helps")) ? "the fusion"
                                                                   : "the own adapter: fusion does not help");
        wfi_html_number(b, "%s", fusion);
        wfi_html_number(b, "%s", own);
        wfi_html_number(b, "%+.2f", scale * wfi_report_number(d, "value"));
        wfi_html_number(b, "%+.2f to %+.2f", scale * wfi_report_number(d, "low"), scale * wfi_report_number(d, "high"));
        wfi_html_number(b, "%s", wfi_report_p(own, wfi_report_number(d, "p")));
    }
    if (shown) wfi_html_table_end(b);
}

static void gaps(wf_buffer *b, const json_t *models) {
    static const char *const heads[] = {"Model", "Training rows", "Dev", "Gap", "95 % interval", "Try"};
    const json_t *m;
    size_t i, shown = 0;
    json_array_foreach(models, i, m) {
        const json_t *g = json_object_get(m, "gap");
        if (!json_is_true(json_object_get(g, "warns"))) continue;
        if (!shown++) wfi_html_table(b, "Models that fit their training rows too closely", heads, 6);
        const char *metric = wfi_report_text(g, "metric");
        const double scale = wfi_report_scale(metric);
        char train[24], dev[24];
        wfi_report_score(train, metric, wfi_report_number(g, "train"));
        wfi_report_score(dev, metric, wfi_report_number(g, "dev"));
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(m, "name"));
        wfi_html_number(b, "%s", train);
        wfi_html_number(b, "%s", dev);
        wfi_html_number(b, "%.2f", scale * wfi_report_number(g, "gap"));
        wfi_html_number(b, "%.2f to %.2f", scale * wfi_report_number(g, "low"), scale * wfi_report_number(g, "high"));
        wfi_html_cell(b, wfi_report_text(g, "remedy"));
    }
    if (shown) wfi_html_table_end(b);
}

static void verdict_write(wf_buffer *b, const char *name, const char *task, const json_t *of) {
    const char *verdict = wfi_report_text(json_object_get(of, "one_class"), "verdict");
    if (!*verdict) return;
    wfi_buffer_adds(b, "<p class=\"warn\">");
    wfi_html_text(b, name);
    wfi_buffer_adds(b, task ? ":" : " ");
    wfi_html_text(b, task ? task : "");
    wfi_buffer_adds(b, task ? " " : "");
    wfi_html_text(b, verdict);
    wfi_buffer_adds(b, "</p>\n");
}

/* Models that give every row the same answer. */
static void one_classes(wf_buffer *b, const json_t *models) {
    const json_t *m;
    const char *task;
    json_t *head;
    size_t i;
    json_array_foreach(models, i, m) {
        verdict_write(b, wfi_report_text(m, "name"), NULL, m);
        json_object_foreach(json_object_get(m, "heads"), task, head)
            verdict_write(b, wfi_report_text(m, "name"), task, head);
    }
}

void wfi_safeguards_write(wf_buffer *b, const json_t *models) {
    one_classes(b, models);
    benefits(b, models);
    gaps(b, models);
}
