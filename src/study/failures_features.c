/* study/failures_features.c - rows as the frozen base sees them. See failures.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "lab/job.h"
#include "study/failures.h"
#include <math.h>
#include <string.h>

enum { CHUNK = 256 };

/* A head that was never trained stands on the bare base: only what it starts from is used. */
static wf_status bare_open(const wf_failures *f, wf_trained *t, wf_err *err) {
    const wf_train_spec spec = {.task = f->task->name, .method = "head", .base = f->base, .base_dtype = "f32"};
    json_t *json = NULL;
    wf_settings s;
    wf_status st = wfi_settings_resolve(&spec, &json, err);
    if (st == WF_OK) st = wfi_settings_read(json, &s, err);
    if (st == WF_OK) st = wfi_trained_new(f->study.lab, &s, "features", f->task, t, err);
    json_decref(json);
    return st;
}

static void rows_pool(const wf_encoded *e, float *out) {
    const size_t width = (size_t)e->pooled_width;
    for (size_t i = 0; i < e->rows; i++) {
        const int64_t first = e->first[i], n = e->first[i + 1] - first;
        for (int64_t s = 0; s < n; s++)
            for (size_t k = 0; k < width; k++)
                out[i * width + k] += e->pooled[(size_t)(first + s) * width + k] / (float)n;
    }
}

wf_status wfi_failures_features(wf_failures *f, const wf_rows *rows, const char *stage, float **out, size_t *width,
                                wf_err *err) {
    wf_trained t = {0};
    WF_TRY(bare_open(f, &t, err));
    *width = (size_t)t.head->hidden_size;
    float *all = wfi_alloc(rows->count + 1, *width * sizeof *all);
    wf_status st = all ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory for the features of %zu rows", rows->count);
    for (size_t i = 0; st == WF_OK && i < rows->count; i += CHUNK) {
        const wf_rows some = {.rows = rows->rows + i, .count = rows->count - i < CHUNK ? rows->count - i : CHUNK};
        wf_encoded e = {0};
        st = wfi_job_encode(&t, &some, f->task, &e, err);
        if (st == WF_OK) st = wfi_features_make(t.context, &e, err);
        if (st == WF_OK) rows_pool(&e, all + i * *width);
        wfi_encoded_clear(&e);
        if (st == WF_OK) st = wfi_study_tick(&f->study, stage, (int64_t)some.count, err);
    }
    for (size_t i = 0; st == WF_OK && i < rows->count; i++) { /* length 1: nearness is the angle between texts */
        double norm = 0;
        float *row = all + i * *width;
        for (size_t k = 0; k < *width; k++) norm += (double)row[k] * (double)row[k];
        for (size_t k = 0; norm > 0 && k < *width; k++) row[k] = (float)((double)row[k] / sqrt(norm));
    }
    wfi_trained_clear(&t);
    if (st != WF_OK)
        wfi_free(all);
    else
        *out = all;
    return st;
}
