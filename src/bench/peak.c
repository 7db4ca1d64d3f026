/* bench/peak.c - the fastest matrix products of this machine by type, at sizes of the base and at a large square.
 * A step's share is of the fastest maker in each type: oneDNN's products, and in 8 bits also weft's own kernel, which
 * applies scales on the way. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "bench/bench.h"
#include "kernels/gemm.h"
#include "kernels/gemm_peak.h"
#include "kernels/kernels.h"
#include <math.h>

static const struct {
    wf_dtype dtype;
    bool own;
} MAKERS[BENCH_PEAKS] = {{WF_DTYPE_F32, false}, {WF_DTYPE_BF16, false}, {WF_DTYPE_I8, false}, {WF_DTYPE_I8, true}};
static const double ENOUGH_SECONDS = 0.04, MOST_SECONDS = 1, SHARE_MOST = 1.05;
enum { LEAST_RUNS = 3 };

typedef struct trial { /* one size; floats and bytes share their memory */
    int64_t m, k, n;
    const float *a, *b;
    float *c;
    double enough;
} trial;

/* Whether another run is due; the first one is not counted. Where products are very slow, two runs must do. */
static bool more(const trial *t, int runs, double spent) {
    return runs < 2 || spent < t->enough || (runs < LEAST_RUNS && spent < MOST_SECONDS);
}

static void run_note(wf_bench_peak *p, const trial *t, double seconds) {
    const double rate = 2.0 * (double)t->m * (double)t->k * (double)t->n / seconds;
    if (rate > p->flops) *p = (wf_bench_peak){p->dtype, p->own, rate, t->m, t->k, t->n};
}

#define TIMED(p, t, st, call)                                                                                          \
    do {                                                                                                               \
        const double begin_ = wfi_clock_seconds();                                                                     \
        for (int runs_ = 0; st == WF_OK && more(t, runs_, wfi_clock_seconds() - begin_); runs_++) {                    \
            const double from_ = wfi_clock_seconds();                                                                  \
            st = (call);                                                                                               \
            if (st == WF_OK && runs_) run_note(p, t, wfi_clock_seconds() - from_);                                     \
        }                                                                                                              \
    } while (0)

static wf_status packed_try(wf_bench_peak *p, const trial *t, wf_err *err) {
    wf_packed *packed = NULL;
    wf_status st = wfi_packed_new(true, t->k, t->n, t->b, t->k, p->dtype, &packed, err);
    TIMED(p, t, st, wfi_packed_gemm(packed, t->m, t->a, t->k, NULL, 0.0f, t->c, t->n, err));
    wfi_packed_free(packed);
    return st;
}

static wf_status bytes_try(wf_bench_peak *p, const trial *t, wf_err *err) {
    wf_byte_product *product = NULL;
    wf_err why = {0};
    wf_status st = wfi_byte_product_new(t->m, t->k, t->n, (const int8_t *)t->b, &product, &why);
    if (st == WF_E_UNSUPPORTED) return WF_OK; /* no peak of this maker */
    if (st != WF_OK && err) *err = why;
    TIMED(p, t, st, wfi_byte_product_run(product, (const uint8_t *)t->a, (int32_t *)(void *)t->c, err));
    wfi_byte_product_free(product);
    return st;
}

static wf_status team_try(wf_bench_team *team, const trial *trials, size_t count, wf_err *err) {
    wf_status st = WF_OK;
    for (int k = 0; st == WF_OK && k < BENCH_PEAKS; k++) {
        wf_bench_peak *p = &team->peaks[k];
        p->dtype = MAKERS[k].dtype;
        p->own = MAKERS[k].own;
        /* A type that the matrices know but the processor does not is slower than float32: no peak. */
        if (p->dtype == WF_DTYPE_BF16 && !wfi_packed_native_bf16()) continue;
        for (size_t i = 0; st == WF_OK && i < count; i++)
            st = p->dtype == WF_DTYPE_I8 && !p->own ? bytes_try(p, &trials[i], err) : packed_try(p, &trials[i], err);
    }
    return st;
}

static void team_need(wf_bench_state *b, int threads) {
    for (size_t i = 0; i < b->team_count; i++)
        if (b->teams[i].threads == threads) return;
    if (b->team_count < BENCH_TEAMS) b->teams[b->team_count++].threads = threads;
}

const wf_bench_team *wfi_bench_team_of(const wf_bench_state *b, const wf_bench_work *w) {
    for (size_t i = 0; i < b->team_count; i++)
        if (w->threads && b->teams[i].threads == w->threads) return &b->teams[i];
    return &b->teams[0];
}

double wfi_bench_peak(const wf_bench_team *t, wf_dtype dtype) {
    double most = 0;
    for (int k = 0; k < BENCH_PEAKS; k++)
        if (t->peaks[k].dtype == dtype && t->peaks[k].flops > most) most = t->peaks[k].flops;
    return most;
}

double wfi_bench_share(const wf_bench_state *b, const wf_bench_running *r, double rate, bool *beyond) {
    const wf_bench_team *t = wfi_bench_team_of(b, r->work);
    const double base = wfi_bench_peak(t, r->work->dtype), rest = wfi_bench_peak(t, WF_DTYPE_F32);
    *beyond = false;
    if (!(base > 0) || !(rest > 0)) return NAN;
    const double share = rate * (r->base_flop / base + r->rest_flop / rest);
    *beyond = share > SHARE_MOST;
    return *beyond ? NAN : share;
}

wf_status wfi_bench_peaks(wf_bench_state *b, wf_err *err) {
    enum { ROWS = 1024, LARGE = 1536, SIZES = 4 };
    const wf_bert_config *c = &b->models[0]->config;
    const int64_t H = c->hidden_size, F = c->intermediate_size;
    const int64_t sizes[SIZES][3] = {{ROWS, H, H}, {ROWS, H, F}, {ROWS, F, H}, {LARGE, LARGE, LARGE}};
    trial trials[SIZES];
    int64_t most = 0;
    for (int i = 0; i < SIZES; i++)
        for (int k = 0; k < 3; k++) {
            const int64_t area = sizes[i][k] * sizes[i][(k + 1) % 3];
            if (area > most) most = area;
        }
    float *data = wfi_alloc_aligned((size_t)(3 * most) * sizeof *data);
    if (!data) return wfi_fail(err, WF_E_NOMEM, "out of memory for matrices");
    for (int64_t i = 0; i < 2 * most; i++) data[i] = (float)(i % 251) / 251.0f - 0.5f;
    for (int i = 0; i < SIZES; i++)
        trials[i] = (trial){.m = sizes[i][0],
                            .k = sizes[i][1],
                            .n = sizes[i][2],
                            .a = data,
                            .b = data + most,
                            .c = data + 2 * most,
                            .enough = b->slice < ENOUGH_SECONDS ? b->slice : ENOUGH_SECONDS};
    team_need(b, b->lab->threads);
    for (size_t i = 0; i < b->work_count; i++)
        if (b->works[i].threads) team_need(b, b->works[i].threads);
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < b->team_count; i++) {
        wfi_threads_set(b->teams[i].threads);
        st = team_try(&b->teams[i], trials, SIZES, err);
    }
    wfi_threads_set(b->lab->threads);
    wfi_free(data);
    return st;
}
