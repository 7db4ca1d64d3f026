/* cli/session.c - an open lab with progress, messages and Ctrl-C; errors and exit codes. */
#include "cli/cli.h"
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PLAIN_SECONDS = 10, BAR_CELLS = 20 };

static struct {
    bool terminal, shown;
    double printed;
} screen;
static atomic_int interrupts;

/* One line on standard error, whatever is in it. */
static void line_say(const char *before, const char *text) {
    char *visible = cli_visible(text);
    fprintf(stderr, "%s%s\n", before, visible ? visible : "out of memory");
    free(visible);
}

static void say(const char *before, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = n >= 0 ? malloc((size_t)n + 1) : NULL;
    if (text) vsnprintf(text, (size_t)n + 1, format, args);
    line_say(before, text ? text : "out of memory");
    free(text);
}

static void note_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note_say(const char *format, ...) {
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
}

/* The first Ctrl-C ends the work at the next step, where its checkpoint is kept; the second ends the process. */
static void *interrupts_await(void *signals) {
    static const char text[] = "\nstopping after this step; once more to stop at once\n";
    int which = 0;
    while (sigwait(signals, &which) != 0) continue;
    interrupts = 1;
    const ssize_t told = write(STDERR_FILENO, text, sizeof text - 1);
    (void)told; /* whether anybody reads it or not */
    while (sigwait(signals, &which) != 0) continue;
    signal(which, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    raise(which);
    return NULL;
}

/* A thread of its own waits for the signals, and all that are started later keep them out: a handler would run on the
 * stack of a computing thread, below whose end oneDNN's products keep numbers. Without such a thread a signal ends the
 * process at once, which a run survives too. */
void cli_stop_gently(void) {
    static sigset_t signals;
    pthread_t thread;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (pthread_create(&thread, NULL, interrupts_await, &signals) == 0)
        pthread_detach(thread);
    else
        pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void cli_progress_end(void) {
    if (screen.shown) fputs("\r\033[K", stderr);
    screen.shown = false;
}

static void time_left(char out[24], double seconds) {
    if (!(seconds >= 0))
        out[0] = 0;
    else if (seconds < 3600)
        snprintf(out, 24, ", %d:%02d left", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(out, 24, ", %d:%02d h left", (int)(seconds / 3600), (int)seconds % 3600 / 60);
}

static void amount(char out[16], double v) {
    if (v >= 1e6)
        snprintf(out, 16, "%.1fM", v / 1e6);
    else if (v >= 1e4)
        snprintf(out, 16, "%.0fk", v / 1e3);
    else
        snprintf(out, 16, "%.0f", v);
}

static void bar_print(const wf_progress *p) {
    char bar[BAR_CELLS + 1] = "", left[24], rate[16], text[400];
    struct winsize size = {0};
    const int filled = p->total > 0 ? (int)((double)BAR_CELLS * (double)p->done / (double)p->total) : 0;
    for (int i = 0; i < BAR_CELLS; i++) bar[i] = i < filled ? '#' : '-';
    time_left(left, p->total > 0 ? p->seconds_left : -1);
    amount(rate, p->rate);
    int n = snprintf(text, sizeof text, "%s %s [%s] %lld/%lld", p->stage, p->name ? p->name : "", bar,
                     (long long)p->done, (long long)p->total);
    if (!isnan(p->loss)) n += snprintf(text + n, sizeof text - (size_t)n, ", loss %.3f", p->loss);
    if (p->rate > 0)
        n += snprintf(text + n, sizeof text - (size_t)n, ", %s %s", rate, p->rate_unit ? p->rate_unit : "");
    snprintf(text + n, sizeof text - (size_t)n, "%s", left);
    const int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10 ? size.ws_col - 1 : 100;
    char *visible = cli_visible(text);
    fprintf(stderr, "\r\033[K%.*s", width, visible ? visible : "");
    free(visible);
    screen.shown = true;
}

static int on_progress(const wf_progress *p, void *user) {
    if (interrupts) return 1;
    if (((const cli_args *)user)->quiet) return 0;
    const bool end = p->note != NULL, due = now() - screen.printed >= PLAIN_SECONDS;
    if (end) {
        cli_progress_end();
        note_say("%s %s: %s", p->stage, p->name ? p->name : "", p->note);
    }
    if (screen.terminal && !end) {
        bar_print(p);
    } else if (!screen.terminal && due && !end) {
        char left[24], rate[16], speed[64] = "";
        time_left(left, p->total > 0 ? p->seconds_left : -1);
        amount(rate, p->rate);
        if (p->rate > 0) snprintf(speed, sizeof speed, ", %s %.40s", rate, p->rate_unit ? p->rate_unit : "");
        note_say("%s %s: %lld of %lld%s%s", p->stage, p->name ? p->name : "", (long long)p->done, (long long)p->total,
                 speed, left);
    }
    if (end || due) screen.printed = now();
    return 0;
}

static void on_message(const char *level, const char *text, void *user) {
    if (((const cli_args *)user)->quiet) return;
    cli_progress_end();
    note_say("%s: %s", level, text);
}

wf_progress_fn cli_progress(void) {
    screen.terminal = isatty(STDERR_FILENO) != 0;
    screen.printed = now();
    return on_progress;
}

int cli_open(const cli_args *a, wf_lab **lab) {
    wf_err err = {0};
    const wf_status st = wf_lab_open(a->lab, lab, &err);
    if (st != WF_OK) return cli_fail(st, &err);
    if (a->threads) wf_lab_threads(*lab, (int)a->threads);
    wf_lab_progress(*lab, cli_progress(), (void *)(uintptr_t)a);
    wf_lab_messages(*lab, on_message, (void *)(uintptr_t)a);
    return EXIT_DONE;
}

int cli_fail(wf_status status, const wf_err *err) {
    cli_progress_end();
    line_say("weft: ", err->text[0] ? err->text : wf_status_text(status));
    switch (status) {
    case WF_E_CHECK:
        return EXIT_CHECK;
    case WF_E_ARG:
    case WF_E_DATA:
    case WF_E_SHAPE:
    case WF_E_NOTFOUND:
    case WF_E_EXISTS:
    case WF_E_UNSUPPORTED:
    case WF_E_BUSY:
        return EXIT_USAGE;
    default:
        return EXIT_FAILED;
    }
}

wf_status cli_wrong(wf_err *err, wf_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    *err = (wf_err){.code = status, .offset = -1};
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return status;
}

int cli_usage(const char *format, ...) {
    va_list args;
    va_start(args, format);
    say("weft: ", format, args);
    va_end(args);
    return EXIT_USAGE;
}

int cli_resamples_check(const cli_args *a) {
    if (a->resamples && (a->resamples < 100 || a->resamples > 1000000))
        return cli_usage("--resamples must lie in [100, 1000000]");
    return EXIT_DONE;
}

int cli_call(const cli_args *a, wf_status (*call)(const cli_args *a, wf_lab *lab, char **text, wf_err *err),
             void (*show)(const json_t *result)) {
    wf_lab *lab = NULL;
    wf_err err = {0};
    char *text = NULL;
    const int code = cli_open(a, &lab);
    if (code != EXIT_DONE) return code;
    const wf_status st = call(a, lab, &text, &err);
    wf_lab_close(lab);
    return cli_finish(a, st, &err, text, show);
}
