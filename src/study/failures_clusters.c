/* study/failures_clusters.c - errors that look alike to the frozen base, and classes taken for one another. See
 * failures.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "metrics/cluster.h"
#include "study/failures.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLUSTERS_MAX = 8, ERRORS_EACH = 10, EXAMPLES = 3, CONFUSIONS_MAX = 30, ANSWERS_MAX = 1024 };

json_t *wfi_failures_label(const wf_task *task, const wf_row *row, int32_t label) {
    if (label < 0) return json_null();
    if (task->kind == WF_KIND_CLASSIFICATION && label < task->label_count) return json_string(task->labels[label]);
    if (row->choices && label < row->choice_count) return json_string(row->choices[label]);
    return json_integer(label);
}

/* The labels of a multi-label row, true or said. */
static json_t *several(const wf_failures *f, const wf_predictions *p, size_t i, bool said) {
    json_t *list = json_array();
    for (int32_t c = 0; c < p->classes; c++) {
        const size_t at = i * (size_t)p->classes + (size_t)c;
        if (said ? p->scores[at] > 0 : p->labels[at] != 0) json_array_append_new(list, json_string(f->task->labels[c]));
    }
    return list;
}

json_t *wfi_failures_example(const wf_failures *f, const wf_predictions *p, size_t i) {
    const wf_row *row = &f->rows.rows[i];
    const bool many = p->kind == WF_SCORE_MULTILABEL;
    const int32_t said = many ? 0 : wfi_study_said(p, i);
    json_t *j = json_pack("{s:s, s:o, s:o, s:I}", "text", row->text, "label",
                          many ? several(f, p, i, false) : wfi_failures_label(f->task, row, p->label[i]), "predicted",
                          many ? several(f, p, i, true) : wfi_failures_label(f->task, row, said), "line",
                          (json_int_t)row->line);
    if (row->pair) json_object_set_new(j, "text_pair", json_string(row->pair));
    if (row->group) json_object_set_new(j, "group", json_string(row->group));
    if (!many)
        json_object_set_new(j, "confidence", json_real((double)p->scores[i * (size_t)p->classes + (size_t)said]));
    return j;
}

typedef struct near {
    double distance;
    size_t at;
} near;

static int by_distance(const void *a, const void *b) {
    const near *x = a, *y = b;
    return x->distance != y->distance ? (x->distance > y->distance) - (x->distance < y->distance)
                                      : (x->at > y->at) - (x->at < y->at);
}

typedef struct work { /* the errors of one model */
    size_t *wrong, n, k;
    float *x; /* [n, width] */
    double *centres;
    int32_t *member;
    near *order;
} work;

static size_t nearest(const work *w, size_t width, const float *x) {
    size_t best = 0;
    double least = INFINITY;
    for (size_t c = 0; c < w->k; c++) {
        double d = 0;
        for (size_t j = 0; j < width; j++) d += pow((double)x[j] - w->centres[c * width + j], 2);
        if (d < least) least = d, best = c;
    }
    return best;
}

/* One cluster: its errors, the share of errors among all rows of its region, the errors nearest its middle. */
static json_t *cluster_json(const wf_failures *f, const wf_predictions *p, work *w, size_t c, const size_t *region) {
    json_t *examples = json_array();
    size_t n = 0;
    for (size_t e = 0; e < w->n; e++) {
        if ((size_t)w->member[e] != c) continue;
        double d = 0;
        for (size_t j = 0; j < f->width; j++)
            d += pow((double)w->x[e * f->width + j] - w->centres[c * f->width + j], 2);
        w->order[n++] = (near){d, w->wrong[e]};
    }
    qsort(w->order, n, sizeof *w->order, by_distance);
    for (size_t i = 0; i < n && i < EXAMPLES; i++)
        json_array_append_new(examples, wfi_failures_example(f, p, w->order[i].at));
    return json_pack("{s:I, s:I, s:f, s:o}", "errors", (json_int_t)n, "rows", (json_int_t)region[c], "rate",
                     region[c] ? (double)n / (double)region[c] : 0.0, "examples", examples);
}

static int by_errors(const void *a, const void *b) {
    const json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "errors")),
                     y = json_integer_value(json_object_get(*(json_t *const *)b, "errors"));
    return (y > x) - (y < x);
}

static wf_status clusters_fill(const wf_failures *f, const wf_predictions *p, work *w, json_t *out, wf_err *err) {
    double spread;
    json_t *list[CLUSTERS_MAX];
    size_t region[CLUSTERS_MAX] = {0};
    for (size_t e = 0; e < w->n; e++)
        memcpy(w->x + e * f->width, f->features + w->wrong[e] * f->width, f->width * sizeof *w->x);
    WF_TRY(wfi_kmeans(w->x, w->n, f->width, w->k, false, f->spec->seed, w->centres, w->member, &spread, err));
    for (size_t i = 0; i < p->rows; i++) region[nearest(w, f->width, f->features + i * f->width)]++;
    for (size_t c = 0; c < w->k; c++) list[c] = cluster_json(f, p, w, c, region);
    qsort(list, w->k, sizeof *list, by_errors);
    for (size_t c = 0; c < w->k; c++)
        if (json_integer_value(json_object_get(list[c], "errors")) > 0)
            json_array_append_new(out, list[c]);
        else
            json_decref(list[c]);
    return WF_OK;
}

wf_status wfi_failures_clusters(const wf_failures *f, const wf_predictions *p, json_t **out, wf_err *err) {
    work w = {.wrong = wfi_alloc(p->rows, sizeof *w.wrong)};
    json_t *list = json_array();
    wf_status st = w.wrong && list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < p->rows; i++)
        if (wfi_study_wrong(p, i)) w.wrong[w.n++] = i;
    w.k = w.n / ERRORS_EACH < 1 ? 1 : w.n / ERRORS_EACH > CLUSTERS_MAX ? CLUSTERS_MAX : w.n / ERRORS_EACH;
    if (st == WF_OK && w.n > 0) {
        w.x = wfi_alloc(w.n, f->width * sizeof *w.x);
        w.centres = wfi_alloc(w.k, f->width * sizeof *w.centres);
        w.member = wfi_alloc(w.n, sizeof *w.member);
        w.order = wfi_alloc(w.n, sizeof *w.order);
        st = w.x && w.centres && w.member && w.order ? clusters_fill(f, p, &w, list, err)
                                                     : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu errors", w.n);
    }
    wfi_free(w.wrong);
    wfi_free(w.x);
    wfi_free(w.centres);
    wfi_free(w.member);
    wfi_free(w.order);
    if (st != WF_OK)
        json_decref(list);
    else
        *out = list;
    return st;
}

typedef struct confusion {
    size_t rows;
    int32_t label, said;
} confusion;

static int by_rows(const void *a, const void *b) {
    const confusion *x = a, *y = b;
    if (x->rows != y->rows) return (y->rows > x->rows) - (y->rows < x->rows);
    return x->label != y->label ? x->label - y->label : x->said - y->said;
}

wf_status wfi_failures_confusions(const wf_failures *f, const wf_predictions *p, json_t **out, wf_err *err) {
    const size_t C = (size_t)f->task->label_count;
    json_t *list = json_array();
    if (f->task->kind != WF_KIND_CLASSIFICATION || C > ANSWERS_MAX) {
        *out = list;
        return WF_OK;
    }
    confusion *all = wfi_alloc(C * C, sizeof *all);
    size_t *truth = wfi_alloc(C, sizeof *truth);
    wf_status st = all && truth && list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t k = 0; st == WF_OK && k < C * C; k++) all[k] = (confusion){0, (int32_t)(k / C), (int32_t)(k % C)};
    for (size_t i = 0; st == WF_OK && i < p->rows; i++) {
        const int32_t said = wfi_study_said(p, i);
        truth[p->label[i]]++;
        all[(size_t)p->label[i] * C + (size_t)said].rows += said != p->label[i];
    }
    if (st == WF_OK) qsort(all, C * C, sizeof *all, by_rows);
    for (size_t k = 0; st == WF_OK && k < C * C && k < CONFUSIONS_MAX && all[k].rows; k++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:I, s:f}", "label", f->task->labels[all[k].label], "predicted",
                                        f->task->labels[all[k].said], "rows", (json_int_t)all[k].rows, "share",
                                        (double)all[k].rows / (double)truth[all[k].label]));
    wfi_free(all);
    wfi_free(truth);
    if (st != WF_OK)
        json_decref(list);
    else
        *out = list;
    return st;
}
