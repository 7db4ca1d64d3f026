/* study/interact_subsets.c - the fusion with some of its adapters. See interact.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/job.h"
#include "study/interact.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void wfi_interact_clear(wf_interact *x) {
    for (size_t i = 0; i < x->count; i++) {
        wfi_free(x->subsets[i].in);
        wfi_free((void *)x->subsets[i].said.scores);
        wfi_free(x->subsets[i].features);
    }
    wfi_free(x->subsets);
    wfi_free(x->without);
    wfi_free(x->alone);
    wfi_free(x->looked);
    wfi_interact_heads_free(x);
    json_decref(x->attention);
    wfi_encoded_clear(&x->e);
    wfi_rows_clear(&x->rows);
    wfi_truth_clear(&x->truth);
    wfi_trained_clear(&x->t);
    wfi_task_free(x->task);
}

wf_status wfi_interact_subset(wf_interact *x, const bool *in, size_t *at, wf_err *err) {
    for (size_t i = 0; i < x->count; i++)
        if (memcmp(x->subsets[i].in, in, x->n * sizeof *in) == 0) {
            *at = i;
            return WF_OK;
        }
    if (x->count == x->cap) {
        const size_t cap = x->cap ? 2 * x->cap : 64;
        wf_subset *more = wfi_alloc(cap, sizeof *more);
        if (!more) return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu subsets", cap);
        if (x->count) memcpy(more, x->subsets, x->count * sizeof *more);
        wfi_free(x->subsets);
        x->subsets = more;
        x->cap = cap;
    }
    wf_subset *s = &x->subsets[x->count];
    *s = (wf_subset){.in = wfi_alloc(x->n, sizeof *s->in)};
    if (!s->in) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    memcpy(s->in, in, x->n * sizeof *in);
    *at = x->count++;
    return WF_OK;
}

static size_t left_in(const wf_interact *x, const wf_subset *s) {
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) n += s->in[i];
    return n;
}

/* Features first, so that they can be kept; the head then starts from them. */
static wf_status answer(wf_interact *x, wf_subset *s, wf_err *err) {
    const int32_t columns = wfi_study_columns(x->task, &x->rows);
    wf_outputs o = {0};
    bool *out = wfi_alloc(x->n, sizeof *out);
    if (!out) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < x->n; i++) out[i] = !s->in[i];
    wfi_fusion_leave_out(x->t.fusion, out);
    wfi_free(out);
    wf_status st = wfi_features_make(x->t.context, &x->e, err);
    if (st == WF_OK) st = wfi_evaluate_outputs(x->t.context, &x->e, columns, &o, err);
    if (st == WF_OK && left_in(x, s) <= 1) {
        x->width = (size_t)x->e.pooled_width;
        s->features = wfi_alloc(x->alike, x->width * sizeof *s->features);
        if (s->features)
            memcpy(s->features, x->e.pooled, x->alike * x->width * sizeof *s->features);
        else
            st = wfi_fail(err, WF_E_NOMEM, "out of memory for the features of %zu texts", x->alike);
    }
    wfi_free(x->e.pooled);
    x->e.pooled = NULL;
    wfi_fusion_leave_out(x->t.fusion, NULL);
    if (st != WF_OK) {
        wfi_outputs_clear(&o);
        return st;
    }
    s->said = wfi_study_judged(x->task, &x->rows, &x->truth, o.scores);
    return WF_OK;
}

wf_status wfi_interact_ask(wf_interact *x, wf_err *err) {
    char stage[96];
    for (size_t i = 0; i < x->count; i++) {
        if (x->subsets[i].said.scores) continue;
        snprintf(stage, sizeof stage, "%zu of %zu adapters", left_in(x, &x->subsets[i]), x->n);
        WF_TRY(answer(x, &x->subsets[i], err));
        WF_TRY(wfi_study_tick(&x->study, stage, (int64_t)x->rows.count, err));
    }
    return WF_OK;
}

/* The whole fusion answers, and is watched. */
static wf_status watched(wf_interact *x, wf_err *err) {
    WF_TRY(wfi_fusion_watch_on(x->t.fusion, err));
    wf_status st = answer(x, &x->subsets[x->all], err);
    const wf_fusion_watch *w = x->t.fusion->watch;
    x->attention = json_array();
    for (size_t b = 0; st == WF_OK && b < w->blocks; b++) {
        int layer = 0;
        wf_site site = WF_SITE_FFN_OUT;
        json_t *weights = json_object();
        wfi_fusion_block_at(x->t.fusion, b, &layer, &site);
        const double tokens = (double)w->tokens, entropy = w->entropy[b] / tokens;
        for (size_t i = 0; i < x->n; i++) {
            const double mean = w->sum[b * x->n + i] / tokens;
            x->looked[i] += mean / (double)w->blocks;
            json_object_set_new(weights, x->t.fused[i]->name, json_real(mean));
        }
        x->entropy += x->n > 1 ? entropy / log((double)x->n) / (double)w->blocks : 0;
        json_array_append_new(x->attention, json_pack("{s:i, s:s, s:o, s:f}", "layer", layer, "site",
                                                      wfi_site_name(site), "weights", weights, "entropy", entropy));
    }
    wfi_fusion_watch_off(x->t.fusion);
    return st == WF_OK ? wfi_study_tick(&x->study, "all adapters", (int64_t)x->rows.count, err) : st;
}

/* The adapters whose pairs are looked at: all, or the most looked at. */
static void chosen_find(wf_interact *x) {
    bool taken[1024] = {false};
    const size_t most = x->n < WF_INTERACT_PAIRED ? x->n : WF_INTERACT_PAIRED;
    for (size_t k = 0; k < most; k++) {
        size_t best = x->n;
        for (size_t i = 0; i < x->n; i++)
            if (!taken[i] && (best == x->n || x->looked[i] > x->looked[best])) best = i;
        taken[best] = true;
    }
    for (size_t i = 0; i < x->n; i++)
        if (taken[i]) x->chosen[x->chosen_count++] = i;
}

wf_status wfi_interact_singles(wf_interact *x, wf_err *err) {
    bool *in = wfi_alloc(x->n, sizeof *in);
    x->without = wfi_alloc(x->n, sizeof *x->without);
    x->alone = wfi_alloc(x->n, sizeof *x->alone);
    x->looked = wfi_alloc(x->n, sizeof *x->looked);
    wf_status st = in && x->without && x->alone && x->looked ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_interact_subset(x, in, &x->none, err);
    for (size_t i = 0; st == WF_OK && i < x->n; i++) {
        in[i] = true;
        st = wfi_interact_subset(x, in, &x->alone[i], err);
        in[i] = false;
    }
    for (size_t i = 0; in && i < x->n; i++) in[i] = true;
    if (st == WF_OK) st = wfi_interact_subset(x, in, &x->all, err);
    for (size_t i = 0; st == WF_OK && i < x->n; i++) {
        in[i] = false;
        st = wfi_interact_subset(x, in, &x->without[i], err);
        in[i] = true;
    }
    wfi_free(in);
    if (st == WF_OK) st = watched(x, err);
    if (st == WF_OK) chosen_find(x);
    return st;
}
