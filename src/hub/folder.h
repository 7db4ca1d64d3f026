/* hub/folder.h - what all AdapterHub-style folders share: config files, tensor files. Private to hub/. Layer 7. */
#ifndef WF_HUB_FOLDER_H
#define WF_HUB_FOLDER_H
#include "base/json.h"
#include "tape/param.h"
#include "tensor/source.h"

#define WF_HUB_VERSION "adapters.1.3.0" /* the library version whose files these are */

/* Adds the keys that stand in every config file and writes DIR/FILE. Takes over `config` and `own` (NULL: none), which
 * stands beside it under "weft": the Python library hands everything in `config` to its classes, which refuse unknown
 * fields. */
wf_status wfi_hub_config_write(const char *dir, const char *file, const char *name, const char *model_name,
                               int64_t hidden_size, json_t *config, json_t *own, wf_err *err);
/* Reads DIR/FILE; *name is borrowed from *whole and may be NULL (old files). The config's hidden_size must be the given
 * one when both are known (0: not). */
wf_status wfi_hub_config_read(const char *dir, const char *file, int64_t hidden_size, json_t **whole, const char **name,
                              wf_err *err);
/* All parameters of a set under "bert." + name (heads: the bare name). */
wf_status wfi_hub_tensors_write(const char *dir, const char *file, const wf_pset *set, const char *prefix, wf_err *err);
wf_status wfi_hub_tensors_open(const char *dir, const char *file, wf_source *out, wf_err *err);
#endif
