/* metrics/one_class.c - see one_class.h. */
#include "metrics/one_class.h"
#include "metrics/by_class.h"
#include <string.h>

static bool one_label(const wf_predictions *p, wf_one_class *out) {
    wf_by_class by = {0};
    bool is = false;
    if (wfi_by_class(p, &by, NULL) != WF_OK) return false;
    int32_t said = 0, most = 0;
    for (int32_t c = 1; c < by.classes; c++) {
        if (by.of[c].said > by.of[said].said) said = c;
        if (by.of[c].support > by.of[most].support) most = c;
    }
    const int64_t rows = (int64_t)p->rows, others = rows - by.of[said].said, elsewise = rows - by.of[said].support;
    if (elsewise > 0 && 100 * others <= rows && 10 * others <= elsewise) {
        *out = (wf_one_class){.said = said,
                              .rows = rows,
                              .others = others,
                              .elsewise = elsewise,
                              .commonest = by.of[said].support == by.of[most].support};
        is = true;
    }
    wfi_by_class_clear(&by);
    return is;
}

static bool one_set(const wf_predictions *p, wf_one_class *out) {
    const size_t n = (size_t)p->classes;
    int64_t elsewise = 0;
    for (size_t i = 0; i < p->rows; i++) {
        bool right = true;
        for (size_t c = 0; c < n; c++) {
            const bool said = p->scores[i * n + c] > 0;
            if (said != (p->scores[c] > 0)) return false;
            right = right && said == (p->labels[i * n + c] != 0);
        }
        elsewise += !right;
    }
    bool several = false;
    for (size_t i = 1; i < p->rows; i++) several |= memcmp(p->labels, p->labels + i * n, n) != 0;
    if (several) *out = (wf_one_class){.said = -1, .rows = (int64_t)p->rows, .elsewise = elsewise};
    return several;
}

bool wfi_one_class(const wf_predictions *p, wf_one_class *out) {
    if (p->rows < 2 || p->classes < 2) return false;
    if (p->kind == WF_SCORE_CLASSES) return one_label(p, out);
    return p->kind == WF_SCORE_MULTILABEL && one_set(p, out);
}
