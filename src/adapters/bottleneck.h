/* adapters/bottleneck.h - the parts of a bottleneck adapter that AdapterFusion needs. Layer 5. */
#ifndef WF_ADAPTERS_BOTTLENECK_H
#define WF_ADAPTERS_BOTTLENECK_H
#include "adapters/adapter.h"

typedef struct wf_bottleneck { /* at one (layer, site); maths.md 1.0 */
    int64_t m;                 /* bottleneck width */
    wf_linear down, up;
    wf_norm ln_before, ln_after; /* gamma NULL: absent */
    wf_linear gate;              /* weight NULL: absent */
    wf_param *scale_param;       /* learned scalar or channel vector; NULL: constant */
    float scale;                 /* the constant */
    wf_act act;
} wf_bottleneck;

bool wfi_adapter_is_bottleneck(const wf_adapter *a);
const wf_bottleneck *wfi_bottleneck_at(const wf_adapter *a, wf_site site, int layer); /* NULL: none there */
/* Step 1 of the generic block: adapter input z and residual r from h, x, LN. WF_OK with *z untouched is impossible. */
wf_status wfi_bottleneck_inputs(const wf_adapter *a, const wf_pass *pass, wf_value *h, wf_value *x, const wf_norm *norm,
                                wf_value **z, wf_value **r, wf_err *err);
bool wfi_bottleneck_parallel(
    const wf_adapter *a); /* is_parallel: z and r are x, and h joins the sum in front of step 7 */
/* Step 7: LN(o + x) or o. */
wf_value *wfi_bottleneck_outer(const wf_adapter *a, const wf_pass *pass, wf_value *o, wf_value *x, const wf_norm *norm);
/* The same with o as a sum of n (1..7) addends that is not formed. */
wf_value *wfi_bottleneck_outer_sum(const wf_adapter *a, const wf_pass *pass, int n, wf_value *const *addends,
                                   wf_value *x, const wf_norm *norm);
#endif
