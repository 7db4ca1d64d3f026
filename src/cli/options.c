/* cli/options.c - words of a command line into cli_args, by the rows of the command's option table. */
#include "cli/cli.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const cli_option cli_globals[] = {
    {"-C", "LAB", "the lab's folder (default: $WEFT_LAB, else the current folder)", CLI_TEXT, CLI_AT(lab)},
    {"--json", NULL, "print one JSON document on standard output and nothing else there", CLI_FLAG, CLI_AT(json)},
    {"--quiet", NULL, "no progress and no notes", CLI_FLAG, CLI_AT(quiet)},
    {"--threads", "N", "processor threads to use (default, and 0: all)", CLI_SIZE, CLI_AT(threads)},
    {"--help", NULL, "show help", CLI_FLAG, CLI_AT(help)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command *cli_find(int argc, char **argv, int *used) {
    for (size_t i = 0; argc && cli_commands[i]; i++) {
        const char *name = cli_commands[i]->name;
        if (strcmp(name, argv[0]) == 0) {
            *used = 1;
            return cli_commands[i];
        }
        const size_t n = strlen(argv[0]);
        if (argc > 1 && strncmp(name, argv[0], n) == 0 && name[n] == ' ' && strcmp(name + n + 1, argv[1]) == 0) {
            *used = 2;
            return cli_commands[i];
        }
    }
    return NULL;
}

static size_t least_of(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Edit distance for words up to 31 bytes, where two letters that changed places are one slip ("lsit"). */
static size_t distance(const char *a, const char *b) {
    size_t rows[3][33] = {{0}};
    const size_t m = strlen(a), n = strlen(b);
    if (m > 31 || n > 31) return SIZE_MAX;
    for (size_t j = 0; j <= n; j++) rows[0][j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            row[j] = least_of(above[j - 1] + (a[i - 1] != b[j - 1]), least_of(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least_of(row[j], before[j - 2] + 1);
        }
    }
    return rows[m % 3][n];
}

const char *cli_nearest(const char *word, const char *(*candidate)(size_t i)) {
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 2;
    for (size_t i = 0; candidate(i); i++) {
        const size_t d = distance(word, candidate(i));
        if (d < least) {
            least = d;
            best = candidate(i);
        }
    }
    return best;
}

static const cli_option *option_find(const cli_option *options, const char *name, size_t n) {
    for (size_t i = 0; options && options[i].name; i++)
        if (strlen(options[i].name) == n && strncmp(options[i].name, name, n) == 0) return &options[i];
    return NULL;
}

static bool number_bad(const cli_option *o, const char *value, const char *want) {
    cli_usage("%s needs %s, not \"%s\"", o->name, want, value);
    return false;
}

static bool option_set(const cli_option *o, const char *value, cli_args *a) {
    void *at = (char *)a + o->at;
    char *end = NULL;
    errno = 0;
    switch (o->type) {
    case CLI_FLAG:
        memcpy(at, &(bool){true}, sizeof(bool));
        return true;
    case CLI_TEXT:
        if (!*value) return cli_usage("%s needs a value (%s), not an empty one", o->name, o->value), false;
        memcpy(at, &value, sizeof value);
        return true;
    case CLI_ANY:
        memcpy(at, &value, sizeof value);
        return true;
    case CLI_SIZE:
    case CLI_COUNT:
    case CLI_LIMIT: {
        const long long v = strtoll(value, &end, 10);
        if (!*value || *end || errno) return number_bad(o, value, "a whole number");
        if (o->type == CLI_SIZE && v < 0) return number_bad(o, value, "a whole number from 0");
        if (o->type == CLI_COUNT && v < 1) return number_bad(o, value, "a whole number from 1");
        if (o->type == CLI_LIMIT && v < 1 && v != -1)
            return number_bad(o, value, "a whole number from 1, or -1 for no limit");
        memcpy(at, &v, sizeof v);
        return true;
    }
    case CLI_SEED: {
        const unsigned long long v = strtoull(value, &end, 10);
        if (!*value || *end || errno || *value == '-') return number_bad(o, value, "a whole number from 0");
        memcpy(at, &v, sizeof v);
        return true;
    }
    case CLI_REAL:
    case CLI_NONE:
    case CLI_AMOUNT: {
        double v = strtod(value, &end);
        if (!*value || *end || errno || v != v) return number_bad(o, value, "a number");
        if (o->type == CLI_AMOUNT && !(v > 0)) return number_bad(o, value, "a number above 0");
        if (o->type == CLI_REAL && v < 0) return number_bad(o, value, "a number from 0");
        if (o->type == CLI_NONE && v < 0 && v != -1) return number_bad(o, value, "a number from 0 (0: none)");
        if (o->type == CLI_NONE && v == 0) v = -1;
        memcpy(at, &v, sizeof v);
        return true;
    }
    }
    return false;
}

static const cli_command *asked; /* for suggestions */
static const char *option_name(size_t i) {
    size_t n = 0;
    while (asked && asked->options && asked->options[n].name) n++;
    return i < n ? asked->options[i].name : cli_globals[i - n].name;
}

/* Of two values one would be dropped without a word. */
static bool option_twice(const cli_option *const *given, size_t n, const cli_option *o) {
    for (size_t i = 0; i < n; i++)
        if (given[i] == o) return cli_usage("%s stands twice; give it once", o->name), true;
    return false;
}

static bool option_unknown(const char *word, const cli_command *command) {
    asked = command;
    const char *near = cli_nearest(word, option_name);
    cli_usage("there is no option %s%s%s%s; see: weft%s%s --help", word, near ? " (did you mean " : "",
              near ? near : "", near ? "?)" : "", command ? " " : "", command ? command->name : "");
    return false;
}

bool cli_parse(int argc, char **argv, const cli_command *command, cli_args *a) {
    enum { OPTIONS_MAX = 96 };
    const cli_option *given[OPTIONS_MAX]; /* those that took a value */
    size_t given_count = 0;
    bool words_only = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (words_only || word[0] != '-' || !word[1]) {
            if (a->count == POSITIONALS_MAX) return cli_usage("more than %d words", POSITIONALS_MAX), false;
            a->words[a->count++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            words_only = true;
            continue;
        }
        const char *equals = word[1] == '-' ? strchr(word, '=') : NULL, *value = equals ? equals + 1 : NULL;
        const size_t n = equals ? (size_t)(equals - word) : strlen(word);
        const cli_option *o = option_find(command ? command->options : NULL, word, n);
        if (!o) o = option_find(cli_globals, word, n);
        if (!o && strcmp(word, "-h") == 0) o = option_find(cli_globals, "--help", 6);
        if (!o) return option_unknown(word, command);
        if (o->type == CLI_FLAG && value) return cli_usage("%s takes no value", o->name), false;
        if (o->type != CLI_FLAG && !value && !(value = i + 1 < argc ? argv[++i] : NULL))
            return cli_usage("%s needs a value (%s)", o->name, o->value), false;
        if (!option_set(o, value, a)) return false;
        if (o->type == CLI_FLAG) continue;
        if (option_twice(given, given_count, o)) return false;
        if (given_count < OPTIONS_MAX) given[given_count++] = o;
    }
    return true;
}

char **cli_list(const char *text, char separator, size_t *count) {
    size_t n = 1, k = 0;
    int depth = 0;
    for (const char *c = text; *c; c++) n += *c == separator;
    char **list = calloc(n + 1, sizeof *list);
    const char *start = text;
    for (const char *c = text; list; c++) {
        depth += (*c == '[' || *c == '{') - (*c == ']' || *c == '}');
        if (*c && (*c != separator || depth > 0)) continue;
        if (c > start && !(list[k++] = strndup(start, (size_t)(c - start)))) {
            cli_list_free(list, k);
            list = NULL;
        }
        start = c + 1;
        if (!*c) break;
    }
    *count = k;
    return list;
}

void cli_list_free(char **list, size_t count) {
    for (size_t i = 0; list && i < count; i++) free(list[i]);
    free(list);
}
