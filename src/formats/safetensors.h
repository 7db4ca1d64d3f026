/* formats/safetensors.h - the safetensors container, read (mapped) and write. Layer 2.
 * Reader: every size, offset, overlap, dtype and shape is checked before use; header at most 100 MB. */
#ifndef WF_FORMATS_SAFETENSORS_H
#define WF_FORMATS_SAFETENSORS_H
#include "tensor/source.h"

wf_status wfi_safetensors_open(const char *path, wf_source *out, wf_err *err);
/* Parses bytes that outlive the source (fuzzing, tests); name for messages. */
wf_status wfi_safetensors_parse(const void *data, size_t size, const char *name, wf_source *out, wf_err *err);
/* Writes tensors in the given order of names sorted bytewise, atomic; metadata {"format":"pt"}. */
wf_status wfi_safetensors_write(const char *path, const wf_tensor *tensors, size_t count, wf_err *err);
#endif
