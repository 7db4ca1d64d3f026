/* kernels/vector/attention_vec.h - attention of one (sequence, head) in tiles of QUERIES x KEYS scores. Layer 2.
 *
 * After Dao et al. 2022 (FlashAttention): forward goes over the keys with a running maximum and sum, backward rebuilds
 * the probabilities from the saved log-sum-exp. All five products of the backward run over tiles in cache:
 *   S = Q Kt, dP = dO Vt (Kt, Vt packed transposed), dV += P' dO, dK += dS' Q, dQ += dS K.
 * Head widths D that are a multiple of VW and at most WIDEST_HEAD; others go to the next narrower level.
 * Everything on the stack of the thread, about 200 KB. */
#ifndef WF_KERNELS_ATTENTION_VEC_H
#define WF_KERNELS_ATTENTION_VEC_H

enum { QUERIES = 48, KEYS = 128, WIDEST_HEAD = 128, PACKED_FLOATS = 512 * 64 };

typedef void attention_fn(const wfk_attention *job, int64_t row0, int64_t L, int64_t head);
static attention_fn *narrower_forward, *narrower_backward;

typedef struct dropping {
    bool on;
    philox_keys keys;
    vw limit;
    vf survivor;
} dropping;

static inline void dropping_start(dropping *d, const wfk_attention *job) {
    d->on = job->p > 0.0f;
    if (!d->on) return;
    philox_start(&d->keys, job->key);
    d->limit = w_set32((uint32_t)(wfk_dropout_limit(job->p) - 1));
    d->survivor = v_set(wfk_dropout_scale(job->p));
}

/* factor[0..n) for random words first .. first + n - 1, written up to the next multiple of 2*VW; first % 4 == 0. */
static inline void dropping_factors(const dropping *d, uint64_t first, int64_t n, float *factor) {
    for (int64_t j = 0; j < n; j += 2 * VW) {
        vw words[2];
        philox_words(&d->keys, (first + (uint64_t)j) / 4, words);
        v_store(factor + j, v_where(w_gt(words[0], d->limit), d->survivor));
        v_store(factor + j + VW, v_where(w_gt(words[1], d->limit), d->survivor));
    }
}

/* score[0..n) := e^(scale*score - most), *most >= all of the row before and now; zeros up to the next multiple of VW.
 * Returns the sum. */
static inline float exponentials(float *score, int64_t n, float factor, float *most) {
    vf m = v_set(*most), sum = v_set(0.0f);
    for (int64_t j = 0; j < n; j += VW) {
        vf s = v_load(score + j) * v_set(factor);
        if (n - j < VW) s = v_select(v_below(n - j), s, v_set(-INFINITY));
        v_store(score + j, s);
        m = v_max(m, s);
    }
    *most = v_most(m);
    m = v_set(*most);
    for (int64_t j = 0; j < n; j += VW) {
        vf e = v_exp(v_load(score + j) - m);
        v_store(score + j, e);
        sum = sum + e;
    }
    return v_sum(sum);
}

/* Where one query block stands while it goes over the key tiles. */
typedef struct running {
    float most[QUERIES], sum[QUERIES];
} running;

/* One tile of the forward: scores, running softmax, out += P V. */
static void forward_tile(const wfk_attention *job, const dropping *drop, int64_t row0, int64_t i0, int64_t rows,
                         int64_t j0, int64_t n, int64_t head, const float *packed, running *state) {
    float score[QUERIES * KEYS], factor[KEYS];
    int64_t D = job->D, H = job->A * D, ld = job->ld, end = whole_vectors(n);
    float *out = job->out + (row0 + i0) * H + head * D;
    product(rows, end, D, job->q + (row0 + i0) * ld + head * D, ld, packed, end, score, end, false);
    for (int64_t i = 0; i < rows; i++) {
        float *s = score + i * end, before = state->most[i], sum = exponentials(s, n, job->scale, &state->most[i]);
        if (j0 > 0 && state->most[i] != before) {
            float shrink = expf(before - state->most[i]);
            state->sum[i] *= shrink;
            for (int64_t d = 0; d < D; d += VW) v_store(out + i * H + d, v_load(out + i * H + d) * v_set(shrink));
        }
        state->sum[i] = j0 > 0 ? state->sum[i] + sum : sum;
        if (!drop->on) continue;
        dropping_factors(drop, wfk_attention_word(job, row0 + i0 + i, head) + (uint64_t)j0, n, factor);
        for (int64_t j = 0; j < end; j += VW) v_store(s + j, v_load(s + j) * v_load(factor + j));
    }
    product(rows, D, n, score, end, job->v + (row0 + j0) * ld + head * D, ld, out, H, j0 > 0);
}

static void attention_forward(const wfk_attention *job, int64_t row0, int64_t L, int64_t head) {
    int64_t D = job->D, H = job->A * D, ld = job->ld;
    if (D % VW != 0 || D > WIDEST_HEAD) {
        narrower_forward(job, row0, L, head);
        return;
    }
    float packed[PACKED_FLOATS];
    const float *k = job->k + row0 * ld + head * D;
    bool whole =
        (L + KEYS - 1) / KEYS * KEYS * D <= PACKED_FLOATS; /* all of K fits: pack it once for all query blocks */
    dropping drop;
    running state;
    dropping_start(&drop, job);
    for (int64_t j0 = 0; whole && j0 < L; j0 += KEYS)
        pack_turned(L - j0 < KEYS ? L - j0 : KEYS, D, k + j0 * ld, ld, packed + j0 * D);
    for (int64_t i0 = 0; i0 < L; i0 += QUERIES) {
        int64_t rows = L - i0 < QUERIES ? L - i0 : QUERIES;
        for (int64_t i = 0; i < rows; i++) state.most[i] = -INFINITY;
        for (int64_t j0 = 0; j0 < L; j0 += KEYS) {
            int64_t n = L - j0 < KEYS ? L - j0 : KEYS;
            if (!whole) pack_turned(n, D, k + j0 * ld, ld, packed);
            forward_tile(job, &drop, row0, i0, rows, j0, n, head, whole ? packed + j0 * D : packed, &state);
        }
        for (int64_t i = 0; i < rows; i++) {
            scale(D, 1.0f / state.sum[i], job->out + (row0 + i0 + i) * H + head * D);
            if (job->lse) job->lse[(row0 + i0 + i) * job->A + head] = state.most[i] + logf(state.sum[i]);
        }
    }
}

/* score := kept probabilities M o P / (1-p), dprob := scale P o (M o dP / (1-p) - delta), row by row. */
static void backward_rows(const wfk_attention *job, const dropping *drop, int64_t row, int64_t rows, int64_t j0,
                          int64_t n, int64_t head, float *score, float *dprob) {
    float factor[KEYS];
    int64_t D = job->D, H = job->A * D, end = whole_vectors(n);
    for (int64_t i = 0; i < rows; i++, row++, score += end, dprob += end) {
        const float *out = job->out + row * H + head * D, *dout = job->dout + row * H + head * D;
        vf inner = v_set(0.0f), lse = v_set(job->lse[row * job->A + head]), scaling = v_set(job->scale);
        for (int64_t d = 0; d < D; d += VW) inner = v_fma(v_load(out + d), v_load(dout + d), inner);
        vf delta = v_set(v_sum(inner));
        if (drop->on) dropping_factors(drop, wfk_attention_word(job, row, head) + (uint64_t)j0, n, factor);
        for (int64_t j = 0; j < n; j += VW) { /* columns n.. of the last vector are rubbish that no product reads */
            vf p = v_exp(v_load(score + j) * scaling - lse), dp = v_load(dprob + j),
               f = drop->on ? v_load(factor + j) : v_set(1.0f);
            v_store(score + j, p * f);
            v_store(dprob + j, p * scaling * (dp * f - delta));
        }
    }
}

static void attention_backward(const wfk_attention *job, int64_t row0, int64_t L, int64_t head) {
    int64_t D = job->D, H = job->A * D, ld = job->ld, ldd = job->ldd;
    if (D % VW != 0 || D > WIDEST_HEAD) {
        narrower_backward(job, row0, L, head);
        return;
    }
    float kt[WIDEST_HEAD * KEYS], vt[WIDEST_HEAD * KEYS], score[QUERIES * KEYS], dprob[QUERIES * KEYS];
    dropping drop;
    dropping_start(&drop, job);
    for (int64_t j0 = 0; j0 < L; j0 += KEYS) {
        int64_t n = L - j0 < KEYS ? L - j0 : KEYS, end = whole_vectors(n);
        const float *k = job->k + (row0 + j0) * ld + head * D;
        float *dk = job->dk + (row0 + j0) * ldd + head * D, *dv = job->dv + (row0 + j0) * ldd + head * D;
        pack_turned(n, D, k, ld, kt);
        pack_turned(n, D, job->v + (row0 + j0) * ld + head * D, ld, vt);
        for (int64_t i0 = 0; i0 < L; i0 += QUERIES) {
            int64_t rows = L - i0 < QUERIES ? L - i0 : QUERIES, row = row0 + i0;
            const float *q = job->q + row * ld + head * D, *dout = job->dout + row * H + head * D;
            product(rows, end, D, q, ld, kt, end, score, end, false);
            product(rows, end, D, dout, H, vt, end, dprob, end, false);
            backward_rows(job, &drop, row, rows, j0, n, head, score, dprob);
            product_turned(n, D, rows, score, end, dout, H, dv, ldd, i0 > 0);
            product_turned(n, D, rows, dprob, end, q, ld, dk, ldd, i0 > 0);
            product(rows, D, n, dprob, end, k, ld, job->dq + row * ldd + head * D, ldd, j0 > 0);
        }
    }
}
#endif
