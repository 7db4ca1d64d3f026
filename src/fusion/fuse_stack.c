/* fusion/fuse_stack.c - see fuse_stack.h. */
#include "fusion/fuse_stack.h"
#include "base/error.h"
#include <string.h>

/* ---- memory ---- */

static size_t rounded(size_t bytes) {
    return (bytes + 63) & ~(size_t)63;
}

wf_status wfi_stack_bytes(const wf_bottleneck *const *branch, size_t count, size_t *bytes, wf_err *err) {
    size_t M = 0, floats = 0;
    const size_t d = count ? (size_t)branch[0]->down.in : 0;
    bool over = count > (size_t)1 << 20;
    for (size_t i = 0; i < count; i++) over |= __builtin_add_overflow(M, (size_t)branch[i]->m, &M);
    over |= __builtin_mul_overflow(2 * M + count + 2, d, &floats) || M > (size_t)1 << 32 || floats > (size_t)1 << 40;
    if (over) return wfi_fail(err, WF_E_NOMEM, "a fusion of %zu adapters is too large", count);
    *bytes = floats * sizeof(float) + (M + count + 1) * sizeof(int64_t) + count * sizeof(void *) + 64 * 8;
    return WF_OK;
}

static void *cut(unsigned char **at, size_t bytes) {
    void *p = *at;
    *at += rounded(bytes);
    return p;
}

void wfi_stack_lay(wf_fuse_stack *s, const wf_bottleneck *const *branch, size_t count, void *memory) {
    unsigned char *at = memory;
    *s = (wf_fuse_stack){.N = (int64_t)count, .d = branch[0]->down.in, .same_act = true};
    s->branch = cut(&at, count * sizeof *s->branch);
    s->first = cut(&at, (count + 1) * sizeof *s->first);
    s->first[0] = 0;
    for (size_t i = 0; i < count; i++) {
        s->branch[i] = branch[i];
        s->first[i + 1] = s->first[i] + branch[i]->m;
        s->same_act &= branch[i]->act == branch[0]->act;
    }
    s->M = s->first[count];
    s->down = cut(&at, (size_t)(s->M * s->d) * sizeof(float));
    s->bias = cut(&at, (size_t)s->M * sizeof(float));
    s->up = cut(&at, (size_t)((s->M + s->N) * s->d) * sizeof(float));
    s->ones = cut(&at, (size_t)s->d * sizeof(float));
    s->zeros = cut(&at, (size_t)s->d * sizeof(float));
}

/* ---- values ---- */

static float scale_at(const wf_bottleneck *b, int64_t c) {
    if (!b->scale_param) return b->scale;
    return b->scale_param->data[b->scale_param->count == 1 ? 0 : c];
}

bool wfi_stack_normed(const wf_fuse_stack *s, int64_t i) {
    return s->branch[i]->ln_before.gamma != NULL;
}

static void fill_down(wf_fuse_stack *s, int64_t i) {
    const wf_bottleneck *b = s->branch[i];
    const int64_t d = s->d, m = b->m;
    float *down = s->down + s->first[i] * d, *bias = s->bias + s->first[i];
    memcpy(down, b->down.weight->data, (size_t)(m * d) * sizeof *down);
    memcpy(bias, b->down.bias->data, (size_t)m * sizeof *bias);
    if (!wfi_stack_normed(s, i)) return;
    const float *gamma = b->ln_before.gamma->data, *beta = b->ln_before.beta->data;
    for (int64_t j = 0; j < m; j++) {
        double shift = 0.0;
        for (int64_t c = 0; c < d; c++) {
            shift += (double)down[j * d + c] * beta[c];
            down[j * d + c] *= gamma[c];
        }
        bias[j] += (float)shift;
    }
}

void wfi_stack_fill(wf_fuse_stack *s) {
    const int64_t d = s->d;
#pragma omp parallel for schedule(static) if (s->M * d > 1 << 15)
    for (int64_t i = 0; i < s->N; i++) {
        const wf_bottleneck *b = s->branch[i];
        const float *w = b->up.weight->data, *ub = b->up.bias->data; /* [d,m], [d] */
        float *up = s->up + s->first[i] * d, *last = s->up + (s->M + i) * d;
        fill_down(s, i);
        for (int64_t c = 0; c < d; c++) {
            const float scale = scale_at(b, c);
            for (int64_t j = 0; j < b->m; j++) up[j * d + c] = scale * w[c * b->m + j];
            last[c] = scale * ub[c];
        }
    }
    for (int64_t c = 0; c < d; c++) {
        s->ones[c] = 1.0f;
        s->zeros[c] = 0.0f;
    }
}

static bool grad_of(const wf_param *p) {
    return p && p->grad;
}

bool wfi_stack_trained(const wf_fuse_stack *s) {
    for (int64_t i = 0; i < s->N; i++) {
        const wf_bottleneck *b = s->branch[i];
        if (grad_of(b->down.weight) || grad_of(b->down.bias) || grad_of(b->up.weight) || grad_of(b->up.bias) ||
            grad_of(b->scale_param) || grad_of(b->ln_before.gamma) || grad_of(b->ln_before.beta))
            return true;
    }
    return false;
}

/* ---- gradients ---- */

/* down' = down diag(gamma), bias' = down beta + bias. */
static void spread_down(const wf_fuse_stack *s, int64_t i, const float *dd, const float *db) {
    const wf_bottleneck *b = s->branch[i];
    const int64_t d = s->d, m = b->m;
    const wf_param *W = b->down.weight;
    const float *gamma = wfi_stack_normed(s, i) ? b->ln_before.gamma->data : NULL;
    float *dgamma = gamma ? b->ln_before.gamma->grad : NULL, *dbeta = gamma ? b->ln_before.beta->grad : NULL;
    if (b->down.bias->grad)
        for (int64_t j = 0; j < m; j++) b->down.bias->grad[j] += db[j];
    for (int64_t j = 0; j < m; j++) {
        const float *row = dd + j * d, *w = W->data + j * d;
        for (int64_t c = 0; c < d && W->grad; c++)
            W->grad[j * d + c] += gamma ? row[c] * gamma[c] + db[j] * b->ln_before.beta->data[c] : row[c];
        for (int64_t c = 0; c < d && dgamma; c++) dgamma[c] += row[c] * w[c];
        for (int64_t c = 0; c < d && dbeta; c++) dbeta[c] += db[j] * w[c];
    }
}

/* up'[j,c] = scale_c W[c,j], and the bias row likewise. */
static void spread_up(const wf_fuse_stack *s, int64_t i, const float *dup) {
    const wf_bottleneck *b = s->branch[i];
    const int64_t d = s->d, m = b->m;
    const float *du = dup + s->first[i] * d, *dlast = dup + (s->M + i) * d;
    wf_param *W = b->up.weight, *B = b->up.bias, *S = b->scale_param;
    double whole = 0.0;
    for (int64_t c = 0; c < d; c++) {
        const float scale = scale_at(b, c);
        double ds = (double)dlast[c] * B->data[c];
        for (int64_t j = 0; j < m; j++) {
            const float g = du[j * d + c];
            ds += (double)g * W->data[c * m + j];
            if (W->grad) W->grad[c * m + j] += g * scale;
        }
        if (B->grad) B->grad[c] += dlast[c] * scale;
        if (S && S->grad && S->count > 1) S->grad[c] += (float)ds;
        whole += ds;
    }
    if (S && S->grad && S->count == 1) S->grad[0] += (float)whole;
}

void wfi_stack_spread(const wf_fuse_stack *s, const float *ddown, const float *dbias, const float *dup) {
    for (int64_t i = 0; i < s->N; i++) {
        spread_down(s, i, ddown + s->first[i] * s->d, dbias + s->first[i]);
        spread_up(s, i, dup);
    }
}

/* ---- frozen stacks ---- */

wf_status wfi_stack_pack(wf_fuse_stack *s, bool full, bool backward, wf_err *err) {
    const int64_t d = s->d, M = s->M, K = s->M + s->N;
    if (!s->down_forward) WF_TRY(wfi_packed_new(true, d, M, s->down, d, WF_DTYPE_F32, &s->down_forward, err));
    if (!full && !s->up_score) WF_TRY(wfi_packed_new(true, d, K, s->up, d, WF_DTYPE_F32, &s->up_score, err));
    if (!full && !s->up_mix) WF_TRY(wfi_packed_new(false, K, d, s->up, d, WF_DTYPE_F32, &s->up_mix, err));
    if (backward && !s->down_backward)
        WF_TRY(wfi_packed_new(false, M, d, s->down, d, WF_DTYPE_F32, &s->down_backward, err));
    return WF_OK;
}

void wfi_stack_unpack(wf_fuse_stack *s) {
    wf_packed **all[] = {&s->down_forward, &s->down_backward, &s->up_score, &s->up_mix};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        wfi_packed_free(*all[i]);
        *all[i] = NULL;
    }
}

static uint64_t mix_in(uint64_t h, const wf_param *p) {
    enum { SAMPLES = 8 };
    if (!p) return h;
    const int64_t step = p->count > SAMPLES ? p->count / SAMPLES : 1;
    for (int64_t i = 0; i < p->count; i += step) {
        uint32_t bits;
        memcpy(&bits, &p->data[i], sizeof bits);
        h = (h ^ bits) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h;
}

uint64_t wfi_stack_stamp(const wf_fuse_stack *s) {
    uint64_t h = 0x243f6a8885a308d3u;
    for (int64_t i = 0; i < s->N; i++) {
        const wf_bottleneck *b = s->branch[i];
        const wf_param *all[] = {b->up.bias,     b->down.bias,       b->up.weight,     b->down.weight,
                                 b->scale_param, b->ln_before.gamma, b->ln_before.beta};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) h = mix_in(h, all[k]);
    }
    return h;
}
