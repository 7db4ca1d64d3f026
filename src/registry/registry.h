/* registry/registry.h - what a lab knows, in one SQLite file (WAL, numbered migrations). Layer 9.
 * Objects (bases, tasks, models) are immutable once put: a changed object is a new one. Names are unique within a lab
 * over all kinds that can be predicted with. Threads: a registry belongs to one thread at a time; several processes may
 * open one lab. */
#ifndef WF_REGISTRY_REGISTRY_H
#define WF_REGISTRY_REGISTRY_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wf_registry wf_registry;
typedef struct wf_record { /* free with wfi_record_clear */
    int64_t id;
    char *kind; /* "base", "task", "model" (a trained thing: adapter, fusion, head or full, with its head), "gate" (of
                   the task that it is named by; without files) */
    char *name;
    char *hash;    /* hex SHA-256 of the content */
    char *path;    /* relative to the lab's folder; "" when none */
    char *json;    /* everything else about it, an object */
    char *created; /* UTC */
} wf_record;

wf_status wfi_registry_open(const char *file, bool create, wf_registry **out,
                            wf_err *err); /* refuses files of a newer program, naming versions */
void wfi_registry_close(wf_registry *r);
wf_status wfi_registry_put(wf_registry *r, const wf_record *record, int64_t *id,
                           wf_err *err); /* WF_E_EXISTS when (kind, name) is taken */
wf_status wfi_registry_get(wf_registry *r, const char *kind, const char *name, wf_record *out,
                           wf_err *err); /* WF_E_NOTFOUND lists near names */
wf_status wfi_registry_list(wf_registry *r, const char *kind, wf_record **out, size_t *count,
                            wf_err *err); /* kind NULL: all; by id */
wf_status wfi_registry_remove(wf_registry *r, const char *kind, const char *name,
                              wf_err *err); /* WF_E_BUSY naming what depends on it */
wf_status wfi_registry_link(wf_registry *r, int64_t child, int64_t parent, wf_err *err); /* child depends on parent */
wf_status wfi_registry_parents(wf_registry *r, int64_t child, wf_record **out, size_t *count, wf_err *err);
wf_status wfi_registry_children(wf_registry *r, int64_t parent, wf_record **out, size_t *count, wf_err *err);
wf_status wfi_registry_begin(wf_registry *r, wf_err *err); /* one transaction around several puts and links */
wf_status wfi_registry_commit(wf_registry *r, wf_err *err);
void wfi_registry_rollback(wf_registry *r);
void wfi_record_clear(wf_record *record);
void wfi_records_free(wf_record *records, size_t count);

typedef struct wf_run { /* one training, comparison or study; free with wfi_run_clear */
    int64_t id;
    char *command; /* "train", "fuse", "compare", ... */
    char *name;    /* what it makes */
    char *spec;    /* JSON: everything needed to run it again or on */
    char *status;  /* "running", "interrupted" (its process is gone), "done", "failed", "cancelled" */
    char *result;  /* JSON or "" */
    char *started, *finished;
    int64_t pid; /* of the process that runs or ran it */
} wf_run;
wf_status wfi_run_begin(wf_registry *r, const char *command, const char *name, const char *spec, int64_t *id,
                        wf_err *err);
wf_status wfi_run_claim(wf_registry *r, int64_t id,
                        wf_err *err); /* takes over an unfinished run; WF_E_BUSY when its process lives */
/* WF_E_BUSY says which process trains a model of this name in another run than `except` (0: any). A run whose process
 * is gone holds no name. */
wf_status wfi_run_name_check(wf_registry *r, const char *name, int64_t except, wf_err *err);
wf_status wfi_run_end(wf_registry *r, int64_t id, const char *status, const char *result, wf_err *err);
/* A run that is done already, in place of every earlier one of this command, name and spec: what would only say the
 * same thing again does not pile up. */
wf_status wfi_run_replace(wf_registry *r, const char *command, const char *name, const char *spec, const char *result,
                          int64_t *id, wf_err *err);
wf_status wfi_run_get(wf_registry *r, int64_t id, wf_run *out, wf_err *err);
wf_status wfi_run_list(wf_registry *r, wf_run **out, size_t *count, wf_err *err);
void wfi_run_clear(wf_run *run);
void wfi_runs_free(wf_run *runs, size_t count);
#endif
