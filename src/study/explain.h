/* study/explain.h - one prediction taken apart. Layer 11, private. */
#ifndef WF_STUDY_EXPLAIN_H
#define WF_STUDY_EXPLAIN_H
#include "study/study.h"

typedef struct wf_explain {
    wf_trained t;
    wf_encoding tokens;
    int64_t T, H, classes; /* tokens; width; outputs of the head */
    float *x, *blank;      /* [T,H] embeddings of the text, and with every word masked */
    float *readout;        /* [classes] what is explained, as weights of the outputs */
    double unit;           /* of the explained number: 1, or the spread of a regression's targets */
    int32_t label;         /* explained; 0 for regression */
    bool pair;             /* there is a second text */
} wf_explain;

/* explain.c. Opens the model, reads the text; the readout is set once the label is known. */
wf_status wfi_explain_open(wf_lab *lab, const wf_explain_spec *spec, wf_explain *out, wf_err *err);
wf_status wfi_explain_label(wf_explain *e, const char *asked, float *logits, wf_err *err); /* NULL: the predicted one */
void wfi_explain_clear(wf_explain *e);
/* explain_tokens.c */
/* Logits of the embeddings x, and the number that is explained. logits [classes] may be NULL. */
wf_status wfi_explain_value(wf_explain *e, const float *x, float *logits, double *value, wf_err *err);
/* Integrated gradients on the straight line from blank to x (Sundararajan et al. 2017), by Gauss-Legendre quadrature
 * with more and more points until the sum is within `allowed` of the difference, or there are too many. out [T]. */
wf_status wfi_explain_tokens(wf_explain *e, double difference, double allowed, double *out, int *points, wf_err *err);
#endif
