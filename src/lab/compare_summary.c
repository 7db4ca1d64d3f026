/* lab/compare_summary.c - what the trainings of a comparison say together. See compare_cell.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/compare_cell.h"
#include "metrics/significance.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RESAMPLES = 2000 };
static const double CLAIM = 0.05;

/* What choosing its rates took, all parts together. */
static json_t *trials_cost(const json_t *trials, const char *method, int64_t asked) {
    size_t i, n = 0;
    const json_t *t;
    double wall = 0;
    int64_t tokens = 0;
    json_array_foreach(trials, i, t) {
        if (strcmp(json_string_value(json_object_get(t, "method")), method) != 0 ||
            json_integer_value(json_object_get(t, "asked_rows")) != asked)
            continue;
        n++;
        wall += json_number_value(json_object_get(t, "wall_seconds"));
        tokens += json_integer_value(json_object_get(t, "tokens"));
    }
    return json_pack("{s:I, s:f, s:I}", "trainings", (json_int_t)n, "wall_seconds", wall, "tokens", (json_int_t)tokens);
}

/* Mean and standard deviation (n - 1) of every metric over the seeds of one (method, rows). */
static void summary_add(json_t *summary, const json_t *rows, const json_t *trials, const char *method, int64_t asked) {
    json_t *sums = json_object(), *mean = json_object(), *sd = json_object();
    size_t i, n = 0;
    json_t *row, *value;
    const char *key;
    double wall = 0, params = 0, train_rows = 0, tokens = 0, memory = 0, held = 0, lr = 0;
    bool same_lr = true;
    int64_t only = 0;
    json_array_foreach(rows, i, row) {
        if (strcmp(json_string_value(json_object_get(row, "method")), method) != 0 ||
            json_integer_value(json_object_get(row, "asked_rows")) != asked)
            continue;
        n++;
        wall += json_number_value(json_object_get(row, "wall_seconds"));
        tokens += json_number_value(json_object_get(row, "tokens"));
        memory = fmax(memory, json_number_value(json_object_get(row, "peak_rss_bytes")));
        held = fmax(held, json_number_value(json_object_get(row, "memory_bytes")));
        only += json_object_get(row, "one_class") != NULL;
        const double rate = json_number_value(json_object_get(row, "lr"));
        same_lr = same_lr && (n == 1 || (rate >= lr && rate <= lr));
        lr = rate;
        params = json_number_value(json_object_get(row, "trainable_params"));
        train_rows = json_number_value(json_object_get(row, "train_rows"));
        json_object_foreach(json_object_get(row, "metrics"), key, value) {
            json_t *list = json_object_get(sums, key);
            if (!list) json_object_set_new(sums, key, list = json_array());
            json_array_append(list, value);
        }
    }
    json_object_foreach(sums, key, value) {
        double m = 0, v = 0;
        const size_t k = json_array_size(value);
        for (i = 0; i < k; i++) m += json_number_value(json_array_get(value, i)) / (double)k;
        for (i = 0; i < k; i++) v += pow(json_number_value(json_array_get(value, i)) - m, 2);
        json_object_set_new(mean, key, json_real(m));
        json_object_set_new(sd, key, k > 1 ? json_real(sqrt(v / (double)(k - 1))) : json_null());
    }
    json_decref(sums);
    json_t *one = NULL, *chosen = wfi_compare_chosen(rows, method, asked);
    one = json_pack("{s:s, s:I, s:I, s:o, s:o, s:f, s:I, s:I, s:I, s:o}", "method", method, "train_rows",
                    (json_int_t)train_rows, "seeds", (json_int_t)n, "mean", mean, "sd", sd, "wall_seconds",
                    n ? wall / (double)n : 0.0, "trainable_params", (json_int_t)params, "tokens",
                    (json_int_t)(n ? tokens / (double)n : 0), "peak_rss_bytes", (json_int_t)memory, "gap",
                    wfi_compare_gap(rows, method, asked));
    json_object_set_new(one, "memory_bytes", held > 0 ? json_integer((json_int_t)held) : json_null());
    json_object_set_new(one, "lr", same_lr && lr > 0 ? json_real(lr) : json_null());
    json_object_set_new(one, "one_answer", json_integer(only));
    if (trials) json_object_set_new(one, "tuning", trials_cost(trials, method, asked));
    if (json_object_size(chosen)) json_object_set(one, "chosen", chosen);
    json_decref(chosen);
    json_array_append_new(summary, one);
}

json_t *wfi_compare_summary(const json_t *spec, const json_t *rows, const json_t *trials) {
    const json_t *methods = json_object_get(spec, "methods"), *sizes = json_object_get(spec, "rows");
    json_t *summary = json_array();
    for (size_t r = 0; summary && r < json_array_size(sizes); r++)
        for (size_t m = 0; m < json_array_size(methods); m++)
            summary_add(summary, rows, trials, json_string_value(json_array_get(methods, m)),
                        json_integer_value(json_array_get(sizes, r)));
    return summary;
}

char *wfi_cell_outputs(const char *folder, size_t method, size_t size, int64_t seed) {
    char file[96];
    snprintf(file, sizeof file, "outputs-%zu-%zu-%lld.f32", method, size, (long long)seed);
    return wfi_path_join(folder, file);
}

/* ---- tests ---- */

typedef struct truth { /* of the test rows */
    wf_score_kind kind;
    size_t rows;
    int32_t classes;
    int32_t *label;
    double *target;
    uint8_t *labels;
} truth;

static void truth_clear(truth *t) {
    wfi_free(t->label);
    wfi_free(t->target);
    wfi_free(t->labels);
}

static wf_status truth_make(const wf_task *task, truth *t, wf_err *err) {
    const size_t n = task->test.count;
    *t = (truth){.kind = task->kind == WF_KIND_REGRESSION   ? WF_SCORE_NUMBERS
                         : task->kind == WF_KIND_MULTILABEL ? WF_SCORE_MULTILABEL
                                                            : WF_SCORE_CLASSES,
                 .rows = n,
                 .classes = task->kind == WF_KIND_REGRESSION ? 1 : task->label_count,
                 .label = wfi_alloc(n + 1, sizeof(int32_t)),
                 .target = wfi_alloc(n + 1, sizeof(double))};
    t->labels = wfi_alloc(n + 1, (size_t)t->classes);
    if (!t->label || !t->target || !t->labels) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        t->label[i] = task->test.rows[i].label;
        t->target[i] = task->test.rows[i].target;
        if (task->test.rows[i].labels)
            memcpy(t->labels + i * (size_t)t->classes, task->test.rows[i].labels, (size_t)t->classes);
    }
    return WF_OK;
}

typedef struct side {     /* one method at one size: what each seed said */
    wf_predictions *said; /* [seeds] */
    float **scores;
    bool whole;
} side;

static void side_clear(side *s, size_t seeds) {
    for (size_t k = 0; s->scores && k < seeds; k++) wfi_free(s->scores[k]);
    wfi_free(s->scores);
    wfi_free(s->said);
}

/* What was kept by an older version, or is damaged, is not there: whole stays false. */
static wf_status side_read(const truth *t, const char *folder, size_t method, size_t size, size_t seeds, side *out,
                           wf_err *err) {
    out->said = wfi_alloc(seeds, sizeof *out->said);
    out->scores = wfi_alloc(seeds, sizeof *out->scores);
    if (!out->said || !out->scores) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    out->whole = true;
    for (size_t k = 0; k < seeds && out->whole; k++) {
        char *file = wfi_cell_outputs(folder, method, size, (int64_t)k), *bytes = NULL;
        size_t n = 0;
        const size_t want = t->rows * (size_t)t->classes * sizeof(float);
        out->whole =
            file && wfi_file_exists(file) && wfi_file_read(file, want + 1, &bytes, &n, NULL) == WF_OK && n == want;
        wfi_free(file);
        out->scores[k] = (float *)(void *)bytes;
        out->said[k] = (wf_predictions){.kind = t->kind,
                                        .rows = t->rows,
                                        .classes = t->classes,
                                        .scores = out->scores[k],
                                        .label = t->label,
                                        .target = t->target,
                                        .labels = t->kind == WF_SCORE_MULTILABEL ? t->labels : NULL};
    }
    return WF_OK;
}

static bool fuses(const char *method) {
    return strncmp(method, "fuse:", 5) == 0 || strncmp(method, "fusion:", 7) == 0 || strncmp(method, "mtfuse:", 7) == 0;
}

/* Whether method m is held against the others: a fusion; without one the last. */
static bool asks(const json_t *methods, size_t m) {
    const size_t n = json_array_size(methods);
    bool any = false;
    for (size_t i = 0; i < n; i++) any = any || fuses(json_string_value(json_array_get(methods, i)));
    return any ? fuses(json_string_value(json_array_get(methods, m))) : m + 1 == n;
}

static wf_status pair_test(const json_t *methods, const wf_task *task, const side *sides, size_t a, size_t b,
                           size_t seeds, int64_t rows, json_t *tests, wf_err *err) {
    static const double one = 1;
    wf_paired_test d;
    const wf_paired_sets sets = {.a = sides[a].said, .b = sides[b].said, .weight = &one, .count = 1, .seeds = seeds};
    WF_TRY(wfi_paired_bootstrap(&sets, task->metric, RESAMPLES, 0, &d, err));
    json_t *j = json_pack("{s:I, s:O, s:O, s:s}", "train_rows", (json_int_t)rows, "a", json_array_get(methods, a), "b",
                          json_array_get(methods, b), "metric", task->metric);
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"difference", d.difference}, {"low", d.low}, {"high", d.high}, {"p", d.p}};
    for (size_t i = 0; i < 4; i++)
        json_object_set_new(j, numbers[i].key, isfinite(numbers[i].value) ? json_real(numbers[i].value) : json_null());
    json_array_append_new(tests, j);
    return WF_OK;
}

/* Of the methods that one is held against, the best. */
static void best_mark(json_t *tests, size_t from, double sign) {
    const size_t n = json_array_size(tests);
    for (size_t i = from; i < n; i++) {
        json_t *j = json_array_get(tests, i);
        const double d = sign * json_number_value(json_object_get(j, "difference"));
        bool best = true;
        for (size_t k = from; k < n && best; k++) {
            const json_t *o = json_array_get(tests, k);
            const double other = sign * json_number_value(json_object_get(o, "difference"));
            if (json_equal(json_object_get(j, "a"), json_object_get(o, "a")))
                best = d < other || (d <= other && i <= k);
        }
        json_object_set_new(j, "best", json_boolean(best));
    }
}

static wf_status holm_add(json_t *tests, size_t from, const wf_task *task, wf_err *err) {
    const size_t n = json_array_size(tests) - from;
    double *p = wfi_alloc(n + 1, sizeof *p);
    if (!p) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(json_array_get(tests, from + i), "p");
        p[i] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    const wf_status st = wfi_holm(p, n, p, err);
    const double sign = wfi_metric_lower_is_better(task->metric) ? -1 : 1;
    for (size_t i = 0; st == WF_OK && i < n; i++) {
        json_t *j = json_array_get(tests, from + i);
        const double d = sign * json_number_value(json_object_get(j, "difference"));
        json_object_set_new(j, "p_holm", isfinite(p[i]) ? json_real(p[i]) : json_null());
        json_object_set(j, "better", !(p[i] < CLAIM) ? json_null() : json_object_get(j, d > 0 ? "a" : "b"));
    }
    wfi_free(p);
    if (st == WF_OK) best_mark(tests, from, sign);
    return st;
}

static wf_status size_test(const json_t *spec, const wf_task *task, const truth *t, const char *folder, size_t size,
                           json_t *tests, wf_err *err) {
    const json_t *methods = json_object_get(spec, "methods");
    const size_t n = json_array_size(methods), seeds = (size_t)json_integer_value(json_object_get(spec, "seeds")),
                 from = json_array_size(tests);
    const int64_t asked = json_integer_value(json_array_get(json_object_get(spec, "rows"), size));
    side *sides = wfi_alloc(n, sizeof *sides);
    wf_status st = sides ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t m = 0; st == WF_OK && m < n; m++) st = side_read(t, folder, m, size, seeds, &sides[m], err);
    for (size_t a = 0; st == WF_OK && a < n; a++)
        for (size_t b = 0; st == WF_OK && asks(methods, a) && b < n; b++)
            if (!asks(methods, b) && sides[a].whole && sides[b].whole)
                st = pair_test(methods, task, sides, a, b, seeds, asked ? asked : (int64_t)task->train.count, tests,
                               err);
    if (st == WF_OK) st = holm_add(tests, from, task, err);
    for (size_t m = 0; sides && m < n; m++) side_clear(&sides[m], seeds);
    wfi_free(sides);
    return st;
}

wf_status wfi_compare_tests(const json_t *spec, const wf_task *task, const char *folder, json_t **out, wf_err *err) {
    truth t = {0};
    json_t *tests = json_array();
    wf_status st = tests ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && task->test.count) st = truth_make(task, &t, err);
    for (size_t r = 0; st == WF_OK && task->test.count && r < json_array_size(json_object_get(spec, "rows")); r++)
        st = size_test(spec, task, &t, folder, r, tests, err);
    truth_clear(&t);
    if (st != WF_OK)
        json_decref(tests);
    else
        *out = tests;
    return st;
}
