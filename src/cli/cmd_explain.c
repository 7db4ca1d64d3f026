/* cli/cmd_explain.c - weft explain. */
#include "cli/cli.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN = 12, LEVELS = 4 };

static double largest(const json_t *tokens) {
    const json_t *t;
    size_t i;
    double most = 0;
    json_array_foreach(tokens, i, t) most = fmax(most, fabs(cli_number(t, "attribution")));
    return most;
}

/* The text with a background a token: blue for the label, orange against it, stronger for more. */
static void colours_print(const json_t *tokens, double most) {
    static const int blue[LEVELS] = {189, 153, 111, 69}, orange[LEVELS] = {230, 223, 215, 208};
    const json_t *t;
    size_t i;
    double part = 0;
    json_array_foreach(tokens, i, t) {
        const double a = cli_number(t, "attribution"), share = most > 0 ? fabs(a) / most : 0;
        if (!json_object_get(t, "text")) continue;
        if (cli_number(t, "part") > part) fputs(" | ", stdout);
        part = cli_number(t, "part");
        fputs(cli_text(t, "before"), stdout);
        const int level = (int)fmin(LEVELS - 1, share * LEVELS);
        if (share < 0.05)
            fputs(cli_text(t, "text"), stdout);
        else
            printf("\033[30;48;5;%dm%s\033[0m", (a > 0 ? blue : orange)[level], cli_text(t, "text"));
    }
    puts("");
}

static const json_t *const *sorted_from;
static int by_size(const void *a, const void *b) {
    const double x = fabs(cli_number(sorted_from[*(const size_t *)a], "attribution")),
                 y = fabs(cli_number(sorted_from[*(const size_t *)b], "attribution"));
    return (y > x) - (y < x);
}

/* The tokens that say most, with a bar: + for the label, - against it. */
static void tokens_print(const json_t *tokens, double most) {
    const size_t n = json_array_size(tokens);
    const json_t **list = calloc(n + 1, sizeof(const json_t *));
    size_t *order = calloc(n + 1, sizeof *order), i, k = 0;
    const json_t *t;
    cli_table *table = cli_table_new();
    if (list && order) {
        json_array_foreach(tokens, i, t) {
            list[i] = t;
            if (!json_is_true(json_object_get(t, "special"))) order[k++] = i;
        }
        sorted_from = list;
        qsort(order, k, sizeof *order, by_size);
        for (i = 0; i < k && i < SHOWN; i++) {
            const double a = cli_number(list[order[i]], "attribution");
            char bar[21] = "";
            const int length = most > 0 ? (int)lround(20 * fabs(a) / most) : 0;
            memset(bar, a > 0 ? '+' : '-', (size_t)length);
            cli_cell(table, false, "  %s", cli_text(list[order[i]], "token"));
            cli_cell(table, true, "%+.3f", a);
            cli_cell(table, false, "%s", bar);
            cli_row(table);
        }
    }
    cli_table_print(table);
    if (k > SHOWN) printf("  and %zu more\n", k - SHOWN);
    free(list);
    free(order);
}

static void adapters_print(const json_t *adapters) {
    const json_t *one;
    size_t i;
    if (json_array_size(adapters) == 0) return;
    puts("what each adapter gives to it (taken out exactly, nothing trained anew)");
    cli_table *table = cli_table_new();
    json_array_foreach(adapters, i, one) {
        cli_cell(table, false, "  %s", cli_text(one, "adapter"));
        cli_cell(table, true, "%+.3f", cli_number(one, "gives"));
        if (json_object_get(one, "probability_without"))
            cli_cell(table, false, "without it probability %.3f", cli_number(one, "probability_without"));
        else
            cli_cell(table, false, "without it %.4g", cli_number(one, "value_without"));
        cli_row(table);
    }
    cli_table_print(table);
}

static void explain_show(const json_t *j) {
    const json_t *tokens = json_object_get(j, "tokens");
    const double most = largest(tokens);
    const char *label = cli_text(j, "label");
    const bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    if (*label)
        printf("%s: %s (probability %.3f), %s %.3f; with every word masked %.3f\n", cli_text(j, "name"), label,
               cli_number(j, "probability"), cli_text(j, "explains"), cli_number(j, "value"),
               cli_number(j, "value_of_blank"));
    else
        printf("%s: %.4g; with every word masked %.4g\n", cli_text(j, "name"), cli_number(j, "value"),
               cli_number(j, "value_of_blank"));
    if (colour) colours_print(tokens, most);
    printf("what each token adds (+ for it, - against it); together %+.3f of %+.3f\n", cli_number(j, "sum"),
           cli_number(j, "sum") - cli_number(j, "residual"));
    tokens_print(tokens, most);
    adapters_print(json_object_get(j, "adapters"));
}

static wf_status call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    const wf_explain_spec spec = {.model = a->words[0],
                                  .text = a->words[1],
                                  .pair = a->pair,
                                  .label = a->label,
                                  .tolerance = a->tolerance == CLI_UNSET ? 0 : a->tolerance};
    wf_status st = wf_explain_text(lab, &spec, text, err);
    if (st != WF_OK || !a->output) return st;
    st = wf_explain_page(*text, a->output, err);
    if (st == WF_OK) return st;
    wf_free(*text); /* what failed says nothing on standard output */
    *text = NULL;
    return st;
}

static int run(const cli_args *a) {
    return cli_call(a, call, explain_show);
}

static const cli_option options[] = {
    {"--pair", "TEXT", "the second text, for models of pairs", CLI_ANY, CLI_AT(pair)},
    {"--label", "L", "explain this label instead of the one that is predicted", CLI_TEXT, CLI_AT(label)},
    {"-o", "FILE", "write a page of HTML as well", CLI_TEXT, CLI_AT(output)},
    {"--tolerance", "X", "share of the difference by which the tokens may miss it (default: 0.01)", CLI_AMOUNT,
     CLI_AT(tolerance)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_explain = {
    .name = "explain",
    .words = "NAME TEXT",
    .names = "model",
    .least = 2,
    .most = 2,
    .options = options,
    .run = run,
    .summary = "why a model says what it says of one text: tokens and adapters",
    .text = "Integrated gradients over the embeddings, from the text with every word masked to the text: what the "
            "tokens add "
            "together is the\n"
            "difference between the two, and this is checked. Explained is the label's log-odds (of more than two "
            "classes its "
            "logit less the\n"
            "mean of the others'), or a regression's value. Adapters are taken out exactly. Colours on a terminal (not "
            "with "
            "NO_COLOR).",
    .example = "weft explain editorials \"The new bridge will save families an hour every day.\" -o why.html",
};
