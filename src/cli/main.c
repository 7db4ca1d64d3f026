/* cli/main.c - the weft program: the table of commands, and which one runs. */
#include "cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLI_COMMAND(name) extern const cli_command name;
#include "cli/list.inc"
#undef CLI_COMMAND
const cli_command *const cli_commands[] = {
#define CLI_COMMAND(name) &name,
#include "cli/list.inc"
#undef CLI_COMMAND
    NULL};

static const char *command_name(size_t i) {
    return cli_commands[i] ? cli_commands[i]->name : NULL;
}

/* Threads of GNU OpenMP spin while they wait, which is many times slower when other programs use the processors too.
 * The library reads its setting once, before main, so a process that was started without one starts itself again with a
 * short spin. */
static void spin_less(char **argv) {
    char program[4096];
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") || setenv("GOMP_SPINCOUNT", "20000", 1) != 0) return;
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) return;
    program[n] = 0;
    execv(program, argv); /* when it fails, this process goes on as it is */
}

/* "base" alone: which commands begin with it. */
static int command_incomplete(const char *word) {
    const size_t n = strlen(word);
    char text[200] = "";
    for (size_t i = 0, at = 0; cli_commands[i] && at < sizeof text; i++)
        if (strncmp(cli_commands[i]->name, word, n) == 0 && cli_commands[i]->name[n] == ' ')
            at += (size_t)snprintf(text + at, sizeof text - at, "%sweft %s", at ? ", " : "", cli_commands[i]->name);
    return *text ? cli_usage("%s what? there is %s", word, text) : EXIT_DONE;
}

/* "base --help", "help base": the commands that begin with it. False: there is none. */
static bool group_help(int argc, char **argv) {
    bool asked = false;
    for (int i = 1; i < argc; i++) asked |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    return asked && cli_help_group(argv[0]);
}

static int command_unknown(const char *word) {
    if (command_incomplete(word) != EXIT_DONE) return EXIT_USAGE;
    const char *near = cli_nearest(word, command_name);
    return cli_usage("there is no command \"%s\"%s%s%s; see: weft --help", word, near ? " (did you mean " : "",
                     near ? near : "", near ? "?)" : "");
}

/* Global options may stand in front of the command. Returns how many words they take, -1 when they are wrong. */
static int globals_parse(int argc, char **argv, cli_args *a) {
    int n = 0;
    while (n < argc && argv[n][0] == '-') n += strcmp(argv[n], "-C") == 0 || strcmp(argv[n], "--threads") == 0 ? 2 : 1;
    if (n > argc) n = argc;
    return cli_parse(n, argv, NULL, a) ? n : -1;
}

/* An instruction set level that is misspelt would be no limit at all. */
static int environment_check(void) {
    const char *isa = getenv("WEFT_ISA");
    if (!isa || strcmp(isa, "scalar") == 0 || strcmp(isa, "avx2") == 0 || strcmp(isa, "avx512") == 0) return EXIT_DONE;
    return cli_usage("WEFT_ISA is \"%s\"; use scalar, avx2 or avx512, or leave it unset", isa);
}

static void lab_find(cli_args *a) {
    const char *named = getenv("WEFT_LAB");
    if (!a->lab) a->lab = named && *named ? named : ".";
}

static int command_run(const cli_command *c, cli_args *a) {
    if (a->help) {
        cli_help(c);
        return EXIT_DONE;
    }
    if (a->count < c->least) return cli_usage("too few words; usage: weft %s %s", c->name, c->words);
    if (a->count > c->most)
        return cli_usage("what is \"%s\"? usage: weft %s%s%s", a->words[c->most], c->name, *c->words ? " " : "",
                         c->words);
    if (a->threads < 0 || a->threads > 4096) return cli_usage("--threads must lie in [0, 4096]");
    if (environment_check() != EXIT_DONE) return EXIT_USAGE;
    lab_find(a);
    return c->run(a);
}

static int program(int argc, char **argv) {
    cli_args a = {.cache_memory = CLI_UNSET, .tolerance = CLI_UNSET, .points = CLI_UNSET};
    int used = 0;
    if (argc > 0 && strcmp(argv[0], "__man") == 0) return cli_man(argc > 1 ? argv[1] : NULL);
    if (argc > 0 && strcmp(argv[0], "__complete") == 0) return cli_complete_bash();
    if (argc > 0 && strcmp(argv[0], "--version") == 0) return printf("weft %s\n", wf_version()) < 0;
    const int first = globals_parse(argc, argv, &a);
    if (first < 0) return EXIT_USAGE;
    argc -= first;
    argv += first;
    if (argc == 2 && strcmp(argv[0], "__names") == 0) {
        lab_find(&a);
        return cli_names(&a, argv[1]);
    }
    if (argc == 0 || strcmp(argv[0], "help") == 0) {
        const cli_command *about = argc > 1 ? cli_find(argc - 1, argv + 1, &used) : NULL;
        if (argc > 1 && !about) return cli_help_group(argv[1]) ? EXIT_DONE : command_unknown(argv[1]);
        cli_help(about);
        return argc || a.help ? EXIT_DONE : EXIT_USAGE;
    }
    const cli_command *command = cli_find(argc, argv, &used);
    if (!command && (a.help ? cli_help_group(argv[0]) : group_help(argc, argv))) return EXIT_DONE;
    if (!command) return command_unknown(argv[0]);
    if (!cli_parse(argc - used, argv + used, command, &a)) return EXIT_USAGE;
    return command_run(command, &a);
}

int main(int argc, char **argv) {
    spin_less(argv);
    const int code = program(argc - 1, argv + 1);
    return code == EXIT_DONE && (fflush(stdout) != 0 || ferror(stdout))
               ? cli_fail(WF_E_IO, &(wf_err){.text = "cannot write to standard output"})
               : code;
}
