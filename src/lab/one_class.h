/* lab/one_class.h - a model that gives (nearly) every row the same answer is told of. Layer 10. */
#ifndef WF_LAB_ONE_CLASS_H
#define WF_LAB_ONE_CLASS_H
#include "lab/handle.h"

/* into["one_class"]: {"part","label","rows","others","verdict"} when the predictions on that part are such; else the
 * key is taken away. labels: the classes' names, or NULL. */
void wfi_one_class_set(json_t *into, const wf_predictions *p, char *const *labels, const char *part);
/* Warns by the verdict of a result, or those of its heads. */
void wfi_one_class_warn(wf_lab *lab, const json_t *result);
#endif
