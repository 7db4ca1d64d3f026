/* adapters/presets.h - the named configurations of the Python library, with its defaults. Layer 5. */
#ifndef WF_ADAPTERS_PRESETS_H
#define WF_ADAPTERS_PRESETS_H
#include "base/json.h"

/* "seq_bn", "seq_bn[reduction_factor=8]" or a JSON object text -> a configuration (new reference), not yet checked by a
 * method. */
wf_status wfi_preset_config(const char *preset_or_json, json_t **out, wf_err *err);
/* All fields of a bottleneck (BnConfig) but the required ones, and of LoRAConfig. */
extern const char wfi_bottleneck_defaults[], wfi_lora_defaults[];
#endif
