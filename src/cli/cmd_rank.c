/* cli/cmd_rank.c - weft rank. */
#include "cli/training.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void value_cell(cli_table *t, double v) {
    if (isnan(v))
        cli_cell(t, true, "-");
    else
        cli_cell(t, true, "%.3f", v);
}

/* The source's row of the check; NULL: none. */
static const json_t *checked(const json_t *check, const char *name) {
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(check, "sources"), i,
                       one) if (strcmp(cli_text(one, "name"), name) == 0) return one;
    return NULL;
}

static void check_show(const json_t *check) {
    static const char *const keys[] = {"score", "leep", "neighbours", "fisher"};
    const json_t *all = json_object_get(check, "correlation");
    char head[16];
    cli_score(head, cli_text(check, "metric"), cli_number(check, "head"));
    printf("gain: %s on %s of a fusion of the source alone, over %s of a head alone\n", cli_text(check, "metric"),
           cli_text(check, "part"), head);
    for (size_t i = 0; i < 4; i++) {
        const json_t *c = json_object_get(all, keys[i]);
        if (isnan(cli_number(c, "rho")))
            printf("  %s: no correlation to tell\n", keys[i]);
        else
            printf("  %s: Spearman's correlation with the gains %+.2f over %.0f sources, p %.3f%s\n", keys[i],
                   cli_number(c, "rho"), cli_number(c, "sources"), cli_number(c, "p"),
                   json_is_true(json_object_get(c, "agrees")) ? "" : " (not told from chance)");
    }
}

/* Which head of a source gave an estimate: the one whose value stands in its row. */
static const char *head_of(const json_t *source, const char *estimate) {
    const char *task;
    json_t *one;
    json_object_foreach(json_object_get(source, "heads"), task,
                        one) if (cli_number(one, estimate) == cli_number(source, estimate)) return task;
    return "none";
}

/* What has to be known to read the table. */
static void words_show(const json_t *j) {
    const json_t *s, *heads;
    size_t i;
    json_array_foreach(json_object_get(j, "sources"), i, s) {
        if (!(heads = json_object_get(s, "heads"))) continue;
        printf("%s was trained jointly: of its %zu heads the best one counts (leep: %s, fisher: %s)\n",
               cli_text(s, "name"), json_object_size(heads), head_of(s, "leep"), head_of(s, "fisher"));
    }
    json_array_foreach(json_object_get(j, "left_out"), i, s)
        printf("left out: %s, which was trained for %s itself among others; it can be fused by name\n",
               json_string_value(s), cli_text(j, "task"));
    if (*cli_text(j, "caution")) printf("caution: %s\n", cli_text(j, "caution"));
}

static void rank_show(const json_t *j) {
    const json_t *s, *check = json_object_get(j, "check");
    const bool gains = json_is_object(check);
    size_t i;
    if (json_array_size(json_object_get(j, "sources")) == 0) {
        puts("no adapter of another task in this lab yet; train some first: weft train TASK");
        words_show(j);
        return;
    }
    static const char *const head[] = {"", "source", "task", "score", "leep", "neighbours", "fisher", "gain"};
    cli_table *t = cli_table_new();
    for (size_t k = 0; k < 7 + (size_t)gains; k++) cli_cell(t, k == 0 || k >= 3, "%s", head[k]);
    cli_row(t);
    json_array_foreach(json_object_get(j, "sources"), i, s) {
        const json_t *gain = gains ? checked(check, cli_text(s, "name")) : NULL;
        cli_cell(t, true, "%.0f", cli_number(s, "rank"));
        cli_cell(t, false, "%s%s", cli_text(s, "name"),
                 json_is_true(json_object_get(s, "fusable")) ? "" : " (cannot be fused)");
        cli_cell(t, false, "%s", cli_text(s, "task"));
        for (size_t k = 3; k < 7; k++) value_cell(t, cli_number(s, head[k]));
        if (gains) {
            char value[16] = "-";
            if (gain) cli_score(value, cli_text(check, "metric"), cli_number(gain, "gain"));
            cli_cell(t, true, "%s%s", gain && cli_number(gain, "gain") > 0 ? "+" : "", value);
        }
        cli_row(t);
    }
    printf("sources for %s, from %.0f training rows, the best first (neighbours of the base alone: %.3f)\n",
           cli_text(j, "task"), cli_number(j, "rows"), cli_number(j, "base_neighbours"));
    cli_table_print(t);
    words_show(j);
    if (gains) check_show(check);
}

static wf_status run_call(const cli_args *given, wf_lab *lab, char **text, wf_err *err) {
    cli_args a = *given;
    cli_stop_gently();
    cli_train_fill(&a);
    wf_rank_spec spec = {.task = a.words[0],
                         .base = a.train.base,
                         .by = a.by,
                         .rows = a.train.rows,
                         .seed = a.train.seed,
                         .check = a.check,
                         .train = a.train};
    spec.train.rows = 0;
    return wf_rank(lab, &spec, text, err);
}

static int run(const cli_args *a) {
    return cli_call(a, run_call, rank_show);
}

static const cli_option options[] = {
    {"--by", "E", "order by: all (default: the mean place by the three), leep, neighbours, fisher", CLI_TEXT,
     CLI_AT(by)},
    {"--rows", "N", "training rows to look at (default: 300)", CLI_COUNT, CLI_AT(train.rows)},
    {"--seed", "S", "of the sample and of --check (default: 0)", CLI_SEED, CLI_AT(train.seed)},
    {"--check", NULL, "also fuse each source alone, and say how the estimates agree with the true gains", CLI_FLAG,
     CLI_AT(check)},
    CLI_TRAINING_OPTIONS,
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_rank = {
    .name = "rank",
    .words = "TASK",
    .names = "task",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "rank the lab's adapters as sources for a task, without training",
    .text =
        "leep: how well the source's answers on the task's texts tell its labels (log, at most 0); neighbours: share "
        "of texts whose nearest\n"
        "ones in the source's features have their label; fisher: likeness of what both tasks would change. The score "
        "is the mean place, 1 the best.\n"
        "An adapter that was trained jointly counts once, by the best of its heads; one trained for this very task "
        "among "
        "others is left out.\n"
        "weft fuse TASK --from auto:K takes the first K. The settings of training are those of --check.",
    .example = "weft rank editorials --check --steps 100",
};
