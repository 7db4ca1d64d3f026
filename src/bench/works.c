/* bench/works.c - names of works to what they measure. See bench.h. */
#include "adapters/adapter.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/error.h"
#include "bench/bench.h"
#include "lab/precision.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char DEFAULT_WORKS[] = "gemm train:seq_bn train:lora train:head train:full train:fuse:4 train:fuse:16 "
                                    "infer:plain infer:seq_bn infer:fuse:8 latency:plain latency:fuse:8",
                  MORE[] = "train:double_seq_bn train:par_bn train:scaled_par_bn train:adapter_plus infer:lora "
                           "infer:fuse:2 infer:fuse:4 infer:fuse:16 infer:fuse:32 infer:plain@f32 infer:plain@bf16 "
                           "infer:plain@int8",
                  GROWTHS[] = "grow:fuse grow:length grow:batch grow:threads",
                  KNOWN[] = "gemm, train:METHOD, train:head, train:full, train:fuse:N, infer:plain, infer:METHOD, "
                            "infer:fuse:N, latency:plain, latency:METHOD, latency:fuse:N, grow:fuse, grow:length, "
                            "grow:batch, grow:threads, default, all";
enum { TRAIN_ROWS = 32, INFER_ROWS = 64, GROW_TOKENS = 1024, ROWS_MOST = 4096 };

static wf_status unknown(const char *name, wf_err *err) {
    return wfi_fail(err, WF_E_ARG, "work \"%.80s\" is not known; works are %s", name, KNOWN);
}

static wf_status work_add(wf_bench_state *b, const wf_bench_work *w, wf_err *err) {
    for (size_t i = 0; i < b->work_count; i++)
        if (strcmp(b->works[i].name, w->name) == 0 && b->works[i].x == w->x &&
            strcmp(b->works[i].growth, w->growth) == 0)
            return WF_OK; /* once is enough */
    wf_bench_work *all = wfi_realloc(b->works, b->work_count + 1, sizeof *all);
    if (!all) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    b->works = all;
    all[b->work_count++] = *w;
    return WF_OK;
}

/* "plain", "head", "full", "fuse:8" or a method. */
static bool parts_read(const char *word, wf_bench_work *w) {
    char stem[BENCH_NAME], *end = NULL;
    if (strncmp(word, "fuse:", 5) == 0) {
        w->parts = BENCH_FUSE;
        w->fused = strtol(word + 5, &end, 10);
        return word[5] >= '1' && word[5] <= '9' && !*end && w->fused <= BENCH_POOL;
    }
    if (strcmp(word, "plain") == 0 && w->kind != BENCH_TRAIN) return w->parts = BENCH_PLAIN, true;
    if (strcmp(word, "head") == 0 && w->kind == BENCH_TRAIN) return w->parts = BENCH_HEAD, true;
    if (strcmp(word, "full") == 0 && w->kind == BENCH_TRAIN) return w->parts = BENCH_FULL, true;
    snprintf(stem, sizeof stem, "%.*s", (int)strcspn(word, "["), word);
    snprintf(w->method, sizeof w->method, "%s", word);
    w->parts = BENCH_ADAPTER;
    return wfi_adapter_preset_known(stem);
}

static wf_status type_read(const char *name, char *word, wf_bench_work *w, wf_err *err) {
    char *at = strrchr(word, '@');
    if (!at) return WF_OK;
    *at++ = 0;
    w->typed = true;
    if (!wfi_precision_parse(at, &w->dtype))
        return wfi_fail(err, WF_E_ARG, "work \"%.80s\": \"%.20s\" is no type of a base (f32, bf16, int8)", name, at);
    return WF_OK;
}

static int64_t rows_of(const wf_bench_state *b, wf_bench_kind kind) {
    if (kind == BENCH_LATENCY) return 1;
    if (b->spec->batch_rows) return b->spec->batch_rows;
    return kind == BENCH_TRAIN ? TRAIN_ROWS : INFER_ROWS;
}

static wf_status plain_add(wf_bench_state *b, const char *name, wf_err *err) {
    static const struct {
        const char *word;
        wf_bench_kind kind;
    } kinds[] = {{"train:", BENCH_TRAIN}, {"infer:", BENCH_INFER}, {"latency:", BENCH_LATENCY}};
    enum { LATENCY_TOKENS = 32 };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t n = strlen(kinds[i].word);
        if (strncmp(name, kinds[i].word, n) != 0) continue;
        char word[BENCH_NAME];
        wf_bench_work w = {.kind = kinds[i].kind};
        if ((size_t)snprintf(w.name, sizeof w.name, "%s", name) >= sizeof w.name) return unknown(name, err);
        snprintf(word, sizeof word, "%s", name + n);
        WF_TRY(type_read(name, word, &w, err));
        if (!parts_read(word, &w)) return unknown(name, err);
        if (w.parts == BENCH_FULL && w.typed && w.dtype == WF_DTYPE_I8)
            return wfi_fail(err, WF_E_ARG, "work \"%s\": full training is in f32 or bf16", name);
        w.batch_rows = rows_of(b, w.kind);
        if (w.kind == BENCH_LATENCY) w.length = LATENCY_TOKENS;
        return work_add(b, &w, err);
    }
    return unknown(name, err);
}

static wf_status point_add(wf_bench_state *b, const char *growth, wf_bench_work w, int64_t x, wf_err *err) {
    snprintf(w.growth, sizeof w.growth, "%s", growth);
    w.kind = BENCH_TRAIN;
    w.x = x;
    return work_add(b, &w, err);
}

/* Training steps along one axis. A step has about the same number of tokens at every length. */
static wf_status growth_add(wf_bench_state *b, const char *name, wf_err *err) {
    wf_bench_work one = {.parts = BENCH_ADAPTER, .method = "seq_bn", .batch_rows = rows_of(b, BENCH_TRAIN)};
    snprintf(one.name, sizeof one.name, "train:seq_bn");
    if (strcmp(name, "grow:fuse") == 0) {
        for (int64_t n = 2; n <= 64; n *= 2) {
            wf_bench_work w = {.parts = BENCH_FUSE, .fused = n, .batch_rows = one.batch_rows};
            snprintf(w.name, sizeof w.name, "train:fuse:%d", (int)n);
            WF_TRY(point_add(b, name, w, n, err));
        }
    } else if (strcmp(name, "grow:length") == 0) {
        for (int64_t n = 16; n <= 512; n *= 2) {
            wf_bench_work w = one;
            w.length = n;
            w.batch_rows = GROW_TOKENS / n;
            WF_TRY(point_add(b, name, w, n, err));
        }
    } else if (strcmp(name, "grow:batch") == 0) {
        for (int64_t n = 1; n <= 128; n *= 2) {
            wf_bench_work w = one;
            w.batch_rows = n;
            WF_TRY(point_add(b, name, w, n, err));
        }
    } else if (strcmp(name, "grow:threads") == 0) {
        for (int n = 1; n <= b->lab->threads;
             n = n < b->lab->threads && 2 * n > b->lab->threads ? b->lab->threads : 2 * n) {
            wf_bench_work w = one;
            w.threads = n;
            WF_TRY(point_add(b, name, w, n, err));
        }
    } else {
        return unknown(name, err);
    }
    return WF_OK;
}

static wf_status words_add(wf_bench_state *b, const char *words, wf_err *err) {
    char word[BENCH_NAME];
    for (size_t n; *words; words += n + (words[n] == ' ')) {
        n = strcspn(words, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, words);
        if (strncmp(word, "grow:", 5) == 0)
            WF_TRY(growth_add(b, word, err));
        else if (strcmp(word, "gemm") != 0)
            WF_TRY(plain_add(b, word, err));
    }
    return WF_OK;
}

wf_status wfi_bench_works(wf_bench_state *b, wf_err *err) {
    const wf_bench_spec *s = b->spec;
    if (s->batch_rows < 0 || s->batch_rows > ROWS_MOST)
        return wfi_fail(err, WF_E_ARG, "rows a batch are %lld; they must lie in [1, %d]", (long long)s->batch_rows,
                        ROWS_MOST);
    if (s->work_count == 0) return words_add(b, DEFAULT_WORKS, err);
    for (size_t i = 0; i < s->work_count; i++) {
        const char *name = s->works[i];
        if (strcmp(name, "all") == 0 || strcmp(name, "default") == 0) {
            WF_TRY(words_add(b, DEFAULT_WORKS, err));
            if (*name == 'a') WF_TRY(words_add(b, MORE, err));
            if (*name == 'a') WF_TRY(words_add(b, GROWTHS, err));
        } else if (strcmp(name, "gemm") != 0) { /* products are measured always: shares are of them */
            WF_TRY(strncmp(name, "grow:", 5) == 0 ? growth_add(b, name, err) : plain_add(b, name, err));
        }
    }
    return WF_OK;
}
