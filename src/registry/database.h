/* registry/database.h - the SQLite connection behind a registry: opening, migrations, statements, errors. Layer 9,
 * private to this folder: nobody else sees SQLite. */
#ifndef WF_REGISTRY_DATABASE_H
#define WF_REGISTRY_DATABASE_H
#include "registry/registry.h"
#include <sqlite3.h>

enum { WF_DB_BUSY_MS = 15000 }; /* how long another process is waited for */

struct wf_registry {
    sqlite3 *db;
    char *file;  /* for messages */
    int no_room; /* errno of the last write that found none; 0: there was none */
    bool copied; /* db is a copy in memory: there was no room to open the file */
};

/* Turns SQLite's last failure into a status: constraint violations are the caller's to tell apart before. */
wf_status wfi_db_fail(wf_registry *r, int code, const char *doing, wf_err *err);
/* Prepares `sql` and binds `types` in order: 's' const char * (NULL binds ""), 'i' int64_t. The caller finalises. */
wf_status wfi_db_prepare(wf_registry *r, sqlite3_stmt **out, wf_err *err, const char *sql, const char *types, ...);
wf_status wfi_db_exec(wf_registry *r, const char *sql, const char *doing, wf_err *err);
/* A transaction of one call: does nothing when the caller has one open already. */
wf_status wfi_db_enter(wf_registry *r, bool *own, wf_err *err);
wf_status wfi_db_leave(wf_registry *r, bool own, wf_status st,
                       wf_err *err); /* commits on WF_OK, else rolls back; returns st or the commit's failure */
char *wfi_db_text(sqlite3_stmt *s, int column); /* copy (wfi_free); NULL when out of memory */
/* copy.c: r->db becomes a copy of the file at `path`, for where even reading it in place needs room on the disk. */
wf_status wfi_db_copy(wf_registry *r, const char *path, wf_err *err);
/* Appends to err's text the names of `kind` that look like `name`, or the first few there are. */
wf_status wfi_db_not_found(wf_registry *r, const char *kind, const char *name, wf_err *err);
#endif
