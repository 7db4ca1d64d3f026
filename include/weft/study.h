/* weft/study.h - studies: what trained models do when the world is not as it was in training, and where they fail.
 *
 * A study trains nothing that is kept. It is recorded as a run of the lab, so that weft report can draw it; its result
 * is a JSON text with documented keys (docs/json.md). Every difference it names comes with an interval and a p value
 * corrected for the number of questions (Holm), and is called a difference only when that is below 0.05. Options are
 * structs; zero or NULL fields mean "default". Threads: as for the lab.
 */
#ifndef WEFT_STUDY_H
#define WEFT_STUDY_H
#include "weft/lab.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How scores hold when the test texts are disturbed, on other sets and by group; whether confidence can be trusted. */
typedef struct wf_robust_spec {
    const char *const *models; /* of tasks with the same labels */
    size_t model_count;
    const char *task;         /* whose test rows; default: the first model's own */
    const char *const *kinds; /* "typo", "drop", "swap", "case", "punctuation", "accents", "words", "contraction",
                                 "prefix", "synonym"; none: all (synonym only with wordnet) */
    size_t kind_count;
    const int *strengths; /* 1 to 5; none: all five */
    size_t strength_count;
    const char *const *sets; /* tasks of the lab with the same labels (every row of them), or files, of which cases with
                                their variants are judged too; rows with other labels are left out and counted */
    size_t set_count;
    const char *wordnet; /* folder of WordNet's files (Debian: /usr/share/wordnet) */
    int64_t rows;        /* test rows used, a stratified sample; 0: 1,000 at most; -1: all */
    uint64_t seed;       /* of the sample, the disturbances and the resampling */
    int resamples;       /* of every bootstrap; 0: 1,000 */
} wf_robust_spec;
WF_API wf_status wf_study_robust(wf_lab *lab, const wf_robust_spec *spec, char **json, wf_err *err);

/* Where models err: errors by likeness (of the frozen base's features) with typical rows, classes taken for one
 * another, kinds of rows with more errors than the rest (length, rare words, negation, numbers, questions, class,
 * group), and training rows whose label looks wrong. Not for regression. */
typedef struct wf_failures_spec {
    const char *const *models; /* of tasks with the same labels */
    size_t model_count;
    const char *task; /* whose rows; default: the first model's own */
    int64_t rows;     /* test rows used, a stratified sample; 0: 1,000 at most; -1: all */
    uint64_t seed;    /* of the sample, the clusters and the folds */
} wf_failures_spec;
WF_API wf_status wf_study_failures(wf_lab *lab, const wf_failures_spec *spec, char **json, wf_err *err);

/* What the adapters of a fusion give, alone and together: the score without each, with each alone, with every two;
 * where the fusion looks; whether the tasks' gradients on the fusion's parts pull apart; how alike the adapters are.
 * Nothing is trained anew: an adapter is left out by removing it from the attention, exactly, under the same head. */
typedef struct wf_interact_spec {
    const char *model; /* a fusion */
    const char *task;  /* whose test rows; default: the fusion's own; labels must be the same */
    int64_t rows;      /* test rows used, a stratified sample; 0: 1,000 at most; -1: all */
    uint64_t seed;     /* of the samples and the resampling */
    int resamples;     /* of every bootstrap; 0: 1,000, more where many questions are asked */
    double margin;     /* an adapter is called useless when the interval of what it gives lies within it; 0: 0.01 */
} wf_interact_spec;
WF_API wf_status wf_study_interact(wf_lab *lab, const wf_interact_spec *spec, char **json, wf_err *err);

/* Whether groups of people are treated alike: each group of the rows against all others in errors, false alarms and
 * misses (Fisher's exact test, Holm), ranking and calibration, equalised odds; and whether the probability changes when
 * one identity stands in a text in the place of another. Where rows have one class. */
typedef struct wf_fair_spec {
    const char *const *models; /* of tasks with the same labels */
    size_t model_count;
    const char *task, *data; /* whose test rows; default: the first model's own. data: a file instead */
    const char *positive;    /* label whose false alarms, misses and probability are looked at; default: of two labels
                                the second */
    const char *terms;       /* JSON file {SET: {IDENTITY: [TERM, ...]}} or {SET: [TERM, ...]}; default: built in */
    int64_t rows;            /* rows used, a stratified sample; 0: 1,000 at most; -1: all */
    uint64_t seed;           /* of the sample and the resampling */
    int resamples;           /* of every bootstrap; 0: 1,000 */
} wf_fair_spec;
WF_API wf_status wf_study_fair(wf_lab *lab, const wf_fair_spec *spec, char **json, wf_err *err);

/* One prediction taken apart: what each token adds (integrated gradients over the embeddings, from the text with every
 * word masked; they add up to the difference between the two, which is checked), and what each adapter gives (taken out
 * exactly). Nothing is recorded. Not for multiple choice. In float32, whatever the model was trained in. */
typedef struct wf_explain_spec {
    const char *model, *text, *pair;
    const char *label; /* explained; default: the predicted one */
    double tolerance;  /* share of the difference (at least of 1) by which the sum may miss it; 0: 0.01 */
} wf_explain_spec;
WF_API wf_status wf_explain_text(wf_lab *lab, const wf_explain_spec *spec, char **json, wf_err *err);
/* Such a result as a self-contained page of HTML. */
WF_API wf_status wf_explain_page(const char *json, const char *path, wf_err *err);

#ifdef __cplusplus
}
#endif
#endif
