/* cli/plan_state.c - the events of a plan's steps in a file of the lab. See plan.h. */
#include "cli/plan.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the lab's folder of plans; ending: ".jsonl" or ".out". */
static char *plan_path(const char *lab, const char *name, const char *ending) {
    const size_t size = strlen(lab) + strlen(name) + 16;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/plans/%s%s", lab, name, ending);
    return path;
}

/* The folder of a path is there, or is made. */
static bool folder_made(char *path) {
    char *slash = strrchr(path, '/');
    *slash = 0;
    const bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
    *slash = '/';
    return made;
}

wf_status cli_plan_state_read(const char *lab, const char *name, json_t **out, wf_err *err) {
    char *path = plan_path(lab, name, ".jsonl"), *line = NULL;
    size_t cap = 0;
    FILE *f = path ? fopen(path, "r") : NULL;
    wf_status st = path && (*out = json_object()) ? WF_OK : cli_wrong(err, WF_E_NOMEM, "out of memory for the plan");
    if (st == WF_OK && path && !f && errno != ENOENT && errno != ENOTDIR)
        st = cli_wrong(err, WF_E_IO, "%s: %s", path, strerror(errno));
    while (st == WF_OK && f && getline(&line, &cap, f) > 0) {
        json_t *event = json_loads(line, JSON_REJECT_DUPLICATES, NULL); /* NULL: cut off */
        const json_t *words = json_object_get(event, "words");
        char *key = json_is_array(words) ? cli_plan_line(words) : NULL;
        if (key) json_object_set(*out, key, event);
        free(key);
        json_decref(event);
    }
    if (st == WF_OK && f && ferror(f)) st = cli_wrong(err, WF_E_IO, "%s: cannot be read", path);
    if (f) fclose(f);
    free(line);
    free(path);
    return st;
}

static bool all_written(int fd, const char *text) {
    size_t left = strlen(text);
    while (left) {
        const ssize_t n = write(fd, text, left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text += n;
        left -= (size_t)n;
    }
    return true;
}

/* The line begins with a newline where one before it was cut off. */
static bool line_append(int fd, const char *text) {
    char last = '\n';
    const off_t size = lseek(fd, 0, SEEK_END);
    if (size > 0 && pread(fd, &last, 1, size - 1) != 1) return false;
    return (last == '\n' || all_written(fd, "\n")) && all_written(fd, text) && all_written(fd, "\n") && fsync(fd) == 0;
}

wf_status cli_plan_state_add(const char *lab, const char *name, const json_t *event, wf_err *err) {
    char *path = plan_path(lab, name, ".jsonl"), *text = json_dumps(event, JSON_COMPACT);
    wf_status st = path && text ? WF_OK : cli_wrong(err, WF_E_NOMEM, "out of memory for the plan");
    if (st == WF_OK && path && text) {
        const int fd = folder_made(path) ? open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
        if (fd < 0 || !line_append(fd, text)) st = cli_wrong(err, WF_E_IO, "%s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
    }
    free(path);
    free(text);
    return st;
}

int cli_plan_output_open(const char *lab, const char *name, bool fresh) {
    char *path = plan_path(lab, name, ".out");
    int fd = -1;
    if (path && (!fresh || folder_made(path)))
        fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | (fresh ? O_CREAT | O_TRUNC : 0), 0666);
    free(path);
    return fd;
}

void cli_plan_output_drop(const char *lab, const char *name) {
    char *path = plan_path(lab, name, ".out");
    if (path) unlink(path);
    free(path);
}
