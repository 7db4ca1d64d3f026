/* report/model_card.c - wf_card: what the lab has recorded about one model. Nothing is computed, nothing assumed. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/eval_record.h"
#include "lab/handle.h"
#include "lab/heads.h"
#include "report/card.h"
#include "report/page.h"
#include "report/scores.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LABELS_SHOWN = 30 };

/* Names joined with commas, at most `most`; wfi_free. NULL for none. */
static char *joined(const json_t *list, size_t most) {
    wf_buffer b = {0};
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one) {
        if (i == most) {
            wfi_buffer_printf(&b, " and %zu more", json_array_size(list) - most);
            break;
        }
        wfi_buffer_printf(&b, "%s%s", i ? ", " : "", json_string_value(one));
    }
    return b.len ? wfi_buffer_take(&b) : NULL;
}

static void number_field(wf_card *c, const char *name, const json_t *of, const char *key, const char *format) {
    char text[64];
    const double x = wfi_report_number(of, key);
    snprintf(text, sizeof text, format, x); /* NOLINT(clang-diagnostic-format-nonliteral): "%.0f" and its like */
    wfi_card_field(c, name, isfinite(x) ? text : NULL);
}

static void model_write(wf_card *c, const json_t *m) {
    char *from = joined(json_object_get(m, "from"), LABELS_SHOWN);
    wfi_card_section(c, "Model");
    wfi_card_field(c, "Method", wfi_report_text(m, "method"));
    wfi_card_field(c, "Frozen base", wfi_report_text(m, "base"));
    wfi_card_field(c, "The base is multiplied in", wfi_report_text(m, "base_dtype"));
    if (from) wfi_card_field(c, "Fused adapters", from);
    number_field(c, "Trained parameters", m, "trainable_params", "%.0f");
    number_field(c, "Training rows", m, "train_rows", "%.0f");
    number_field(c, "Epochs", m, "epochs", "%.0f");
    number_field(c, "Learning rate", m, "lr", "%g");
    number_field(c, "Training took, seconds", m, "wall_seconds", "%.1f");
    wfi_card_field(c, "Made", wfi_report_text(m, "created"));
    wfi_free(from);
}

static void use_write(wf_card *c, const json_t *m, const json_t *task) {
    char *labels = joined(json_object_get(task, "labels"), LABELS_SHOWN);
    wfi_card_section(c, "Intended use");
    wfi_card_field(c, "Answers task", wfi_report_text(m, "task"));
    wfi_card_field(c, "Kind", wfi_report_text(m, "kind"));
    wfi_card_field(c, "Input", !task ? NULL : json_is_true(json_object_get(task, "pair")) ? "two texts" : "one text");
    wfi_card_field(c, "Labels it can give", labels);
    wfi_card_field(c, "Uses outside of this task", NULL);
    wfi_free(labels);
}

static void data_write(wf_card *c, const json_t *task) {
    static const char *const heads[] = {"label", "train", "dev", "test"};
    const json_t *rows = json_object_get(task, "rows"), *shared = json_object_get(task, "shared");
    const char *source = wfi_report_text(task, "source");
    wfi_card_section(c, "Data");
    wfi_card_field(c, "Read from", wfi_path_base(source)); /* where that lies is nobody's business */
    number_field(c, "Train rows", rows, "train", "%.0f");
    number_field(c, "Dev rows", rows, "dev", "%.0f");
    number_field(c, "Test rows", rows, "test", "%.0f");
    number_field(c, "Words a row", task, "mean_words", "%.1f");
    number_field(c, "Share of the largest class", task, "majority_share", "%.3f");
    number_field(c, "Rows in train and test", shared, "train_test", "%.0f");
    json_t *balance = json_object_get(task, "balance"), *counts;
    const char *label;
    if (json_object_size(balance) == 0) return;
    wfi_card_table(c, "Rows by label", heads, 4);
    json_object_foreach(balance, label, counts) {
        char n[3][24];
        for (int k = 0; k < 3; k++) snprintf(n[k], sizeof n[k], "%.0f", wfi_report_number(counts, heads[k + 1]));
        wfi_card_row(c, (const char *[]){label, n[0], n[1], n[2]}, 4);
    }
}

static wf_status lineage_write(wf_card *c, wf_lab *lab, const wf_record *record, const json_t *m, wf_err *err) {
    wf_record *parents = NULL;
    size_t count = 0;
    WF_TRY(wfi_registry_parents(lab->registry, record->id, &parents, &count, err));
    wfi_card_section(c, "Lineage");
    wfi_card_field(c, "Hash of the model (SHA-256)", record->hash);
    for (size_t i = 0; i < count; i++) {
        char name[160];
        snprintf(name, sizeof name, "Made from %s %.64s", parents[i].kind, parents[i].name);
        wfi_card_field(c, name, parents[i].hash);
    }
    number_field(c, "Seed", m, "seed", "%.0f");
    number_field(c, "Threads", m, "threads", "%.0f");
    number_field(c, "Run", m, "run", "%.0f");
    wfi_card_field(c, "Version of weft", wfi_report_text(m, "version"));
    wfi_records_free(parents, count);
    return WF_OK;
}

/* ---- scores ---- */

/* dev and test as recorded at the end of the training; the interval from a later reading of the rows. */
static void scores_write(wf_card *c, const json_t *m, const json_t *metrics, const char *rows) {
    static const char *const heads[] = {"metric", "dev", "test", "95 % interval"};
    const json_t *dev = json_object_get(m, "dev"), *test = json_object_get(m, "test"), *value;
    const char *metric;
    json_t *all = json_object();
    json_object_update(all, (json_t *)dev);
    json_object_update(all, (json_t *)test);
    wfi_card_section(c, "Scores");
    wfi_card_field(c, "Chosen by", wfi_report_text(m, "metric"));
    wfi_card_field(c, "Intervals from", rows);
    if (json_object_size(all) == 0) {
        wfi_card_field(c, "Scores", NULL);
        json_decref(all);
        return;
    }
    wfi_card_table(c, "Accuracy and F1 in points (0 to 100), the others as they are", heads, 4);
    json_object_foreach(all, metric, *(json_t **)&value) {
        char cell[2][24] = {"", ""}, interval[64] = "", low[24], high[24];
        const json_t *of = json_object_get(metrics, metric);
        if (isfinite(wfi_report_number(dev, metric))) wfi_report_score(cell[0], metric, wfi_report_number(dev, metric));
        if (isfinite(wfi_report_number(test, metric)))
            wfi_report_score(cell[1], metric, wfi_report_number(test, metric));
        if (isfinite(wfi_report_number(of, "low"))) {
            wfi_report_score(low, metric, wfi_report_number(of, "low"));
            wfi_report_score(high, metric, wfi_report_number(of, "high"));
            snprintf(interval, sizeof interval, "%s to %s", low, high);
        }
        wfi_card_row(c, (const char *[]){metric, cell[0], cell[1], interval}, 4);
    }
    json_decref(all);
}

/* ---- studies ---- */

typedef struct found { /* the newest study of a kind that the model was in */
    json_t *result;
    const json_t *model;
    char when[96];
} found;

static wf_status study_find(wf_lab *lab, const char *command, const char *name, const json_t *info, found *out,
                            wf_err *err) {
    wf_run *runs = NULL;
    size_t count = 0, k;
    const double since = wfi_report_number(info, "run");
    WF_TRY(wfi_run_list(lab->registry, &runs, &count, err));
    for (size_t i = 0; i < count; i++) {
        const wf_run *r = &runs[i];
        const bool after = !(r->id <= since) && strcmp(r->started, wfi_report_text(info, "created")) >= 0;
        json_t *result = NULL;
        const json_t *one;
        /* A name may have belonged to another model before. */
        if (strcmp(r->command, command) != 0 || strcmp(r->status, "done") != 0 || !after) continue;
        if (wfi_json_parse(r->result, strlen(r->result), command, &result, NULL) != WF_OK) continue;
        json_array_foreach(json_object_get(result, "models"), k, one) {
            if (strcmp(wfi_report_text(one, "name"), name) != 0) continue;
            if (!out->result || wfi_report_number(result, "run") > wfi_report_number(out->result, "run")) {
                json_decref(out->result);
                out->result = json_incref(result);
                out->model = one;
                snprintf(out->when, sizeof out->when, "run %lld, %.24s", (long long)r->id, r->finished);
            }
        }
        json_decref(result);
    }
    wfi_runs_free(runs, count);
    return WF_OK;
}

static void rows_field(wf_card *c, const found *f) {
    if (f->result)
        wfi_card_field_of(c, "Measured on", "%.0f rows of %.64s, %.200s (%s)", wfi_report_number(f->result, "rows"),
                          wfi_report_text(f->result, "task"), wfi_path_base(wfi_report_text(f->result, "part")),
                          f->when);
}

static void robust_write(wf_card *c, const found *f) {
    const json_t *disturbed = json_object_get(f->model, "disturbed"), *drop = json_object_get(disturbed, "drop"), *one;
    const char *metric = wfi_report_text(f->result, "metric");
    char a[24], b[24], low[24], high[24];
    wf_buffer breaks = {0};
    size_t i, n = 0;
    wfi_card_section(c, "Robustness");
    rows_field(c, f);
    if (!f->result) {
        wfi_card_field(c, "Loss when texts are disturbed", NULL);
        wfi_card_field(c, "Calibration error", NULL);
        return;
    }
    wfi_report_score(a, metric, wfi_report_number(drop, "value"));
    wfi_report_score(b, metric, wfi_report_number(disturbed, "score"));
    wfi_report_score(low, metric, wfi_report_number(drop, "low"));
    wfi_report_score(high, metric, wfi_report_number(drop, "high"));
    wfi_card_field_of(c, "Loss when texts are disturbed", "%s of %.24s (95 %% interval %s to %s), to %s", a, metric,
                      low, high, b);
    json_array_foreach(json_object_get(f->model, "kinds"), i,
                       one) if (json_is_true(json_object_get(json_object_get(one, "drop"), "breaks")))
        wfi_buffer_printf(&breaks, "%s%s", n++ ? ", " : "", wfi_report_text(one, "kind"));
    wfi_card_field(c, "Disturbances that cost more than chance explains", n ? breaks.data : "none");
    number_field(c, "Calibration error", json_object_get(json_object_get(f->model, "clean"), "calibration"), "ece",
                 "%.3f");
    number_field(c, "Calibration error, disturbed", json_object_get(disturbed, "calibration"), "ece", "%.3f");
    wfi_buffer_clear(&breaks);
}

static void fair_write(wf_card *c, const found *f) {
    static const char *const keys[] = {"errors", "fpr", "fnr"}, *const what[] = {"errors", "false alarms", "misses"};
    const json_t *odds = json_object_get(f->model, "equalised_odds"), *groups = json_object_get(f->model, "groups"), *g,
                 *s, *one;
    size_t i, k, said = 0;
    double texts = 0;
    char line[320];
    wfi_card_section(c, "Fairness");
    rows_field(c, f);
    wfi_card_field(c, "Worst group", wfi_report_text(f->model, "worst_group"));
    if (*wfi_report_text(odds, "not_measured") && json_array_size(groups))
        wfi_card_field_of(c, "Largest gap of false alarms or misses between groups", "not measurable: %s",
                          wfi_report_text(odds, "not_measured"));
    else
        number_field(c, "Largest gap of false alarms or misses between groups", odds, "gap", "%.3f");
    json_array_foreach(json_object_get(f->model, "swaps"), i, s) texts += wfi_report_number(s, "texts");
    snprintf(line, sizeof line, "%.0f", texts);
    wfi_card_field(c, "Texts in which identities changed places", texts > 0 ? line : NULL);
    if (json_array_size(groups) == 0 && texts == 0) return; /* nothing was asked */
    json_array_foreach(groups, i, g) for (int q = 0; q < 3; q++) {
        const json_t *of = json_object_get(g, keys[q]);
        char p[16];
        if (!*wfi_report_text(of, "differs")) continue;
        snprintf(line, sizeof line, "%.80s has %s %s than the rest: %.1f against %.1f percent, p %s",
                 wfi_report_text(g, "group"), wfi_report_text(of, "differs"), what[q],
                 100 * wfi_report_number(of, "rate"), 100 * wfi_report_number(of, "rest_rate"),
                 wfi_report_p(p, wfi_report_number(of, "p_holm")));
        wfi_card_line(c, line);
        said++;
    }
    if (json_is_true(json_object_get(odds, "unequal"))) wfi_card_line(c, "Odds are unequal between the groups"), said++;
    json_array_foreach(json_object_get(f->model, "swaps"), i, s)
        json_array_foreach(json_object_get(s, "identities"), k, one) {
        if (!*wfi_report_text(one, "changes")) continue;
        snprintf(line, sizeof line,
                 "Naming %.64s moves the probability of %.80s by %+.3f (95 %% interval %+.3f to %+.3f)",
                 wfi_report_text(one, "identity"), wfi_report_text(f->result, "positive"),
                 wfi_report_number(one, "value"), wfi_report_number(one, "low"), wfi_report_number(one, "high"));
        wfi_card_line(c, line);
        said++;
    }
    if (!said) wfi_card_line(c, "No difference was told apart from chance");
}

static void limits_write(wf_card *c, const json_t *m, const json_t *task, const found *failures) {
    const json_t *warning, *s;
    size_t i, high = 0;
    char line[240];
    wfi_card_section(c, "Limits");
    number_field(c, "Longest text it reads, in tokens", m, "max_length", "%.0f");
    rows_field(c, failures);
    if (failures->result)
        wfi_card_field_of(c, "Share of wrong answers", "%.3f", wfi_report_number(failures->model, "error_rate"));
    else
        wfi_card_field(c, "Kinds of rows with more errors", NULL);
    json_array_foreach(json_object_get(failures->model, "slices"), i, s) {
        if (!json_is_true(json_object_get(s, "high"))) continue;
        snprintf(line, sizeof line, "More errors than the rest in %.96s: %.1f against %.1f percent",
                 wfi_report_text(s, "slice"), 100 * wfi_report_number(s, "rate"),
                 100 * wfi_report_number(s, "rest_rate"));
        wfi_card_line(c, line);
        high++;
    }
    const char *verdict = wfi_report_text(json_object_get(m, "one_class"), "verdict");
    if (*verdict) wfi_card_field_of(c, "Tells the classes apart", "no: it %.300s", verdict);
    if (failures->result && !high) wfi_card_line(c, "No kind of rows has more errors than chance explains");
    json_array_foreach(json_object_get(task, "warnings"), i, warning) wfi_card_line(c, json_string_value(warning));
}

/* Adds "run", the newest one that made just this model; no run may be on record. */
static wf_status run_add(wf_lab *lab, const wf_record *record, json_t *info, wf_err *err) {
    wf_run *runs = NULL;
    size_t count = 0;
    WF_TRY(wfi_run_list(lab->registry, &runs, &count, err));
    for (size_t i = 0; i < count; i++) {
        json_t *result = strstr(runs[i].result, record->hash) ? json_loads(runs[i].result, 0, NULL) : NULL;
        if (strcmp(wfi_report_text(result, "hash"), record->hash) == 0 &&
            !(wfi_report_number(info, "run") >= (double)runs[i].id))
            json_object_set_new(info, "run", json_integer(runs[i].id));
        json_decref(result);
    }
    wfi_runs_free(runs, count);
    return WF_OK;
}

/* The task as it was when the model was trained, or NULL when the lab's is another one by now. */
static wf_status task_find(wf_lab *lab, const json_t *info, json_t **out, wf_err *err) {
    wf_record r = {0};
    wf_err none = {0};
    wf_status st = wfi_registry_get(lab->registry, "task", wfi_report_text(info, "task"), &r, &none);
    if (st == WF_E_NOTFOUND) return WF_OK;
    if (st == WF_OK && strcmp(r.hash, wfi_report_text(info, "task_hash")) == 0) st = wfi_lab_record_json(&r, out, err);
    wfi_record_clear(&r);
    return st;
}

/* What eval recorded of all the test rows. */
static wf_status whole_find(wf_lab *lab, const json_t *info, wf_recorded_eval *out, wf_err *err) {
    wf_run *runs = NULL;
    size_t count = 0;
    WF_TRY(wfi_run_list(lab->registry, &runs, &count, err));
    wfi_eval_recorded(runs, count, info, out);
    wfi_runs_free(runs, count);
    return WF_OK;
}

static wf_status content_write(wf_card *c, wf_lab *lab, const char *name, const wf_record *record, const json_t *info,
                               const json_t *task, wf_err *err) {
    found robust = {0}, fair = {0}, failures = {0};
    wf_recorded_eval whole = {0};
    char rows[256] = "";
    wf_status st = whole_find(lab, info, &whole, err);
    if (st == WF_OK) st = study_find(lab, "study robust", name, info, &robust, err);
    if (st == WF_OK) st = study_find(lab, "study fair", name, info, &fair, err);
    if (st == WF_OK) st = study_find(lab, "study failures", name, info, &failures, err);
    /* Intervals belong to the test column only when they are of the model's own test rows: of all of them where eval
     * scored these, else of a study's sample. */
    const bool own = robust.result &&
                     strcmp(wfi_report_text(robust.result, "task"), wfi_report_text(info, "task")) == 0 &&
                     strcmp(wfi_report_text(robust.result, "part"), "test") == 0;
    const json_t *metrics = whole.result ? json_object_get(whole.result, "metrics")
                            : own        ? json_object_get(json_object_get(robust.model, "clean"), "metrics")
                                         : NULL;
    if (whole.result)
        snprintf(rows, sizeof rows, "all %.0f test rows (run %lld, %s)", wfi_report_number(whole.result, "rows"),
                 (long long)whole.run, whole.finished);
    else if (own)
        snprintf(rows, sizeof rows, "%.0f test rows (%s)", wfi_report_number(robust.result, "rows"), robust.when);
    if (st == WF_OK) {
        model_write(c, info);
        use_write(c, info, task);
        data_write(c, task);
        st = lineage_write(c, lab, record, info, err);
        scores_write(c, info, metrics, rows);
        robust_write(c, &robust);
        fair_write(c, &fair);
        limits_write(c, info, task, &failures);
    }
    json_decref(whole.result);
    json_decref(robust.result);
    json_decref(fair.result);
    json_decref(failures.result);
    return st;
}

static bool ends_in(const char *path, const char *ending) {
    const size_t n = strlen(path), m = strlen(ending);
    return n > m && strcasecmp(path + n - m, ending) == 0;
}

wf_status wf_card_write(wf_lab *lab, const char *name, const char *path, char **json, wf_err *err) {
    wf_record record = {0};
    json_t *info = NULL, *task = NULL;
    wf_card c = {0};
    char other[160];
    if (!name) return wfi_fail(err, WF_E_ARG, "which model? see: weft list");
    WF_TRY(wfi_model_find(lab, name, &record, &info, NULL, err));
    if (!path) {
        snprintf(other, sizeof other, "%.130s-card.md", name);
        path = other;
    }
    const bool html = ends_in(path, ".html") || ends_in(path, ".htm");
    wfi_card_begin(&c, html, name);
    wf_status st = run_add(lab, &record, info, err);
    if (st == WF_OK) st = task_find(lab, info, &task, err);
    if (st == WF_OK) st = content_write(&c, lab, name, &record, info, task, err);
    wfi_card_end(&c);
    if (st == WF_OK && c.text.failed) st = wfi_fail(err, WF_E_NOMEM, "out of memory for the card");
    if (st == WF_OK) st = wfi_page_store(path, &c.text, err);
    if (st == WF_OK)
        st = wfi_lab_give(json_pack("{s:s, s:s, s:s, s:I}", "card", path, "name", name, "format",
                                    html ? "html" : "markdown", "bytes", (json_int_t)c.text.len),
                          json, err);
    wfi_buffer_clear(&c.text);
    wfi_record_clear(&record);
    json_decref(info);
    json_decref(task);
    return st;
}
