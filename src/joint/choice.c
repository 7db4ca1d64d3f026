/* joint/choice.c - see choice.h. */
#include "joint/choice.h"
#include "base/buffer.h"
#include "base/error.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static wf_status unknown(const char *what, const char *text, const wf_choice *all, size_t count, wf_err *err) {
    wf_buffer list = {0};
    for (size_t i = 0; i < count; i++)
        wfi_buffer_printf(&list, "%s%s%s%s", i ? ", " : "", all[i].name, all[i].number ? ":" : "",
                          all[i].number ? all[i].number : "");
    const wf_status st = wfi_fail(err, WF_E_ARG, "%s \"%.40s\" is not known; use one of %s", what, text,
                                  list.failed ? "those of --help" : list.data);
    wfi_buffer_clear(&list);
    return st;
}

wf_status wfi_choice_parse(const char *what, const char *text, const wf_choice *all, size_t count, size_t *at,
                           double *number, wf_err *err) {
    const size_t n = strcspn(text, ":");
    size_t i = 0;
    while (i < count && (strlen(all[i].name) != n || strncmp(all[i].name, text, n) != 0)) i++;
    if (i == count) return unknown(what, text, all, count, err);
    const wf_choice *c = &all[i];
    *at = i;
    *number = c->number ? c->standard : 0;
    if (text[n] && !c->number) return wfi_fail(err, WF_E_ARG, "%s %s takes no number", what, c->name);
    if (text[n]) {
        char *end = NULL;
        *number = strtod(text + n + 1, &end);
        if (end == text + n + 1 || *end) *number = NAN;
    }
    if (c->number && !(*number >= c->low && *number <= c->high))
        return wfi_fail(err, WF_E_ARG, "%s \"%.40s\": write %s:%s with %s from %g to %g", what, text, c->name,
                        c->number, c->number, c->low, c->high);
    return WF_OK;
}
