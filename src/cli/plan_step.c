/* cli/plan_step.c - see plan_step.h. */
#include "cli/plan_step.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESULT_MAX = 4 << 20 }; /* bytes of a step's output that are kept; predictions of a file are longer */

static volatile sig_atomic_t stops, child;

/* Ctrl-C reaches the step by itself: it is in the same group. */
static void on_stop(int signal_number) {
    stops++;
    if (child > 0 && signal_number != SIGINT) kill(child, signal_number);
}

bool cli_step_stopped(void) {
    return stops != 0;
}

/* The words between the global options of this call. Free the list, not its words. */
static const char **arguments(const cli_args *a, const char *lab, const json_t *words, char threads[24]) {
    const size_t n = json_array_size(words);
    const char **argv = calloc(n + 8, sizeof *argv);
    size_t k = 0;
    if (!argv) return NULL;
    argv[k++] = "weft";
    argv[k++] = "-C";
    argv[k++] = lab;
    argv[k++] = "--json";
    if (a->quiet) argv[k++] = "--quiet";
    if (a->threads) {
        snprintf(threads, 24, "%lld", a->threads);
        argv[k++] = "--threads";
        argv[k++] = threads;
    }
    for (size_t i = 0; i < n; i++) argv[k++] = json_string_value(json_array_get(words, i));
    return argv;
}

static void child_run(const char *program, const char *folder, const char **argv, int out) {
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a plan that is killed takes its step along, which keeps its checkpoint */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    if (chdir(folder) != 0 || dup2(out, STDOUT_FILENO) < 0) {
        fprintf(stderr, "weft: %s: %s\n", folder, strerror(errno));
        _exit(EXIT_FAILED);
    }
    execv(program, (char *const *)argv);
    fprintf(stderr, "weft: %s: %s\n", program, strerror(errno));
    _exit(EXIT_FAILED);
}

json_t *cli_step_result(int out) {
    struct stat is;
    if (fstat(out, &is) != 0 || is.st_size > RESULT_MAX || lseek(out, 0, SEEK_SET) != 0) return NULL;
    return json_loadfd(out, JSON_DECODE_ANY, NULL);
}

static int exit_code(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return EXIT_FAILED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

wf_status cli_step_run(const cli_args *a, const char *lab, const char *folder, const json_t *words, int out,
                       cli_step_end *end, wf_err *err) {
    char program[4096], threads[24];
    *end = (cli_step_end){.code = EXIT_FAILED};
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) return cli_wrong(err, WF_E_IO, "cannot find this program: %s", strerror(errno));
    program[n] = 0;
    const char **argv = arguments(a, lab, words, threads);
    if (!argv) return cli_wrong(err, WF_E_NOMEM, "out of memory for the plan");
    const struct sigaction stop = {.sa_handler = on_stop};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) child_run(program, folder, argv, out);
    child = (sig_atomic_t)pid;
    if (stops && pid > 0) kill(pid, SIGTERM); /* asked between the steps */
    if (pid > 0) {
        end->code = exit_code(pid);
        end->result = cli_step_result(out);
    }
    child = 0;
    free(argv);
    return pid > 0 ? WF_OK : cli_wrong(err, WF_E_IO, "fork: %s", strerror(errno));
}
