/* lab/rank.h - which adapters of the lab are worth fusing for a task, estimated without training. Layer 10.
 *
 * Three estimates of every adapter that was trained for another task: LEEP of its model's answers on the target's rows,
 * how well the target's classes can be told by nearest neighbours in its features (metrics/transfer.h), and how alike
 * the Fisher embeddings of both tasks are (task_embedding.h). The score is the mean of the places an adapter takes by
 * each, from 0 (last) to 1 (first). What was trained jointly for several other tasks counts once: features are its own,
 * LEEP is that of its best head, likeness that of the most alike of its tasks. */
#ifndef WF_LAB_RANK_H
#define WF_LAB_RANK_H
#include "lab/handle.h"

enum { WF_RANK_ROWS = 300, WF_RANK_TOKENS = 128, WF_RANK_AUTO = 3, WF_RANK_FEW = 50, WF_RANK_FEW_EACH = 4 };
typedef enum wf_rank_by { WF_RANK_LEEP, WF_RANK_NEIGHBOURS, WF_RANK_FISHER, WF_RANK_ESTIMATES } wf_rank_by;
extern const char *const wfi_rank_names[WF_RANK_ESTIMATES]; /* "leep", "neighbours", "fisher" */

typedef struct wf_rank_source {
    char *name, *task, *method;
    double by[WF_RANK_ESTIMATES]; /* NaN: not defined for it (LEEP without classes) */
    double score;
    bool fusable; /* a bottleneck adapter */
    json_t *places[2];
    json_t *heads; /* of what was trained jointly: {TASK: {"leep","fisher"}}; else NULL */
} wf_rank_source;
typedef struct wf_ranking {
    wf_rank_source *source; /* [count], the best first */
    size_t count;
    size_t rows;
    int32_t classes;
    double base_neighbours; /* of the base without an adapter */
    json_t *left_out;       /* names of what was trained jointly for this very task, among others: its features have
                               seen the labels that they would be judged by */
} wf_ranking;

typedef struct wf_rank_wish {
    const char *task, *base; /* base NULL: the lab's only one */
    const char *by;          /* "all" (or NULL), "leep", "neighbours", "fisher" */
    int64_t rows;            /* training rows looked at; 0: WF_RANK_ROWS */
    uint64_t seed;           /* of their sample: the rows of a training by this seed with as many rows */
    const json_t *among;     /* names; NULL: every adapter of another task */
    bool compared;           /* in a comparison: nothing is told, and "own" is no name to look up */
} wf_rank_wish;
wf_status wfi_rank(wf_lab *lab, const wf_rank_wish *wish, wf_ranking *out, wf_err *err);
void wfi_ranking_clear(wf_ranking *r);
/* Whether the rows are too few (below WF_RANK_FEW, or WF_RANK_FEW_EACH a class) to tell sources apart; then in words.
 */
bool wfi_rank_caution(const wf_ranking *r, char out[200]);

/* Whether a word is "auto" or "auto:K"; *wanted is K. A K that is none fails. */
wf_status wfi_rank_auto(const char *word, bool *is, int64_t *wanted, wf_err *err);
/* Names of the models that could be sources for a task by their records alone: a new array of strings. */
wf_status wfi_rank_candidates(wf_lab *lab, const char *task, const char *base_hash, json_t **out, wf_err *err);

/* Names with "auto" or "auto:K" among them, replaced by the K best adapters that are not named already and sit where
 * the others do: a new array of strings. */
wf_status wfi_rank_choose(wf_lab *lab, const wf_rank_wish *wish, const char *const *from, size_t count, json_t **out,
                          wf_err *err);
#endif
