/* tests/cli/program.c - see program.h. */
#include "program.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MAX = 64 };

char top[256];
const char *program_input, *program_input_file, *program_output;

const char *in_top(const char *format, ...) {
    static char path[4][700];
    static int k;
    char relative[400];
    va_list args;
    va_start(args, format);
    vsnprintf(relative, sizeof relative, format, args);
    va_end(args);
    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", top, relative);
    return path[k];
}

char *file_text(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    size_t n = 0, cap = 1 << 16;
    char *text = malloc(cap + 1);
    for (size_t got; (got = fread(text + n, 1, cap - n, f)) > 0;)
        if ((n += got) == cap) text = realloc(text, (cap *= 2) + 1);
    fclose(f);
    text[n] = 0;
    return text;
}

void nap(int ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

void file_await(const char *path) {
    struct stat s;
    for (int i = 0; i < 6000; i++, nap(10))
        if (stat(path, &s) == 0 && s.st_size > 0) return;
    fail_msg("%s does not come", path);
}

static int words_split(char *text, char **words) {
    int n = 0;
    for (char *at = text; *at;) {
        while (*at == ' ') at++;
        if (!*at) break;
        const char end = *at == '\'' ? '\'' : ' ';
        words[n++] = at += end == '\'';
        assert_true(n < WORDS_MAX);
        while (*at && *at != end) at++;
        if (*at) *at++ = 0;
    }
    words[n] = NULL;
    return n;
}

/* Starts the program in `top`, its three files where they are said to be. */
static pid_t start(const char *command, const char *in, const char *out, const char *err) {
    extern char **environ;
    static char sh[] = "sh", c[] = "-c", cd[] = "cd \"$0\" && exec \"$@\"";
    char *weft_program = getenv("WEFT_PROGRAM"), *text = strdup(command),
         *words[WORDS_MAX + 8] = {sh, c, cd, top, weft_program};
    posix_spawn_file_actions_t files;
    pid_t pid = 0;
    assert_non_null(weft_program);
    words_split(text, words + 5);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, in, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_addopen(&files, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_int_equal(0, posix_spawn(&pid, "/bin/sh", &files, NULL, words, environ));
    posix_spawn_file_actions_destroy(&files);
    free(text);
    return pid;
}

int weft_wait(pid_t pid, int *signal_number) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) assert_int_equal(EINTR, errno);
    if (signal_number) *signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static ran run(const char *command) {
    char in[400], out[400], err[400];
    ran r = {0};
    snprintf(in, sizeof in, "%s",
             program_input_file ? in_top("%s", program_input_file)
             : program_input    ? in_top(".in")
                                : "/dev/null");
    snprintf(out, sizeof out, "%s", program_output ? program_output : in_top(".out"));
    snprintf(err, sizeof err, "%s", in_top(".err"));
    if (program_input) tiny_write(top, ".in", program_input);
    r.code = weft_wait(start(command, in, out, err), &r.signal);
    r.out = program_output ? strdup("") : file_text(out);
    r.err = file_text(err);
    return r;
}

void ran_clear(ran *r) {
    free(r->out);
    free(r->err);
    *r = (ran){0};
}

#define FORMATTED(text)                                                                                                \
    char text[2048];                                                                                                   \
    va_list args;                                                                                                      \
    va_start(args, format);                                                                                            \
    vsnprintf(text, sizeof text, format, args);                                                                        \
    va_end(args)

ran weft(const char *format, ...) {
    FORMATTED(command);
    return run(command);
}

pid_t weft_start(const char *format, ...) {
    FORMATTED(command);
    return start(command, "/dev/null", "/dev/null", in_top(".err-%d", rand()));
}

char *weft_ok(const char *format, ...) {
    FORMATTED(command);
    ran r = run(command);
    if (r.code != 0) fail_msg("weft %s: exit %d, signal %d: %s", command, r.code, r.signal, r.err);
    free(r.err);
    return r.out;
}

json_t *weft_json(const char *format, ...) {
    FORMATTED(command);
    char with[2100];
    snprintf(with, sizeof with, "--json %s", command);
    ran r = run(with);
    json_error_t e;
    json_t *j = json_loads(r.out, 0, &e); /* refuses anything behind the document */
    if (r.code != 0 || !j) fail_msg("weft %s: exit %d, %s: %s\n%s", with, r.code, j ? "" : e.text, r.err, r.out);
    ran_clear(&r);
    return j;
}

void weft_says(int code, const char *command, ...) {
    ran r = run(command);
    va_list args;
    if (r.code != code) fail_msg("weft %s: exit %d (signal %d), not %d: %s", command, r.code, r.signal, code, r.err);
    if (*r.out) fail_msg("weft %s: on standard output: %s", command, r.out);
    const char *line_end = strchr(r.err, '\n');
    if (strncmp(r.err, "weft: ", 6) != 0 || !line_end || line_end[1])
        fail_msg("weft %s: not one line of error: %s", command, r.err);
    va_start(args, command);
    for (const char *want; (want = va_arg(args, const char *));)
        if (!strstr(r.err, want)) fail_msg("weft %s: does not say \"%s\": %s", command, want, r.err);
    va_end(args);
    ran_clear(&r);
}

int top_make(void **state) {
    (void)state;
    snprintf(top, sizeof top, "%s", check_temp_dir());
    unsetenv("WEFT_LAB");
    tiny_base(in_top("base"));
    tiny_task(in_top("reviews"), 1, 200, 40, 60);
    tiny_task(in_top("notes"), 2, 200, 40, 60);
    tiny_task(in_top("target"), 3, 120, 40, 60);
    return 0;
}

int top_remove(void **state) {
    (void)state;
    return wfi_tree_remove(top, NULL) == WF_OK ? 0 : 1;
}

void lab_make(const char *name) {
    free(weft_ok("init %s", name));
    free(weft_ok("-C %s base add tiny base", name));
    static const char *const tasks[] = {"reviews", "notes", "target"};
    for (int i = 0; i < 3; i++) free(weft_ok("-C %s task add %s %s", name, tasks[i], tasks[i]));
}

char *model_hash(const char *lab, const char *name) {
    json_t *j = weft_json("-C %s inspect %s", lab, name);
    char *hash = strdup(json_string_value(json_object_get(j, "hash")));
    json_decref(j);
    return hash;
}

void has_keys(const json_t *j, const char *keys) {
    char text[512], *save = NULL;
    snprintf(text, sizeof text, "%s", keys);
    for (char *key = strtok_r(text, " ", &save); key; key = strtok_r(NULL, " ", &save))
        if (!json_object_get(j, key)) {
            char *all = json_dumps(j, JSON_ENCODE_ANY);
            fail_msg("no key \"%s\" in %s", key, all);
        }
}
