/* data/split.c - cutting rows into train, dev and test, and nested samples of rows. See settle.h and task.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "data/settle.h"
#include <stdlib.h>
#include <string.h>

typedef struct item { /* one row */
    const char *text, *pair, *key, *label;
    int64_t row, unit;
} item;

static int text_compare(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "");
}

static int by_text(const void *a, const void *b) {
    const item *x = a, *y = b;
    const int c = strcmp(x->text, y->text), d = c ? c : text_compare(x->pair, y->pair);
    return d ? d : (x->row > y->row) - (x->row < y->row);
}

static int by_key(const void *a, const void *b) {
    const item *x = a, *y = b;
    const int c = text_compare(x->key, y->key);
    return c ? c : (x->row > y->row) - (x->row < y->row);
}

static int64_t root(int64_t *parent, int64_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

static void join(int64_t *parent, int64_t a, int64_t b) {
    a = root(parent, a);
    b = root(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/* Rows that must stay together form a unit, named by its first row. */
static void units_find(item *items, size_t n, int64_t *parent) {
    for (size_t i = 0; i < n; i++) parent[i] = (int64_t)i;
    qsort(items, n, sizeof *items, by_text);
    for (size_t i = 1; i < n; i++)
        if (strcmp(items[i].text, items[i - 1].text) == 0 && text_compare(items[i].pair, items[i - 1].pair) == 0)
            join(parent, items[i].row, items[i - 1].row);
    qsort(items, n, sizeof *items, by_key);
    for (size_t i = 1; i < n; i++)
        if (items[i].key && items[i - 1].key && strcmp(items[i].key, items[i - 1].key) == 0)
            join(parent, items[i].row, items[i - 1].row);
}

typedef struct unit {
    const char *label;
    uint64_t draw;
    int64_t first, rows;
} unit;

static int by_stratum(const void *a, const void *b) {
    const unit *x = a, *y = b;
    const int c = text_compare(x->label, y->label);
    if (c) return c;
    return x->draw != y->draw ? (x->draw > y->draw) - (x->draw < y->draw)
                              : (x->first > y->first) - (x->first < y->first);
}

/* Inside a stratum the units come in random order; each goes where most is still owed, rounding carried on to the next
 * stratum. */
static void deal(unit *units, size_t count, double dev, double test, uint8_t *part_of_unit) {
    const double share[3] = {1.0 - dev - test, dev, test};
    double owed[3] = {0};
    for (size_t i = 0; i < count; i++) {
        int best = 0;
        for (int p = 0; p < 3; p++) owed[p] += share[p] * (double)units[i].rows;
        for (int p = 1; p < 3; p++)
            if (share[p] > 0 && owed[p] >= 0.5 * (double)units[i].rows &&
                owed[p] / share[p] > owed[best] / (share[best] > 0 ? share[best] : 1))
                best = p;
        owed[best] -= (double)units[i].rows;
        part_of_unit[units[i].first] = (uint8_t)best;
    }
}

wf_status wfi_split_make(const wf_raws *all, bool numbers, double dev, double test, uint64_t seed, uint8_t *part,
                         wf_err *err) {
    const size_t n = all->count;
    if (!(dev >= 0 && test >= 0 && dev + test < 1))
        return wfi_fail(err, WF_E_ARG, "the shares of dev (%g) and test (%g) must lie in [0, 1) together", dev, test);
    item *items = wfi_alloc(n + 1, sizeof *items);
    int64_t *parent = wfi_alloc(n + 1, sizeof *parent);
    unit *units = wfi_alloc(n + 1, sizeof *units);
    uint8_t *of_unit = wfi_alloc(n + 1, 1);
    wf_status st = items && parent && units && of_unit
                       ? WF_OK
                       : wfi_fail(err, WF_E_NOMEM, "out of memory for a split of %zu rows", n);
    if (st == WF_OK) {
        const uint64_t key = wfi_random_key(seed, "split", 0, 0);
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            items[i] = (item){
                .text = all->rows[i].text, .pair = all->rows[i].pair, .key = all->rows[i].together, .row = (int64_t)i};
        units_find(items, n, parent);
        for (size_t i = 0; i < n; i++) units[root(parent, (int64_t)i)].rows++;
        for (size_t i = 0; i < n; i++) { /* a unit's first row stands at or in front of i, so packing down is safe */
            if (parent[i] != (int64_t)i) continue;
            const int64_t rows = units[i].rows;
            const wf_raw *r = &all->rows[i];
            units[count++] = (unit){.label = numbers         ? NULL
                                             : r->list_count ? r->list[0]
                                                             : r->label,
                                    .draw = (uint64_t)wfi_random_u32(key, i) << 32 | wfi_random_u32(key, n + i),
                                    .first = (int64_t)i,
                                    .rows = rows};
        }
        qsort(units, count, sizeof *units, by_stratum);
        deal(units, count, dev, test, of_unit);
        for (size_t i = 0; i < n; i++) part[i] = of_unit[root(parent, (int64_t)i)];
    }
    wfi_free(items);
    wfi_free(parent);
    wfi_free(units);
    wfi_free(of_unit);
    return st;
}

/* ---- samples ---- */

typedef struct drawn {
    double rank;
    int64_t row;
} drawn;

static int by_rank(const void *a, const void *b) {
    const drawn *x = a, *y = b;
    return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank) : (x->row > y->row) - (x->row < y->row);
}

/* Each class is shuffled and its rows spread evenly over [0, 1); the first n of the merged order hold every class by
 * its share. */
wf_status wfi_rows_sample(const wf_rows *from, const wf_task *task, size_t n, uint64_t seed, int64_t **indices,
                          wf_err *err) {
    const size_t rows = from->count, strata = task->kind == WF_KIND_CLASSIFICATION ? (size_t)task->label_count + 1 : 1;
    if (n > rows) return wfi_fail(err, WF_E_ARG, "%zu rows asked for, there are %zu", n, rows);
    drawn *d = wfi_alloc(rows + 1, sizeof *d);
    int64_t *members = wfi_alloc(rows + 1, sizeof *members), *out = wfi_alloc(n + 1, sizeof *out);
    wf_status st = d && members && out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for a sample");
    size_t filled = 0;
    for (size_t s = 0; st == WF_OK && s < strata; s++) {
        size_t count = 0;
        for (size_t i = 0; i < rows; i++)
            if (strata == 1 || (size_t)from->rows[i].label + 1 == s) members[count++] = (int64_t)i;
        wfi_random_shuffle(wfi_random_key(seed, "sample", s, 0), members, count);
        const double shift = (double)wfi_random_uniform(wfi_random_key(seed, "sample shift", s, 0), 0);
        for (size_t k = 0; k < count; k++)
            d[filled++] = (drawn){.rank = ((double)k + shift) / (double)count, .row = members[k]};
    }
    if (st == WF_OK) {
        qsort(d, rows, sizeof *d, by_rank);
        for (size_t k = 0; k < n; k++) out[k] = d[k].row;
        *indices = out;
    } else {
        wfi_free(out);
    }
    wfi_free(d);
    wfi_free(members);
    return st;
}
