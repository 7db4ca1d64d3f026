/* weft/guard.h - safeguards: no task may silently get worse, and only adapters that matter are paid for.
 *
 * Results are JSON texts with documented keys (docs/json.md), freed with wf_free. Options are structs; zero or NULL
 * fields mean "default". Threads: as for the lab.
 */
#ifndef WEFT_GUARD_H
#define WEFT_GUARD_H
#include "weft/lab.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A gate: the model that answers a task, with the score it had when it was recorded. Tolerances and falls are in
 * points, hundredths of the metric: 0.5 allows an accuracy of 90.0 % to fall to 89.5 %, a correlation by 0.005. */
typedef struct wf_gate_spec {
    const char *task;
    const char *model; /* default: the gate's present one; of a new gate the task's only model */
    const char
        *split; /* "test" or "dev"; default: the gate's present one; of a new gate test, dev where there is none */
    double tolerance; /* points; 0: the gate's present one, of a new gate 0.5; -1: none, no fall at all */
    int record;       /* record the score anew even where model and split stay (a new gate or model always is) */
} wf_gate_spec;
/* {"task","model","metric","split","rows","recorded","tolerance","was"} */
WF_API wf_status wf_gate_set(wf_lab *lab, const wf_gate_spec *spec, char **json, wf_err *err);
WF_API wf_status wf_gate_remove(wf_lab *lab, const char *task, char **json, wf_err *err);

/* Scores the present model of each task (count 0: of all gates) against its record. models (may be NULL, as may each):
 * models to judge in place of the present ones, before they are set. {"ok","checked","gates":[...]}; WF_E_CHECK (json
 * still set) when a score fell by more than its tolerance, or a model is gone. */
WF_API wf_status wf_gate_check(wf_lab *lab, const char *const *tasks, const char *const *models, size_t count,
                               char **json, wf_err *err);

/* Which adapters of other tasks are worth fusing for a task, the best first, from estimates that need no training (in
 * wf_train and weft fuse: "auto:K" among the names of `from`). With check every source is also fused alone, and its
 * gain over a head alone is held against the estimates: Spearman's correlation with its p by permutation. */
typedef struct wf_rank_spec {
    const char *task, *base;
    const char *by; /* "all" (default): mean place by the three; "leep", "neighbours", "fisher" */
    int64_t rows;   /* training rows looked at; 0: 300 */
    uint64_t seed;
    int check;           /* train to see; recorded as a run */
    wf_train_spec train; /* check: settings of these trainings (task, name, method, from ignored) */
} wf_rank_spec;
/* {"task","rows","by","base_neighbours","sources":[...],"check"} */
WF_API wf_status wf_rank(wf_lab *lab, const wf_rank_spec *spec, char **json, wf_err *err);

/* A trained fusion without the adapters that give it nothing, as a new model with NAME as parent; NAME stays. Adapters
 * are chosen on dev; the change is measured on dev and, unseen by the choice, on test. */
typedef struct wf_prune_spec {
    const char *name;     /* a fusion */
    const char *new_name; /* default: NAME-pruned */
    int64_t keep;         /* adapters to keep; or */
    double loss;          /* points (hundredths of the metric) that dev may fall by in all; -1: none */
    const char *by;       /* "leave-one-out" (default) or "attention" */
} wf_prune_spec;
/* The new model as wf_train gives it, with "pruned": {"of","removed","metric","change"}; "name" is null, and nothing is
 * stored, when no adapter could go. */
WF_API wf_status wf_prune(wf_lab *lab, const wf_prune_spec *spec, char **json, wf_err *err);

#ifdef __cplusplus
}
#endif
#endif
