/* study/interact_alike.c - how alike what the head starts from is under each adapter alone, and without any. See
 * interact.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "metrics/similarity.h"
#include "study/interact.h"

wf_status wfi_interact_alike(wf_interact *x, json_t **out, wf_err *err) {
    const size_t m = x->chosen_count + 1; /* the last: no adapter */
    json_t *names = json_array(), *matrix = json_array();
    double *cka = wfi_alloc(m * m, sizeof *cka);
    wf_status st = names && matrix && cka ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t a = 0; st == WF_OK && a < m; a++) {
        const float *one = x->subsets[a + 1 < m ? x->alone[x->chosen[a]] : x->none].features;
        json_array_append_new(names, json_string(a + 1 < m ? x->t.fused[x->chosen[a]]->name : "(none)"));
        cka[a * m + a] = 1;
        for (size_t b = 0; st == WF_OK && b < a; b++) {
            const float *other = x->subsets[x->alone[x->chosen[b]]].features;
            st = wfi_cka(one, x->width, other, x->width, x->alike, &cka[a * m + b], err);
            cka[b * m + a] = cka[a * m + b];
            if (st == WF_OK) st = wfi_study_tick(&x->study, "likeness", 0, err);
        }
    }
    for (size_t a = 0; st == WF_OK && a < m; a++) {
        json_t *row = json_array();
        for (size_t b = 0; b < m; b++) json_array_append_new(row, wfi_study_real(cka[a * m + b]));
        json_array_append_new(matrix, row);
    }
    wfi_free(cka);
    if (st == WF_OK) *out = json_pack("{s:O, s:I, s:O}", "names", names, "texts", (json_int_t)x->alike, "cka", matrix);
    json_decref(names);
    json_decref(matrix);
    return st;
}
