/* lab/mean.c - see mean.h. */
#include "lab/mean.h"
#include "base/error.h"
#include <math.h>
#include <string.h>

static wf_status alike_check(const wf_adapter *a, const wf_adapter *b, wf_err *err) {
    bool same =
        a->params.count == b->params.count && a->params.total == b->params.total && json_equal(a->config, b->config);
    for (size_t i = 0; same && i < a->params.count; i++)
        same = a->params.params[i]->count == b->params.params[i]->count;
    return same ? WF_OK
                : wfi_fail(err, WF_E_ARG,
                           "adapters \"%s\" and \"%s\" have different configurations; only like ones have a mean",
                           a->name, b->name);
}

wf_status wfi_adapters_mean(wf_adapter *const *from, const double *weights, size_t count, const char *name,
                            wf_adapter **out, wf_err *err) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(weights[i] >= 0) || !isfinite(weights[i]))
            return wfi_fail(err, WF_E_ARG, "weight %g of adapter \"%s\" is not a number from 0 upwards", weights[i],
                            from[i]->name);
        sum += weights[i];
        if (i) WF_TRY(alike_check(from[0], from[i], err));
    }
    if (count == 0 || !(sum > 0)) return wfi_fail(err, WF_E_ARG, "a mean of adapters needs a weight above 0");
    WF_TRY(wfi_adapter_from_config(name, from[0]->config, &from[0]->base, out, err));
    float *to = (*out)->params.data;
    for (int64_t k = 0; k < (*out)->params.total; k++) {
        double v = 0;
        for (size_t i = 0; i < count; i++) v += weights[i] / sum * (double)from[i]->params.data[k];
        to[k] = (float)v;
    }
    wfi_adapter_changed(*out);
    return WF_OK;
}
