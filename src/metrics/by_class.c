/* metrics/by_class.c - see by_class.h. Cells are counted in a sorted list: a matrix of 10,000 classes would not fit. */
#include "metrics/by_class.h"
#include "base/alloc.h"
#include "base/error.h"
#include "metrics/metric.h"
#include <math.h>
#include <stdlib.h>

void wfi_by_class_clear(wf_by_class *b) {
    wfi_free(b->of);
    wfi_free(b->cells);
    *b = (wf_by_class){0};
}

static int by_cell(const void *a, const void *b) {
    const wf_confused *x = a, *y = b;
    return x->is != y->is ? (x->is > y->is) - (x->is < y->is) : (x->said > y->said) - (x->said < y->said);
}

static wf_status cells_count(const wf_predictions *p, wf_by_class *b, wf_err *err) {
    int32_t *said = wfi_alloc(p->rows, sizeof *said);
    b->cells = wfi_alloc(p->rows, sizeof *b->cells);
    if (!said || !b->cells) {
        wfi_free(said);
        return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", p->rows);
    }
    wfi_metric_argmax(p, said);
    for (size_t i = 0; i < p->rows; i++) b->cells[i] = (wf_confused){p->label[i], said[i], 1};
    wfi_free(said);
    qsort(b->cells, p->rows, sizeof *b->cells, by_cell);
    for (size_t i = 0; i < p->rows; i++) {
        const wf_confused c = b->cells[i];
        b->of[c.is].support++;
        b->of[c.said].said++;
        b->of[c.is].hit += c.is == c.said;
        if (b->cell_count && by_cell(&b->cells[b->cell_count - 1], &c) == 0)
            b->cells[b->cell_count - 1].rows++;
        else
            b->cells[b->cell_count++] = c;
    }
    return WF_OK;
}

static void labels_count(const wf_predictions *p, wf_by_class *b) {
    for (size_t i = 0; i < p->rows * (size_t)p->classes; i++) {
        wf_class_counts *c = &b->of[i % (size_t)p->classes];
        const bool said = p->scores[i] > 0, is = p->labels[i] != 0;
        c->support += is;
        c->said += said;
        c->hit += is && said;
    }
}

wf_status wfi_by_class(const wf_predictions *p, wf_by_class *out, wf_err *err) {
    WF_TRY(wfi_metric_check(p, err));
    if (p->kind == WF_SCORE_NUMBERS) return wfi_fail(err, WF_E_ARG, "numbers have no classes");
    wf_by_class b = {.classes = p->classes, .of = wfi_alloc((size_t)p->classes, sizeof *b.of)};
    wf_status st = b.of ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %d classes", p->classes);
    if (st == WF_OK && p->kind == WF_SCORE_CLASSES) st = cells_count(p, &b, err);
    if (st == WF_OK && p->kind == WF_SCORE_MULTILABEL) labels_count(p, &b);
    if (st == WF_OK)
        *out = b;
    else
        wfi_by_class_clear(&b);
    return st;
}

static double share(int64_t part, int64_t whole) {
    return whole ? (double)part / (double)whole : NAN;
}

double wfi_precision(const wf_class_counts *c) {
    return share(c->hit, c->said);
}

double wfi_recall(const wf_class_counts *c) {
    return share(c->hit, c->support);
}

double wfi_f1(const wf_class_counts *c) {
    return share(2 * c->hit, c->said + c->support);
}
