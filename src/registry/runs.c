/* registry/runs.c - what was started, by which process, and how it ended. See registry.h.
 *
 * A process is its pid together with the moment it started and the boot of the machine: pids are given out again, and
 * inside a container every process may have the same one. So a run whose process is gone is recognised even when its
 * pid is somebody else's now. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "registry/database.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS "id, command, name, spec, status, result, started, finished, pid, process"
enum { IDENTITY = 96 };

void wfi_run_clear(wf_run *run) {
    if (!run) return;
    wfi_free(run->command);
    wfi_free(run->name);
    wfi_free(run->spec);
    wfi_free(run->status);
    wfi_free(run->result);
    wfi_free(run->started);
    wfi_free(run->finished);
    *run = (wf_run){0};
}

void wfi_runs_free(wf_run *runs, size_t count) {
    for (size_t i = 0; runs && i < count; i++) wfi_run_clear(&runs[i]);
    wfi_free(runs);
}

static size_t small_read(const char *path, char *out, size_t size) { /* NUL appended; 0 when unreadable */
    out[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, out, size - 1);
    close(fd);
    if (n < 0) n = 0;
    out[n] = 0;
    return (size_t)n;
}

/* "BOOT/STARTTIME" of a living process, "" when the system does not tell. */
static void process_identity(int64_t pid, char out[IDENTITY]) {
    char path[48], stat[1024], boot[40];
    out[0] = 0;
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    if (!small_read(path, stat, sizeof stat) || !small_read("/proc/sys/kernel/random/boot_id", boot, sizeof boot))
        return;
    boot[strcspn(boot, "\n")] = 0;
    /* Field 2 is the name in brackets, which may hold anything; field 22 (start time in ticks) is the 20th behind the
     * last ')'. */
    const char *p = strrchr(stat, ')');
    for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
    if (p) snprintf(out, IDENTITY, "%s/%.20s", boot, p + 1);
    out[strcspn(out, " ")] = 0;
}

static bool process_lives(int64_t pid, const char *identity) {
    if (pid <= 0 || pid != (int64_t)(pid_t)pid) return false;
    if (kill((pid_t)pid, 0) != 0 && errno != EPERM) return false;
    char now[IDENTITY];
    process_identity(pid, now);
    return !*now || !*identity || strcmp(now, identity) == 0;
}

static wf_status run_read(sqlite3_stmt *s, wf_run *out, wf_err *err) {
    wf_run r = {.id = sqlite3_column_int64(s, 0),
                .command = wfi_db_text(s, 1),
                .name = wfi_db_text(s, 2),
                .spec = wfi_db_text(s, 3),
                .status = wfi_db_text(s, 4),
                .result = wfi_db_text(s, 5),
                .started = wfi_db_text(s, 6),
                .finished = wfi_db_text(s, 7),
                .pid = sqlite3_column_int64(s, 8)};
    const char *process = (const char *)sqlite3_column_text(s, 9);
    if (r.status && strcmp(r.status, "running") == 0 && !process_lives(r.pid, process ? process : "")) {
        wfi_free(r.status); /* nobody was left to write it down */
        r.status = wfi_strdup("interrupted");
    }
    if (!r.command || !r.name || !r.spec || !r.status || !r.result || !r.started || !r.finished) {
        wfi_run_clear(&r);
        return wfi_fail(err, WF_E_NOMEM, "out of memory reading the lab");
    }
    *out = r;
    return WF_OK;
}

wf_status wfi_run_begin(wf_registry *r, const char *command, const char *name, const char *spec, int64_t *id,
                        wf_err *err) {
    if (!command || !*command) return wfi_fail(err, WF_E_ARG, "registry: a run needs a command");
    char now[24], identity[IDENTITY];
    const int64_t pid = getpid();
    wfi_clock_iso(now);
    process_identity(pid, identity);
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(
        r, &s, err,
        "INSERT INTO runs(command, name, spec, status, started, pid, process) VALUES(?,?,?,'running',?,?,?)", "ssssis",
        command, name, spec, now, pid, identity));
    int code = sqlite3_step(s);
    wf_status st = code == SQLITE_DONE ? WF_OK : wfi_db_fail(r, code, "storing a run", err);
    sqlite3_finalize(s);
    if (st == WF_OK && id) *id = sqlite3_last_insert_rowid(r->db);
    return st;
}

static wf_status no_run(int64_t id, wf_err *err) {
    return wfi_fail(err, WF_E_NOTFOUND, "there is no run %lld in this lab; see: weft list", (long long)id);
}

/* Inside a transaction: may this process take the run? */
static wf_status claim_check(wf_registry *r, int64_t id, wf_err *err) {
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(r, &s, err, "SELECT status, pid, process FROM runs WHERE id = ?", "i", id));
    int code = sqlite3_step(s);
    wf_status st = WF_OK;
    if (code == SQLITE_DONE)
        st = no_run(id, err);
    else if (code != SQLITE_ROW)
        st = wfi_db_fail(r, code, "reading a run", err);
    else {
        const char *status = (const char *)sqlite3_column_text(s, 0),
                   *process = (const char *)sqlite3_column_text(s, 2);
        const int64_t pid = sqlite3_column_int64(s, 1);
        if (!status || !process)
            st = wfi_fail(err, WF_E_NOMEM, "out of memory reading the lab");
        else if (strcmp(status, "done") == 0)
            st = wfi_fail(err, WF_E_ARG, "run %lld is done; there is nothing to resume", (long long)id);
        else if (strcmp(status, "running") == 0 && process_lives(pid, process))
            st = wfi_fail(err, WF_E_BUSY, "run %lld is being worked on by process %lld; wait for it or end it first",
                          (long long)id, (long long)pid);
    }
    sqlite3_finalize(s);
    return st;
}

wf_status wfi_run_claim(wf_registry *r, int64_t id, wf_err *err) {
    char identity[IDENTITY];
    const int64_t pid = getpid();
    bool own = false;
    sqlite3_stmt *s = NULL;
    process_identity(pid, identity);
    WF_TRY(wfi_db_enter(r, &own, err));
    wf_status st;
    WF_GO(claim_check(r, id, err));
    WF_GO(wfi_db_prepare(
        r, &s, err, "UPDATE runs SET status = 'running', result = '', finished = '', pid = ?, process = ? WHERE id = ?",
        "isi", pid, identity, id));
    int code = sqlite3_step(s);
    if (code != SQLITE_DONE) st = wfi_db_fail(r, code, "taking over a run", err);
done:
    sqlite3_finalize(s);
    return wfi_db_leave(r, own, st, err);
}

/* Other commands are named by their task, and make no model. */
wf_status wfi_run_name_check(wf_registry *r, const char *name, int64_t except, wf_err *err) {
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(r, &s, err,
                          "SELECT id, pid, process FROM runs WHERE name = ? AND id <> ? AND status = 'running'"
                          " AND command IN ('train', 'fuse', 'joint') ORDER BY id",
                          "si", name, except));
    int code = SQLITE_DONE;
    wf_status st = WF_OK;
    while (st == WF_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        const int64_t pid = sqlite3_column_int64(s, 1);
        const char *process = (const char *)sqlite3_column_text(s, 2);
        if (!process)
            st = wfi_fail(err, WF_E_NOMEM, "out of memory reading the lab");
        else if (process_lives(pid, process))
            st = wfi_fail_at(err, WF_E_BUSY, name, -1,
                             "\"%.64s\" is being trained by process %lld (run %lld); choose another --name, or wait "
                             "for it or end it first",
                             name, (long long)pid, (long long)sqlite3_column_int64(s, 0));
    }
    if (st == WF_OK && code != SQLITE_DONE) st = wfi_db_fail(r, code, "reading the runs", err);
    sqlite3_finalize(s);
    return st;
}

wf_status wfi_run_end(wf_registry *r, int64_t id, const char *status, const char *result, wf_err *err) {
    if (!status || (strcmp(status, "done") && strcmp(status, "failed") && strcmp(status, "cancelled")))
        return wfi_fail(err, WF_E_ARG, "registry: a run ends done, failed or cancelled, not \"%.40s\"",
                        status ? status : "");
    char now[24];
    wfi_clock_iso(now);
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(r, &s, err, "UPDATE runs SET status = ?, result = ?, finished = ? WHERE id = ?", "sssi",
                          status, result, now, id));
    int code = sqlite3_step(s);
    wf_status st = WF_OK;
    if (code != SQLITE_DONE)
        st = wfi_db_fail(r, code, "ending a run", err);
    else if (sqlite3_changes(r->db) == 0)
        st = no_run(id, err);
    sqlite3_finalize(s);
    return st;
}

wf_status wfi_run_replace(wf_registry *r, const char *command, const char *name, const char *spec, const char *result,
                          int64_t *id, wf_err *err) {
    bool own = false;
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_enter(r, &own, err));
    wf_status st;
    WF_GO(wfi_db_prepare(r, &s, err, "DELETE FROM runs WHERE command = ? AND name = ? AND spec = ? AND status = 'done'",
                         "sss", command, name, spec));
    const int code = sqlite3_step(s);
    if (code != SQLITE_DONE) WF_GO(wfi_db_fail(r, code, "replacing a run", err));
    WF_GO(wfi_run_begin(r, command, name, spec, id, err));
    st = wfi_run_end(r, *id, "done", result, err);
done:
    sqlite3_finalize(s);
    return wfi_db_leave(r, own, st, err);
}

wf_status wfi_run_get(wf_registry *r, int64_t id, wf_run *out, wf_err *err) {
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(r, &s, err, "SELECT " COLUMNS " FROM runs WHERE id = ?", "i", id));
    int code = sqlite3_step(s);
    wf_status st;
    if (code == SQLITE_ROW)
        st = run_read(s, out, err);
    else if (code == SQLITE_DONE)
        st = no_run(id, err);
    else
        st = wfi_db_fail(r, code, "reading a run", err);
    sqlite3_finalize(s);
    return st;
}

wf_status wfi_run_list(wf_registry *r, wf_run **out, size_t *count, wf_err *err) {
    sqlite3_stmt *s = NULL;
    size_t n = 0, cap = 8;
    WF_TRY(wfi_db_prepare(r, &s, err, "SELECT " COLUMNS " FROM runs ORDER BY id", ""));
    wf_run *list = wfi_alloc(cap, sizeof *list);
    wf_status st = list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory reading the lab");
    int code = SQLITE_DONE;
    while (st == WF_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        if (n == cap) {
            wf_run *more = wfi_realloc(list, cap * 2, sizeof *list);
            if (!more) {
                st = wfi_fail(err, WF_E_NOMEM, "out of memory reading the lab");
                break;
            }
            list = more;
            cap *= 2;
        }
        st = run_read(s, &list[n], err);
        if (st == WF_OK) n++;
    }
    if (st == WF_OK && code != SQLITE_DONE) st = wfi_db_fail(r, code, "reading the runs", err);
    sqlite3_finalize(s);
    if (st != WF_OK) {
        wfi_runs_free(list, n);
        return st;
    }
    *out = list;
    *count = n;
    return WF_OK;
}
