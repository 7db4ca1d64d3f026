/* metrics/gap.c - see gap.h. */
#include "metrics/gap.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "metrics/metric.h"
#include <math.h>
#include <stdlib.h>

typedef struct ranked {
    double score;
    uint8_t positive;
} ranked;

static int by_score(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return (x->score > y->score) - (x->score < y->score);
}

/* Rows in the order of their score, each as often as `times` says. */
static double auc_of(const ranked *r, const uint32_t *times, size_t n) {
    double below = 0, won = 0, positives = 0; /* negative rows with a smaller score; pairs that are in order */
    for (size_t i = 0; i < n;) {
        double up = 0, down = 0;
        size_t k = i;
        for (; k < n && r[k].score == r[i].score; k++) *(r[k].positive ? &up : &down) += times[k];
        won += up * (below + down / 2);
        below += down;
        positives += up;
        i = k;
    }
    return positives > 0 && below > 0 ? won / (positives * below) : NAN;
}

static double calibration_of(const ranked *r, const uint32_t *times, size_t n) {
    double sum = 0, rows = 0;
    for (size_t i = 0; i < n; i++) {
        sum += times[i] * (r[i].score - r[i].positive);
        rows += times[i];
    }
    return rows > 0 ? sum / rows : NAN;
}

wf_status wfi_auc(const double *score, const uint8_t *positive, size_t n, double *out, wf_err *err) {
    ranked *r = wfi_alloc(n, sizeof *r);
    uint32_t *times = wfi_alloc(n, sizeof *times);
    wf_status st = r && times ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    for (size_t i = 0; st == WF_OK && i < n; i++) {
        r[i] = (ranked){score[i], positive[i]};
        times[i] = 1;
    }
    if (st == WF_OK) {
        qsort(r, n, sizeof *r, by_score);
        *out = auc_of(r, times, n);
    }
    wfi_free(r);
    wfi_free(times);
    return st;
}

typedef struct half { /* the rows inside of the group, or outside */
    ranked *rows;
    uint32_t *times;
    size_t n;
} half;

static void half_draw(half *h, uint64_t key, uint64_t first) {
    for (size_t i = 0; i < h->n; i++) h->times[i] = 0;
    for (size_t i = 0; i < h->n; i++) h->times[wfi_random_below(key, first + i, (uint32_t)h->n)]++;
}

static void ends(double *values, int resamples, double *low, double *high) {
    size_t n = 0;
    for (int k = 0; k < resamples; k++)
        if (!isnan(values[k])) values[n++] = values[k];
    *low = *high = NAN;
    if (n) wfi_metric_interval(values, n, low, high);
}

static void gap_make(half h[2], double (*of)(const ranked *, const uint32_t *, size_t), int resamples, uint64_t seed,
                     double *space, wf_gap *out) {
    const uint64_t key = wfi_random_key(seed, "group gap", 0, 0), n = h[0].n + h[1].n;
    double *in = space, *difference = space + resamples;
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < h[k].n; i++) h[k].times[i] = 1;
    out->in = of(h[0].rows, h[0].times, h[0].n);
    out->rest = of(h[1].rows, h[1].times, h[1].n);
    out->difference = out->in - out->rest;
    for (int k = 0; k < resamples; k++) {
        half_draw(&h[0], key, (uint64_t)k * n);
        half_draw(&h[1], key, (uint64_t)k * n + h[0].n);
        in[k] = of(h[0].rows, h[0].times, h[0].n);
        difference[k] = in[k] - of(h[1].rows, h[1].times, h[1].n);
    }
    ends(in, resamples, &out->in_low, &out->in_high);
    ends(difference, resamples, &out->low, &out->high);
}

wf_status wfi_group_gaps(const double *score, const uint8_t *positive, const uint8_t *member, size_t n, int resamples,
                         uint64_t seed, wf_gap *auc, wf_gap *calibration, wf_err *err) {
    half h[2] = {{.n = 0}, {.n = 0}};
    ranked *rows = wfi_alloc(n, sizeof *rows);
    uint32_t *times = wfi_alloc(n, sizeof *times);
    double *space = wfi_alloc(2 * (size_t)resamples, sizeof *space);
    wf_status st = rows && times && space ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    for (size_t i = 0; st == WF_OK && i < n; i++) h[0].n += member[i] != 0;
    for (int k = 0; st == WF_OK && k < 2; k++) {
        h[k] = (half){rows + (k ? h[0].n : 0), times + (k ? h[0].n : 0), k ? n - h[0].n : h[0].n};
        for (size_t i = 0, at = 0; i < n; i++)
            if ((member[i] == 0) == k) h[k].rows[at++] = (ranked){score[i], positive[i]};
        qsort(h[k].rows, h[k].n, sizeof *h[k].rows, by_score);
    }
    if (st == WF_OK) {
        gap_make(h, auc_of, resamples, seed, space, auc);
        gap_make(h, calibration_of, resamples, seed, space, calibration);
    }
    wfi_free(rows);
    wfi_free(times);
    wfi_free(space);
    return st;
}

/* ---- equalised odds ---- */

typedef struct odds {
    const uint8_t *said, *positive;
    size_t n, groups, least;
    size_t *rows, *wrong; /* [2][groups] by class */
} odds;

static void odds_gaps(const odds *o, const size_t *group, double gap[2]) {
    for (size_t i = 0; i < 2 * o->groups; i++) o->rows[i] = o->wrong[i] = 0;
    for (size_t i = 0; i < o->n; i++) {
        const size_t at = (o->positive[i] ? 0 : o->groups) + group[i];
        if (group[i] == o->groups) continue;
        o->rows[at]++;
        o->wrong[at] += o->said[i] != o->positive[i];
    }
    for (int c = 0; c < 2; c++) {
        double low = INFINITY, high = -INFINITY;
        size_t judged = 0;
        for (size_t g = 0; g < o->groups; g++) {
            const size_t at = (size_t)c * o->groups + g;
            if (o->rows[at] < o->least || o->rows[at] == 0) continue;
            const double share = (double)o->wrong[at] / (double)o->rows[at];
            low = fmin(low, share);
            high = fmax(high, share);
            judged++;
        }
        gap[c] = judged < 2 ? NAN : high - low;
    }
}

/* The groups of the rows of each class change places. */
static void shuffle(const odds *o, size_t *group, uint64_t key, uint64_t first) {
    for (int c = 0; c < 2; c++) {
        size_t last = SIZE_MAX, seen = 0;
        for (size_t i = 0; i < o->n; i++) { /* Fisher-Yates from the front, over the rows of the class */
            if ((o->positive[i] != 0) != (c == 0)) continue;
            o->rows[seen++] = i;
        }
        for (size_t k = seen; k > 1; k--) {
            const size_t j = wfi_random_below(key, first + o->rows[k - 1], (uint32_t)k);
            last = group[o->rows[k - 1]];
            group[o->rows[k - 1]] = group[o->rows[j]];
            group[o->rows[j]] = last;
        }
    }
}

wf_status wfi_equalised_odds(const uint8_t *said, const uint8_t *positive, const size_t *group, size_t n, size_t groups,
                             size_t least, int shuffles, uint64_t seed, wf_odds *out, wf_err *err) {
    const size_t space = n > 2 * groups ? n : 2 * groups;
    odds o = {
        said, positive, n, groups, least, wfi_alloc(space, sizeof *o.rows), wfi_alloc(2 * groups, sizeof *o.rows)};
    size_t *mixed = wfi_alloc(n, sizeof *mixed), as_far = 1;
    double gap[2];
    wf_status st = o.rows && o.wrong && mixed ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    if (st == WF_OK) {
        const uint64_t key = wfi_random_key(seed, "equalised odds", 0, 0);
        odds_gaps(&o, group, gap);
        *out = (wf_odds){.fnr = gap[0], .fpr = gap[1], .gap = fmax(gap[0], gap[1]), .p = NAN};
        for (size_t i = 0; i < n; i++) mixed[i] = group[i];
        for (int k = 0; k < shuffles; k++) {
            shuffle(&o, mixed, key, (uint64_t)k * n);
            odds_gaps(&o, mixed, gap);
            as_far += fmax(gap[0], gap[1]) >= out->gap - 1e-12;
        }
        if (!isnan(out->gap)) out->p = (double)as_far / (shuffles + 1.0);
    }
    wfi_free(o.rows);
    wfi_free(o.wrong);
    wfi_free(mixed);
    return st;
}

/* ---- a mean ---- */

wf_status wfi_mean_test(const double *x, size_t n, int resamples, uint64_t seed, wf_mean *out, wf_err *err) {
    const uint64_t draw = wfi_random_key(seed, "mean bootstrap", 0, 0), turn = wfi_random_key(seed, "mean signs", 0, 0);
    double *values = wfi_alloc((size_t)resamples, sizeof *values), sum = 0;
    size_t far = 1;
    if (!values) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) sum += x[i];
    for (int k = 0; k < resamples; k++) {
        double drawn = 0, turned = 0;
        for (size_t i = 0; i < n; i++) {
            const uint64_t at = (uint64_t)k * n + i;
            drawn += x[wfi_random_below(draw, at, (uint32_t)n)];
            turned += wfi_random_below(turn, at, 2) ? x[i] : -x[i];
        }
        values[k] = drawn / (double)n;
        far += fabs(turned) >= fabs(sum) * (1 - 1e-12);
    }
    *out = (wf_mean){.value = n ? sum / (double)n : NAN, .low = NAN, .high = NAN, .p = NAN};
    if (n) {
        ends(values, resamples, &out->low, &out->high);
        out->p = (double)far / (resamples + 1.0);
    }
    wfi_free(values);
    return WF_OK;
}
