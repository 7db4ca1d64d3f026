/* lab/precision.c - see precision.h. */
#include "lab/precision.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "kernels/gemm.h"
#include <stdio.h>
#include <string.h>

/* Rounding costs a little accuracy, so it must pay: at least this much over the next more exact type. Products of small
 * bases take no time worth it. */
static const double FASTER_BY = 1.2;
enum { SMALL_MATRIX = 1 << 16, ROWS = 128, LEAST_ROUNDS = 7, MOST_ROUNDS = 200 };
static const double ENOUGH_SECONDS = 0.2;

static const struct {
    const char *name, *rate; /* rate: its field in speed.json */
    wf_dtype type;
} types[] = {
    {"f32", "f32_gflops", WF_DTYPE_F32}, {"bf16", "bf16_gflops", WF_DTYPE_BF16}, {"int8", "int8_gflops", WF_DTYPE_I8}};
enum { TYPES = sizeof types / sizeof *types, TRAINED_TYPES = 2 /* the first ones: of a base that is trained */ };

const char *wfi_precision_name(wf_dtype t) {
    for (int i = 0; i < TYPES; i++)
        if (types[i].type == t) return types[i].name;
    return "unknown";
}

bool wfi_precision_parse(const char *word, wf_dtype *out) {
    for (int i = 0; i < TYPES; i++)
        if (strcmp(word ? word : "f32", types[i].name) == 0) return *out = types[i].type, true;
    return false;
}

wf_status wfi_precision_check(const char *word, wf_err *err) {
    wf_dtype t;
    if (!word || strcmp(word, "auto") == 0 || wfi_precision_parse(word, &t)) return WF_OK;
    return wfi_fail(err, WF_E_ARG, "base type \"%.40s\": use one of f32, bf16, int8, auto", word);
}

typedef struct trial { /* one product in each of `types` that this machine multiplies in itself */
    int64_t k, n;
    float *a, *c;
    wf_packed *packed[TYPES]; /* NULL: not natively */
    double best[TYPES];       /* seconds */
} trial;

static bool native(wf_dtype t) {
    return t == WF_DTYPE_F32 || (t == WF_DTYPE_BF16 ? wfi_packed_native_bf16() : wfi_packed_native_int8());
}

static wf_status trial_open(trial *t, wf_err *err) {
    float *b = wfi_alloc_aligned((size_t)(t->k * t->n) * sizeof *b);
    t->a = wfi_alloc_aligned((size_t)(ROWS * t->k) * sizeof *t->a);
    t->c = wfi_alloc_aligned((size_t)(ROWS * t->n) * sizeof *t->c);
    wf_status st = b && t->a && t->c ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (int64_t i = 0; st == WF_OK && i < t->k * t->n; i++) b[i] = wfi_random_uniform(1, (uint64_t)i) - 0.5f;
    for (int64_t i = 0; st == WF_OK && i < ROWS * t->k; i++) t->a[i] = wfi_random_uniform(2, (uint64_t)i) - 0.5f;
    for (int i = 0; st == WF_OK && i < TYPES; i++)
        if (native(types[i].type)) st = wfi_packed_new(true, t->k, t->n, b, t->k, types[i].type, &t->packed[i], err);
    wfi_free(b);
    return st;
}

static void trial_close(trial *t) {
    for (int i = 0; i < TYPES; i++) wfi_packed_free(t->packed[i]);
    wfi_free(t->a);
    wfi_free(t->c);
}

/* In turn, and the fastest of each, of many short ones: some of all run while nothing else does. */
static wf_status trial_run(trial *t, wf_err *err) {
    const double begin = wfi_clock_seconds();
    for (int round = 0; round < LEAST_ROUNDS || (round < MOST_ROUNDS && wfi_clock_seconds() - begin < ENOUGH_SECONDS);
         round++)
        for (int i = 0; i < TYPES; i++) {
            if (!t->packed[i]) continue;
            const double from = wfi_clock_seconds();
            WF_TRY(wfi_packed_gemm(t->packed[i], ROWS, t->a, t->k, NULL, 0.0f, t->c, t->n, err));
            const double seconds = wfi_clock_seconds() - from;
            if (round == 0 || seconds < t->best[i]) t->best[i] = seconds;
        }
    return WF_OK;
}

/* Of the first `count` types, by the rates of a measured entry. */
static int fastest(const json_t *entry, int count) {
    int chosen = 0;
    for (int i = 1; i < count; i++)
        if (json_number_value(json_object_get(entry, types[i].rate)) >=
            FASTER_BY * json_number_value(json_object_get(entry, types[chosen].rate)))
            chosen = i;
    return chosen;
}

static wf_status measure(const wf_bert_config *c, json_t **entry, wf_err *err) {
    trial t = {.k = c->hidden_size, .n = c->intermediate_size};
    wf_status st = trial_open(&t, err);
    if (st == WF_OK) st = trial_run(&t, err);
    trial_close(&t);
    WF_TRY(st);
    const double flops = 2e-9 * ROWS * (double)t.k * (double)t.n;
    bool ok = (*entry = json_object()) != NULL;
    for (int i = 0; i < TYPES; i++)
        if (t.best[i] > 0) ok &= json_object_set_new(*entry, types[i].rate, json_real(flops / t.best[i])) == 0;
    ok &= json_object_set_new(*entry, "type", json_string(types[fastest(*entry, TYPES)].name)) == 0;
    return ok ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

/* What was measured before a type could be chosen says nothing of it. */
static bool entry_whole(const json_t *entry) {
    bool whole = true;
    for (int i = 0; i < TYPES; i++) whole &= !native(types[i].type) || json_object_get(entry, types[i].rate);
    return whole;
}

static wf_status remembered(wf_lab *lab, const wf_bert_config *c, json_t **entry, wf_err *err) {
    enum { MOST_BYTES = 1 << 20 };
    char key[160];
    const wf_cpu *cpu = wfi_cpu_get();
    snprintf(key, sizeof key, "%s, %s, %d threads, %lldx%lld", cpu->name, wfi_isa_name(cpu->isa), lab->threads,
             (long long)c->hidden_size, (long long)c->intermediate_size);
    char *path = wfi_lab_path(lab, "speed.json");
    json_t *all = NULL;
    wf_status st = path ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && wfi_file_exists(path))
        st = wfi_json_read(path, MOST_BYTES, &all, err);
    else if (st == WF_OK && !(all = json_object()))
        st = wfi_fail(err, WF_E_NOMEM, "out of memory");
    const json_t *found = json_object_get(all, key);
    const char *word = entry_whole(found) ? json_string_value(json_object_get(found, "type")) : NULL;
    wf_dtype type;
    if (st == WF_OK && word && !wfi_precision_parse(word, &type))
        st = wfi_fail(err, WF_E_DATA, "%s: type \"%.40s\" of \"%s\" is none of f32, bf16, int8", path, word, key);
    if (st == WF_OK && word) *entry = json_incref((json_t *)found);
    if (st == WF_OK && !word) {
        st = measure(c, entry, err);
        if (st == WF_OK && json_object_set(all, key, *entry) != 0)
            st = wfi_fail(err, WF_E_DATA, "%s is no JSON object; remove it", path);
        if (st == WF_OK) st = wfi_json_write(path, all, err);
    }
    json_decref(all);
    wfi_free(path);
    return st;
}

wf_status wfi_precision_settle(wf_lab *lab, const wf_open_base *base, const char *word, bool trained, wf_dtype *out,
                               wf_err *err) {
    WF_TRY(wfi_precision_check(word, err));
    const bool none = trained && word && strcmp(word, "int8") == 0;
    if (word && strcmp(word, "auto") != 0 && !none) {
        wfi_precision_parse(word, out);
        return WF_OK;
    }
    const wf_bert_config *c = &base->model->config;
    *out = WF_DTYPE_F32;
    if ((!native(WF_DTYPE_BF16) && !native(WF_DTYPE_I8)) || c->hidden_size * c->intermediate_size < SMALL_MATRIX)
        return WF_OK;
    json_t *entry = NULL;
    const wf_status st = lab->dir ? remembered(lab, c, &entry, err) : measure(c, &entry, err);
    if (st == WF_OK && trained) *out = types[fastest(entry, TRAINED_TYPES)].type;
    if (st == WF_OK && !trained) wfi_precision_parse(json_string_value(json_object_get(entry, "type")), out);
    json_decref(entry);
    return st;
}

wf_status wfi_precision_settle_for(wf_lab *lab, const wf_open_base *base, const json_t *settings, wf_dtype *out,
                                   wf_err *err) {
    const char *method = json_string_value(json_object_get(settings, "method"));
    return wfi_precision_settle(lab, base, json_string_value(json_object_get(settings, "base_dtype")),
                                method && strcmp(method, "full") == 0, out, err);
}
