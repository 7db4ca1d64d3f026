/* lab/eval_record.c - see eval_record.h. */
#include "lab/eval_record.h"
#include "base/alloc.h"
#include "base/error.h"
#include "lab/heads.h"
#include "lab/precision.h"
#include <stdio.h>
#include <string.h>

static const char COMMAND[] = "eval";

static const char *text_of(const json_t *j, const char *key) {
    const char *text = json_string_value(json_object_get(j, key));
    return text ? text : "";
}

/* NAME, or NAME:TASK of a joint model, however it was called. */
static void name_of(const json_t *info, char out[130]) {
    if (wfi_model_heads(info))
        snprintf(out, 130, "%.64s:%.64s", text_of(info, "name"), text_of(info, "task"));
    else
        snprintf(out, 130, "%.64s", text_of(info, "name"));
}

static wf_status keep(wf_lab *lab, const wf_trained *t, const char *split, const json_t *result, int64_t *run,
                      wf_err *err) {
    char name[130];
    name_of(t->info, name);
    json_t *spec = json_pack("{s:s, s:s, s:s}", "model", name, "split", split, "base_dtype",
                             wfi_precision_name(t->base->dtype)),
           *kept = json_copy((json_t *)result);
    if (kept) {
        json_object_set(kept, "model_hash", json_object_get(t->info, "hash"));
        json_object_set(kept, "task_hash", json_object_get(t->info, "task_hash"));
    }
    char *text = spec ? wfi_json_text(spec, false) : NULL, *body = kept ? wfi_json_text(kept, false) : NULL;
    const wf_status st = text && body ? wfi_run_replace(lab->registry, COMMAND, name, text, body, run, err)
                                      : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(text);
    wfi_free(body);
    json_decref(spec);
    json_decref(kept);
    return st;
}

void wfi_eval_record(wf_lab *lab, const wf_trained *t, const char *split, json_t *result) {
    int64_t run = 0;
    wf_err why = {0};
    const bool kept = keep(lab, t, split, result, &run, &why) == WF_OK;
    if (!kept) wfi_lab_message(lab, "note", "these scores are not recorded: %s", why.text);
    json_object_set_new(result, "run", kept ? json_integer(run) : json_null());
}

void wfi_eval_recorded(const wf_run *runs, size_t count, const json_t *info, wf_recorded_eval *out) {
    char name[130];
    name_of(info, name);
    *out = (wf_recorded_eval){0};
    for (size_t i = count; i-- > 0 && !out->result;) {
        const wf_run *r = &runs[i];
        if (strcmp(r->command, COMMAND) != 0 || strcmp(r->name, name) != 0) continue;
        json_t *j = json_loads(r->result, 0, NULL);
        /* A name may have belonged to another model before, and a task to other rows. */
        if (!j || strcmp(text_of(j, "split"), "test") != 0 ||
            strcmp(text_of(j, "model_hash"), text_of(info, "hash")) != 0 ||
            strcmp(text_of(j, "task_hash"), text_of(info, "task_hash")) != 0 ||
            strcmp(text_of(j, "base_dtype"), text_of(info, "base_dtype")) != 0) {
            json_decref(j);
            continue;
        }
        *out = (wf_recorded_eval){.result = j, .run = r->id};
        snprintf(out->finished, sizeof out->finished, "%.24s", r->finished);
    }
}
