/* kernels/ref/attention_ref.c - attention of one (sequence, head) by plain loops: the oracle and the fallback. Layer 2.
 * Forward: Milakov and Gimelshein 2018 (softmax with a running maximum), tile by tile as Dao et al. 2022 do, so that a
 * row of scores never exists in whole. Backward: Dao et al. 2022, appendix B.4, probabilities rebuilt from lse.
 * With dropout the probabilities P become M o P / (1-p); delta = rowsum(dout o out) still equals rowsum(dP o P). */
#include "kernels/dispatch.h"

#include <math.h>

enum { TILE = 64 };

static float dot(int64_t n, const float *a, const float *b) {
    float sum = 0.0f;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* What dropout multiplies the probability of key position j with; word is that of position 0. */
static float survival(const wfk_attention *job, uint64_t word, int64_t j) {
    if (!(job->p > 0.0f)) return 1.0f;
    return wfi_dropout_keep(job->key, word + (uint64_t)j, job->p) ? wfk_dropout_scale(job->p) : 0.0f;
}

void wfk_f32_attention_forward__ref(const wfk_attention *job, int64_t row0, int64_t L, int64_t head) {
    int64_t D = job->D, ld = job->ld, at = row0 * ld + head * D;
    const float *k = job->k + at, *v = job->v + at;
    for (int64_t i = 0; i < L; i++) {
        const float *q = job->q + at + i * ld;
        float *o = job->out + (row0 + i) * job->A * D + head * D;
        float most = -INFINITY, sum = 0.0f, score[TILE];
        uint64_t word = wfk_attention_word(job, row0 + i, head);
        for (int64_t d = 0; d < D; d++) o[d] = 0.0f;
        for (int64_t j0 = 0; j0 < L; j0 += TILE) {
            int64_t n = L - j0 < TILE ? L - j0 : TILE;
            float before = most;
            for (int64_t j = 0; j < n; j++) {
                score[j] = job->scale * dot(D, q, k + (j0 + j) * ld);
                most = score[j] > most ? score[j] : most;
            }
            float shrink = expf(before - most); /* exp(-inf) = 0 at the first tile */
            sum *= shrink;
            for (int64_t d = 0; d < D; d++) o[d] *= shrink;
            for (int64_t j = 0; j < n; j++) {
                float e = expf(score[j] - most), kept = e * survival(job, word, j0 + j);
                sum += e;
                for (int64_t d = 0; d < D; d++) o[d] += kept * v[(j0 + j) * ld + d];
            }
        }
        for (int64_t d = 0; d < D; d++) o[d] /= sum;
        if (job->lse) job->lse[(row0 + i) * job->A + head] = most + logf(sum);
    }
}

void wfk_f32_attention_backward__ref(const wfk_attention *job, int64_t row0, int64_t L, int64_t head) {
    int64_t D = job->D, ld = job->ld, ldd = job->ldd, at = row0 * ld + head * D, dat = row0 * ldd + head * D;
    const float *k = job->k + at, *v = job->v + at;
    float *dk = job->dk + dat, *dv = job->dv + dat;
    for (int64_t j = 0; j < L; j++)
        for (int64_t d = 0; d < D; d++) dk[j * ldd + d] = dv[j * ldd + d] = 0.0f;
    for (int64_t i = 0; i < L; i++) {
        int64_t dense = (row0 + i) * job->A * D + head * D;
        const float *q = job->q + at + i * ld, *dout = job->dout + dense;
        float *dq = job->dq + dat + i * ldd;
        float delta = dot(D, dout, job->out + dense), lse = job->lse[(row0 + i) * job->A + head];
        uint64_t word = wfk_attention_word(job, row0 + i, head);
        for (int64_t d = 0; d < D; d++) dq[d] = 0.0f;
        for (int64_t j = 0; j < L; j++) {
            float prob = expf(job->scale * dot(D, q, k + j * ld) - lse), s = survival(job, word, j);
            float dprob = s * dot(D, dout, v + j * ld), kept = s * prob;
            float dscore = job->scale * prob * (dprob - delta);
            for (int64_t d = 0; d < D; d++) {
                dq[d] += dscore * k[j * ld + d];
                dk[j * ldd + d] += dscore * q[d];
                dv[j * ldd + d] += kept * dout[d];
            }
        }
    }
}

void wfk_table_fill_attention__ref(wfk_table *t) {
    t->attention_forward = wfk_f32_attention_forward__ref;
    t->attention_backward = wfk_f32_attention_backward__ref;
}
