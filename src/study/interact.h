/* study/interact.h - the study of a fusion's parts: who is left in, what was said then, what follows. Layer 11,
 * private. */
#ifndef WF_STUDY_INTERACT_H
#define WF_STUDY_INTERACT_H
#include "metrics/agreement.h"
#include "study/study.h"

enum {
    WF_INTERACT_PAIRED = 12, /* adapters of which all pairs and gradients are looked at */
    WF_INTERACT_TASKS = 24,  /* whose gradients are held against each other, the fusion's own among them */
    WF_INTERACT_ALIKE = 512  /* texts whose features are compared */
};

typedef struct wf_subset { /* some of the adapters, and what the fusion says with these alone */
    bool *in;              /* [n] */
    wf_predictions said;
    float *features; /* [alike, width] of the first texts, where at most one adapter is in; else NULL */
} wf_subset;

typedef struct wf_interact_head { /* that a fused adapter was trained under */
    size_t adapter;
    char *name; /* NAME, or NAME:TASK of what was trained jointly */
} wf_interact_head;

typedef struct wf_interact {
    wf_study study;
    const wf_interact_spec *spec;
    wf_task *task;
    const char *part, *metric;
    double sign, margin; /* sign: -1 where a lower score is better */
    int resamples;
    wf_trained t;
    size_t n, all, none; /* adapters; subsets of all and of none */
    wf_rows rows;
    wf_truth truth;
    wf_encoded e;
    size_t alike, width; /* texts that are compared; numbers a text */
    wf_subset *subsets;
    size_t count, cap;
    size_t *without, *alone;           /* [n] subsets */
    size_t chosen[WF_INTERACT_PAIRED]; /* adapters in pairs, in order */
    size_t chosen_count;
    wf_interact_head *heads; /* [head_count] of all adapters, in their order */
    size_t head_count;
    json_t *attention; /* as inspect gives it */
    double *looked;    /* [n] mean attention over all places */
    double entropy;    /* mean over places, of the largest possible */
} wf_interact;

/* interact_subsets.c. The subset in which only `in` are left (n flags), made and kept when it is new. */
wf_status wfi_interact_subset(wf_interact *x, const bool *in, size_t *at, wf_err *err);
wf_status wfi_interact_ask(wf_interact *x, wf_err *err);     /* lets all subsets answer that have not yet */
wf_status wfi_interact_singles(wf_interact *x, wf_err *err); /* all, none, each alone, all without each; attention */
void wfi_interact_clear(wf_interact *x);
/* interact_effects.c: what each gives, and every two of the chosen. */
wf_status wfi_interact_each(wf_interact *x, json_t **out, wf_err *err);
wf_status wfi_interact_pairs(wf_interact *x, json_t **out, wf_err *err);
/* interact_heads.c: x->heads, and whether each can be asked. */
wf_status wfi_interact_heads(wf_interact *x, wf_err *err);
void wfi_interact_heads_free(wf_interact *x);
/* Whose gradients are looked at: heads of the chosen adapters, in order; at most WF_INTERACT_TASKS - 1, each adapter's
 * first before any second. */
size_t wfi_interact_heads_pick(wf_interact *x, const wf_interact_head *out[WF_INTERACT_TASKS]);
/* interact_gradients.c: the tasks' gradients on the fusion's parts. */
wf_status wfi_interact_gradients(wf_interact *x, json_t **out, wf_err *err);
/* interact_alike.c */
wf_status wfi_interact_alike(wf_interact *x, json_t **out, wf_err *err);
#endif
