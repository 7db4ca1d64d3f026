/* data/batch_classes.c - an epoch's rows drawn by class. See batch.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "data/batch.h"
#include <math.h>
#include <string.h>

/* How many of `n` draws each class gets: by rows^(1 - evenness), rounded down, the rest to the largest remainders. */
static void quotas(const int64_t *rows, int32_t classes, int64_t n, double evenness, int64_t *quota) {
    double sum = 0;
    int64_t given = 0;
    for (int32_t c = 0; c < classes; c++) sum += rows[c] ? pow((double)rows[c], 1 - evenness) : 0;
    for (int32_t c = 0; c < classes; c++) {
        quota[c] = rows[c] ? (int64_t)floor((double)n * pow((double)rows[c], 1 - evenness) / sum) : 0;
        given += quota[c];
    }
    for (; given < n; given++) {
        int32_t most = -1;
        double best = -INFINITY;
        for (int32_t c = 0; c < classes; c++) {
            const double lacks =
                rows[c] ? (double)n * pow((double)rows[c], 1 - evenness) / sum - (double)quota[c] : -INFINITY;
            if (lacks > best) best = lacks, most = c;
        }
        quota[most]++;
    }
}

wf_status wfi_rows_by_class(const wf_encoded *e, double evenness, uint64_t key, int64_t *order, wf_err *err) {
    const int64_t n = (int64_t)e->rows;
    int32_t classes = 0;
    for (int64_t i = 0; i < n; i++) {
        if (e->label[i] < 0) return wfi_fail(err, WF_E_DATA, "rows without a class cannot be drawn by class");
        if (e->label[i] >= classes) classes = e->label[i] + 1;
    }
    int64_t *rows = wfi_alloc((size_t)classes + 1, sizeof *rows),
            *quota = wfi_alloc((size_t)classes + 1, sizeof *quota), *of = wfi_alloc(e->rows + 1, sizeof *of), at = 0;
    const bool good = rows && quota && of;
    for (int64_t i = 0; good && i < n; i++) rows[e->label[i]]++;
    if (good) quotas(rows, classes, n, evenness, quota);
    for (int32_t c = 0; good && c < classes; c++) {
        int64_t m = 0;
        for (int64_t i = 0; i < n; i++)
            if (e->label[i] == c) of[m++] = i;
        /* Round after round of the class in a new order: no row is drawn twice more often than another. */
        for (int64_t k = 0; m > 0 && k < quota[c]; k++) {
            if (k % m == 0)
                wfi_random_shuffle(wfi_random_key(key, "class", (uint64_t)c, (uint64_t)(k / m)), of, (size_t)m);
            order[at++] = of[k % m];
        }
    }
    if (good) wfi_random_shuffle(key, order, e->rows);
    wfi_free(rows);
    wfi_free(quota);
    wfi_free(of);
    return good ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", e->rows);
}
