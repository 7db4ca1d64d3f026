/* lab/trained.h - a trained thing (adapter, fusion, head alone, everything) in memory and in the lab. Layer 10.
 * Folder models/NAME-HASH: head/, and adapter/ or fusion/ (with adapters/NAME/ when they were trained along) or full/;
 * weft.json is a copy of the registry's lineage. What was trained jointly has heads/TASK/ instead of head/; it is used
 * one head at a time, and NAME:TASK says which. */
#ifndef WF_LAB_TRAINED_H
#define WF_LAB_TRAINED_H
#include "lab/handle.h"
#include "lab/settings.h"

typedef struct wf_trained {
    wf_open_base *base; /* borrowed from the lab; its dtype is the one in use */
    wf_dtype own_dtype; /* that it was trained in */
    wf_bert *full;      /* method full: the trained copy */
    wf_adapter *adapter;
    bool adapter_frozen; /* it was not trained: a mean of others */
    wf_adapter **fused;  /* [fused_count] of a fusion, owned */
    size_t fused_count;
    wf_fusion *fusion;
    wf_head *head;     /* in use */
    wf_head **heads;   /* [head_count] of a joint training, owned; `head` is one of them. None: `head` is owned */
    char **head_tasks; /* [head_count] */
    size_t head_count;
    wf_context *context;
    wf_kind kind;
    int32_t classes; /* columns of the outputs */
    int64_t max_length;
    json_t *info; /* lineage; NULL while new */
    char *name;
    char *parent; /* a model of the lab that it was made from, for its lineage; or NULL */
} wf_trained;

/* Fresh parts for a training, initialised by the seed. */
wf_status wfi_trained_new(wf_lab *lab, const wf_settings *s, const char *name, const wf_task *task, wf_trained *out,
                          wf_err *err);
/* The same with a head for each of several tasks, called by it; the first one's is in use. */
wf_status wfi_trained_new_joint(wf_lab *lab, const wf_settings *s, const char *name, wf_task *const *tasks,
                                size_t count, wf_trained *out, wf_err *err);
/* Takes head k of a joint training into use. */
void wfi_trained_use(wf_trained *t, size_t k, const wf_task *task);
/* name: NAME, or NAME:TASK for one head of what was trained jointly (needed where it has several). */
wf_status wfi_trained_open(wf_lab *lab, const char *name, wf_trained *out, wf_err *err);
/* As the lab's user asked (wf_lab_base_dtype), else as wfi_trained_open. WF_E_ARG for a trained base in int8. */
wf_status wfi_trained_open_asked(wf_lab *lab, const char *name, wf_trained *out, wf_err *err);
void wfi_trained_clear(wf_trained *t);
/* A stored adapter of this base, to be fused (wfi_adapter_free). */
wf_status wfi_fused_open(wf_lab *lab, const wf_open_base *base, const char *name, wf_adapter **out, wf_err *err);
/* Parameter sets that are trained, at most WF_TRAINED_SETS; gradients on. */
enum { WF_TRAINED_SETS = 64 };
wf_status wfi_trained_sets(wf_trained *t, const wf_settings *s, wf_pset *sets[WF_TRAINED_SETS], size_t *count,
                           wf_err *err);
/* Gradients off and caches refreshed: ready for inference. */
wf_status wfi_trained_freeze(wf_trained *t, wf_err *err);
int64_t wfi_trained_size(const wf_trained *t); /* parameters that were trained */
/* Writes the folder, registers it with its parents in one transaction. info gains "files", "hash". task: of a single
 * one; those of several heads are known. */
wf_status wfi_trained_save(wf_lab *lab, wf_trained *t, const wf_settings *s, const wf_record *task, json_t *info,
                           wf_err *err);
#endif
