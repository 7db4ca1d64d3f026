/* cli/help.c - help texts and manual pages, all from the tables. */
#include "cli/cli.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 100 };

/* Words in lines of at most WIDTH columns; the first begins at column `at`, the others at `indent`. A line break in the
 * text is a blank, two are a new paragraph. */
static void wrapped(const char *text, int at, int indent) {
    for (bool first = true; *text; first = false) {
        const size_t gap = strspn(text, " \n"), n = strcspn(text + gap, " \n");
        const bool paragraph = !first && strncmp(text, "\n\n", 2) == 0;
        if (n == 0) break;
        if (paragraph || (!first && at + 1 + (int)n > WIDTH)) {
            printf("%s\n%*s", paragraph ? "\n" : "", indent, "");
            at = indent;
        } else if (!first) {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)n, text + gap);
        at += (int)n;
        text += gap + n;
    }
    puts("");
}

static void option_print(const cli_option *o) {
    enum { LEFT = 29 };
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    const int n = printf("  %-26s ", left);
    wrapped(o->help, n, LEFT);
}

static void options_print(const cli_option *options) {
    for (size_t i = 0; options && options[i].name; i++) option_print(&options[i]);
}

static void program_help(void) {
    puts("weft trains, fuses, evaluates and audits small adapters on one frozen transformer.\n\nusage: weft [-C LAB] "
         "[--json] [--quiet] [--threads N] COMMAND ...\n\ncommands:");
    for (size_t i = 0; cli_commands[i]; i++) printf("  %-15s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    puts("\noptions of every command:");
    options_print(cli_globals);
    puts("  --version                  show the version\n\nweft COMMAND --help shows a command's options and an "
         "example.\n"
         "exit codes: 0 done; 1 it failed while running; 2 wrong usage or bad input; 3 a check did not hold");
}

void cli_help(const cli_command *c) {
    if (!c) {
        program_help();
        return;
    }
    wrapped(c->summary, 0, 0);
    printf("\nusage: weft %s%s%s%s\n", c->name, *c->words ? " " : "", c->words, c->options ? " [options]" : "");
    if (c->text) puts("");
    if (c->text) wrapped(c->text, 0, 0);
    if (c->options) puts("\noptions:");
    options_print(c->options);
    printf("\nexample:\n  %s\n", c->example);
}

bool cli_help_group(const char *word) {
    const size_t n = strlen(word);
    bool any = false;
    for (size_t i = 0; cli_commands[i]; i++) {
        if (strncmp(cli_commands[i]->name, word, n) != 0 || cli_commands[i]->name[n] != ' ') continue;
        if (!any) printf("usage: weft %s COMMAND ...\n\ncommands:\n", word);
        any = true;
        const int at = printf("  %-15s ", cli_commands[i]->name);
        wrapped(cli_commands[i]->summary, at, 18);
    }
    if (any) printf("\nweft %s COMMAND --help shows a command's options and an example.\n", word);
    return any;
}

/* ---- manual pages ---- */

static void roff(const char *text) {
    bool start = true;
    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
        start = *text == '\n';
    }
}

static void roff_options(const cli_option *options) {
    for (size_t i = 0; options && options[i].name; i++) {
        fputs(".TP\n\\fB", stdout);
        roff(options[i].name);
        fputs("\\fR", stdout);
        if (options[i].value) printf(" \\fI%s\\fR", options[i].value);
        fputs("\n", stdout);
        roff(options[i].help);
        fputs("\n", stdout);
    }
}

static void man_command(const cli_command *c) {
    char title[64];
    snprintf(title, sizeof title, "WEFT-%s", c->name);
    for (char *p = title; *p; p++) *p = *p == ' ' ? '-' : (char)toupper((unsigned char)*p);
    printf(".TH %s 1 \"\" \"weft %s\" \"weft manual\"\n.SH NAME\nweft-", title, wf_version());
    for (const char *p = c->name; *p; p++) putchar(*p == ' ' ? '-' : *p);
    fputs(" \\- ", stdout);
    roff(c->summary);
    fputs("\n.SH SYNOPSIS\n\\fBweft ", stdout);
    roff(c->name);
    fputs("\\fR ", stdout);
    roff(c->words);
    fputs(" [\\fIoptions\\fR]\n", stdout);
    if (c->text) {
        fputs(".SH DESCRIPTION\n", stdout);
        roff(c->text);
        fputs("\n", stdout);
    }
    fputs(".SH OPTIONS\n", stdout);
    roff_options(c->options);
    roff_options(cli_globals);
    fputs(".SH EXAMPLE\n.nf\n", stdout);
    roff(c->example);
    fputs("\n.fi\n.SH EXIT STATUS\n0 done; 1 it failed while running; 2 wrong usage or bad input; 3 a check did not "
          "hold.\n.SH SEE ALSO\n.BR weft (1)\n",
          stdout);
}

static void man_program(void) {
    printf(".TH WEFT 1 \"\" \"weft %s\" \"weft manual\"\n.SH NAME\nweft \\- train, fuse, evaluate and audit adapters "
           "on one frozen transformer\n"
           ".SH SYNOPSIS\n\\fBweft\\fR [\\fIoptions\\fR] \\fICOMMAND\\fR ...\n.SH COMMANDS\n",
           wf_version());
    for (size_t i = 0; cli_commands[i]; i++) {
        fputs(".TP\n\\fB", stdout);
        roff(cli_commands[i]->name);
        fputs("\\fR ", stdout);
        roff(cli_commands[i]->words);
        fputs("\n", stdout);
        roff(cli_commands[i]->summary);
        fputs("\n", stdout);
    }
    fputs(".SH OPTIONS\n", stdout);
    roff_options(cli_globals);
    fputs(".SH ENVIRONMENT\n.TP\nWEFT_LAB\nthe lab when \\-C is not given\n.TP\nWEFT_ISA\nscalar, avx2 or avx512: use "
          "no more than this level of instructions\n.SH EXIT STATUS\n0 done; 1 it failed while running; 2 wrong usage "
          "or bad input; 3 a check did not hold.\n",
          stdout);
}

int cli_man(const char *name) {
    if (!name || strcmp(name, "weft") == 0) {
        man_program();
        return EXIT_DONE;
    }
    for (size_t i = 0; cli_commands[i]; i++) {
        char dashed[64];
        snprintf(dashed, sizeof dashed, "%s", cli_commands[i]->name);
        for (char *p = dashed; *p; p++) *p = *p == ' ' ? '-' : *p;
        if (strcmp(dashed, name) != 0) continue;
        man_command(cli_commands[i]);
        return EXIT_DONE;
    }
    return cli_usage("there is no manual page \"%s\"", name);
}
