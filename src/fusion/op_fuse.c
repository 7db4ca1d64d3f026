/* fusion/op_fuse.c - AdapterFusion (Pfeiffer et al. 2021) without the N x d keys and values of the textbook form. See
 * op_fuse.h.
 *
 * With t = W_k^T (W_q q + b_q) a score is t . u_i + const, and W_v is applied after mixing. Three exact forms:
 *   bottleneck  u_i is never formed: g = t up^T, score_i = sum_j g_j a_j (+ bias row), mix = (p o a) up
 *   compact     the same with W_q, W_k and W_v multiplied into up beforehand (fuse_compact.h): for few, narrow
 *               bottlenecks against the rows of a batch, and always for what is frozen. t is q then, mix the output
 *   full        u_i [T,N,d] is formed once: score_i = t . u_i, mix = sum_i p_i u_i; for wide bottlenecks, from
 * FULL_FROM on, measured M, up and the bias rows: fuse_stack.h. The constant of a score, b_k . (W_q q + b_q) + t . r,
 * is the same for all i: it matters only when single scores are dropped.
 *
 * Backward, with e = dmix up^T: dp_i = sum_j e_j a_j, ds by the softmax, da_j = p_i e_j + ds_i g_j, dt = (ds o a) up,
 * dup = (p o a)^T dmix + (ds o a)^T t.  Kept: a and its pre-activation, g (or u), p, what fuse_query.h keeps, mix. */
#include "fusion/op_fuse.h"
#include "base/error.h"
#include "fusion/fuse_compact.h"
#include "fusion/fuse_loops.h"
#include "fusion/fuse_query.h"
#include "tape/linear.h"
#include "tape/ops.h"
#include <math.h>
#include <string.h>

enum { FULL_FROM = 96, PARALLEL_FROM = 1 << 14 };

typedef struct saved {
    wf_fuse f;
    bool full, trained;  /* form; the branches are trained too */
    wf_value *z, *q, *r; /* r NULL: none */
    float *normed, *mean,
        *rstd;           /* [T,d], [T]: bare normalisation of z for branches with their own LayerNorm; else NULL */
    float *pre, *act;    /* [T,M] */
    wf_fuse_query query; /* t among others */
    bool compact;        /* the projections are in the stack: f's are NULL, t is q, mix the output */
    wf_fuse_compact c;
    float *g;         /* bottleneck form: [T,M+N] */
    float *u;         /* full form: [T,N,d] */
    float *p;         /* [T,N] */
    float *survive;   /* [T,N]: what dropout multiplies a score with, 0 or 1/(1 - rate); NULL: there is none */
    const float *mix; /* [T,d] with r */
} saved;

/* ---- small loops ---- */

static bool big(const saved *s, int64_t T) {
    return T * (s->full ? s->f.stack->N * s->f.stack->d : s->f.stack->M) >= PARALLEL_FROM;
}

/* ---- products with the stacks ---- */

static wf_status product(const wf_packed *p, bool tb, int64_t T, int64_t n, int64_t k, const float *a, int64_t lda,
                         const float *b, int64_t ldb, float beta, float *c, int64_t ldc, wf_err *err) {
    if (p) return wfi_packed_gemm(p, T, a, lda, NULL, beta, c, ldc, err);
    return wfi_gemm(false, tb, T, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc, err);
}

static wf_status times_up_t(const saved *s, int64_t T, const float *x, bool score, float *y,
                            wf_err *err) { /* [T,d] -> [T,M+N] */
    const wf_fuse_stack *k = s->f.stack;
    const int64_t K = k->M + k->N, d = k->d;
    if (!s->compact) return product(k->up_score, true, T, K, d, x, d, k->up, d, 0.0f, y, K, err);
    if (score && s->c.score) return wfi_packed_gemm(s->c.score, T, x, d, s->c.c, 0.0f, y, K, err);
    WF_TRY(wfi_gemm(false, true, T, K, d, 1.0f, x, d, score ? s->c.G : s->c.V, d, 0.0f, y, K, err));
    if (score && s->c.c) wfi_bias_add(T, K, s->c.c, y);
    return WF_OK;
}

static wf_status times_up(const saved *s, int64_t T, const float *x, bool score, float *y,
                          wf_err *err) { /* [T,M+N] -> [T,d] */
    const wf_fuse_stack *k = s->f.stack;
    const int64_t K = k->M + k->N, d = k->d;
    const wf_packed *packed = s->compact ? score ? NULL : s->c.mix : k->up_mix;
    const float *up = s->compact ? score ? s->c.G : s->c.V : k->up;
    return product(packed, false, T, d, K, x, K, up, d, 0.0f, y, d, err);
}

/* Runs of branches that read the same input share a product. */
static int64_t run_end(const wf_fuse_stack *k, int64_t i) {
    int64_t j = i + 1;
    while (j < k->N && wfi_stack_normed(k, j) == wfi_stack_normed(k, i)) j++;
    return j;
}

static const float *input_of(const saved *s, int64_t i) {
    return wfi_stack_normed(s->f.stack, i) ? s->normed : s->z->data;
}

static wf_status down_forward(const saved *s, int64_t T, wf_err *err) {
    const wf_fuse_stack *k = s->f.stack;
    for (int64_t i = 0, j; i < k->N; i = j) {
        j = run_end(k, i);
        const int64_t c0 = k->first[i], n = k->first[j] - c0;
        WF_TRY(product(n == k->M ? k->down_forward : NULL, true, T, n, k->d, input_of(s, i), k->d, k->down + c0 * k->d,
                       k->d, 0.0f, s->pre + c0, k->M, err));
    }
    wfi_bias_add(T, k->M, k->bias, s->pre);
    return WF_OK;
}

static void act_forward(const saved *s, int64_t T) {
    const wf_fuse_stack *k = s->f.stack;
    if (k->same_act) {
        wfi_act_forward(k->branch[0]->act, T * k->M, s->pre, s->act);
        return;
    }
    for (int64_t r = 0; r < T; r++)
        for (int64_t i = 0; i < k->N; i++)
            wfi_act_forward(k->branch[i]->act, wfi_stack_width(k, i), s->pre + r * k->M + k->first[i],
                            s->act + r * k->M + k->first[i]);
}

static void act_backward(const saved *s, int64_t T, float *d) { /* d [T,M] in place */
    const wf_fuse_stack *k = s->f.stack;
    if (k->same_act) {
        wfi_act_backward(k->branch[0]->act, T * k->M, s->pre, d, d, false);
        return;
    }
    for (int64_t r = 0; r < T; r++)
        for (int64_t i = 0; i < k->N; i++) {
            const int64_t at = r * k->M + k->first[i];
            wfi_act_backward(k->branch[i]->act, wfi_stack_width(k, i), s->pre + at, d + at, d + at, false);
        }
}

/* ---- forward ---- */

static wf_status full_rows(const saved *s, int64_t T, wf_err *err) { /* u_i, bias row first, then the product added */
    const wf_fuse_stack *k = s->f.stack;
    const int64_t d = k->d, N = k->N;
#pragma omp parallel for schedule(static) if (big(s, T))
    for (int64_t r = 0; r < T; r++) memcpy(s->u + r * N * d, k->up + k->M * d, (size_t)(N * d) * sizeof(float));
    for (int64_t i = 0; i < N; i++)
        WF_TRY(wfi_gemm(false, false, T, d, wfi_stack_width(k, i), 1.0f, s->act + k->first[i], k->M,
                        k->up + k->first[i] * d, d, 1.0f, s->u + i * d, N * d, err));
    return WF_OK;
}

/* All at once: random words come several at a time. */
static bool survivors_get(wf_tape *t, saved *s, int64_t T) {
    const int64_t n = T * s->f.stack->N;
    if (!(s->f.dropout > 0.0f)) return true;
    s->survive = wfi_tape_floats(t, T, s->f.stack->N);
    for (int64_t i = 0; s->survive && i < n; i++) s->survive[i] = 1.0f;
    if (s->survive) wfi_dropout(n, s->f.random, s->f.dropout, s->survive, s->survive);
    return s->survive != NULL;
}

/* Scores without the constant -> p, in place in the row. */
static void row_softmax(const saved *s, int64_t row, float constant) {
    const int64_t N = s->f.stack->N;
    float *p = s->p + row * N;
    const float *survive = s->survive ? s->survive + row * N : NULL, tau = s->f.temperature;
    for (int64_t i = 0; i < N; i++) {
        if (survive) p[i] = survive[i] > 0.0f ? (p[i] + constant) * survive[i] : 0.0f;
        p[i] /= tau;
    }
    wfi_softmax(1, N, p, p);
}

/* The part of a score that all branches share; only needed when scores are dropped. */
static float row_constant(const saved *s, int64_t row) {
    const int64_t d = s->f.stack->d;
    if (!(s->f.dropout > 0.0f)) return 0.0f;
    const float c = s->query.shared ? s->query.shared[row] : 0.0f;
    return s->r ? c + wfi_fuse_dot(s->query.t + row * d, s->r->data + row * d, d) : c;
}

/* p from g or u; then weighted [T,M+N] = p o a with p itself behind (bottleneck), or mix (full). */
static void attend(const saved *s, int64_t T, float *weighted, float *mix) {
    const wf_fuse_stack *k = s->f.stack;
    const int64_t N = k->N, M = k->M, K = M + N, d = k->d;
#pragma omp parallel for schedule(static) if (big(s, T))
    for (int64_t r = 0; r < T; r++) {
        float *p = s->p + r * N;
        const float *a = s->act + r * M;
        if (!s->full) wfi_segments_dot(N, k->first, s->g + r * K, a, p);
        for (int64_t i = 0; i < N; i++)
            p[i] = s->full ? wfi_fuse_dot(s->query.t + r * d, s->u + (r * N + i) * d, d) : p[i] + s->g[r * K + M + i];
        for (int64_t i = 0; s->f.out && i < N; i++)
            if (s->f.out[i]) p[i] = -INFINITY;
        row_softmax(s, r, row_constant(s, r));
        if (s->full) {
            memset(mix + r * d, 0, (size_t)d * sizeof *mix);
            for (int64_t i = 0; i < N; i++) wfi_fuse_axpy(p[i], s->u + (r * N + i) * d, mix + r * d, d);
        } else {
            wfi_segments_scale(N, k->first, p, a, weighted + r * K);
            memcpy(weighted + r * K + M, p, (size_t)N * sizeof *p);
        }
    }
}

static bool linear_fits(wf_tape *t, const wf_linear *w, int64_t d) {
    if (!w || (w->in == d && w->out == d && w->weight->count == d * d)) return true;
    wfi_tape_fail(t, WF_E_SHAPE, "fuse: %s is no %lldx%lld matrix", w->weight->name, (long long)d, (long long)d);
    return false;
}

static bool fits(wf_tape *t, const wf_fuse *f, const wf_value *z, const wf_value *q, const wf_value *r) {
    const int64_t d = f->stack->d;
    if (!wfi_op_same_shape(t, "fuse", z, q) || (r && !wfi_op_same_shape(t, "fuse", z, r)) ||
        !wfi_op_rate(t, "fuse", f->dropout))
        return false;
    if (!linear_fits(t, f->query, d) || !linear_fits(t, f->key, d) || !linear_fits(t, f->value, d)) return false;
    if (f->out && f->dropout > 0.0f && wfi_tape_drops(t)) {
        wfi_tape_fail(t, WF_E_ARG, "fuse: a branch is left out while scores are dropped");
        return false;
    }
    if (z->cols == d && f->stack->N >= 1 && f->temperature > 0.0f) return true;
    wfi_tape_fail(t, WF_E_SHAPE,
                  "fuse: input [%lld,%lld], %lld adapters of width %lld, temperature %g do not go together",
                  (long long)z->rows, (long long)z->cols, (long long)f->stack->N, (long long)d, (double)f->temperature);
    return false;
}

static bool wants(const wf_tape *t, const wf_linear *w) {
    return w && wfi_linear_wants(t, w);
}

/* All arrays that forward fills; false: out of memory, noted. */
static bool arrays_get(wf_tape *t, saved *s, int64_t T, bool record) {
    const wf_fuse_stack *k = s->f.stack;
    bool normed = false, ok = true;
    for (int64_t i = 0; i < k->N; i++) normed |= wfi_stack_normed(k, i);
    if (normed) {
        s->normed = wfi_tape_floats(t, T, k->d);
        s->mean = wfi_tape_floats(t, T, 1);
        s->rstd = wfi_tape_floats(t, T, 1);
        ok = s->normed && s->mean && s->rstd;
    }
    s->pre = wfi_tape_floats(t, T, k->M);
    s->act = record ? wfi_tape_floats(t, T, k->M) : s->pre;
    if (s->full)
        s->u = wfi_tape_floats(t, T, k->N * k->d);
    else
        s->g = wfi_tape_floats(t, T, k->M + k->N);
    return ok && s->pre && s->act && (s->full ? s->u : s->g);
}

/* The projected stack, unless it is a frozen one, and with dropout what the scores of a row share. */
static wf_status compact_ready(wf_tape *t, saved *s, int64_t T, wf_err *err) {
    if (!s->c.G) {
        float *memory = wfi_tape_floats(t, 1, (int64_t)wfi_fuse_compact_floats(&s->c));
        if (!memory) return WF_E_NOMEM;
        WF_TRY(wfi_fuse_compact_make(&s->c, memory, err));
    }
    if (!(s->f.dropout > 0.0f) || !s->c.w) return WF_OK;
    float *shared = wfi_tape_floats(t, T, 1);
    if (!shared) return WF_E_NOMEM;
    wfi_fuse_dots(T, s->c.d, s->q->data, s->c.w, s->c.shared, shared);
    s->query.shared = shared;
    return WF_OK;
}

static wf_status forward(wf_tape *t, saved *s, int64_t T, float *mix, wf_value *out, wf_err *err) {
    const wf_fuse_stack *k = s->f.stack;
    const wf_bottleneck *normed = NULL;
    for (int64_t i = 0; i < k->N && !normed; i++)
        if (wfi_stack_normed(k, i)) normed = k->branch[i];
    if (normed)
        wfi_layernorm_forward(T, k->d, s->z->data, k->ones, k->zeros, normed->ln_before.eps, s->normed, s->mean,
                              s->rstd);
    WF_TRY(down_forward(s, T, err));
    act_forward(s, T);
    s->query = (wf_fuse_query){.query = s->f.query, .key = s->f.key};
    WF_TRY(wfi_fuse_query_forward(t, s->q, s->f.dropout > 0.0f, &s->query));
    if (s->compact) WF_TRY(compact_ready(t, s, T, err));
    if (s->full) {
        WF_TRY(full_rows(s, T, err));
        attend(s, T, NULL, mix);
    } else {
        float *weighted = wfi_tape_floats(t, T, k->M + k->N);
        if (!weighted) return WF_E_NOMEM;
        WF_TRY(times_up_t(s, T, s->query.t, true, s->g, err));
        attend(s, T, weighted, NULL);
        WF_TRY(times_up(s, T, weighted, false, mix, err));
    }
    if (s->r) wfi_add(T * k->d, mix, s->r->data, mix);
    return s->f.value ? wfi_linear_forward(s->f.value, T, mix, out->data, err) : WF_OK;
}

/* ---- backward ---- */

typedef struct back {           /* scratch of one backward call; NULL entries are not needed */
    float *dmix;                /* [T,d]; the output's own gradient without W_v */
    float *e, *sa;              /* bottleneck: [T,M+N] e (then p o a), and ds o a */
    float *ds;                  /* [T,N] */
    float *sigma;               /* [T] sum of ds, the constant's gradient; only with dropout */
    float *dact;                /* [T,M] */
    float *dt;                  /* [T,d] */
    float *ddown, *dbias, *dup; /* of the stack, when trained */
} back;

/* dp (in ds's row) -> ds, returns its sum. */
static float row_softmax_back(const saved *s, int64_t row, float *ds) {
    const int64_t N = s->f.stack->N;
    const float *p = s->p + row * N, *survive = s->survive ? s->survive + row * N : NULL;
    const float mean = wfi_fuse_dot(p, ds, N);
    float sum = 0.0f;
    for (int64_t i = 0; i < N; i++) {
        ds[i] = p[i] * (ds[i] - mean) / s->f.temperature;
        if (survive) ds[i] = survive[i] > 0.0f ? ds[i] * survive[i] : 0.0f;
        sum += ds[i];
    }
    return sum;
}

static void bottleneck_rows(const saved *s, int64_t T, const back *b) {
    const wf_fuse_stack *k = s->f.stack;
    const int64_t N = k->N, M = k->M, K = M + N;
#pragma omp parallel for schedule(static) if (big(s, T))
    for (int64_t r = 0; r < T; r++) {
        const float *a = s->act + r * M, *g = s->g + r * K, *p = s->p + r * N;
        float *e = b->e + r * K, *sa = b->sa + r * K, *ds = b->ds + r * N;
        wfi_segments_dot(N, k->first, e, a, ds);
        for (int64_t i = 0; i < N; i++) ds[i] += e[M + i];
        const float sum = row_softmax_back(s, r, ds);
        if (b->sigma) b->sigma[r] = sum;
        wfi_segments_scale(N, k->first, ds, a, sa);
        memcpy(sa + M, ds, (size_t)N * sizeof *ds);
        if (b->dact) wfi_segments_mix(N, k->first, p, e, ds, g, b->dact + r * M);
        if (!s->trained && !s->compact) continue; /* e is not needed any more: it becomes p o a */
        wfi_segments_scale(N, k->first, p, a, e);
        memcpy(e + M, p, (size_t)N * sizeof *p);
    }
}

/* dG = sa^T q, dV = (p o a)^T dout and the rest, and from them the projections' gradients and the stack's. */
static wf_status compact_back(wf_tape *t, const saved *s, int64_t T, const back *b, wf_err *err) {
    const int64_t K = s->c.K, d = s->c.d;
    if (!s->trained && !wants(t, s->c.query) && !wants(t, s->c.key) && !wants(t, s->c.value)) return WF_OK;
    const bool shared = b->sigma && s->c.w;
    float *dG = wfi_tape_buffer(t, K, d), *dV = wfi_tape_buffer(t, K, d), *room = wfi_tape_buffer(t, K, d),
          *dc = wfi_tape_buffer(t, 1, K), *dw = wfi_tape_buffer(t, 1, d), e = 0.0f;
    if (!dG || !dV || !room || !dc || !dw) return WF_OK; /* noted in the tape */
    memset(dc, 0, (size_t)K * sizeof *dc);
    wfi_column_sum(T, K, b->sa, dc);
    WF_TRY(wfi_gemm(true, false, K, d, T, 1.0f, b->sa, K, s->q->data, d, 0.0f, dG, d, err));
    WF_TRY(wfi_gemm(true, false, K, d, T, 1.0f, b->e, K, b->dmix, d, 0.0f, dV, d, err));
    if (shared) WF_TRY(wfi_gemm(true, false, 1, d, T, 1.0f, b->sigma, 1, s->q->data, d, 0.0f, dw, d, err));
    for (int64_t r = 0; shared && r < T; r++) e += b->sigma[r];
    WF_TRY(wfi_fuse_compact_back(&s->c, dG, dc, dV, shared ? dw : NULL, e, room, b->dup, err));
    wfi_tape_buffer_done(t, dw, 1, d);
    wfi_tape_buffer_done(t, dc, 1, K);
    wfi_tape_buffer_done(t, room, K, d);
    wfi_tape_buffer_done(t, dV, K, d);
    wfi_tape_buffer_done(t, dG, K, d);
    return WF_OK;
}

static wf_status bottleneck_back(wf_tape *t, const saved *s, int64_t T, const back *b, wf_err *err) {
    const wf_fuse_stack *k = s->f.stack;
    const int64_t d = k->d, K = k->M + k->N;
    WF_TRY(times_up_t(s, T, b->dmix, false, b->e, err));
    bottleneck_rows(s, T, b);
    if (b->dt) WF_TRY(times_up(s, T, b->sa, true, b->dt, err));
    if (s->compact) {
        if (b->dt && b->sigma && s->c.w) wfi_fuse_add_outer(T, d, b->sigma, s->c.w, b->dt);
        return compact_back(t, s, T, b, err);
    }
    if (!s->trained) return WF_OK;
    WF_TRY(wfi_gemm(true, false, K, d, T, 1.0f, b->e, K, b->dmix, d, 0.0f, b->dup, d, err));
    return wfi_gemm(true, false, K, d, T, 1.0f, b->sa, K, s->query.t, d, 1.0f, b->dup, d, err);
}

static void full_rows_back(const saved *s, int64_t T, const back *b) { /* ds, sigma, dt */
    const wf_fuse_stack *k = s->f.stack;
    const int64_t N = k->N, d = k->d;
#pragma omp parallel for schedule(static) if (big(s, T))
    for (int64_t r = 0; r < T; r++) {
        const float *u = s->u + r * N * d;
        float *ds = b->ds + r * N;
        for (int64_t i = 0; i < N; i++) ds[i] = wfi_fuse_dot(b->dmix + r * d, u + i * d, d);
        const float sum = row_softmax_back(s, r, ds);
        if (b->sigma) b->sigma[r] = sum;
        if (!b->dt) continue;
        memset(b->dt + r * d, 0, (size_t)d * sizeof *b->dt);
        for (int64_t i = 0; i < N; i++) wfi_fuse_axpy(ds[i], u + i * d, b->dt + r * d, d);
    }
}

static wf_status full_back(wf_tape *t, const saved *s, int64_t T, const back *b, wf_err *err) {
    const wf_fuse_stack *k = s->f.stack;
    const int64_t N = k->N, d = k->d;
    full_rows_back(s, T, b);
    if (!b->dact && !s->trained) return WF_OK;
    float *du = wfi_tape_buffer(t, T, d); /* of one branch: p_i dmix + ds_i t */
    if (!du) return WF_E_NOMEM;
    for (int64_t i = 0; i < N; i++) {
        const int64_t c0 = k->first[i], m = wfi_stack_width(k, i);
#pragma omp parallel for schedule(static) if (big(s, T))
        for (int64_t r = 0; r < T; r++) {
            const float p = s->p[r * N + i], w = b->ds[r * N + i];
            for (int64_t c = 0; c < d; c++) du[r * d + c] = p * b->dmix[r * d + c] + w * s->query.t[r * d + c];
        }
        if (b->dact)
            WF_TRY(wfi_gemm(false, true, T, m, d, 1.0f, du, d, k->up + c0 * d, d, 0.0f, b->dact + c0, k->M, err));
        if (!s->trained) continue;
        WF_TRY(wfi_gemm(true, false, m, d, T, 1.0f, s->act + c0, k->M, du, d, 0.0f, b->dup + c0 * d, d, err));
        memset(b->dup + (k->M + i) * d, 0, (size_t)d * sizeof(float));
        wfi_column_sum(T, d, du, b->dup + (k->M + i) * d);
    }
    wfi_tape_buffer_done(t, du, T, d);
    return WF_OK;
}

/* Through the non-linearities and down-projections into z (and the stack's own gradients). */
static wf_status down_back(wf_tape *t, const saved *s, int64_t T, const back *b, wf_err *err) {
    const wf_fuse_stack *k = s->f.stack;
    const int64_t d = k->d;
    act_backward(s, T, b->dact);
    if (s->trained) {
        memset(b->dbias, 0, (size_t)k->M * sizeof(float));
        wfi_column_sum(T, k->M, b->dact, b->dbias);
        for (int64_t i = 0, j; i < k->N; i = j) {
            j = run_end(k, i);
            const int64_t c0 = k->first[i], n = k->first[j] - c0;
            WF_TRY(wfi_gemm(true, false, n, d, T, 1.0f, b->dact + c0, k->M, input_of(s, i), d, 0.0f, b->ddown + c0 * d,
                            d, err));
        }
    }
    if (!s->z->needs_grad) return WF_OK;
    float *dn = s->normed ? wfi_tape_buffer(t, T, d) : NULL; /* gradient of the bare normalisation */
    bool dn_used = false, fresh = false;
    float *dz = wfi_tape_grad(t, s->z, &fresh);
    if (!dz || (s->normed && !dn)) return WF_OK; /* noted in the tape */
    for (int64_t i = 0, j; i < k->N; i = j) {
        j = run_end(k, i);
        const int64_t c0 = k->first[i], n = k->first[j] - c0;
        const bool normed = wfi_stack_normed(k, i);
        const float beta = (normed ? dn_used : !fresh) ? 1.0f : 0.0f;
        WF_TRY(product(n == k->M ? k->down_backward : NULL, false, T, d, n, b->dact + c0, k->M, k->down + c0 * d, d,
                       beta, normed ? dn : dz, d, err));
        if (normed)
            dn_used = true;
        else
            fresh = false;
    }
    if (dn_used) wfi_layernorm_backward(T, d, s->z->data, k->ones, s->mean, s->rstd, dn, dz, !fresh, NULL, NULL);
    wfi_tape_buffer_done(t, dn, T, d);
    return WF_OK;
}

/* dt, with the constant's part of it, on to the projections. */
static wf_status query_back(wf_tape *t, const saved *s, int64_t T, const back *b, wf_err *err) {
    const int64_t d = s->f.stack->d;
    if (b->sigma && s->r) {
#pragma omp parallel for schedule(static) if (big(s, T))
        for (int64_t r = 0; r < T; r++) wfi_fuse_axpy(b->sigma[r], s->r->data + r * d, b->dt + r * d, d);
    }
    return wfi_fuse_query_backward(t, &s->query, s->q, b->dt, b->sigma, err);
}

/* r is part of every value (through mix) and, with dropout, of the scores' constant. */
static void residual_back(wf_tape *t, const saved *s, int64_t T, const back *b) {
    if (!s->r || !s->r->needs_grad) return;
    const int64_t d = s->f.stack->d;
    wfi_tape_grad_add(t, s->r, b->dmix);
    if (!b->sigma || !s->r->grad) return;
#pragma omp parallel for schedule(static) if (big(s, T))
    for (int64_t r = 0; r < T; r++) wfi_fuse_axpy(b->sigma[r], s->query.t + r * d, s->r->grad + r * d, d);
}

static bool buffers_get(wf_tape *t, const saved *s, int64_t T, back *b) {
    const wf_fuse_stack *k = s->f.stack;
    const int64_t K = k->M + k->N;
    const bool dact = s->z->needs_grad || s->trained,
               dt = s->q->needs_grad || wants(t, s->f.query) || wants(t, s->f.key);
    bool ok = true;
    const struct {
        float **at;
        int64_t rows, cols;
        bool need;
    } all[] = {{&b->e, T, K, !s->full},
               {&b->sa, T, K, !s->full},
               {&b->ds, T, k->N, true},
               {&b->sigma, T, 1, s->f.dropout > 0.0f},
               {&b->dact, T, k->M, dact},
               {&b->dt, T, k->d, dt},
               {&b->ddown, k->M, k->d, s->trained},
               {&b->dbias, 1, k->M, s->trained},
               {&b->dup, K, k->d, s->trained}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].need) ok &= (*all[i].at = wfi_tape_buffer(t, all[i].rows, all[i].cols)) != NULL;
    return ok;
}

static void buffers_done(wf_tape *t, const saved *s, int64_t T, const back *b) {
    const wf_fuse_stack *k = s->f.stack;
    const int64_t K = k->M + k->N;
    wfi_tape_buffer_done(t, b->e, T, K);
    wfi_tape_buffer_done(t, b->sa, T, K);
    wfi_tape_buffer_done(t, b->ds, T, k->N);
    wfi_tape_buffer_done(t, b->sigma, T, 1);
    wfi_tape_buffer_done(t, b->dact, T, k->M);
    wfi_tape_buffer_done(t, b->dt, T, k->d);
    wfi_tape_buffer_done(t, b->ddown, k->M, k->d);
    wfi_tape_buffer_done(t, b->dbias, 1, k->M);
    wfi_tape_buffer_done(t, b->dup, K, k->d);
    if (s->f.value) wfi_tape_buffer_done(t, b->dmix, T, k->d);
}

static wf_status backward(wf_tape *t, wf_node *n, wf_err *err) {
    const saved *s = n->saved;
    const int64_t T = n->out->rows, d = n->out->cols;
    back b = {.dmix = n->out->grad};
    if (s->f.value) {
        WF_TRY(wfi_linear_param_grad(s->f.value, T, s->mix, n->out->grad, err));
        b.dmix = wfi_tape_buffer(t, T, d);
        if (!b.dmix) return WF_OK; /* noted in the tape */
        WF_TRY(wfi_linear_input_grad(s->f.value, T, n->out->grad, b.dmix, false, err));
    }
    if (!buffers_get(t, s, T, &b)) return WF_OK; /* noted in the tape */
    WF_TRY(s->full ? full_back(t, s, T, &b, err) : bottleneck_back(t, s, T, &b, err));
    if (b.dact) WF_TRY(down_back(t, s, T, &b, err));
    if (s->trained) wfi_stack_spread(s->f.stack, b.ddown, b.dbias, b.dup);
    residual_back(t, s, T, &b);
    if (b.dt) WF_TRY(query_back(t, s, T, &b, err));
    buffers_done(t, s, T, &b);
    return WF_OK;
}

static const wf_op op = {"fuse", backward};

bool wfi_fuse_full(const wf_fuse *f) {
    return f->form == WF_FUSE_FULL || (f->form == WF_FUSE_AUTO && f->stack->M >= FULL_FROM * f->stack->N);
}

static wf_fuse_compact compact_of(const wf_fuse *f) {
    return (wf_fuse_compact){.K = f->stack->M + f->stack->N,
                             .d = f->stack->d,
                             .query = f->query,
                             .key = f->key,
                             .value = f->value,
                             .U = f->stack->up};
}

wf_fuse_form wfi_fuse_form_of(const wf_fuse *f, bool residual, bool training, int64_t T) {
    if (wfi_fuse_full(f)) return WF_FUSE_FULL;
    if (residual || f->form == WF_FUSE_BOTTLENECK || (!f->query && !f->key && !f->value)) return WF_FUSE_BOTTLENECK;
    if (f->form == WF_FUSE_COMPACT || (f->frozen && !training)) return WF_FUSE_COMPACT;
    const wf_fuse_compact c = compact_of(f);
    return wfi_fuse_compact_pays(&c, T) ? WF_FUSE_COMPACT : WF_FUSE_BOTTLENECK;
}

wf_value *wfi_op_fuse(wf_tape *t, const wf_fuse *f, wf_value *z, wf_value *q, wf_value *r, const float **probs) {
    if (!z || !q || !fits(t, f, z, q, r)) return NULL;
    const wf_fuse_stack *k = f->stack;
    const int64_t T = z->rows;
    saved s = {.f = *f, .z = z, .q = q, .r = r};
    if (!wfi_tape_drops(t)) s.f.dropout = 0.0f;
    const bool training = wfi_tape_training(t);
    const wf_fuse_form form = wfi_fuse_form_of(f, r != NULL, training, T);
    s.full = form == WF_FUSE_FULL;
    s.trained = training && wfi_stack_trained(k);
    if (form == WF_FUSE_COMPACT) { /* the projections are done then */
        s.c = f->frozen && !training ? *f->frozen : compact_of(f);
        s.compact = true;
        s.f.query = s.f.key = s.f.value = NULL;
    }
    const bool record = z->needs_grad || q->needs_grad || (r && r->needs_grad) || s.trained || wants(t, f->query) ||
                        wants(t, f->key) || wants(t, f->value);
    wf_value *out = wfi_tape_value(t, T, k->d);
    s.p = wfi_tape_floats(t, T, k->N);
    const size_t scope = wfi_tape_scope(t);
    if (!out || !s.p || !survivors_get(t, &s, T) || !arrays_get(t, &s, T, record)) return NULL;
    float *mix = s.f.value ? wfi_tape_floats(t, T, k->d) : out->data;
    if (!mix || forward(t, &s, T, mix, out, wfi_tape_err(t)) != WF_OK) return NULL;
    s.mix = mix;
    if (probs) *probs = s.p;
    if (!record) {
        wfi_tape_scope_end(t, scope, NULL);
        return out;
    }
    saved *kept = wfi_tape_get(t, sizeof *kept);
    if (!kept) return NULL;
    *kept = s;
    return wfi_tape_record(t, &op, out, kept) ? out : NULL;
}
