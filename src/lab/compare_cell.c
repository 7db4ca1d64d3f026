/* lab/compare_cell.c - one training of a comparison, with what has to be trained for it. See compare_cell.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/compare_part.h"
#include "lab/rank.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The row's cost becomes that of both. */
static void cost_add(json_t *row, const json_t *more, bool parameters) {
    static const char *const keys[] = {"wall_seconds", "cpu_seconds", "tokens", "steps", "trainable_params"};
    for (size_t i = 0; i < (parameters ? 5 : 4); i++) {
        const json_t *a = json_object_get(row, keys[i]), *b = json_object_get(more, keys[i]);
        json_object_set_new(row, keys[i],
                            json_is_integer(a) ? json_integer(json_integer_value(a) + json_integer_value(b))
                                               : json_real(json_number_value(a) + json_number_value(b)));
    }
    /* One after the other: what counts is the larger. */
    const json_t *held = json_object_get(more, "memory_bytes");
    if (json_integer_value(held) > json_integer_value(json_object_get(row, "memory_bytes")))
        json_object_set(row, "memory_bytes", (json_t *)held);
}

/* Trains an adapter for this cell: the target's own, or one shared with another task; its cost is added to *spent. */
static wf_status adapter_make(const wf_cell *c, const char *method, const char *name, const json_t *tasks,
                              wf_made *made, json_t **spent, wf_err *err) {
    wf_trained t = {0};
    json_t *row = NULL;
    const wf_part p = {.method = method, .name = name, .role = name, .aside = true, .tasks = tasks};
    WF_TRY(wfi_part_run(c, &p, &t, &row, err));
    made->adapter[made->count++] = t.adapter;
    t.adapter = NULL;
    wfi_trained_clear(&t);
    if (*spent) {
        cost_add(*spent, row, true);
        json_decref(row);
    } else {
        *spent = row;
    }
    return WF_OK;
}

static void made_clear(wf_made *made) {
    for (size_t i = 0; i < made->count; i++) wfi_adapter_free(made->adapter[i]);
}

/* The method by which the first of the lab's adapters was trained. */
static void method_of(const wf_cell *c, const json_t *names, char out[128]) {
    size_t i;
    const json_t *name;
    snprintf(out, 128, "seq_bn");
    json_array_foreach(names, i, name) {
        wf_record r = {0};
        json_t *info = NULL;
        if (wfi_registry_get(c->lab->registry, "model", json_string_value(name), &r, NULL) != WF_OK) continue;
        if (wfi_lab_record_json(&r, &info, NULL) == WF_OK) {
            const char *method = json_string_value(json_object_get(info, "method"));
            if (method) snprintf(out, 128, "%.127s", method);
        }
        json_decref(info);
        wfi_record_clear(&r);
        return;
    }
}

static const char *final_name(const wf_cell *c, char out[65]) {
    snprintf(out, 65, "%.48s-compared", c->task->name);
    return out;
}

/* The adapters fused, by name: the method's, with what "auto" takes by the ranking on the cell's own training rows. */
static wf_status sources_of(const wf_cell *c, json_t **from, double *seconds, wf_err *err) {
    const wf_compare_method *m = c->method;
    const char *names[64];
    size_t n = 0, i;
    const json_t *name;
    *seconds = 0;
    if (!m->chooses) {
        *from = json_array();
        if (m->kind == WF_COMPARE_MTFUSE) json_array_append_new(*from, json_string("own"));
        json_array_extend(*from, m->names);
        return *from ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    const int64_t used = c->rows ? c->rows : (int64_t)c->task->train.count;
    const wf_rank_wish wish = {.task = c->task->name,
                               .base = c->base,
                               .rows = used < WF_RANK_ROWS ? used : WF_RANK_ROWS,
                               .seed = (uint64_t)c->seed,
                               .among = c->among,
                               .compared = true};
    const double started = wfi_clock_seconds();
    json_array_foreach(m->names, i, name) if (n < 64) names[n++] = json_string_value(name);
    WF_TRY(wfi_rank_choose(c->lab, &wish, names, n, from, err));
    *seconds = wfi_clock_seconds() - started;
    return WF_OK;
}

/* Those that are trained for this cell: the task's own, and in "mtfuse" each. */
static wf_status made_make(const wf_cell *c, const json_t *from, wf_made *made, json_t **spent, wf_err *err) {
    const bool tasks = c->method->kind == WF_COMPARE_MTFUSE;
    char method[128];
    size_t i;
    const json_t *one;
    wf_status st = WF_OK;
    method_of(c, tasks ? NULL : from, method);
    json_array_foreach(from, i, one) {
        const char *text = json_string_value(one);
        const bool own = strcmp(text, "own") == 0;
        json_t *both = tasks && !own ? json_pack("[s, s]", c->task->name, text) : NULL;
        if (st == WF_OK && (own || tasks)) st = adapter_make(c, method, text, both, made, spent, err);
        json_decref(both);
    }
    return st;
}

static wf_status fuse_run(const wf_cell *c, json_t **out, wf_err *err) {
    wf_made made = {0};
    wf_trained t = {0};
    json_t *spent = NULL, *from = NULL;
    char name[65];
    double chosen_in = 0;
    WF_TRY(sources_of(c, &from, &chosen_in, err));
    wf_status st = made_make(c, from, &made, &spent, err);
    const wf_part p = {.method = "fusion",
                       .name = final_name(c, name),
                       .from = from,
                       .config = c->method->at ? c->method->at : "dynamic",
                       .outputs = c->outputs,
                       .made = &made};
    if (st == WF_OK) st = wfi_part_run(c, &p, &t, out, err);
    if (st == WF_OK && spent) cost_add(*out, spent, true);
    if (st == WF_OK && c->method->chooses) {
        const json_t *wall = json_object_get(*out, "wall_seconds");
        json_object_set_new(*out, "wall_seconds", json_real(json_number_value(wall) + chosen_in));
        json_object_set(*out, "chosen", from);
    }
    wfi_trained_clear(&t);
    made_clear(&made);
    json_decref(spent);
    json_decref(from);
    return st;
}

static double reached(const wf_cell *c, const json_t *row) {
    const json_t *v = json_object_get(json_object_get(row, c->task->dev.count ? "dev" : "train"), c->task->metric);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static wf_status mean_run(const wf_cell *c, const char *role, const json_t *from, const json_t *weights,
                          const char *outputs, json_t **row, wf_err *err) {
    wf_trained t = {0};
    char name[65];
    const wf_part p = {.method = "mean",
                       .name = final_name(c, name),
                       .role = role,
                       .from = from,
                       .weights = weights,
                       .outputs = outputs};
    const wf_status st = wfi_part_run(c, &p, &t, row, err);
    wfi_trained_clear(&t);
    return st;
}

/* Each adapter alone, with a head; which of them dev likes best, and a weight for each: its score, or of an error the
 * inverse. */
static wf_status sources_try(const wf_cell *c, json_t **rows, json_t *weights, size_t *best, wf_err *err) {
    const bool error = wfi_metric_lower_is_better(c->task->metric);
    double most = -INFINITY;
    size_t i;
    const json_t *name;
    if (c->task->dev.count == 0)
        return wfi_fail(err, WF_E_ARG, "\"%.80s\" chooses by dev; task \"%s\" has no dev rows", c->method->text,
                        c->task->name);
    json_array_foreach(c->method->names, i, name) {
        char file[600];
        json_t *one = json_pack("[O]", name);
        snprintf(file, sizeof file, "%s.%zu", c->outputs ? c->outputs : "", i);
        const wf_status st = mean_run(c, json_string_value(name), one, NULL, c->outputs ? file : NULL, &rows[i], err);
        json_decref(one);
        WF_TRY(st);
        const double score = reached(c, rows[i]), high = error ? -score : score;
        if (high > most) {
            most = high;
            *best = i;
        }
        json_array_append_new(weights, json_real(!isfinite(score) ? 0
                                                 : error          ? 1 / fmax(score, 1e-6)
                                                                  : fmax(score, 0)));
    }
    return WF_OK;
}

static wf_status source_run(const wf_cell *c, json_t **out, wf_err *err) {
    const size_t n = json_array_size(c->method->names);
    json_t *rows[WF_MADE] = {0}, *weights = json_array();
    size_t best = 0;
    wf_status st = weights ? sources_try(c, rows, weights, &best, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && c->method->kind == WF_COMPARE_BEST) {
        *out = json_incref(rows[best]);
        json_object_set(*out, "chosen", json_array_get(c->method->names, best));
    } else if (st == WF_OK) {
        st = mean_run(c, NULL, c->method->names, weights, c->outputs, out, err);
        if (st == WF_OK) json_object_set(*out, "weights", weights);
    }
    for (size_t i = 0; i < n; i++) {
        char file[600];
        snprintf(file, sizeof file, "%s.%zu", c->outputs ? c->outputs : "", i);
        if (st == WF_OK && rows[i] != *out) cost_add(*out, rows[i], false);
        if (c->outputs && st == WF_OK && c->method->kind == WF_COMPARE_BEST && i == best)
            rename(file, c->outputs);
        else if (c->outputs)
            remove(file);
        json_decref(rows[i]);
    }
    json_decref(weights);
    return st;
}

static wf_status joint_run(const wf_cell *c, json_t **out, wf_err *err) {
    const bool whole = c->method->kind == WF_COMPARE_MULTIHEAD;
    json_t *tasks = json_pack("[s]", c->task->name);
    wf_trained t = {0};
    char name[65];
    if (!tasks) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    json_array_extend(tasks, c->method->names);
    const wf_part p = {.method = whole           ? "full"
                                 : c->method->at ? c->method->at
                                                 : "seq_bn",
                       .name = final_name(c, name),
                       .tasks = tasks,
                       .outputs = c->outputs};
    const wf_status st = wfi_part_run(c, &p, &t, out, err);
    wfi_trained_clear(&t);
    json_decref(tasks);
    return st;
}

static wf_status plain_run(const wf_cell *c, json_t **out, wf_err *err) {
    wf_trained t = {0};
    char name[65];
    const wf_part p = {.method = c->method->plain, .name = final_name(c, name), .outputs = c->outputs};
    const wf_status st = wfi_part_run(c, &p, &t, out, err);
    wfi_trained_clear(&t);
    return st;
}

wf_status wfi_cell_run(const wf_cell *c, json_t **out, wf_err *err) {
    wf_status st = WF_OK;
    switch (c->method->kind) {
    case WF_COMPARE_PLAIN:
        st = plain_run(c, out, err);
        break;
    case WF_COMPARE_FUSE:
    case WF_COMPARE_MTFUSE:
        st = fuse_run(c, out, err);
        break;
    case WF_COMPARE_AVERAGE:
        st = mean_run(c, NULL, c->method->names, NULL, c->outputs, out, err);
        break;
    case WF_COMPARE_WEIGHTED:
    case WF_COMPARE_BEST:
        st = source_run(c, out, err);
        break;
    case WF_COMPARE_JOINT:
    case WF_COMPARE_MULTIHEAD:
        st = joint_run(c, out, err);
        break;
    }
    if (st != WF_OK) return st;
    json_object_set_new(*out, "method", json_string(c->method->text));
    json_object_set(*out, "metrics", json_object_get(*out, "test"));
    return WF_OK;
}
