/* tests/cli/program.h - runs the weft program as its users do: words in, standard output, standard error and exit code
 * out. */
#ifndef WF_TESTS_CLI_PROGRAM_H
#define WF_TESTS_CLI_PROGRAM_H
#include "tiny.h"
#include <jansson.h>
#include <sys/types.h>

typedef struct ran { /* free with ran_clear */
    char *out, *err;
    int code;   /* exit code; -1 when a signal ended it */
    int signal; /* that signal */
} ran;

/* The words are split at blanks; a word in single quotes may have blanks inside. Runs in the folder top. */
extern const char *program_input;      /* text for standard input; NULL: none */
extern const char *program_input_file; /* or a file below top */
extern const char *program_output;     /* file standard output goes to; NULL: captured */
ran weft(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ran_clear(ran *r);
/* The same, each with one line of checks; weft_ok gives back standard output (free). */
char *weft_ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
json_t *weft_json(const char *format, ...)
    __attribute__((format(printf, 1, 2))); /* --json is put in front; one document and nothing else */
/* Must end with `code`, with nothing on standard output and with one line on standard error that holds each of the
 * texts (NULL ends). */
void weft_says(int code, const char *command, ...) __attribute__((sentinel));
pid_t weft_start(const char *format, ...)
    __attribute__((format(printf, 1, 2)));    /* in the background, its output thrown away */
int weft_wait(pid_t pid, int *signal_number); /* exit code, or -1 and the signal */

extern char top[256]; /* folder of this test: base/, reviews/, notes/, target/ */
const char *in_top(const char *format, ...) __attribute__((format(printf, 1, 2))); /* path below it, one of four */
char *file_text(const char *path);                                                 /* NULL when absent */
void file_await(const char *path); /* until it holds something; fails after a minute */
void nap(int ms);
int top_make(void **state);
int top_remove(void **state);
void lab_make(const char *name);                     /* a lab with base tiny and the three tasks */
char *model_hash(const char *lab, const char *name); /* free */
void has_keys(const json_t *j, const char *keys);    /* "a b c" */
#endif
