/* bench/result.c - what was measured, as JSON; what the inference works answer; the adapters they ran. */
#include "adapters/adapter.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "bench/bench.h"
#include "hub/hub.h"
#include "lab/precision.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_ROWS = 64 };

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between the two nearest; sorts in place. */
static double quantile(double *v, size_t n, double q) {
    qsort(v, n, sizeof *v, by_value);
    const double at = q * (double)(n - 1);
    const size_t low = (size_t)at, high = low + 1 < n ? low + 1 : low;
    return v[low] + (at - (double)low) * (v[high] - v[low]);
}

static void rates_set(json_t *j, const wf_bench_state *b, const wf_bench_running *r) {
    double rate[BENCH_ROUNDS], step[BENCH_ROUNDS];
    const size_t n = (size_t)r->rounds;
    bool beyond = false;
    json_t *rounds = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(rounds, json_real(r->rate[i]));
    memcpy(rate, r->rate, n * sizeof *rate);
    memcpy(step, r->step, n * sizeof *step);
    const double median = quantile(rate, n, 0.5), share = wfi_bench_share(b, r, median, &beyond);
    if (beyond)
        wfi_lab_message(b->lab, "warning", "%s is faster than the fastest matrix products: no share of them is told",
                        r->work->name);
    const double flop = r->base_flop + r->rest_flop;
    json_object_set_new(j, "tokens_per_second", json_real(median));
    json_object_set_new(j, "tokens_per_second_low", json_real(rate[0]));
    json_object_set_new(j, "tokens_per_second_high", json_real(rate[n - 1]));
    json_object_set_new(j, "rounds", rounds);
    json_object_set_new(j, "seconds_per_step", json_real(quantile(step, n, 0.5)));
    json_object_set_new(j, "steps", json_integer(r->steps));
    json_object_set_new(j, "tokens_per_step", json_real((double)r->tokens / (double)r->steps));
    json_object_set_new(j, "flop_per_token", json_real(flop));
    json_object_set_new(j, "gflops", json_real(1e-9 * flop * median));
    json_object_set_new(j, "share_of_peak", isnan(share) ? json_null() : json_real(share));
}

static json_t *adapters_json(const wf_bench_state *b, const wf_bench_running *r) {
    json_t *names = json_array();
    if (r->subject.adapter) json_array_append_new(names, json_string(r->subject.adapter->name));
    for (int64_t i = 0; i < r->work->fused; i++) json_array_append_new(names, json_string(b->pool[i]->name));
    return names;
}

static json_t *work_json(const wf_bench_state *b, wf_bench_running *r) {
    const wf_bench_work *w = r->work;
    json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:o}", "work", w->name, "base_dtype", wfi_precision_name(w->dtype),
                          "batch_rows", (json_int_t)w->batch_rows, "trainable_params", (json_int_t)r->trainable,
                          "adapters", adapters_json(b, r));
    rates_set(j, b, r);
    json_object_set_new(j, "peak_rss_bytes", r->peak_rss ? json_integer(r->peak_rss) : json_null());
    if (w->kind == BENCH_LATENCY) {
        json_object_set_new(j, "runs", json_integer((json_int_t)r->latency_count));
        json_object_set_new(j, "median_ms", json_real(1e3 * quantile(r->latency, r->latency_count, 0.5)));
        json_object_set_new(j, "p90_ms", json_real(1e3 * quantile(r->latency, r->latency_count, 0.9)));
    }
    return j;
}

static json_t *gemm_json(const wf_bench_team *team) {
    json_t *all = json_array();
    for (int k = 0; k < BENCH_PEAKS; k++) {
        const wf_bench_peak *p = &team->peaks[k];
        if (p->flops > 0)
            json_array_append_new(all,
                                  json_pack("{s:s, s:s, s:f, s:I, s:I, s:I}", "dtype", wfi_precision_name(p->dtype),
                                            "by", p->own ? "weft" : "oneDNN", "gflops", 1e-9 * p->flops, "m",
                                            (json_int_t)p->m, "k", (json_int_t)p->k, "n", (json_int_t)p->n));
    }
    return all;
}

/* Points of one curve; "ratio": seconds a step over those of the first point. */
static json_t *growth_json(const wf_bench_state *b, const char *name) {
    json_t *points = json_array();
    double first = 0, first_rate = 0;
    const char *measured = "";
    for (size_t i = 0; i < b->work_count; i++) {
        wf_bench_running *r = &b->running[i];
        if (strcmp(r->work->growth, name) != 0) continue;
        json_t *p = json_pack("{s:I, s:I}", "x", (json_int_t)r->work->x, "batch_rows", (json_int_t)r->work->batch_rows);
        rates_set(p, b, r);
        const double step = json_number_value(json_object_get(p, "seconds_per_step")),
                     rate = json_number_value(json_object_get(p, "tokens_per_second"));
        if (first == 0) first = step, first_rate = rate;
        json_object_set_new(p, "step_ratio", json_real(step / first));
        json_object_set_new(p, "peak_rss_bytes", r->peak_rss ? json_integer(r->peak_rss) : json_null());
        if (r->work->threads) {
            json_object_set_new(p, "scaling_efficiency", json_real(rate / first_rate / (double)r->work->x));
            json_object_set_new(p, "gemm", gemm_json(wfi_bench_team_of(b, r->work)));
        }
        json_array_append_new(points, p);
        measured = r->work->parts == BENCH_FUSE ? "train:fuse" : r->work->name;
    }
    if (json_array_size(points) == 0) {
        json_decref(points);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o}", "growth", name, "work", measured, "points", points);
}

static json_t *machine_json(const wf_bench_state *b) {
    const wf_cpu *cpu = wfi_cpu_get();
    return json_pack("{s:s, s:s, s:i, s:i}", "cpu", cpu->name, "isa", wfi_isa_name(cpu->isa), "cores", cpu->cores,
                     "threads", b->lab->threads);
}

static json_t *base_json(const wf_bench_state *b) {
    const wf_bert_config *c = &b->models[0]->config;
    return json_pack("{s:s, s:b, s:i, s:I, s:I, s:I}", "name", b->base_name, "random", b->open == NULL, "layers",
                     c->layers, "hidden_size", (json_int_t)c->hidden_size, "intermediate_size",
                     (json_int_t)c->intermediate_size, "heads", (json_int_t)c->heads);
}

json_t *wfi_bench_json(const wf_bench_state *b) {
    static const char *const growths[] = {"grow:fuse", "grow:length", "grow:batch", "grow:threads"};
    char now[24];
    json_t *works = json_array(), *growth = json_array();
    const double tokens = (double)b->texts.offsets[b->texts.sequences];
    for (size_t i = 0; i < b->work_count; i++)
        if (!b->works[i].growth[0]) json_array_append_new(works, work_json(b, &b->running[i]));
    for (size_t i = 0; i < sizeof growths / sizeof *growths; i++) {
        json_t *g = growth_json(b, growths[i]);
        if (g) json_array_append_new(growth, g);
    }
    wfi_clock_iso(now);
    json_t *texts = json_pack("{s:s, s:I, s:I, s:f}", "source", b->spec->texts ? "file" : "random", "rows",
                              (json_int_t)b->texts.rows, "tokens", (json_int_t)tokens, "mean_tokens",
                              tokens / (double)b->texts.rows);
    return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:i, s:o, s:o, s:o, s:f, s:I}", "version", wf_version(),
                     "finished", now, "machine", machine_json(b), "base", base_json(b), "base_dtype",
                     wfi_precision_name(b->dtype), "texts", texts, "rounds", b->rounds, "gemm", gemm_json(&b->teams[0]),
                     "works", works, "growth", growth, "wall_seconds", wfi_clock_seconds() - b->began, "peak_rss_bytes",
                     (json_int_t)wfi_clock_peak_rss());
}

/* ---- what the works answer ---- */

static wf_status pooled_json(wf_bench_running *r, const wf_encoded *texts, json_t **out, wf_err *err) {
    wf_encoded some = wfi_bench_view(texts, 0, texts->rows < OUTPUT_ROWS ? texts->rows : OUTPUT_ROWS);
    WF_TRY(wfi_features_make(r->subject.context, &some, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < some.rows; i++) {
        json_t *row = json_array();
        for (int64_t k = 0; k < some.pooled_width; k++)
            json_array_append_new(row, json_real((double)some.pooled[(int64_t)i * some.pooled_width + k]));
        json_array_append_new(rows, row);
    }
    wfi_free(some.pooled);
    *out = rows;
    return WF_OK;
}

wf_status wfi_bench_outputs(wf_bench_state *b, const char *path, wf_err *err) {
    json_t *works = json_object();
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < b->work_count; i++) {
        json_t *values = NULL;
        if (b->works[i].kind != BENCH_INFER) continue;
        st = pooled_json(&b->running[i], &b->texts, &values, err);
        if (st == WF_OK)
            json_object_set_new(works, b->works[i].name,
                                json_pack("{s:s, s:s, s:s, s:o, s:o}", "output", "pooled", "pooling",
                                          b->pooling == WF_POOL_MEAN ? "mean" : "cls", "base_dtype",
                                          wfi_precision_name(b->works[i].dtype), "adapters",
                                          adapters_json(b, &b->running[i]), "values", values));
    }
    json_t *all = json_pack("{s:o}", "works", works);
    if (st == WF_OK) st = all ? wfi_json_write(path, all, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    json_decref(all);
    return st;
}

static wf_status below(const char *dir, const char *name, char **path, wf_err *err) {
    *path = wfi_path_join(dir, name);
    return *path ? wfi_dir_make(*path, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

wf_status wfi_bench_parts(wf_bench_state *b, const char *dir, wf_err *err) {
    char name[96], *path = NULL;
    wf_status st = b->work_count ? below(dir, "head", &path, err) : WF_OK; /* all works have the same one */
    if (path && st == WF_OK) st = wfi_hub_head_save(b->running[0].subject.head, b->base_name, path, err);
    wfi_free(path);
    path = NULL;
    for (size_t i = 0; st == WF_OK && i < b->pool_count; i++) {
        snprintf(name, sizeof name, "adapters/%s", b->pool[i]->name);
        st = below(dir, name, &path, err);
        if (st == WF_OK) st = wfi_hub_adapter_save(b->pool[i], b->base_name, path, err);
        wfi_free(path);
        path = NULL;
    }
    for (size_t i = 0; st == WF_OK && i < b->work_count; i++) {
        const wf_bench_subject *s = &b->running[i].subject;
        const bool own = s->adapter && !s->adapter_borrowed; /* not of the pool */
        if (b->works[i].kind != BENCH_INFER || !(s->fusion || own)) continue;
        if (s->fusion)
            snprintf(name, sizeof name, "fusions/%zu", s->fusion->count);
        else
            snprintf(name, sizeof name, "adapters/%s", b->works[i].method);
        st = below(dir, name, &path, err);
        if (st == WF_OK)
            st = s->fusion ? wfi_hub_fusion_save(s->fusion, b->base_name, path, err)
                           : wfi_hub_adapter_save(s->adapter, b->base_name, path, err);
        wfi_free(path);
        path = NULL;
    }
    return st;
}
