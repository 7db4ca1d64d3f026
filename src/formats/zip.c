/* formats/zip.c - see zip.h. */
#include "formats/zip.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include <string.h>
#include <zip.h>

enum { FILES_MOST = 100000, RATIO_MOST = 200, SMALL_BYTES = 1 << 20 };

struct wf_zip {
    zip_t *zip;
    wf_map map; /* when it is a file's */
    char *path;
    size_t count;
};

void wfi_zip_close(wf_zip *z) {
    if (!z) return;
    if (z->zip) zip_discard(z->zip);
    wfi_file_unmap(&z->map);
    wfi_free(z->path);
    wfi_free(z);
}

bool wfi_zip_is(const char *path) {
    wf_map map = {0};
    if (wfi_file_map(path, &map, NULL) != WF_OK) return false;
    const bool is = map.size >= 4 && memcmp(map.data, "PK\3\4", 4) == 0;
    wfi_file_unmap(&map);
    return is;
}

/* Names are never used as paths here; one that would lead elsewhere shows what the archive is. */
static bool name_climbs(const char *name) {
    if (name[0] == '/' || strchr(name, '\\') || (name[0] && name[1] == ':')) return true;
    for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2])) return true;
    return false;
}

static wf_status names_check(const wf_zip *z, wf_err *err) {
    const zip_int64_t n = zip_get_num_entries(z->zip, 0);
    if (n < 0 || n > FILES_MOST)
        return wfi_fail_at(err, WF_E_DATA, z->path, -1, "%s holds %lld files, more than the %d allowed", z->path,
                           (long long)n, FILES_MOST);
    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(z->zip, (zip_uint64_t)i, 0);
        if (!name)
            return wfi_fail_at(err, WF_E_DATA, z->path, -1, "%s: file %lld has no name", z->path, (long long)i + 1);
        if (name_climbs(name))
            return wfi_fail_at(err, WF_E_DATA, z->path, -1, "%s: the name \"%.200s\" leads out of the archive", z->path,
                               name);
    }
    return WF_OK;
}

static wf_status parse(wf_zip *z, const void *data, size_t size, const char *name, wf_err *err) {
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *source = NULL;
    wf_status st = (z->path = wfi_strdup(name)) ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && !(source = zip_source_buffer_create(data, size, 0, &why)))
        st = wfi_fail(err, WF_E_NOMEM, "out of memory for %s", name);
    if (st == WF_OK && !(z->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &why))) {
        zip_source_free(source);
        st = wfi_fail_at(err, WF_E_DATA, name, -1, "%s is no whole zip archive: %s", name, zip_error_strerror(&why));
    }
    zip_error_fini(&why);
    if (st == WF_OK) st = names_check(z, err);
    if (st == WF_OK) z->count = (size_t)zip_get_num_entries(z->zip, 0);
    return st;
}

wf_status wfi_zip_parse(const void *data, size_t size, const char *name, wf_zip **out, wf_err *err) {
    wf_zip *z = wfi_alloc(1, sizeof *z);
    if (!z) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    const wf_status st = parse(z, data, size, name, err);
    if (st == WF_OK)
        *out = z;
    else
        wfi_zip_close(z);
    return st;
}

wf_status wfi_zip_open(const char *path, wf_zip **out, wf_err *err) {
    wf_zip *z = wfi_alloc(1, sizeof *z);
    if (!z) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_file_map(path, &z->map, err);
    if (st == WF_OK) st = parse(z, z->map.size ? (const char *)z->map.data : "", z->map.size, path, err);
    if (st == WF_OK)
        *out = z;
    else
        wfi_zip_close(z);
    return st;
}

size_t wfi_zip_count(const wf_zip *z) {
    return z->count;
}

const char *wfi_zip_name(const wf_zip *z, size_t i) {
    return zip_get_name(z->zip, i, 0);
}

bool wfi_zip_has(const wf_zip *z, const char *name) {
    return zip_name_locate(z->zip, name, 0) >= 0;
}

typedef struct unpacking {
    zip_file_t *file;
    zip_uint64_t left; /* bytes that were promised */
    const char *path, *name;
} unpacking;

static wf_status unpack_some(void *user, void *buffer, size_t size, size_t *got, wf_err *err) {
    unpacking *u = user;
    const zip_int64_t n = zip_fread(u->file, buffer, size);
    if (n < 0)
        return wfi_fail_at(err, WF_E_DATA, u->path, -1, "%s: %.200s does not unpack: %s", u->path, u->name,
                           zip_error_strerror(zip_file_get_error(u->file)));
    if ((zip_uint64_t)n > u->left || (n == 0 && u->left))
        return wfi_fail_at(err, WF_E_DATA, u->path, -1, "%s: %.200s has another size than it says", u->path, u->name);
    u->left -= (zip_uint64_t)n;
    *got = (size_t)n;
    return WF_OK;
}

static wf_status entry_check(const wf_zip *z, const char *name, zip_uint64_t *index, zip_stat_t *info, wf_err *err) {
    const zip_int64_t found = zip_name_locate(z->zip, name, 0);
    if (found < 0 || zip_stat_index(z->zip, (zip_uint64_t)found, 0, info) != 0)
        return wfi_fail_at(err, WF_E_NOTFOUND, z->path, -1, "%s holds no %.200s", z->path, name);
    *index = (zip_uint64_t)found;
    for (size_t i = (size_t)found + 1; i < z->count; i++)
        if (strcmp(wfi_zip_name(z, i), name) == 0)
            return wfi_fail_at(err, WF_E_DATA, z->path, -1, "%s holds %.200s twice", z->path, name);
    const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_ENCRYPTION_METHOD;
    if ((info->valid & need) != need)
        return wfi_fail_at(err, WF_E_DATA, z->path, -1, "%s: %.200s does not say its size", z->path, name);
    if (info->encryption_method != ZIP_EM_NONE)
        return wfi_fail_at(err, WF_E_UNSUPPORTED, z->path, -1, "%s: %.200s is encrypted", z->path, name);
    if (info->size > SMALL_BYTES && info->size / RATIO_MOST > info->comp_size)
        return wfi_fail_at(err, WF_E_DATA, z->path, -1,
                           "%s: %.200s would unpack to over %d times its size, which no model does", z->path, name,
                           RATIO_MOST);
    return WF_OK;
}

wf_status wfi_zip_extract(wf_zip *z, const char *name, const char *path, wf_err *err) {
    zip_stat_t info;
    zip_uint64_t index = 0;
    WF_TRY(entry_check(z, name, &index, &info, err));
    unpacking u = {.file = zip_fopen_index(z->zip, index, 0), .left = info.size, .path = z->path, .name = name};
    if (!u.file)
        return wfi_fail_at(err, WF_E_DATA, z->path, -1, "%s: %.200s cannot be read: %s", z->path, name,
                           zip_error_strerror(zip_get_error(z->zip)));
    const wf_status st = wfi_file_write_from(path, unpack_some, &u, err);
    zip_fclose(u.file);
    return st;
}
