/* study/robust.h - the robustness study: what is asked of which models, and what they said. Layer 11, private. */
#ifndef WF_STUDY_ROBUST_H
#define WF_STUDY_ROBUST_H
#include "data/cases.h"
#include "perturb/perturb.h"
#include "study/study.h"

enum { WF_KINDS_MAX = 16 };

typedef struct wf_variant { /* the rows as they stand (kind NULL), or disturbed */
    const wf_perturbation *kind;
    int strength;
    wf_rows rows;
    char **texts;               /* what the rows point to */
    size_t text_count, changed; /* changed: rows in which something was */
} wf_variant;

typedef struct wf_case_test { /* what is expected of some cases */
    const char *name, *group; /* NULL: the file names none */
    wf_case_type type;
    wf_expect expect;
} wf_case_test;

typedef struct wf_case {       /* the rows order[first .. first + count), the first variant in front */
    size_t first, count, test; /* test: SIZE_MAX where the row says nothing but its label */
} wf_case;

typedef enum wf_verdict { /* why a case is judged, or not */
                          WF_CASE_HOLDS,
                          WF_CASE_FAILS,
                          WF_CASE_ALONE,
                          WF_CASE_UNLABELLED,
                          WF_CASE_UNSAID,
                          WF_CASE_ELSEWHERE, /* what is expected begins with another answer than the model's */
                          WF_VERDICTS
} wf_verdict;

typedef struct wf_robust_set { /* other rows that the same models answer */
    const char *name;
    wf_task *task; /* of the lab, or NULL */
    wf_rows file, rows;
    wf_truth truth;
    size_t left_out; /* rows that nothing is asked of: without a label that the models know, and no case needs them */
    size_t *scored, scored_count; /* rows with a label */
    wf_case_marks marks;          /* of the file */
    const wf_case_mark **mark;    /* [rows]; NULL: none */
    size_t *order;                /* [rows] */
    wf_case *cases;               /* every row is in one */
    wf_case_test *tests;
    const char **groups; /* of the rows with a label */
    size_t case_count, test_count, group_count;
} wf_robust_set;

typedef struct wf_robust {
    wf_study study;
    const wf_robust_spec *spec;
    wf_task *task;
    const char *part, *metric;
    double sign; /* -1 where a lower score is better */
    int resamples;
    const wf_perturbation *kinds[WF_KINDS_MAX];
    size_t kind_count, strength_count;
    int strengths[WF_STRENGTHS]; /* rising */
    wf_variant *variants;        /* [count] as they stand, then [kind][strength] */
    size_t count;
    wf_truth truth;
    wf_robust_set *sets;
    wf_predictions *said;     /* [models][count] */
    wf_predictions *set_said; /* [models][set_count] */
} wf_robust;

static inline size_t wfi_robust_at(const wf_robust *r, size_t kind, size_t strength) {
    return 1 + kind * r->strength_count + strength;
}
/* robust_texts.c: all variants of the rows. */
wf_status wfi_robust_texts(wf_robust *r, const wf_wordnet *wordnet, wf_err *err);
void wfi_robust_texts_clear(wf_robust *r);
/* robust_sets.c: reads the sets that were asked for. */
wf_status wfi_robust_sets(wf_robust *r, wf_err *err);
void wfi_robust_sets_clear(wf_robust *r);
/* robust_cases.c: which rows of a set are one case, and what becomes of it under a model. */
wf_status wfi_robust_cases(wf_robust_set *set, wf_err *err);
wf_verdict wfi_robust_case_judge(const wf_robust *r, const wf_robust_set *set, const wf_predictions *p,
                                 const wf_case *c);
bool wfi_robust_case_changes(const wf_robust_set *set, const wf_predictions *p, const wf_case *c);
/* robust_shares.c: one model on one set (classes only; adds keys), and two models on all sets (an array). */
wf_status wfi_robust_set_shares(const wf_robust *r, size_t m, size_t set, json_t *to, wf_err *err);
wf_status wfi_robust_set_pair(const wf_robust *r, size_t a, size_t b, json_t **out, wf_err *err);
/* Corrects the p values of all pairs' sets, and says who is better. */
wf_status wfi_robust_sets_correct(json_t *pairs, wf_err *err);
/* robust_model.c: everything about model m alone. */
wf_status wfi_robust_model(wf_robust *r, size_t m, json_t **out, wf_err *err);
/* robust_pairs.c: every two models held against each other. */
wf_status wfi_robust_pairs(wf_robust *r, json_t **out, wf_err *err);
/* robust_groups.c: scores by group of the rows as they stand; NULL where rows have no groups. */
wf_status wfi_robust_groups(wf_robust *r, const wf_predictions *p, json_t **out, wf_err *err);
#endif
