/* cli/cli.h - what the commands share. The command line sees public headers and jansson only. Layer 13.
 * A command is one file with one `const cli_command`: its options are rows from which parsing, help, completion and
 * manual pages are made. */
#ifndef WF_CLI_H
#define WF_CLI_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <weft/weft.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CHECK = 3, POSITIONALS_MAX = 256, CLI_UNSET = -2 };

typedef struct cli_args { /* everything any command can be given */
    const char *lab;
    bool json, quiet, help;
    long long threads;
    int count; /* words behind the command */
    const char *words[POSITIONALS_MAX];
    wf_task_spec task;
    wf_train_spec train;
    const char *from, *methods, *rows_list, *rates_list, *output, *input, *data, *split, *pair;
    const char *of_task;                                               /* which head of a joint model */
    const char *sampling, *loss_weights;                               /* joint */
    const char *kinds, *strengths, *sets, *wordnet, *positive, *terms; /* studies */
    double margin;
    const char *label; /* explained */
    long long seeds, resamples, head_layers, patience;
    long long cache_memory; /* CLI_UNSET: not given, since 0 means none */
    bool all, train_adapters, keep_fusion, record, list, keep_going, check;
    const char *model, *by;
    double tolerance, points; /* CLI_UNSET: not given */
    long long keep;
    wf_bench_spec bench;
    const char *works;
    long long rounds;
} cli_args;

/* The library takes 0 for "not given", and -1 for none where that is not the default: a 0 that somebody types must not
 * turn into the default. */
typedef enum cli_type {
    CLI_FLAG,
    CLI_TEXT,   /* not an empty one */
    CLI_ANY,    /* any text */
    CLI_SIZE,   /* a whole number from 0 */
    CLI_COUNT,  /* a whole number from 1 */
    CLI_LIMIT,  /* a whole number from 1, or -1: no limit */
    CLI_REAL,   /* a number from 0, where 0 is the default */
    CLI_NONE,   /* a number from 0; 0 and -1: none, which is -1 in the library */
    CLI_AMOUNT, /* a number above 0 */
    CLI_SEED
} cli_type;
typedef struct cli_option {
    const char *name;  /* "--rows", or "-o" */
    const char *value; /* how its value is called in help; NULL: a flag */
    const char *help;
    cli_type type;
    size_t at; /* offset in cli_args */
} cli_option;

typedef struct cli_command {
    const char *name;    /* "train", "base add" */
    const char *words;   /* "TASK", "NAME PATH", "[TEXT...]" */
    const char *names;   /* what its first word names, for completion: "base", "task", "model", "run"; "any" of the
                            first three; NULL: a file, or something new */
    int least, most;     /* words it takes */
    const char *summary; /* one line */
    const char *text;    /* more, for help and the manual; may be NULL */
    const char *example;
    const cli_option *options; /* ends with name NULL; may be NULL */
    int (*run)(const cli_args *a);
    wf_status (*check)(const cli_args *a, wf_err *err); /* what can be told without the lab, for plans; may be NULL */
} cli_command;
#define CLI_AT(field) offsetof(cli_args, field)

extern const cli_command *const cli_commands[]; /* ends with NULL */
extern const cli_option cli_globals[];

/* options.c: fills *a from argv; false: said what is wrong on standard error. */
bool cli_parse(int argc, char **argv, const cli_command *command, cli_args *a);
const cli_command *cli_find(int argc, char **argv, int *used); /* by one or two words; NULL: none */
const char *cli_nearest(const char *word,
                        const char *(*candidate)(size_t i)); /* best guess for a mistyped word; NULL */
/* "a,b,c" as a list; the caller frees with cli_list_free. Separators inside [ ] and { } do not count. */
char **cli_list(const char *text, char separator, size_t *count);
void cli_list_free(char **list, size_t count);

/* help.c */
void cli_help(const cli_command *command); /* NULL: the whole program */
bool cli_help_group(const char *word);     /* "base": the commands that begin with it; false: there is none */
int cli_man(const char *name);

/* complete.c */
int cli_complete_bash(void);
int cli_names(const cli_args *a, const char *kind); /* the lab's names of a kind, one a line */

/* session.c */
int cli_open(const cli_args *a,
             wf_lab **lab); /* opens the lab with progress and messages on standard error; EXIT_DONE or says why */
/* Without a lab: what it would call while it works; user is the arguments. */
wf_progress_fn cli_progress(void);
void cli_stop_gently(
    void); /* for work that keeps a checkpoint: Ctrl-C stops it at its next step. Other commands simply end */
int cli_fail(wf_status status, const wf_err *err); /* one line on standard error; the exit code */
wf_status cli_wrong(wf_err *err, wf_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* fills err, as the library does */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* EXIT_DONE where --resamples is not given or in its range; else what cli_usage gives. */
int cli_resamples_check(const cli_args *a);
void cli_progress_end(void); /* wipes the progress line */

/* output.c: results for people. */
char *cli_visible(const char *text); /* control characters and bidi overrides as escapes (\x1b, <U+202E>); free */
json_t *cli_shown(const char *text); /* JSON parsed, with every key and string made visible; NULL: damaged */
typedef struct cli_table cli_table;
cli_table *cli_table_new(void);
void cli_cell(cli_table *t, bool right, const char *format, ...) __attribute__((format(printf, 3, 4)));
void cli_row(cli_table *t);         /* ends a row; the first one is the header */
void cli_table_print(cli_table *t); /* and frees it */
/* One call into the library and its result: opens the lab, calls, closes, and ends as cli_finish does. */
int cli_call(const cli_args *a, wf_status (*call)(const cli_args *a, wf_lab *lab, char **text, wf_err *err),
             void (*show)(const json_t *result));
/* Ends a call: prints its result (with --json as it is, else by `show`, NULL: nothing), frees it, says what failed. The
 * exit code. */
int cli_finish(const cli_args *a, wf_status status, const wf_err *err, char *text, void (*show)(const json_t *result));
const char *cli_text(const json_t *object, const char *key);    /* "" when absent */
double cli_number(const json_t *object, const char *key);       /* NaN when absent */
void cli_score(char out[16], const char *metric, double value); /* 87.3 for shares, 0.123 for errors and correlations */
/* The metrics people look at first that `scores` has, at most `most`; returns how many. */
size_t cli_metrics(const json_t *scores, size_t most, const char **out);
void cli_count(char out[16], double n);       /* 950, 12.3k, 4.5M */
void cli_trained_show(const json_t *result);  /* what train, fuse and resume print */
void cli_compared_show(const json_t *result); /* what compare prints, and resume of a comparison */

/* NAME, or NAME:TASK where --task names a head; static. NULL: said what is wrong. */
const char *cli_head(const char *name, const char *task);

/* cmd_train.c: the settings that train, fuse and compare share, and what is no plain field of the public struct. */
void cli_train_fill(cli_args *a);
#endif
