/* study/failures_slices.c - error rates of kinds of rows: long, short, rare words, negations, numbers, questions, each
 * class, each group; those with more errors than the rest by Fisher's exact test with Holm's correction. See
 * failures.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "perturb/perturb.h"
#include "study/failures.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICES_MAX = 128, CLASSES_MAX = 40, GROUPS_MAX = 60, SLICE_ROWS_LEAST = 10 };

typedef struct slice {
    char name[96];
    int64_t rows, wrong;
    double p, holm;
} slice;

typedef struct traits { /* of one row */
    double words, unseen;
    bool negation, number, question;
} traits;

typedef struct reading { /* while the words of a row go by */
    json_t *seen;        /* word of the training rows -> 1 */
    traits *of;          /* NULL: learn */
} reading;

static void word_see(void *user, const char *word, bool negation) {
    reading *c = user;
    if (!c->of) {
        json_object_set_new(c->seen, word, json_true());
        return;
    }
    c->of->words++;
    c->of->unseen += json_object_get(c->seen, word) == NULL;
    c->of->negation = c->of->negation || negation;
    c->of->number = c->of->number || strpbrk(word, "0123456789");
}

static wf_status row_read(const wf_row *row, reading *c, wf_err *err) {
    WF_TRY(wfi_words_each(row->text, word_see, c, err));
    if (row->pair) WF_TRY(wfi_words_each(row->pair, word_see, c, err));
    if (!c->of) return WF_OK;
    c->of->question = strchr(row->text, '?') || (row->pair && strchr(row->pair, '?'));
    if (c->of->words > 0) c->of->unseen /= c->of->words;
    return WF_OK;
}

static wf_status traits_make(const wf_failures *f, traits *t, wf_err *err) {
    reading c = {.seen = json_object()};
    wf_status st = c.seen ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < f->task->train.count; i++) st = row_read(&f->task->train.rows[i], &c, err);
    for (size_t i = 0; st == WF_OK && i < f->rows.count; i++) {
        c.of = &t[i];
        st = row_read(&f->rows.rows[i], &c, err);
    }
    json_decref(c.seen);
    return st;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The values at a quarter and three quarters of the rows. */
static void quarters(const traits *t, size_t n, bool unseen, double *space, double *low, double *high) {
    for (size_t i = 0; i < n; i++) space[i] = unseen ? t[i].unseen : t[i].words;
    qsort(space, n, sizeof *space, by_value);
    *low = space[(n - 1) / 4];
    *high = space[(n - 1) - (n - 1) / 4];
}

typedef struct work {
    slice list[SLICES_MAX];
    size_t n;
    const wf_predictions *p;
    const wf_failures *f;
    int64_t wrong;
} work;

/* Adds the slice of the rows that are `in`, unless it is empty or everything. */
static void slice_add(work *w, const bool *in, const char *kind, const char *of) {
    slice s = {.p = NAN};
    for (size_t i = 0; i < w->f->rows.count; i++) {
        s.rows += in[i];
        s.wrong += in[i] && wfi_study_wrong(w->p, i);
    }
    if (s.rows == 0 || (size_t)s.rows == w->f->rows.count || w->n == SLICES_MAX) return;
    const size_t room = sizeof s.name - 32;
    size_t n = of ? strlen(of) : 0;
    if (n > room)
        for (n = room; n > 0 && ((unsigned char)of[n] & 0xC0) == 0x80;) n--; /* between characters */
    snprintf(s.name, sizeof s.name, "%s%s%.*s", kind, of ? ": " : "", (int)n, of ? of : "");
    const int64_t rest = (int64_t)w->f->rows.count - s.rows, rest_wrong = w->wrong - s.wrong;
    if (s.rows >= SLICE_ROWS_LEAST && rest >= SLICE_ROWS_LEAST)
        s.p = wfi_fisher_greater(s.wrong, s.rows - s.wrong, rest_wrong, rest - rest_wrong);
    w->list[w->n++] = s;
}

static void traits_slice(work *w, const traits *t, bool *in, double *space) {
    const size_t n = w->f->rows.count;
    double low, high, none, rare;
    quarters(t, n, false, space, &low, &high);
    quarters(t, n, true, space, &none, &rare);
    for (int k = 0; k < 6; k++) {
        static const char *const names[] = {"short texts", "long texts", "rare words",
                                            "negation",    "numbers",    "question"};
        for (size_t i = 0; i < n; i++)
            in[i] = k == 0   ? t[i].words <= low && low < high
                    : k == 1 ? t[i].words >= high && low < high
                    : k == 2 ? t[i].unseen > 0 && t[i].unseen >= rare
                    : k == 3 ? t[i].negation
                    : k == 4 ? t[i].number
                             : t[i].question;
        slice_add(w, in, names[k], NULL);
    }
}

static void names_slice(work *w, bool *in) {
    const wf_task *task = w->f->task;
    const size_t n = w->f->rows.count;
    for (int32_t c = 0; task->kind == WF_KIND_CLASSIFICATION && c < task->label_count && c < CLASSES_MAX; c++) {
        for (size_t i = 0; i < n; i++) in[i] = w->p->label[i] == c;
        slice_add(w, in, "label", task->labels[c]);
    }
    const char *groups[GROUPS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < n && count < GROUPS_MAX; i++) {
        const char *name = w->f->rows.rows[i].group;
        bool known = !name;
        for (size_t k = 0; !known && k < count; k++) known = strcmp(groups[k], name) == 0;
        if (!known) groups[count++] = name;
    }
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < n; i++) {
            const char *name = w->f->rows.rows[i].group;
            in[i] = name && strcmp(name, groups[k]) == 0;
        }
        slice_add(w, in, "group", groups[k]);
    }
}

static int by_p(const void *a, const void *b) {
    const slice *x = a, *y = b;
    if (isnan(x->p) || isnan(y->p)) return isnan(x->p) - isnan(y->p);
    return (x->p > y->p) - (x->p < y->p);
}

static wf_status slices_judge(work *w, json_t *out, wf_err *err) {
    double p[SLICES_MAX];
    qsort(w->list, w->n, sizeof *w->list, by_p);
    for (size_t i = 0; i < w->n; i++) p[i] = w->list[i].p;
    WF_TRY(wfi_holm(p, w->n, p, err));
    for (size_t i = 0; i < w->n; i++) {
        const slice *s = &w->list[i];
        const double rest = (double)w->f->rows.count - (double)s->rows;
        json_t *j = json_pack("{s:s, s:I, s:I, s:f, s:f, s:o, s:o, s:b}", "slice", s->name, "rows", (json_int_t)s->rows,
                              "errors", (json_int_t)s->wrong, "rate", (double)s->wrong / (double)s->rows, "rest_rate",
                              (double)(w->wrong - s->wrong) / rest, "p", wfi_study_real(s->p), "p_holm",
                              wfi_study_real(p[i]), "high", p[i] < 0.05);
        json_array_append_new(out, j);
    }
    return WF_OK;
}

wf_status wfi_failures_slices(const wf_failures *f, const wf_predictions *p, json_t **out, wf_err *err) {
    const size_t n = f->rows.count;
    traits *t = wfi_alloc(n, sizeof *t);
    bool *in = wfi_alloc(n, sizeof *in);
    double *space = wfi_alloc(n, sizeof *space);
    work *w = wfi_alloc(1, sizeof *w);
    json_t *list = json_array();
    wf_status st = t && in && space && w && list ? traits_make(f, t, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) {
        *w = (work){.p = p, .f = f};
        for (size_t i = 0; i < n; i++) w->wrong += wfi_study_wrong(p, i);
        traits_slice(w, t, in, space);
        names_slice(w, in);
        st = slices_judge(w, list, err);
    }
    wfi_free(t);
    wfi_free(in);
    wfi_free(space);
    wfi_free(w);
    if (st != WF_OK)
        json_decref(list);
    else
        *out = list;
    return st;
}
