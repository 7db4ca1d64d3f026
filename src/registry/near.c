/* registry/near.c - what to say when a name is not there: names that look like it, or the same name of another kind.
 * Likeness is the edit distance of Damerau (adjacent swaps count one), case ignored. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "registry/database.h"
#include <ctype.h>
#include <string.h>

enum { LONGEST = 64 /* of a name, compared; more makes no message better */, SHOWN = 4 };

static int least(int a, int b) {
    return a < b ? a : b;
}

static int distance(const char *a, const char *b) {
    int row[3][LONGEST + 1];
    const int n = (int)strnlen(a, LONGEST), m = (int)strnlen(b, LONGEST);
    for (int j = 0; j <= m; j++) row[1][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[(i + 1) % 3], *last = row[i % 3], *before = row[(i + 2) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            const int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            int d = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) && tolower((unsigned char)a[i - 2]) == y)
                d = least(d, before[j - 2] + 1);
            now[j] = d;
        }
    }
    return row[(n + 1) % 3][m];
}

/* 0 is best; SHOWN names are kept in order of rank, then of id. Containing one another counts as one edit. */
static int rank(const char *want, const char *have) {
    const int n = (int)strnlen(want, LONGEST), d = distance(want, have), limit = n <= 3 ? 1 : n <= 8 ? 2 : n / 3;
    if (d <= limit) return d;
    if (n >= 3 && (strstr(have, want) || (strlen(have) >= 3 && strstr(want, have)))) return limit;
    return -1;
}

typedef struct near_list {
    char *name[SHOWN]; /* the nearest */
    int rank[SHOWN];
    size_t count;
    char *any[SHOWN]; /* the first there are, for when nothing is near */
    size_t any_count, total;
} near_list;

static void near_add(near_list *l, const char *want, const char *have) {
    if (l->any_count < SHOWN) l->any[l->any_count++] = wfi_strdup(have);
    l->total++;
    const int k = rank(want, have);
    if (k < 0) return;
    size_t at = l->count;
    while (at > 0 && l->rank[at - 1] > k) at--;
    if (at == SHOWN) return;
    if (l->count == SHOWN) wfi_free(l->name[--l->count]);
    for (size_t i = l->count; i > at; i--) {
        l->name[i] = l->name[i - 1];
        l->rank[i] = l->rank[i - 1];
    }
    l->name[at] = wfi_strdup(have);
    l->rank[at] = k;
    l->count++;
}

static void names_add(wf_buffer *b, char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) wfi_buffer_printf(b, "%s\"%.60s\"", i ? ", " : "", names[i] ? names[i] : "?");
}

wf_status wfi_db_not_found(wf_registry *r, const char *kind, const char *name, wf_err *err) {
    if (!err) return WF_E_NOTFOUND;
    near_list l = {0};
    wf_buffer b = {0};
    bool other = false;
    sqlite3_stmt *s = NULL;
    WF_TRY(wfi_db_prepare(r, &s, err, "SELECT kind, name FROM objects ORDER BY id", ""));
    while (sqlite3_step(s) == SQLITE_ROW) { /* a failure here only makes the message shorter */
        const char *k = (const char *)sqlite3_column_text(s, 0), *have = (const char *)sqlite3_column_text(s, 1);
        if (!k || !have) continue; /* out of memory: a shorter message */
        if (strcmp(k, kind) == 0)
            near_add(&l, name, have);
        else if (!other && strcmp(have, name) == 0) {
            other = true;
            wfi_buffer_printf(&b, "; \"%.60s\" is a %s", name, k);
        }
    }
    sqlite3_finalize(s);
    if (l.count) {
        wfi_buffer_adds(&b, "; did you mean ");
        names_add(&b, l.name, l.count);
        wfi_buffer_adds(&b, "?");
    } else if (l.total == 0) {
        wfi_buffer_printf(&b, "; the lab has no %s yet", kind);
    } else {
        wfi_buffer_adds(&b, "; there is ");
        names_add(&b, l.any, l.any_count);
        if (l.total > l.any_count) wfi_buffer_printf(&b, " and %zu more", l.total - l.any_count);
    }
    wf_status st =
        wfi_fail_at(err, WF_E_NOTFOUND, name, -1, "no %s \"%.100s\"%s", kind, name, b.data && !b.failed ? b.data : "");
    for (size_t i = 0; i < l.count; i++) wfi_free(l.name[i]);
    for (size_t i = 0; i < l.any_count; i++) wfi_free(l.any[i]);
    wfi_buffer_clear(&b);
    return st;
}
