/* metrics/by_class.h - what became of every class, and which was taken for which. Layer 2. */
#ifndef WF_METRICS_BY_CLASS_H
#define WF_METRICS_BY_CLASS_H
#include "metrics/metrics.h"

typedef struct wf_class_counts {
    int64_t support, said, hit; /* rows of the class, rows predicted to be of it, rows that are both */
} wf_class_counts;
typedef struct wf_confused {
    int32_t is, said;
    int64_t rows;
} wf_confused;
typedef struct wf_by_class {
    int32_t classes;
    wf_class_counts *of; /* [classes] */
    wf_confused *cells;  /* [cell_count] of the confusion matrix that hold rows, by is, then said; NULL: multi-label */
    size_t cell_count;
} wf_by_class;

/* Classes and multi-label; numbers are WF_E_ARG. */
wf_status wfi_by_class(const wf_predictions *p, wf_by_class *out, wf_err *err);
void wfi_by_class_clear(wf_by_class *b);
/* NaN where nothing can be said: precision of what was never predicted, recall of what never occurs. */
double wfi_precision(const wf_class_counts *c);
double wfi_recall(const wf_class_counts *c);
double wfi_f1(const wf_class_counts *c); /* 2 hit / (said + support) */
#endif
