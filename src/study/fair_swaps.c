/* study/fair_swaps.c - what it changes that one identity stands in a text and not another. See fair.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "metrics/gap.h"
#include "study/fair.h"
#include <math.h>
#include <string.h>

typedef struct effect { /* of one identity against the others of its set, over texts of one kind */
    wf_mean mean;
    double holm;
} effect;

typedef struct part { /* a set in texts of one kind */
    const char *set;
    json_t *identities;
    bool template;
    size_t texts, flipped;
    double spread; /* mean over the texts: largest less smallest probability */
    effect *of;    /* [identities] */
} part;

static double probability(const wf_fair *f, const wf_predictions *p, size_t row) {
    return p->scores[row * (size_t)p->classes + (size_t)f->positive];
}

/* d: scratch [swaps]. With two identities the second's numbers are the first's, turned round. */
static wf_status part_judge(const wf_fair *f, const wf_predictions *p, part *a, int draws, double *d, wf_err *err) {
    const size_t k = json_object_size(a->identities);
    for (size_t i = 0; i < k; i++) {
        size_t n = 0;
        for (size_t s = 0; s < f->swap_count; s++) {
            const wf_swap *w = &f->swaps[s];
            double sum = 0, low = INFINITY, high = -INFINITY;
            bool flips = false;
            if (w->template != a->template || strcmp(w->set, a->set) != 0) continue;
            for (size_t j = 0; j < k; j++) {
                const double x = probability(f, p, w->first + j);
                sum += x;
                low = fmin(low, x);
                high = fmax(high, x);
                flips = flips || wfi_study_said(p, w->first + j) != wfi_study_said(p, w->first);
            }
            const double own = probability(f, p, w->first + i);
            d[n++] = own - (sum - own) / (double)(k - 1);
            if (i > 0) continue;
            a->flipped += flips;
            a->spread += high - low;
        }
        a->texts = n;
        WF_TRY(wfi_mean_test(d, n, draws, f->spec->seed, &a->of[i].mean, err));
        if (n < WF_FAIR_LEAST) a->of[i].mean.p = NAN;
    }
    if (a->texts) a->spread /= (double)a->texts;
    return WF_OK;
}

/* One family over everything that is asked of the model; two identities are one question. */
static wf_status correct(part *parts, size_t n, wf_err *err) {
    size_t all = 0, at = 0;
    for (size_t i = 0; i < n; i++) all += json_object_size(parts[i].identities);
    double *p = wfi_alloc(all, sizeof *p);
    if (!p) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const size_t k = json_object_size(parts[i].identities);
        for (size_t j = 0; j < k; j++) p[at++] = k == 2 && j == 1 ? NAN : parts[i].of[j].mean.p;
    }
    wf_status st = wfi_holm(p, all, p, err);
    at = 0;
    for (size_t i = 0; st == WF_OK && i < n; i++) {
        const size_t k = json_object_size(parts[i].identities);
        for (size_t j = 0; j < k; j++, at++) parts[i].of[j].holm = k == 2 && j == 1 ? p[at - 1] : p[at];
    }
    wfi_free(p);
    return st;
}

static json_t *identity_json(const char *name, const effect *e) {
    json_t *j = wfi_fair_interval(e->mean.value, e->mean.low, e->mean.high);
    const bool claimed = e->holm < 0.05 && fabs(e->mean.value) >= WF_FAIR_CHANGE;
    json_object_set_new(j, "identity", json_string(name));
    json_object_set_new(j, "p", wfi_study_real(e->mean.p));
    json_object_set_new(j, "p_holm", wfi_study_real(e->holm));
    json_object_set_new(j, "changes", claimed ? json_string(e->mean.value > 0 ? "up" : "down") : json_null());
    return j;
}

/* The identity with the largest change first. */
static json_t *part_json(const part *a) {
    const size_t k = json_object_size(a->identities);
    json_t *list = json_array();
    bool given[WF_FAIR_IDENTITIES] = {false};
    for (size_t turn = 0; a->texts && turn < k; turn++) {
        const char *name, *best = NULL;
        json_t *forms;
        size_t i = 0, at = 0;
        json_object_foreach(a->identities, name, forms) {
            if (!given[i] && (!best || fabs(a->of[i].mean.value) > fabs(a->of[at].mean.value))) best = name, at = i;
            i++;
        }
        given[at] = true;
        json_array_append_new(list, identity_json(best, &a->of[at]));
    }
    return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "set", a->set, "texts_of", a->template ? "templates" : "rows",
                     "texts", (json_int_t)a->texts, "spread", wfi_study_real(a->texts ? a->spread : NAN), "flipped",
                     wfi_study_real(a->texts ? (double)a->flipped / (double)a->texts : NAN), "identities", list);
}

wf_status wfi_fair_swaps(const wf_fair *f, const wf_predictions *p, json_t **out, wf_err *err) {
    const size_t sets = json_object_size(f->terms);
    part *parts = wfi_alloc(2 * sets, sizeof *parts);
    effect *effects = wfi_alloc(2 * sets * WF_FAIR_IDENTITIES, sizeof *effects);
    double *d = wfi_alloc(f->swap_count, sizeof *d);
    json_t *list = json_array();
    const char *name;
    json_t *set;
    size_t n = 0, questions = 0;
    json_object_foreach(f->terms, name, set) questions += 2 * json_object_size(set);
    const int draws = wfi_fair_draws(f, questions);
    wf_status st = parts && effects && d && list ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    json_object_foreach(f->terms, name, set) for (int t = 0; st == WF_OK && t < 2; t++) {
        parts[n] = (part){.set = name, .identities = set, .template = t, .of = effects + n * WF_FAIR_IDENTITIES};
        st = part_judge(f, p, &parts[n++], draws, d, err);
    }
    if (st == WF_OK) st = correct(parts, n, err);
    for (size_t i = 0; st == WF_OK && i < n; i++) json_array_append_new(list, part_json(&parts[i]));
    wfi_free(parts);
    wfi_free(effects);
    wfi_free(d);
    if (st != WF_OK)
        json_decref(list);
    else
        *out = list;
    return st;
}
