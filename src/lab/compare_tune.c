/* lab/compare_tune.c - the learning rate of each training of a comparison, chosen on dev. See compare_part.h.
 *
 * Every part of every method gets the same budget at every number of rows: one training with seed 0 for each rate, the
 * same seed and rows as the comparison's first. The best dev score of the task's metric wins; of equal ones the lower
 * Brier score, then the rate named first. Test rows are not looked at. All seeds then train with that rate. A trial is
 * kept when it is done, so that a broken comparison goes on with the next one. */
#include "base/error.h"
#include "lab/compare_part.h"
#include "lab/mean.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool text_is(const json_t *j, const char *text) {
    return text ? json_is_string(j) && strcmp(json_string_value(j), text) == 0 : !json_is_string(j);
}

static bool of_part(const json_t *trial, const char *method, int64_t rows, const char *role) {
    return text_is(json_object_get(trial, "method"), method) &&
           json_integer_value(json_object_get(trial, "asked_rows")) == rows &&
           text_is(json_object_get(trial, "part"), role);
}

static double number(const json_t *j, const char *key) {
    const json_t *v = json_object_get(j, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* Whether trial a beats b (NULL: anything that has a score does). */
static bool beats(const json_t *a, const json_t *b, const char *metric) {
    const double sign = wfi_metric_lower_is_better(metric) ? -1 : 1, x = sign * number(a, "dev");
    if (!isfinite(x)) return false;
    if (!b) return true;
    const double y = sign * number(b, "dev");
    return x > y || (!(x < y) && number(a, "brier") < number(b, "brier"));
}

static const json_t *trial_find(const wf_cell *c, const wf_part *p, double lr) {
    size_t i;
    const json_t *t;
    json_array_foreach(c->tuning->trials, i, t) {
        const double tried = number(t, "lr");
        if (of_part(t, c->method->text, c->rows, p->role) && tried >= lr && tried <= lr) return t;
    }
    return NULL;
}

/* A training takes over the adapters that were made for it; a trial gets copies. */
static wf_status made_copy(const wf_made *from, wf_made *to, wf_err *err) {
    static const double whole = 1;
    *to = (wf_made){0};
    for (size_t i = 0; from && i < from->count; i++) {
        if (!from->adapter[i]) continue;
        WF_TRY(wfi_adapters_mean(&from->adapter[i], &whole, 1, from->adapter[i]->name, &to->adapter[to->count], err));
        to->count++;
    }
    return WF_OK;
}

static json_t *number_or_null(double v) {
    return isfinite(v) ? json_real(v) : json_null();
}

static wf_status trial_keep(const wf_cell *c, const wf_part *p, double lr, const json_t *row, wf_err *err) {
    static const char *const cost[] = {"wall_seconds", "tokens", "steps"};
    const json_t *dev = json_object_get(row, "dev");
    char note[160], name[160], rows[32] = "all";
    json_t *t = json_pack("{s:s, s:I, s:s?, s:f, s:o, s:o}", "method", c->method->text, "asked_rows",
                          (json_int_t)c->rows, "part", p->role, "lr", lr, "dev",
                          number_or_null(number(dev, c->task->metric)), "brier", number_or_null(number(dev, "brier")));
    if (!t) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < sizeof cost / sizeof *cost; i++)
        json_object_set_new(t, cost[i], row ? json_incref(json_object_get(row, cost[i])) : json_integer(0));
    json_array_append_new(c->tuning->trials, t);
    WF_TRY(wfi_json_write(c->tuning->file, c->tuning->trials, err));
    if (c->rows) snprintf(rows, sizeof rows, "%lld", (long long)c->rows);
    snprintf(name, sizeof name, "(%s rows%s%.60s, rate %g)", rows, p->role ? ", " : "", p->role ? p->role : "", lr);
    if (row)
        snprintf(note, sizeof note, "dev %s %.4f in %.1f s", c->task->metric, number(dev, c->task->metric),
                 number(row, "wall_seconds"));
    else
        snprintf(note, sizeof note, "numbers went out of bounds");
    const wf_progress told = {
        .stage = c->stage, .name = name, .loss = NAN, .seconds_left = -1, .rate_unit = "", .note = note};
    return wfi_lab_tick(c->lab, &told, true) ? wfi_fail(err, WF_E_CANCELLED, "cancelled between trials of rates")
                                             : WF_OK;
}

static wf_status trial_run(const wf_cell *c, const wf_part *p, double lr, wf_err *err) {
    wf_cell first = *c;
    wf_part part = *p;
    wf_made copies;
    wf_trained t = {0};
    json_t *row = NULL;
    first.seed = 0;
    wf_status st = made_copy(p->made, &copies, err);
    part.made = &copies;
    if (st == WF_OK) st = wfi_part_train(&first, &part, lr, true, &t, &row, err);
    for (size_t i = 0; i < copies.count; i++) wfi_adapter_free(copies.adapter[i]);
    if (st == WF_OK) wfi_trained_clear(&t);
    if (st == WF_E_NONFINITE) st = WF_OK; /* too high a rate: it loses, and the others are tried */
    if (st == WF_OK) st = trial_keep(c, p, lr, row, err);
    json_decref(row);
    return st;
}

wf_status wfi_part_rate(const wf_cell *c, const wf_part *p, double *lr, wf_err *err) {
    *lr = p->aside ? 0 : c->method->lr;
    if (*lr > 0 || !c->tuning) return WF_OK;
    const json_t *rate, *best = NULL;
    size_t i;
    json_array_foreach(c->tuning->rates, i, rate) {
        const double tried = json_number_value(rate);
        if (!trial_find(c, p, tried)) WF_TRY(trial_run(c, p, tried, err));
        const json_t *t = trial_find(c, p, tried);
        if (beats(t, best, c->task->metric)) best = t;
    }
    if (!best)
        return wfi_fail(err, WF_E_NONFINITE, "\"%.80s\": with none of the rates to choose from are the numbers finite",
                        c->method->text);
    *lr = number(best, "lr");
    return WF_OK;
}

/* The entry of a trial's part, made where there is none. */
static json_t *entry_of(json_t *all, const json_t *trial, const wf_task *task) {
    const char *method = json_string_value(json_object_get(trial, "method")),
               *role = json_string_value(json_object_get(trial, "part"));
    const int64_t asked = json_integer_value(json_object_get(trial, "asked_rows"));
    size_t i;
    json_t *one;
    json_array_foreach(all, i, one) if (of_part(one, method, asked, role)) return one;
    one = json_pack("{s:s, s:I, s:I, s:s?, s:s, s:n, s:[], s:f, s:I}", "method", method, "asked_rows",
                    (json_int_t)asked, "train_rows", (json_int_t)(asked ? asked : (int64_t)task->train.count), "part",
                    role, "metric", task->metric, "lr", "trials", "wall_seconds", 0.0, "tokens", (json_int_t)0);
    json_array_append_new(all, one);
    return one;
}

json_t *wfi_compare_tuning(const json_t *trials, const wf_task *task) {
    static const char *const shown[] = {"lr", "dev", "brier", "wall_seconds", "tokens", "steps"};
    json_t *all = json_array();
    size_t i;
    const json_t *t;
    json_array_foreach(trials, i, t) {
        json_t *one = entry_of(all, t, task), *trial = json_object();
        const json_t *best = NULL, *other;
        size_t k;
        for (k = 0; k < sizeof shown / sizeof *shown; k++)
            json_object_set(trial, shown[k], json_object_get(t, shown[k]));
        json_array_append_new(json_object_get(one, "trials"), trial);
        json_array_foreach(json_object_get(one, "trials"), k, other) if (beats(other, best, task->metric)) best = other;
        if (best) json_object_set(one, "lr", json_object_get(best, "lr"));
        json_object_set_new(one, "wall_seconds", json_real(number(one, "wall_seconds") + number(t, "wall_seconds")));
        json_object_set_new(one, "tokens",
                            json_integer(json_integer_value(json_object_get(one, "tokens")) +
                                         json_integer_value(json_object_get(t, "tokens"))));
    }
    return all;
}
