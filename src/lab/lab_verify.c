/* lab/lab_verify.c - nothing stored has changed: hashes of all files, and each model's recorded outputs bit for bit. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "lab/heads.h"
#include "lab/job.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void failure_add(json_t *failures, const wf_record *r, const char *why) {
    json_array_append_new(failures, json_pack("{s:s, s:s, s:s}", "kind", r->kind, "name", r->name, "why", why));
}

/* True when the folder's content is what was stored. */
static bool tree_check(wf_lab *lab, const wf_record *r, json_t *failures) {
    wf_err e = {0};
    if (wfi_lab_tree_check(lab, r, &e) == WF_OK) return true;
    failure_add(failures, r, e.text);
    return false;
}

/* Recorded and present outputs: on the same processor and threads every bit, elsewhere within what another order of
 * sums may change: over a base in bfloat16 a sum's last bit can decide how it is rounded, which is 2^-8 of it. In int8
 * products are the same everywhere, but what lies between them is not, and a last bit there can decide a byte. */
static const double NEAR_F32 = 1e-3, NEAR_BF16 = 2e-2, NEAR_INT8 = 5e-2;
static void bits_compare(wf_lab *lab, const wf_record *r, const wf_trained *t, const json_t *probe, const wf_outputs *o,
                         json_t *failures) {
    const char *bits = json_string_value(json_object_get(probe, "bits")),
               *isa = json_string_value(json_object_get(probe, "isa")),
               *cpu = json_string_value(json_object_get(probe, "cpu"));
    const size_t n = o->rows * (size_t)o->classes;
    const wf_dtype type = t->base->dtype;
    const double near = type == WF_DTYPE_BF16 ? NEAR_BF16 : type == WF_DTYPE_I8 ? NEAR_INT8 : NEAR_F32;
    const bool same_machine =
        isa && cpu && strcmp(isa, wfi_isa_name(wfi_cpu_get()->isa)) == 0 && strcmp(cpu, wfi_cpu_get()->name) == 0;
    double worst = 0;
    size_t different = 0;
    char why[200];
    if (!bits || strlen(bits) != n * 8) {
        failure_add(failures, r, "the recorded predictions are damaged");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char word[9] = {0};
        memcpy(word, bits + 8 * i, 8);
        const uint32_t recorded = (uint32_t)strtoul(word, NULL, 16);
        uint32_t now;
        memcpy(&now, &o->scores[i], sizeof now);
        if (now != recorded) {
            float was;
            memcpy(&was, &recorded, sizeof was);
            const double d = fabs((double)was - (double)o->scores[i]);
            different++;
            if (!isnan(worst) && !(d <= worst)) worst = d; /* a NaN stays */
        }
    }
    if (same_machine ? different > 0 : !(worst <= near)) {
        snprintf(why, sizeof why, "%zu of %zu recorded outputs differ, by up to %.3g", different, n, worst);
        failure_add(failures, r, why);
    } else if (different) {
        wfi_lab_message(lab, "note", "%s: recorded on another processor (%s, %s); equal within %.1g", r->name,
                        cpu ? cpu : "?", isa ? isa : "?", worst);
    }
}

/* name: the model's, or one of its heads' (NAME:TASK). */
static void head_check(wf_lab *lab, const wf_record *r, const char *name, json_t *failures) {
    wf_trained t = {0};
    wf_task *task = NULL;
    wf_rows some = {0};
    wf_encoded e = {0};
    wf_outputs o = {0};
    wf_err err = {0};
    const int threads = lab->threads;
    wf_status st = wfi_trained_open(lab, name, &t, &err);
    const json_t *probe = st == WF_OK ? json_object_get(t.info, "probe") : NULL;
    if (st == WF_OK) st = wfi_lab_task(lab, json_string_value(json_object_get(t.info, "task")), &task, NULL, &err);
    if (st == WF_OK) {
        const char *part = json_string_value(json_object_get(probe, "part"));
        const wf_rows *from = part && strcmp(part, "dev") == 0 ? &task->dev : &task->train;
        int64_t indices[64], n = json_integer_value(json_object_get(probe, "rows"));
        if (n < 0 || n > 64 || (size_t)n > from->count)
            st = wfi_fail(&err, WF_E_DATA, "the recorded predictions are damaged");
        for (int64_t i = 0; st == WF_OK && i < n; i++) indices[i] = i;
        if (st == WF_OK) st = wfi_rows_pick(from, indices, (size_t)n, &some, &err);
    }
    wf_lab_threads(lab, (int)json_integer_value(json_object_get(probe, "threads")));
    if (st == WF_OK) st = wfi_job_encode(&t, &some, task, &e, &err);
    if (st == WF_OK) st = wfi_evaluate_outputs(t.context, &e, t.classes, &o, &err);
    if (st == WF_OK)
        bits_compare(lab, r, &t, probe, &o, failures);
    else
        failure_add(failures, r, err.text);
    wf_lab_threads(lab, threads);
    wfi_outputs_clear(&o);
    wfi_encoded_clear(&e);
    wfi_rows_clear(&some);
    wfi_task_free(task);
    wfi_trained_clear(&t);
}

/* Its copy of the lineage (weft.json), which the hash over the files leaves out. */
static void copy_check(wf_lab *lab, const wf_record *r, json_t *failures) {
    enum { MOST_BYTES = 64 << 20 };
    char relative[512], why[1200];
    json_t *stored = NULL, *copy = NULL;
    wf_err err = {0};
    snprintf(relative, sizeof relative, "%s/weft.json", r->path);
    char *path = wfi_lab_path(lab, relative);
    wf_status st = path ? WF_OK : wfi_fail(&err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) st = wfi_json_parse(r->json, strlen(r->json), r->name, &stored, &err);
    if (st == WF_OK) st = wfi_json_read(path, MOST_BYTES, &copy, &err);
    if (st != WF_OK) {
        snprintf(why, sizeof why, "its lineage cannot be read: %s", err.text);
        failure_add(failures, r, why);
    } else if (!json_equal(stored, copy)) {
        failure_add(failures, r, "weft.json is not what was stored");
    }
    json_decref(copy);
    json_decref(stored);
    wfi_free(path);
}

static void model_check(wf_lab *lab, const wf_record *r, json_t *failures) {
    copy_check(lab, r, failures);
    json_t *names = json_array(), *name;
    wf_err err = {0};
    size_t i;
    if (!names || wfi_model_spread(lab, r->name, names, &err) != WF_OK) failure_add(failures, r, err.text);
    json_array_foreach(names, i, name) head_check(lab, r, json_string_value(name), failures);
    json_decref(names);
}

wf_status wf_verify(wf_lab *lab, char **json, wf_err *err) {
    wf_record *records = NULL;
    size_t count = 0, checked = 0;
    WF_TRY(wfi_registry_list(lab->registry, NULL, &records, &count, err));
    json_t *failures = json_array();
    wf_status st = failures ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_lab_check_once(lab, true);
    for (size_t i = 0; st == WF_OK && i < count; i++) {
        const wf_progress p = {.stage = "verify",
                               .name = records[i].name,
                               .done = (int64_t)i,
                               .total = (int64_t)count,
                               .loss = NAN,
                               .seconds_left = -1,
                               .rate_unit = ""};
        if (!*records[i].path) continue; /* it has no files: a gate */
        checked++;
        if (wfi_lab_tick(lab, &p, false))
            st = wfi_fail(err, WF_E_CANCELLED, "cancelled");
        else if (tree_check(lab, &records[i], failures) && strcmp(records[i].kind, "model") == 0)
            model_check(lab, &records[i], failures);
    }
    wfi_lab_check_once(lab, false);
    wfi_records_free(records, count);
    const size_t bad = json_array_size(failures);
    if (st != WF_OK) {
        json_decref(failures);
        return st;
    }
    WF_TRY(wfi_lab_give(
        json_pack("{s:b, s:I, s:o}", "ok", bad == 0, "checked", (json_int_t)checked, "failures", failures), json, err));
    return bad ? wfi_fail(err, WF_E_CHECK, "%zu check%s did not hold (%zu artefacts checked)", bad, bad == 1 ? "" : "s",
                          checked)
               : WF_OK;
}
