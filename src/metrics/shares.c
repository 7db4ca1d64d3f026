/* metrics/shares.c - shares over units of several rows, and their difference between two models. See significance.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "metrics/metric.h"
#include "metrics/significance.h"
#include <math.h>

static double drawn_share(wf_shares s, const size_t *units, size_t n) {
    double hit = 0, of = 0;
    for (size_t i = 0; i < n; i++) {
        hit += s.hit[units[i]];
        of += s.of[units[i]];
    }
    return of > 0 ? hit / of : NAN;
}

static void draw(size_t *units, size_t n, uint64_t key, int k) {
    for (size_t i = 0; i < n; i++) units[i] = wfi_random_below(key, (uint64_t)k * n + i, (uint32_t)n);
}

wf_status wfi_share(const double *hit, const double *of, size_t n, int resamples, uint64_t seed, wf_share *out,
                    wf_err *err) {
    const wf_shares s = {hit, of};
    const uint64_t key = wfi_random_key(seed, "share", 0, 0);
    size_t *units = wfi_alloc(n, sizeof *units), kept = 0;
    double *values = wfi_alloc((size_t)resamples, sizeof *values);
    wf_status st = units && values ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu cases", n);
    *out = (wf_share){NAN, NAN, NAN};
    for (size_t i = 0; st == WF_OK && i < n; i++) units[i] = i;
    if (st == WF_OK && n) out->value = drawn_share(s, units, n);
    for (int k = 0; st == WF_OK && isfinite(out->value) && k < resamples; k++) {
        draw(units, n, key, k);
        const double x = drawn_share(s, units, n);
        if (!isnan(x)) values[kept++] = x;
    }
    if (kept) wfi_metric_interval(values, kept, &out->low, &out->high);
    const double far = 1 - pow(0.025, 1 / (double)(n ? n : 1));
    if (out->value == 0) out->high = far;
    if (out->value == 1) out->low = 1 - far;
    wfi_free(units);
    wfi_free(values);
    return st;
}

wf_status wfi_share_paired(wf_shares a, wf_shares b, size_t n, int resamples, uint64_t seed, wf_paired_test *out,
                           wf_err *err) {
    const uint64_t key = wfi_random_key(seed, "paired shares", 0, 0);
    size_t *units = wfi_alloc(n, sizeof *units), kept = 0, far = 0;
    double *values = wfi_alloc((size_t)resamples, sizeof *values);
    wf_status st = units && values ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for %zu cases", n);
    *out = (wf_paired_test){NAN, NAN, NAN, NAN, NAN, NAN};
    for (size_t i = 0; st == WF_OK && i < n; i++) units[i] = i;
    if (st == WF_OK) {
        out->a = drawn_share(a, units, n);
        out->b = drawn_share(b, units, n);
        out->difference = out->a - out->b;
    }
    for (int k = 0; st == WF_OK && isfinite(out->difference) && k < resamples; k++) {
        draw(units, n, key, k);
        const double d = drawn_share(a, units, n) - drawn_share(b, units, n);
        if (isnan(d)) continue; /* no unit of one side was drawn */
        values[kept++] = d;
        far += fabs(d - out->difference) >= fabs(out->difference) - 1e-12;
    }
    if (kept) {
        wfi_metric_interval(values, kept, &out->low, &out->high);
        out->p = (double)(far + 1) / (double)(kept + 1);
    }
    wfi_free(units);
    wfi_free(values);
    return st;
}
