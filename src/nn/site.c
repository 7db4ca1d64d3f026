/* nn/site.c - the model's side of a site: ask the hook, or compute what the plain model computes. See site.h. */
#include "nn/site.h"

const char *wfi_site_name(wf_site s) {
    static const char *const names[WF_SITE_COUNT] = {
        "attention.output", "output", "query", "key", "value", "attention.dense", "intermediate.dense", "output.dense"};
    return (int)s >= 0 && s < WF_SITE_COUNT ? names[s] : "unknown";
}

bool wfi_site_taken(const wf_hooks *hooks, wf_site site, int layer) {
    const bool block = site == WF_SITE_ATTN_OUT || site == WF_SITE_FFN_OUT;
    return hooks && (block ? hooks->block != NULL : hooks->linear != NULL) &&
           (!hooks->takes || hooks->takes(hooks->self, site, layer));
}

wf_value *wfi_site_block(const wf_hooks *hooks, const wf_pass *pass, wf_site site, int layer, wf_value *h, wf_drop drop,
                         wf_value *x, const wf_norm *norm) {
    if (!h || !x) return NULL;
    if (wfi_site_taken(hooks, site, layer)) {
        h = wfi_op_dropout(pass->tape, h, drop.p, drop.key);
        wf_value *y = h ? hooks->block(hooks->self, pass, site, layer, h, x, norm) : NULL;
        if (y || wfi_tape_status(pass->tape, NULL) != WF_OK) return y; /* NULL without a failure: no interest */
        drop.p = 0.0f;
    }
    return wfi_op_norm_dropped(pass->tape, 2, (wf_value *[]){h, x}, drop.p, drop.key, norm);
}

wf_value *wfi_site_linear(const wf_hooks *hooks, const wf_pass *pass, wf_site site, int layer, wf_value *x,
                          const wf_linear *w) {
    if (!x) return NULL;
    if (wfi_site_taken(hooks, site, layer)) {
        wf_value *y = hooks->linear(hooks->self, pass, site, layer, x, w);
        if (y || wfi_tape_status(pass->tape, NULL) != WF_OK) return y;
    }
    return wfi_op_linear(pass->tape, x, w);
}
