/* base/file.h - files: mapped reads, atomic writes, folders. Layer 0. */
#ifndef WF_BASE_FILE_H
#define WF_BASE_FILE_H
#include "weft/status.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct wf_map {
    const unsigned char *data; /* read-only; NULL for an empty file */
    size_t size;
} wf_map;

wf_status wfi_file_map(const char *path, wf_map *out, wf_err *err); /* regular files only */
/* WF_OK for a regular file; else says what stands there instead: nothing, a folder, a pipe, a device, a place that may
 * not be looked at. */
wf_status wfi_file_check(const char *path, wf_err *err);
void wfi_file_forget(const wf_map *m); /* its pages leave memory and are read again when looked at */
void wfi_file_unmap(wf_map *m);
wf_status wfi_file_read(const char *path, size_t max_bytes, char **out, size_t *out_size,
                        wf_err *err); /* NUL appended; wfi_free */
/* Writes aside, fsyncs, renames, fsyncs the folder: readers see the old or the new file, never half of one. */
wf_status wfi_file_write(const char *path, const void *data, size_t size, wf_err *err);
/* The same with what `next` gives, some at most `size` bytes at a time; *got 0 is the end. */
typedef wf_status (*wf_file_source)(void *user, void *buffer, size_t size, size_t *got, wf_err *err);
wf_status wfi_file_write_from(const char *path, wf_file_source next, void *user, wf_err *err);
/* The same from parts, one after the other, and without waiting for the disk: after a power cut there may be anything
 * in the file, so only for what can be made again and is checked before it is used. */
typedef struct wf_file_part {
    const void *data;
    size_t size;
} wf_file_part;
wf_status wfi_file_write_parts(const char *path, const wf_file_part *parts, size_t count, wf_err *err);
bool wfi_file_exists(const char *path);
bool wfi_dir_exists(const char *path);
wf_status wfi_dir_make(const char *path, wf_err *err); /* with parents; fine when it exists */
wf_status wfi_dir_sync(const char *path, wf_err *err);
wf_status wfi_tree_remove(const char *path, wf_err *err); /* never follows links; fine when absent */
/* Names in a folder, sorted bytewise, without . and ..; free with wfi_names_free. */
wf_status wfi_dir_list(const char *path, char ***names, size_t *count, wf_err *err);
void wfi_names_free(char **names, size_t count);
char *wfi_path_join(const char *a, const char *b); /* wfi_free; NULL when out of memory */
const char *wfi_path_base(const char *path);       /* borrows: the part behind the last '/' */
#endif
