/* study/figures.c - scores, calibration and selective answers as JSON. See study.h. */
#include "metrics/reliability.h"
#include "study/study.h"
#include <math.h>

enum { BINS = 15, ADAPTIVE_BINS = 10 };

json_t *wfi_study_real(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *wfi_study_metrics(const wf_predictions *p, int resamples) {
    wf_scores s;
    return wfi_metrics_compute(p, resamples, 0, &s, NULL) == WF_OK ? wfi_lab_scores_json(&s, true) : json_object();
}

json_t *wfi_study_calibration(const wf_predictions *p) {
    wf_reliability even, adaptive;
    if (wfi_reliability(p, BINS, false, &even, NULL) != WF_OK ||
        wfi_reliability(p, ADAPTIVE_BINS, true, &adaptive, NULL) != WF_OK)
        return NULL;
    json_t *bins = json_array();
    for (int b = 0; b < even.count; b++)
        json_array_append_new(bins, json_pack("{s:I, s:f, s:f, s:f, s:f}", "rows", (json_int_t)even.bin[b].rows, "low",
                                              even.bin[b].low, "high", even.bin[b].high, "confidence",
                                              even.bin[b].confidence, "accuracy", even.bin[b].accuracy));
    return json_pack("{s:f, s:f, s:f, s:o, s:o}", "ece", even.ece, "adaptive_ece", adaptive.ece, "worst_bin",
                     even.worst, "brier", wfi_study_real(wfi_study_score(p, "brier")), "bins", bins);
}

json_t *wfi_study_selective(const wf_predictions *p) {
    wf_selective s;
    if (wfi_selective(p, &s, NULL) != WF_OK) return NULL;
    json_t *coverage = json_array(), *risk = json_array();
    for (int k = 0; k < WF_COVERAGES; k++) {
        json_array_append_new(coverage, json_real((k + 1.0) / WF_COVERAGES));
        json_array_append_new(risk, json_real(s.risk[k]));
    }
    return json_pack("{s:o, s:o, s:f, s:f, s:o}", "coverage", coverage, "risk", risk, "area", s.area, "best_area",
                     s.best_area, "auroc", wfi_study_real(s.auroc));
}
