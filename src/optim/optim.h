/* optim/optim.h - AdamW over whole sets of parameters, and clipping of their gradients. Layer 4.
 * Loshchilov and Hutter 2019, as torch.optim.AdamW computes it (no amsgrad, no maximize): decay decoupled, applied only
 * to parameters whose `decay` flag is set. Acts on the sets' flat buffers; a set that has no gradients is left as it
 * is. Threads: an optimiser belongs to one thread at a time; parallel inside. */
#ifndef WF_OPTIM_OPTIM_H
#define WF_OPTIM_OPTIM_H
#include "tape/param.h"

#define WF_ADAMW_BETA1 0.9
#define WF_ADAMW_BETA2 0.999
#define WF_ADAMW_EPS   1e-8
typedef struct wf_adamw_config {
    double beta1, beta2, eps;
} wf_adamw_config;
#define WF_ADAMW_DEFAULTS ((wf_adamw_config){WF_ADAMW_BETA1, WF_ADAMW_BETA2, WF_ADAMW_EPS})

typedef struct wf_optim wf_optim;
/* sets are borrowed and must outlive the optimiser. Those without gradients now (frozen) are never touched. */
wf_status wfi_optim_new(wf_pset *const *sets, size_t n, double weight_decay, wf_optim **out, wf_err *err);
void wfi_optim_free(wf_optim *o);
wf_status wfi_optim_configure(wf_optim *o, const wf_adamw_config *c,
                              wf_err *err); /* other than the defaults; before the first step */
void wfi_optim_zero_grad(wf_optim *o);
void wfi_optim_step(wf_optim *o, double lr);

/* From the next step on set `index` stays as it is, moments and count too (true), or takes part again. */
void wfi_optim_skip(wf_optim *o, size_t index, bool skip);

/* What a checkpoint holds beside the parameters, writable in place: both moments [set->total] of set `index` (NULL for
 * a frozen set), and the number of steps that it took part in. */
void wfi_optim_state(wf_optim *o, size_t index, float **m, float **v);
int64_t *wfi_optim_steps(wf_optim *o, size_t index);

/* Scales all gradients by max_norm / (norm + 1e-6) when that is below 1, norm being the L2 norm over all sets, as
 * torch's clip_grad_norm_. max_norm <= 0 only measures. norm may be NULL. A norm that is not finite is WF_E_NONFINITE
 * naming the first parameter to blame; gradients are untouched then. */
wf_status wfi_clip_grad_norm(wf_pset *const *sets, size_t n, double max_norm, double *norm, wf_err *err);
#endif
