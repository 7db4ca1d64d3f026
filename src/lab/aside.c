/* lab/aside.c - see aside.h. */
#include "lab/aside.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 10 };

/* Removes what dead processes left in `dir`. Where locks do not work nothing is removed. */
static void sweep(const char *dir) {
    char **names = NULL;
    size_t count = 0;
    if (wfi_dir_list(dir, &names, &count, NULL) != WF_OK) return;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], ".new-", 5) != 0 && strncmp(names[i], ".old-", 5) != 0) continue;
        char *path = wfi_path_join(dir, names[i]);
        const int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) wfi_tree_remove(path, NULL);
        if (fd >= 0) close(fd);
        wfi_free(path);
    }
    wfi_names_free(names, count);
}

/* Makes and locks a folder. Between the two another process may have taken it for a dead one's: then it has no link any
 * more. */
static wf_status locked_make(const char *path, int *lock, wf_err *err) {
    for (int i = 0; i < TRIES; i++) {
        struct stat s;
        WF_TRY(wfi_dir_make(path, err));
        const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) continue;
        flock(fd, LOCK_EX);
        if (fstat(fd, &s) == 0 && s.st_nlink > 0) {
            *lock = fd;
            return WF_OK;
        }
        close(fd);
    }
    return wfi_fail(err, WF_E_IO, "cannot make %s: %s", path, strerror(errno));
}

wf_status wfi_aside_open(wf_lab *lab, const char *folder, const char *name, wf_aside *out, wf_err *err) {
    char relative[160];
    *out = (wf_aside){.lock = -1};
    char *dir = wfi_lab_path(lab, folder);
    if (dir) sweep(dir);
    wfi_free(dir);
    snprintf(relative, sizeof relative, "%s/.new-%s-%ld", folder, name, (long)getpid());
    out->path = wfi_lab_path(lab, relative);
    return out->path ? locked_make(out->path, &out->lock, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
}

void wfi_aside_close(wf_aside *a) {
    if (a->path && wfi_dir_exists(a->path)) wfi_tree_remove(a->path, NULL);
    if (a->lock >= 0) close(a->lock);
    wfi_free(a->path);
    *a = (wf_aside){.lock = -1};
}

wf_status wfi_aside_remove(wf_lab *lab, const char *relative, wf_err *err) {
    const char *base = wfi_path_base(relative);
    char old[256];
    snprintf(old, sizeof old, "%.*s.old-%s-%ld", (int)(base - relative), relative, base, (long)getpid());
    char *from = wfi_lab_path(lab, relative), *to = wfi_lab_path(lab, old);
    wf_status st = from && to ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && rename(from, to) != 0)
        st = errno == ENOENT ? WF_OK : wfi_fail(err, WF_E_IO, "cannot move %s away: %s", from, strerror(errno));
    if (st == WF_OK) st = wfi_tree_remove(to, err);
    wfi_free(from);
    wfi_free(to);
    return st;
}
