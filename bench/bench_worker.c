/* bench/bench_worker.c - weft's side of a benchmark beside other programs (bench/peers): a process that answers a line
 * of JSON with a line of JSON and computes nothing in between, so that it can take turns with others.
 *   {"do":"load","lab","base","texts","threads","works":[...]}   types and arithmetic of the works; those that this
 *                                                                version cannot run carry "error"
 *   {"do":"run","work","seconds"}       one round of a work, or of "gemm" or "tokenize"
 *   {"do":"gradient","work","rows","gradient":FILE}   of a training work's loss over the first texts (bench/gradient.c)
 *   {"do":"outputs","works":[...],"outputs":FILE,"parts":FOLDER}   as `weft bench --outputs --parts`
 * What is timed is src/bench's, which `weft bench` itself runs. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "bench/bench.h"
#include "lab/precision.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKS_MOST = 128, LINE_MOST = 65536 };

static wf_lab *lab;
static wf_bench_spec spec;
static wf_bench_state timed; /* what `run` runs */
static wf_map texts;         /* for "tokenize" */

/* Gives the bytes of text, without the ends of lines. */
static size_t encode_all(const wf_tokenizer *t, wf_encoding *e, wf_hash *h, wf_status *st, wf_err *err) {
    const char *at = (const char *)texts.data, *end = at + texts.size;
    size_t bytes = 0;
    while (*st == WF_OK && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        *st = wfi_tokenizer_encode(t, at, (size_t)(stop - at), NULL, 0, 0, e, err);
        if (h && *st == WF_OK) wfi_hash_add(h, e->ids, e->count * sizeof *e->ids);
        bytes += (size_t)(stop - at);
        at = stop + 1;
    }
    return bytes;
}

static wf_status tokenize_run(double seconds, json_t **out, wf_err *err) {
    const double from = wfi_clock_seconds();
    double spent = 0;
    size_t bytes = 0;
    int rounds = 0;
    wf_encoding e = {0};
    wf_status st = WF_OK;
    for (; st == WF_OK && (rounds == 0 || spent < seconds); rounds++) {
        bytes += encode_all(timed.open->tokenizer, &e, NULL, &st, err);
        spent = wfi_clock_seconds() - from;
    }
    wfi_encoding_clear(&e);
    if (st == WF_OK) *out = json_pack("{s:f, s:f, s:i}", "amount", (double)bytes, "seconds", spent, "steps", rounds);
    return st;
}

/* {TYPE: of the fastest maker}, and of 8 bits both makers. */
static wf_status gemm_run(json_t **out, wf_err *err) {
    static const wf_dtype types[] = {WF_DTYPE_F32, WF_DTYPE_BF16, WF_DTYPE_I8};
    timed.team_count = 0; /* of this moment */
    memset(timed.teams, 0, sizeof timed.teams);
    WF_TRY(wfi_bench_peaks(&timed, err));
    const wf_bench_team *team = &timed.teams[0];
    *out = json_object();
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        if (wfi_bench_peak(team, types[t]) > 0)
            json_object_set_new(*out, wfi_precision_name(types[t]), json_real(wfi_bench_peak(team, types[t])));
    for (int k = 0; k < BENCH_PEAKS; k++)
        if (team->peaks[k].dtype == WF_DTYPE_I8 && team->peaks[k].flops > 0)
            json_object_set_new(*out, team->peaks[k].own ? "int8 by weft" : "int8 by oneDNN",
                                json_real(team->peaks[k].flops));
    return WF_OK;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static wf_status work_run(wf_bench_running *r, double seconds, json_t **out, wf_err *err) {
    r->rounds = 0;
    r->steps = r->tokens = 0;
    r->latency_count = 0;
    WF_TRY(wfi_bench_round(&timed, r, seconds, err));
    double amount = (double)r->tokens, spent = amount / r->rate[0];
    if (r->work->kind == BENCH_LATENCY) { /* the median of single texts */
        qsort(r->latency, r->latency_count, sizeof *r->latency, by_value);
        amount /= (double)r->steps;
        spent = r->latency[r->latency_count / 2];
    }
    *out = json_pack("{s:f, s:f, s:I}", "amount", amount, "seconds", spent, "steps", (json_int_t)r->steps);
    return WF_OK;
}

static wf_status loaded_find(const char *name, wf_bench_running **out, wf_err *err) {
    for (size_t i = 0; i < timed.work_count; i++)
        if (strcmp(timed.works[i].name, name) == 0) return *out = &timed.running[i], WF_OK;
    return wfi_fail(err, WF_E_ARG, "work \"%s\" was not loaded", name);
}

static wf_status run(const json_t *ask, json_t **out, wf_err *err) {
    const char *name = NULL;
    double seconds = 0;
    WF_TRY(wfi_json_str(ask, "work", "run", &name, err));
    WF_TRY(wfi_json_num(ask, "seconds", "run", &seconds, err));
    if (strcmp(name, "gemm") == 0) return gemm_run(out, err);
    if (strcmp(name, "tokenize") == 0) return tokenize_run(seconds, out, err);
    wf_bench_running *r = NULL;
    WF_TRY(loaded_find(name, &r, err));
    return work_run(r, seconds, out, err);
}

static wf_status gradient(const json_t *ask, json_t **out, wf_err *err) {
    const char *name = NULL, *file = NULL;
    int64_t rows = 0;
    wf_bench_running *r = NULL;
    WF_TRY(wfi_json_str(ask, "work", "gradient", &name, err));
    WF_TRY(wfi_json_str(ask, "gradient", "gradient", &file, err));
    WF_TRY(wfi_json_int(ask, "rows", "gradient", 1, 4096, &rows, err));
    WF_TRY(loaded_find(name, &r, err));
    WF_TRY(wfi_bench_gradient(&timed, r, rows, file, err));
    *out = json_object();
    return WF_OK;
}

/* Works that this version knows, as s->works; the others' errors into `told`. */
static wf_status works_known(const json_t *ask, const char **names, wf_bench_spec *s, json_t *told, wf_err *err) {
    size_t i;
    const json_t *name;
    s->works = names;
    s->work_count = 0;
    json_array_foreach(json_object_get(ask, "works"), i, name) {
        const char *const one = json_string_value(name);
        const wf_bench_spec alone = {.works = &one, .work_count = 1};
        wf_bench_state trial = {.lab = lab, .spec = &alone};
        wf_err why = {0};
        if (!one || s->work_count == WORKS_MOST) return wfi_fail(err, WF_E_ARG, "works: at most %d names", WORKS_MOST);
        if (wfi_bench_works(&trial, &why) == WF_OK)
            names[s->work_count++] = one;
        else
            json_object_set_new(told, one, json_pack("{s:s}", "error", why.text));
        wfi_free(trial.works);
    }
    return WF_OK;
}

static wf_status state_open(wf_bench_state *b, wf_err *err) {
    WF_TRY(wfi_bench_works(b, err));
    WF_TRY(wfi_bench_base_open(b, err));
    WF_TRY(wfi_bench_base_types(b, err));
    WF_TRY(wfi_bench_texts(b, err));
    b->running = wfi_alloc(b->work_count + 1, sizeof *b->running);
    if (!b->running) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < b->work_count; i++) WF_TRY(wfi_bench_open(b, &b->works[i], &b->running[i], err));
    return WF_OK;
}

static wf_status load(const json_t *ask, json_t **out, wf_err *err) {
    static const char *names[WORKS_MOST];
    const char *dir = NULL;
    int64_t threads = 0;
    json_t *works = json_object();
    *out = json_pack("{s:{s:s}, s:o}", "versions", "weft", wf_version(), "works", works);
    WF_TRY(wfi_json_str(ask, "lab", "load", &dir, err));
    WF_TRY(wfi_json_str(ask, "base", "load", &spec.base, err));
    WF_TRY(wfi_json_str(ask, "texts", "load", &spec.texts, err));
    WF_TRY(wfi_json_int(ask, "threads", "load", 0, 1024, &threads, err));
    WF_TRY(wf_lab_open(dir, &lab, err));
    wf_lab_threads(lab, (int)threads);
    WF_TRY(works_known(ask, names, &spec, works, err));
    timed = (wf_bench_state){.lab = lab, .spec = &spec};
    WF_TRY(state_open(&timed, err));
    WF_TRY(wfi_file_map(spec.texts, &texts, err));
    for (size_t i = 0; i < timed.work_count; i++) {
        const wf_bench_running *r = &timed.running[i];
        json_object_set_new(works, r->work->name,
                            json_pack("{s:s, s:f, s:f}", "dtype", wfi_precision_name(r->work->dtype), "base_flop",
                                      r->base_flop, "rest_flop", r->rest_flop));
    }
    return WF_OK;
}

static wf_status outputs(const json_t *ask, json_t **out, wf_err *err) {
    const char *names[WORKS_MOST], *file = NULL, *parts = NULL;
    wf_bench_spec s = spec;
    wf_bench_state b = {.lab = lab, .spec = &s};
    wf_encoding e = {0};
    wf_hash *h = NULL;
    char hex[WF_HASH_HEX] = "";
    wf_status st = WF_OK;
    WF_TRY(wfi_json_str(ask, "outputs", "outputs", &file, err));
    WF_TRY(wfi_json_str(ask, "parts", "outputs", &parts, err));
    *out = json_object();
    WF_TRY(works_known(ask, names, &s, *out, err));
    WF_TRY(state_open(&b, err));
    WF_TRY(wfi_bench_outputs(&b, file, err));
    WF_TRY(wfi_bench_parts(&b, parts, err));
    WF_TRY(wfi_hash_new(&h, err));
    encode_all(timed.open->tokenizer, &e, h, &st, err);
    wfi_hash_hex(h, hex);
    wfi_hash_free(h);
    wfi_encoding_clear(&e);
    for (size_t i = 0; i < b.work_count; i++) wfi_bench_close(&b.running[i]);
    wfi_free(b.running);
    wfi_free(b.works);
    wfi_encoded_clear(&b.texts);
    json_object_set_new(*out, "tokenize", json_string(hex));
    return st;
}

static json_t *answer(const char *line) {
    json_t *ask = NULL, *out = NULL;
    wf_err err = {0};
    const char *what = NULL;
    wf_status st = wfi_json_parse(line, strlen(line), "request", &ask, &err);
    if (st == WF_OK) st = wfi_json_str(ask, "do", "request", &what, &err);
    if (st == WF_OK && strcmp(what, "load") == 0) {
        static json_t *kept; /* the names are borrowed from it for good */
        kept = json_incref(ask);
        st = kept ? load(ask, &out, &err) : WF_OK;
    } else if (st == WF_OK) {
        st = strcmp(what, "run") == 0        ? run(ask, &out, &err)
             : strcmp(what, "outputs") == 0  ? outputs(ask, &out, &err)
             : strcmp(what, "gradient") == 0 ? gradient(ask, &out, &err)
                                             : wfi_fail(&err, WF_E_ARG, "\"%s\" is no request", what);
    }
    json_decref(ask);
    if (st == WF_OK) return out;
    json_decref(out);
    return json_pack("{s:s}", "error", err.text);
}

int main(void) {
    static char line[LINE_MOST];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        json_t *out = answer(line);
        char *text = wfi_json_text(out, false);
        puts(text ? text : "{\"error\": \"out of memory\"}");
        fflush(stdout);
        wfi_free(text);
        json_decref(out);
    }
    return 0;
}
