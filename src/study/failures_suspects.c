/* study/failures_suspects.c - training rows whose label looks wrong: every row is judged by a linear probe on the
 * frozen base's features that was fitted to the other folds. Nothing that was trained on the row takes part. See
 * failures.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "metrics/probe.h"
#include "study/failures.h"
#include <math.h>
#include <string.h>

enum { FOLDS = 5, ROWS_MOST = 4000, ROWS_LEAST = 50, LISTED = 50 };
static const double STRENGTH = 0.05; /* C of the probe: features are standardised, and there are few rows a feature */

typedef struct work {
    size_t n, width;
    const float *x; /* [n, width], standardised */
    int32_t *label, *fold, *some_label;
    float *some, *probs;
    double *w;
    size_t *suspect;
} work;

static void work_clear(work *w) {
    wfi_free(w->label);
    wfi_free(w->fold);
    wfi_free(w->some_label);
    wfi_free(w->some);
    wfi_free(w->probs);
    wfi_free(w->w);
    wfi_free(w->suspect);
}

static void standardise(float *x, size_t n, size_t width) {
    for (size_t k = 0; k < width; k++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < n; i++) mean += (double)x[i * width + k] / (double)n;
        for (size_t i = 0; i < n; i++) square += pow((double)x[i * width + k] - mean, 2) / (double)n;
        for (size_t i = 0; i < n; i++)
            x[i * width + k] = square > 0 ? (float)(((double)x[i * width + k] - mean) / sqrt(square)) : 0;
    }
}

/* Classes are spread over the folds evenly. */
static wf_status folds_make(work *w, const wf_task *task, uint64_t seed, wf_err *err) {
    int64_t *order = wfi_alloc(w->n, sizeof *order);
    int32_t *next = wfi_alloc((size_t)task->label_count, sizeof *next);
    wf_status st = order && next ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < w->n; i++) order[i] = (int64_t)i;
    if (st == WF_OK) wfi_random_shuffle(wfi_random_key(seed, "folds", 0, 0), order, w->n);
    for (size_t i = 0; st == WF_OK && i < w->n; i++) w->fold[order[i]] = next[w->label[order[i]]]++ % FOLDS;
    wfi_free(order);
    wfi_free(next);
    return st;
}

static wf_status fold_judge(work *w, int32_t fold, int32_t classes, wf_err *err) {
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->fold[i] == fold) continue;
        memcpy(w->some + n * w->width, w->x + i * w->width, w->width * sizeof *w->some);
        w->some_label[n++] = w->label[i];
    }
    WF_TRY(wfi_probe_fit(w->some, n, w->width, w->some_label, classes, STRENGTH, w->w, err));
    for (size_t i = 0; i < w->n; i++)
        if (w->fold[i] == fold)
            wfi_probe_predict(w->w, w->x + i * w->width, 1, w->width, classes, w->probs + i * (size_t)classes);
    return WF_OK;
}

static int32_t best_of(const float *p, int32_t classes) {
    int32_t best = 0;
    for (int32_t c = 1; c < classes; c++)
        if (p[c] > p[best]) best = c;
    return best;
}

static json_t *result_make(const wf_failures *f, const work *w, const wf_rows *rows, size_t found) {
    json_t *list = json_array();
    const int32_t classes = f->task->label_count;
    size_t right = 0;
    for (size_t i = 0; i < w->n; i++) right += best_of(w->probs + i * (size_t)classes, classes) == w->label[i];
    for (size_t k = 0; k < found && k < LISTED; k++) {
        const size_t i = w->suspect[k];
        const float *p = w->probs + i * (size_t)classes;
        const int32_t best = best_of(p, classes);
        json_t *j =
            json_pack("{s:s, s:s, s:s, s:f, s:f, s:I}", "text", rows->rows[i].text, "label",
                      f->task->labels[w->label[i]], "suggested", f->task->labels[best], "confidence", (double)p[best],
                      "label_confidence", (double)p[w->label[i]], "line", (json_int_t)rows->rows[i].line);
        if (rows->rows[i].pair) json_object_set_new(j, "text_pair", json_string(rows->rows[i].pair));
        json_array_append_new(list, j);
    }
    return json_pack("{s:s, s:I, s:i, s:f, s:I, s:o}", "part", "train", "rows", (json_int_t)w->n, "folds", FOLDS,
                     "accuracy", (double)right / (double)w->n, "found", (json_int_t)found, "list", list);
}

static wf_status judge(wf_failures *f, const wf_rows *rows, float *x, size_t width, json_t **out, wf_err *err) {
    const int32_t classes = f->task->label_count;
    const size_t n = rows->count, C = (size_t)classes;
    size_t found = 0;
    work w = {.n = n,
              .width = width,
              .x = x,
              .label = wfi_alloc(n, sizeof *w.label),
              .fold = wfi_alloc(n, sizeof *w.fold),
              .some_label = wfi_alloc(n, sizeof *w.some_label),
              .some = wfi_alloc(n, width * sizeof *w.some),
              .probs = wfi_alloc(n, C * sizeof *w.probs),
              .w = wfi_alloc(C, (width + 1) * sizeof *w.w),
              .suspect = wfi_alloc(n, sizeof *w.suspect)};
    wf_status st = w.label && w.fold && w.some_label && w.some && w.probs && w.w && w.suspect
                       ? WF_OK
                       : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", n);
    for (size_t i = 0; st == WF_OK && i < n; i++) w.label[i] = rows->rows[i].label;
    standardise(x, n, width);
    if (st == WF_OK) st = folds_make(&w, f->task, f->spec->seed, err);
    for (int32_t k = 0; st == WF_OK && k < FOLDS; k++) {
        st = fold_judge(&w, k, classes, err);
        if (st == WF_OK) st = wfi_study_tick(&f->study, "doubt labels", 0, err);
    }
    if (st == WF_OK) st = wfi_suspects(w.probs, w.label, n, classes, w.suspect, &found, err);
    if (st == WF_OK && !(*out = result_make(f, &w, rows, found))) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    work_clear(&w);
    return st;
}

wf_status wfi_failures_suspects(wf_failures *f, json_t **out, wf_err *err) {
    const wf_rows *train = &f->task->train;
    int64_t *indices = NULL;
    wf_rows rows = {0};
    float *x = NULL;
    size_t width = 0;
    const size_t n = train->count < ROWS_MOST ? train->count : ROWS_MOST;
    if (f->task->kind != WF_KIND_CLASSIFICATION || n < ROWS_LEAST) return WF_OK;
    wf_status st = wfi_rows_sample(train, f->task, n, f->spec->seed, &indices, err);
    if (st == WF_OK) st = wfi_rows_pick(train, indices, n, &rows, err);
    if (st == WF_OK) st = wfi_failures_features(f, &rows, "features of training rows", &x, &width, err);
    if (st == WF_OK) st = judge(f, &rows, x, width, out, err);
    wfi_free(x);
    wfi_free(indices);
    wfi_rows_clear(&rows);
    return st;
}
