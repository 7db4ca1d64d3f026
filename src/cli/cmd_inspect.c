/* cli/cmd_inspect.c - weft inspect. */
#include "cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* {"accuracy": 0.91, ...} in one line. */
static void scores_print(const char *key, const json_t *scores) {
    const char *name;
    const json_t *v;
    const char *separator = " ";
    printf("  %s:", key);
    json_object_foreach((json_t *)scores, name, v) {
        printf("%s%s %.4g", separator, name, json_number_value(v));
        separator = ", ";
    }
    puts("");
}

static void value_print(const char *key, const json_t *value) {
    if (strcmp(key, "dev") == 0 || strcmp(key, "test") == 0)
        scores_print(key, value);
    else if (json_is_string(value))
        printf("  %s: %s\n", key, json_string_value(value));
    else if (json_is_real(value))
        printf("  %s: %.6g\n", key, json_real_value(value));
    else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        printf("  %s: %s\n", key, text ? text : "");
        free(text);
    }
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
        if (i == sizeof apart / sizeof *apart) value_print(key, value);
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
    .least = 1,
    .most = 1,
    .run = run,
    .summary = "show a model, task or base: sizes, settings, lineage, and where a fusion looks",
    .example = "weft inspect editorials",
};
