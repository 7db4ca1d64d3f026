/* nn/init.h - first values of parameters. Layer 4.
 * Every value is a pure function of (key, element), so that the order in which things are made changes nothing. */
#ifndef WF_NN_INIT_H
#define WF_NN_INIT_H
#include "tape/param.h"

void wfi_init_constant(wf_param *p, float value);
void wfi_init_normal(wf_param *p, uint64_t key, float std);
void wfi_init_uniform(wf_param *p, uint64_t key, float bound); /* U(-bound, bound) */
void wfi_init_truncated(wf_param *p, uint64_t key, float std,
                        float cut); /* N(0, std) limited to [-cut, cut] by drawing again */
void wfi_init_diagonal(wf_param *p, float diagonal, float elsewhere); /* square matrix */
#endif
