/* registry/copy.c - a lab's file on a full disk. See database.h.
 *
 * To read in WAL mode SQLite makes a -shm file, for which a full disk has no room. In the exclusive locking mode it
 * keeps that index in its own memory, but shuts every other process out; so the whole file, which is small, is copied
 * into memory at once and let go. To read the file in place as if it never changed would need no lock, and could give
 * halves of two states when another process finds room again and writes. */
#include "base/error.h"
#include "registry/database.h"
#include <time.h>

/* Others do the same at this moment, each for some milliseconds. */
static int copy_all(sqlite3 *to, sqlite3 *from) {
    int code = SQLITE_BUSY;
    for (int waited = 0; waited < WF_DB_BUSY_MS && (code == SQLITE_BUSY || code == SQLITE_LOCKED); waited += 10) {
        sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
        if (!b) return sqlite3_extended_errcode(to);
        sqlite3_backup_step(b, -1);
        code = sqlite3_backup_finish(b); /* the step's code, when that failed */
        if (code == SQLITE_BUSY) nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return code;
}

wf_status wfi_db_copy(wf_registry *r, const char *path, wf_err *err) {
    wf_registry file = {.file = r->file};
    wf_status st = WF_OK;
    sqlite3_close_v2(r->db);
    r->db = NULL;
    int code = sqlite3_open_v2(path, &file.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(file.db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_open_v2(":memory:", &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) code = copy_all(r->db, file.db);
    if (code != SQLITE_OK) st = wfi_db_fail(&file, code, "reading the lab", err);
    sqlite3_close_v2(file.db);
    r->copied = st == WF_OK;
    return st;
}
