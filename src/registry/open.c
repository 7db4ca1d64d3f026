/* registry/open.c - opening a lab's file, and migrations by number. See registry.h.
 *
 * The file is recognised by its application_id and carries the number of migrations done in user_version, both written
 * in the transaction of the migration itself: a process killed in between leaves the old version, never half of a new
 * one. A new file is made whole aside and then given its name, so that no crash leaves an empty one. WAL lets readers
 * go on while one process writes; synchronous FULL makes a committed transaction survive loss of power.
 *
 * Where this user may not write, the file is opened for reading. Reading in WAL mode needs the -shm file beside it,
 * which cannot be made then: without a -wal file everything is in the file itself, and SQLite is told that it does not
 * change ("immutable"); with one, some process that may write is at work or was cut off, and its -shm is read. On a
 * full disk a copy in memory is read (copy.c). */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "registry/database.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x77656674 /* "weft" */ };

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
    for (int waited = 0; waited < WF_DB_BUSY_MS; waited += 10) {
        code = sqlite3_exec(r->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (code != SQLITE_BUSY && code != SQLITE_LOCKED) break;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return code == SQLITE_OK ? WF_OK : wfi_db_fail(r, code, "switching to write-ahead logging", err);
}

/* The folder too: the files of a write-ahead log are made in it. */
static bool may_write(const char *path) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = 0;
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 &&
           faccessat(AT_FDCWD, slash ? folder : ".", W_OK, AT_EACCESS) == 0;
}

static bool log_left(const char *path) {
    char log[PATH_MAX + 8];
    struct stat info;
    snprintf(log, sizeof log, "%s-wal", path);
    return stat(log, &info) == 0 && info.st_size > 0;
}

static wf_status connect_to(wf_registry *r, const char *path, int flags, wf_err *err) {
    const int code = sqlite3_open_v2(path, &r->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) return wfi_db_fail(r, code, "opening", err);
    sqlite3_extended_result_codes(r->db, 1);
    sqlite3_busy_timeout(r->db, WF_DB_BUSY_MS);
    return WF_OK;
}

static wf_status read_only_open(wf_registry *r, const char *path, wf_err *err) {
    if (log_left(path)) return connect_to(r, path, SQLITE_OPEN_READONLY, err);
    wf_buffer uri = {0};
    wfi_buffer_printf(&uri, "file:");
    for (const char *c = path; *c; c++) /* a '?', '#' or '%' in the path would end it */
        wfi_buffer_printf(&uri, isalnum((unsigned char)*c) || strchr("/._-", *c) ? "%c" : "%%%02X", (unsigned char)*c);
    wfi_buffer_printf(&uri, "?immutable=1");
    const wf_status st = uri.failed ? wfi_fail(err, WF_E_NOMEM, "out of memory")
                                    : connect_to(r, uri.data, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    wfi_buffer_clear(&uri);
    return st;
}

static wf_status configure(wf_registry *r, wf_err *err) {
    return wfi_db_exec(r, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF",
                       "configuring", err);
}

/* Another process may do the same at this moment: the first to give its file the name wins, and both are alike. */
static wf_status file_make(wf_registry *r, wf_err *err) {
    char aside[PATH_MAX];
    if (snprintf(aside, sizeof aside, "%s.new-%ld", r->file, (long)getpid()) >= (int)sizeof aside)
        return wfi_fail_at(err, WF_E_ARG, r->file, -1, "%s: the path is too long", r->file);
    unlink(aside); /* of a process cut off long ago that had this number */
    wf_status st;
    WF_GO(connect_to(r, aside, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err));
    WF_GO(configure(r, err));
    WF_GO(migrate(r, err));
    if (link(aside, r->file) != 0 && errno != EEXIST && rename(aside, r->file) != 0) /* not every disk has links */
        st = wfi_fail_at(err, WF_E_IO, r->file, -1, "cannot make %s: %s", r->file, strerror(errno));
done:
    sqlite3_close_v2(r->db);
    r->db = NULL;
    unlink(aside);
    return st;
}

/* An older file is brought up to date in the copy. */
static wf_status copy_open(wf_registry *r, const char *path, wf_err *err) {
    int64_t version = 0;
    WF_TRY(wfi_db_copy(r, path, err));
    WF_TRY(version_check(r, &version, err));
    r->copied = false; /* while it may be written */
    const wf_status st = migrate(r, err);
    r->copied = true;
    WF_TRY(st);
    WF_TRY(configure(r, err));
    return wfi_db_exec(r, "PRAGMA query_only = ON", "configuring", err);
}

static wf_status file_open(wf_registry *r, wf_err *err) {
    char path[PATH_MAX];
    struct stat info;
    int64_t version = 0;
    if (!realpath(r->file, path) || stat(path, &info) != 0)
        return wfi_fail_at(err, WF_E_IO, r->file, -1, "cannot open %s: %s", r->file, strerror(errno));
    if (info.st_size == 0)
        return wfi_fail_at(err, WF_E_DATA, r->file, -1,
                           "%s is empty: it was not made by weft, or was cut off; put a copy of it back", r->file);
    const bool writable = may_write(path);
    WF_TRY(writable ? connect_to(r, path, SQLITE_OPEN_READWRITE, err) : read_only_open(r, path, err));
    wf_status st = version_check(r, &version, err); /* before anything is written into a file that is not ours */
    if (st == WF_E_IO && writable && r->no_room) return copy_open(r, path, err);
    const int code = sqlite3_errcode(r->db) & 0xff;
    if (st != WF_OK && !writable && (code == SQLITE_READONLY || code == SQLITE_CANTOPEN))
        return wfi_fail_at(err, WF_E_IO, r->file, -1,
                           "%s: the lab is read-only, and a write to it was cut off (%s-wal); let weft list be run "
                           "once by a user who may write there",
                           r->file, wfi_path_base(r->file));
    WF_TRY(st);
    if (writable) WF_TRY(wal_on(r, err));
    WF_TRY(configure(r, err));
    return migrate(r, err);
}

wf_status wfi_registry_open(const char *file, bool create, wf_registry **out, wf_err *err) {
    if (!file || !out) return wfi_fail(err, WF_E_ARG, "registry: no file given");
    if (wfi_dir_exists(file)) return wfi_fail_at(err, WF_E_DATA, file, -1, "%s is a folder, not a lab database", file);
    const bool there = wfi_file_exists(file);
    if (!create && !there)
        return wfi_fail_at(err, WF_E_NOTFOUND, file, -1, "%s does not exist; make a lab with: weft init", file);
    wf_registry *r = wfi_alloc(1, sizeof *r);
    if (!r || !(r->file = wfi_strdup(file))) {
        wfi_free(r);
        return wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    wf_status st;
    if (!there) WF_GO(file_make(r, err));
    WF_GO(file_open(r, err));
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
