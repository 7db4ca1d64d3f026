/* lab/lab_prune.c - a trained fusion without the adapters that give it nothing. See weft/guard.h.
 * By leave-one-out: of the adapters that are left, again and again the one goes whose absence dev misses least; equal
 * scores are decided by the Brier score. By attention: those that are looked at least go first. What is measured in the
 * end is the new model as it is stored, on test rows, which the choice has not seen. */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/compare.h"
#include "lab/job.h"
#include "lab/one_class.h"
#include "metrics/significance.h"
#include "weft/guard.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RESAMPLES = 2000, STEM_BYTES = 256 << 20 };
static const double POINT = 0.01, ROUNDING = 1e-9;

typedef struct pruning {
    wf_lab *lab;
    const wf_prune_spec *spec;
    wf_trained t; /* the fusion; in the end what is left of it */
    wf_task *task;
    wf_record record; /* of the task */
    wf_encoded dev;
    bool *out;   /* [fused_count] */
    double *eye; /* [fused_count] mean attention, where that decides */
    double sign, whole;
    size_t left;
    int64_t passes;
    json_t *removed;
} pruning;

typedef struct mark { /* of one choice of adapters on dev; higher is better */
    double score, tie;
} mark;

static wf_status dev_mark(pruning *p, mark *m, wf_err *err) {
    wf_scores s;
    const wf_progress at = {
        .stage = "prune", .name = p->spec->name, .done = ++p->passes, .loss = NAN, .seconds_left = -1, .rate_unit = ""};
    if (wfi_lab_tick(p->lab, &at, false)) return wfi_fail(err, WF_E_CANCELLED, "cancelled; nothing was stored");
    WF_TRY(wfi_evaluate(p->t.context, &p->dev, p->t.classes, 0, 0, &s, err));
    const wf_metric_value *v = wfi_scores_find(&s, p->task->metric), *brier = wfi_scores_find(&s, "brier");
    if (!v) return wfi_fail(err, WF_E_DATA, "task \"%s\" has no metric \"%s\"", p->task->name, p->task->metric);
    *m = (mark){.score = isnan(v->value) ? -INFINITY : p->sign * v->value, .tie = brier ? -brier->value : 0};
    return WF_OK;
}

static wf_status attention_read(pruning *p, wf_err *err) {
    mark ignored;
    WF_TRY(wfi_fusion_watch_on(p->t.fusion, err));
    wf_status st = dev_mark(p, &ignored, err);
    const wf_fusion_watch *w = p->t.fusion->watch;
    for (size_t b = 0; st == WF_OK && b < w->blocks; b++)
        for (size_t i = 0; i < w->adapters; i++)
            p->eye[i] += w->sum[b * w->adapters + i] / (double)w->tokens / (double)w->blocks;
    wfi_fusion_watch_off(p->t.fusion);
    return st;
}

/* ---- who goes next ---- */

static wf_status without(pruning *p, size_t i, mark *m, wf_err *err) {
    p->out[i] = true;
    wfi_fusion_leave_out(p->t.fusion, p->out);
    wf_status st = dev_mark(p, m, err);
    p->out[i] = false;
    wfi_fusion_leave_out(p->t.fusion, p->out);
    return st;
}

static wf_status least_missed(pruning *p, bool by_attention, size_t *which, mark *best, wf_err *err) {
    bool found = false;
    for (size_t i = 0; i < p->t.fused_count; i++) {
        mark m = {0};
        if (p->out[i]) continue;
        if (by_attention) {
            if (!found || p->eye[i] < p->eye[*which]) *which = i;
            found = true;
            continue;
        }
        WF_TRY(without(p, i, &m, err));
        if (found && !(m.score > best->score || (m.score == best->score && m.tie > best->tie))) continue;
        found = true;
        *which = i;
        *best = m;
    }
    return by_attention ? without(p, *which, best, err) : WF_OK;
}

static wf_status adapters_choose(pruning *p, bool by_attention, wf_err *err) {
    const wf_prune_spec *s = p->spec;
    const size_t keep = s->keep > 0 ? (size_t)s->keep : 1;
    mark all;
    WF_TRY(dev_mark(p, &all, err));
    p->whole = all.score;
    if (by_attention) WF_TRY(attention_read(p, err));
    for (p->left = p->t.fused_count; p->left > keep;) {
        size_t which = 0;
        mark m = {0};
        WF_TRY(least_missed(p, by_attention, &which, &m, err));
        const double fall = (all.score - m.score) / POINT;
        if (s->keep == 0 && !(fall <= (s->loss < 0 ? 0 : s->loss) + ROUNDING)) break;
        p->out[which] = true;
        p->left--;
        json_t *one =
            json_pack("{s:s, s:f, s:f}", "name", p->t.fused[which]->name, "score", p->sign * m.score, "fall", fall);
        if (by_attention) json_object_set_new(one, "attention", json_real(p->eye[which]));
        json_array_append_new(p->removed, one);
    }
    wfi_fusion_leave_out(p->t.fusion, NULL);
    return WF_OK;
}

/* ---- the new model ---- */

typedef struct answers {
    wf_encoded e;
    wf_outputs o;
    wf_predictions said;
    double *target;
} answers;

static void answers_clear(answers *a) {
    wfi_free(a->target);
    wfi_outputs_clear(&a->o);
    wfi_encoded_clear(&a->e);
}

static wf_status answers_make(pruning *p, const wf_rows *rows, answers *a, wf_err *err) {
    WF_TRY(wfi_job_encode(&p->t, rows, p->task, &a->e, err));
    WF_TRY(wfi_evaluate_outputs(p->t.context, &a->e, p->t.classes, &a->o, err));
    return wfi_outputs_judged(p->t.context, &a->e, &a->o, &a->said, &a->target, err);
}

/* The fusion of what is left takes the place of the whole one. */
static wf_status parts_reduce(pruning *p, wf_err *err) {
    wf_fusion *left = NULL;
    size_t n = 0;
    WF_TRY(wfi_fusion_subset(p->t.fusion, p->out, &left, err));
    wfi_fusion_free(p->t.fusion);
    p->t.fusion = left;
    p->t.context->fusion = left;
    for (size_t i = 0; i < p->t.fused_count; i++) {
        if (p->out[i])
            wfi_adapter_free(p->t.fused[i]);
        else
            p->t.fused[n++] = p->t.fused[i];
    }
    p->t.fused_count = n;
    return WF_OK;
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

/* New less whole on one part, paired. */
static wf_status change_add(pruning *p, const char *part, const answers *before, const answers *after, json_t *into,
                            wf_err *err) {
    static const double one = 1;
    wf_paired_test d;
    const wf_paired_sets sets = {.a = &after->said, .b = &before->said, .weight = &one, .count = 1, .seeds = 1};
    WF_TRY(wfi_paired_bootstrap(&sets, p->task->metric, RESAMPLES, 0, &d, err));
    json_object_set_new(into, part,
                        json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "rows", (json_int_t)after->said.rows, "before",
                                  number(d.b), "after", number(d.a), "value", number(d.difference), "low",
                                  number(d.low), "high", number(d.high), "p", number(d.p)));
    return WF_OK;
}

static wf_status scores_set(const pruning *p, const answers *a, json_t *info, const char *part, wf_err *err) {
    wf_scores s = {0};
    if (a->said.rows) WF_TRY(wfi_metrics_compute(&a->said, 0, 0, &s, err));
    if (a->said.rows) wfi_one_class_set(info, &a->said, p->t.head->labels, part);
    json_object_set_new(info, part, wfi_lab_scores_json(&s, false));
    return WF_OK;
}

static wf_status info_make(pruning *p, const answers before[2], const answers after[2], json_t **out, wf_err *err) {
    static const char *const stale[] = {"files", "hash", "created", "benefit", "gap"}, *const parts[] = {"dev", "test"};
    json_t *info = json_deep_copy(p->t.info), *from = json_array(), *change = json_object(), *probe = NULL;
    if (!info || !from || !change) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++) json_object_del(info, stale[i]);
    for (size_t i = 0; i < p->t.fused_count; i++) json_array_append_new(from, json_string(p->t.fused[i]->name));
    json_object_set_new(info, "name", json_string(p->t.name));
    json_object_set(info, "from", from);
    json_object_set(json_object_get(info, "settings"), "from", from);
    json_object_set_new(info, "trainable_params", json_integer(wfi_trained_size(&p->t)));
    wf_status st = WF_OK;
    for (int k = 0; st == WF_OK && k < 2; k++) {
        st = scores_set(p, &after[k], info, parts[k], err);
        if (st == WF_OK && after[k].said.rows) st = change_add(p, parts[k], &before[k], &after[k], change, err);
    }
    const wf_job job = {.lab = p->lab, .name = p->t.name, .task = p->task, .task_record = &p->record};
    if (st == WF_OK) st = wfi_job_probe(&p->t, &job, &probe, err);
    if (st == WF_OK) json_object_set_new(info, "probe", probe);
    json_object_set_new(info, "pruned",
                        json_pack("{s:s, s:O, s:O, s:s, s:O}", "of", p->t.parent, "of_hash",
                                  json_object_get(p->t.info, "hash"), "removed", p->removed, "metric", p->task->metric,
                                  "change", change));
    json_decref(from);
    json_decref(change);
    if (st != WF_OK)
        json_decref(info);
    else
        *out = info;
    return st;
}

static wf_status model_make(pruning *p, const char *name, json_t **out, wf_err *err) {
    const wf_rows *parts[] = {&p->task->dev, &p->task->test};
    answers before[2] = {{.target = NULL}}, after[2] = {{.target = NULL}};
    json_t *info = NULL;
    wf_settings s;
    wf_status st = WF_OK;
    for (int k = 0; st == WF_OK && k < 2; k++)
        if (parts[k]->count) st = answers_make(p, parts[k], &before[k], err);
    if (st == WF_OK) st = parts_reduce(p, err);
    for (int k = 0; st == WF_OK && k < 2; k++)
        if (parts[k]->count) st = answers_make(p, parts[k], &after[k], err);
    if (st == WF_OK) {
        p->t.parent = p->t.name;
        if (!(p->t.name = wfi_strdup(name))) st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    }
    if (st == WF_OK) st = info_make(p, before, after, &info, err);
    if (st == WF_OK) st = wfi_settings_read(json_object_get(info, "settings"), &s, err);
    if (st == WF_OK) wfi_one_class_warn(p->lab, info);
    if (st == WF_OK) st = wfi_trained_save(p->lab, &p->t, &s, &p->record, info, err);
    for (int k = 0; k < 2; k++) {
        answers_clear(&before[k]);
        answers_clear(&after[k]);
    }
    if (st != WF_OK)
        json_decref(info);
    else
        *out = info;
    return st;
}

/* ---- the whole ---- */

static wf_status spec_check(const wf_prune_spec *s, const wf_trained *t, const wf_task *task, bool *by_attention,
                            wf_err *err) {
    if (!t->fusion) return wfi_fail(err, WF_E_ARG, "\"%s\" is no fusion; only fusions can be pruned", s->name);
    if (task->dev.count == 0)
        return wfi_fail(err, WF_E_NOTFOUND, "task \"%s\" has no dev rows to choose by", task->name);
    if ((s->keep > 0) == (s->loss != 0))
        return wfi_fail(
            err, WF_E_ARG,
            "how far? name the number of adapters to keep (--keep K) or the points to lose (--loss L), one of them");
    if (s->keep < 0 || (s->keep > 0 && (size_t)s->keep >= t->fused_count))
        return wfi_fail(err, WF_E_ARG, "keep is %lld; \"%s\" has %zu adapters, so 1 to %zu can be kept",
                        (long long)s->keep, s->name, t->fused_count, t->fused_count - 1);
    if (!(s->loss >= 0 || s->loss == -1) || !(s->loss <= 100))
        return wfi_fail(err, WF_E_ARG, "loss is %g points; it must lie in [0, 100]", s->loss);
    *by_attention = s->by && strcmp(s->by, "attention") == 0;
    if (s->by && !*by_attention && strcmp(s->by, "leave-one-out") != 0)
        return wfi_fail(err, WF_E_ARG, "by \"%.40s\": use leave-one-out or attention", s->by);
    return WF_OK;
}

static wf_status name_make(wf_lab *lab, const wf_prune_spec *s, char out[65], wf_err *err) {
    snprintf(out, 65, s->new_name ? "%.64s" : "%.56s-pruned", s->new_name ? s->new_name : s->name);
    return wfi_name_free_check(lab, s->new_name ? s->new_name : out, 0, err);
}

static wf_status pruning_open(pruning *p, bool *by_attention, wf_err *err) {
    const char *task = NULL;
    WF_TRY(wfi_trained_open(p->lab, p->spec->name, &p->t, err));
    WF_TRY(wfi_json_str(p->t.info, "task", p->spec->name, &task, err));
    WF_TRY(wfi_lab_task(p->lab, task, &p->task, &p->record, err));
    WF_TRY(spec_check(p->spec, &p->t, p->task, by_attention, err));
    p->sign = wfi_metric_lower_is_better(p->task->metric) ? -1 : 1;
    p->out = wfi_alloc(p->t.fused_count, sizeof *p->out);
    p->eye = wfi_alloc(p->t.fused_count, sizeof *p->eye);
    p->removed = json_array();
    if (!p->out || !p->eye || !p->removed) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    WF_TRY(wfi_job_encode(&p->t, &p->task->dev, p->task, &p->dev, err));
    wfi_stem_make(p->t.context, &p->dev, STEM_BYTES, NULL, NULL, NULL, NULL); /* no room: the layers below run anew */
    return WF_OK;
}

static wf_status result_give(pruning *p, json_t *info, char **json, wf_err *err) {
    static const char *const hidden[] = {"files", "probe"};
    json_t *j = info ? json_incref(info)
                     : json_pack("{s:n, s:s, s:{s:s, s:O, s:s, s:{}}}", "name", "task", p->task->name, "pruned", "of",
                                 p->spec->name, "removed", p->removed, "metric", p->task->metric, "change");
    for (size_t i = 0; j && i < 2; i++) json_object_del(j, hidden[i]);
    return wfi_lab_give(j, json, err);
}

wf_status wf_prune(wf_lab *lab, const wf_prune_spec *spec, char **json, wf_err *err) {
    pruning p = {.lab = lab, .spec = spec};
    char name[65] = "";
    bool by_attention = false;
    json_t *info = NULL;
    if (!spec->name) return wfi_fail(err, WF_E_ARG, "which fusion? see: weft list");
    wf_status st = pruning_open(&p, &by_attention, err);
    if (st == WF_OK) st = name_make(lab, spec, name, err);
    if (st == WF_OK) st = adapters_choose(&p, by_attention, err);
    if (st == WF_OK && json_array_size(p.removed)) st = model_make(&p, name, &info, err);
    if (st == WF_OK && !info)
        wfi_lab_message(lab, "note", "%s: every adapter is worth more than that; nothing was removed", spec->name);
    if (st == WF_OK) st = result_give(&p, info, json, err);
    json_decref(info);
    json_decref(p.removed);
    wfi_free(p.out);
    wfi_free(p.eye);
    wfi_encoded_clear(&p.dev);
    wfi_record_clear(&p.record);
    wfi_task_free(p.task);
    wfi_trained_clear(&p.t);
    return st;
}
