/* adapters/settings.h - reading the fields of an adapter configuration: defaults filled in, every value checked,
 * messages that name the field. For the method files and for fusion. Layer 5. Configurations are hostile input: any
 * JSON value may stand in any field. */
#ifndef WF_ADAPTERS_SETTINGS_H
#define WF_ADAPTERS_SETTINGS_H
#include "base/json.h"
#include <stdint.h>

/* Fields of `defaults` (a JSON object text) that config lacks are added to it. */
wf_status wfi_settings_fill(json_t *config, const char *defaults, wf_err *err);
/* Readers of fields that are there; a missing field reads as null. */
wf_status wfi_settings_bool(const json_t *config, const char *field, bool *out, wf_err *err);
wf_status wfi_settings_rate(const json_t *config, const char *field, float *out, wf_err *err); /* number in [0,1) */
wf_status wfi_settings_string(const json_t *config, const char *field, const char **out, wf_err *err);
/* null or an integer from 0; *given tells which. */
wf_status wfi_settings_seed(const json_t *config, const char *field, bool *given, uint64_t *out, wf_err *err);
/* An array of integers (null: none) that are layers: skip[layer] is set for each. Numbers beyond the layers are
 * allowed: files made for larger bases have them. */
wf_status wfi_settings_layers(const json_t *config, const char *field, int layers, bool *skip, wf_err *err);
/* Refuses such numbers, for what somebody wrote for this base. */
wf_status wfi_settings_layers_within(const json_t *config, const char *field, int layers, wf_err *err);
/* WF_E_UNSUPPORTED unless the field is absent, null or false. */
wf_status wfi_settings_unsupported(const json_t *config, const char *field, wf_err *err);
/* Failure that shows field and value and says what is allowed. */
wf_status wfi_settings_refuse(wf_status code, const json_t *config, const char *field, const char *allowed,
                              wf_err *err);
/* "NAME[field=value,...]" or "NAME": *stem is NAME (wfi_free), overrides become fields of config. Values are JSON, or
 * plain words taken as strings; a field that is a list takes q,k,v as well. Fields that config does not have and fields
 * that stand twice are WF_E_ARG. */
wf_status wfi_settings_split(const char *text, char **stem, const char **overrides, wf_err *err);
wf_status wfi_settings_override(json_t *config, const char *stem, const char *overrides, wf_err *err);
#endif
