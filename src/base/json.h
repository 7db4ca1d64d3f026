/* base/json.h - JSON through jansson, with weft's errors and limits. Layer 0. Others use json_t directly. */
#ifndef WF_BASE_JSON_H
#define WF_BASE_JSON_H
#include "weft/status.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Parses text (rejects duplicate keys, depth over 64 and NUL bytes). name: file name for messages. */
wf_status wfi_json_parse(const char *text, size_t size, const char *name, json_t **out, wf_err *err);
wf_status wfi_json_read(const char *path, size_t max_bytes, json_t **out, wf_err *err);
wf_status wfi_json_write(const char *path, const json_t *value, wf_err *err); /* sorted keys, indent 2, atomic */
char *wfi_json_text(const json_t *value,
                    bool pretty); /* wfi_free; NULL when out of memory; sorted keys, reals with 17 digits */
/* Typed getters: WF_E_DATA naming `where` and the field when missing or of another type. Strings are borrowed. */
wf_status wfi_json_str(const json_t *object, const char *field, const char *where, const char **out, wf_err *err);
wf_status wfi_json_int(const json_t *object, const char *field, const char *where, int64_t low, int64_t high,
                       int64_t *out, wf_err *err);
wf_status wfi_json_num(const json_t *object, const char *field, const char *where, double *out, wf_err *err);
/* With a default when the field is absent or null; a wrong type is still an error. */
wf_status wfi_json_int_or(const json_t *object, const char *field, const char *where, int64_t low, int64_t high,
                          int64_t otherwise, int64_t *out, wf_err *err);
wf_status wfi_json_num_or(const json_t *object, const char *field, const char *where, double otherwise, double *out,
                          wf_err *err);
wf_status wfi_json_bool_or(const json_t *object, const char *field, const char *where, bool otherwise, bool *out,
                           wf_err *err);
#endif
