/* bench/apart.c - see apart.h. */
#include "bench/apart.h"
#include "base/error.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct answer { /* in front of the bytes */
    wf_status status;
    wf_err err;
} answer;

/* One thread: nothing can be locked in the copy that no thread there will unlock. */
static bool alone(void) {
    DIR *d = opendir("/proc/self/task");
    int threads = 0;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) threads += e->d_name[0] != '.';
    if (d) closedir(d);
    return threads == 1;
}

static bool all_written(int to, const void *data, size_t n) {
    for (const char *at = data; n;) {
        const ssize_t some = write(to, at, n);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) return false;
        at += some, n -= (size_t)some;
    }
    return true;
}

static bool all_read(int from, void *data, size_t n) {
    for (char *at = data; n;) {
        const ssize_t some = read(from, at, n);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) return false;
        at += some, n -= (size_t)some;
    }
    return true;
}

wf_status wfi_apart(wf_apart_fn fn, void *self, void *out, size_t size, bool *done, wf_err *err) {
    int ends[2];
    answer a = {0};
    *done = false;
    if (!alone()) return WF_OK;
    if (pipe(ends) != 0) return wfi_fail(err, WF_E_IO, "cannot make a pipe: %s", strerror(errno));
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        a.status = fn(self, out, &a.err);
        const bool told = all_written(ends[1], &a, sizeof a) && all_written(ends[1], out, size);
        _exit(told ? 0 : 1); /* nothing of the parent's is closed or flushed twice */
    }
    close(ends[1]);
    const bool told = child > 0 && all_read(ends[0], &a, sizeof a) && all_read(ends[0], out, size);
    close(ends[0]);
    if (child < 0) return wfi_fail(err, WF_E_IO, "cannot start a process: %s", strerror(errno));
    int how = 0;
    while (waitpid(child, &how, 0) < 0 && errno == EINTR) continue;
    if (!told)
        return WIFSIGNALED(how) ? wfi_fail(err, WF_E_LIBRARY, "the process that measures memory was ended by signal %d",
                                           WTERMSIG(how))
                                : wfi_fail(err, WF_E_LIBRARY, "the process that measures memory gave no answer");
    *done = true;
    if (a.status != WF_OK && err) *err = a.err;
    return a.status;
}
