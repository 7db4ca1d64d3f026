/* study/fair.h - the fairness study: groups of the rows held against the rest, and texts in which one identity stands
 * in the place of another. Layer 11, private. */
#ifndef WF_STUDY_FAIR_H
#define WF_STUDY_FAIR_H
#include "study/study.h"

/* Fewer rows or texts say nothing; smaller changes of a probability are not worth a word. */
enum { WF_FAIR_LEAST = 10, WF_FAIR_TEXTS = 200, WF_FAIR_SETS = 32, WF_FAIR_IDENTITIES = 64 };
#define WF_FAIR_CHANGE 0.02

typedef struct wf_swap { /* one text under every identity of a set: variants [first, first + identities) */
    const char *set;
    bool template;
    size_t first;
} wf_swap;

typedef struct wf_fair {
    wf_study study;
    const wf_fair_spec *spec;
    wf_task *task;
    const char *part; /* "test", "dev", or the file */
    wf_rows file, rows;
    wf_truth truth;
    int32_t positive; /* the class that is asked about */
    int resamples;
    /* {SET: {IDENTITY: [form, ...]}}; form k of an identity stands for form k of the others of its set. The first one
     * fits the templates. */
    json_t *terms;
    wf_swap *swaps;
    wf_rows variants;
    char **texts; /* [text_count] what the variants borrow */
    size_t swap_count, swap_room, variant_room, text_count, text_room, mixed, ambiguous;
    wf_truth variant_truth;
    wf_predictions *said, *swapped; /* [models] */
} wf_fair;

/* fair_terms.c: path NULL: the built-in ones. */
wf_status wfi_fair_terms(const char *path, json_t **out, wf_err *err);
/* fair_texts.c */
wf_status wfi_fair_texts(wf_fair *f, wf_err *err);
void wfi_fair_texts_clear(wf_fair *f);
/* fair_groups.c: {"groups", "left_out", "worst_group", "equalised_odds"} of what a model said. */
wf_status wfi_fair_groups(const wf_fair *f, const wf_predictions *p, json_t **out, wf_err *err);
/* fair_swaps.c: array over sets and kinds of texts. */
wf_status wfi_fair_swaps(const wf_fair *f, const wf_predictions *p, json_t **out, wf_err *err);
/* Resamples for one of so many questions: Holm's correction of the least p value must be able to fall below 0.05. */
int wfi_fair_draws(const wf_fair *f, size_t questions);
json_t *wfi_fair_interval(double value, double low, double high);
#endif
