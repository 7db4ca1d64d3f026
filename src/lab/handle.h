/* lab/handle.h - what a lab handle holds, and helpers shared by the files of this folder. Layer 10.
 * The folder of a lab: weft.db; bases/NAME-HASH, tasks/NAME-HASH, models/NAME-HASH (immutable); runs/ID (checkpoints,
 * logs); cache (cache.h; may be removed at any time). */
#ifndef WF_LAB_HANDLE_H
#define WF_LAB_HANDLE_H
#include "base/buffer.h"
#include "base/json.h"
#include "engine/context.h"
#include "lab/cache.h"
#include "metrics/metrics.h"
#include "registry/registry.h"
#include "tokenizers/tokenizer.h"
#include "weft/lab.h"

typedef struct wf_open_base { /* a base in use; stays open until the lab closes */
    char *name, *hash;
    char *weights;   /* path of the model's file */
    char *cache;     /* the lab's folder of that name */
    wf_cached packs; /* what the model's packed matrices lie in when they were kept */
    wf_dtype dtype;  /* that its matrices are packed in; a base may be open once for each type */
    wf_bert *model;
    wf_tokenizer *tokenizer;
    bool shares_tokenizer; /* it belongs to the same base opened in another type before */
    json_t *info;          /* the registry's JSON */
    struct wf_open_base *next;
} wf_open_base;

struct wf_lab {
    char *dir;
    wf_registry *registry;
    int threads;
    bool as_asked; /* stored models are used over a base in the type `dtype` instead of their own */
    wf_dtype dtype;
    wf_progress_fn progress;
    void *progress_user;
    wf_message_fn message;
    void *message_user;
    wf_open_base *bases;
    json_t *checked; /* while many models are opened at once: {folder: hash} of what was hashed and found unchanged */
    double progress_at; /* time of the last progress call */
};

void wfi_lab_message(wf_lab *lab, const char *level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Calls the progress function unless the last call is under 0.1 s ago and `always` is not set. Nonzero: cancel. */
int wfi_lab_tick(wf_lab *lab, const wf_progress *p, bool always);
char *wfi_lab_path(const wf_lab *lab, const char *relative); /* wfi_free */
/* Names are 1 to 64 of letters, digits, '_' and '-', the first no '-': they stand in tensor names, file names and
 * commands. */
wf_status wfi_lab_name_check(const char *what, const char *name, wf_err *err);
/* JSON result out: steals `value`. */
wf_status wfi_lab_give(json_t *value, char **json, wf_err *err);
wf_status wfi_lab_record_json(const wf_record *record, json_t **out, wf_err *err);

/* name NULL: the lab's only base. Borrowed until the lab closes. */
wf_status wfi_lab_base(wf_lab *lab, const char *name, wf_dtype dtype, wf_open_base **out, wf_err *err);
/* Opens a stored task (wfi_task_free); record may be NULL. */
wf_status wfi_lab_task(wf_lab *lab, const char *name, wf_task **out, wf_record *record, wf_err *err);

/* Hashes of all files below dir but weft.json: {"relative/path": hex}; and one hash over them. */
wf_status wfi_lab_tree_hash(const char *dir, json_t **files, char hex[65], wf_err *err);
/* WF_OK when the object's folder holds what was stored; else WF_E_CHECK names the first file that differs. */
wf_status wfi_lab_tree_check(wf_lab *lab, const wf_record *r, wf_err *err);
/* From here on (true) until it ends (false), each folder is hashed once: verify opens what it has just checked, and
 * models share the adapters they fuse. */
void wfi_lab_check_once(wf_lab *lab, bool once);
/* Moves a finished folder to its place: fsync, rename; when the place exists the new folder is removed (same content).
 */
wf_status wfi_lab_tree_place(const char *from, const char *to, wf_err *err);
json_t *wfi_lab_scores_json(const wf_scores *s,
                            bool intervals); /* {"accuracy": 0.9} or {"accuracy": {"value","low","high"}} */
#endif
