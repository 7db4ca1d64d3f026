/* joint/choice.h - a method by its name, with a number behind a ':' where it takes one. Private to joint/. Layer 4. */
#ifndef WF_JOINT_CHOICE_H
#define WF_JOINT_CHOICE_H
#include "weft/status.h"
#include <stddef.h>

typedef struct wf_choice {
    const char *name, *number; /* number: what it is called; NULL: none */
    double low, high;
    double standard; /* without one; NaN: one must be given */
} wf_choice;
/* Refusals name what there is. */
wf_status wfi_choice_parse(const char *what, const char *text, const wf_choice *all, size_t count, size_t *at,
                           double *number, wf_err *err);
#endif
