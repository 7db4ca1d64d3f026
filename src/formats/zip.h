/* formats/zip.h - files out of a zip archive (a wheel is one), by libzip. Layer 2.
 * Archives come from anywhere: names that climb out of the archive, encrypted files, sizes that lie and files that
 * unpack to hundreds of times their size are refused, and nothing is ever written under a name that the archive gives.
 */
#ifndef WF_FORMATS_ZIP_H
#define WF_FORMATS_ZIP_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct wf_zip wf_zip;
wf_status wfi_zip_open(const char *path, wf_zip **out, wf_err *err);
/* The same over bytes that outlive it (fuzzing, tests); name for messages. */
wf_status wfi_zip_parse(const void *data, size_t size, const char *name, wf_zip **out, wf_err *err);
void wfi_zip_close(wf_zip *z);
bool wfi_zip_is(const char *path); /* a regular file that begins as an archive does */

size_t wfi_zip_count(const wf_zip *z);
const char *wfi_zip_name(const wf_zip *z, size_t i); /* borrowed; folders end with '/' */
bool wfi_zip_has(const wf_zip *z, const char *name);
/* Writes one file to path, as wfi_file_write does. */
wf_status wfi_zip_extract(wf_zip *z, const char *name, const char *path, wf_err *err);
#endif
