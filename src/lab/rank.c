/* lab/rank.c - see rank.h. */
#include "lab/rank.h"
#include "base/alloc.h"
#include "base/error.h"
#include "lab/heads.h"
#include "lab/job.h"
#include "lab/probe_rows.h"
#include "lab/task_embedding.h"
#include "metrics/transfer.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEIGHBOURS = 10 };
const char *const wfi_rank_names[WF_RANK_ESTIMATES] = {"leep", "neighbours", "fisher"};

typedef struct ranker {
    wf_lab *lab;
    const wf_rank_wish *wish;
    wf_task *task;
    wf_record record;
    wf_open_base *base; /* in float32, for the embeddings */
    wf_probe_rows rows;
    float *embedding;
    size_t embedding_size;
} ranker;

/* ---- estimates ---- */

static wf_status neighbours(const ranker *k, const wf_encoded *e, double *out, wf_err *err) {
    return wfi_neighbours(e->pooled, k->rows.rows.count, (size_t)e->pooled_width, k->rows.label, k->rows.classes,
                          NEIGHBOURS, out, err);
}

/* The target's texts with the features that the model's head starts from. */
static wf_status features(const ranker *k, wf_trained *t, wf_encoded *e, wf_err *err) {
    if (t->max_length > WF_RANK_TOKENS) t->max_length = WF_RANK_TOKENS; /* a look, not a verdict */
    WF_TRY(wfi_job_encode(t, &k->rows.rows, &k->rows.as, e, err));
    return wfi_features_make(t->context, e, err);
}

/* Of what a head says, from features that are there; NaN where it has no classes. */
static wf_status leep(const ranker *k, wf_trained *t, const wf_encoded *e, double *out, wf_err *err) {
    wf_outputs o = {0};
    *out = NAN;
    if (t->kind != WF_KIND_CLASSIFICATION) return WF_OK;
    wf_status st = wfi_evaluate_outputs(t->context, e, t->classes, &o, err);
    if (st == WF_OK) st = wfi_leep(o.scores, o.rows, (size_t)o.classes, k->rows.label, k->rows.classes, out, err);
    wfi_outputs_clear(&o);
    return st;
}

static wf_status likeness(const ranker *k, const char *task, double *out, wf_err *err) {
    wf_task *source = NULL;
    wf_record r = {0};
    float *embedding = NULL;
    size_t n = 0;
    WF_TRY(wfi_lab_task(k->lab, task, &source, &r, err));
    wf_status st = wfi_task_embedding(k->lab, k->base, source, r.hash, WF_FISHER_ROWS, 0, &embedding, &n, err);
    if (st == WF_OK && n == k->embedding_size) *out = wfi_fisher_likeness(k->embedding, embedding, n);
    if (st == WF_E_DATA) st = WF_OK; /* a source of one class has no embedding */
    wfi_free(embedding);
    wfi_record_clear(&r);
    wfi_task_free(source);
    return st;
}

/* The base as it is: what an adapter that does nothing would reach. */
static wf_status base_neighbours(const ranker *k, double *out, wf_err *err) {
    wf_settings s = {.kind = WF_METHOD_HEAD,
                     .task = k->task->name,
                     .method = "head",
                     .base = k->base->name,
                     .base_dtype = k->base->dtype,
                     .max_length = WF_RANK_TOKENS,
                     .head_layers = 1};
    wf_task as = k->rows.as; /* a head that is never asked */
    as.kind = WF_KIND_MULTIPLE_CHOICE;
    wf_trained t = {0};
    wf_encoded e = {0};
    WF_TRY(wfi_trained_new(k->lab, &s, "probe", &as, &t, err));
    wf_status st = wfi_job_encode(&t, &k->rows.rows, &k->rows.as, &e, err);
    if (st == WF_OK) st = wfi_features_make(t.context, &e, err);
    if (st == WF_OK) st = neighbours(k, &e, out, err);
    wfi_encoded_clear(&e);
    wfi_trained_clear(&t);
    return st;
}

/* ---- sources ---- */

static bool text_is(const json_t *info, const char *key, const char *want) {
    const char *is = json_string_value(json_object_get(info, key));
    return is && strcmp(is, want) == 0;
}

static json_t *number_or_null(double x) {
    return isnan(x) ? json_null() : json_real(x);
}

/* One head of a source, by the features that all of its heads start from; of several the best counts. */
static wf_status head_add(const ranker *k, wf_trained *t, const wf_encoded *e, wf_rank_source *s, wf_err *err) {
    const char *task = json_string_value(json_object_get(t->info, "task"));
    double fits = NAN, alike = NAN;
    WF_TRY(leep(k, t, e, &fits, err));
    WF_TRY(likeness(k, task, &alike, err));
    s->by[WF_RANK_LEEP] = fmax(s->by[WF_RANK_LEEP], fits); /* of a number and a NaN the number */
    s->by[WF_RANK_FISHER] = fmax(s->by[WF_RANK_FISHER], alike);
    if (s->heads)
        json_object_set_new(s->heads, task,
                            json_pack("{s:o, s:o}", "leep", number_or_null(fits), "fisher", number_or_null(alike)));
    return WF_OK;
}

/* names: the source, or each of its heads; t: opened as the first. */
static wf_status heads_add(const ranker *k, wf_trained *t, const json_t *names, wf_rank_source *s, wf_err *err) {
    wf_encoded e = {0};
    wf_status st = features(k, t, &e, err);
    if (st == WF_OK) st = neighbours(k, &e, &s->by[WF_RANK_NEIGHBOURS], err);
    if (st == WF_OK) st = head_add(k, t, &e, s, err);
    for (size_t i = 1; st == WF_OK && i < json_array_size(names); i++) {
        wf_trained other = {0};
        st = wfi_trained_open(k->lab, json_string_value(json_array_get(names, i)), &other, err);
        if (st == WF_OK) st = head_add(k, &other, &e, s, err);
        wfi_trained_clear(&other);
    }
    wfi_encoded_clear(&e);
    return st;
}

static wf_status opened_add(const ranker *k, wf_trained *t, const char *name, const json_t *names, const json_t *info,
                            wf_ranking *out, wf_err *err) {
    if (!t->adapter) return WF_OK;
    wf_rank_source *s = &out->source[out->count++], empty = {.by = {NAN, NAN, NAN}};
    *s = empty;
    s->name = wfi_strdup(name);
    s->task = wfi_strdup(json_string_value(json_object_get(info, "task")));
    s->method = wfi_strdup(json_string_value(json_object_get(info, "method")));
    s->fusable = wfi_adapter_is_bottleneck(t->adapter);
    s->places[0] = json_incref(json_object_get(t->adapter->config, "mh_adapter"));
    s->places[1] = json_incref(json_object_get(t->adapter->config, "output_adapter"));
    s->heads = wfi_model_heads(info) ? json_object() : NULL;
    return s->name && s->task && s->method ? heads_add(k, t, names, s, err)
                                           : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

static wf_status source_add(const ranker *k, const char *name, const json_t *info, wf_ranking *out, wf_err *err) {
    wf_trained t = {0};
    json_t *names = json_array();
    wf_status st = names ? wfi_model_spread(k->lab, name, names, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_trained_open(k->lab, json_string_value(json_array_get(names, 0)), &t, err);
    if (st == WF_OK) st = opened_add(k, &t, name, names, info, out, err);
    wfi_trained_clear(&t);
    json_decref(names);
    return st;
}

/* Its own adapters are no sources, nor are those trained jointly for it and others; what an earlier fuse kept is a copy
 * of one; a whole base trained jointly is no adapter. */
static bool may_be_source(const json_t *info, const char *task, const char *base_hash) {
    return text_is(info, "base_hash", base_hash) && !text_is(info, "task", task) && !json_object_get(info, "benefit") &&
           !json_object_get(wfi_model_heads(info), task) && !text_is(info, "method", "multihead") &&
           json_array_size(json_object_get(info, "from")) == 0;
}

static bool shares_the_task(const json_t *info, const char *task, const char *base_hash) {
    return text_is(info, "base_hash", base_hash) && json_object_get(wfi_model_heads(info), task) &&
           !text_is(info, "method", "multihead") && json_object_size(wfi_model_heads(info)) > 1;
}

static bool named(const json_t *list, const char *name) {
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one) if (strcmp(json_string_value(one), name) == 0) return true;
    return false;
}

static wf_status sources_add(const ranker *k, wf_ranking *out, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0;
    WF_TRY(wfi_registry_list(k->lab->registry, "model", &records, &count, err));
    out->source = wfi_alloc(count + 1, sizeof *out->source);
    out->left_out = json_array();
    wf_status st = out->source && out->left_out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        json_t *info = NULL;
        const wf_progress p = {.stage = "rank",
                               .name = records[i].name,
                               .done = (int64_t)i,
                               .total = (int64_t)count,
                               .loss = NAN,
                               .seconds_left = -1,
                               .rate_unit = ""};
        if (wfi_lab_tick(k->lab, &p, false)) st = wfi_fail(err, WF_E_CANCELLED, "cancelled");
        if (st == WF_OK) st = wfi_lab_record_json(&records[i], &info, err);
        if (st == WF_OK && may_be_source(info, k->task->name, k->base->hash) &&
            (!k->wish->among || named(k->wish->among, records[i].name)))
            st = source_add(k, records[i].name, info, out, err);
        if (st == WF_OK && shares_the_task(info, k->task->name, k->base->hash))
            json_array_append_new(out->left_out, json_string(records[i].name));
        json_decref(info);
    }
    wfi_records_free(records, count);
    return st;
}

wf_status wfi_rank_candidates(wf_lab *lab, const char *task, const char *base_hash, json_t **out, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0;
    json_t *names = json_array();
    wf_status st = names ? wfi_registry_list(lab->registry, "model", &records, &count, err)
                         : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        json_t *info = NULL;
        st = wfi_lab_record_json(&records[i], &info, err);
        if (st == WF_OK && may_be_source(info, task, base_hash))
            json_array_append_new(names, json_string(records[i].name));
        json_decref(info);
    }
    wfi_records_free(records, count);
    if (st != WF_OK)
        json_decref(names);
    else
        *out = names;
    return st;
}

/* ---- the order ---- */

/* Places by one estimate, 0 to 1, shared by equals; added to the sums. Sources without it do not count. */
static void places_add(const wf_ranking *r, wf_rank_by by, double *sum, int *counted) {
    for (size_t i = 0; i < r->count; i++) {
        double below = 0, equal = 0, all = 0;
        if (isnan(r->source[i].by[by])) continue;
        for (size_t k = 0; k < r->count; k++) {
            const double other = r->source[k].by[by];
            if (isnan(other)) continue;
            all++;
            below += other < r->source[i].by[by];
            equal += other == r->source[i].by[by];
        }
        sum[i] += all > 1 ? (below + 0.5 * (equal - 1)) / (all - 1) : 0.5;
        counted[i]++;
    }
}

static int best_first(const void *a, const void *b) {
    const wf_rank_source *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score) : strcmp(x->name, y->name);
}

static wf_status by_parse(const char *by, int *only, wf_err *err) {
    *only = -1;
    if (!by || strcmp(by, "all") == 0) return WF_OK;
    for (int i = 0; i < WF_RANK_ESTIMATES; i++)
        if (strcmp(by, wfi_rank_names[i]) == 0) return *only = i, WF_OK;
    return wfi_fail(err, WF_E_ARG, "estimate \"%.40s\": use one of all, leep, neighbours, fisher", by);
}

static wf_status order(wf_ranking *r, int only, wf_err *err) {
    double *sum = wfi_alloc(r->count + 1, sizeof *sum);
    int *counted = wfi_alloc(r->count + 1, sizeof *counted);
    const bool good = sum && counted;
    for (int by = 0; good && by < WF_RANK_ESTIMATES; by++)
        if (only < 0 || only == by) places_add(r, (wf_rank_by)by, sum, counted);
    for (size_t i = 0; good && i < r->count; i++) r->source[i].score = counted[i] ? sum[i] / counted[i] : 0;
    wfi_free(sum);
    wfi_free(counted);
    if (!good) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    qsort(r->source, r->count, sizeof *r->source, best_first);
    return WF_OK;
}

void wfi_ranking_clear(wf_ranking *r) {
    for (size_t i = 0; i < r->count; i++) {
        wfi_free(r->source[i].name);
        wfi_free(r->source[i].task);
        wfi_free(r->source[i].method);
        json_decref(r->source[i].places[0]);
        json_decref(r->source[i].places[1]);
        json_decref(r->source[i].heads);
    }
    wfi_free(r->source);
    json_decref(r->left_out);
    *r = (wf_ranking){0};
}

bool wfi_rank_caution(const wf_ranking *r, char out[200]) {
    if (r->count < 2 || (r->rows >= WF_RANK_FEW && r->rows >= (size_t)WF_RANK_FEW_EACH * (size_t)r->classes))
        return false;
    snprintf(out, 200, "%zu training rows in %d classes are too few to tell sources apart: take the order as a guess",
             r->rows, r->classes);
    return true;
}

wf_status wfi_rank(wf_lab *lab, const wf_rank_wish *wish, wf_ranking *out, wf_err *err) {
    ranker k = {.lab = lab, .wish = wish};
    wf_ranking r = {.base_neighbours = NAN};
    int only = -1;
    WF_TRY(by_parse(wish->by, &only, err));
    if (wish->rows < 0 || wish->rows > 5000)
        return wfi_fail(err, WF_E_ARG, "rows is %lld; a ranking looks at 20 to 5000 training rows",
                        (long long)wish->rows);
    WF_TRY(wfi_lab_task(lab, wish->task, &k.task, &k.record, err));
    wf_status st = wfi_lab_base(lab, wish->base, WF_DTYPE_F32, &k.base, err);
    if (st == WF_OK)
        st = wfi_probe_rows(k.task, wish->rows ? (size_t)wish->rows : WF_RANK_ROWS, wish->seed, &k.rows, err);
    if (st == WF_OK)
        st = wfi_task_embedding(lab, k.base, k.task, k.record.hash, k.rows.rows.count, wish->seed, &k.embedding,
                                &k.embedding_size, err);
    if (st == WF_OK) st = base_neighbours(&k, &r.base_neighbours, err);
    if (st == WF_OK) st = sources_add(&k, &r, err);
    if (st == WF_OK) st = order(&r, only, err);
    r.rows = k.rows.rows.count;
    r.classes = k.rows.classes;
    wfi_free(k.embedding);
    wfi_probe_rows_clear(&k.rows);
    wfi_record_clear(&k.record);
    wfi_task_free(k.task);
    if (st != WF_OK)
        wfi_ranking_clear(&r);
    else
        *out = r;
    return st;
}

/* ---- "auto" ---- */

wf_status wfi_rank_auto(const char *word, bool *is, int64_t *wanted, wf_err *err) {
    char *end = NULL;
    *is = strcmp(word, "auto") == 0 || strncmp(word, "auto:", 5) == 0;
    *wanted = WF_RANK_AUTO;
    if (!*is || !word[4]) return WF_OK;
    errno = 0;
    *wanted = strtoll(word + 5, &end, 10);
    return word[5] && !*end && !errno && *wanted >= 1 && *wanted <= 64
               ? WF_OK
               : wfi_fail(err, WF_E_ARG, "\"%.40s\": how many adapters? e.g. auto:3 (1 to 64)", word);
}

static void best_add(const wf_ranking *r, int64_t wanted, json_t *names) {
    const wf_rank_source *first = NULL;
    for (size_t i = 0; i < r->count && wanted > 0; i++) {
        const wf_rank_source *s = &r->source[i];
        if (!s->fusable || named(names, s->name)) continue;
        if (!first) first = s;
        if (!json_equal(first->places[0], s->places[0]) || !json_equal(first->places[1], s->places[1])) continue;
        json_array_append_new(names, json_string(s->name));
        wanted--;
    }
}

wf_status wfi_rank_choose(wf_lab *lab, const wf_rank_wish *wish, const char *const *from, size_t count, json_t **out,
                          wf_err *err) {
    json_t *names = json_array();
    int64_t wanted = 0;
    wf_status st = names ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        bool chooses = false;
        int64_t many = 0;
        st = wfi_rank_auto(from[i], &chooses, &many, err);
        if (st == WF_OK && chooses && wanted) st = wfi_fail(err, WF_E_ARG, "auto stands twice among the adapters");
        if (chooses) {
            wanted = many;
        } else if (st == WF_OK) {
            wf_record r = {0};
            if (!wish->compared || strcmp(from[i], "own") != 0)
                st = wfi_registry_get(lab->registry, "model", from[i], &r, err);
            wfi_record_clear(&r);
            json_array_append_new(names, json_string(from[i]));
        }
    }
    if (st == WF_OK && wanted) {
        wf_ranking r = {0};
        char caution[200];
        const size_t before = json_array_size(names);
        st = wfi_rank(lab, wish, &r, err);
        if (st == WF_OK) best_add(&r, wanted, names);
        if (st == WF_OK && json_array_size(names) == before)
            st =
                wfi_fail(err, WF_E_NOTFOUND,
                         "there is no other adapter of another task to choose from; train some first: weft train TASK");
        char *text = st == WF_OK && !wish->compared ? wfi_json_text(names, false) : NULL;
        if (text && wfi_rank_caution(&r, caution)) wfi_lab_message(lab, "warning", "%s", caution);
        if (text) wfi_lab_message(lab, "note", "%s: fused are %s (see: weft rank %s)", wish->task, text, wish->task);
        wfi_free(text);
        wfi_ranking_clear(&r);
    }
    if (st != WF_OK)
        json_decref(names);
    else
        *out = names;
    return st;
}
