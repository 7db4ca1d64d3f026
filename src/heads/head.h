/* heads/head.h - prediction heads. Layer 5. Config and tensor names as AdapterHub writes them (formats.md 2.2). */
#ifndef WF_HEADS_HEAD_H
#define WF_HEADS_HEAD_H
#include "base/json.h"
#include "data/batch.h"
#include "nn/site.h"

typedef struct wf_head {
    char *name;
    wf_kind kind;
    int32_t classes;    /* outputs: classes; 1 for regression and multiple choice */
    int layers;         /* 1 or 2 linear layers; tanh between */
    wf_pooling pooling; /* cls or mean */
    bool pooler;        /* through the base's pooler first (weights frozen) */
    float dropout;
    char **labels; /* [classes] or NULL */
    int64_t hidden_size;
    wf_pset params;                /* "heads.{name}.1.weight" ... */
    wf_linear dense, out;          /* dense.weight NULL with one layer */
    float target_mean, target_std; /* regression: outputs are de-standardised by these */
} wf_head;

typedef struct wf_head_spec {
    wf_kind kind;
    int32_t classes;
    int layers;
    wf_pooling pooling;
    bool pooler;
    float dropout;
    char *const *labels;
    int64_t hidden_size;
} wf_head_spec;
/* All values 0, for one that is loaded next / drawn as for a new head. */
wf_status wfi_head_make(const char *name, const wf_head_spec *spec, wf_head **out, wf_err *err);
wf_status wfi_head_new(const char *name, const wf_head_spec *spec, uint64_t seed, wf_head **out, wf_err *err);
void wfi_head_free(wf_head *h);
/* rows [T,H] of the last layer -> [S,H], what the head's trained part starts from. pooler: the base's pooler linear or
 * NULL. */
wf_value *wfi_head_pool(const wf_head *h, const wf_pass *pass, wf_value *rows, const wf_linear *pooler);
wf_value *wfi_head_forward(const wf_head *h, const wf_pass *pass,
                           wf_value *pooled); /* [S,H] -> [S, classes] logits (multiple choice: [S,1]) */
typedef struct wf_loss_options {
    const float *class_weights;
    float label_smoothing;
    float focal; /* gamma of the focal loss, instead of smoothing; 0: none. Classes only */
} wf_loss_options;
wf_value *wfi_head_loss(const wf_head *h, const wf_pass *pass, wf_value *logits, const wf_batch *batch,
                        const wf_loss_options *o);
/* How far the two halves of a batch that holds every row twice disagree (op_agree.c). Classes only. */
wf_value *wfi_head_agreement(const wf_head *h, const wf_pass *pass, wf_value *logits, const wf_batch *batch);
#endif
