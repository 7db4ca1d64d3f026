/* registry/database.c - transactions, statements and errors: the few SQLite helpers. See database.h. */
#include "registry/database.h"
#include "base/alloc.h"
#include "base/error.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* The system's number for a failure. SQLite keeps it for opening and not for writing; errno is from the same call then,
 * and is taken when it is one that writing fails with. */
static int number_of(wf_registry *r, int code) {
    const int now = errno, kept = r->db ? sqlite3_system_errno(r->db) : 0;
    const bool writing = now == ENOSPC || now == EDQUOT || now == EFBIG || now == EIO || now == EROFS;
    return kept == 0 && writing && (code & 0xff) == SQLITE_IOERR ? now : kept;
}

static wf_status io_fail(wf_registry *r, int code, const char *doing, wf_err *err) {
    const int number = (code & 0xff) == SQLITE_FULL ? ENOSPC : number_of(r, code);
    if (number == ENOSPC || number == EDQUOT || number == EFBIG) r->no_room = number;
    const char *said = r->db ? sqlite3_errmsg(r->db) : sqlite3_errstr(code);
    if (number == ENOSPC || number == EDQUOT)
        return wfi_fail_at(err, WF_E_IO, r->file, -1, "%s: %s failed: no space is left on its disk", r->file, doing);
    if (number != 0)
        return wfi_fail_at(err, WF_E_IO, r->file, -1, "%s: %s failed: %s (%s)", r->file, doing, said, strerror(number));
    return wfi_fail_at(err, WF_E_IO, r->file, -1, "%s: %s failed: %s%s", r->file, doing, said,
                       (code & 0xff) == SQLITE_IOERR ? "; no space may be left on its disk" : "");
}

static wf_status readonly_fail(wf_registry *r, const char *doing, wf_err *err) {
    if (r->copied)
        return wfi_fail_at(err, WF_E_IO, r->file, -1,
                           "%s: %s failed: %s; until there is room (the lab's folder cache may go) it can only be read",
                           r->file, doing, r->no_room == EFBIG ? strerror(r->no_room) : "no space is left on its disk");
    return wfi_fail_at(err, WF_E_IO, r->file, -1,
                       "%s: the lab is read-only (the file or its folder may not be written); %s failed", r->file,
                       doing);
}

wf_status wfi_db_fail(wf_registry *r, int code, const char *doing, wf_err *err) {
    wf_status st = WF_E_LIBRARY;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return wfi_fail_at(err, WF_E_NOMEM, r->file, -1, "%s: out of memory %s", r->file, doing);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return wfi_fail_at(err, WF_E_BUSY, r->file, -1,
                           "%s: another process holds the lab's database for over %d s %s; try again", r->file,
                           WF_DB_BUSY_MS / 1000, doing);
    case SQLITE_NOTADB:
        return wfi_fail_at(err, WF_E_DATA, r->file, -1, "%s is no lab database (not an SQLite file)", r->file);
    case SQLITE_CORRUPT:
        st = WF_E_DATA;
        break;
    case SQLITE_READONLY:
        return readonly_fail(r, doing, err);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return io_fail(r, code, doing, err);
    default:
        break;
    }
    return wfi_fail_at(err, st, r->file, -1, "%s: %s failed: %s", r->file, doing,
                       r->db ? sqlite3_errmsg(r->db) : sqlite3_errstr(code));
}

wf_status wfi_db_exec(wf_registry *r, const char *sql, const char *doing, wf_err *err) {
    int code = sqlite3_exec(r->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? WF_OK : wfi_db_fail(r, code, doing, err);
}

wf_status wfi_db_prepare(wf_registry *r, sqlite3_stmt **out, wf_err *err, const char *sql, const char *types, ...) {
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(r->db, sql, -1, &s, NULL);
    if (code != SQLITE_OK) return wfi_db_fail(r, code, "preparing a statement", err);
    va_list args;
    va_start(args, types);
    for (int i = 0; types[i] && code == SQLITE_OK; i++) {
        if (types[i] == 's') {
            const char *text = va_arg(args, const char *);
            code = sqlite3_bind_text(s, i + 1, text ? text : "", -1, SQLITE_TRANSIENT);
        } else {
            code = sqlite3_bind_int64(s, i + 1, va_arg(args, int64_t));
        }
    }
    va_end(args);
    if (code != SQLITE_OK) {
        wf_status st = wfi_db_fail(r, code, "binding a value", err);
        sqlite3_finalize(s);
        return st;
    }
    *out = s;
    return WF_OK;
}

wf_status wfi_db_enter(wf_registry *r, bool *own, wf_err *err) {
    *own = sqlite3_get_autocommit(r->db) != 0;
    /* SQLite begins one on a read-only file all the same, and refuses only what follows. */
    if (*own && (r->copied || sqlite3_db_readonly(r->db, "main") == 1))
        return readonly_fail(r, "beginning a transaction", err);
    /* IMMEDIATE takes the write lock at once: a reader that turns writer later would fail instead of waiting. */
    return *own ? wfi_db_exec(r, "BEGIN IMMEDIATE", "beginning a transaction", err) : WF_OK;
}

wf_status wfi_db_leave(wf_registry *r, bool own, wf_status st, wf_err *err) {
    if (!own) return st;
    if (st == WF_OK) st = wfi_db_exec(r, "COMMIT", "committing", err);
    if (st != WF_OK && !sqlite3_get_autocommit(r->db)) sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

char *wfi_db_text(sqlite3_stmt *s, int column) {
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text ? wfi_strdup(text) : NULL;
}

wf_status wfi_registry_begin(wf_registry *r, wf_err *err) {
    bool own = false;
    if (!sqlite3_get_autocommit(r->db))
        return wfi_fail(err, WF_E_ARG, "registry: a transaction is open already; they do not nest");
    return wfi_db_enter(r, &own, err);
}

wf_status wfi_registry_commit(wf_registry *r, wf_err *err) {
    if (sqlite3_get_autocommit(r->db)) return wfi_fail(err, WF_E_ARG, "registry: no transaction is open");
    return wfi_db_exec(r, "COMMIT", "committing", err);
}

void wfi_registry_rollback(wf_registry *r) {
    if (!sqlite3_get_autocommit(r->db)) sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
}
