/* study/robust_texts.c - the rows of the study in every disturbed form. See robust.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "study/robust.h"

void wfi_robust_texts_clear(wf_robust *r) {
    for (size_t v = 0; r->variants && v < r->count; v++) {
        for (size_t i = 0; r->variants[v].texts && i < r->variants[v].text_count; i++)
            wfi_free(r->variants[v].texts[i]);
        wfi_free(r->variants[v].texts);
        wfi_rows_clear(&r->variants[v].rows);
    }
    wfi_free(r->variants);
}

/* Both texts of a row; the answers of multiple choice stay as they are. */
static wf_status variant_make(const wf_robust *r, const wf_wordnet *wordnet, const wf_rows *from, wf_variant *v,
                              wf_err *err) {
    v->rows.rows = wfi_alloc(from->count, sizeof *v->rows.rows);
    v->texts = wfi_alloc(2 * from->count, sizeof *v->texts);
    if (!v->rows.rows || !v->texts) return wfi_fail(err, WF_E_NOMEM, "out of memory for %zu rows", from->count);
    v->rows.count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        wf_row *row = &v->rows.rows[i];
        size_t edits = 0, more = 0;
        *row = from->rows[i];
        WF_TRY(wfi_perturb(v->kind, wordnet, row->text, v->strength, r->spec->seed, &v->texts[v->text_count], &edits,
                           err));
        row->text = v->texts[v->text_count++];
        if (row->pair) {
            WF_TRY(wfi_perturb(v->kind, wordnet, row->pair, v->strength, r->spec->seed, &v->texts[v->text_count], &more,
                               err));
            row->pair = v->texts[v->text_count++];
        }
        v->changed += edits + more > 0;
    }
    return WF_OK;
}

wf_status wfi_robust_texts(wf_robust *r, const wf_wordnet *wordnet, wf_err *err) {
    const wf_rows *from = &r->variants[0].rows;
    for (size_t k = 0; k < r->kind_count; k++)
        for (size_t s = 0; s < r->strength_count; s++) {
            wf_variant *v = &r->variants[wfi_robust_at(r, k, s)];
            *v = (wf_variant){.kind = r->kinds[k], .strength = r->strengths[s]};
            WF_TRY(variant_make(r, wordnet, from, v, err));
        }
    return WF_OK;
}
