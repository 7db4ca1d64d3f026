/* base/spill.c - see spill.h. */
#include "base/spill.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct wf_spill {
    int fd;
    size_t bytes;
};

static const size_t LEFT_FREE = (size_t)64 << 20; /* for what else is written there: checkpoints, logs */

static wf_status no_room(wf_err *err, const char *dir, size_t bytes, int why) {
    return wfi_fail_at(err, WF_E_IO, dir, -1, "%s: no room for a file of %zu bytes: %s", dir, bytes, strerror(why));
}

static wf_status room_check(int fd, const char *dir, size_t bytes, wf_err *err) {
    struct statvfs v;
    if (bytes > (size_t)INT64_MAX - LEFT_FREE) return no_room(err, dir, bytes, EFBIG);
    if (fstatvfs(fd, &v) != 0) return no_room(err, dir, bytes, errno);
    const double room = (double)v.f_bavail * (double)v.f_frsize;
    if ((double)bytes + (double)LEFT_FREE > room) return no_room(err, dir, bytes, ENOSPC);
    const int failed = bytes ? posix_fallocate(fd, 0, (off_t)bytes) : 0;
    return failed ? no_room(err, dir, bytes, failed) : WF_OK;
}

wf_status wfi_spill_new(const char *dir, size_t bytes, wf_spill **out, wf_err *err) {
    wf_spill *s = wfi_alloc(1, sizeof *s);
    char *path = wfi_path_join(dir, "spill.tmp-XXXXXX");
    wf_status st = s && path ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK) {
        s->bytes = bytes;
        s->fd = mkstemp(path);
        if (s->fd < 0)
            st = wfi_fail_at(err, WF_E_IO, dir, -1, "cannot make a file in %s: %s", dir, strerror(errno));
        else
            unlink(path);
    }
    if (st == WF_OK) {
        st = room_check(s->fd, dir, bytes, err);
        if (st != WF_OK) close(s->fd);
    }
    wfi_free(path);
    if (st == WF_OK)
        *out = s;
    else
        wfi_free(s);
    return st;
}

void wfi_spill_free(wf_spill *s) {
    if (!s) return;
    close(s->fd);
    wfi_free(s);
}

static wf_status range_check(const wf_spill *s, size_t offset, size_t size, wf_err *err) {
    if (offset <= s->bytes && size <= s->bytes - offset) return WF_OK;
    return wfi_fail(err, WF_E_ARG, "bytes %zu to %zu lie outside a spill file of %zu", offset, offset + size, s->bytes);
}

wf_status wfi_spill_write(wf_spill *s, size_t offset, const void *data, size_t size, wf_err *err) {
    WF_TRY(range_check(s, offset, size, err));
    for (size_t at = 0; at < size;) {
        const ssize_t n = pwrite(s->fd, (const char *)data + at, size - at, (off_t)(offset + at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return wfi_fail(err, WF_E_IO, "cannot write a spill file: %s", strerror(n < 0 ? errno : ENOSPC));
        at += (size_t)n;
    }
    return WF_OK;
}

wf_status wfi_spill_read(const wf_spill *s, size_t offset, void *to, size_t size, wf_err *err) {
    WF_TRY(range_check(s, offset, size, err));
    for (size_t at = 0; at < size;) {
        const ssize_t n = pread(s->fd, (char *)to + at, size - at, (off_t)(offset + at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return wfi_fail(err, WF_E_IO, "cannot read a spill file: %s", n < 0 ? strerror(errno) : "it ends");
        at += (size_t)n;
    }
    return WF_OK;
}
