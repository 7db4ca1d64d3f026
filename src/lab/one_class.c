/* lab/one_class.c - see one_class.h. */
#include "lab/one_class.h"
#include "lab/heads.h"
#include "metrics/one_class.h"
#include <stdio.h>
#include <string.h>

void wfi_one_class_set(json_t *into, const wf_predictions *p, char *const *labels, const char *part) {
    wf_one_class one;
    char label[96] = "", all[64], verdict[320];
    json_object_del(into, "one_class");
    if (!wfi_one_class(p, &one)) return;
    if (one.said >= 0 && labels)
        snprintf(label, sizeof label, "%.80s", labels[one.said]);
    else if (one.said >= 0)
        snprintf(label, sizeof label, "choice %d", one.said);
    if (one.others)
        snprintf(all, sizeof all, "all but %lld of the %lld", (long long)one.others, (long long)one.rows);
    else
        snprintf(all, sizeof all, "every one of the %lld", (long long)one.rows);
    if (one.said >= 0)
        snprintf(verdict, sizeof verdict, "gives %.80s to %s %s rows, though %lld are of other classes: %s", label, all,
                 part, (long long)one.elsewise,
                 one.commonest ? "nothing is learned beyond the commonest class" : "it tells the classes not apart");
    else
        snprintf(verdict, sizeof verdict, "gives the same labels to %s %s rows, wrong for %lld: nothing is told apart",
                 all, part, (long long)one.elsewise);
    json_object_set_new(into, "one_class",
                        json_pack("{s:s, s:o, s:I, s:I, s:s}", "part", part, "label",
                                  one.said >= 0 ? json_string(label) : json_null(), "rows", (json_int_t)one.rows,
                                  "others", (json_int_t)one.others, "verdict", verdict));
}

static void tell(wf_lab *lab, const char *name, const char *task, const json_t *result) {
    const char *verdict = json_string_value(json_object_get(json_object_get(result, "one_class"), "verdict"));
    if (verdict) wfi_lab_message(lab, "warning", "%s%s%s %s", name, task ? ":" : "", task ? task : "", verdict);
}

void wfi_one_class_warn(wf_lab *lab, const json_t *result) {
    const char *name = json_string_value(json_object_get(result, "name")), *task;
    json_t *one;
    if (!name) return;
    tell(lab, name, NULL, result);
    json_object_foreach(wfi_model_heads(result), task, one) tell(lab, name, task, one);
}
