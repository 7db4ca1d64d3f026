/* metrics/reliability.c - reliability by bins, and risk over coverage. See reliability.h. */
#include "metrics/reliability.h"
#include "base/alloc.h"
#include "base/error.h"
#include "metrics/metric.h"
#include <math.h>
#include <stdlib.h>

typedef struct answer {
    double confidence;
    bool right;
} answer;

static int by_confidence(const void *a, const void *b) { /* the surest first */
    const answer *x = a, *y = b;
    return (x->confidence < y->confidence) - (x->confidence > y->confidence);
}

/* Sorted answers; wfi_free. */
static wf_status answers_make(const wf_predictions *p, answer **out, wf_err *err) {
    WF_TRY(wfi_metric_check(p, err));
    if (p->kind != WF_SCORE_CLASSES || !wfi_metric_probabilities(p))
        return wfi_fail(err, WF_E_ARG, "reliability needs probabilities of classes");
    answer *a = wfi_alloc(p->rows, sizeof *a);
    int32_t *said = wfi_alloc(p->rows, sizeof *said);
    wf_status st = a && said ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", p->rows);
    if (st == WF_OK) wfi_metric_argmax(p, said);
    for (size_t i = 0; st == WF_OK && i < p->rows; i++)
        a[i] = (answer){(double)p->scores[i * (size_t)p->classes + (size_t)said[i]], said[i] == p->label[i]};
    wfi_free(said);
    if (st != WF_OK) {
        wfi_free(a);
        return st;
    }
    qsort(a, p->rows, sizeof *a, by_confidence);
    *out = a;
    return WF_OK;
}

/* Quantile as numpy's default, of answers that fall. */
static double quantile(const answer *a, size_t n, double q) {
    const double at = q * (double)(n - 1);
    const size_t low = (size_t)at;
    const double x = a[n - 1 - low].confidence;
    return low + 1 < n ? x + (at - (double)low) * (a[n - 2 - low].confidence - x) : x;
}

wf_status wfi_reliability(const wf_predictions *p, int bins, bool adaptive, wf_reliability *out, wf_err *err) {
    answer *a = NULL;
    double edge[WF_RELIABILITY_MAX + 1];
    if (bins < 1 || bins > WF_RELIABILITY_MAX)
        return wfi_fail(err, WF_E_ARG, "reliability takes 1 to %d bins", WF_RELIABILITY_MAX);
    WF_TRY(answers_make(p, &a, err));
    const size_t n = p->rows;
    for (int b = 0; b <= bins; b++) edge[b] = adaptive ? quantile(a, n, (double)b / bins) : (double)b / bins;
    *out = (wf_reliability){0};
    size_t i = n; /* from the least sure */
    for (int b = 0; b < bins; b++) {
        size_t rows = 0, right = 0;
        double sure = 0;
        for (; i > 0 && (b == bins - 1 || a[i - 1].confidence <= edge[b + 1]); i--) {
            rows++;
            right += a[i - 1].right;
            sure += a[i - 1].confidence;
        }
        if (rows == 0) continue;
        const double gap = fabs((double)right - sure) / (double)rows;
        out->bin[out->count].rows = rows;
        out->bin[out->count].low = edge[b];
        out->bin[out->count].high = edge[b + 1];
        out->bin[out->count].confidence = sure / (double)rows;
        out->bin[out->count++].accuracy = (double)right / (double)rows;
        out->ece += gap * (double)rows / (double)n;
        out->worst = fmax(out->worst, gap);
    }
    wfi_free(a);
    return WF_OK;
}

wf_status wfi_selective(const wf_predictions *p, wf_selective *out, wf_err *err) {
    answer *a = NULL;
    WF_TRY(answers_make(p, &a, err));
    const size_t n = p->rows;
    size_t wrong = 0, next = 0;
    double area = 0, best = 0, above = 0; /* above: pairs of a right row surer than a wrong one */
    for (size_t start = 0, end; start < n; start = end) {
        size_t errors = 0;
        for (end = start; end < n && a[end].confidence == a[start].confidence; end++) errors += !a[end].right;
        for (size_t k = start + 1; k <= end; k++) {
            const double found = (double)wrong + (double)errors * (double)(k - start) / (double)(end - start);
            area += found / (double)k;
            for (; next < WF_COVERAGES && k * WF_COVERAGES >= (next + 1) * n; next++)
                out->risk[next] = found / (double)k;
        }
        above += (double)errors * ((double)(start - wrong) + 0.5 * (double)(end - start - errors));
        wrong += errors;
    }
    for (size_t k = n - wrong + 1; k <= n; k++) best += (double)(k - (n - wrong)) / (double)k;
    out->area = area / (double)n;
    out->best_area = best / (double)n;
    out->auroc = wrong && wrong < n ? above / ((double)wrong * (double)(n - wrong)) : NAN;
    wfi_free(a);
    return WF_OK;
}
