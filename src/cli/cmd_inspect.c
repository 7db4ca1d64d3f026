/* cli/cmd_inspect.c - weft inspect. */
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 24 /* longer ones in a list are sentences, a line each */ };

static bool is_scalar(const json_t *v) {
    return !json_is_object(v) && !json_is_array(v);
}

static void scalar_print(const json_t *v, int digits) {
    if (json_is_string(v))
        fputs(json_string_value(v), stdout);
    else if (json_is_real(v))
        printf("%.*g", digits, json_real_value(v));
    else if (json_is_integer(v))
        printf("%lld", (long long)json_integer_value(v));
    else
        fputs(json_is_null(v) ? "none" : json_is_true(v) ? "true" : "false", stdout);
}

/* {"accuracy": 0.91, ...}: short enough for one line. */
static bool is_row(const json_t *object) {
    const char *name;
    const json_t *v;
    size_t numbers = 0;
    json_object_foreach((json_t *)object, name, v) {
        if (!json_is_number(v) && !json_is_null(v)) return false;
        numbers += json_is_number(v);
    }
    return numbers > 0;
}

static bool is_words(const json_t *array) {
    size_t i;
    const json_t *v;
    json_array_foreach(array, i, v) if (!is_scalar(v) || json_string_length(v) > WORD_BYTES) return false;
    return true;
}

static void value_print(int indent, const char *key, const json_t *value);

static void members_print(int indent, const json_t *value) {
    const char *name;
    const json_t *v;
    size_t i;
    json_object_foreach((json_t *)value, name, v) /* settings: with --json */
        if (strcmp(name, "settings") != 0) value_print(indent, name, v);
    json_array_foreach(value, i, v) value_print(indent, "-", v);
}

static void value_print(int indent, const char *key, const json_t *value) {
    const char *name, *separator = "";
    const json_t *v;
    size_t i;
    printf("%*s%s%s", indent, "", key, strcmp(key, "-") == 0 ? "" : ":");
    if (is_scalar(value)) {
        putchar(' ');
        scalar_print(value, 6);
    } else if (json_object_size(value) + json_array_size(value) == 0) {
        fputs(" none", stdout);
    } else if (json_is_object(value) && is_row(value)) {
        json_object_foreach((json_t *)value, name, v) {
            printf("%s %s ", separator, name);
            scalar_print(v, 4);
            separator = ",";
        }
    } else if (json_is_array(value) && is_words(value)) {
        json_array_foreach(value, i, v) {
            printf("%s ", separator);
            scalar_print(v, 4);
            separator = ",";
        }
    } else {
        puts("");
        members_print(indent + 2, value);
        return;
    }
    puts("");
}

/* A line a block: how much of the attention each adapter gets, and how undecided it is. */
static void attention_print(const json_t *blocks) {
    size_t i;
    const json_t *block, *w;
    const char *name;
    cli_table *t = cli_table_new();
    puts("where the fusion looks (mean attention over the dev rows; entropy: 0 = one adapter only)");
    json_array_foreach(blocks, i, block) {
        if (i == 0) {
            cli_cell(t, true, "layer");
            cli_cell(t, false, "site");
            json_object_foreach(json_object_get(block, "weights"), name, w) cli_cell(t, true, "%s", name);
            cli_cell(t, true, "entropy");
            cli_row(t);
        }
        cli_cell(t, true, "%.0f", cli_number(block, "layer"));
        cli_cell(t, false, "%s", cli_text(block, "site"));
        json_object_foreach(json_object_get(block, "weights"), name, w) cli_cell(t, true, "%.2f", json_number_value(w));
        cli_cell(t, true, "%.2f", cli_number(block, "entropy"));
        cli_row(t);
    }
    cli_table_print(t);
}

static void relatives_print(const char *what, const json_t *list) {
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
        printf("  %s: %s %s (%.12s)\n", what, cli_text(one, "kind"), cli_text(one, "name"), cli_text(one, "hash"));
}

static void inspect_show(const json_t *j) {
    const char *key;
    const json_t *value;
    printf("%s %s\n", cli_text(j, "kind_of_object"), cli_text(j, "name"));
    json_object_foreach((json_t *)j, key, value) {
        static const char *const apart[] = {"name",     "kind_of_object", "attention", "parents",
                                            "children", "files",          "settings"}; /* the last two with --json */
        size_t i = 0;
        while (i < sizeof apart / sizeof *apart && strcmp(apart[i], key) != 0) i++;
        if (i == sizeof apart / sizeof *apart) value_print(2, key, value);
    }
    relatives_print("made from", json_object_get(j, "parents"));
    relatives_print("used by", json_object_get(j, "children"));
    if (json_object_get(j, "attention")) attention_print(json_object_get(j, "attention"));
}

static wf_status run_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    return wf_inspect(lab, a->words[0], text, err);
}

static int run(const cli_args *a) {
    return cli_call(a, run_call, inspect_show);
}

const cli_command cli_inspect = {
    .name = "inspect",
    .words = "NAME",
    .names = "any",
    .least = 1,
    .most = 1,
    .run = run,
    .summary = "show a model, task or base: sizes, settings, lineage, and where a fusion looks",
    .text =
        "A model is often called like its task: where several objects have the name, it is the model that is shown, "
        "and\ntask:NAME or base:NAME says which other.",
    .example = "weft inspect editorials",
};
