/* kernels/vector/rows_vec.h - bias, column sums, layer norm and softmax in the vocabulary of math_vec.h. Layer 2. */
#ifndef WF_KERNELS_ROWS_VEC_H
#define WF_KERNELS_ROWS_VEC_H

static void bias_add(int64_t T, int64_t H, const float *bias, float *x) {
    for (int64_t t = 0; t < T; t++) add(H, x + t * H, bias, x + t * H);
}

/* Sums over rows: SUM_ROWS rows in float, these partial sums in double. A stripe of columns at a time keeps the doubles
 * on the stack; which stripe a column is in does not change its sum. */
enum { SUM_ROWS = 64, STRIPE = 512 };

/* The columns [0, n) of up to SUM_ROWS rows at x (row stride H), n <= 4*VW, into part. */
ALWAYS void column_part(int64_t rows, int64_t H, const float *x, int64_t n, float part[4 * VW]) {
    vf s[4] = {v_set(0.0f), v_set(0.0f), v_set(0.0f), v_set(0.0f)};
    if (n == 4 * VW) {
        for (int64_t t = 0; t < rows; t++, x += H)
            for (int j = 0; j < 4; j++) s[j] = s[j] + v_load(x + j * VW);
    } else {
        for (int64_t t = 0; t < rows; t++, x += H)
            for (int j = 0; j < 4 && j * VW < n; j++)
                s[j] = s[j] + v_load_part(x + j * VW, n - j * VW < VW ? n - j * VW : VW);
    }
    for (int j = 0; j < 4; j++) v_store(part + j * VW, s[j]);
}

static void column_sum(int64_t T, int64_t H, int64_t c0, int64_t c1, const float *x, float *out) {
    double sum[STRIPE];
    float part[4 * VW];
    for (int64_t left = c0; left < c1; left += STRIPE) {
        int64_t width = c1 - left < STRIPE ? c1 - left : STRIPE;
        for (int64_t c = 0; c < width; c++) sum[c] = 0.0;
        for (int64_t t = 0; t < T; t += SUM_ROWS)
            for (int64_t c = 0; c < width; c += 4 * VW) {
                int64_t n = width - c < 4 * VW ? width - c : 4 * VW;
                column_part(T - t < SUM_ROWS ? T - t : SUM_ROWS, H, x + t * H + left + c, n, part);
                for (int64_t i = 0; i < n; i++) sum[c + i] += part[i];
            }
        for (int64_t c = 0; c < width; c++) out[left + c] = (float)(out[left + c] + sum[c]);
    }
}

/* As column_part, for dy * (x - mean) * rstd and dy, n <= 2*VW. */
ALWAYS void norm_part(int64_t rows, int64_t H, const float *x, const float *mean, const float *rstd, const float *dy,
                      int64_t n, float *pg, float *pb) {
    vf g0 = v_set(0.0f), g1 = g0, b0 = g0, b1 = g0;
    int64_t n0 = n < VW ? n : VW, n1 = n - n0;
    bool full = n == 2 * VW;
    for (int64_t t = 0; t < rows; t++, x += H, dy += H) {
        vf mu = v_set(mean[t]), r = v_set(rstd[t]);
        vf d0 = full ? v_load(dy) : v_load_part(dy, n0), d1 = full ? v_load(dy + VW) : v_load_part(dy + n0, n1);
        vf x0 = full ? v_load(x) : v_load_part(x, n0), x1 = full ? v_load(x + VW) : v_load_part(x + n0, n1);
        g0 = v_fma(d0, (x0 - mu) * r, g0), g1 = v_fma(d1, (x1 - mu) * r, g1);
        b0 = b0 + d0, b1 = b1 + d1;
    }
    v_store(pg, g0), v_store(pg + VW, g1), v_store(pb, b0), v_store(pb + VW, b1);
}

static void layernorm_dparams(int64_t T, int64_t H, int64_t c0, int64_t c1, const float *x, const float *mean,
                              const float *rstd, const float *dy, float *dgamma, float *dbeta) {
    double sg[STRIPE], sb[STRIPE];
    float pg[2 * VW], pb[2 * VW];
    for (int64_t left = c0; left < c1; left += STRIPE) {
        int64_t width = c1 - left < STRIPE ? c1 - left : STRIPE;
        for (int64_t c = 0; c < width; c++) sg[c] = sb[c] = 0.0;
        for (int64_t t = 0; t < T; t += SUM_ROWS)
            for (int64_t c = 0; c < width; c += 2 * VW) {
                int64_t n = width - c < 2 * VW ? width - c : 2 * VW, at = t * H + left + c;
                norm_part(T - t < SUM_ROWS ? T - t : SUM_ROWS, H, x + at, mean + t, rstd + t, dy + at, n, pg, pb);
                for (int64_t i = 0; i < n; i++) sg[c + i] += pg[i], sb[c + i] += pb[i];
            }
        for (int64_t c = 0; c < width; c++) {
            dgamma[left + c] = (float)(dgamma[left + c] + sg[c]);
            dbeta[left + c] = (float)(dbeta[left + c] + sb[c]);
        }
    }
}

/* Mean and variance in two passes; the second one also corrects the rounding of the mean, which matters for rows far
 * from zero. */
ALWAYS void row_moments(int64_t H, const float *x, float *mean, float *variance) {
    vf s0 = v_set(0.0f), s1 = s0, q0 = s0, q1 = s0;
    int64_t h = 0;
    for (; h + 2 * VW <= H; h += 2 * VW) s0 = s0 + v_load(x + h), s1 = s1 + v_load(x + h + VW);
    for (; h < H; h += VW) s0 = s0 + v_load_part(x + h, H - h < VW ? H - h : VW);
    float guess = v_sum(s0 + s1) / (float)H;
    vf m = v_set(guess);
    s0 = s1 = v_set(0.0f);
    for (h = 0; h + 2 * VW <= H; h += 2 * VW) {
        vf d0 = v_load(x + h) - m, d1 = v_load(x + h + VW) - m;
        s0 = s0 + d0, s1 = s1 + d1;
        q0 = v_fma(d0, d0, q0), q1 = v_fma(d1, d1, q1);
    }
    for (; h < H; h += VW) {
        int64_t part = H - h < VW ? H - h : VW;
        vf d = v_where(v_below(part), v_load_part(x + h, part) - m);
        s0 = s0 + d;
        q0 = v_fma(d, d, q0);
    }
    float shift = v_sum(s0 + s1) / (float)H, var = v_sum(q0 + q1) / (float)H - shift * shift;
    *mean = guess + shift;
    *variance = var < 0.0f ? 0.0f : var; /* NaN stays */
}

static void layernorm_forward(int64_t T, int64_t H, const float *x, const float *gamma, const float *beta, float eps,
                              float *y, float *mean, float *rstd) {
    for (int64_t t = 0; t < T; t++, x += H, y += H) {
        float mu, var;
        row_moments(H, x, &mu, &var);
        float r = 1.0f / sqrtf(var + eps);
        vf m = v_set(mu), s = v_set(r);
        int64_t h = 0;
        for (; h + VW <= H; h += VW)
            v_store(y + h, v_fma((v_load(x + h) - m) * s, v_load(gamma + h), v_load(beta + h)));
        if (h < H)
            v_store_part(
                y + h,
                v_fma((v_load_part(x + h, H - h) - m) * s, v_load_part(gamma + h, H - h), v_load_part(beta + h, H - h)),
                H - h);
        if (mean) mean[t] = mu;
        if (rstd) rstd[t] = r;
    }
}

/* dx = rstd (g - mean(g) - n mean(g n)), g = dy gamma, n = (x - mean) rstd */
static void layernorm_dx(int64_t T, int64_t H, const float *x, const float *gamma, const float *mean, const float *rstd,
                         const float *dy, float *dx, bool sum) {
    for (int64_t t = 0; t < T; t++, x += H, dy += H, dx += H) {
        vf m = v_set(mean[t]), r = v_set(rstd[t]), sg = v_set(0.0f), sgn = sg;
        int64_t h = 0;
        for (; h + VW <= H; h += VW) {
            vf g = v_load(dy + h) * v_load(gamma + h);
            sg = sg + g;
            sgn = v_fma(g, (v_load(x + h) - m) * r, sgn);
        }
        if (h < H) { /* dy and gamma are 0 beyond the end */
            vf g = v_load_part(dy + h, H - h) * v_load_part(gamma + h, H - h);
            sg = sg + g;
            sgn = v_fma(g, (v_load_part(x + h, H - h) - m) * r, sgn);
        }
        vf mg = v_set(v_sum(sg) / (float)H), mgn = v_set(v_sum(sgn) / (float)H);
        for (h = 0; h < H; h += VW) {
            int64_t part = H - h < VW ? H - h : VW;
            vf g = v_load_part(dy + h, part) * v_load_part(gamma + h, part), n = (v_load_part(x + h, part) - m) * r;
            vf d = r * (g - mg - n * mgn);
            if (sum) d = v_load_part(dx + h, part) + d;
            v_store_part(dx + h, d, part);
        }
    }
}

static void softmax(int64_t T, int64_t C, const float *x, float *y) {
    for (int64_t t = 0; t < T; t++, x += C, y += C) {
        vf most = v_set(-INFINITY), sum = v_set(0.0f);
        int64_t c = 0;
        for (; c + VW <= C; c += VW) most = v_max(most, v_load(x + c));
        if (c < C) most = v_max(most, v_select(v_below(C - c), v_load_part(x + c, C - c), v_set(-INFINITY)));
        most = v_set(v_most(most));
        for (c = 0; c + VW <= C; c += VW) {
            vf e = v_exp(v_load(x + c) - most);
            v_store(y + c, e);
            sum = sum + e;
        }
        if (c < C) {
            vf e = v_where(v_below(C - c), v_exp(v_load_part(x + c, C - c) - most));
            v_store_part(y + c, e, C - c);
            sum = sum + e;
        }
        scale(C, 1.0f / v_sum(sum), y);
    }
}
#endif
