/* base/file.c - see file.h. */
#include "base/file.h"
#include "base/alloc.h"
#include "base/error.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static wf_status io_fail(wf_err *err, const char *what, const char *path) {
    return wfi_fail_at(err,
                       errno == ENOENT   ? WF_E_NOTFOUND
                       : errno == ENOMEM ? WF_E_NOMEM
                                         : WF_E_IO,
                       path, -1, "cannot %s %s: %s", what, path, strerror(errno));
}

static wf_status regular_check(const char *path, mode_t mode, wf_err *err) {
    const char *kind = S_ISDIR(mode)    ? "a folder"
                       : S_ISFIFO(mode) ? "a pipe"
                       : S_ISSOCK(mode) ? "a socket"
                                        : "a device";
    return S_ISREG(mode) ? WF_OK : wfi_fail_at(err, WF_E_ARG, path, -1, "%s is no regular file, but %s", path, kind);
}

wf_status wfi_file_check(const char *path, wf_err *err) {
    struct stat st;
    if (stat(path, &st) == 0) return regular_check(path, st.st_mode, err);
    return errno == ENOENT ? wfi_fail_at(err, WF_E_NOTFOUND, path, -1, "%s does not exist", path)
                           : io_fail(err, "look at", path);
}

static wf_status open_regular(const char *path, int *fd, size_t *size, wf_err *err) {
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused below, not waited for */
    if (*fd < 0) return io_fail(err, "open", path);
    wf_status result = fstat(*fd, &st) == 0 ? regular_check(path, st.st_mode, err) : io_fail(err, "look at", path);
    if (result != WF_OK) close(*fd);
    *size = (size_t)st.st_size;
    return result;
}

wf_status wfi_file_map(const char *path, wf_map *out, wf_err *err) {
    int fd = -1;
    size_t size = 0;
    WF_TRY(open_regular(path, &fd, &size, err));
    void *p = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    wf_status st = p == MAP_FAILED ? io_fail(err, "map", path) : WF_OK;
    close(fd);
    if (st == WF_OK) *out = (wf_map){.data = p, .size = size};
    return st;
}

void wfi_file_forget(const wf_map *m) {
    if (m->data) madvise((void *)(uintptr_t)m->data, m->size, MADV_DONTNEED); /* read-only: nothing is lost */
}

void wfi_file_unmap(wf_map *m) {
    if (m->data) munmap((void *)m->data, m->size);
    *m = (wf_map){0};
}

wf_status wfi_file_read(const char *path, size_t max_bytes, char **out, size_t *out_size, wf_err *err) {
    int fd = -1;
    size_t size = 0, at = 0;
    WF_TRY(open_regular(path, &fd, &size, err));
    wf_status st = size > max_bytes ? wfi_fail_at(err, WF_E_DATA, path, -1,
                                                  "%s has %zu bytes, more than the %zu allowed", path, size, max_bytes)
                                    : WF_OK;
    char *text = st == WF_OK ? wfi_alloc(size + 1, 1) : NULL;
    if (st == WF_OK && !text) st = wfi_fail(err, WF_E_NOMEM, "out of memory for %zu bytes of %s", size, path);
    while (st == WF_OK && at < size) {
        const ssize_t n = read(fd, text + at, size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) st = io_fail(err, "read", path);
        if (n <= 0) break;
        at += (size_t)n;
    }
    close(fd);
    if (st != WF_OK) {
        wfi_free(text);
        return st;
    }
    text[at] = 0;
    *out = text;
    if (out_size) *out_size = at;
    return WF_OK;
}

static wf_status write_all(int fd, const char *data, size_t size, const char *path, wf_err *err) {
    for (size_t at = 0; at < size;) {
        const ssize_t n = write(fd, data + at, size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_fail(err, "write", path);
        at += (size_t)n;
    }
    return WF_OK;
}

static wf_status parent_sync(const char *path, wf_err *err) {
    const char *slash = strrchr(path, '/');
    char *dir = slash ? wfi_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : wfi_strdup(".");
    if (!dir) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = wfi_dir_sync(dir, err);
    wfi_free(dir);
    return st;
}

/* Opens the file that becomes `path` once it is whole. */
static wf_status aside_open(const char *path, char **aside, int *fd, wf_err *err) {
    const size_t n = strlen(path);
    if (!(*aside = wfi_alloc(n + 12, 1))) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    snprintf(*aside, n + 12, "%s.tmp-XXXXXX", path);
    *fd = mkstemp(*aside);
    if (*fd >= 0) {
        fchmod(*fd, 0644);
        return WF_OK;
    }
    wf_status st = io_fail(err, "write", path);
    wfi_free(*aside);
    return st;
}

/* Moves it there when all was written (st), else removes it. durable: waits for the disk. */
static wf_status aside_close(const char *path, char *aside, int fd, bool durable, wf_status st, wf_err *err) {
    if (st == WF_OK && durable && fsync(fd) != 0) st = io_fail(err, "sync", aside);
    if (close(fd) != 0 && st == WF_OK) st = io_fail(err, "close", aside);
    if (st == WF_OK && rename(aside, path) != 0) st = io_fail(err, "rename to", path);
    if (st != WF_OK) unlink(aside);
    wfi_free(aside);
    return st == WF_OK && durable ? parent_sync(path, err) : st;
}

wf_status wfi_file_write(const char *path, const void *data, size_t size, wf_err *err) {
    char *aside = NULL;
    int fd = -1;
    WF_TRY(aside_open(path, &aside, &fd, err));
    return aside_close(path, aside, fd, true, write_all(fd, data, size, aside, err), err);
}

wf_status wfi_file_write_parts(const char *path, const wf_file_part *parts, size_t count, wf_err *err) {
    char *aside = NULL;
    int fd = -1;
    WF_TRY(aside_open(path, &aside, &fd, err));
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < count; i++) st = write_all(fd, parts[i].data, parts[i].size, aside, err);
    return aside_close(path, aside, fd, false, st, err);
}

wf_status wfi_file_write_from(const char *path, wf_file_source next, void *user, wf_err *err) {
    enum { BLOCK = 1 << 18 };
    char *aside = NULL, *block = wfi_alloc(BLOCK, 1);
    int fd = -1;
    wf_status st = block ? aside_open(path, &aside, &fd, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    for (size_t got = 1; st == WF_OK && fd >= 0 && got;) {
        st = next(user, block, BLOCK, &got, err);
        if (st == WF_OK) st = write_all(fd, block, got, aside, err);
    }
    wfi_free(block);
    return fd >= 0 ? aside_close(path, aside, fd, true, st, err) : st;
}

bool wfi_file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool wfi_dir_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The name stands where something else does, which its giver can mend; a parent that is missing all the same is the
 * file system's refusal (/proc), no wrong name. */
static wf_status dir_fail(const char *work, int number, wf_err *err) {
    if (number == EEXIST || number == ENOTDIR)
        return wfi_fail_at(err, WF_E_EXISTS, work, -1,
                           "cannot make folder %s: something that is no folder stands there", work);
    if (number == ENOENT)
        return wfi_fail_at(err, WF_E_IO, work, -1, "cannot make folder %s: the system makes none there", work);
    errno = number;
    return io_fail(err, "make folder", work);
}

wf_status wfi_dir_make(const char *path, wf_err *err) {
    char *work = wfi_strdup(path);
    if (!work) return wfi_fail(err, WF_E_NOMEM, "out of memory");
    wf_status st = WF_OK;
    for (char *p = work + 1; *work && st == WF_OK; p++) {
        if (*p && *p != '/') continue;
        const char end = *p;
        *p = 0;
        const int number = mkdir(work, 0777) == 0 ? 0 : errno;
        if (number && !(number == EEXIST && wfi_dir_exists(work))) st = dir_fail(work, number, err);
        *p = end;
        if (!end) break;
    }
    wfi_free(work);
    return st;
}

wf_status wfi_dir_sync(const char *path, wf_err *err) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return io_fail(err, "open", path);
    wf_status st = fsync(fd) == 0 ? WF_OK : io_fail(err, "sync", path);
    close(fd);
    return st;
}

wf_status wfi_tree_remove(const char *path, wf_err *err) {
    struct stat st;
    if (lstat(path, &st) != 0) return errno == ENOENT ? WF_OK : io_fail(err, "look at", path);
    if (!S_ISDIR(st.st_mode)) return unlink(path) == 0 ? WF_OK : io_fail(err, "remove", path);
    char **names = NULL;
    size_t count = 0;
    WF_TRY(wfi_dir_list(path, &names, &count, err));
    wf_status result = WF_OK;
    for (size_t i = 0; result == WF_OK && i < count; i++) {
        char *child = wfi_path_join(path, names[i]);
        result = child ? wfi_tree_remove(child, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
        wfi_free(child);
    }
    wfi_names_free(names, count);
    if (result == WF_OK && rmdir(path) != 0) result = io_fail(err, "remove folder", path);
    return result;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

wf_status wfi_dir_list(const char *path, char ***names, size_t *count, wf_err *err) {
    DIR *dir = opendir(path);
    if (!dir) return io_fail(err, "open folder", path);
    char **list = NULL;
    size_t n = 0, cap = 0;
    wf_status st = WF_OK;
    for (struct dirent *e; st == WF_OK && (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            char **more = wfi_realloc(list, cap, sizeof *list);
            if (!more) {
                st = wfi_fail(err, WF_E_NOMEM, "out of memory");
                break;
            }
            list = more;
        }
        list[n] = wfi_strdup(e->d_name);
        if (!list[n])
            st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        else
            n++;
    }
    closedir(dir);
    if (st != WF_OK) {
        wfi_names_free(list, n);
        return st;
    }
    if (n) qsort(list, n, sizeof *list, by_name);
    *names = list;
    *count = n;
    return WF_OK;
}

void wfi_names_free(char **names, size_t count) {
    for (size_t i = 0; names && i < count; i++) wfi_free(names[i]);
    wfi_free(names);
}

char *wfi_path_join(const char *a, const char *b) {
    const size_t n = strlen(a), m = strlen(b);
    const bool slash = n && a[n - 1] != '/';
    char *path = wfi_alloc(n + m + 2, 1);
    if (path) snprintf(path, n + m + 2, "%s%s%s", a, slash ? "/" : "", b);
    return path;
}

const char *wfi_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
