/* cli/cmd_prune.c - weft prune. */
#include "cli/cli.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void change_show(const json_t *pruned, const char *part) {
    const json_t *c = json_object_get(json_object_get(pruned, "change"), part);
    const char *metric = cli_text(pruned, "metric");
    char before[16], after[16], value[16], low[16], high[16];
    if (!c) return;
    cli_score(before, metric, cli_number(c, "before"));
    cli_score(after, metric, cli_number(c, "after"));
    cli_score(value, metric, cli_number(c, "value"));
    cli_score(low, metric, cli_number(c, "low"));
    cli_score(high, metric, cli_number(c, "high"));
    printf("%s %s %s, before %s: %s%s [%s, %s], p %.3f\n", part, metric, after, before,
           cli_number(c, "value") > 0 ? "+" : "", value, low, high, cli_number(c, "p"));
}

static void prune_show(const json_t *j) {
    const json_t *pruned = json_object_get(j, "pruned"), *one;
    const char *metric = cli_text(pruned, "metric");
    size_t i;
    if (json_array_size(json_object_get(pruned, "removed")) == 0) {
        printf("%s stays as it is: every adapter is worth more than that\n", cli_text(pruned, "of"));
        return;
    }
    printf("%s: %s without", cli_text(j, "name"), cli_text(pruned, "of"));
    json_array_foreach(json_object_get(pruned, "removed"), i, one) {
        char score[16];
        cli_score(score, metric, cli_number(one, "score"));
        printf("%s %s (dev %s then)", i ? "," : "", cli_text(one, "name"), score);
    }
    printf("; left are");
    json_array_foreach(json_object_get(j, "from"), i, one) printf("%s %s", i ? "," : "", json_string_value(one));
    puts("");
    change_show(pruned, "dev");
    change_show(pruned, "test");
}

static wf_status run_call(const cli_args *a, wf_lab *lab, char **text, wf_err *err) {
    const wf_prune_spec spec = {.name = a->words[0],
                                .new_name = a->train.name,
                                .keep = a->keep,
                                .loss = a->points == CLI_UNSET ? 0
                                        : a->points == 0       ? -1
                                                               : a->points,
                                .by = a->by};
    if (a->points != CLI_UNSET && !(a->points >= 0))
        return cli_wrong(err, WF_E_ARG, "--loss is %g points; it must lie in [0, 100]", a->points);
    cli_stop_gently();
    return wf_prune(lab, &spec, text, err);
}

static int run(const cli_args *a) {
    return cli_call(a, run_call, prune_show);
}

static const cli_option options[] = {
    {"--keep", "K", "keep this many adapters", CLI_COUNT, CLI_AT(keep)},
    {"--loss", "L", "or: remove adapters as long as dev falls by at most L points (0.2: from 90.0 to 89.8)", CLI_REAL,
     CLI_AT(points)},
    {"--by", "B", "leave-one-out (default: whose absence dev misses least goes) or attention (what is looked at least)",
     CLI_TEXT, CLI_AT(by)},
    {"--name", "A", "what to call it (default: NAME-pruned)", CLI_TEXT, CLI_AT(train.name)},
    {NULL, NULL, NULL, CLI_FLAG, 0},
};

const cli_command cli_prune = {
    .name = "prune",
    .words = "NAME",
    .names = "model",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
    .summary = "remove the adapters of a fusion that give it nothing; stored as a new model",
    .text = "Adapters are chosen on dev rows and the change is measured on test rows too, with its paired bootstrap "
            "interval. NAME stays as it is.",
    .example = "weft prune editorials --loss 0.2",
};
