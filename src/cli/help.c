/* cli/help.c - help texts, manual pages and bash completion, all from the tables. */
#include "cli/cli.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void option_print(const cli_option *o) {
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-26s %s\n", left, o->help);
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
    printf("%s\n\nusage: weft %s%s%s%s\n", c->summary, c->name, *c->words ? " " : "", c->words,
           c->options ? " [options]" : "");
    if (c->text) printf("\n%s\n", c->text);
    if (c->options) puts("\noptions:");
    options_print(c->options);
    printf("\nexample:\n  %s\n", c->example);
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
        fputs(".SH DESCRIPTION\n.nf\n", stdout);
        roff(c->text);
        fputs("\n.fi\n", stdout);
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

/* ---- bash completion ---- */

static void names_print(const cli_option *options) {
    for (size_t i = 0; options && options[i].name; i++) printf("%s ", options[i].name);
}

int cli_complete_bash(void) {
    puts("# bash completion for weft\n_weft() {\n    local word=${COMP_WORDS[COMP_CWORD]} command= second= i\n    for "
         "((i = 1; i < COMP_CWORD; i++)); do\n"
         "        case ${COMP_WORDS[i]} in\n        -C | --threads) ((i++)) ;;\n        -*) ;;\n        *) if [ -z "
         "\"$command\" ]; then command=${COMP_WORDS[i]}; elif [ -z \"$second\" ]; then second=${COMP_WORDS[i]}; fi ;;\n"
         "        esac\n    done\n    local words=\n    case \"$command $second\" in");
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("    \"%s \"*) words=\"", cli_commands[i]->name);
        names_print(cli_commands[i]->options);
        names_print(cli_globals);
        printf("\" ;;\n");
    }
    puts("    \"base \"*) words=\"add list check\" ;;\n    \"task \"*) words=\"add list\" ;;");
    fputs("    \" \") words=\"base task ", stdout);
    for (size_t i = 0; cli_commands[i]; i++)
        if (!strchr(cli_commands[i]->name, ' ')) printf("%s ", cli_commands[i]->name);
    names_print(cli_globals);
    puts("--version\" ;;\n    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n    [ -n \"$word\" ] && [ "
         "\"${word#-}\" = \"$word\" ] && COMPREPLY+=($(compgen -f -- \"$word\"))\n}\ncomplete -o filenames -F _weft "
         "weft");
    return EXIT_DONE;
}
