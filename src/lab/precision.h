/* lab/precision.h - the type in which a base is multiplied: float32, or bfloat16 or int8 where that is faster. Layer
 * 10. "auto" is settled once, when a training begins, and what was settled is stored with the run and the model. A base
 * that is trained itself is never multiplied in int8, which is for matrices that are packed once (decision 5). */
#ifndef WF_LAB_PRECISION_H
#define WF_LAB_PRECISION_H
#include "lab/handle.h"

const char *wfi_precision_name(wf_dtype t); /* "f32", "bf16", "int8" */
/* NULL: float32, as in what was stored before there was a choice. */
bool wfi_precision_parse(const char *word, wf_dtype *out);
wf_status wfi_precision_check(const char *word, wf_err *err); /* one of them, "auto" or NULL (auto); else WF_E_ARG */
/* word as above; trained: for method full. auto: the type that this processor with this number of threads is faster
 * with at the products of this base, measured once for a lab (file speed.json) so that the same training gets the same
 * type again. A base that is trained and asked for in int8, which it has not, gets what auto gives it. */
wf_status wfi_precision_settle(wf_lab *lab, const wf_open_base *base, const char *word, bool trained, wf_dtype *out,
                               wf_err *err);
/* The same for a training of these settings (wfi_settings_resolve). */
wf_status wfi_precision_settle_for(wf_lab *lab, const wf_open_base *base, const json_t *settings, wf_dtype *out,
                                   wf_err *err);
#endif
