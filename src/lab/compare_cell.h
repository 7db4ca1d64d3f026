/* lab/compare_cell.h - the methods of a comparison, one training of it, and what all together say. Layer 10. */
#ifndef WF_LAB_COMPARE_CELL_H
#define WF_LAB_COMPARE_CELL_H
#include "lab/joint.h"

typedef enum wf_compare_kind {
    WF_COMPARE_PLAIN, /* "seq_bn": a method of wf_train */
    WF_COMPARE_FUSE,  /* "fuse:A,B[@CONFIG]": adapters of the lab; "own" is one trained here, on the same rows; "auto:K"
                          the K best by the ranking on the same rows */
    WF_COMPARE_MTFUSE,   /* "mtfuse:T,U[@CONFIG]": an adapter trained jointly with each of these tasks, and "own", fused
                          */
    WF_COMPARE_AVERAGE,  /* "average:A,B": the mean of adapters, frozen, and a head */
    WF_COMPARE_WEIGHTED, /* "weighted:A,B": weighted by what each alone reaches on dev */
    WF_COMPARE_BEST,     /* "best:A,B": the one that alone reaches most on dev */
    WF_COMPARE_JOINT,    /* "joint:T,U[@METHOD]": one adapter shared with these tasks, all their rows */
    WF_COMPARE_MULTIHEAD, /* "multihead:T,U": the whole base shared with them */
} wf_compare_kind;

/* Behind any form may stand "@lr=R": the rate of the training whose scores are the method's (of "best" and "weighted"
 * each source's, too); adapters that are trained on the way to a fusion keep theirs. */
typedef struct wf_compare_method { /* of one text; plain and names are owned */
    wf_compare_kind kind;
    const char *text; /* as it was given */
    char *plain;      /* without the rate */
    const char *at;   /* what stands behind '@' in plain, or NULL */
    double lr;        /* 0: not given */
    json_t *names;    /* adapters or tasks */
    bool tasks;       /* names are tasks */
    bool chooses;     /* "auto" is among them */
} wf_compare_method;
wf_status wfi_compare_method(const char *text, wf_compare_method *out, wf_err *err);
void wfi_compare_method_clear(wf_compare_method *m);
bool wfi_compare_methods_same(const wf_compare_method *a, const wf_compare_method *b);
/* Whether all that it names is there. */
wf_status wfi_compare_method_check(wf_lab *lab, const wf_compare_method *m, const char *task, int64_t max_length,
                                   const wf_open_base *base, wf_err *err);

typedef struct wf_tuning { /* of a comparison: the rates to choose from, and what has been tried */
    const json_t *rates;
    json_t *trials;   /* array, below */
    const char *file; /* that trials are kept in */
} wf_tuning;

typedef struct wf_cell { /* one training: a method, a size, a seed */
    wf_lab *lab;
    const wf_compare_method *method;
    int64_t rows, seed;
    const json_t *among;  /* names that "auto" chooses from */
    const json_t *common; /* settings the user gave, for all */
    wf_tuning *tuning;    /* rates are chosen on dev; NULL: they are not */
    const char *base;
    const wf_task *task;
    const wf_record *record;
    const char *stage, *folder, *log, *outputs;
} wf_cell;
/* The row of the result. Cost is that of everything trained for it. */
wf_status wfi_cell_run(const wf_cell *c, json_t **out, wf_err *err);
/* File of a cell's outputs on test (wfi_free). */
char *wfi_cell_outputs(const char *folder, size_t method, size_t size, int64_t seed);

/* What was tried, for people and programs: an object a method, size and part, with its "trials" and the "lr" chosen. */
json_t *wfi_compare_tuning(const json_t *trials, const wf_task *task);

/* Over the seeds of one method and size: mean {"train","dev","gap"} of those that have a gap ("seeds") and how many of
 * them warn ("warns"), or null; how often "auto" took each name. */
json_t *wfi_compare_gap(const json_t *rows, const char *method, int64_t asked);
json_t *wfi_compare_chosen(const json_t *rows, const char *method, int64_t asked);
/* One line a method whose trainings fit their rows too closely. */
void wfi_compare_gap_warn(wf_lab *lab, const json_t *spec, const wf_task *task, const json_t *rows);

/* Mean and standard deviation of each method and size over the seeds. trials: NULL where nothing was tuned. */
json_t *wfi_compare_summary(const json_t *spec, const json_t *rows, const json_t *trials);
/* Paired bootstrap over test rows and seeds: each fusion (without one: the last method) against each of the others at
 * the same size, p corrected by Holm over all of a size. Without kept outputs: an empty array. */
wf_status wfi_compare_tests(const json_t *spec, const wf_task *task, const char *folder, json_t **out, wf_err *err);
#endif
