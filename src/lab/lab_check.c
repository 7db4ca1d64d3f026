/* lab/lab_check.c - what is wrong with a training that has not come to its turn yet, as far as it can be told without
 * its lab: the methods and names of their settings, words and ranges. */
#include "adapters/presets.h"
#include "base/error.h"
#include "fusion/fusion_config.h"
#include "lab/compare_cell.h"
#include "lab/joint.h"
#include "lab/settings.h"
#include <string.h>

/* The settings of an adapter or fusion by name; their values depend on the base. */
static wf_status part_check(const wf_settings *s, wf_err *err) {
    json_t *config = NULL;
    wf_status st = s->kind == WF_METHOD_ADAPTER  ? wfi_preset_config(s->method, &config, err)
                   : s->kind == WF_METHOD_FUSION ? wfi_fusion_preset(s->config ? s->config : "dynamic", &config, err)
                                                 : WF_OK;
    json_decref(config);
    return st;
}

static wf_status settings_check(const json_t *j, wf_err *err) {
    wf_settings s;
    json_t *copy = json_deep_copy(j);
    if (!copy) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (strcmp(json_string_value(json_object_get(copy, "base_dtype")), "auto") == 0) /* settled on the base's machine */
        json_object_set_new(copy, "base_dtype", json_string("f32"));
    wf_status st = wfi_settings_read(copy, &s, err);
    if (st == WF_OK) st = part_check(&s, err);
    json_decref(copy);
    return st;
}

wf_status wf_train_check(const wf_train_spec *spec, wf_err *err) {
    json_t *j = NULL;
    WF_TRY(wfi_settings_resolve(spec, &j, err));
    wf_status st = settings_check(j, err);
    json_decref(j);
    return st;
}

wf_status wf_joint_check(const wf_joint_spec *spec, wf_err *err) {
    json_t *j = NULL;
    WF_TRY(wfi_joint_settings(spec, &j, err));
    wf_status st = settings_check(j, err);
    json_decref(j);
    return st;
}

wf_status wf_compare_check(const wf_compare_spec *spec, wf_err *err) {
    if (spec->method_count == 0) return wfi_fail(err, WF_E_ARG, "which methods? e.g. --methods head,seq_bn,fuse:A,B");
    wf_train_spec train = spec->train;
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < spec->method_count; i++) {
        wf_compare_method m = {0};
        st = wfi_compare_method(spec->methods[i], &m, err);
        train.task = spec->task;
        train.method = st == WF_OK && m.kind == WF_COMPARE_PLAIN ? m.plain : "seq_bn";
        if (st == WF_OK) st = wf_train_check(&train, err);
        wfi_compare_method_clear(&m);
    }
    return st;
}
