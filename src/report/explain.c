/* report/explain.c - one prediction taken apart, as a page: the text with a background a token, a table of adapters.
 * See studies.h. */
#include "base/error.h"
#include "base/file.h"
#include "report/html.h"
#include "report/scores.h"
#include "report/studies.h"
#include "weft/study.h"
#include <math.h>
#include <string.h>

static double largest(const json_t *tokens) {
    const json_t *t;
    size_t i;
    double most = 0;
    json_array_foreach(tokens, i, t) most = fmax(most, fabs(wfi_report_number(t, "attribution")));
    return most;
}

static void text_write(wf_buffer *b, const json_t *tokens) {
    const double most = largest(tokens);
    const json_t *t;
    size_t i;
    double part = 0;
    wfi_buffer_adds(b, "<p class=\"heat\">");
    json_array_foreach(tokens, i, t) {
        const double a = wfi_report_number(t, "attribution"), share = most > 0 ? fabs(a) / most : 0;
        if (!json_object_get(t, "text")) continue;
        if (wfi_report_number(t, "part") > part) wfi_buffer_adds(b, "<br>");
        part = wfi_report_number(t, "part");
        wfi_html_text(b, wfi_report_text(t, "before"));
        wfi_buffer_printf(
            b, "<span title=\"%+.3f\" style=\"background:color-mix(in srgb,var(--s%d) %.0f%%,transparent)\">", a,
            a < 0 ? 1 : 0, 50 * share); /* the word stays readable, light and dark */
        wfi_html_text(b, wfi_report_text(t, "text"));
        wfi_buffer_adds(b, "</span>");
    }
    wfi_buffer_adds(b, "</p>\n<p class=\"muted\">Blue speaks for it, orange against; stronger is more.</p>\n");
}

static void tokens_write(wf_buffer *b, const json_t *tokens) {
    static const char *const heads[] = {"token", "adds"};
    const json_t *t;
    size_t i;
    wfi_buffer_adds(b, "<details><summary>Every token</summary>");
    wfi_html_table(b, "", heads, 2);
    json_array_foreach(tokens, i, t) {
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(t, "token"));
        wfi_html_number(b, "%+.4f", wfi_report_number(t, "attribution"));
    }
    wfi_html_table_end(b);
    wfi_buffer_adds(b, "</details>\n");
}

static void adapters_write(wf_buffer *b, const json_t *adapters) {
    static const char *const heads[] = {"adapter", "gives", "without it", "probability without it"};
    const json_t *one;
    size_t i;
    if (json_array_size(adapters) == 0) return;
    wfi_html_table(b, "Adapters, each taken out exactly; nothing is trained anew", heads, 4);
    json_array_foreach(adapters, i, one) {
        const double p = wfi_report_number(one, "probability_without");
        wfi_html_row(b);
        wfi_html_cell(b, wfi_report_text(one, "adapter"));
        wfi_html_number(b, "%+.3f", wfi_report_number(one, "gives"));
        wfi_html_number(b, "%.3f", wfi_report_number(one, "value_without"));
        wfi_html_number(b, isfinite(p) ? "%.3f" : "–", p);
    }
    wfi_html_table_end(b);
}

static void page_write(wf_buffer *b, const json_t *j) {
    const json_t *tokens = json_object_get(j, "tokens");
    wfi_html_begin(b, "weft explain");
    wfi_buffer_adds(b, "<p>");
    wfi_html_text(b, wfi_report_text(j, "name"));
    if (json_object_get(j, "label")) {
        wfi_buffer_adds(b, " says <strong>");
        wfi_html_text(b, wfi_report_text(j, "label"));
        wfi_buffer_printf(b, "</strong> (probability %.3f): %s %.3f, with every word masked %.3f.</p>\n",
                          wfi_report_number(j, "probability"), wfi_report_text(j, "explains"),
                          wfi_report_number(j, "value"), wfi_report_number(j, "value_of_blank"));
    } else {
        wfi_buffer_printf(b, " says <strong>%.4g</strong>, with every word masked %.4g.</p>\n",
                          wfi_report_number(j, "value"), wfi_report_number(j, "value_of_blank"));
    }
    text_write(b, tokens);
    wfi_buffer_printf(
        b,
        "<p class=\"muted\">Integrated gradients over the embeddings at %.0f points: the tokens add up to "
        "%.4f, the difference is %.4f%s.</p>\n",
        wfi_report_number(j, "points"), wfi_report_number(j, "sum"),
        wfi_report_number(j, "sum") - wfi_report_number(j, "residual"),
        json_is_true(json_object_get(j, "complete")) ? "" : ", so take them with care");
    adapters_write(b, json_object_get(j, "adapters"));
    tokens_write(b, tokens);
    wfi_html_end(b);
}

wf_status wf_explain_page(const char *json, const char *path, wf_err *err) {
    json_t *j = NULL;
    wf_buffer b = {0};
    WF_TRY(wfi_json_parse(json, strlen(json), "explanation", &j, err));
    page_write(&b, j);
    wf_status st =
        b.failed ? wfi_fail(err, WF_E_NOMEM, "out of memory for the page") : wfi_file_write(path, b.data, b.len, err);
    wfi_buffer_clear(&b);
    json_decref(j);
    return st;
}
