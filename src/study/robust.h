/* study/robust.h - the robustness study: what is asked of which models, and what they said. Layer 11, private. */
#ifndef WF_STUDY_ROBUST_H
#define WF_STUDY_ROBUST_H
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

typedef struct wf_robust_set { /* other rows that the same models answer */
    const char *name;
    wf_task *task; /* of the lab, or NULL */
    wf_rows file, rows;
    wf_truth truth;
    size_t left_out; /* rows with a label the models do not know */
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
/* robust_model.c: everything about model m alone. */
wf_status wfi_robust_model(wf_robust *r, size_t m, json_t **out, wf_err *err);
/* robust_pairs.c: every two models held against each other. */
wf_status wfi_robust_pairs(wf_robust *r, json_t **out, wf_err *err);
/* robust_groups.c: scores by group of the rows as they stand; NULL where rows have no groups. */
wf_status wfi_robust_groups(wf_robust *r, const wf_predictions *p, json_t **out, wf_err *err);
#endif
