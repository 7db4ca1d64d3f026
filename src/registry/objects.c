/* registry/objects.c - bases, tasks and models: put, get, list, remove, and what depends on what. See registry.h. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "registry/database.h"
#include <string.h>

#define COLUMNS "o.id, o.kind, o.name, o.hash, o.path, o.json, o.created"

void wfi_record_clear(wf_record *record) {
    if (!record) return;
    wfi_free(record->kind);
    wfi_free(record->name);
    wfi_free(record->hash);
    wfi_free(record->path);
    wfi_free(record->json);
    wfi_free(record->created);
    *record = (wf_record){0};
}

void wfi_records_free(wf_record *records, size_t count) {
    for (size_t i = 0; records && i < count; i++) wfi_record_clear(&records[i]);
    wfi_free(records);
}

static wf_status record_read(sqlite3_stmt *s, wf_record *out, wf_err *err) {
    wf_record r = {.id = sqlite3_column_int64(s, 0),
                   .kind = wfi_db_text(s, 1),
                   .name = wfi_db_text(s, 2),
                   .hash = wfi_db_text(s, 3),
                   .path = wfi_db_text(s, 4),
                   .json = wfi_db_text(s, 5),
                   .created = wfi_db_text(s, 6)};
    if (!r.kind || !r.name || !r.hash || !r.path || !r.json || !r.created) {
        wfi_record_clear(&r);
        return wfi_fail(err, WF_E_NOMEM, "out of memory reading the lab");
    }
    *out = r;
    return WF_OK;
}

/* Takes the statement over. An empty list is a valid pointer. */
static wf_status records_read(wf_registry *r, sqlite3_stmt *s, wf_record **out, size_t *count, wf_err *err) {
    size_t n = 0, cap = 8;
    wf_record *list = wfi_alloc(cap, sizeof *list);
    wf_status st = list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory reading the lab");
    int code = SQLITE_DONE;
    while (st == WF_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        if (n == cap) {
            wf_record *more = wfi_realloc(list, cap * 2, sizeof *list);
            if (!more) {
                st = wfi_fail(err, WF_E_NOMEM, "out of memory reading the lab");
                break;
            }
            list = more;
            cap *= 2;
        }
        st = record_read(s, &list[n], err);
        if (st == WF_OK) n++;
    }
    if (st == WF_OK && code != SQLITE_DONE) st = wfi_db_fail(r, code, "reading the lab", err);
    sqlite3_finalize(s);
    if (st != WF_OK) {
        wfi_records_free(list, n);
        return st;
    }
    *out = list;
    *count = n;
    return WF_OK;
}

static wf_status kind_check(const char *kind, wf_err *err) {
    static const char *const kinds[] = {"base", "task", "model", "gate"};
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i]) == 0) return WF_OK;
    return wfi_fail(err, WF_E_ARG, "registry: kind \"%.40s\" is not one of base, task, model, gate", kind ? kind : "");
}

static wf_status pair_check(const char *kind, const char *name, wf_err *err) {
    WF_TRY(kind_check(kind, err));
    if (!name || !*name) return wfi_fail(err, WF_E_ARG, "registry: a %s needs a name", kind);
    return WF_OK;
}

wf_status wfi_registry_put(wf_registry *r, const wf_record *record, int64_t *id, wf_err *err) {
    WF_TRY(pair_check(record->kind, record->name, err));
    char now[24];
    wfi_clock_iso(now);
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(r, &s, err, "INSERT INTO objects(kind, name, hash, path, json, created) VALUES(?,?,?,?,?,?)",
                          "ssssss", record->kind, record->name, record->hash, record->path,
                          record->json && *record->json ? record->json : "{}",
                          record->created && *record->created ? record->created : now));
    int code = sqlite3_step(s);
    wf_status st = WF_OK;
    if (code == SQLITE_CONSTRAINT_UNIQUE)
        st = wfi_fail_at(err, WF_E_EXISTS, record->name, -1,
                         "there is a %s \"%.100s\" already; choose another name or remove that one first", record->kind,
                         record->name);
    else if (code != SQLITE_DONE)
        st = wfi_db_fail(r, code, "storing an object", err);
    sqlite3_finalize(s);
    if (st == WF_OK && id) *id = sqlite3_last_insert_rowid(r->db);
    return st;
}

wf_status wfi_registry_get(wf_registry *r, const char *kind, const char *name, wf_record *out, wf_err *err) {
    WF_TRY(pair_check(kind, name, err));
    sqlite3_stmt *s = NULL;
    WF_TRY(
        wfi_db_prepare(r, &s, err, "SELECT " COLUMNS " FROM objects o WHERE kind = ? AND name = ?", "ss", kind, name));
    int code = sqlite3_step(s);
    wf_status st;
    if (code == SQLITE_ROW)
        st = record_read(s, out, err);
    else if (code == SQLITE_DONE)
        st = wfi_db_not_found(r, kind, name, err);
    else
        st = wfi_db_fail(r, code, "reading an object", err);
    sqlite3_finalize(s);
    return st;
}

wf_status wfi_registry_list(wf_registry *r, const char *kind, wf_record **out, size_t *count, wf_err *err) {
    if (kind) WF_TRY(kind_check(kind, err));
    sqlite3_stmt *s = NULL;
    if (kind)
        WF_TRY(wfi_db_prepare(r, &s, err, "SELECT " COLUMNS " FROM objects o WHERE kind = ? ORDER BY id", "s", kind));
    else
        WF_TRY(wfi_db_prepare(r, &s, err, "SELECT " COLUMNS " FROM objects o ORDER BY id", ""));
    return records_read(r, s, out, count, err);
}

wf_status wfi_registry_parents(wf_registry *r, int64_t child, wf_record **out, size_t *count, wf_err *err) {
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(
        r, &s, err, "SELECT " COLUMNS " FROM links l JOIN objects o ON o.id = l.parent WHERE l.child = ? ORDER BY o.id",
        "i", child));
    return records_read(r, s, out, count, err);
}

wf_status wfi_registry_children(wf_registry *r, int64_t parent, wf_record **out, size_t *count, wf_err *err) {
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(
        r, &s, err, "SELECT " COLUMNS " FROM links l JOIN objects o ON o.id = l.child WHERE l.parent = ? ORDER BY o.id",
        "i", parent));
    return records_read(r, s, out, count, err);
}

wf_status wfi_registry_link(wf_registry *r, int64_t child, int64_t parent, wf_err *err) {
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(r, &s, err, "INSERT INTO links(child, parent) VALUES(?,?) ON CONFLICT DO NOTHING", "ii",
                          child, parent));
    int code = sqlite3_step(s);
    wf_status st = WF_OK;
    if (code == SQLITE_CONSTRAINT_CHECK)
        st = wfi_fail(err, WF_E_ARG, "registry: object %lld cannot depend on %lld, which is not older",
                      (long long)child, (long long)parent);
    else if (code == SQLITE_CONSTRAINT_FOREIGNKEY)
        st = wfi_fail(err, WF_E_NOTFOUND, "registry: no object %lld or %lld to link", (long long)child,
                      (long long)parent);
    else if (code != SQLITE_DONE)
        st = wfi_db_fail(r, code, "linking objects", err);
    sqlite3_finalize(s);
    return st;
}

static wf_status dependents_refuse(const wf_record *record, const wf_record *children, size_t count, wf_err *err) {
    wf_buffer b = {0};
    const size_t shown = count < 5 ? count : 5;
    for (size_t i = 0; i < shown; i++)
        wfi_buffer_printf(&b, "%s%s \"%.60s\"", i ? ", " : "", children[i].kind, children[i].name);
    if (count > shown) wfi_buffer_printf(&b, " and %zu more", count - shown);
    wf_status st =
        wfi_fail_at(err, WF_E_BUSY, record->name, -1, "%s \"%.100s\" cannot be removed: %s need%s it; remove %s first",
                    record->kind, record->name, b.data && !b.failed ? b.data : "others", count == 1 ? "s" : "",
                    count == 1 ? "that" : "those");
    wfi_buffer_clear(&b);
    return st;
}

wf_status wfi_registry_remove(wf_registry *r, const char *kind, const char *name, wf_err *err) {
    wf_record record = {0}, *children = NULL;
    size_t count = 0;
    sqlite3_stmt *s = NULL;
    bool own = false;
    WF_TRY(pair_check(kind, name, err));
    WF_TRY(wfi_db_enter(r, &own, err));
    wf_status st;
    WF_GO(wfi_registry_get(r, kind, name, &record, err));
    WF_GO(wfi_registry_children(r, record.id, &children, &count, err));
    if (count) WF_GO(dependents_refuse(&record, children, count, err));
    WF_GO(wfi_db_prepare(r, &s, err, "DELETE FROM objects WHERE id = ?", "i", record.id));
    int code = sqlite3_step(s);
    if (code != SQLITE_DONE) st = wfi_db_fail(r, code, "removing an object", err);
done:
    sqlite3_finalize(s);
    wfi_records_free(children, count);
    wfi_record_clear(&record);
    return wfi_db_leave(r, own, st, err);
}
