/* lab/gap.c - see gap.h. Both sides are of different rows, so their intervals are independent: the gap's half width is
 * the root of the sum of squares. */
#include "lab/gap.h"
#include "base/alloc.h"
#include "base/error.h"
#include <math.h>
#include <string.h>

enum { TRAIN_MOST = 1000, RESAMPLES = 500, REMEDIES = 3 };
static const double WIDE = 0.10;

/* What is not in use yet and can be, the likeliest help first. */
static void remedy_say(const wf_job *job, const wf_trained *t, char *out, size_t size) {
    const wf_settings *s = job->settings;
    const bool classes = job->task->kind == WF_KIND_CLASSIFICATION || job->task->kind == WF_KIND_MULTIPLE_CHOICE,
               parts = s->kind == WF_METHOD_ADAPTER || s->kind == WF_METHOD_FUSION,
               drops = t->fusion || (t->adapter && wfi_adapter_is_bottleneck(t->adapter) &&
                                     !json_is_true(json_object_get(t->adapter->config, "is_parallel")));
    const struct {
        bool use;
        const char *what;
    } all[] = {{s->rows > 0 && (size_t)s->rows < job->task->train.count, "more rows (--rows)"},
               {s->kind == WF_METHOD_FULL, "an adapter instead of all weights (--method seq_bn)"},
               {parts && drops && s->stochastic_depth == 0, "--stochastic-depth 0.2"},
               {classes && s->rdrop == 0 && s->head_dropout > 0, "--rdrop 1"},
               {s->weight_decay == 0, "--weight-decay 0.05"},
               {s->head_dropout < 0.3, "--head-dropout 0.3"},
               {s->kind != WF_METHOD_HEAD && s->mixout == 0, "--mixout 0.3"},
               {classes && s->label_smoothing == 0 && s->focal == 0, "--label-smoothing 0.1"}};
    size_t n = 0;
    *out = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all && n < REMEDIES; i++)
        if (all[i].use) {
            const size_t at = strlen(out);
            snprintf(out + at, size - at, "%s%s", n++ ? ", or " : "", all[i].what);
        }
    if (n == 0) snprintf(out, size, "more training rows");
}

/* Rows of the training part that the job used: samples of one seed lie within each other. */
static wf_status train_score(const wf_job *job, wf_trained *t, int64_t used, wf_scores *s, int64_t *count,
                             wf_err *err) {
    const size_t n = used < TRAIN_MOST ? (size_t)used : TRAIN_MOST;
    int64_t *indices = NULL;
    wf_rows some = {0};
    wf_encoded e = {0};
    WF_TRY(wfi_rows_sample(&job->task->train, job->task, n, job->settings->seed, &indices, err));
    wf_status st = wfi_rows_pick(&job->task->train, indices, n, &some, err);
    if (st == WF_OK) st = wfi_job_encode(t, &some, job->task, &e, err);
    if (st == WF_OK) st = wfi_evaluate(t->context, &e, t->classes, RESAMPLES, job->settings->seed, s, err);
    *count = (int64_t)n;
    wfi_encoded_clear(&e);
    wfi_rows_clear(&some);
    wfi_free(indices);
    return st;
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

wf_status wfi_gap_measure(const wf_job *job, wf_trained *t, const wf_encoded *dev, int64_t used, json_t **out,
                          wf_err *err) {
    const char *metric = job->task->metric;
    wf_scores on_train, on_dev;
    int64_t rows = 0;
    *out = NULL;
    if (dev->rows == 0) return *out = json_null(), WF_OK;
    WF_TRY(train_score(job, t, used, &on_train, &rows, err));
    WF_TRY(wfi_evaluate(t->context, dev, t->classes, RESAMPLES, job->settings->seed + 1, &on_dev, err));
    const wf_metric_value *a = wfi_scores_find(&on_train, metric), *b = wfi_scores_find(&on_dev, metric);
    if (!a || !b) return *out = json_null(), WF_OK;
    const bool errors = wfi_metric_lower_is_better(metric);
    const double gap = (errors ? -1 : 1) * (a->value - b->value),
                 half = hypot((a->high - a->low) / 2, (b->high - b->low) / 2), low = gap - half, high = gap + half;
    const bool warns = low > (errors ? a->value : WIDE); /* a NaN does not */
    char remedy[256];
    remedy_say(job, t, remedy, sizeof remedy);
    *out = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "metric", metric, "train_rows", (json_int_t)rows,
                     "train", number(a->value), "dev", number(b->value), "gap", number(gap), "low", number(low), "high",
                     number(high), "warns", warns, "remedy", warns ? json_string(remedy) : json_null());
    if (warns && !job->part)
        wfi_lab_message(job->lab, "warning",
                        "%s: %s is %.3f on training rows and %.3f on dev (gap %.3f, 95 %% interval [%.3f, %.3f]): it "
                        "fits what it has seen too closely; try %s",
                        job->name, metric, a->value, b->value, gap, low, high, remedy);
    return *out ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
}
