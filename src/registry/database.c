/* registry/database.c - opening a lab's file, migrations by number, and the few SQLite helpers. See database.h.
 *
 * The file is recognised by its application_id and carries the number of migrations done in user_version, both written
 * in the transaction of the migration itself: a process killed in between leaves the old version, never half of a new
 * one. WAL lets readers go on while one process writes; synchronous FULL makes a committed transaction survive loss of
 * power. */
#include "registry/database.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { APPLICATION_ID = 0x77656674 /* "weft" */, BUSY_MS = 15000 };

/* Migration i takes user_version i to i + 1. Never change one that was released: add another. */
static const char *const migrations[] = {
    "CREATE TABLE objects("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* never used twice: a link cannot come to mean another object */
    " kind TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, path TEXT NOT NULL, json TEXT NOT NULL, created TEXT "
    "NOT NULL,"
    " UNIQUE(kind, name));"
    "CREATE TABLE links("
    " child INTEGER NOT NULL REFERENCES objects(id) ON DELETE CASCADE,"
    " parent INTEGER NOT NULL REFERENCES objects(id) ON DELETE RESTRICT,"
    " PRIMARY KEY(child, parent), CHECK(child > parent)) WITHOUT ROWID;" /* what it is made of was there before: no
                                                                            cycles */
    "CREATE INDEX links_parent ON links(parent);"
    "CREATE TABLE runs("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL, name TEXT NOT NULL, spec TEXT NOT NULL, status TEXT "
    "NOT NULL,"
    " result TEXT NOT NULL DEFAULT '', started TEXT NOT NULL, finished TEXT NOT NULL DEFAULT '', pid INTEGER NOT NULL,"
    " process TEXT NOT NULL);", /* which process pid meant: its start time and the machine's boot */
};
enum { VERSION = sizeof migrations / sizeof *migrations };

wf_status wfi_db_fail(wf_registry *r, int code, const char *doing, wf_err *err) {
    wf_status st = WF_E_LIBRARY;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return wfi_fail_at(err, WF_E_NOMEM, r->file, -1, "%s: out of memory %s", r->file, doing);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return wfi_fail_at(err, WF_E_BUSY, r->file, -1,
                           "%s: another process holds the lab's database for over %d s %s; try again", r->file,
                           BUSY_MS / 1000, doing);
    case SQLITE_NOTADB:
        return wfi_fail_at(err, WF_E_DATA, r->file, -1, "%s is no lab database (not an SQLite file)", r->file);
    case SQLITE_CORRUPT:
        st = WF_E_DATA;
        break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        st = WF_E_IO;
        break;
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

static wf_status number_read(wf_registry *r, const char *sql, int64_t *out, wf_err *err) {
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(r, &s, err, sql, ""));
    int code = sqlite3_step(s);
    wf_status st = code == SQLITE_ROW ? WF_OK : wfi_db_fail(r, code, "reading the lab's version", err);
    if (st == WF_OK) *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return st;
}

static wf_status version_check(wf_registry *r, int64_t *version, wf_err *err) {
    int64_t id = 0, tables = 0;
    WF_TRY(number_read(r, "PRAGMA application_id", &id, err));
    WF_TRY(number_read(r, "PRAGMA user_version", version, err));
    WF_TRY(number_read(r, "SELECT count(*) FROM sqlite_schema", &tables, err));
    if (id != APPLICATION_ID && (id != 0 || tables > 0 || *version != 0))
        return wfi_fail_at(err, WF_E_DATA, r->file, -1, "%s is an SQLite file of another program, not a lab", r->file);
    if (*version > VERSION)
        return wfi_fail_at(
            err, WF_E_UNSUPPORTED, r->file, -1,
            "%s was written by a newer weft (lab version %lld; this program knows up to %d); use that program", r->file,
            (long long)*version, VERSION);
    if (*version < 0)
        return wfi_fail_at(err, WF_E_DATA, r->file, -1, "%s has the impossible lab version %lld", r->file,
                           (long long)*version);
    return WF_OK;
}

static wf_status migrate(wf_registry *r, wf_err *err) {
    int64_t version = 0;
    bool own = false;
    WF_TRY(version_check(r, &version, err));
    if (version == VERSION) return WF_OK;
    WF_TRY(wfi_db_enter(r, &own, err));
    wf_status st = version_check(r, &version, err); /* again: another process may have been faster */
    for (int64_t i = version; st == WF_OK && i < VERSION; i++)
        st = wfi_db_exec(r, migrations[i], "migrating the lab", err);
    char sql[96];
    sqlite3_snprintf((int)sizeof sql, sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                     VERSION);
    if (st == WF_OK) st = wfi_db_exec(r, sql, "migrating the lab", err);
    return wfi_db_leave(r, own, st, err);
}

/* Switching to WAL does not wait for other processes by itself; once done it is a property of the file and costs
 * nothing. */
static wf_status wal_on(wf_registry *r, wf_err *err) {
    int code = SQLITE_BUSY;
    for (int waited = 0; waited < BUSY_MS; waited += 10) {
        code = sqlite3_exec(r->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (code != SQLITE_BUSY && code != SQLITE_LOCKED) break;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return code == SQLITE_OK ? WF_OK : wfi_db_fail(r, code, "switching to write-ahead logging", err);
}

wf_status wfi_registry_open(const char *file, bool create, wf_registry **out, wf_err *err) {
    if (!file || !out) return wfi_fail(err, WF_E_ARG, "registry: no file given");
    if (wfi_dir_exists(file)) return wfi_fail_at(err, WF_E_DATA, file, -1, "%s is a folder, not a lab database", file);
    if (!create && !wfi_file_exists(file))
        return wfi_fail_at(err, WF_E_NOTFOUND, file, -1, "%s does not exist; make a lab with: weft init", file);
    wf_registry *r = wfi_alloc(1, sizeof *r);
    if (!r || !(r->file = wfi_strdup(file))) {
        wfi_free(r);
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    wf_status st;
    int code = sqlite3_open_v2(file, &r->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0), NULL);
    if (code != SQLITE_OK) {
        st = wfi_db_fail(r, code, "opening", err);
        goto done;
    }
    sqlite3_extended_result_codes(r->db, 1);
    sqlite3_busy_timeout(r->db, BUSY_MS);
    int64_t version = 0;
    WF_GO(version_check(r, &version, err)); /* before anything is written into a file that is not ours */
    WF_GO(wal_on(r, err));
    WF_GO(wfi_db_exec(r, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF",
                      "configuring", err));
    WF_GO(migrate(r, err));
    *out = r;
    return WF_OK;
done:
    wfi_registry_close(r);
    return st;
}

void wfi_registry_close(wf_registry *r) {
    if (!r) return;
    if (r->db && !sqlite3_get_autocommit(r->db)) sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close_v2(r->db);
    wfi_free(r->file);
    wfi_free(r);
}

wf_status wfi_registry_begin(wf_registry *r, wf_err *err) {
    if (!sqlite3_get_autocommit(r->db))
        return wfi_fail(err, WF_E_ARG, "registry: a transaction is open already; they do not nest");
    return wfi_db_exec(r, "BEGIN IMMEDIATE", "beginning a transaction", err);
}

wf_status wfi_registry_commit(wf_registry *r, wf_err *err) {
    if (sqlite3_get_autocommit(r->db)) return wfi_fail(err, WF_E_ARG, "registry: no transaction is open");
    return wfi_db_exec(r, "COMMIT", "committing", err);
}

void wfi_registry_rollback(wf_registry *r) {
    if (!sqlite3_get_autocommit(r->db)) sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
}
