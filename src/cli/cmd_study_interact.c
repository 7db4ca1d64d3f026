/* cli/cmd_study_interact.c - weft study interact. */
#include "cli/cli.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void effect_cells(cli_table *t, const char *metric, const json_t *e) {
    char value[16], low[16], high[16];
    const char *verdict = cli_text(e, "verdict");
    cli_score(value, metric, cli_number(e, "value"));
    cli_score(low, metric, cli_number(e, "low"));
    cli_score(high, metric, cli_number(e, "high"));
    cli_cell(t, true, "%s [%s, %s]", value, low, high);
    cli_cell(t, true, "%.3f", cli_number(e, "p_holm"));
    cli_cell(t, false, "%s", *verdict ? verdict : "-");
}

static void each_show(const json_t *j, const char *metric) {
    const json_t *one;
    size_t i;
    char text[16];
    cli_table *t = cli_table_new();
    static const char *const heads[] = {"  adapter", "attention", "without it",          "it gives [95 %%]", "p (Holm)",
                                        "in it",     "alone",     "gives alone [95 %%]", "p (Holm)",         "alone"};
    for (size_t k = 0; k < sizeof heads / sizeof *heads; k++) cli_cell(t, k > 0 && k != 5 && k != 9, heads[k], 0);
    cli_row(t);
    json_array_foreach(json_object_get(j, "each"), i, one) {
        cli_cell(t, false, "  %s", cli_text(one, "adapter"));
        cli_cell(t, true, "%.3f", cli_number(one, "attention"));
        cli_score(text, metric, cli_number(one, "without"));
        cli_cell(t, true, "%s", text);
        effect_cells(t, metric, json_object_get(one, "gives"));
        cli_score(text, metric, cli_number(one, "alone"));
        cli_cell(t, true, "%s", text);
        effect_cells(t, metric, json_object_get(one, "gives_alone"));
        cli_row(t);
    }
    cli_table_print(t);
}

static void pairs_show(const json_t *j, const char *metric) {
    enum { SHOWN = 10 };
    const json_t *one, *pairs = json_object_get(j, "pairs");
    size_t i, shown = 0;
    if (json_array_size(pairs) == 0) return;
    puts("\nevery two: what they give together less what each gives (claimed ones first)");
    cli_table *t = cli_table_new();
    static const char *const heads[] = {"  pair", "alone [95 %%]", "p (Holm)", "", "inside the fusion", "p (Holm)", ""};
    for (size_t k = 0; k < sizeof heads / sizeof *heads; k++) cli_cell(t, k > 0 && k != 3 && k != 6, heads[k], 0);
    cli_row(t);
    for (int claimed = 1; claimed >= 0; claimed--) json_array_foreach(pairs, i, one) {
            const json_t *alone = json_object_get(one, "alone"), *inside = json_object_get(one, "inside");
            if ((*cli_text(alone, "verdict") || *cli_text(inside, "verdict")) != claimed || shown == SHOWN) continue;
            cli_cell(t, false, "  %s, %s", cli_text(one, "a"), cli_text(one, "b"));
            effect_cells(t, metric, alone);
            effect_cells(t, metric, inside);
            cli_row(t);
            shown++;
        }
    cli_table_print(t);
    if (json_array_size(pairs) > SHOWN) printf("  and %zu more; see: weft report\n", json_array_size(pairs) - SHOWN);
}

/* A square matrix with its names; long ones stand over the columns as numbers, lest two look alike when cut. */
static void matrix_show(const char *title, const json_t *names, const json_t *matrix) {
    enum { WIDE = 12 };
    const json_t *row, *v;
    size_t i, k;
    bool numbered = false;
    if (json_array_size(names) == 0) return;
    json_array_foreach(names, i, v) numbered |= strlen(json_string_value(v)) > WIDE;
    printf("\n%s\n", title);
    cli_table *t = cli_table_new();
    cli_cell(t, false, " ");
    json_array_foreach(names, i, v) {
        if (numbered)
            cli_cell(t, true, "%zu", i + 1);
        else
            cli_cell(t, true, "%s", json_string_value(v));
    }
    cli_row(t);
    json_array_foreach(matrix, i, row) {
        const char *name = json_string_value(json_array_get(names, i));
        if (numbered)
            cli_cell(t, false, "  %zu %s", i + 1, name);
        else
            cli_cell(t, false, "  %s", name);
        json_array_foreach(row, k, v) {
            if (json_is_number(v))
                cli_cell(t, true, "%.2f", json_number_value(v));
            else
                cli_cell(t, true, "-");
        }
        cli_row(t);
    }
    cli_table_print(t);
}

static void interact_show(const json_t *j) {
    const char *metric = cli_text(j, "metric");
    const json_t *one, *gradients = json_object_get(j, "gradients"), *alike = json_object_get(j, "likeness");
    char all[16], none[16];
    size_t i;
    cli_score(all, metric, cli_number(j, "score"));
    cli_score(none, metric, cli_number(j, "score_of_none"));
    printf("%s: %s on %.0f %s rows of %s is %s, without any adapter %s (run %.0f)\nadapters are left out of the "
           "attention, exactly; nothing is trained anew\n\n",
           cli_text(j, "model"), metric, cli_number(j, "rows"), cli_text(j, "part"), cli_text(j, "task"), all, none,
           cli_number(j, "run"));
    each_show(j, metric);
    printf("  attention is spread over %.0f %% of what is possible (entropy)\n",
           100 * cli_number(j, "relative_entropy"));
    pairs_show(j, metric);
    if (json_is_object(gradients)) {
        matrix_show("gradients of the tasks on the fusion's matrices (cosine; 1: the same way, -1: against each other)",
                    json_object_get(gradients, "tasks_of"), json_object_get(gradients, "cosine"));
        json_array_foreach(json_object_get(gradients, "pairs"), i, one) if (*cli_text(one, "verdict"))
            printf("  %s, %s: %s, %.2f [%.2f, %.2f], p %.3f\n", cli_text(one, "a"), cli_text(one, "b"),
                   cli_text(one, "verdict"), cli_number(one, "cosine"), cli_number(one, "low"), cli_number(one, "high"),
                   cli_number(one, "p_holm"));
    }
    matrix_show("likeness of what the head sees under each adapter alone (CKA; 1: the same)",
                json_object_get(alike, "names"), json_object_get(alike, "cka"));
}

static wf_status call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    const wf_interact_spec spec = {.model = a->words[0],
                                   .task = a->train.task,
                                   .rows = a->train.rows,
                                   .seed = a->train.seed,
                                   .resamples = (int)a->resamples,
                                   .margin = a->margin};
    cli_stop_gently();
    return wf_study_interact(lab, &spec, text, err);
}

static int run(const cli_args *a) {
    const int code = cli_resamples_check(a);
    return code == EXIT_DONE ? cli_call(a, call, interact_show) : code;
}

static const cli_option options[] = {
    {"--task", "TASK", "whose test rows (default: the fusion's own); labels must be the same", CLI_TEXT,
     CLI_AT(train.task)},
    {"--rows", "N", "test rows used, a stratified sample (default: 1000 at most; -1: all)", CLI_LIMIT,
     CLI_AT(train.rows)},
    {"--margin", "X", "an adapter that gives less than this either way is useless (default: 0.01)", CLI_AMOUNT,
     CLI_AT(margin)},
    {"--seed", "N", "of the samples and the resampling (default: 0)", CLI_SEED, CLI_AT(train.seed)},
    {"--resamples", "N", "bootstrap resamples (default: 1000, more for many adapters)", CLI_COUNT, CLI_AT(resamples)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_study_interact = {
    .name = "study interact",
    .words = "FUSION",
    .names = "model",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "what each adapter of a fusion gives, alone and with others, and where they pull apart",
    .text =
        "The fusion answers the test rows with all of its adapters, without each, with each alone, and with every two. "
        "An "
        "adapter is left\n"
        "out by removing it from the attention, exactly; nothing is trained anew. Differences come with 95 % intervals "
        "and p values\n"
        "corrected for the number of questions (Holm); below 0.05 they are claimed. An adapter is called useless when "
        "the interval of what\n"
        "it gives lies within the margin. Also: attention and its entropy, gradients of the tasks, likeness of the "
        "adapters.",
    .example = "weft study interact editorials-fusion",
};
